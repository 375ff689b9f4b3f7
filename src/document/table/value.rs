//! What a cell holds, by the kind of its column, and the same over JSON.
//!
//! The document keeps whatever somebody wrote; a column's kind says how it is to be read. [`Reading`] keeps the two apart:
//! a value that fits the kind, or the thing that was found instead, kept and marked. What comes in as JSON is checked
//! against the kind before it is written, so that everything this program writes fits.
//!
//! `docs/table-schema.md` lists the shapes under "Values over JSON".

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::Number;
pub use super::number::MAX_SAFE;
use super::options::SelectOption;
use super::{Cell, Kind, Value, date};

/// The longest id in a link cell, in bytes.
pub const MAX_LINK_BYTES: usize = 256;

/// The longest text in a cell, in bytes: what a file takes in a field.
pub const MAX_TEXT_BYTES: usize = 1024 * 1024;

/// The most ids in one multiselect or link cell.
pub const MAX_IDS: usize = 1000;

/// A value that fits its column's kind. An empty cell has none.
#[derive(Debug, Clone, PartialEq)]
pub enum CellValue {
    Text(String),
    Number(Number),
    Checkbox(bool),
    /// The text as written; [`date::parse`] reads it.
    Date(String),
    /// The id of an option.
    Select(String),
    /// Ids of options.
    MultiSelect(BTreeSet<String>),
    /// Ids of anything: rows, documents, addresses.
    Link(BTreeSet<String>),
    LongText(String),
    Counter(i64),
}

/// A cell as its column's kind shows it.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    Empty,
    Value(CellValue),
    /// Something that the kind does not say, written through the sync door or before the kind was changed.
    Mismatch(Cell),
}

/// Why a value was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct WrongValue {
    pub expected: &'static str,
    /// The value as JSON, shortened.
    pub found: String,
}

impl Kind {
    /// What a value of this kind is, in words.
    pub fn expects(&self) -> &'static str {
        match self {
            Self::Text | Self::LongText => "a text of at most 1048576 bytes, without NUL",
            Self::Number => "a number, whole ones up to 9007199254740991",
            Self::Checkbox => "true or false",
            Self::Date => "an ISO 8601 date such as \"2026-01-31\" or \"2026-01-31T10:00:00Z\"",
            Self::Select => "the id of one of the column's options",
            Self::MultiSelect => "a list of ids of the column's options",
            Self::Link => "a list of at most 1000 ids of 1 to 256 bytes",
            Self::Counter => "a whole number up to 9007199254740991",
            Self::Other(_) => "nothing, because this program does not know the kind",
        }
    }
}

impl CellValue {
    /// Reads a value that is to be written into a column of this kind. `null` and the empty text stand for an empty cell.
    pub fn from_json(kind: &Kind, options: &[SelectOption], json: &Json) -> Result<Option<Self>, WrongValue> {
        if json.is_null() {
            return Ok(None);
        }
        let is_option = |id: &str| options.iter().any(|option| option.id == id);
        let value = match (kind, json) {
            (Kind::Text, Json::String(text)) if text.is_empty() => return Ok(None),
            (Kind::Text, Json::String(text)) => is_text(text).then(|| Self::Text(text.clone())),
            (Kind::LongText, Json::String(text)) => is_text(text).then(|| Self::LongText(text.clone())),
            (Kind::Number, Json::Number(number)) => Number::exact(number).map(Self::Number),
            (Kind::Checkbox, Json::Bool(yes)) => Some(Self::Checkbox(*yes)),
            (Kind::Date, Json::String(text)) => date::parse(text).map(|_| Self::Date(text.clone())),
            (Kind::Select, Json::String(id)) => is_option(id).then(|| Self::Select(id.clone())),
            (Kind::MultiSelect, Json::Array(ids)) => ids_of(ids, is_option).map(Self::MultiSelect),
            (Kind::Link, Json::Array(ids)) => ids_of(ids, is_link).map(Self::Link),
            (Kind::Counter, Json::Number(number)) => match Number::exact(number) {
                Some(Number::Int(number)) => Some(Self::Counter(number)),
                _ => None,
            },
            _ => None,
        };
        value.map(Some).ok_or_else(|| WrongValue {
            expected: kind.expects(),
            found: shortened(json),
        })
    }

