//! Bringing the panes of a room to the present version of its table.
//!
//! Done under the lock of the document, by one job at a time that the flush of a change sets off: a step costs what the
//! change has touched, and who follows the same pane shares it. What is large (a snapshot of many rows, the way from a
//! version long ago) is made from a copy: see [`super::catching_up`].

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use automerge::Automerge;

use super::pane::{Gone, Pane, PaneKey, Reached};
use super::telling::{Telling, rows_shown};
use super::trail::Trail;
use crate::document::crdt::Document;
use crate::document::feed::{self, ColumnsTouched, Footprint, Scope, Step};
use crate::document::table::{RowId, TableIndex, ViewId};
use crate::document::view::{self, ViewRows};
use crate::room::room::{Live, Room, Slot};
use crate::wire::version;

/// Changes of more bytes than this between two steps are not gone through under the lock: a snapshot is due instead.
const STEP_CHANGE_BYTES: usize = 512 << 10;

/// The panes of a room, under the lock of its document.
#[derive(Default)]
pub(in crate::room) struct Panes {
    open: Vec<Opened>,
    /// The rows of the views that panes show, and the position they are of; as long as the document is awake.
    views: HashMap<ViewId, (ViewRows, u64)>,
}

struct Opened {
    pane: Arc<Pane>,
    reached: Reached,
}

impl Panes {
    /// The document is gone from memory: what followed it is built anew when somebody asks.
    pub fn forget_rows(&mut self) {
        self.views.clear();
    }

    pub fn find(&self, key: &PaneKey) -> Option<Arc<Pane>> {
        let mut panes = self.open.iter().map(|opened| &opened.pane);
        panes.find(|pane| pane.key == *key).cloned()
    }

    pub fn open(&mut self, pane: Arc<Pane>, reached: Reached) {
        self.open.push(Opened { pane, reached });
    }

    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// The rows of a view at a position, if they are at hand.
    pub fn view_rows(&self, id: &ViewId, position: u64) -> Option<&ViewRows> {
        self.views
            .get(id)
            .filter(|(_, at)| *at == position)
            .map(|(rows, _)| rows)
    }

    pub fn keep_view(&mut self, id: ViewId, rows: ViewRows, position: u64) {
        self.views.insert(id, (rows, position));
    }

    /// Forgets panes that nobody follows, and views that no pane shows.
    pub fn close_unfollowed(&mut self) {
        self.open.retain(|opened| opened.pane.is_followed());
        let open = &self.open;
        let is_shown = |id: &ViewId| open.iter().any(|opened| opened.pane.key.view.as_ref() == Some(id));
        self.views.retain(|id, _| is_shown(id));
    }
}

impl Room {
    /// Makes the next step of every pane. Called under the lock of the document, which is awake.
    pub(super) fn advance_panes(&self, slot: &mut Slot) {
        let Slot {
            live: Live::Awake(document),
            table,
            panes,
            ..
        } = slot
        else {
            return;
        };
        panes.close_unfollowed();
        let now = self.reached();
        if panes.open.iter().all(|opened| opened.reached == now)
            && panes.views.values().all(|(_, at)| *at == now.position)
        {
            return;
        }
        let Ok(index) = table.follow(document) else {
            panes.open.drain(..).for_each(|opened| opened.pane.end(Gone::Table));
            return;
        };
        let mut trails = HashMap::new();
        self.follow_views(panes, document, &index, &now, &mut trails);
        let Panes { open, views } = panes;
        for Opened { pane, reached } in open {
            let from = std::mem::replace(reached, now.clone());
            if from.epoch != now.epoch {
                pane.roll_back();
                pane.anew(from.position, now.clone());
                continue;
            }
            if from == now {
                continue;
            }
            let trail = trails
                .entry(from.position)
                .or_insert_with(|| self.trail(document.automerge(), &index, &from, now.position));
            self.step(pane, document.automerge(), &index, views, &from, &now, trail.as_deref());
        }
    }

