//! What the fields of a column are: numbers, checkboxes, dates, or text.
//!
//! A column has a kind other than text only if all its fields have it and nothing is lost by it: what is typed wrongly
//! at import (a postcode that loses its zero, an id that is rounded) is noticed months later. Fields of blanks only are
//! empty cells in such a column.

use super::convert::fits;
use super::{Field, Sheet};
use crate::document::table::{Kind, Number, date, value::MAX_SAFE};

/// What the fields of a column seen so far can all be.
#[derive(Debug, Clone, Copy)]
struct Seen {
    number: bool,
    checkbox: bool,
    date: bool,
    any: bool,
}

impl Seen {
    fn nothing() -> Self {
        Self {
            number: true,
            checkbox: true,
            date: true,
            any: false,
        }
    }

    fn see(&mut self, field: &Field<'_>) {
        let (is_number, is_checkbox, is_date) = match field {
            Field::Empty | Field::Error(_) => return,
            Field::Number(_) => (true, false, false),
            Field::Bool(_) => (false, true, false),
            Field::Date(text) => (false, false, date::parse(text).is_some()),
            // A date that a spreadsheet cannot hold stands there as a text.
            Field::Text(text) => (false, false, date::parse(text).is_some()),
            Field::Written(text) => {
                let text = text.trim();
                if text.is_empty() {
                    return;
                }
                let number = self.number && number(text).is_some();
                let checkbox = self.checkbox && checkbox(text).is_some();
                (number, checkbox, self.date && date::parse(text).is_some())
            }
        };
        self.any = true;
        self.number &= is_number;
        self.checkbox &= is_checkbox;
        self.date &= is_date;
    }

    fn kind(self) -> Kind {
        match self {
            Self { any: false, .. } => Kind::Text,
            Self { number: true, .. } => Kind::Number,
            Self { checkbox: true, .. } => Kind::Checkbox,
            Self { date: true, .. } => Kind::Date,
            _ => Kind::Text,
        }
    }
}

pub(super) fn of(sheet: &Sheet) -> Vec<Kind> {
    let mut seen = vec![Seen::nothing(); sheet.names().len()];
    let mut hinted: Vec<_> = (0..seen.len()).map(|column| sheet.hint(column)).collect();
    // A column of texts alone is text, also where they look like dates.
    let mut typed_date = vec![false; seen.len()];
    for row in 0..sheet.rows() {
        for (column, field) in sheet.fields(row) {
            seen[column].see(&field);
            typed_date[column] |= !matches!(field, Field::Text(_));
            hinted[column] = hinted[column].filter(|hint| fits(&hint.kind, &field));
        }
    }
    let kind = |((seen, hint), typed): ((Seen, Option<&super::Hint>), bool)| match hint {
        Some(hint) => hint.kind.clone(),
        None if !typed => Kind::Text,
        None => seen.kind(),
    };
    seen.into_iter().zip(hinted).zip(typed_date).map(kind).collect()
}

/// A number as programs write it: `-12`, `0.5`, `1e-7`. Leading zeros or a plus are how codes and telephone numbers are
/// written; a whole number too large for JavaScript is an id. Digits of a fraction beyond an f64 are given up.
pub fn number(field: &str) -> Option<Number> {
    let digits = field.strip_prefix('-').unwrap_or(field).as_bytes();
    let plain = digits
        .iter()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    let starts_well = match digits {
        [b'0', next, ..] => !next.is_ascii_digit(),
        [first, ..] => first.is_ascii_digit(),
        [] => false,
    };
    if !plain || !starts_well || digits.last() == Some(&b'.') {
        return None;
    }
    if digits.iter().all(u8::is_ascii_digit) {
        let number: i64 = field.parse().ok()?;
        // Minus nought is a float; as an integer it would lose its sign.
        return match number {
            0 if field.starts_with('-') => Some(Number::Float(-0.0)),
            _ => (number.abs() <= MAX_SAFE).then_some(Number::Int(number)),
        };
    }
    let number: f64 = field.parse().ok()?;
    let whole =
        number.fract() == 0.0 && number.abs() <= MAX_SAFE as f64 && !(number == 0.0 && number.is_sign_negative());
    match number.is_finite() {
        // JavaScript writes whole numbers as integers, however they were typed.
        true if whole => Some(Number::Int(number as i64)),
        true => Some(Number::Float(number)),
        false => None,
    }
}

/// The shortest text that reads back as the same number, without an exponent where a person would write none.
pub fn number_text(number: f64) -> String {
    match number.abs() {
        0.0 | 1e-6..1e21 => number.to_string(),
        _ => format!("{number:e}"),
    }
}

pub(super) fn checkbox(field: &str) -> Option<bool> {
    [("true", true), ("false", false)]
        .iter()
        .find(|(word, _)| field.eq_ignore_ascii_case(word))
        .map(|(_, yes)| *yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess<'a>(fields: impl Iterator<Item = &'a str>) -> Kind {
        let mut seen = Seen::nothing();
        fields.for_each(|field| seen.see(&Field::Written(field)));
        seen.kind()
    }

    #[test]
    fn what_only_looks_like_a_number_stays_text() {
        for field in [
            "007",
            "-01",
            "+49",
            "1,5",
            "1.",
            ".5",
            "1e999",
            "0x10",
            "9007199254740993",
            "inf",
            "NaN",
            "-",
            "1-2",
            "e5",
            "1 000",
        ] {
            assert_eq!(guess([field].into_iter()), Kind::Text, "{field:?}");
        }
    }

    #[test]
    fn numbers_come_back_as_they_were() {
        for field in [
            "0",
            "-0",
            "12",
            "-12",
            "0.1",
            "-122.4194155",
            "9007199254740991",
            "1e-7",
            "2.5e300",
            "0.30000000000000004",
        ] {
            assert_eq!(guess([field, " "].into_iter()), Kind::Number, "{field:?}");
            let text = match number(field).unwrap() {
                Number::Int(number) => number.to_string(),
                Number::Float(number) => number_text(number),
            };
            assert_eq!(text, field);
        }
        assert_eq!(number("12.0"), Some(Number::Int(12)));
        assert_eq!(number("1e3"), Some(Number::Int(1000)));
    }
}
