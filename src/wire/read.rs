//! JSON that came from outside, read into the shape it should have.
//!
//! Both doors that speak JSON read it here, so that a mistake is told the same way at both: the field as a JSON pointer, and
//! what is wrong with it. What a text will take in memory is estimated before it is parsed: each value takes many times the
//! bytes it was written in.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
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

/// A text that is longer is not copied to be mended.
const MENDED_BYTES: usize = 1 << 20;

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
    match parsed(text) {
        Err(error) if text.len() <= MENDED_BYTES => parsed(&with_whole_characters(text).ok_or(error)?),
        parsed => parsed,
    }
}

fn parsed<T: DeserializeOwned>(text: &[u8]) -> Result<T, Unread> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| at_field(&error))?;
    reader.end().map_err(|error| Unread::NotJson(error.to_string()))?;
    Ok(read)
}

/// The text with U+FFFD for halves of characters, if it has any: a program whose strings are UTF-16 that cuts one in the middle
/// of an emoji sends `\ud83d`, and would never get rid of anything that was sent with it.
fn with_whole_characters(text: &[u8]) -> Option<Vec<u8>> {
    let unit = |at: usize| -> Option<u16> {
        let digits = text.get(at..at + 6)?.strip_prefix(br"\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let (mut whole, mut at) = (None, 0);
    while let Some(found) = text
        .get(at..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'\\'))
    {
        at += found;
        at += match (unit(at), unit(at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                whole.get_or_insert_with(|| text.to_vec())[at..at + 6].copy_from_slice(br"\ufffd");
                6
            }
            (Some(_), _) => 6,
            (None, _) => 2,
        };
    }
    whole
}

/// Reads a value that was parsed before. A JSON array would pass for a struct whose fields it has in order: it is refused.
pub fn read_object<T: DeserializeOwned>(value: Json) -> Result<T, Unread> {
    if !value.is_object() {
        return Err(Unread::not_an_object());
    }
    serde_path_to_error::deserialize(value).map_err(|error| at_field(&error))
}

/// For `deserialize_with`: a struct within another, and no list of its fields.
pub(super) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(reader: D) -> Result<T, D::Error> {
    Object::deserialize(reader).map(|Object(read)| read)
}

/// As [`object`], or null.
pub(super) fn optional_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    reader: D,
) -> Result<Option<T>, D::Error> {
    let read = Option::<Object<T>>::deserialize(reader)?;
    Ok(read.map(|Object(read)| read))
}

/// As [`object`], a list of them.
pub(super) fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(reader: D) -> Result<Vec<T>, D::Error> {
    let read = Vec::<Object<T>>::deserialize(reader)?;
    Ok(read.into_iter().map(|Object(read)| read).collect())
}

struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Maps<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Maps<T> {
            type Value = T;

            fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
                text.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<T, M::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        reader.deserialize_map(Maps(PhantomData)).map(Self)
    }
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
    fn halves_of_characters_are_read_and_whole_ones_are_left_alone() {
        for (text, read_as) in [
            (r#""a\ud83d""#, "a\u{fffd}"),
            (r#""\udc4db""#, "\u{fffd}b"),
            (r#""\ud83d\ud83d\udc4d""#, "\u{fffd}👍"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
            (r#""\\ud83d\udc4d\n""#, "\\ud83d\u{fffd}\n"),
        ] {
            assert_eq!(read::<String>(text.as_bytes(), 10).unwrap(), read_as, "{text}");
        }
        assert_eq!(read::<String>(r#""👍\ud83d\udc4d""#.as_bytes(), 10).unwrap(), "👍👍");
        for text in [
            r#""\ud83"#,
            r#""\ud83d\"#,
            r#""\uzzzz""#,
            "\"\\",
            r#"{"rows": "\ud83d"}"#,
        ] {
            assert!(read::<String>(text.as_bytes(), 10).is_err(), "{text}");
        }
    }

    #[test]
    fn an_array_is_no_object() {
        assert!(read_object::<Shape>(serde_json::json!([[]])).is_err());
        assert!(read_object::<Shape>(serde_json::json!({ "rows": [] })).is_ok());

        #[derive(Debug, serde::Deserialize)]
        struct Outer {
            #[expect(dead_code)]
            #[serde(default, deserialize_with = "optional_object")]
            one: Option<Shape>,
            #[expect(dead_code)]
            #[serde(default, deserialize_with = "objects")]
            many: Vec<Shape>,
        }
        for (text, field) in [
            (r#"{"one": [[]]}"#, "/one"),
            (r#"{"one": {"rows": 1}}"#, "/one/rows"),
            (r#"{"many": [{"rows": []}, [[]]]}"#, "/many/1"),
            (r#"{"many": [{"rows": [{"a": "b"}]}]}"#, "/many/0/rows/0/a"),
        ] {
            let told = read::<Outer>(text.as_bytes(), 100).unwrap_err().field();
            assert_eq!(told.as_deref(), Some(field), "{text}");
        }
        assert!(read::<Outer>(br#"{"one": null, "many": [{"rows": []}]}"#, 100).is_ok());
    }

    #[test]
    fn values_are_counted_outside_of_strings_and_bounded() {
        assert_eq!(values_in(br#"{"a,[": [1, 2, {"b": "\"," }]}"#), 6);
        let many = format!("[{}1]", "1,".repeat(1_000));
        let refused = read::<Vec<u8>>(many.as_bytes(), 1_000);
        assert!(matches!(refused, Err(Unread::TooMany { limit: 1_000, .. })));
    }
}
