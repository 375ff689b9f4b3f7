//! The bases of a server: which tables belong together, and under which names.
//!
//! `{type: "directory", schemaVersion: 1, bases: {<baseId>: {name, archived?, tables: {<documentId>: {name, archived?}}}}}`
//!
//! They are kept in a document like any other, so that front ends list them live over the sync door and names survive as
//! tables do. Whoever reaches that door may write anything into it: reading skips what is odd, and of two that got the same
//! name at the same time the one with the lower id has it.
//!
//! - A name is unique among its neighbours, whatever its case: `base/name` is an address.

mod edit;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use automerge::{ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value};
use rand::Rng;
use rand::distr::{Alphanumeric, SampleString};
use sha2::{Digest, Sha256};

pub use edit::{
    Put, Refused, archive_base, archive_table, check_free, create_base, found_table, put_table, remove_table,
    rename_base, rename_table,
};

use crate::id::{DocumentId, StorageId};

/// Characters of a name, at most.
pub const MAX_NAME: usize = 128;

/// Bases of a server, and tables in all of them together: every edit of the bases reads them.
pub const MAX_BASES: usize = 1_000;
pub const MAX_TABLES: usize = 10_000;

/// Random base62 characters in the id of a base.
const RANDOM: usize = 8;

/// The document that holds the bases of the server with this storage: the same after every restart.
pub fn id_of(storage: &StorageId) -> DocumentId {
    let mut digest = Sha256::new();
    digest.update("roundtable directory");
    digest.update(storage.as_str());
    let digest: [u8; 32] = digest.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    DocumentId::from_uuid(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

/// The id of a base: `b` and random characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BaseId(Arc<str>);

impl BaseId {
    pub fn random(rng: &mut impl Rng) -> Self {
        Self(format!("b{}", Alphanumeric.sample_string(rng, RANDOM)).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// That something was put out of sight, when and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Milliseconds since 1970.
    pub at: i64,
    pub by: String,
}

/// A named set of tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    pub id: BaseId,
    pub name: String,
    /// Whether another one has this name: this one is found by its id alone.
    pub is_double: bool,
    pub archived: Option<Archived>,
    /// By name.
    pub tables: Vec<Entry>,
}

/// A table in a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub table: DocumentId,
    pub name: String,
    /// Whether another one has this name: this one is found by its id alone.
    pub is_double: bool,
    pub archived: Option<Archived>,
}

/// All bases, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    pub bases: Vec<Base>,
}

impl Directory {
    /// Reads what is there; what is odd is skipped.
    pub fn read(document: &impl ReadDoc) -> Self {
        let mut bases = Vec::new();
        if let Some(all) = map_at(document, &ROOT, "bases") {
            for (id, map) in maps_in(document, &all) {
                let fields = Fields::of(document, &map);
                let Some(name) = fields.name else { continue };
                bases.push(Base {
                    id: BaseId(id.into()),
                    name,
                    is_double: false,
                    archived: fields.archived,
                    tables: fields
                        .tables
                        .map_or_else(Vec::new, |tables| tables_of(document, &tables)),
                });
            }
        }
        bases.sort_by(|left, right| left.id.cmp(&right.id));
        let mut taken = HashSet::new();
        for base in &mut bases {
            base.is_double = !taken.insert(folded(&base.name));
        }
        bases.sort_by_cached_key(|base| (folded(&base.name), base.id.clone()));
        Self { bases }
    }

    /// How many tables there are in all bases.
    pub fn table_count(&self) -> usize {
        self.bases.iter().map(|base| base.tables.len()).sum()
    }

    /// The base of this id or, if there is none, of this name.
    pub fn base(&self, id_or_name: &str) -> Option<&Base> {
        let by_id = self.bases.iter().find(|base| base.id.as_str() == id_or_name);
        by_id.or_else(|| {
            let name = folded(id_or_name);
            self.bases
                .iter()
                .find(|base| !base.is_double && folded(&base.name) == name)
        })
    }
}

impl Base {
    /// The table of this name.
    pub fn table(&self, name: &str) -> Option<&Entry> {
        let name = folded(name);
        self.tables
            .iter()
            .find(|entry| !entry.is_double && folded(&entry.name) == name)
    }
}

fn tables_of(document: &impl ReadDoc, tables: &ObjId) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (id, map) in maps_in(document, tables) {
        let Ok(table) = DocumentId::parse(&id) else { continue };
        let fields = Fields::of(document, &map);
        let Some(name) = fields.name else { continue };
        entries.push(Entry {
            table,
            name,
            is_double: false,
            archived: fields.archived,
        });
    }
    entries.sort_by(|left, right| left.table.cmp(&right.table));
    let mut taken = HashSet::new();
    for entry in &mut entries {
        entry.is_double = !taken.insert(folded(&entry.name));
    }
    entries.sort_by_cached_key(|entry| (folded(&entry.name), entry.table.clone()));
    entries
}

