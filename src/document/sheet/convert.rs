//! A field as a value of a kind.
//!
//! Guessing is strict and lives in [`kinds`](super::kinds); here somebody has said what a column is to be, and a field is
//! read as that as long as it is plain what it means: `yes` is a checkbox, `007` the number 7. Everything else is refused.

use std::borrow::Cow;

use serde_json::{Value as Json, json};

use super::kinds::checkbox;
use super::{Field, list, number, number_text};
use crate::document::table::batch::MAX_NAME_BYTES;
use crate::document::table::value::{MAX_IDS, is_link};
use crate::document::table::{Kind, Number, date};

/// The field is no value of the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit;

/// The value over JSON; none for an empty cell. `option` says the id of the option of a name.
pub fn value(kind: &Kind, field: &Field<'_>, option: impl Fn(&str) -> Option<String>) -> Result<Option<Json>, Misfit> {
    let Some(text) = text(field) else { return Ok(None) };
    let is_blank = text.trim().is_empty();
    Ok(match kind {
        Kind::Text | Kind::LongText => Some(json!(text)),
        _ if is_blank => None,
        Kind::Number => Some(numeric(field)?.to_json()),
        Kind::Counter => match numeric(field)? {
            Number::Int(number) => Some(json!(number)),
            Number::Float(_) => return Err(Misfit),
        },
        Kind::Checkbox => Some(json!(truth(field)?)),
        Kind::Date => Some(json!(day_or_time(field)?)),
        Kind::Select | Kind::MultiSelect => {
            let ids: Option<std::collections::BTreeSet<String>> =
                option_names(kind, field)?.iter().map(|name| option(name)).collect();
            let ids = ids.ok_or(Misfit)?;
            match kind {
                Kind::Select => ids.into_iter().next().map(Json::String),
                _ => (!ids.is_empty()).then(|| json!(ids)),
            }
        }
        Kind::Link => {
            let ids: std::collections::BTreeSet<_> = list::split(&text).ok_or(Misfit)?.into_iter().collect();
            if ids.len() > MAX_IDS || !ids.iter().all(|id| is_link(id)) {
                return Err(Misfit);
            }
            (!ids.is_empty()).then(|| json!(ids))
        }
        Kind::Other(_) => return Err(Misfit),
    })
}

/// Whether a field can be a value of the kind, if it may bring new options.
pub fn fits(kind: &Kind, field: &Field<'_>) -> bool {
    value(kind, field, |_| Some("any".into())).is_ok()
}

/// The names of options that a field holds.
pub fn option_names<'a>(kind: &Kind, field: &Field<'a>) -> Result<Vec<Cow<'a, str>>, Misfit> {
    let Some(text) = text(field).filter(|text| !text.trim().is_empty()) else {
        return Ok(Vec::new());
    };
    let names = match (kind, text) {
        (Kind::Select, text) => vec![text],
        (_, Cow::Borrowed(text)) => list::split(text).ok_or(Misfit)?,
        (_, Cow::Owned(text)) => vec![text.into()],
    };
    match names.len() <= MAX_IDS && names.iter().all(|name| name.len() <= MAX_NAME_BYTES) {
        true => Ok(names),
        false => Err(Misfit),
    }
}

/// What a field of the kind is, in words for whoever wrote the file.
pub fn expected(kind: &Kind) -> &'static str {
    match kind {
        Kind::Checkbox => "true or false (or yes, no, 1, 0, x)",
        Kind::Select => "the name of an option, of at most 1024 bytes",
        Kind::MultiSelect => "at most 1000 names of options, joined by commas, in quotes where they hold a comma",
        Kind::Link => "at most 1000 ids of 1 to 256 bytes, joined by commas, in quotes where they hold a comma",
        other => other.expects(),
    }
}

/// The field as a text; none if it is empty or an error.
pub fn text<'a>(field: &Field<'a>) -> Option<Cow<'a, str>> {
    match field {
        Field::Empty | Field::Error(_) => None,
        Field::Written(text) | Field::Text(text) | Field::Date(text) => Some((*text).into()),
        Field::Number(number) => Some(number_text(*number).into()),
        Field::Bool(yes) => Some(yes.to_string().into()),
    }
    .filter(|text: &Cow<'_, str>| !text.is_empty())
}

