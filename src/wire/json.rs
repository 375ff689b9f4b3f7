//! From CBOR as JavaScript writes it to JSON and back, for people and programs that are present over HTTP.
//!
//! What is read is for reading, not for sending back: `undefined` becomes null (and its key is left out of a map, as
//! JSON.stringify does), a Date its ISO 8601 text, bytes `{"$bytes": length}`, an integer that JavaScript numbers cannot
//! hold its digits as text, NaN and the infinities null, text with lone surrogates the same text with U+FFFD.

use super::cbor::Raw;
use minicbor::Encoder;
use serde_json::{Map, Value, json};

/// The largest whole number a JavaScript number holds exactly.
const MAX_SAFE_INTEGER: i128 = (1 << 53) - 1;

/// Why a value has no JSON form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotJson {
    #[error("it holds too many values")]
    TooLarge,
    #[error("a key is neither text nor a number")]
    Key,
    #[error("a simple value without a meaning")]
    Simple,
}

/// The value in JSON. Its depth is that of the item, thus at most [`super::cbor::MAX_DEPTH`]. `left` is how many values
/// may still be made, and is counted down: each takes 32 bytes or more for as little as one byte of CBOR.
pub fn to_json(item: Raw<'_>, left: &mut usize) -> Result<Value, NotJson> {
    *left = left.checked_sub(1).ok_or(NotJson::TooLarge)?;
    if let Some(integer) = item.integer() {
        return Ok(whole(integer));
    }
    if let Some((tag, within)) = item.tag() {
        return match (tag, within.float().and_then(iso_8601)) {
            (1, Some(date)) => Ok(date.into()),
            _ => to_json(within, left),
        };
    }
    if let Some(text) = item.text_bytes() {
        return Ok(String::from_utf8_lossy(text).into());
    }
    if let Some(bytes) = item.byte_string() {
        return Ok(json!({ "$bytes": bytes.len() }));
    }
    if let Some(items) = item.items() {
        return items.map(|item| to_json(item, left)).collect();
    }
    if let Some(entries) = item.entries() {
        let mut map = Map::new();
        for (key, value) in entries.filter(|(_, value)| !value.is_undefined()) {
            map.insert(key_text(key)?, to_json(value, left)?);
        }
        return Ok(map.into());
    }
    match (item.is_nothing(), item.boolean(), item.float()) {
        (true, ..) => Ok(Value::Null),
        (_, Some(boolean), _) => Ok(boolean.into()),
        // No number in JSON is infinite or NaN; the conversion makes null of them.
        (_, _, Some(float)) => Ok(number(float)),
        _ => Err(NotJson::Simple),
    }
}

/// A value as JavaScript would write it: whole numbers beyond 32 bits as floats, since those that take eight bytes are read
/// as BigInt.
pub fn to_cbor(value: &Value) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    write(&mut out, value).expect("writing into memory cannot fail");
    out.into_writer()
}

fn write(out: &mut Encoder<Vec<u8>>, value: &Value) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
    match value {
        Value::Null => out.null()?.ok(),
        Value::Bool(flag) => out.bool(*flag)?.ok(),
        Value::Number(n) => match n.as_i64().filter(|n| n.unsigned_abs() <= u64::from(u32::MAX)) {
            Some(n) => out.i64(n)?.ok(),
            None => out.f64(n.as_f64().unwrap_or(f64::NAN))?.ok(),
        },
        Value::String(text) => out.str(text)?.ok(),
        Value::Array(items) => {
            out.array(items.len() as u64)?;
            items.iter().try_for_each(|item| write(out, item))
        }
        Value::Object(fields) => {
            out.map(fields.len() as u64)?;
            fields.iter().try_for_each(|(key, value)| write(out.str(key)?, value))
        }
    }
}

fn key_text(key: Raw<'_>) -> Result<String, NotJson> {
    match (key.text_bytes(), key.float()) {
        (Some(text), _) => Ok(String::from_utf8_lossy(text).into_owned()),
        (_, Some(float)) => Ok(number(float).to_string()),
        _ => Err(NotJson::Key),
    }
}

/// JavaScript sends whole numbers beyond 32 bits as floats; they read better as `1700000000000` than with a point.
fn number(float: f64) -> Value {
    match float.fract() == 0.0 && float.abs() <= MAX_SAFE_INTEGER as f64 {
        true => (float as i64).into(),
        false => float.into(),
    }
}

fn whole(integer: i128) -> Value {
    match i64::try_from(integer) {
        Ok(small) if integer.abs() <= MAX_SAFE_INTEGER => small.into(),
        _ => integer.to_string().into(),
    }
}

