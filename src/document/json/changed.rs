//! Whether what a patch touches has changed since the version that its author saw.
//!
//! This is what `If-Match` asks: two patches of different fields do not hinder one another, two of the same field do.
//! What is compared is what a reader of JSON would have seen, so a value that was changed and changed back counts as the
//! same.

use automerge::{ChangeHash, ObjId, ObjType, Prop, ROOT, ReadDoc, Value as Found};
use json_patch::{Patch, PatchOperation};
use serde_json::{Map, Value};

use super::{Reader, TooMuch};

/// Places compared one by one. A patch that touches more is held against the document as a whole.
const MAX_PLACES: usize = 1_000;

/// Values read for comparing. What would need more counts as changed.
const MAX_VALUES: usize = 1_000_000;

/// A place in a document: keys and positions from the root on.
type Path = Vec<String>;

/// What a patch touches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched(Vec<Path>);

impl Touched {
    /// The leaves of a merge patch.
    pub fn by_merge(patch: &Map<String, Value>) -> Self {
        let mut touched = Vec::new();
        leaves(patch, &mut Vec::new(), &mut touched);
        Self(touched)
    }

    /// Every place that an operation names.
    pub fn by_patch(patch: &Patch) -> Self {
        let mut touched = Vec::new();
        for step in patch.iter() {
            let from = match step {
                PatchOperation::Move(step) => Some(&*step.from),
                PatchOperation::Copy(step) => Some(&*step.from),
                _ => None,
            };
            for pointer in from.into_iter().chain([step.path()]) {
                touched.push(pointer.tokens().map(|token| token.decoded().into_owned()).collect());
            }
        }
        Self(touched)
    }

    /// Whether any of it was another at the version `then`. A version that the document never had is another one
    /// everywhere. Of what is inside a list, the whole list is compared: positions move.
    pub fn differs_since(&self, document: &impl ReadDoc, then: &[ChangeHash]) -> bool {
        if then.is_empty() || then.iter().any(|hash| document.get_change_by_hash(hash).is_none()) {
            return true;
        }
        let whole = [Path::new()];
        let paths = match self.0.len() > MAX_PLACES {
            true => &whole[..],
            false => &self.0[..],
        };
        let (mut left_then, mut left_now) = (MAX_VALUES, MAX_VALUES);
        paths.iter().any(|path| {
            let read = |heads, left: &mut usize| {
                let mut reader = Reader {
                    document,
                    heads,
                    left: *left,
                };
                let seen = reader.seen(path);
                *left = reader.left;
                seen
            };
            match (read(Some(then), &mut left_then), read(None, &mut left_now)) {
                (Ok(then), Ok(now)) => then != now,
                _ => true,
            }
        })
    }
}

fn leaves(patch: &Map<String, Value>, above: &mut Path, touched: &mut Vec<Path>) {
    for (key, value) in patch {
        above.push(key.clone());
        match value {
            Value::Object(patch) if !patch.is_empty() => leaves(patch, above, touched),
            _ => touched.push(above.clone()),
        }
        above.pop();
    }
}

/// What is at a place, for one who reads JSON.
#[derive(Debug, PartialEq)]
enum Seen {
    Absent,
    There(Value),
    /// The way there ends at a single value, which a patch would replace.
    Blocked(Value),
    /// The way there leads through a list, which is compared as a whole.
    Through(Value),
}

impl<D: ReadDoc> Reader<'_, D> {
    fn seen(&mut self, path: &[String]) -> Result<Seen, TooMuch> {
        let (mut object, mut kind) = (ROOT, ObjType::Map);
        for (depth, token) in path.iter().enumerate() {
            if kind == ObjType::List {
                return Ok(Seen::Through(self.object(&object, kind, 0)?));
            }
            let Some((value, id)) = self.owned(&object, token.as_str().into()) else {
                return Ok(Seen::Absent);
            };
            match value {
                Found::Object(inner @ (ObjType::Map | ObjType::List | ObjType::Table)) => (object, kind) = (id, inner),
                value => {
                    let value = self.value(&value, &id, 0)?;
                    return Ok(match depth + 1 == path.len() {
                        true => Seen::There(value),
                        false => Seen::Blocked(value),
                    });
                }
            }
        }
        Ok(Seen::There(self.object(&object, kind, 0)?))
    }

    fn owned(&self, object: &ObjId, prop: Prop) -> Option<(Found<'static>, ObjId)> {
        self.get(object, prop).map(|(value, id)| (value.into_owned(), id))
    }
}
