//! The table of a room: its index beside the document, and readings of it for work that takes long.
//!
//! What only looks (a page of rows, one cell) or edits uses the index that follows the live document, under the lock of
//! the slot. What goes over all rows (a filter, an export) works on a [`TableReading`]: a copy, made once for a version
//! and shared by all who ask for it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use automerge::transaction::Transaction;
use automerge::{Automerge, AutomergeError, ChangeHash};
use bytes::Bytes;

use super::commit::Writer;
use super::edit::{EditError, Edited};
use super::keys::{Keyed, Once};
use super::room::{Live, NotAwake, Room, Slot};
use super::views::KeptViews;
use crate::document::crdt::Document;
use crate::document::table::{NotATable, TableIndex};
use crate::document::view::{self, Evaluated, View, ViewRows};
use crate::store::Place;
use crate::sync::log::Heads;

/// How many evaluations a reading remembers: the views that several people look at while nobody edits.
const EVALUATIONS: usize = 16;

/// A table at one version, apart from its room. May be shown once the room is durable up to the position it came with.
pub struct TableReading {
    document: Automerge,
    index: Arc<TableIndex>,
    evaluations: Made<Evaluated>,
    rows: Made<ViewRows>,
}

/// What was made of views, the newest last; each is made once, by whoever asks first. A leaf.
struct Made<T>(Mutex<Vec<(View, Making<T>)>>);

type Making<T> = Arc<OnceLock<Arc<T>>>;

impl<T> Made<T> {
    fn none() -> Self {
        Self(Mutex::default())
    }

    fn get(&self, view: &View, make: impl FnOnce() -> T) -> Arc<T> {
        let making = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let making = match known.iter().position(|(known, _)| known == view) {
                Some(at) => known.remove(at).1,
                None => Making::default(),
            };
            if known.len() == EVALUATIONS {
                known.remove(0);
            }
            known.push((view.clone(), making.clone()));
            making
        };
        making.get_or_init(|| Arc::new(make())).clone()
    }
}

impl TableReading {
    fn new(document: Automerge, index: Arc<TableIndex>) -> Self {
        Self {
            document,
            index,
            evaluations: Made::none(),
            rows: Made::none(),
        }
    }

    /// The table as it was at an earlier version; none if it never had that version. Heavy.
    pub fn at(&self, heads: &[ChangeHash]) -> Option<Self> {
        let document = self.document.fork_at(heads).ok()?;
        let index = TableIndex::build(&document).ok()?;
        Some(Self::new(document, Arc::new(index)))
    }

    pub fn document(&self) -> &Automerge {
        &self.document
    }

    pub fn index(&self) -> &TableIndex {
        &self.index
    }

    /// The view on this table. Heavy (a column of 50,000 rows takes about 10 ms) the first time, then shared: the pages
    /// of one view are cut from one evaluation.
    pub fn evaluate(&self, view: &View) -> Arc<Evaluated> {
        self.evaluations
            .get(view, || view::evaluate(&self.document, &self.index, view))
    }

    /// The rows of the view on this table, to be handed to the room. As heavy, and shared as well.
    pub fn view_rows(&self, view: &View) -> Arc<ViewRows> {
        self.rows
            .get(view, || ViewRows::build(&self.document, &self.index, view))
    }
}

/// So many cells are read from the live document between two commits, under the lock that holds up everybody who edits: some
/// 10 ms. From then on a copy costs no more, and those who read it are in nobody's way.
const CELLS_UNDER_LOCK: usize = 10_000;

/// What a slot keeps of its table, as long as the document is awake.
#[derive(Default)]
pub(super) struct TableOf {
    /// Follows the live document whenever somebody asks.
    index: Option<Arc<TableIndex>>,
    /// The newest reading, by the position it was made at.
    reading: Option<(u64, Arc<TableReading>)>,
    /// How many cells were read from the live document since the last commit.
    read_live: usize,
    /// The rows of views that were asked for lately.
    pub views: KeptViews,
}

impl TableOf {
    /// The index of the document's present version.
    pub fn follow(&mut self, document: &Document) -> Result<Arc<TableIndex>, NotATable> {
        let followed = match self.index.take() {
            Some(index) if index.heads() == document.heads() => index,
            Some(mut index) => {
                // Copied only while a reading of an older version is in use.
                Arc::make_mut(&mut index).follow(document.automerge())?;
                index
            }
            None => Arc::new(TableIndex::build(document.automerge())?),
        };
        self.index = Some(followed.clone());
        Ok(followed)
    }