    /// Where the document stands.
    pub(super) fn reached(&self) -> Reached {
        let epoch = self.epoch();
        let log = self.log();
        Reached {
            position: log.end(),
            heads: log.heads(),
            epoch,
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call of one place: the parts of a step")]
    fn step(
        &self,
        pane: &Pane,
        document: &Automerge,
        index: &TableIndex,
        views: &HashMap<ViewId, (ViewRows, u64)>,
        from: &Reached,
        now: &Reached,
        trail: Option<&Trail>,
    ) {
        let Some(trail) = trail else {
            return pane.anew(from.position, now.clone());
        };
        let view = match &pane.key.view {
            None => None,
            Some(id) if view::find(document, id).is_none() => return pane.end(Gone::View),
            Some(id) => match views.get(id) {
                Some((rows, _)) => Some((id, rows)),
                // They are built anew for the snapshot.
                None => return pane.anew(from.position, now.clone()),
            },
        };
        let scope = Scope {
            view,
            window: pane.key.window,
        };
        match feed::difference(document, index, &scope, &from.heads, &trail.footprint) {
            Step::Anew => pane.anew(from.position, now.clone()),
            Step::Differs(difference) => {
                if pane.key.window.is_some() && (pane.shown().is_none() || !difference.rows.is_empty()) {
                    pane.show(rows_shown(&scope, index));
                }
                let version = version::of(&now.heads);
                let telling = Telling {
                    table: self.id().as_str(),
                    document,
                    index,
                    scope: &scope,
                    version: &version,
                };
                let told = telling.tell(difference, None, |row: &RowId| trail.of(row));
                let text = (!told.is_nothing()).then(|| told.followed());
                pane.step(from.position, now.clone(), text);
            }
        }
    }

    fn follow_views(
        &self,
        panes: &mut Panes,
        document: &Document,
        index: &TableIndex,
        now: &Reached,
        trails: &mut HashMap<u64, Option<Arc<Trail>>>,
    ) {
        let document = document.automerge();
        panes.views.retain(|id, (rows, at)| {
            if *at == now.position {
                return true;
            }
            let trail = match trails.entry(*at) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(free) => {
                    let from = Reached {
                        position: *at,
                        heads: rows.heads().into(),
                        epoch: now.epoch,
                    };
                    free.insert(self.trail(document, index, &from, now.position))
                }
            };
            let Some(Trail { footprint, .. }) = trail.as_deref() else {
                return false;
            };
            let is_same = !footprint.everything
                && (!footprint.views.contains(id)
                    || view::find(document, id).is_some_and(|stored| stored.view == *rows.view()))
                && (footprint.columns == ColumnsTouched::No || rows.follow_columns(index.columns()));
            if is_same {
                let touched = footprint
                    .rows
                    .iter()
                    .filter(|(_, touch)| touch.place || touch.cells.iter().any(|column| rows.decides(column)));
                let touched: Vec<_> = touched.map(|(id, _)| id).collect();
                rows.follow(document, index, touched);
                *at = now.position;
            }
            is_same
        });
    }

    /// The way from where something stands to the present; none if it is too much to be gone through under the lock.
    fn trail(&self, document: &Automerge, index: &TableIndex, from: &Reached, upto: u64) -> Option<Arc<Trail>> {
        let logged = self.log().changes(from.position, upto);
        let bytes = |logged: &Vec<bytes::Bytes>| logged.iter().map(bytes::Bytes::len).sum::<usize>();
        if logged.as_ref().is_some_and(|logged| bytes(logged) > STEP_CHANGE_BYTES) {
            return None;
        }
        match logged {
            Some(_) => self.trail_in_log(document, index, from.position, upto).map(Arc::new),
            None => Some(Arc::new(Trail::unknown(Footprint::since(document, index, &from.heads)))),
        }
    }
}
