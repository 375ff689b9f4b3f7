//! What the fields of a column are: numbers, checkboxes, dates, or text.
//!
//! A column has a kind other than text only if all its fields have it and nothing is lost by it: what is typed wrongly
//! at import (a postcode that loses its zero, an id that is rounded) is noticed months later. Fields of blanks only are
//! empty cells in such a column.

use super::super::table::{Kind, Value};

/// The largest whole number that JavaScript holds exactly.
const MAX_SAFE: i64 = (1 << 53) - 1;

pub(super) fn guess<'a>(fields: impl Iterator<Item = &'a str>) -> Kind {
    let (mut number, mut checkbox, mut date, mut any) = (true, true, true, false);
    for field in fields.map(str::trim).filter(|field| !field.is_empty()) {
        any = true;
        number = number && self::number(field).is_some();
        checkbox = checkbox && self::checkbox(field).is_some();
        date = date && is_date(field);
        if !(number || checkbox || date) {
            return Kind::Text;
        }
    }
    match () {
        _ if !any => Kind::Text,
        _ if number => Kind::Number,
        _ if checkbox => Kind::Checkbox,
        _ => Kind::Date,
    }
}

/// The cell a field makes in a column of this kind, which was guessed from this field among others.
pub(super) fn value(field: &str, kind: &Kind) -> Option<Value> {
    let typed = field.trim();
    match kind {
        Kind::Number => number(typed),
        Kind::Checkbox => checkbox(typed),
        Kind::Date => (!typed.is_empty()).then(|| Value::Text(typed.into())),
        _ => (!field.is_empty()).then(|| Value::Text(field.into())),
    }
}

/// A number as programs write it: `-12`, `0.5`, `1e-7`. Leading zeros or a plus are how codes and telephone numbers are
/// written; a whole number too large for JavaScript is an id. Digits of a fraction beyond an f64 are given up.
fn number(field: &str) -> Option<Value> {
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
            0 if field.starts_with('-') => Some(Value::Float(-0.0)),
            _ => (number.abs() <= MAX_SAFE).then_some(Value::Int(number)),
        };
    }
    let number: f64 = field.parse().ok()?;
    let whole =
        number.fract() == 0.0 && number.abs() <= MAX_SAFE as f64 && !(number == 0.0 && number.is_sign_negative());
    match number.is_finite() {
        // JavaScript writes whole numbers as integers, however they were typed.
        true if whole => Some(Value::Int(number as i64)),
        true => Some(Value::Float(number)),
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

fn checkbox(field: &str) -> Option<Value> {
    [("true", true), ("false", false)]
        .iter()
        .find(|(word, _)| field.eq_ignore_ascii_case(word))
        .map(|(_, yes)| Value::Bool(*yes))
}

/// ISO 8601: `2026-01-31`, or with a time `2026-01-31T10:00`, seconds, their fraction and a zone as they please.
fn is_date(field: &str) -> bool {
    let (date, time) = match field.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (field, None),
    };
    is_day(date) && time.is_none_or(is_time)
}

fn is_day(date: &str) -> bool {
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    let (Some(year), Some(month), Some(day)) = (fixed(year, 4), fixed(month, 2), fixed(day, 2)) else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

fn is_time(time: &str) -> bool {
    let zone = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone);
    let zone_fits = match zone.strip_prefix(['+', '-']) {
        Some(offset) => is_clock(offset.split(':')),
        None => matches!(zone, "" | "Z"),
    };
    let (clock, fraction) = clock
        .split_once('.')
        .map_or((clock, None), |(clock, fraction)| (clock, Some(fraction)));
    let fraction_fits = fraction.is_none_or(|digits| {
        clock.len() == 8 && (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    zone_fits && fraction_fits && is_clock(clock.split(':'))
}

/// Hours and minutes, seconds if given (60 is a leap second).
fn is_clock<'a>(parts: impl Iterator<Item = &'a str>) -> bool {
    let parts: Option<Vec<u32>> = parts.map(|part| fixed(part, 2)).collect();
    match parts.as_deref() {
        Some([hour, minute]) => *hour < 24 && *minute < 60,
        Some([hour, minute, second]) => *hour < 24 && *minute < 60 && *second <= 60,
        _ => false,
    }
}

/// A number of exactly so many digits.
fn fixed(digits: &str, length: usize) -> Option<u32> {
    let fits = digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| digits.parse().expect("few digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
                Value::Int(number) => number.to_string(),
                Value::Float(number) => number_text(number),
                other => panic!("{field}: {other:?}"),
            };
            assert_eq!(text, field);
        }
        assert_eq!(number("12.0"), Some(Value::Int(12)));
        assert_eq!(number("1e3"), Some(Value::Int(1000)));
    }

    #[test]
    fn dates_are_real_days() {
        for field in [
            "2024-02-29",
            "2026-01-31",
            "2026-01-31T23:59",
            "2026-01-31T23:59:60Z",
            "2026-01-31T10:00:00.123+02:00",
        ] {
            assert!(is_date(field), "{field}");
        }
        for field in [
            "2023-02-29",
            "2026-13-01",
            "2026-1-1",
            "31.01.2026",
            "2026-01-31T24:00",
            "2026-01-31T10",
            "2026-01-31T",
            "2026-01-31T10:00.5",
            "2026-01-31 10:00",
        ] {
            assert!(!is_date(field), "{field}");
        }
    }
}
