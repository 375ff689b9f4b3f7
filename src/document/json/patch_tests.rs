use automerge::{Automerge, ReadDoc};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::{Map, json};

use super::super::{changed::Touched, read};
use super::*;

struct Refused(Failed);

impl From<automerge::AutomergeError> for Refused {
    fn from(error: automerge::AutomergeError) -> Self {
        panic!("{error}")
    }
}

fn begun(content: &Value) -> Automerge {
    let mut document = Automerge::new();
    let made =
        document.transact::<_, _, Fault>(|tx| Editor::new(tx, MAX_VALUES).set_map(&ROOT, content.as_object().unwrap()));
    made.map_err(|failed| failed.error).unwrap();
    document
}

fn patched(document: &mut Automerge, patch: Value) -> Result<Value, Failed> {
    let patch: Patch = serde_json::from_value(patch).unwrap();
    match document.transact(|tx| apply(tx, &patch).map_err(Refused)) {
        Ok(_) => Ok(read(document)),
        Err(failed) => Err(failed.error.0),
    }
}

fn refused(content: Value, patch: Value) -> (String, String) {
    let mut document = begun(&content);
    let failed = patched(&mut document, patch).unwrap_err();
    assert_eq!(read(&document), content, "nothing is done of a patch that fails");
    (failed.field(), failed.to_string())
}

#[test]
fn the_operations_do_what_they_say() {
    for (content, patch, expected) in [
        (
            json!({"a": 1}),
            json!([{"op": "add", "path": "/b", "value": [1]}]),
            json!({"a": 1, "b": [1]}),
        ),
        (
            json!({"l": [1, 3]}),
            json!([{"op": "add", "path": "/l/1", "value": 2}]),
            json!({"l": [1, 2, 3]}),
        ),
        (
            json!({"l": [1]}),
            json!([{"op": "add", "path": "/l/-", "value": {"x": null}}]),
            json!({"l": [1, {"x": null}]}),
        ),
        (
            json!({"a": {"b": 1}}),
            json!([{"op": "remove", "path": "/a/b"}]),
            json!({"a": {}}),
        ),
        (
            json!({"l": [1, 2, 3]}),
            json!([{"op": "remove", "path": "/l/1"}]),
            json!({"l": [1, 3]}),
        ),
        (
            json!({"a": 1}),
            json!([{"op": "replace", "path": "/a", "value": null}]),
            json!({"a": null}),
        ),
        (
            json!({"a": 1}),
            json!([{"op": "replace", "path": "", "value": {"b": 2}}]),
            json!({"b": 2}),
        ),
        (
            json!({"a": {"b": 1}}),
            json!([{"op": "move", "from": "/a/b", "path": "/c"}]),
            json!({"a": {}, "c": 1}),
        ),
        (
            json!({"l": [1, 2, 3]}),
            json!([{"op": "move", "from": "/l/0", "path": "/l/2"}]),
            json!({"l": [2, 3, 1]}),
        ),
        (
            json!({"a": {"b": [1]}}),
            json!([{"op": "copy", "from": "/a", "path": "/a/c"}]),
            json!({"a": {"b": [1], "c": {"b": [1]}}}),
        ),
        (
            json!({"a/b": {"m~n": 1, "": 2}}),
            json!([{"op": "test", "path": "/a~1b/m~0n", "value": 1.0}, {"op": "remove", "path": "/a~1b/"}]),
            json!({"a/b": {"m~n": 1}}),
        ),
    ] {
        let mut document = begun(&content);
        assert_eq!(patched(&mut document, patch.clone()).unwrap(), expected, "{patch}");
    }
}

#[test]
fn an_operation_that_cannot_be_done_is_named_and_nothing_is_done() {
    let content = json!({"a": {"b": 1}, "l": [1, 2], "s": "text"});
    for (step, member, says) in [
        (json!({"op": "remove", "path": "/none"}), "path", "nothing is at"),
        (
            json!({"op": "replace", "path": "/l/2", "value": 0}),
            "path",
            "no position in a list of 2",
        ),
        (
            json!({"op": "add", "path": "/l/3", "value": 0}),
            "path",
            "no position in a list of 2",
        ),
        (json!({"op": "add", "path": "/l/01", "value": 0}), "path", "no position"),
        (
            json!({"op": "add", "path": "/s/0", "value": 0}),
            "path",
            "\"/s\" is a single value",
        ),
        (
            json!({"op": "add", "path": "/none/x", "value": 0}),
            "path",
            "nothing is at",
        ),
        (
            json!({"op": "copy", "from": "/none", "path": "/x"}),
            "from",
            "copy \"/none\"",
        ),
        (
            json!({"op": "move", "from": "/a", "path": "/a/b/c"}),
            "path",
            "into itself",
        ),
        (json!({"op": "remove", "path": ""}), "path", "as a whole"),
        (
            json!({"op": "replace", "path": "", "value": [1]}),
            "value",
            "as a whole",
        ),
        (
            json!({"op": "test", "path": "/a", "value": {"b": 2}}),
            "value",
            "it is {\"b\":1}",
        ),
    ] {
        let patch = json!([{"op": "add", "path": "/x", "value": 1}, step]);
        let (field, text) = refused(content.clone(), patch);
        assert_eq!(field, format!("/1/{member}"), "{text}");
        assert!(text.contains(says), "{text}");
    }
}