    /// A copy of the table as it is now, at the end of the log, shared by all who ask before the next commit.
    pub fn reading(&mut self, document: &Document, position: u64) -> Result<Arc<TableReading>, NotATable> {
        if let Some((at, reading)) = &self.reading
            && *at == position
        {
            return Ok(reading.clone());
        }
        // The index is then the only one, unless somebody still works with the old reading.
        self.forget_reading();
        let index = self.follow(document)?;
        let reading = Arc::new(TableReading::new(document.replica(), index));
        self.reading = Some((position, reading.clone()));
        Ok(reading)
    }

    /// A copy from which so many cells are better read than from the live document; none if they are few.
    pub fn reading_for(
        &mut self,
        cells: usize,
        document: &Document,
        position: u64,
    ) -> Result<Option<Arc<TableReading>>, NotATable> {
        let is_at_hand = self.reading.as_ref().is_some_and(|(at, _)| *at == position);
        if !is_at_hand && self.read_live + cells <= CELLS_UNDER_LOCK {
            self.read_live += cells;
            return Ok(None);
        }
        self.reading(document, position).map(Some)
    }

    /// The document has changed: a reading of it is kept only by those who work with it.
    pub fn forget_reading(&mut self) {
        self.reading = None;
        self.read_live = 0;
    }
}

impl Room {
    /// As [`look`](Room::look), at a table.
    pub fn look_table<T>(
        &self,
        now: Instant,
        look: impl FnOnce(&Document, &TableIndex) -> T,
    ) -> Result<Edited<Result<T, NotATable>>, NotAwake> {
        let mut slot = self.slot();
        slot.last_use = now;
        let Slot { live, table, .. } = &mut *slot;
        let Live::Awake(document) = live else {
            return Err(NotAwake);
        };
        let value = table.follow(document).map(|index| look(document, &index));
        Ok(self.edited(value))
    }

    /// A copy of the table as it is now, shared by all who ask before the next commit. Heavy.
    pub fn read_table(&self, now: Instant) -> Result<Edited<Result<Arc<TableReading>, NotATable>>, NotAwake> {
        let mut slot = self.slot();
        slot.last_use = now;
        let reading = self.reading_in(&mut slot)?;
        Ok(self.edited(reading))
    }

    /// As [`read_table`](Room::read_table), for one who has locked the slot.
    pub(super) fn reading_in(&self, slot: &mut Slot) -> Result<Result<Arc<TableReading>, NotATable>, NotAwake> {
        let Slot { live, table, .. } = slot;
        let Live::Awake(document) = live else {
            return Err(NotAwake);
        };
        Ok(table.reading(document, self.log().end()))
    }

    /// As [`edit_once`](Room::edit_once), of a table. The index is of the version that the edit is made on.
    pub fn edit_table_once<T, E: From<AutomergeError> + From<NotATable>>(
        self: &Arc<Self>,
        place: Place,
        writer: &Writer,
        now: Instant,
        keyed: Option<&Keyed>,
        edit: impl FnOnce(&mut Transaction<'_>, &TableIndex) -> Result<T, E>,
        answer: impl FnOnce(&T, &Heads) -> Bytes,
    ) -> Result<Once<T>, EditError<E>> {
        let _here = self.turns.interactive();
        let mut slot = self.slot();
        slot.last_use = now;
        if let Some(replayed) = self.admit(&slot, keyed, writer)? {
            return Ok(Once::Replayed(replayed));
        }
        let Slot { live, table, .. } = &mut *slot;
        let Live::Awake(document) = live else {
            return Err(EditError::NotAwake);
        };
        let index = table
            .follow(document)
            .map_err(|error| EditError::Refused(error.into()))?;
        self.edit_in(slot, place, writer, keyed, |tx, _| edit(tx, &index), answer)
    }

    /// As [`edit`](Room::edit), of a table.
    pub fn edit_table<T, E: From<AutomergeError> + From<NotATable>>(
        self: &Arc<Self>,
        place: Place,
        writer: &Writer,
        now: Instant,
        edit: impl FnOnce(&mut Transaction<'_>, &TableIndex) -> Result<T, E>,
    ) -> Result<Edited<T>, EditError<E>> {
        match self.edit_table_once(place, writer, now, None, edit, |_, _| Bytes::new())? {
            Once::Done(edited) => Ok(edited),
            Once::Replayed(_) => unreachable!("without a key there is nothing to replay"),
        }
    }
}
