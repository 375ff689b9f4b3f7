//! One change held against the document it is meant for.

use automerge::{Change, ChangeHash};

use super::limits::GateLimits;
use super::refusal::Refusal;
use crate::document::crdt::Document;

/// What to do with a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// The document has it already.
    Known,
    /// It can be applied now.
    Ready,
    /// Legal, but changes it builds on are not here yet: keep it aside until they are.
    Aside {
        missing: Vec<ChangeHash>,
    },
    Refused(Refusal),
}

/// Holds one well-formed change (from [`open`](super::open)) against the document.
pub fn admit(document: &Document, change: &Change, limits: &GateLimits) -> Admission {
    if document.has(&change.hash()) {
        return Admission::Known;
    }
    let missing = document.missing(change.deps());
    if !missing.is_empty() {
        return Admission::Aside { missing };
    }
    let _ = limits;
    Admission::Ready
}
