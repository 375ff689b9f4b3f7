//! What a client of the live door asks for under one id, and what it is told of it.
//!
//! What is told is recorded under the id, so that the same can be told again. It names the Automerge changes that came of
//! it: a client that was not told in time, and went on from there, has seen them all the same.

use automerge::ChangeHash;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::document::table::RowId;
use crate::key::{BadKey, Key};
use crate::room::keys::{KeyRefusal, Keyed};
use crate::store::{MAX_ANSWER, Tombstone};
use crate::sync::log::Heads;
use crate::wire::live::change::Ask;
use crate::wire::table::{Made, Mistake};
use crate::wire::version;

/// The most heads of a version that is recorded, since it is recorded under every id of a message.
const MAX_HEADS: usize = 8;

/// A change that is to be made once.
#[derive(Debug, Clone)]
pub struct Wish {
    pub(super) keyed: Keyed,
    pub(super) ask: Ask,
}

impl Wish {
    pub fn new(ask: Ask) -> Result<Self, BadKey> {
        let key = Key::parse(ask.change_id())?;
        Ok(Self {
            keyed: Keyed::new(key, ask.digest()),
            ask,
        })
    }

    pub fn ask(&self) -> &Ask {
        &self.ask
    }
}

/// What came of a wish.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// The record that was made, of a `create`.
    pub record: Option<RowId>,
    /// What the items of a batch have made, in their order.
    pub outcomes: Vec<Made>,
    /// It was written beside what its author had not seen.
    pub merged: bool,
    /// It was done before, and this is what was told then.
    pub replayed: bool,
    /// The version of the table with it.
    pub version: Heads,
    /// The Automerge changes that it became, or is a part of; none if it changed nothing.
    pub changes: Vec<ChangeHash>,
}

/// Why a wish was not granted. Nothing of it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{mistake}")]
pub struct NotTaken {
    pub why: Why,
    pub mistake: Mistake,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// What was asked for cannot be done.
    Refused,
    /// There is no such record.
    NotFound,
    NotATable,
    /// The table never had the version that it is based on.
    UnknownVersion,
    /// What it would change is not what its author saw, and it cannot be written beside it.
    VersionChanged,
    TooLarge,
    /// Too much at once: it is made if it is sent again.
    Later,
    Deleted(Tombstone),
    Key(KeyRefusal),
    Failed,
}

impl NotTaken {
    pub(super) fn new(why: Why, mistake: Mistake) -> Self {
        Self { why, mistake }
    }
}

/// What is recorded under an id.
#[derive(Debug, Serialize, Deserialize)]
struct Recorded {
    /// Left out where it is long: the present one then stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    changes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    outcomes: Vec<Made>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    merged: bool,
}

impl Accepted {
    /// As it is recorded. One that is too long is recorded without its outcomes: what was done, but no more.
    pub(super) fn encode(&self) -> Bytes {
        let mut recorded = Recorded {
            version: (self.version.len() <= MAX_HEADS).then(|| version::of(&self.version)),
            changes: self.changes.iter().map(ToString::to_string).collect(),
            record: self.record.as_ref().map(ToString::to_string),
            outcomes: self.outcomes.clone(),
            merged: self.merged,
        };
        let whole = serde_json::to_vec(&recorded).unwrap_or_default();
        if whole.len() <= MAX_ANSWER {
            return whole.into();
        }
        recorded.outcomes.clear();
        serde_json::to_vec(&recorded).unwrap_or_default().into()
    }

    /// What was recorded; none if it does not read.
    pub(super) fn replay(recorded: &[u8], present: impl FnOnce() -> Heads) -> Option<Self> {
        let recorded: Recorded = serde_json::from_slice(recorded).ok()?;
        let version = match &recorded.version {
            Some(version) => version::heads(version)?.into(),
            None => present(),
        };
        let changes = recorded.changes.iter().map(|hash| hash.parse().ok());
        Some(Self {
            version,
            changes: changes.collect::<Option<_>>()?,
            record: recorded.record.and_then(|id| RowId::parse(&id).ok()),
            outcomes: recorded.outcomes,
            merged: recorded.merged,
            replayed: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(outcomes: Vec<Made>) -> Accepted {
        Accepted {
            record: RowId::parse("b.r").ok(),
            outcomes,
            merged: true,
            replayed: false,
            version: [ChangeHash([1; 32]), ChangeHash([2; 32])].into(),
            changes: vec![ChangeHash([2; 32])],
        }
    }

    #[test]
    fn what_was_told_can_be_told_again() {
        let rows = |count: usize| Made {
            rows: Some(vec!["b.r".to_owned(); count]),
            ..Made::default()
        };
        let told = accepted(vec![rows(2), Made::default()]);
        let none = || -> Heads { unreachable!("it was recorded") };
        let again = Accepted::replay(&told.encode(), none).unwrap();
        assert_eq!(again, Accepted { replayed: true, ..told });
        let long = accepted(vec![rows(MAX_ANSWER)]).encode();
        assert!(long.len() < MAX_ANSWER);
        let short = Accepted::replay(&long, none).unwrap();
        assert_eq!((short.outcomes.len(), short.changes.len()), (0, 1));
        assert_eq!(Accepted::replay(b"x", none), None);
        let heads: Heads = (0..20).map(|n| ChangeHash([n; 32])).collect();
        let quarrel = Accepted {
            version: heads,
            ..accepted(Vec::new())
        };
        let present: Heads = [ChangeHash([7; 32])].into();
        let again = Accepted::replay(&quarrel.encode(), || present.clone()).unwrap();
        assert_eq!(again.version, present);
    }
}
