//! What changes have touched, by the names of things.
//!
//! Two ways lead to it: the operations of the changes, each of which names the object it wrote to, and the library's own
//! comparison of two versions. The first costs what the changes hold, the second what the document holds.
//!
//! More may be named than differs in the end, never less.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use automerge::legacy::{Key, ObjectId, Op, OpType};
use automerge::{Automerge, Change, ChangeHash, ObjId, ObjType, Patch, PatchAction, Prop, ROOT, ReadDoc, ScalarValue};

use super::place::Place;
use crate::document::crdt::object_id;
use crate::document::table::{ColumnId, RowId, TableIndex, ViewId, key};

/// What changes have touched in a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Footprint {
    pub rows: BTreeMap<RowId, Touch>,
    pub title: bool,
    pub columns: ColumnsTouched,
    pub views: BTreeSet<ViewId>,
    /// Something that moves everything: a block, the map of blocks, what makes the document a table.
    pub everything: bool,
}

/// What was touched of a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Touch {
    /// The columns under whose ids something was written, whether or not there are such columns.
    pub cells: BTreeSet<ColumnId>,
    /// Its order, its mark, or its being there at all; it may be another row of the same id.
    pub place: bool,
    /// Which of the changes touched it last, counted from 0 in the order in which they were given; not known from a diff.
    pub last: Option<usize>,
}

/// What was touched of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ColumnsTouched {
    #[default]
    No,
    /// Names, widths, order, options; columns added or deleted.
    Looks,
    /// A kind, a restored column, a column that was purged or replaced.
    Meaning,
}

/// So many operations of a document are gone through in no time, whichever way.
const FEW: u64 = 10_000;

/// One thing that was written into an object.
struct Written<'w> {
    /// The key of a map; none in lists and texts.
    name: &'w str,
    /// Something is there now that is neither nothing nor `false`.
    holds: bool,
    /// Which of the changes did it.
    by: Option<usize>,
}

impl Footprint {
    /// Of these changes, which the document has. The index may be of any version of the document, before or after them.
    pub fn of_changes<'c>(
        document: &Automerge,
        index: &TableIndex,
        changes: impl IntoIterator<Item = &'c Change>,
    ) -> Self {
        let mut footprint = Self::default();
        let mut places = HashMap::new();
        for (number, change) in changes.into_iter().enumerate() {
            for op in change.decode().operations {
                let place = places
                    .entry(object_of(&op.obj))
                    .or_insert_with_key(|object| Place::of(document, index, object));
                let written = Written::by_operation(&op, number);
                footprint.touched(place, &written, || is_first(document, &op, written.name));
            }
        }
        footprint
    }

    /// Of all changes since a version, by the library's own comparison: 50 to 90 ms at 100,000 cells and 70,000 changes,
    /// however far back the version is. `from` must be a version of the document.
    pub fn of_diff(document: &Automerge, from: &[ChangeHash]) -> Self {
        let mut footprint = Self::default();
        for patch in document.diff(from, &document.get_heads()) {
            let written = Written::by_patch(&patch);
            footprint.touched(&Place::of_path(&patch.path), &written, || {
                let then = document.get_all_at(&patch.obj, written.name, from);
                then.is_ok_and(|then| then.is_empty())
            });
        }
        footprint
    }

    /// Of all changes since a version, whichever way is quicker; everything, if the document never had the version.
    pub fn since(document: &Automerge, index: &TableIndex, from: &[ChangeHash]) -> Self {
        if from.is_empty() || !document.get_missing_deps(from).is_empty() {
            return Self {
                everything: true,
                ..Self::default()
            };
        }
        match is_quicker_decoded(document, from) {
            true => Self::of_changes(document, index, &document.get_changes(from)),
            false => Self::of_diff(document, from),
        }
    }

    /// `is_new` is asked whether there was nothing before under the name.
    fn touched(&mut self, place: &Place, written: &Written<'_>, is_new: impl Fn() -> bool) {
        let name = written.name;
        match place {
            Place::Root => self.root_touched(name, is_new),
            Place::Title => self.title = true,
            Place::Identity => self.everything = true,
            Place::Columns if is_new() => self.columns_touched(ColumnsTouched::Looks),
            Place::Columns => self.columns_touched(ColumnsTouched::Meaning),
            Place::Column => self.columns_touched(match name {
                key::KIND => ColumnsTouched::Meaning,
                key::DELETED if !written.holds => ColumnsTouched::Meaning,
                _ => ColumnsTouched::Looks,
            }),
            Place::InColumn(part) => self.columns_touched(match part.as_str() {
                key::KIND => ColumnsTouched::Meaning,
                _ => ColumnsTouched::Looks,
            }),
            Place::Views => self.views.extend(ViewId::parse(name)),
            Place::View(view) => self.views.extend([view.clone()]),
            // Rows of a new block are named by what was written into it.
            Place::Blocks => self.everything |= !is_new(),
            Place::Block(block) => {
                if let Ok(row) = RowId::parse(name)
                    && row.block() == block
                {
                    self.row_touched(&row, written.by).place = true;
                }
            }
            Place::Row(row) if matches!(name, key::ORDER | key::DELETED) => {
                self.row_touched(row, written.by).place = true;
            }
            Place::Row(row) => {
                if let Ok(column) = ColumnId::parse(name) {
                    self.row_touched(row, written.by).cells.insert(column);
                }
            }
            Place::RowPart(row) => self.row_touched(row, written.by).place = true,
            Place::Cell(row, column) => {
                self.row_touched(row, written.by).cells.insert(column.clone());
            }
            Place::Elsewhere => {}
        }
    }

    fn root_touched(&mut self, name: &str, is_new: impl Fn() -> bool) {
        match name {
            key::TITLE => self.title = true,
            key::COLUMNS => self.columns_touched(ColumnsTouched::Meaning),
            key::TYPE | key::SCHEMA_VERSION | key::BLOCKS => self.everything = true,
            // Views of a new map are named by what was written into it.
            key::VIEWS => self.everything |= !is_new(),
            _ => {}
        }
    }

    fn columns_touched(&mut self, how: ColumnsTouched) {
        self.columns = self.columns.max(how);
    }

    fn row_touched(&mut self, row: &RowId, by: Option<usize>) -> &mut Touch {
        if !self.rows.contains_key(row) {
            self.rows.insert(row.clone(), Touch::default());
        }
        let touch = self.rows.get_mut(row).expect("put in if it was not there");
        touch.last = by;
        touch
    }
}

