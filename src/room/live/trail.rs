//! What was touched on the way from one version to another, and by whom: found out once for all who go that way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use automerge::{Automerge, Change, ChangeHash};

use super::pane::Reached;
use crate::document::author::Door;
use crate::document::feed::Footprint;
use crate::document::table::{RowId, TableIndex};
use crate::room::room::Room;
use crate::sync::log::Written;

/// How many ways a room remembers.
const REMEMBERED: usize = 4;

/// A way that the log knows and that has no more changes and bytes than this is gone over in a moment.
const SHORT: u64 = 64;
const SHORT_BYTES: usize = 64 << 10;

/// Who has written something, as far as it is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Who {
    pub user: Option<Arc<str>>,
    pub device: Option<Arc<str>>,
    pub change: Option<Arc<str>>,
}

#[derive(Debug)]
pub(super) struct Trail {
    pub footprint: Footprint,
    who: Vec<Who>,
}

impl Trail {
    /// A way of which it is not known who went it.
    pub fn unknown(footprint: Footprint) -> Self {
        let who = Vec::new();
        Self { footprint, who }
    }

    /// Who wrote to a row last.
    pub fn of(&self, row: &RowId) -> Who {
        let last = self.footprint.rows.get(row).and_then(|touch| touch.last);
        last.and_then(|last| self.who.get(last)).cloned().unwrap_or_default()
    }
}

/// The ways gone last, by where they lead from and to. A leaf.
#[derive(Default)]
pub(super) struct Trails(Mutex<Vec<Gone>>);

/// The version it leads from, the position it leads to.
type Gone = (Vec<ChangeHash>, u64, Arc<Trail>);

impl Trails {
    pub fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Gone>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// The way between two positions, if the log goes back so far.
    pub(super) fn trail_in_log(&self, document: &Automerge, index: &TableIndex, from: u64, upto: u64) -> Option<Trail> {
        let logged = self.log().changes(from, upto)?;
        let change = |bytes: bytes::Bytes| Change::from_bytes(bytes.to_vec()).ok();
        let changes: Vec<Change> = logged.into_iter().filter_map(change).collect();
        Some(Trail {
            footprint: Footprint::of_changes(document, index, &changes),
            who: self.writers(from, upto),
        })
    }

    /// The way from a version to the present one: known, or found out and remembered. Heavy unless it is short.
    pub(super) fn trail_since(
        &self,
        document: &Automerge,
        index: &TableIndex,
        since: &[ChangeHash],
        reached: &Reached,
    ) -> Arc<Trail> {
        if let Some(known) = self.trail_known(since, reached) {
            return known;
        }
        let position = self.log().position_of(since);
        let logged = position.and_then(|from| self.trail_in_log(document, index, from, reached.position));
        let made = Arc::new(logged.unwrap_or_else(|| Trail::unknown(Footprint::since(document, index, since))));
        let mut trails = self.live.trails.lock();
        if trails.len() == REMEMBERED {
            trails.remove(0);
        }
        trails.push((since.to_vec(), reached.position, made.clone()));
        made
    }

    /// Whether the way from a version is known or gone over in a moment.
    pub(super) fn is_short(&self, since: &[ChangeHash], reached: &Reached) -> bool {
        let is_short = {
            let log = self.log();
            let from = log.position_of(since);
            let from = from.filter(|from| reached.position.saturating_sub(*from) <= SHORT);
            let logged = from.and_then(|from| log.changes(from, reached.position));
            logged.is_some_and(|logged| logged.iter().map(bytes::Bytes::len).sum::<usize>() <= SHORT_BYTES)
        };
        is_short || self.trail_known(since, reached).is_some()
    }

    fn trail_known(&self, since: &[ChangeHash], reached: &Reached) -> Option<Arc<Trail>> {
        let trails = self.live.trails.lock();
        let known = trails
            .iter()
            .find(|(from, upto, _)| *upto == reached.position && from == since);
        known.map(|(_, _, trail)| trail.clone())
    }

    /// Who has written the changes between two positions, in their order.
    fn writers(&self, from: u64, upto: u64) -> Vec<Who> {
        let written = self.log().origins(from, upto).unwrap_or_default();
        let audience = self.audience();
        let who = |written: Written| {
            let peer = written.from.and_then(|connection| audience.peer_of(connection));
            let user = peer.and_then(|peer| audience.user_of(peer)).map(Into::into);
            let device = match written.origin.door {
                Door::Sync => peer.map_or_else(|| written.origin.device.clone(), |peer| peer.as_str().into()),
                _ => written.origin.device.clone(),
            };
            Who {
                user: written.origin.user.clone().or(user),
                device: Some(device),
                change: written.key,
            }
        };
        written.into_iter().map(who).collect()
    }
}