/// A document of a hundred bytes would fill the memory of the server.
#[test]
fn copies_of_copies_end_at_a_bound() {
    let doubling: Vec<Value> = (0..64)
        .map(|n| json!({"op": "copy", "from": "", "path": format!("/c{n}")}))
        .collect();
    assert!(refused(json!({"a": 1}), doubling.into()).1.contains("more than"));
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let deep: Value = serde_json::from_str(&deep).unwrap();
    let add = json!([{"op": "add", "path": "/l", "value": deep}, {"op": "copy", "from": "/l", "path": format!("/l{}/-", "/0".repeat(50))}]);
    assert!(refused(json!({}), add).1.contains("nested deeper"));
}

/// What a patch does not name merges with what others do meanwhile.
#[test]
fn a_patch_touches_nothing_beside_what_it_names() {
    let mut document = begun(&json!({"l": [{"n": 1}, {"n": 2}], "o": {"x": 1}}));
    document
        .transact::<_, _, automerge::AutomergeError>(|tx| {
            let text = tx.put_object(ROOT, "text", ObjType::Text)?;
            tx.splice_text(&text, 0, 0, "one two")?;
            tx.put(ROOT, "count", automerge::ScalarValue::counter(5))
        })
        .unwrap();
    let mut other = document.fork();
    patched(
        &mut other,
        json!([{"op": "replace", "path": "/l/1/n", "value": 20}, {"op": "add", "path": "/o/y", "value": 2},
            {"op": "replace", "path": "/text", "value": "one and two"}]),
    )
    .unwrap();
    other
        .transact::<_, _, automerge::AutomergeError>(|tx| tx.increment(ROOT, "count", 2))
        .unwrap();
    patched(
        &mut document,
        json!([{"op": "add", "path": "/l/0", "value": 0}, {"op": "replace", "path": "/o", "value": {"x": 5}},
            {"op": "replace", "path": "/text", "value": "one two three"}, {"op": "copy", "from": "/text", "path": "/copy"},
            {"op": "replace", "path": "/count", "value": 5}]),
    )
    .unwrap();
    document.merge(&mut other).unwrap();
    assert_eq!(
        read(&document),
        json!({"l": [0, {"n": 1}, {"n": 20}], "o": {"x": 5, "y": 2}, "text": "one and two three", "copy": "one two three", "count": 7})
    );
    let copy = document.get(ROOT, "copy").unwrap().unwrap().0;
    assert_eq!(copy.to_objtype(), Some(ObjType::Text));
}

#[test]
fn what_a_patch_touches_is_compared_and_nothing_else() {
    let mut document = begun(&json!({"a": {"b": 1}, "l": [1, {"n": 2}], "s": 1}));
    let then = document.get_heads();
    let differs = |document: &Automerge, patch: Value| match patch {
        Value::Object(patch) => Touched::by_merge(&patch).differs_since(document, &then),
        patch => Touched::by_patch(&serde_json::from_value(patch).unwrap()).differs_since(document, &then),
    };
    let probes = [
        (json!({"a": {"b": 2}}), "/a/b"),
        (json!({"a": {"c": 2}}), "/a/c"),
        (json!({"s": {"x": 2}}), "/s"),
        (json!([{"op": "add", "path": "/l/0", "value": 1}]), "/l"),
        (json!([{"op": "move", "from": "/l/1/n", "path": "/z"}]), "/l/1/n"),
        (json!([{"op": "copy", "from": "/s", "path": "/t"}]), "/s"),
    ];
    for (patch, _) in &probes {
        assert!(!differs(&document, patch.clone()), "{patch}");
    }
    let other = json!([{"op": "add", "path": "/other", "value": 1}, {"op": "add", "path": "/a/d", "value": 1}]);
    patched(&mut document, other).unwrap();
    for (patch, place) in &probes {
        assert!(!differs(&document, patch.clone()), "{patch}");
        let mut changed = document.fork();
        patched(&mut changed, json!([{"op": "add", "path": place, "value": "changed"}])).unwrap();
        assert!(differs(&changed, patch.clone()), "{patch} touches {place}");
    }
    assert!(
        differs(&document, json!([{"op": "test", "path": "", "value": 1}])),
        "the whole document"
    );
    let unknown = Touched::by_merge(&Map::new()).differs_since(&document, &[automerge::ChangeHash([7; 32])]);
    assert!(unknown, "a version that never was");
}

