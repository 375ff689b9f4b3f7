//! Edits of the bases. Each is checked against what is there, and touches only what it names.

use automerge::transaction::Transactable;
use automerge::{AutomergeError, ObjId, ObjType, ROOT, ScalarValue};

use super::{Archived, Base, BaseId, Directory, Entry, MAX_BASES, MAX_NAME, MAX_TABLES, folded, map_at};
use crate::id::DocumentId;

/// Why an edit of the bases was not done; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("there is no base {0:?}")]
    NoBase(String),
    #[error("base {base:?} has no table {name:?}")]
    NoTable { base: String, name: String },
    #[error("a base is called {0:?} already")]
    BaseTaken(String),
    #[error("base {base:?} has a table {name:?} already, document {table}")]
    TableTaken {
        base: String,
        name: String,
        table: DocumentId,
    },
    #[error(
        "{0:?} is no name: it is from 1 to {MAX_NAME} characters, none of them a control character or a slash, and does not begin or end with a space"
    )]
    BadName(String),
    #[error("there are {0} of them already, and no more are taken")]
    TooMany(usize),
    #[error("the library refused the edit: {0}")]
    Library(#[from] AutomergeError),
}

/// What became of putting a table under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It was not in the base.
    New,
    /// It was in the base, under this name or another.
    Known,
}

pub(super) fn check_name(name: &str) -> Result<(), Refused> {
    let length = name.chars().count();
    let is_good = (1..=MAX_NAME).contains(&length)
        && name.trim() == name
        && !name.chars().any(|character| character.is_control() || character == '/');
    match is_good {
        true => Ok(()),
        false => Err(Refused::BadName(name.chars().take(MAX_NAME + 1).collect())),
    }
}

pub fn create_base(tx: &mut impl Transactable, id: &BaseId, name: &str) -> Result<(), Refused> {
    check_name(name)?;
    let directory = Directory::read(tx);
    check_base_name(&directory, name, None)?;
    if directory.bases.len() >= MAX_BASES {
        return Err(Refused::TooMany(MAX_BASES));
    }
    let base = bases(tx)?;
    let base = tx.put_object(&base, id.as_str(), ObjType::Map)?;
    tx.put(&base, "name", name)?;
    tx.put_object(&base, "tables", ObjType::Map)?;
    Ok(())
}

pub fn rename_base(tx: &mut impl Transactable, base: &str, name: &str) -> Result<BaseId, Refused> {
    check_name(name)?;
    let directory = Directory::read(tx);
    let base = found(&directory, base)?;
    check_base_name(&directory, name, Some(&base.id))?;
    if base.name != name {
        let map = map_of(tx, base)?;
        tx.put(&map, "name", name)?;
    }
    Ok(base.id.clone())
}

/// Archives a base, or takes it out of the archive again.
pub fn archive_base(tx: &mut impl Transactable, base: &str, mark: Option<&Archived>) -> Result<BaseId, Refused> {
    let directory = Directory::read(tx);
    let base = found(&directory, base)?;
    let map = map_of(tx, base)?;
    set_mark(tx, &map, base.archived.is_some(), mark)?;
    Ok(base.id.clone())
}

/// Whether a table that is not there yet could be put under this name.
pub fn check_free(directory: &Directory, base: &str, name: &str) -> Result<(), Refused> {
    check_name(name)?;
    let base = found(directory, base)?;
    match base.table(name) {
        Some(entry) => Err(taken_by(base, entry)),
        None if directory.table_count() >= MAX_TABLES => Err(Refused::TooMany(MAX_TABLES)),
        None => Ok(()),
    }
}

/// Puts a table under a name. One that is in the base under another name is renamed.
pub fn put_table(tx: &mut impl Transactable, base: &str, name: &str, table: &DocumentId) -> Result<Put, Refused> {
    check_name(name)?;
    let directory = Directory::read(tx);
    let base = found(&directory, base)?;
    check_table_name(base, name, table)?;
    let known = base.tables.iter().find(|entry| entry.table == *table);
    match known {
        Some(entry) if entry.name == name => return Ok(Put::Known),
        None if directory.table_count() >= MAX_TABLES => return Err(Refused::TooMany(MAX_TABLES)),
        _ => {}
    }
    let tables = tables_map(tx, base)?;
    let entry = match map_at(tx, &tables, table.as_str()) {
        Some(entry) => entry,
        None => tx.put_object(&tables, table.as_str(), ObjType::Map)?,
    };
    tx.put(&entry, "name", name)?;
    Ok(match known {
        Some(_) => Put::Known,
        None => Put::New,
    })
}

