//! A document as JSON, and RFC 7396 merge patches onto it.
//!
//! Maps become objects, lists arrays, text and strings strings, counters numbers, times milliseconds since 1970, bytes
//! `{"$bytes": [..]}`. A patch touches only what it names, so two patches of different fields merge like any edits.

use automerge::hydrate;
use automerge::transaction::Transactable;
use automerge::{AutomergeError, ObjId, ObjType, ROOT, ScalarValue};
use serde_json::{Map, Value, json};

/// The whole document.
pub fn read(document: &automerge::Automerge) -> Value {
    from_hydrated(&document.hydrate(None))
}

fn from_hydrated(value: &hydrate::Value) -> Value {
    match value {
        hydrate::Value::Map(map) => map
            .iter()
            .map(|(key, value)| (key.to_string(), from_hydrated(&value.value)))
            .collect::<Map<_, _>>()
            .into(),
        hydrate::Value::List(list) => list.iter().map(|value| from_hydrated(&value.value)).collect(),
        hydrate::Value::Text(text) => text.to_string().into(),
        hydrate::Value::Scalar(scalar) => from_scalar(scalar),
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

/// Applies a merge patch to the root: objects merge, null removes, everything else takes the place of what was there.
pub fn merge(tx: &mut impl Transactable, patch: &Map<String, Value>) -> Result<(), AutomergeError> {
    merge_object(tx, &ROOT, patch)
}

fn merge_object(tx: &mut impl Transactable, object: &ObjId, patch: &Map<String, Value>) -> Result<(), AutomergeError> {
    for (key, value) in patch {
        let current = tx.get(object, key.as_str())?.map(|(value, id)| (value.to_owned(), id));
        match (value, current) {
            (Value::Null, None) => {}
            (Value::Null, Some(_)) => tx.delete(object, key.as_str())?,
            (Value::Object(patch), Some((automerge::Value::Object(ObjType::Map), map))) => {
                merge_object(tx, &map, patch)?
            }
            (Value::Object(patch), _) => {
                let map = tx.put_object(object, key.as_str(), ObjType::Map)?;
                merge_object(tx, &map, patch)?;
            }
            (Value::String(text), Some((automerge::Value::Object(ObjType::Text), id))) => tx.update_text(&id, text)?,
            (Value::Array(items), _) => {
                let list = tx.put_object(object, key.as_str(), ObjType::List)?;
                fill(tx, &list, items)?;
            }
            (value, Some((automerge::Value::Scalar(old), _))) if from_scalar(&old) == *value => {}
            (value, _) => tx.put(object, key.as_str(), scalar(value))?,
        }
    }
    Ok(())
}

fn fill(tx: &mut impl Transactable, list: &ObjId, items: &[Value]) -> Result<(), AutomergeError> {
    for (index, item) in items.iter().enumerate() {
        match item {
            Value::Object(fields) => {
                let map = tx.insert_object(list, index, ObjType::Map)?;
                merge_object(tx, &map, fields)?;
            }
            Value::Array(items) => {
                let inner = tx.insert_object(list, index, ObjType::List)?;
                fill(tx, &inner, items)?;
            }
            item => tx.insert(list, index, scalar(item))?,
        }
    }
    Ok(())
}

fn scalar(value: &Value) -> ScalarValue {
    match value {
        Value::String(text) => ScalarValue::Str(text.as_str().into()),
        Value::Bool(flag) => ScalarValue::Boolean(*flag),
        Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(n), _) => ScalarValue::Int(n),
            (None, Some(n)) => ScalarValue::F64(n),
            (None, None) => ScalarValue::Null,
        },
        _ => ScalarValue::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use automerge::{Automerge, ReadDoc};

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

    #[test]
    fn a_patch_that_says_what_is_there_changes_nothing() {
        let mut document = Automerge::new();
        patched(&mut document, json!({ "title": "Plan", "n": 1 }));
        let heads = document.get_heads();
        patched(&mut document, json!({ "title": "Plan", "n": 1, "gone": null }));
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
}
