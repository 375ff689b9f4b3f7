//! What one who comes is shown of a pane: all of it, or what has changed since the version they have.
//!
//! The way from another version is the difference between the two, whatever lies between them and however long ago it was:
//! nothing is replayed and nothing is kept for those who are away. It is made once for all who come with the same version,
//! on a copy where it is much, and may be shown once the room is durable up to the place it leads to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use automerge::{Automerge, ChangeHash};
use axum::extract::ws::Utf8Bytes;

use super::pane::{Pane, Reached};
use super::telling::{Telling, rows_of, rows_shown};
use crate::document::feed::{self, ColumnsTouched, Scope, Step};
use crate::document::table::{NotATable, TableIndex, ViewId};
use crate::document::view::{self, View, ViewRows};
use crate::room::room::{Live, Room, Slot};
use crate::room::seen::Seen;
use crate::room::table::TableReading;
use crate::wire::live::{Snapshot, Window};
use crate::wire::table::Shown;
use crate::wire::version;

/// The cells of a snapshot that is made under the lock of the document, which holds up everybody who edits.
const CELLS_UNDER_LOCK: usize = 2_000;

/// How many answers to those who come back a pane remembers.
const REMEMBERED: usize = 4;

/// What is shown to one who comes.
#[derive(Debug, Clone)]
pub struct Brought {
    pub what: What,
    /// Where they are with it. It may be shown once the room is durable up to there.
    pub reached: Reached,
}

#[derive(Debug, Clone)]
pub enum What {
    /// A `table_snapshot`, and the rows in it.
    Snapshot { frame: Arc<SnapshotFrame>, rows: usize },
    /// `missed_events`, the rows it tells of, and whether there is anything in it.
    Missed {
        text: Utf8Bytes,
        rows: usize,
        is_news: bool,
    },
}

/// A snapshot that lacks its users, who come and go while the table stays as it is. With the same users it is made once.
#[derive(Debug)]
pub struct SnapshotFrame {
    without_users: String,
    /// The list of users it was made with last. A leaf.
    made: Mutex<Option<(Arc<str>, Utf8Bytes)>>,
}

impl SnapshotFrame {
    pub fn with_users(&self, users: &Arc<str>) -> Utf8Bytes {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, frame)) = &*made
            && Arc::ptr_eq(of, users)
        {
            return frame.clone();
        }
        let frame = Utf8Bytes::from(Snapshot::with_users(&self.without_users, users));
        *made = Some((users.clone(), frame.clone()));
        frame
    }
}

/// Why nothing can be shown.
#[derive(Debug, thiserror::Error)]
pub enum NotShown {
    #[error("the document is asleep")]
    NotAwake,
    /// To be told once the room is durable up to there.
    #[error("{why}")]
    NotATable { why: NotATable, seen: Seen },
    /// Likewise.
    #[error("there is no view {id}")]
    NoView { id: ViewId, seen: Seen },
    #[error("the server failed over it")]
    Failed,
    #[error("the table never had this version")]
    UnknownVersion,
}

/// What a pane remembers of what was shown.
#[derive(Default)]
pub(super) struct Remembered {
    snapshot: Option<Brought>,
    /// By the version they lead from.
    missed: Vec<(Vec<ChangeHash>, Brought)>,
}

/// A table at one version, live or copied.
struct Table<'t> {
    document: &'t Automerge,
    index: &'t TableIndex,
    view: Option<(&'t ViewId, &'t ViewRows)>,
    reached: &'t Reached,
}

/// What is needed to show a pane without its room.
struct Copied {
    reading: Arc<TableReading>,
    view: Option<View>,
    reached: Reached,
}

impl Room {
    /// What this pane showed already that is still the newest there is.
    pub fn shown_before(&self, pane: &Pane, since: Option<&[ChangeHash]>) -> Option<Brought> {
        let position = self.end();
        let remembered = pane.remembered();
        let known = match since {
            None => remembered.snapshot.as_ref(),
            Some(since) => remembered
                .missed
                .iter()
                .find(|(from, _)| from == since)
                .map(|(_, brought)| brought),
        };
        known
            .filter(|brought| brought.reached.position == position && brought.reached.epoch == self.epoch())
            .cloned()
    }

    /// What a pane shows to one who has nothing of it, or who has it as of a version. Heavy: called off the runtime.
    pub fn show_pane(&self, pane: &Pane, since: Option<&[ChangeHash]>, now: Instant) -> Result<Brought, NotShown> {
        let (brought, copied) = {
            let mut slot = self.slot();
            slot.last_use = now;
            self.show_under_lock(&mut slot, pane, since)?
        };
        let brought = match (brought, copied) {
            (Some(brought), _) => brought,
            (None, Some(copied)) => self.show_copied(pane, since, &copied),
            (None, None) => return Err(NotShown::NotAwake),
        };
        pane.remembered().remember(since, &brought);
        Ok(brought)
    }