    pub fn to_json(&self) -> Json {
        match self {
            Self::Text(text) | Self::LongText(text) | Self::Date(text) | Self::Select(text) => json!(text),
            Self::Number(number) => number.to_json(),
            Self::Checkbox(yes) => json!(yes),
            Self::MultiSelect(ids) | Self::Link(ids) => json!(ids),
            Self::Counter(number) => json!(number),
        }
    }
}

impl Reading {
    /// Reads what lies in the document as the kind wants it. Encodings that say the same are all taken: text as a scalar
    /// or an object, a whole number as an integer, a float or a counter.
    pub fn of(kind: &Kind, options: &[SelectOption], cell: Option<Cell>) -> Self {
        let Some(cell) = cell.filter(|cell| !cell.is_empty()) else {
            return Self::Empty;
        };
        let is_option = |id: &String| options.iter().any(|option| option.id == *id);
        let value = match (kind, &cell) {
            (Kind::Text, Cell::Value(Value::Text(text))) => CellValue::Text(text.clone()),
            (Kind::LongText, Cell::Value(Value::Text(text))) => CellValue::LongText(text.clone()),
            (Kind::Number, Cell::Value(Value::Int(number))) => CellValue::Number(Number::Int(*number)),
            (Kind::Number, Cell::Value(Value::Float(number))) if number.is_finite() => {
                CellValue::Number(Number::from_f64(*number))
            }
            (Kind::Checkbox, Cell::Value(Value::Bool(yes))) => CellValue::Checkbox(*yes),
            (Kind::Date, Cell::Value(Value::Text(text))) if date::parse(text).is_some() => {
                CellValue::Date(text.clone())
            }
            (Kind::Select, Cell::Value(Value::Text(id))) if is_option(id) => CellValue::Select(id.clone()),
            (Kind::MultiSelect, Cell::Ids(ids)) if ids.iter().all(is_option) => CellValue::MultiSelect(ids.clone()),
            (Kind::Link, Cell::Ids(ids)) => CellValue::Link(ids.clone()),
            (Kind::Counter, Cell::Value(Value::Int(number))) => CellValue::Counter(*number),
            (Kind::Counter, Cell::Value(Value::Float(number))) => match Number::from_f64(*number) {
                Number::Int(number) => CellValue::Counter(number),
                Number::Float(_) => return Self::Mismatch(cell),
            },
            _ => return Self::Mismatch(cell),
        };
        Self::Value(value)
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// The value, if there is one that fits.
    pub fn value(&self) -> Option<&CellValue> {
        match self {
            Self::Value(value) => Some(value),
            Self::Empty | Self::Mismatch(_) => None,
        }
    }

    /// The value over JSON. What does not fit is shown as it is; what a table has no word for is `null`.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Empty => Json::Null,
            Self::Value(value) => value.to_json(),
            Self::Mismatch(cell) => cell.to_json(),
        }
    }
}

impl Cell {
    /// A text without letters and a map without ids hold nothing.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Ids(ids) => ids.is_empty(),
            Self::Value(Value::Text(text)) => text.is_empty(),
            Self::Value(_) | Self::Foreign(_) => false,
        }
    }

    /// What the cell holds, whatever its column's kind says.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Value(Value::Text(text)) => json!(text),
            Self::Value(Value::Int(number)) => json!(number),
            Self::Value(Value::Float(number)) => Number::Float(*number).to_json(),
            Self::Value(Value::Bool(yes)) => json!(yes),
            Self::Ids(ids) => json!(ids),
            Self::Foreign(_) => Json::Null,
        }
    }
}

/// True of what may stand in a text cell: what no file can bring back is not taken.
fn is_text(text: &str) -> bool {
    text.len() <= MAX_TEXT_BYTES && !text.contains('\0')
}

fn ids_of(ids: &[Json], fits: impl Fn(&str) -> bool) -> Option<BTreeSet<String>> {
    let id = |id: &Json| id.as_str().filter(|id| fits(id)).map(str::to_owned);
    (ids.len() <= MAX_IDS).then(|| ids.iter().map(id).collect())?
}

/// True of what may stand in a link cell.
pub(crate) fn is_link(id: &str) -> bool {
    (1..=MAX_LINK_BYTES).contains(&id.len())
}

