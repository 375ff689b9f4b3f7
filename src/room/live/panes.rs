//! Bringing the panes of a room to the present version of its table.
//!
//! Done under the lock of the document, by one job at a time that the flush of a change sets off: a step costs what the
//! change has touched. What is large (a snapshot of many rows, the way from a version long ago) is made from a copy, see
//! [`super::catching_up`].

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use automerge::{Change, ChangeHash};

use super::pane::{Gone, Pane, PaneKey, Reached};
use super::telling::{Telling, Who};
use crate::document::feed::{ColumnsTouched, Footprint, Scope, Step, difference};
use crate::document::table::{TableIndex, ViewId};
use crate::document::view::{self, View, ViewRows};
use crate::room::room::{Live, NotAwake, Room, Slot};
use crate::sync::log::Heads;

/// The panes of a room, under the lock of its document.
#[derive(Default)]
pub(in crate::room) struct Panes {
    open: Vec<Opened>,
    /// The rows of the views that panes show, as long as the document is awake.
    views: HashMap<ViewId, ViewRows>,
}

struct Opened {
    pane: Arc<Pane>,
    reached: Reached,
}

impl Panes {
    /// The document is gone from memory: what follows it is built anew.
    pub fn forget_rows(&mut self) {
        self.views.clear();
    }

    pub fn find(&self, key: &PaneKey) -> Option<&Arc<Pane>> {
        let open = self.open.iter().map(|opened| &opened.pane);
        open.into_iter().find(|pane| pane.key == *key)
    }

    /// The rows of a view, if they were kept.
    pub fn view_rows(&self, id: &ViewId) -> Option<&ViewRows> {
        self.views.get(id)
    }

    /// The views whose rows are not at hand.
    pub fn views_missing(&self) -> Vec<ViewId> {
        let views = self.open.iter().filter_map(|opened| opened.pane.key.view.as_ref());
        let mut missing: Vec<_> = views.filter(|id| !self.views.contains_key(id)).cloned().collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    pub fn keep_view(&mut self, id: ViewId, rows: ViewRows) {
        self.views.insert(id, rows);
    }

    pub fn open(&mut self, pane: Arc<Pane>, reached: Reached) {
        self.open.push(Opened { pane, reached });
    }

    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Forgets panes that nobody follows.
    pub fn close_unfollowed(&mut self) {
        self.open.retain(|opened| opened.pane.is_followed());
        let open = &self.open;
        self.views
            .retain(|id, _| open.iter().any(|opened| opened.pane.key.view.as_ref() == Some(id)));
    }
}
