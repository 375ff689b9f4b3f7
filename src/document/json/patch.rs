//! RFC 6902: a list of operations on places in a document, all of them or none.
//!
//! The operations are done on the CRDT one by one, so that each touches what it names and nothing beside it: an item is
//! inserted into a list and removed from it, a text is edited by difference, what is moved keeps its kind.
//!
//! - A move is a copy and a removal: what others change in the original meanwhile goes with it.
//! - A patch reads and writes a bounded number of values, since copies of copies double the document each time.

use automerge::transaction::Transactable;
use automerge::{ObjId, ObjType, Prop, ROOT, Value as Found};
use json_patch::jsonptr::Pointer;
use json_patch::{Patch, PatchOperation};
use serde_json::Value;

use super::MAX_DEPTH;
pub use super::write::Fault;
use super::write::{Editor, Piece, Place};

/// Operations of one patch.
pub const MAX_OPERATIONS: usize = 10_000;

/// Values, and characters of texts, that the operations of one patch read and write beside what it brings.
pub const MAX_VALUES: usize = 50_000;

/// The most of a value that an error shows, in characters.
const SHOWN: usize = 200;

/// An operation could not be done; the transaction is to be rolled back.
#[derive(Debug, thiserror::Error)]
#[error("operation {operation} ({name} {place:?}): {fault}")]
pub struct Failed {
    pub operation: usize,
    /// The member of the operation that was at fault: `path`, `from` or `value`.
    pub member: &'static str,
    pub fault: Fault,
    name: &'static str,
    place: String,
}

impl Failed {
    /// What was at fault, as a JSON pointer into the patch.
    pub fn field(&self) -> String {
        format!("/{}/{}", self.operation, self.member)
    }
}

/// Applies a patch. After an error some of it may be done: the transaction must be rolled back.
pub fn apply(tx: &mut impl Transactable, patch: &Patch) -> Result<(), Failed> {
    let mut editor = Editor::new(tx, MAX_VALUES);
    for (operation, step) in patch.iter().enumerate() {
        let name = match step {
            PatchOperation::Add(_) => "add",
            PatchOperation::Remove(_) => "remove",
            PatchOperation::Replace(_) => "replace",
            PatchOperation::Move(_) => "move",
            PatchOperation::Copy(_) => "copy",
            PatchOperation::Test(_) => "test",
        };
        editor.step(step).map_err(|(member, fault)| Failed {
            operation,
            member,
            fault,
            name,
            place: match (member, step) {
                ("from", PatchOperation::Move(step)) => step.from.to_string(),
                ("from", PatchOperation::Copy(step)) => step.from.to_string(),
                _ => step.path().to_string(),
            },
        })?;
    }
    Ok(())
}

/// A place that a pointer names: a key or an item, and the object that it is in.
struct Spot {
    object: ObjId,
    kind: ObjType,
    token: String,
    /// The levels above it.
    depth: usize,
}