/// A name without its case.
fn folded(name: &str) -> String {
    name.to_lowercase()
}

fn map_at(document: &impl ReadDoc, object: &ObjId, key: &str) -> Option<ObjId> {
    match document.get(object, key) {
        Ok(Some((Value::Object(ObjType::Map), id))) => Some(id),
        _ => None,
    }
}

fn maps_in<'d>(document: &'d impl ReadDoc, map: &ObjId) -> impl Iterator<Item = (String, ObjId)> + 'd {
    document.map_range(map, ..).filter_map(|entry| {
        let id = entry.id();
        let is_map = matches!(entry.value.into_value(), Value::Object(ObjType::Map));
        is_map.then(|| (entry.key.into_owned(), id))
    })
}

/// What a base or an entry says of itself, read in one go.
#[derive(Default)]
struct Fields {
    name: Option<String>,
    archived: Option<Archived>,
    tables: Option<ObjId>,
}

impl Fields {
    fn of(document: &impl ReadDoc, map: &ObjId) -> Self {
        let mut fields = Self::default();
        for entry in document.map_range(map, ..) {
            let id = entry.id();
            let value = entry.value.into_value();
            match (&*entry.key, &value) {
                ("name", _) => {
                    fields.name = text_of(document, &value, &id).filter(|name| edit::check_name(name).is_ok())
                }
                ("archived", _) => fields.archived = archived_of(document, &value, &id),
                ("tables", Value::Object(ObjType::Map)) => fields.tables = Some(id),
                _ => {}
            }
        }
        fields
    }
}

/// A string, or the text that JavaScript makes of a plain one.
fn text_of(document: &impl ReadDoc, value: &Value<'_>, id: &ObjId) -> Option<String> {
    match value {
        Value::Scalar(scalar) => scalar.as_str().map(str::to_owned),
        Value::Object(ObjType::Text) => document.text(id).ok(),
        Value::Object(_) => None,
    }
}

/// Anything but `false` and `null` is a mark.
fn archived_of(document: &impl ReadDoc, value: &Value<'_>, id: &ObjId) -> Option<Archived> {
    let mut mark = Archived {
        at: 0,
        by: String::new(),
    };
    match value {
        Value::Scalar(scalar) if matches!(scalar.as_ref(), ScalarValue::Null | ScalarValue::Boolean(false)) => {
            return None;
        }
        Value::Object(ObjType::Map) => {
            if let Ok(Some((Value::Scalar(at), _))) = document.get(id, "at") {
                let at = at.as_i64().or_else(|| at.as_f64().map(|at| at as i64));
                mark.at = at.unwrap_or_default();
            }
            if let Ok(Some((by, text))) = document.get(id, "by") {
                mark.by = text_of(document, &by, &text).unwrap_or_default();
            }
        }
        _ => {}
    }
    Some(mark)
}

#[cfg(test)]
mod tests;
