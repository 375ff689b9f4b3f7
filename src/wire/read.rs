//! JSON that came from outside, read into the shape it should have.
//!
//! Both doors that speak JSON read it here, so that a mistake is told the same way at both: the field as a JSON pointer, and
//! what is wrong with it. What a text will take in memory is estimated before it is parsed: each value takes many times the
//! bytes it was written in.

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

/// Why a text is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    #[error("it holds about {values} values; at most {limit} are taken at once")]
    TooMany { values: usize, limit: usize },
    #[error("it is not JSON: {0}")]
    NotJson(String),
    #[error("{why}")]
    Field {
        /// A JSON pointer; empty for the whole.
        field: String,
        why: String,
    },
}

/// The longest part of a reason or a path that is told, in characters: it may repeat what was sent.
const MAX_TOLD: usize = 1000;

impl Unread {
    pub(super) fn not_an_object() -> Self {
        Self::Field {
            field: String::new(),
            why: "this is to be a JSON object".into(),
        }
    }

    /// The field that is wrong, if it is one.
    pub fn field(self) -> Option<String> {
        match self {
            Self::Field { field, .. } if !field.is_empty() => Some(field),
            _ => None,
        }
    }
}

/// Reads a text of at most so many values.
pub fn read<T: DeserializeOwned>(text: &[u8], limit: usize) -> Result<T, Unread> {
    let values = values_in(text);
    if values > limit {
        return Err(Unread::TooMany { values, limit });
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| at_field(&error))?;
    reader.end().map_err(|error| Unread::NotJson(error.to_string()))?;
    Ok(read)
}

/// Reads a value that was parsed before. A JSON array would pass for a struct whose fields it has in order: it is refused.
pub fn read_object<T: DeserializeOwned>(value: Json) -> Result<T, Unread> {
    if !value.is_object() {
        return Err(Unread::not_an_object());
    }
    serde_path_to_error::deserialize(value).map_err(|error| at_field(&error))
}

fn at_field(error: &serde_path_to_error::Error<serde_json::Error>) -> Unread {
    Unread::Field {
        field: short(pointer(error.path())),
        why: short(error.inner().to_string()),
    }
}

fn short(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_TOLD) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// How many values a JSON text holds, at least about: its commas, and the lists and objects it opens, outside of strings.
fn values_in(json: &[u8]) -> usize {
    let (mut values, mut in_string, mut escaped) = (1, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => values += 1,
            _ => {}
        }
    }
    values
}

/// A path into a JSON document as RFC 6901 writes it.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let parts = path.iter().map(|segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { variant } => format!("/{variant}"),
        // Where the text ends in the middle of something.
        Segment::Unknown => String::new(),
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        #[expect(dead_code)]
        rows: Vec<std::collections::BTreeMap<String, u8>>,
    }

    #[test]
    fn an_error_names_the_field() {
        let Err(Unread::Field { field, why }) = read::<Shape>(br#"{"rows": [{"a/b": 1}, {"a/b": "x"}]}"#, 100) else {
            panic!("it is wrong");
        };
        assert_eq!(field, "/rows/1/a~1b");
        assert!(why.contains("invalid type"), "{why}");
        let unknown = read::<Shape>(br#"{"lines": []}"#, 100).unwrap_err().to_string();
        assert!(unknown.contains("lines"), "{unknown}");
        let long = format!(r#"{{"rows": "{}"}}"#, "ü".repeat(10_000));
        let told = read::<Shape>(long.as_bytes(), 100).unwrap_err().to_string();
        assert!(told.ends_with('…') && told.chars().count() == MAX_TOLD + 1, "{told}");
        assert!(read::<Shape>(b"", 100).is_err());
        assert!(matches!(
            read::<Shape>(br#"{"rows": []} x"#, 100),
            Err(Unread::NotJson(_))
        ));
    }

    #[test]
    fn an_array_is_no_object() {
        assert!(read_object::<Shape>(serde_json::json!([[]])).is_err());
        assert!(read_object::<Shape>(serde_json::json!({ "rows": [] })).is_ok());
    }

    #[test]
    fn values_are_counted_outside_of_strings_and_bounded() {
        assert_eq!(values_in(br#"{"a,[": [1, 2, {"b": "\"," }]}"#), 6);
        let many = format!("[{}1]", "1,".repeat(1_000));
        let refused = read::<Vec<u8>>(many.as_bytes(), 1_000);
        assert!(matches!(refused, Err(Unread::TooMany { limit: 1_000, .. })));
    }
}