/// `2023-11-14T22:13:20.000Z` from seconds since 1970; none outside the years 0 to 9999.
fn iso_8601(seconds: f64) -> Option<String> {
    let milliseconds = (seconds * 1000.0).round();
    // 0000-01-01 and 9999-12-31T23:59:59.999.
    let years = (-62_167_219_200_000.0..=253_402_300_799_999.0).contains(&milliseconds);
    let milliseconds = years.then_some(milliseconds as i64)?;
    let (days, of_day) = (milliseconds.div_euclid(86_400_000), milliseconds.rem_euclid(86_400_000));
    let (year, month, day) = civil_from_days(days);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, millisecond) = (of_day / 1000 % 60, of_day % 1000);
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z"
    ))
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar. The year is taken to
/// begin in March, so that the leap day is its last; 400 years are 146,097 days.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let since_march_0000 = days + 719_468;
    let (era, day_of_era) = (
        since_march_0000.div_euclid(146_097),
        since_march_0000.rem_euclid(146_097),
    );
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json_of(bytes: &[u8]) -> Result<Value, NotJson> {
        to_json(Raw::parse(bytes).unwrap(), &mut 1000)
    }

    #[test]
    fn what_is_written_reads_back() {
        let value =
            json!({ "n": [0, -7, u32::MAX, 1_700_000_000_000_i64, 0.5], "s": "ü", "o": { "t": true, "z": null } });
        assert_eq!(json_of(&to_cbor(&value)), Ok(value));
        // A float, as JavaScript writes it: eight bytes of integer would come out as BigInt.
        assert_eq!(to_cbor(&json!(1_i64 << 32))[0], 0xfb);
    }

    #[test]
    fn dates_read_as_javascript_prints_them() {
        assert_eq!(
            json_of(&[0xc1, 0x1a, 0x65, 0x53, 0xf1, 0x00]),
            Ok(json!("2023-11-14T22:13:20.000Z"))
        );
        for (seconds, text) in [
            (0.0, "1970-01-01T00:00:00.000Z"),
            (-0.001, "1969-12-31T23:59:59.999Z"),
            (951_782_400.0, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199.5, "2024-02-29T23:59:59.500Z"),
            (-2_203_891_200.0, "1900-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(iso_8601(seconds).as_deref(), Some(text));
        }
        assert_eq!(iso_8601(f64::NAN), None);
        assert_eq!(iso_8601(1e300), None);
    }

    #[test]
    fn what_json_cannot_say_is_said_in_another_way() {
        assert_eq!(json_of(&[0x43, 1, 2, 3]), Ok(json!({ "$bytes": 3 })));
        assert_eq!(json_of(&[0xf7]), Ok(Value::Null));
        assert_eq!(
            json_of(&[0xa2, 0x61, 0x61, 0xf7, 0x61, 0x62, 0xf6]),
            Ok(json!({ "b": null }))
        );
        assert_eq!(json_of(&[0xf9, 0x7e, 0x00]), Ok(Value::Null));
        assert_eq!(
            json_of(&[0x63, 0xed, 0xa0, 0x80]),
            Ok(json!("\u{fffd}\u{fffd}\u{fffd}"))
        );
        assert_eq!(
            json_of(&[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Ok(json!("18446744073709551615"))
        );
        assert_eq!(
            json_of(&[0xfb, 0x42, 0x78, 0xbc, 0xfe, 0x56, 0x80, 0, 0]),
            Ok(json!(1_700_000_000_000_u64))
        );
        assert_eq!(json_of(&[0xa1, 0x01, 0x02]), Ok(json!({ "1": 2 })));
        assert_eq!(json_of(&[0xa1, 0x80, 0x02]), Err(NotJson::Key));
        assert_eq!(json_of(&[0xe0]), Err(NotJson::Simple));
        // A Map (tag 259) and a Set (tag 258) of JavaScript.
        assert_eq!(
            json_of(&[0xd9, 0x01, 0x03, 0xa1, 0x61, 0x61, 0x01]),
            Ok(json!({ "a": 1 }))
        );
        assert_eq!(json_of(&[0xd9, 0x01, 0x02, 0x82, 0x01, 0x20]), Ok(json!([1, -1])));
    }

    #[test]
    fn a_small_item_of_many_values_is_refused() {
        let many = [vec![0x99, 0x20, 0x00], vec![0x01; 0x2000]].concat();
        assert_eq!(json_of(&many), Err(NotJson::TooLarge));
    }
}
