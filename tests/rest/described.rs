//! Whatever the server answers in these tests is as its description says: the status, the media type, and what a body has.

use roundtable::server::start::Running;
use roundtable::store::memory::MemoryEngine;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::ask::{Answer, ask, start};

static DESCRIPTION: OnceCell<Value> = OnceCell::const_new();

/// The description, which is the same of every server.
async fn description(server: &Running) -> &'static Value {
    let read = async || {
        Box::pin(ask(server, "GET", "/v1/openapi.json", "", ""))
            .await
            .is(200)
            .json()
    };
    DESCRIPTION.get_or_init(read).await
}

/// Fails where an answer is not as described.
pub async fn check(server: &Running, method: &str, path: &str, answer: &Answer) {
    let description = description(server).await;
    let path = path.split('?').next().unwrap_or(path);
    let (template, operations) = description["paths"]
        .as_object()
        .unwrap()
        .iter()
        .find(|(template, _)| matches(template, path))
        .unwrap_or_else(|| panic!("{path} is not described"));
    let operation = &operations[method.to_lowercase()];
    assert!(operation.is_object(), "{method} {template} is not described");
    let status = answer.status.to_string();
    let response = &operation["responses"][&status];
    assert!(
        response.is_object(),
        "{method} {template}: {status} is not described: {}",
        answer.text()
    );
    for name in response["headers"]
        .as_object()
        .into_iter()
        .flat_map(|headers| headers.keys())
    {
        assert_ne!(
            answer.header(&name.to_lowercase()),
            "",
            "{method} {template}: {status} has no {name}"
        );
    }
    let Some(content) = response["content"].as_object() else {
        assert!(
            answer.body.is_empty(),
            "{method} {template}: {status} has a body: {}",
            answer.text()
        );
        return;
    };
    let media = answer.header("content-type").split(';').next().unwrap_or_default();
    let schema = content
        .get(media)
        .unwrap_or_else(|| panic!("{method} {template}: {status} is {media}"));
    if !media.ends_with("json") {
        return;
    }
    let mut wrong = Vec::new();
    fits(description, &schema["schema"], &answer.json(), "", &mut wrong);
    assert!(
        wrong.is_empty(),
        "{method} {template}: {status}: {wrong:?} in {}",
        answer.text()
    );
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    let same = |(template, path): (&&str, &&str)| template == path || template.starts_with('{');
    template.len() == path.len() && template.iter().zip(&path).all(same)
}

/// Looks whether a value fits a schema: the words of JSON Schema that the description uses for answers.
fn fits(description: &Value, schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let found = description.pointer(reference.trim_start_matches('#'));
        let Some(found) = found else {
            wrong.push(format!("{reference} is not described"));
            return;
        };
        return fits(description, found, value, at, wrong);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        fits(description, part, value, at, wrong);
    }
    let alternatives = schema["oneOf"].as_array().or(schema["anyOf"].as_array());
    if let Some(alternatives) = alternatives {
        let one = alternatives.iter().any(|schema| {
            let mut wrong = Vec::new();
            fits(description, schema, value, at, &mut wrong);
            wrong.is_empty()
        });
        if !one {
            wrong.push(format!("{at} is none of its alternatives"));
        }
    }
    if !is_of_type(&schema["type"], value) {
        wrong.push(format!("{at} is no {}", schema["type"]));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        if value.is_object() && value.get(name).is_none() {
            wrong.push(format!("{at} has no {name}"));
        }
    }
    let properties = schema["properties"].as_object();
    for (name, inside) in value.as_object().into_iter().flatten() {
        let at = format!("{at}/{name}");
        match properties.and_then(|properties| properties.get(name)) {
            Some(schema) => fits(description, schema, inside, &at, wrong),
            None if schema["additionalProperties"].is_object() => {
                fits(description, &schema["additionalProperties"], inside, &at, wrong);
            }
            None => {}
        }
    }
    for (index, inside) in value.as_array().into_iter().flatten().enumerate() {
        fits(description, &schema["items"], inside, &format!("{at}/{index}"), wrong);
    }
}

fn is_of_type(kind: &Value, value: &Value) -> bool {
    match kind {
        Value::Array(kinds) => kinds.iter().any(|kind| is_of_type(kind, value)),
        Value::String(kind) => match kind.as_str() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            _ => false,
        },
        _ => true,
    }
}

#[tokio::test]
async fn everything_that_the_description_points_to_is_there() {
    let server = start(&MemoryEngine::default()).await;
    let description = description(&server).await;
    let (mut todo, mut references) = (vec![description], 0);
    while let Some(value) = todo.pop() {
        match value {
            Value::Array(items) => todo.extend(items),
            Value::Object(map) => {
                todo.extend(map.values());
                if let Some(Value::String(reference)) = map.get("$ref") {
                    references += 1;
                    let found = description.pointer(reference.trim_start_matches('#'));
                    assert!(found.is_some(), "{reference} is not described");
                }
            }
            _ => {}
        }
    }
    assert!(references > 50);
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let names = |place: &str| -> Vec<&str> {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let there = parameters.filter(|parameter| parameter["in"] == place);
                there.filter_map(|parameter| parameter["name"].as_str()).collect()
            };
            assert_eq!(names("path").len(), path.matches('{').count(), "{method} {path}");
            // These come to the same however often they are sent.
            let repeats = path.ends_with("/preview") || path.ends_with("/bytes") || path.contains("/presence");
            if method != "get" && !repeats {
                assert!(names("header").contains(&"Idempotency-Key"), "{method} {path}");
            }
            assert!(operation["summary"].is_string(), "{method} {path}");
        }
    }
}