pub fn rename_table(tx: &mut impl Transactable, base: &str, name: &str, new: &str) -> Result<DocumentId, Refused> {
    check_name(new)?;
    let directory = Directory::read(tx);
    let base = found(&directory, base)?;
    let entry = found_table(base, name)?;
    check_table_name(base, new, &entry.table)?;
    if entry.name != new {
        let map = entry_map(tx, base, entry)?;
        tx.put(&map, "name", new)?;
    }
    Ok(entry.table.clone())
}

/// Archives a table in its base, or takes it out of the archive again. The table itself is not touched.
pub fn archive_table(
    tx: &mut impl Transactable,
    base: &str,
    name: &str,
    mark: Option<&Archived>,
) -> Result<DocumentId, Refused> {
    let directory = Directory::read(tx);
    let base = found(&directory, base)?;
    let entry = found_table(base, name)?;
    let map = entry_map(tx, base, entry)?;
    set_mark(tx, &map, entry.archived.is_some(), mark)?;
    Ok(entry.table.clone())
}

/// Takes a table out of a base. The table itself is not touched.
pub fn remove_table(tx: &mut impl Transactable, base: &str, name: &str) -> Result<(), Refused> {
    let directory = Directory::read(tx);
    let base = found(&directory, base)?;
    let entry = found_table(base, name)?;
    let tables = tables_map(tx, base)?;
    Ok(tx.delete(&tables, entry.table.as_str())?)
}

fn found<'d>(directory: &'d Directory, base: &str) -> Result<&'d Base, Refused> {
    directory.base(base).ok_or_else(|| Refused::NoBase(base.to_owned()))
}

/// The table of this name, or of this document id: of two with one name, one is found by its id alone.
pub fn found_table<'d>(base: &'d Base, name: &str) -> Result<&'d Entry, Refused> {
    let by_id = base.tables.iter().find(|entry| entry.table.as_str() == name);
    by_id.or_else(|| base.table(name)).ok_or_else(|| Refused::NoTable {
        base: base.name.clone(),
        name: name.to_owned(),
    })
}

fn check_base_name(directory: &Directory, name: &str, own: Option<&BaseId>) -> Result<(), Refused> {
    let folded_name = folded(name);
    let taken = |base: &&Base| folded(&base.name) == folded_name && Some(&base.id) != own;
    match directory.bases.iter().find(taken) {
        Some(base) => Err(Refused::BaseTaken(base.name.clone())),
        None => Ok(()),
    }
}

fn check_table_name(base: &Base, name: &str, own: &DocumentId) -> Result<(), Refused> {
    let folded_name = folded(name);
    let taken = |entry: &&Entry| folded(&entry.name) == folded_name && entry.table != *own;
    match base.tables.iter().find(taken) {
        Some(entry) => Err(taken_by(base, entry)),
        None => Ok(()),
    }
}

fn taken_by(base: &Base, entry: &Entry) -> Refused {
    Refused::TableTaken {
        base: base.name.clone(),
        name: entry.name.clone(),
        table: entry.table.clone(),
    }
}

/// The map of all bases; the first edit makes a directory of the document.
fn bases(tx: &mut impl Transactable) -> Result<ObjId, AutomergeError> {
    if let Some(bases) = map_at(tx, &ROOT, "bases") {
        return Ok(bases);
    }
    tx.put(ROOT, "type", "directory")?;
    tx.put(ROOT, "schemaVersion", 1)?;
    tx.put_object(ROOT, "bases", ObjType::Map)
}

fn map_of(tx: &mut impl Transactable, base: &Base) -> Result<ObjId, Refused> {
    let bases = bases(tx)?;
    map_at(tx, &bases, base.id.as_str()).ok_or_else(|| Refused::NoBase(base.name.clone()))
}

fn tables_map(tx: &mut impl Transactable, base: &Base) -> Result<ObjId, Refused> {
    let map = map_of(tx, base)?;
    match map_at(tx, &map, "tables") {
        Some(tables) => Ok(tables),
        None => Ok(tx.put_object(&map, "tables", ObjType::Map)?),
    }
}

fn entry_map(tx: &mut impl Transactable, base: &Base, entry: &Entry) -> Result<ObjId, Refused> {
    let tables = tables_map(tx, base)?;
    map_at(tx, &tables, entry.table.as_str()).ok_or_else(|| Refused::NoTable {
        base: base.name.clone(),
        name: entry.name.clone(),
    })
}

fn set_mark(
    tx: &mut impl Transactable,
    map: &ObjId,
    is_marked: bool,
    mark: Option<&Archived>,
) -> Result<(), AutomergeError> {
    match (is_marked, mark) {
        (true, None) => tx.delete(map, "archived"),
        (false, Some(mark)) => {
            let object = tx.put_object(map, "archived", ObjType::Map)?;
            tx.put(&object, "at", ScalarValue::Int(mark.at))?;
            tx.put(&object, "by", mark.by.as_str())
        }
        _ => Ok(()),
    }
}
