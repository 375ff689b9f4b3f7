//! Bringing the panes of a room to the present version of its table.
//!
//! Done under the lock of the document, by one job at a time that the flush of a change sets off: a step costs what the
//! change has touched, and who follows the same pane shares it. What all windows of a table or view have in common is found
//! out once. What is large (a snapshot of many rows, a column that changes all of them, the way from a version long ago) is
//! made from a copy, off the lock: see [`super::catching_up`].

use std::collections::HashMap;
use std::sync::Arc;

use automerge::Automerge;

use super::pane::{Gone, Pane, PaneKey, Reached};
use super::telling::{Telling, rows_of, rows_shown};
use super::trail::Trail;
use crate::document::feed::{ColumnsTouched, Compared, Footprint, Scope, Step};
use crate::document::table::{RowId, TableIndex, ViewId};
use crate::document::view::{self, ViewRows};
use crate::room::room::{Live, Room, Slot};
use crate::room::views::KeptViews;
use crate::wire::version;

/// Changes of more bytes than this between two steps are not gone through under the lock.
const STEP_CHANGE_BYTES: usize = 512 << 10;

/// A change of columns goes over so many rows of a pane under the lock, at most.
const ROWS_UNDER_LOCK: usize = 500;

/// The panes of a room, under the lock of its document.
#[derive(Default)]
pub(in crate::room) struct Panes {
    open: Vec<Opened>,
}

struct Opened {
    pane: Arc<Pane>,
    reached: Reached,
}

/// A view that panes show, at the present version.
enum Viewed {
    Gone,
    /// Its rows are not at hand: they are made by whoever looks next, off the lock.
    Unmade,
    Rows(Arc<ViewRows>),
}

/// The table as steps are made of it.
struct Present<'p> {
    document: &'p Automerge,
    index: &'p TableIndex,
    views: HashMap<ViewId, Viewed>,
    /// The ways from where panes stand; none for one that is too much to be gone through under the lock.
    trails: HashMap<u64, Option<Arc<Trail>>>,
    now: Reached,
}

impl Panes {
    pub fn find(&self, key: &PaneKey) -> Option<Arc<Pane>> {
        let mut panes = self.open.iter().map(|opened| &opened.pane);
        panes.find(|pane| pane.key == *key && !pane.has_ended()).cloned()
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
    }

    /// Those that are not where the room is.
    fn behind<'p>(&'p mut self, now: &'p Reached) -> impl Iterator<Item = &'p mut Opened> {
        self.open.iter_mut().filter(move |opened| opened.reached != *now)
    }
}

impl Room {
    /// Makes the next step of every pane. Called under the lock of the document; one that is asleep has nothing new.
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
        for opened in panes.behind(&now).filter(|opened| opened.reached.epoch != now.epoch) {
            let from = std::mem::replace(&mut opened.reached, now.clone());
            opened.pane.clear();
            opened.pane.anew(from.position, now.clone());
        }
        if panes.behind(&now).next().is_none() {
            return;
        }
        let Ok(index) = table.follow(document) else {
            for opened in panes.behind(&now) {
                let from = std::mem::replace(&mut opened.reached, now.clone());
                opened.pane.end(from.position, now.clone(), Gone::Table);
            }
            return;
        };
        let document = document.automerge();
        let behind: Vec<_> = panes.behind(&now).filter(|opened| !opened.pane.has_ended()).collect();
        let mut trails = HashMap::new();
        for Opened { reached, .. } in &behind {
            let way = || self.trail(document, &index, reached, now.position);
            trails.entry(reached.position).or_insert_with(way);
        }
        let views = behind.iter().filter_map(|opened| opened.pane.key.view.as_ref());
        let present = Present {
            views: viewed(views, document, &index, &mut table.views),
            document,
            index: &index,
            trails,
            now: now.clone(),
        };
        self.step_all(behind, &present);
    }

    fn step_all(&self, behind: Vec<&mut Opened>, present: &Present<'_>) {
        let heads: HashMap<u64, _> = behind
            .iter()
            .map(|opened| (opened.reached.position, opened.reached.heads.clone()))
            .collect();
        let mut compared = HashMap::new();
        for Opened { pane, reached } in behind {
            let from = std::mem::replace(reached, present.now.clone()).position;
            let Some(Some(trail)) = present.trails.get(&from) else {
                pane.apart(from, present.now.clone());
                continue;
            };
            let view = match &pane.key.view {
                None => None,
                Some(id) => match present.views.get(id) {
                    Some(Viewed::Rows(rows)) => Some((id, &**rows)),
                    Some(Viewed::Unmade) => {
                        pane.apart(from, present.now.clone());
                        continue;
                    }
                    Some(Viewed::Gone) | None => {
                        pane.end(from, present.now.clone(), Gone::View);
                        continue;
                    }
                },
            };
            let window = pane.key.window;
            let scope = Scope { view, window };
            let is_wide = trail.footprint.columns != ColumnsTouched::No;
            if is_wide && rows_of(&scope, present.index).len() > ROWS_UNDER_LOCK {
                pane.apart(from, present.now.clone());
                continue;
            }
            let in_common = compared.entry((from, pane.key.view.clone())).or_insert_with(|| {
                let view = present.view(pane.key.view.as_ref());
                Compared::new(present.document, present.index, view, &heads[&from], &trail.footprint)
            });
            self.step(pane, from, &scope, in_common, trail, present);
        }
    }

    fn step(
        &self,
        pane: &Pane,
        from: u64,
        scope: &Scope<'_>,
        compared: &Compared<'_>,
        trail: &Trail,
        present: &Present<'_>,
    ) {
        let Present {
            document, index, now, ..
        } = present;
        let difference = match compared.step(scope.window) {
            Step::Anew => return pane.anew(from, now.clone()),
            Step::Differs(difference) => difference,
        };
        if scope.window.is_some() && (pane.shown().is_none() || !difference.rows.is_empty()) {
            pane.show(rows_shown(scope, index), now.position);
        }
        let version = version::of(&now.heads);
        let telling = Telling {
            table: self.id().as_str(),
            document,
            index,
            scope,
            version: &version,
        };
        let told = telling.tell(difference, None, |row: &RowId| trail.of(row));
        let text = (!told.is_nothing()).then(|| told.followed());
        pane.step(from, now.clone(), text);
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

impl Present<'_> {
    fn view<'p>(&'p self, id: Option<&ViewId>) -> Option<(&'p ViewId, &'p ViewRows)> {
        match self.views.get_key_value(id?)? {
            (id, Viewed::Rows(rows)) => Some((id, rows)),
            _ => None,
        }
    }
}

/// The views that are shown, as they are now.
fn viewed<'v>(
    ids: impl Iterator<Item = &'v ViewId>,
    document: &Automerge,
    index: &TableIndex,
    kept: &mut KeptViews,
) -> HashMap<ViewId, Viewed> {
    let mut views = HashMap::new();
    for id in ids {
        if !views.contains_key(id) {
            let viewed = match view::find(document, id) {
                None => Viewed::Gone,
                Some(stored) => kept
                    .shared(document, index, &stored.view)
                    .map_or(Viewed::Unmade, Viewed::Rows),
            };
            views.insert(id.clone(), viewed);
        }
    }
    views
}
