//! A document as JSON, and patches onto it: RFC 7396 merge patches here, RFC 6902 in [`patch`].
//!
//! Maps become objects, lists arrays, text and strings strings, counters numbers, times milliseconds since 1970, bytes
//! `{"$bytes": [..]}`. A patch touches only what it names, so two patches of different fields merge like any edits.
//!
//! - Reading goes [`MAX_DEPTH`] levels deep and no further: a document may be nested by the hundred thousand, and
//!   everything that follows it down (here, in the library, in whoever parses the JSON) does so on its stack.

pub mod changed;
pub mod patch;
mod write;

use automerge::transaction::Transactable;
use automerge::{AutomergeError, ChangeHash, ObjId, ObjType, ROOT, ReadDoc, ScalarValue};
use serde_json::{Map, Value, json};

use self::write::{Editor, Fault};

/// Levels of a document that are read and written. JSON parsers stop at 128, ours among them.
pub const MAX_DEPTH: usize = 127;

/// The whole document.
pub fn read(document: &automerge::Automerge) -> Value {
    let mut reader = Reader {
        document,
        heads: None,
        left: usize::MAX,
    };
    reader.object(&ROOT, ObjType::Map, 0).unwrap_or(Value::Null)
}

/// Reads parts of a document as JSON, at its present version or a former one.
struct Reader<'a, D> {
    document: &'a D,
    heads: Option<&'a [ChangeHash]>,
    /// Values that may still be read.
    left: usize,
}

/// More is to be read than the reader may.
struct TooMuch;

impl<D: ReadDoc> Reader<'_, D> {
    fn get(&self, object: &ObjId, prop: automerge::Prop) -> Option<(automerge::Value<'_>, ObjId)> {
        match self.heads {
            Some(heads) => self.document.get_at(object, prop, heads),
            None => self.document.get(object, prop),
        }
        .ok()
        .flatten()
    }

    /// What stands at a key or position, as it came from [`get`](Self::get). `depth` counts the levels above.
    fn value(&mut self, value: &automerge::Value<'_>, id: &ObjId, depth: usize) -> Result<Value, TooMuch> {
        match value {
            automerge::Value::Object(kind) => self.object(id, *kind, depth),
            automerge::Value::Scalar(scalar) => {
                self.left = self.left.checked_sub(1).ok_or(TooMuch)?;
                Ok(from_scalar(scalar))
            }
        }
    }

    fn object(&mut self, id: &ObjId, kind: ObjType, depth: usize) -> Result<Value, TooMuch> {
        self.left = self.left.checked_sub(1).ok_or(TooMuch)?;
        if depth > MAX_DEPTH {
            return Ok(json!({ "$tooDeep": true }));
        }
        Ok(match kind {
            ObjType::Text => {
                let text = match self.heads {
                    Some(heads) => self.document.text_at(id, heads),
                    None => self.document.text(id),
                };
                text.unwrap_or_default().into()
            }
            ObjType::List => {
                let items = match self.heads {
                    Some(heads) => self.document.list_range_at(id, .., heads),
                    None => self.document.list_range(id, ..),
                };
                let mut list = Vec::new();
                for item in items {
                    let id = item.id();
                    list.push(self.value(&item.value.into_value(), &id, depth + 1)?);
                }
                list.into()
            }
            ObjType::Map | ObjType::Table => {
                let entries = match self.heads {
                    Some(heads) => self.document.map_range_at(id, .., heads),
                    None => self.document.map_range(id, ..),
                };
                let mut map = Map::new();
                for entry in entries {
                    let (id, key) = (entry.id(), entry.key.into_owned());
                    map.insert(key, self.value(&entry.value.into_value(), &id, depth + 1)?);
                }
                map.into()
            }
        })
    }
}

fn from_scalar(scalar: &ScalarValue) -> Value {
    match scalar {
        ScalarValue::Str(text) => text.as_str().into(),
        ScalarValue::Int(n) | ScalarValue::Timestamp(n) => (*n).into(),
        ScalarValue::Uint(n) => (*n).into(),
        ScalarValue::F64(n) => json!(n),
        ScalarValue::Counter(counter) => i64::from(counter).into(),
        ScalarValue::Boolean(flag) => (*flag).into(),
        ScalarValue::Bytes(bytes) => json!({ "$bytes": bytes }),
        ScalarValue::Unknown { bytes, .. } => json!({ "$bytes": bytes }),
        ScalarValue::Null => Value::Null,
    }
}

fn to_scalar(value: &Value) -> ScalarValue {
    match value {
        Value::String(text) => ScalarValue::Str(text.as_str().into()),
        Value::Bool(flag) => ScalarValue::Boolean(*flag),
        Value::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
            (Some(n), _, _) => ScalarValue::Int(n),
            (None, Some(n), _) => ScalarValue::Uint(n),
            (None, None, Some(n)) => ScalarValue::F64(n),
            (None, None, None) => ScalarValue::Null,
        },
        _ => ScalarValue::Null,
    }
}

