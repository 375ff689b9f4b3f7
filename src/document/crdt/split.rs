//! Keeps a change over many rows from taking gigabytes.
//!
//! To be written.

use automerge::Change;

use super::Document;

#[derive(Debug, Default)]
pub(super) struct SplitState {}

impl SplitState {
    pub(super) fn grew(&mut self, _change: &Change) {}
}

impl Document {
    pub(super) fn split_before(&mut self, _change: &Change) {}
}