    /// Shows what is little; else what is needed to show it from a copy.
    fn show_under_lock(
        &self,
        slot: &mut Slot,
        pane: &Pane,
        since: Option<&[ChangeHash]>,
    ) -> Result<(Option<Brought>, Option<Copied>), NotShown> {
        self.advance_panes(slot);
        let reached = self.reached();
        let Slot { live, table, .. } = &mut *slot;
        let Live::Awake(document) = live else {
            return Err(NotShown::NotAwake);
        };
        if since.is_some_and(|since| since.is_empty() || !since.iter().all(|hash| document.has(hash))) {
            return Err(NotShown::UnknownVersion);
        }
        let seen = self.seen();
        let index = table
            .follow(document)
            .map_err(|why| NotShown::NotATable { why, seen })?;
        let view = match &pane.key.view {
            None => None,
            Some(id) => match view::find(document.automerge(), id) {
                Some(stored) => Some(stored.view),
                None => return Err(NotShown::NoView { id: id.clone(), seen }),
            },
        };
        let kept = view
            .as_ref()
            .map(|view| table.views.shared(document.automerge(), &index, view));
        // Those that are not at hand are built from a copy.
        if let None | Some(Some(_)) = &kept {
            let rows = kept.flatten();
            let live = Table {
                document: document.automerge(),
                index: &index,
                view: pane.key.view.as_ref().zip(rows.as_deref()),
                reached: &reached,
            };
            if let Some(brought) = self.show_little(pane, since, &live) {
                return Ok((Some(brought), None));
            }
        }
        let reading = match self.reading_in(slot) {
            Err(_) => return Err(NotShown::NotAwake),
            Ok(reading) => reading.map_err(|why| NotShown::NotATable { why, seen })?,
        };
        let copied = Copied { reading, view, reached };
        Ok((None, Some(copied)))
    }

    /// What is shown in a moment; none if it is more than that.
    fn show_little(&self, pane: &Pane, since: Option<&[ChangeHash]>, live: &Table<'_>) -> Option<Brought> {
        let scope = live.scope(pane);
        let cells = rows_of(&scope, live.index).len() * scope.columns(live.index).len();
        let has_few_cells = cells <= CELLS_UNDER_LOCK;
        if let Some(since) = since {
            if !self.is_short(since, live.reached) {
                return None;
            }
            let trail = self.trail_since(live.document, live.index, since, live.reached);
            let is_wide = trail.footprint.columns != ColumnsTouched::No;
            if is_wide && !has_few_cells {
                return None;
            }
            if let Some(missed) = self.missed(pane, since, live) {
                return Some(missed);
            }
        }
        has_few_cells.then(|| self.snapshot(pane, live))
    }

    fn show_copied(&self, pane: &Pane, since: Option<&[ChangeHash]>, copied: &Copied) -> Brought {
        let rows = copied.view.as_ref().map(|view| copied.reading.view_rows(view));
        if let Some(rows) = &rows {
            self.keep_view_rows(rows.clone());
        }
        let table = Table {
            document: copied.reading.document(),
            index: copied.reading.index(),
            view: pane.key.view.as_ref().zip(rows.as_deref()),
            reached: &copied.reached,
        };
        let missed = since.and_then(|since| self.missed(pane, since, &table));
        missed.unwrap_or_else(|| self.snapshot(pane, &table))
    }

    fn snapshot(&self, pane: &Pane, table: &Table<'_>) -> Brought {
        let scope = table.scope(pane);
        let columns = scope.columns(table.index);
        let shown = Shown::by_id(columns.iter().copied());
        let rows: Vec<_> = rows_of(&scope, table.index)
            .map(|row| shown.row(table.document, row))
            .collect();
        let version = version::of(&table.reached.heads);
        let count = rows.len();
        let snapshot = Snapshot {
            table_id: self.id().as_str(),
            title: table.index.title(),
            view_id: pane.key.view.as_ref().map(ViewId::as_str),
            window: pane.key.window.map(|window| Window {
                offset: window.offset,
                limit: window.limit,
            }),
            columns: columns.into_iter().map(Into::into).collect(),
            row_count: scope.row_count(table.index),
            rows,
            skipped: table
                .view
                .iter()
                .flat_map(|(_, rows)| rows.skipped())
                .map(Into::into)
                .collect(),
            version: &version,
        };
        if pane.key.window.is_some() {
            pane.show(rows_shown(&scope, table.index), table.reached.position);
        }
        Brought {
            what: What::Snapshot {
                frame: Arc::new(SnapshotFrame {
                    without_users: snapshot.without_users(),
                    made: Mutex::default(),
                }),
                rows: count,
            },
            reached: table.reached.clone(),
        }
    }

    /// What has changed since a version; none if a snapshot is due instead.
    fn missed(&self, pane: &Pane, since: &[ChangeHash], table: &Table<'_>) -> Option<Brought> {
        let trail = self.trail_since(table.document, table.index, since, table.reached);
        let scope = table.scope(pane);
        let Step::Differs(difference) = feed::difference(table.document, table.index, &scope, since, &trail.footprint)
        else {
            return None;
        };
        if pane.key.window.is_some() {
            pane.show(rows_shown(&scope, table.index), table.reached.position);
        }
        let (from, version) = (version::of(since), version::of(&table.reached.heads));
        let telling = Telling {
            table: self.id().as_str(),
            document: table.document,
            index: table.index,
            scope: &scope,
            version: &version,
        };
        let changes = telling.tell(difference, Some(&from), |row| trail.of(row));
        Some(Brought {
            what: What::Missed {
                text: changes.missed().into(),
                rows: changes.changes.len(),
                is_news: !changes.is_nothing(),
            },
            reached: table.reached.clone(),
        })
    }
}

impl Table<'_> {
    fn scope(&self, pane: &Pane) -> Scope<'_> {
        Scope {
            view: self.view,
            window: pane.key.window,
        }
    }
}

impl Remembered {
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    fn remember(&mut self, since: Option<&[ChangeHash]>, brought: &Brought) {
        let Some(since) = since else {
            self.snapshot = Some(brought.clone());
            return;
        };
        self.missed
            .retain(|(from, known)| from != since && known.reached.position == brought.reached.position);
        if self.missed.len() == REMEMBERED {
            self.missed.remove(0);
        }
        self.missed.push((since.to_vec(), brought.clone()));
    }
}
