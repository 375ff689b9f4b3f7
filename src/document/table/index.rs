//! Where everything in a table stands, for one version of its document.
//!
//! Rows are maps within maps: their order and their number are known only after looking at all of them. An index looks
//! once (20 ms for 10,000 rows of 10 cells) and then answers at once; it is made for one set of heads and can follow the
//! document from change to change, which costs what the changes touch. It holds no cells: those are read from the document
//! by [`row`](super::cells::row) and [`cell`](super::cells::cell), which need no index.
//!
//! - Rows and columns are sorted by (order as bytes, id); deleted ones stand among them and are left out of `live`.
//! - An index that follows equals one that is built anew; the tests hold this.

mod follow;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use automerge::iter::DocItem;
use automerge::{Automerge, ChangeHash, ObjId, ObjType, ReadDoc, ScalarValueRef, ValueRef};

use super::read::check_root;
use super::{Column, ColumnId, Deleted, NotATable, RowId, columns, key};

/// A row as the index knows it: everything but its cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowEntry {
    pub id: RowId,
    /// The order text as it stands; other programs may have written one that is no key.
    pub order: Arc<str>,
    pub deleted: Option<Deleted>,
    /// The map that holds the row's cells.
    pub object: ObjId,
}

impl RowEntry {
    /// What rows of a table stand by.
    pub(in crate::document) fn place(&self) -> (&str, &RowId) {
        (&self.order, &self.id)
    }
}

/// What an object of the document is to the index.
#[derive(Debug, Clone)]
enum Role {
    Blocks,
    Block(Arc<str>),
    /// A row, its mark, or its order where that is a text object.
    Row(RowId),
}