/// Makes the root what the object says, word for word.
pub fn fill(tx: &mut impl Transactable, content: &Map<String, Value>) -> Result<(), AutomergeError> {
    match Editor::new(tx, usize::MAX).set_map(&ROOT, content) {
        Err(Fault::Library(error)) => Err(*error),
        // Nothing is counted here, and an object that was parsed is not too deep.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Applies a merge patch to the root: objects merge, null removes, everything else takes the place of what was there, by
/// difference: text is edited, a list keeps the items that it had at its begin and its end.
pub fn merge(tx: &mut impl Transactable, patch: &Map<String, Value>) -> Result<(), AutomergeError> {
    let mut editor = Editor::new(tx, usize::MAX);
    match merge_object(&mut editor, &ROOT, patch) {
        Err(Fault::Library(error)) => Err(*error),
        // Nothing is counted here, and a patch that was parsed is not too deep.
        Ok(()) | Err(_) => Ok(()),
    }
}

fn merge_object<T: Transactable>(
    editor: &mut Editor<'_, T>,
    object: &ObjId,
    patch: &Map<String, Value>,
) -> Result<(), Fault> {
    for (key, value) in patch {
        match value {
            Value::Null => {
                if editor.tx.get(object, key.as_str())?.is_some() {
                    editor.tx.delete(object, key.as_str())?;
                }
            }
            Value::Object(patch) => {
                let current = editor.tx.get(object, key.as_str())?;
                let map = match current.map(|(value, id)| (value.to_objtype(), id)) {
                    Some((Some(ObjType::Map), map)) => map,
                    _ => editor.tx.put_object(object, key.as_str(), ObjType::Map)?,
                };
                merge_object(editor, &map, patch)?;
            }
            value => editor.set(object, key.as_str().into(), value)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use automerge::Automerge;

    fn patched(document: &mut Automerge, patch: Value) -> Value {
        let Value::Object(patch) = patch else {
            panic!("a patch is an object")
        };
        document
            .transact::<_, _, AutomergeError>(|tx| merge(tx, &patch))
            .unwrap();
        read(document)
    }

    #[test]
    fn objects_merge_null_removes_and_the_rest_replaces() {
        let mut document = Automerge::new();
        let first =
            json!({ "title": "Plan", "n": 1.5, "tags": ["a", { "b": [true] }], "owner": { "name": "Ada", "age": 36 } });
        assert_eq!(patched(&mut document, first.clone()), first);
        let patch = json!({ "n": null, "owner": { "age": 37 }, "tags": [1] });
        let expected = json!({ "title": "Plan", "tags": [1], "owner": { "name": "Ada", "age": 37 } });
        assert_eq!(patched(&mut document, patch), expected);
    }

    /// In an object null removes; in an array, which is replaced as it stands, it is a value.
    #[test]
    fn what_is_in_an_array_is_taken_literally() {
        let mut document = Automerge::new();
        let patch = json!({ "a": { "b": null }, "list": [{ "c": null }, null], "large": u64::MAX });
        let expected = json!({ "a": {}, "list": [{ "c": null }, null], "large": u64::MAX });
        assert_eq!(patched(&mut document, patch), expected);
    }

    #[test]
    fn a_patch_that_says_what_is_there_changes_nothing() {
        let mut document = Automerge::new();
        patched(
            &mut document,
            json!({ "title": "Plan", "n": 1, "tags": ["a", { "b": 1 }] }),
        );
        let heads = document.get_heads();
        patched(
            &mut document,
            json!({ "title": "Plan", "n": 1, "tags": ["a", { "b": 1 }], "gone": null }),
        );
        assert_eq!(document.get_heads(), heads);
    }

    #[test]
    fn text_stays_text_so_that_people_can_go_on_typing_in_it() {
        let mut document = Automerge::new();
        let made = document.transact::<_, _, AutomergeError>(|tx| {
            let text = tx.put_object(ROOT, "body", ObjType::Text)?;
            tx.splice_text(&text, 0, 0, "hello")?;
            Ok(text)
        });
        let text = made.unwrap().result;
        assert_eq!(
            patched(&mut document, json!({ "body": "hello, world" })),
            json!({ "body": "hello, world" })
        );
        assert_eq!(document.text(&text).unwrap(), "hello, world");
    }

    /// 20,000 levels would have ended the process: a stack that overflows cannot be caught.
    #[test]
    fn a_document_nested_without_end_is_read_down_to_the_bound() {
        let mut document = Automerge::new();
        let made = document.transact::<_, _, AutomergeError>(|tx| {
            let mut at = ROOT;
            for _ in 0..20_000 {
                at = tx.put_object(&at, "in", ObjType::Map)?;
            }
            Ok(())
        });
        made.unwrap();
        let mut value = read(&document);
        let mut depth = 0;
        while let Some(inner) = value.get_mut("in") {
            value = inner.take();
            depth += 1;
        }
        assert_eq!((depth, value), (MAX_DEPTH + 1, json!({ "$tooDeep": true })));
    }
}