type At = (&'static str, Fault);

fn at<E: Into<Fault>>(member: &'static str) -> impl Fn(E) -> At {
    move |fault| (member, fault.into())
}

impl<T: Transactable> Editor<'_, T> {
    fn step(&mut self, step: &PatchOperation) -> Result<(), At> {
        match step {
            PatchOperation::Add(step) => self.add(&step.path, &step.value),
            PatchOperation::Replace(step) => self.replace(&step.path, &step.value),
            PatchOperation::Remove(step) => self.remove(&step.path).map_err(at("path")),
            PatchOperation::Copy(step) => {
                let found = self.resolve(&step.from).map_err(at("from"))?;
                let piece = self.piece(&found, 0).map_err(at("from"))?;
                self.put(&step.path, &piece)
            }
            PatchOperation::Move(step) => {
                let (from, path) = (step.from.as_str(), step.path.as_str());
                if path.len() > from.len() && path.starts_with(from) && path.as_bytes()[from.len()] == b'/' {
                    return Err(("path", Fault::IntoItself));
                }
                let found = self.resolve(&step.from).map_err(at("from"))?;
                if from == path && !from.is_empty() {
                    return Ok(());
                }
                let piece = self.piece(&found, 0).map_err(at("from"))?;
                self.remove(&step.from).map_err(at("from"))?;
                self.put(&step.path, &piece)
            }
            PatchOperation::Test(step) => {
                let found = self.resolve(&step.path).map_err(at("path"))?;
                let found = self.json(&found).map_err(at("path"))?;
                match equal(&found, &step.value) {
                    true => Ok(()),
                    false => Err(("value", Fault::Differs { found: shown(&found) })),
                }
            }
        }
    }

    fn add(&mut self, path: &Pointer, value: &Value) -> Result<(), At> {
        if path.is_root() {
            return self.replace(path, value);
        }
        let spot = self.spot(path).map_err(at("path"))?;
        match spot.kind {
            ObjType::List => self.put(path, &Piece::of(value)),
            _ => {
                check_depth(&spot, &Piece::of(value))?;
                self.set(&spot.object, spot.token.into(), value).map_err(at("value"))
            }
        }
    }

    fn replace(&mut self, path: &Pointer, value: &Value) -> Result<(), At> {
        if path.is_root() {
            return match value {
                Value::Object(fields) => self.set_map(&ROOT, fields).map_err(at("value")),
                _ => Err(("value", Fault::Whole)),
            };
        }
        let spot = self.spot(path).map_err(at("path"))?;
        check_depth(&spot, &Piece::of(value))?;
        let prop = self.existing(&spot).map_err(at("path"))?;
        self.set(&spot.object, prop, value).map_err(at("value"))
    }

    fn remove(&mut self, path: &Pointer) -> Result<(), Fault> {
        if path.is_root() {
            return Err(Fault::Whole);
        }
        let spot = self.spot(path)?;
        let prop = self.existing(&spot)?;
        Ok(self.tx.delete(&spot.object, prop)?)
    }

    /// Adds a piece as a new value: at a key, or before an item of a list.
    fn put(&mut self, path: &Pointer, piece: &Piece) -> Result<(), At> {
        if path.is_root() {
            return Err(("path", Fault::Whole));
        }
        let spot = self.spot(path).map_err(at("path"))?;
        check_depth(&spot, piece)?;
        let place = match spot.kind {
            ObjType::List => {
                let length = self.tx.length(&spot.object);
                let last = (spot.token == "-").then_some(length);
                let index = last.or_else(|| index_of(&spot.token).filter(|index| *index <= length));
                Place::Before(index.ok_or_else(|| {
                    let token = spot.token.clone();
                    ("path", Fault::NoPosition { token, length })
                })?)
            }
            _ => Place::At(spot.token.as_str().into()),
        };
        self.make(&spot.object, place, piece).map_err(at("path"))
    }

    /// What a pointer names.
    fn resolve(&mut self, pointer: &Pointer) -> Result<(Found<'static>, ObjId), Fault> {
        if pointer.is_root() {
            return Ok((Found::Object(ObjType::Map), ROOT));
        }
        let spot = self.spot(pointer)?;
        let prop = self.existing(&spot)?;
        let found = self.found(&spot.object, prop)?;
        found.ok_or_else(|| Fault::Absent(pointer.to_string()))
    }

    /// The place that a pointer names, which need not be there; what it is in must be.
    fn spot(&mut self, pointer: &Pointer) -> Result<Spot, Fault> {
        let mut spot = Spot {
            object: ROOT,
            kind: ObjType::Map,
            token: String::new(),
            depth: 0,
        };
        for (depth, token) in pointer.tokens().enumerate() {
            if depth > 0 {
                let prop = self.existing(&spot)?;
                let above = || {
                    pointer
                        .tokens()
                        .take(depth)
                        .map(|token| format!("/{}", token.encoded()))
                        .collect()
                };
                match self.found(&spot.object, prop)? {
                    Some((Found::Object(ObjType::Text) | Found::Scalar(_), _)) => return Err(Fault::Single(above())),
                    Some((Found::Object(kind), object)) => (spot.object, spot.kind) = (object, kind),
                    None => return Err(Fault::Absent(above())),
                }
            }
            (spot.token, spot.depth) = (token.decoded().into_owned(), depth);
        }
        Ok(spot)
    }

    /// The key or position of a place that must be there.
    fn existing(&self, spot: &Spot) -> Result<Prop, Fault> {
        if spot.kind == ObjType::List {
            let length = self.tx.length(&spot.object);
            let index = index_of(&spot.token).filter(|index| *index < length);
            return index.map(Prop::Seq).ok_or_else(|| Fault::NoPosition {
                token: spot.token.clone(),
                length,
            });
        }
        match self.tx.get(&spot.object, spot.token.as_str())? {
            Some(_) => Ok(spot.token.as_str().into()),
            None => Err(Fault::Absent(spot.token.clone())),
        }
    }
}

fn check_depth(spot: &Spot, piece: &Piece) -> Result<(), At> {
    match spot.depth + 1 + piece.depth() > MAX_DEPTH {
        true => Err(("path", Fault::TooDeep)),
        false => Ok(()),
    }
}

/// A position as RFC 6901 writes it: digits, without leading zeros.
fn index_of(token: &str) -> Option<usize> {
    let is_plain = token == "0" || !token.starts_with('0');
    (is_plain && token.bytes().all(|byte| byte.is_ascii_digit())).then(|| token.parse().ok())?
}

/// Equal as RFC 6902 has it: numbers by their value.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) if left.is_f64() || right.is_f64() => {
            left.as_f64() == right.as_f64()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| equal(left, right)))
        }
        (left, right) => left == right,
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
#[path = "patch_tests.rs"]
mod tests;
