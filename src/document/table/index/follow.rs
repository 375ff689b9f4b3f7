//! An index that follows its document from change to change.
//!
//! Building anew costs milliseconds per thousand rows; an edit touches one. The operations of the new changes say which
//! rows were touched in what the index holds (their order, their mark, their being there at all), and only those are
//! read again.

use std::collections::HashSet;
use std::sync::Arc;

use automerge::legacy::{Key, ObjectId};
use automerge::{Automerge, Change, ObjId, ROOT, ReadDoc};

use super::{Role, RowEntry, TableIndex, is_cell, read_field, row_of, unread};
use crate::document::crdt::object_id;
use crate::document::sorted::{put_in, take_out};
use crate::document::table::{NotATable, RowId, columns, key};

/// More operations than this are not looked through one by one: building anew is then about as quick.
const MANY_OPERATIONS: usize = 20_000;

/// What the changes have touched.
#[derive(Default)]
struct Touched {
    head: bool,
    rows: HashSet<RowId>,
    /// Something that moves everything: a block, or the map of blocks.
    everything: bool,
}

impl TableIndex {
    /// Brings the index to the document's present version. The document must be one this index was built from, with
    /// more changes.
    pub fn follow(&mut self, document: &Automerge) -> Result<(), NotATable> {
        if document.get_heads() == self.heads {
            return Ok(());
        }
        self.follow_changes(document, &document.get_changes(&self.heads))
    }

    /// As [`follow`](Self::follow), for one who has the changes at hand: all that the document has got since, those that
    /// others build on first.
    pub fn follow_changes(&mut self, document: &Automerge, changes: &[Change]) -> Result<(), NotATable> {
        let mut touched = Touched::default();
        if changes.iter().map(Change::len).sum::<usize>() > MANY_OPERATIONS {
            touched.everything = true;
        } else {
            for change in changes {
                self.look_through(document, change, &mut touched);
            }
        }
        if touched.everything {
            *self = Self::build(document)?;
            return Ok(());
        }
        if touched.head {
            super::check_root(document)?;
            self.read_head(document);
        }
        self.read_again(document, touched.rows);
        self.heads = document.get_heads();
        Ok(())
    }

    fn look_through(&mut self, document: &Automerge, change: &Change, touched: &mut Touched) {
        for op in change.decode().operations {
            let object = object_of(&op.obj);
            if self.head_objects.contains(&object) {
                touched.head = true;
                continue;
            }
            let Key::Map(name) = &op.key else {
                // A letter of a text object, which may be somebody's way to write an order.
                if let Some(Role::Row(id)) = self.roles.get(&object) {
                    touched.rows.insert(id.clone());
                }
                continue;
            };
            if object == ROOT {
                touched.head |= name != key::BLOCKS && name != key::VIEWS;
                touched.everything |= name == key::BLOCKS;
                continue;
            }
            match self.roles.get(&object) {
                // A new block; its rows come after it, in this change or a later one.
                Some(Role::Blocks) if self.blocks.contains_key(name.as_str()) => touched.everything = true,
                Some(Role::Blocks) => self.found_new_block(document, &object, name, touched),
                Some(Role::Block(_)) => touched.rows.extend(RowId::parse(name).ok()),
                Some(Role::Row(id)) if !is_cell(name) => {
                    touched.rows.insert(id.clone());
                }
                Some(Role::Row(_)) | None => {}
            }
        }
    }

    fn found_new_block(&mut self, document: &Automerge, blocks: &ObjId, name: &str, touched: &mut Touched) {
        let Some(block) = columns::map(document, blocks, name) else {
            return;
        };
        // Rows that stand in it by now: the operations that made them may have been looked through already.
        touched
            .rows
            .extend(document.keys(&block).filter_map(|key| RowId::parse(&key).ok()));
        self.add_block(name.into(), block);
    }

    /// Takes rows out of the lists and puts them back as they are now.
    fn read_again(&mut self, document: &Automerge, touched: HashSet<RowId>) {
        if touched.is_empty() {
            return;
        }
        let by_place = |a: &Arc<RowEntry>, b: &Arc<RowEntry>| a.place().cmp(&b.place());
        let mut gone: Vec<_> = touched.iter().filter_map(|id| self.by_id.get(id).cloned()).collect();
        gone.sort_unstable_by(by_place);
        take_out(&mut self.rows, &gone, by_place);
        take_out(&mut self.live, &gone, by_place);
        let mut fresh = Vec::with_capacity(touched.len());
        for id in touched {
            if let Some(old) = self.by_id.remove(&id) {
                self.roles.remove(&old.object);
                self.count(&id, -1);
            }
            let block = self.blocks.get(id.block()).map(|block| &block.object);
            if let Some((row, parts)) = block.and_then(|block| read_row(document, block, &id)) {
                self.count(&row.id, 1);
                for object in parts.into_iter().chain([row.object.clone()]) {
                    self.roles.insert(object, Role::Row(row.id.clone()));
                }
                let row = Arc::new(row);
                self.by_id.insert(row.id.clone(), row.clone());
                fresh.push(row);
            }
        }
        fresh.sort_unstable_by(by_place);
        let live = fresh.iter().filter(|row| row.deleted.is_none()).cloned().collect();
        put_in(&mut self.live, live, by_place);
        put_in(&mut self.rows, fresh, by_place);
    }
}

fn object_of(object: &ObjectId) -> ObjId {
    match object {
        ObjectId::Root => ROOT,
        ObjectId::Id(id) => object_id(id),
    }
}

impl RowEntry {
    /// A row of a block, as it is in any version of the document.
    pub(in crate::document) fn read(document: &impl ReadDoc, block: &ObjId, id: &RowId) -> Option<Self> {
        read_row(document, block, id).map(|(row, _)| row)
    }
}

/// A row and the objects it depends on besides its own.
fn read_row(document: &impl ReadDoc, block: &ObjId, id: &RowId) -> Option<(RowEntry, Vec<ObjId>)> {
    let entry = document
        .map_range(block, id.as_str().to_owned()..=id.as_str().to_owned())
        .next()?;
    let id = row_of(id.block(), &entry.key, &entry.value)?;
    let mut row = unread(id, entry.id());
    let mut parts = Vec::new();
    for name in [key::ORDER, key::DELETED] {
        let field = document
            .map_range(&row.object, name.to_owned()..=name.to_owned())
            .next();
        if let Some(field) = field {
            parts.extend(read_field(document, &mut row, name, &field.value, || field.id()));
        }
    }
    Some((row, parts))
}