/// As [`Role`], for those outside.
#[derive(Debug, Clone, Copy)]
pub(in crate::document) enum ObjectRole<'i> {
    Blocks,
    Block(&'i str),
    Row(&'i RowId),
    /// The mark of a row, or its order where that is a text object.
    RowPart(&'i RowId),
}

#[derive(Debug, Clone)]
struct Block {
    object: ObjId,
    /// How many rows it holds, deleted ones included.
    rows: usize,
}

/// Rows and columns of a table in their order.
#[derive(Debug, Clone)]
pub struct TableIndex {
    heads: Vec<ChangeHash>,
    title: String,
    columns: Vec<Column>,
    rows: Vec<Arc<RowEntry>>,
    live: Vec<Arc<RowEntry>>,
    by_id: HashMap<RowId, Arc<RowEntry>>,
    blocks: HashMap<Arc<str>, Block>,
    roles: HashMap<ObjId, Role>,
    /// The map of columns with all that lies below it, and the title where it is a text object.
    head_objects: HashSet<ObjId>,
}

impl TableIndex {
    /// Walks the whole document once.
    pub fn build(document: &Automerge) -> Result<Self, NotATable> {
        check_root(document)?;
        let mut index = Self {
            heads: document.get_heads(),
            title: String::new(),
            columns: Vec::new(),
            rows: Vec::new(),
            live: Vec::new(),
            by_id: HashMap::new(),
            blocks: HashMap::new(),
            roles: HashMap::new(),
            head_objects: HashSet::new(),
        };
        index.read_head(document);
        if let Some(blocks) = columns::map(document, &automerge::ROOT, key::BLOCKS) {
            index.walk(document, blocks);
        }
        index.rows.sort_unstable_by(|a, b| a.place().cmp(&b.place()));
        index.live = index.rows.iter().filter(|row| row.deleted.is_none()).cloned().collect();
        Ok(index)
    }

    /// Title and columns, which are few.
    fn read_head(&mut self, document: &Automerge) {
        self.title = super::title_of(document);
        self.columns = columns::read(document, |_| {});
        self.head_objects.clear();
        if let Ok(Some((value, title))) = document.get(automerge::ROOT, key::TITLE)
            && value.is_object()
        {
            self.head_objects.insert(title);
        }
        if let Some(root) = columns::map(document, &automerge::ROOT, key::COLUMNS) {
            let inside = document.iter_at(&root, None).filter_map(|found| match &found.item {
                DocItem::Map(entry) if matches!(entry.value, ValueRef::Object(_)) => Some(entry.id()),
                _ => None,
            });
            self.head_objects.extend(inside);
            self.head_objects.insert(root);
        }
    }

    /// Reads all blocks and rows. The walk goes from object to object, so that the role is looked up once for each.
    fn walk(&mut self, document: &Automerge, blocks: ObjId) {
        self.roles.insert(blocks.clone(), Role::Blocks);
        let mut found: HashMap<RowId, RowEntry> = HashMap::new();
        let mut at: Option<(Arc<ObjId>, Option<Role>)> = None;
        for item in document.iter_at(&blocks, None) {
            let DocItem::Map(entry) = &item.item else { continue };
            if at.as_ref().is_none_or(|(object, _)| !Arc::ptr_eq(object, &item.obj)) {
                at = Some((item.obj.clone(), self.roles.get(&*item.obj).cloned()));
            }
            let Some((_, Some(role))) = &at else { continue };
            match role {
                Role::Blocks => self.found_block(&entry.key, &entry.value, || entry.id()),
                Role::Block(block) => {
                    if let Some(id) = row_of(block, &entry.key, &entry.value) {
                        let object = entry.id();
                        self.roles.insert(object.clone(), Role::Row(id.clone()));
                        found.insert(id.clone(), unread(id, object));
                    }
                }
                // Most entries are cells.
                Role::Row(_) if is_cell(&entry.key) => {}
                Role::Row(id) => {
                    if let Some(row) = found.get_mut(id) {
                        let part = read_field(document, row, &entry.key, &entry.value, || entry.id());
                        self.roles.extend(part.map(|part| (part, Role::Row(id.clone()))));
                    }
                }
            }
        }
        for row in found.into_values() {
            self.count(&row.id, 1);
            let row = Arc::new(row);
            self.by_id.insert(row.id.clone(), row.clone());
            self.rows.push(row);
        }
    }

    fn found_block(&mut self, name: &str, value: &ValueRef<'_>, object: impl FnOnce() -> ObjId) {
        if matches!(value, ValueRef::Object(ObjType::Map)) {
            self.add_block(name.into(), object());
        }
    }

    fn add_block(&mut self, name: Arc<str>, object: ObjId) {
        self.roles.insert(object.clone(), Role::Block(name.clone()));
        self.blocks.insert(name, Block { object, rows: 0 });
    }

    fn count(&mut self, row: &RowId, by: isize) {
        if let Some(block) = self.blocks.get_mut(row.block()) {
            block.rows = block.rows.saturating_add_signed(by);
        }
    }

    /// The version of the document this index was made for.
    pub fn heads(&self) -> &[ChangeHash] {
        &self.heads
    }

    pub fn title(&self) -> &str {
        &self.title
    }

    /// All columns in order, deleted ones included.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The columns a person sees.
    pub fn live_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.deleted.is_none())
    }

    /// A column, deleted or not.
    pub fn column(&self, id: &ColumnId) -> Option<&Column> {
        self.columns.iter().find(|column| column.id == *id)
    }

    /// All rows in order, deleted ones included.
    pub fn rows(&self) -> &[Arc<RowEntry>] {
        &self.rows
    }

    /// The rows a person sees, in order; a range of them is a page.
    pub fn live(&self) -> &[Arc<RowEntry>] {
        &self.live
    }

    /// A row, deleted or not.
    pub fn row(&self, id: &RowId) -> Option<&Arc<RowEntry>> {
        self.by_id.get(id)
    }

    /// Where a row that is not deleted stands among its like.
    pub fn position(&self, id: &RowId) -> Option<usize> {
        let row = self.by_id.get(id)?;
        self.live.binary_search_by(|other| other.place().cmp(&row.place())).ok()
    }

    /// Where a row stands among all rows, deleted ones included.
    pub fn rank(&self, id: &RowId) -> Option<usize> {
        let row = self.by_id.get(id)?;
        self.rows.binary_search_by(|other| other.place().cmp(&row.place())).ok()
    }

    /// The row whose map this is.
    pub(super) fn row_of(&self, object: &ObjId) -> Option<&RowId> {
        match self.roles.get(object)? {
            Role::Row(id) => Some(id),
            Role::Blocks | Role::Block(_) => None,
        }
    }

    /// What an object is to the rows of the table, if the index knows it.
    pub(in crate::document) fn role_of(&self, object: &ObjId) -> Option<ObjectRole<'_>> {
        Some(match self.roles.get(object)? {
            Role::Blocks => ObjectRole::Blocks,
            Role::Block(block) => ObjectRole::Block(block),
            Role::Row(id) => match self.by_id.get(id) {
                Some(row) if row.object == *object => ObjectRole::Row(id),
                _ => ObjectRole::RowPart(id),
            },
        })
    }

    /// How many rows a block holds; `None` if there is no such block.
    pub fn block_rows(&self, block: &str) -> Option<usize> {
        self.blocks.get(block).map(|block| block.rows)
    }
}

/// A row before its fields were looked at.
fn unread(id: RowId, object: ObjId) -> RowEntry {
    RowEntry {
        id,
        order: "".into(),
        deleted: None,
        object,
    }
}

/// The row an entry of a block is, if it is one.
fn row_of(block: &str, name: &str, value: &ValueRef<'_>) -> Option<RowId> {
    let id = RowId::parse(name).ok()?;
    (id.block() == block && matches!(value, ValueRef::Object(ObjType::Map))).then_some(id)
}

/// Keys of cells begin so, and no other key of a row does.
fn is_cell(name: &str) -> bool {
    name.starts_with('c')
}

/// One entry of a row's map; cells are passed over. The object behind the entry, if it is one that the row depends on.
fn read_field(
    document: &impl ReadDoc,
    row: &mut RowEntry,
    name: &str,
    value: &ValueRef<'_>,
    object: impl Fn() -> ObjId,
) -> Option<ObjId> {
    match name {
        key::ORDER => row.order = columns::string_of(document, value, &object).unwrap_or_default().into(),
        key::DELETED if *value == ValueRef::Scalar(ScalarValueRef::Null) => return None,
        // Anything but `false` and nothing marks.
        key::DELETED if *value == ValueRef::Scalar(ScalarValueRef::Boolean(false)) => return None,
        key::DELETED => row.deleted = columns::deleted(document, &row.object),
        _ => return None,
    }
    matches!(value, ValueRef::Object(_)).then(object)
}