fn numeric(field: &Field<'_>) -> Result<Number, Misfit> {
    match field {
        Field::Number(number) => Ok(Number::from_f64(*number)),
        Field::Written(text) | Field::Text(text) => {
            let text = text.trim();
            let digits = text.trim_start_matches(['+', '-']);
            let bare = digits.trim_start_matches('0');
            let sign = if text.starts_with('-') { "-" } else { "" };
            let plain = match bare.bytes().next() {
                Some(b'0'..=b'9') => format!("{sign}{bare}"),
                _ => format!("{sign}0{bare}"),
            };
            // One sign at most, and digits.
            let starts_well =
                text.len() - digits.len() <= 1 && digits.starts_with(|first: char| first.is_ascii_digit());
            starts_well.then(|| number(&plain)).flatten().ok_or(Misfit)
        }
        _ => Err(Misfit),
    }
}

fn truth(field: &Field<'_>) -> Result<bool, Misfit> {
    match field {
        Field::Bool(yes) => Ok(*yes),
        Field::Number(1.0) => Ok(true),
        Field::Number(0.0) => Ok(false),
        Field::Written(text) | Field::Text(text) => {
            let text = text.trim();
            let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
            match checkbox(text) {
                Some(yes) => Ok(yes),
                None if is(&["yes", "1", "x"]) => Ok(true),
                None if is(&["no", "0"]) => Ok(false),
                None => Err(Misfit),
            }
        }
        _ => Err(Misfit),
    }
}

fn day_or_time<'a>(field: &Field<'a>) -> Result<&'a str, Misfit> {
    match field {
        Field::Date(text) | Field::Written(text) | Field::Text(text) => {
            let text = text.trim();
            date::parse(text).map(|_| text).ok_or(Misfit)
        }
        _ => Err(Misfit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(kind: Kind, field: Field<'_>) -> Option<Json> {
        value(&kind, &field, |name| Some(format!("o{name}"))).expect("a value")
    }

    #[test]
    fn a_kind_that_was_asked_for_is_read_leniently() {
        assert_eq!(taken(Kind::Number, Field::Written(" 007 ")), Some(json!(7)));
        assert_eq!(taken(Kind::Number, Field::Written("+00.50")), Some(json!(0.5)));
        assert_eq!(taken(Kind::Number, Field::Written("-0")), Some(json!(-0.0)));
        assert_eq!(taken(Kind::Counter, Field::Number(12.0)), Some(json!(12)));
        for yes in ["TRUE", "yes", "X", "1"] {
            assert_eq!(taken(Kind::Checkbox, Field::Written(yes)), Some(json!(true)));
        }
        assert_eq!(taken(Kind::Text, Field::Number(0.1)), Some(json!("0.1")));
        assert_eq!(taken(Kind::Text, Field::Written(" kept ")), Some(json!(" kept ")));
        assert_eq!(taken(Kind::Select, Field::Bool(true)), Some(json!("otrue")));
        assert_eq!(
            taken(Kind::MultiSelect, Field::Written("b, \"a, c\",b")),
            Some(json!(["oa, c", "ob"]))
        );
        for kind in [Kind::Number, Kind::Date, Kind::Select, Kind::Link, Kind::Checkbox] {
            assert_eq!(taken(kind.clone(), Field::Written("  ")), None);
            assert_eq!(taken(kind, Field::Error("#N/A")), None);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (kind, field) in [
            (Kind::Number, Field::Written("1,5")),
            (Kind::Number, Field::Written("+-1")),
            (Kind::Number, Field::Written("0x1F")),
            (Kind::Number, Field::Written("9007199254740993")),
            (Kind::Number, Field::Bool(true)),
            (Kind::Counter, Field::Written("0.5")),
            (Kind::Checkbox, Field::Written("maybe")),
            (Kind::Checkbox, Field::Number(2.0)),
            (Kind::Date, Field::Written("31.01.2026")),
            (Kind::Date, Field::Number(45_000.0)),
            (Kind::MultiSelect, Field::Written("\"open")),
        ] {
            assert_eq!(value(&kind, &field, |_| None), Err(Misfit), "{kind:?} {field:?}");
        }
        let long = "x".repeat(1025);
        assert!(!fits(&Kind::Select, &Field::Text(&long)));
        assert!(!fits(&Kind::Link, &Field::Text(&long)));
    }
}