impl<'w> Written<'w> {
    fn by_operation(op: &'w Op, number: usize) -> Self {
        Self {
            name: match &op.key {
                Key::Map(name) => name,
                Key::Seq(_) => "",
            },
            holds: match &op.action {
                OpType::Make(_) => true,
                OpType::Put(value) => holds(value),
                _ => false,
            },
            by: Some(number),
        }
    }

    fn by_patch(patch: &'w Patch) -> Self {
        let (name, holds) = match &patch.action {
            PatchAction::PutMap { key, value, .. } => (key.as_str(), value.0.as_scalar().is_none_or(holds)),
            PatchAction::DeleteMap { key } => (key.as_str(), false),
            PatchAction::Increment { prop, .. } | PatchAction::Conflict { prop } => match prop {
                Prop::Map(name) => (name.as_str(), false),
                Prop::Seq(_) => ("", false),
            },
            _ => ("", false),
        };
        Self { name, holds, by: None }
    }
}

/// Whether the changes since a version are decoded in less time than the two versions are compared.
///
/// Measured on 10,000 x 10 cells and 70,000 changes of one cell each (`cargo bench --bench feed`): a change costs 6 us to get
/// and each of its operations 1.5 us to look through; a comparison costs 0.3 us for each operation of the document. There,
/// 7,500 of those changes, 60 ms, take as long as a comparison; of changes of 500 cells, about 90.
fn is_quicker_decoded(document: &Automerge, from: &[ChangeHash]) -> bool {
    let changes = document.get_changes_meta(from);
    let operations: u64 = changes.iter().map(|change| change.max_op + 1 - change.start_op).sum();
    20 * changes.len() as u64 + 5 * operations <= document.stats().num_ops.max(FEW)
}

fn holds(value: &ScalarValue) -> bool {
    !matches!(value, ScalarValue::Null | ScalarValue::Boolean(false))
}

fn object_of(object: &ObjectId) -> ObjId {
    match object {
        ObjectId::Root => ROOT,
        ObjectId::Id(id) => object_id(id),
    }
}

/// Whether an operation made a map under a key where nothing had been: its author saw nothing there, and nobody else has
/// put anything there meanwhile.
fn is_first(document: &Automerge, op: &Op, name: &str) -> bool {
    let made = op.action == OpType::Make(ObjType::Map) && op.pred.is_empty();
    made && document
        .get_all(object_of(&op.obj), name)
        .is_ok_and(|there| there.len() == 1)
}