/// JSON for a message to a person.
pub(crate) fn shortened(json: &Json) -> String {
    let text = json.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Vec<SelectOption> {
        ["o1", "o2"].map(|id| SelectOption::named(id, id)).into()
    }

    fn taken(kind: Kind, json: Json) -> Option<CellValue> {
        CellValue::from_json(&kind, &options(), &json).unwrap()
    }

    fn refused(kind: Kind, json: Json) -> String {
        CellValue::from_json(&kind, &options(), &json).unwrap_err().to_string()
    }

    #[test]
    fn values_of_every_kind_survive_json() {
        let cases = [
            (Kind::Text, json!("Zoë")),
            (Kind::LongText, json!("two\nlines")),
            (Kind::Number, json!(-12)),
            (Kind::Number, json!(12.5)),
            (Kind::Number, json!(MAX_SAFE)),
            (Kind::Number, json!(1e300)),
            (Kind::Checkbox, json!(false)),
            (Kind::Date, json!("2026-01-31")),
            (Kind::Date, json!("2026-01-31T10:00:00+02:00")),
            (Kind::Select, json!("o2")),
            (Kind::MultiSelect, json!(["o1", "o2"])),
            (Kind::Link, json!(["b.1", "https://example.org/"])),
            (Kind::Counter, json!(-7)),
        ];
        for (kind, json) in cases {
            let value = CellValue::from_json(&kind, &options(), &json).unwrap().unwrap();
            assert_eq!(value.to_json(), json, "{kind:?}");
        }
    }

    #[test]
    fn a_whole_float_is_a_whole_number_and_null_is_empty() {
        assert_eq!(taken(Kind::Number, json!(3.0)), Some(CellValue::Number(Number::Int(3))));
        assert_eq!(taken(Kind::Counter, json!(3.0)), Some(CellValue::Counter(3)));
        assert_eq!(Number::Float(3.0).to_json(), json!(3));
        for kind in [Kind::Text, Kind::Number, Kind::Checkbox, Kind::Link, Kind::Counter] {
            assert_eq!(taken(kind, Json::Null), None);
        }
        assert_eq!(taken(Kind::Text, json!("")), None);
    }

    #[test]
    fn a_value_of_another_kind_is_refused_in_words() {
        assert_eq!(
            refused(Kind::Number, json!("12")),
            "expected a number, whole ones up to 9007199254740991, found \"12\""
        );
        assert_eq!(refused(Kind::Checkbox, json!(1)), "expected true or false, found 1");
        for (kind, json) in [
            (Kind::Text, json!(5)),
            (Kind::LongText, json!(["a"])),
            (Kind::Number, json!(9_007_199_254_740_993_i64)),
            (Kind::Number, json!(18_446_744_073_709_551_615_u64)),
            (Kind::Date, json!("31.01.2026")),
            (Kind::Date, json!("")),
            (Kind::Select, json!("o3")),
            (Kind::MultiSelect, json!("o1")),
            (Kind::MultiSelect, json!(["o1", "o3"])),
            (Kind::Link, json!([""])),
            (Kind::Link, json!(["x".repeat(257)])),
            (Kind::Link, json!(vec!["x"; 1001])),
            (Kind::Counter, json!(0.5)),
            (Kind::Other("rating".into()), json!("x")),
        ] {
            refused(kind, json);
        }
        let long = refused(Kind::Number, json!("x".repeat(1000)));
        assert!(long.len() < 200, "{long}");
    }

    #[test]
    fn what_does_not_fit_is_kept_and_shown() {
        let text = |text: &str| Some(Cell::Value(Value::Text(text.into())));
        let read = |kind, cell| Reading::of(&kind, &options(), cell);
        assert_eq!(read(Kind::Number, text("12")), Reading::Mismatch(text("12").unwrap()));
        assert_eq!(read(Kind::Number, text("12")).to_json(), json!("12"));
        assert!(matches!(read(Kind::Select, text("gone")), Reading::Mismatch(_)));
        assert!(matches!(
            read(Kind::Number, Some(Cell::Value(Value::Float(f64::NAN)))),
            Reading::Mismatch(_)
        ));
        let list = read(Kind::Text, Some(Cell::Foreign("a list")));
        assert_eq!((list.to_json(), list.is_empty()), (Json::Null, false));
        // The same value in another encoding fits.
        assert_eq!(
            read(Kind::Counter, Some(Cell::Value(Value::Float(2.0)))),
            Reading::Value(CellValue::Counter(2))
        );
        assert_eq!(read(Kind::LongText, text("")), Reading::Empty);
        assert_eq!(read(Kind::Link, Some(Cell::Ids(BTreeSet::new()))), Reading::Empty);
    }
}
