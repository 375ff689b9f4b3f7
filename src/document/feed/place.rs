//! What an object of the document is to a table.
//!
//! An object never changes its place, whatever becomes of it: one that was deleted or that lost a conflict is still under
//! the key it was made under. So places are right for every version.

use automerge::{Automerge, ObjId, Prop, ReadDoc};

use crate::document::table::index::ObjectRole;
use crate::document::table::{ColumnId, RowId, TableIndex, ViewId, key};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Root,
    /// The title, where it is a text object.
    Title,
    /// What makes the document a table, where it is a text object.
    Identity,
    Columns,
    Column,
    /// Something in a column, by its key there.
    InColumn(String),
    Views,
    /// A view, or something in it.
    View(ViewId),
    Blocks,
    Block(String),
    Row(RowId),
    /// The mark of a row or something in it, or its order where that is a text object.
    RowPart(RowId),
    /// A cell that is an object, or something in it.
    Cell(RowId, ColumnId),
    /// Nothing that a table has a word for.
    Elsewhere,
}

impl Place {
    /// The place of an object. Rows, which most changes write to, are known to the index.
    pub fn of(document: &Automerge, index: &TableIndex, object: &ObjId) -> Self {
        match index.role_of(object) {
            Some(ObjectRole::Blocks) => Self::Blocks,
            Some(ObjectRole::Block(block)) => Self::Block(block.into()),
            Some(ObjectRole::Row(row)) => Self::Row(row.clone()),
            Some(ObjectRole::RowPart(row)) => Self::RowPart(row.clone()),
            None => document
                .parents(object)
                .map_or(Self::Elsewhere, |parents| Self::of_path(&parents.path())),
        }
    }

    /// The place at the end of a path from the root.
    pub fn of_path(path: &[(ObjId, Prop)]) -> Self {
        let mut names = path.iter().map(|(_, prop)| match prop {
            Prop::Map(name) => name.as_str(),
            // An element of a list: never the name of anything in a table.
            Prop::Seq(_) => "",
        });
        let found = match names.next() {
            None => Some(Self::Root),
            Some(key::TITLE) => Some(Self::Title),
            Some(key::TYPE | key::SCHEMA_VERSION) => Some(Self::Identity),
            Some(key::COLUMNS) => Some(match (names.next(), names.next()) {
                (None, _) => Self::Columns,
                (Some(_), None) => Self::Column,
                (Some(_), Some(part)) => Self::InColumn(part.into()),
            }),
            Some(key::VIEWS) => match names.next() {
                None => Some(Self::Views),
                Some(view) => ViewId::parse(view).ok().map(Self::View),
            },
            Some(key::BLOCKS) => Self::in_blocks(names),
            Some(_) => None,
        };
        found.unwrap_or(Self::Elsewhere)
    }

    fn in_blocks<'p>(mut names: impl Iterator<Item = &'p str>) -> Option<Self> {
        let Some(block) = names.next() else {
            return Some(Self::Blocks);
        };
        let Some(row) = names.next() else {
            return Some(Self::Block(block.into()));
        };
        let row = RowId::parse(row).ok().filter(|row| row.block() == block)?;
        match names.next() {
            None => Some(Self::Row(row)),
            Some(key::ORDER | key::DELETED) => Some(Self::RowPart(row)),
            Some(name) => ColumnId::parse(name).ok().map(|column| Self::Cell(row, column)),
        }
    }
}