/// Whatever a patch does to the JSON of a document it does to the document, or neither is changed.
#[test]
fn random_patches_do_to_the_document_what_they_do_to_its_json() {
    let (mut done, mut failed) = (0, 0);
    for seed in 0..400 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut content = json!({"o": value(&mut random, 3), "l": [value(&mut random, 2), 1, "x"], "t": "some text"});
        let mut document = begun(&content);
        document
            .transact::<_, _, automerge::AutomergeError>(|tx| {
                let text = tx.put_object(ROOT, "t", ObjType::Text)?;
                tx.splice_text(&text, 0, 0, "some text")
            })
            .unwrap();
        for _ in 0..12 {
            let steps: Vec<Value> = (0..random.random_range(1..4))
                .map(|_| step(&mut random, &content))
                .collect();
            let patch: Patch = serde_json::from_value(steps.clone().into()).unwrap();
            // Its own way back after an error has panicked here.
            let mut after = content.clone();
            let expected = json_patch::patch_unsafe(&mut after, &patch);
            if expected.is_ok() {
                content = after;
            }
            let ours = patched(&mut document, steps.clone().into());
            assert_eq!(
                ours.is_ok(),
                expected.is_ok(),
                "seed {seed}: {steps:?}: {ours:?} {expected:?}"
            );
            assert_eq!(read(&document), content, "seed {seed}: {steps:?}");
            *(if ours.is_ok() { &mut done } else { &mut failed }) += 1;
        }
        let loaded = Automerge::load(&document.save()).unwrap();
        assert_eq!(read(&loaded), content, "seed {seed}");
    }
    assert!(done > 1_000 && failed > 500, "{done} done, {failed} failed");
}

fn value(random: &mut SmallRng, depth: usize) -> Value {
    match random.random_range(0..if depth == 0 { 5 } else { 8 }) {
        0 => Value::Null,
        1 => random.random_bool(0.5).into(),
        2 => random.random_range(-5..5).into(),
        3 => (f64::from(random.random_range(-50..50)) + 0.25).into(),
        4 => ["", "a", "b/c", "~x"][random.random_range(0..4)].into(),
        5 | 6 => (0..random.random_range(0..4))
            .map(|_| value(random, depth - 1))
            .collect(),
        _ => (0..random.random_range(0..4))
            .map(|n| (["a", "b/c", "", "~x"][n].to_owned(), value(random, depth - 1)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

/// A pointer to something that is there, mostly.
fn pointer(random: &mut SmallRng, content: &Value, may_be_new: bool) -> String {
    let (mut at, mut text) = (content, String::new());
    loop {
        let (token, inner) = match at {
            Value::Object(map) if !map.is_empty() => {
                let key = map.keys().nth(random.random_range(0..map.len())).unwrap();
                (key.replace('~', "~0").replace('/', "~1"), &map[key])
            }
            Value::Array(list) if !list.is_empty() => {
                let index = random.random_range(0..list.len());
                (index.to_string(), &list[index])
            }
            _ => return text,
        };
        if may_be_new && random.random_bool(0.2) {
            return text + ["/new", "/-", "/0", "/7", "/01"][random.random_range(0..5)];
        }
        text = format!("{text}/{token}");
        at = inner;
        if random.random_bool(0.4) {
            return text;
        }
    }
}

fn step(random: &mut SmallRng, content: &Value) -> Value {
    let mut path = pointer(random, content, true);
    if path.is_empty() {
        // Of the whole only an object is a document.
        path.push_str("/new");
    }
    match random.random_range(0..7) {
        0 | 1 => json!({"op": "add", "path": path, "value": value(random, 2)}),
        2 => json!({"op": "remove", "path": path}),
        3 => json!({"op": "replace", "path": path, "value": value(random, 2)}),
        4 => json!({"op": "move", "from": pointer(random, content, false), "path": path}),
        5 => json!({"op": "copy", "from": pointer(random, content, false), "path": path}),
        _ => {
            let path = pointer(random, content, false);
            let there = content.pointer(&path).cloned().unwrap_or_default();
            let tested = if random.random_bool(0.7) {
                there
            } else {
                value(random, 1)
            };
            json!({"op": "test", "path": path, "value": tested})
        }
    }
}
