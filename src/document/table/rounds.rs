//! Changes of one author that come together, each written on the version that it belongs to.
//!
//! What touches only what is still as its author saw it is written on the present version. The rest is written on the
//! version that its author saw, beside what has come since: nobody is overwritten silently. All of one version are one
//! [`Round`], which becomes one Automerge change: somebody who was offline for a day comes back with hundreds of changes,
//! and each change that stands by itself on an old version takes an actor of its own.
//!
//! Changes count in their order. A later one has seen the earlier ones of its author, also those that were written before
//! ([`Own`]). Where that cannot be told before the earlier ones are written, the later one waits: [`Fate::Later`].
//!
//! - Each change is taken whole or not at all; one that is refused leaves the others.
//! - What only adds (new rows, columns, views) is written on the present version.
//! - Rounds touch different places, or come in the order in which they are listed.

mod footing;
mod plan;

use std::sync::Arc;

use automerge::{Automerge, ChangeHash};
use rand::Rng;
use serde_json::Value as Json;

use super::sight::{Own, Saw};
use super::{Outcome, Plan, Refused, Stamp, TableEdit, TableIndex};
use footing::Sorter;

/// A change, and what its author saw.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'c> {
    /// Its turn among all that its author has made.
    pub turn: usize,
    pub edits: &'c [TableEdit],
    /// The version its author saw.
    pub base: Option<&'c [ChangeHash]>,
    /// Cells as its author saw them. Looked for where there is no base.
    pub saw: &'c [Saw],
}

/// The table that changes are for.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'g> {
    pub document: &'g Automerge,
    /// Of the document's present version.
    pub index: &'g TableIndex,
    /// Versions in which a cell is looked for as its author saw it, the likeliest first.
    pub versions: &'g [Arc<[ChangeHash]>],
    /// What the author has written before.
    pub own: &'g Own,
    /// How many rounds may be written on earlier versions: each costs milliseconds.
    pub earlier_rounds: usize,
}

/// Edits that are written as one Automerge change.
#[derive(Debug)]
pub struct Round {
    /// The version to write on; the present one if there is none.
    pub at: Option<Vec<ChangeHash>>,
    pub plan: Plan,
}

/// What is to be written, in this order, and what becomes of each change.
#[derive(Debug)]
pub struct Rounds {
    pub rounds: Vec<Round>,
    pub fates: Vec<Fate>,
    /// How many looks into versions are left.
    pub looks: usize,
}

#[derive(Debug)]
pub enum Fate {
    Taken {
        /// What each edit makes.
        outcomes: Vec<Outcome>,
        /// The round of each edit.
        rounds: Vec<usize>,
    },
    /// It depends on what is written for one before it: ask again then.
    Later,
    Not(Untaken),
}

/// Why a change is not taken.
#[derive(Debug)]
pub enum Untaken {
    Refused(Refused),
    UnknownVersion,
    /// What this edit changes is not what its author saw, and it cannot be written beside that.
    Changed {
        edit: usize,
    },
    /// A cell was not as its author saw it in any version that was looked at.
    Unseen {
        saw: usize,
        /// What it shows now; none if the row or column is gone.
        present: Option<Json>,
    },
    /// The changes are based on too many versions.
    TooManyVersions,
}

impl Rounds {
    /// Sorts changes into rounds, and plans each of them. `looks` bounds the reads in search of what authors saw.
    pub fn of(ground: Ground<'_>, claims: &[Claim<'_>], looks: usize, stamp: &Stamp, rng: &mut impl Rng) -> Self {
        let mut sorter = Sorter::new(ground, claims, looks);
        let sorted: Vec<_> = (0..claims.len()).map(|claim| sorter.sort(claim)).collect();
        let (versions, looks) = sorter.finish();
        let (rounds, fates) = plan::plan(ground, claims, &versions, sorted, stamp, rng);
        Self { rounds, fates, looks }
    }
}
