//! Dates as spreadsheets keep them: numbers of days, and formats that show them.
//!
//! Day 1 is 1900-01-01. Day 60 is a 29th of February 1900 that never was, so that all days before it are one off.

/// What a number format shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::document) enum Shape {
    Number,
    /// A day without a time.
    Day,
    /// A day and a time to the minute.
    Minute,
    /// A day and a time to the second.
    Second,
    /// A time of day.
    Clock,
    /// Hours, minutes and seconds that have passed.
    Elapsed,
}

const DAY: i64 = 86_400_000;

/// The last day that spreadsheets know, 9999-12-31.
const LAST_DAY: f64 = 2_958_465.0;

/// From 1900 to 1904.
const EPOCHS: f64 = 1462.0;

/// What the formats show that need no code.
pub(super) fn builtin_shape(id: u32) -> Shape {
    match id {
        14..=17 => Shape::Day,
        18..=21 => Shape::Clock,
        22 => Shape::Minute,
        27..=31 | 36 | 50..=54 | 57 | 58 => Shape::Day,
        32..=35 | 55 | 56 => Shape::Clock,
        45 | 47 => Shape::Clock,
        46 => Shape::Elapsed,
        _ => Shape::Number,
    }
}

/// What a format's code shows: letters of days and times outside of quotes, brackets and escapes.
pub(super) fn shape_of(code: &str) -> Shape {
    // The first section is that of positive numbers.
    let (mut day, mut hour, mut second) = (false, false, false);
    let mut letters = code.chars();
    while let Some(letter) = letters.next() {
        match letter.to_ascii_lowercase() {
            '"' => {
                letters.by_ref().find(|letter| *letter == '"');
            }
            '\\' | '_' | '*' => {
                letters.next();
            }
            '[' => {
                let inside: String = letters.by_ref().take_while(|letter| *letter != ']').collect();
                let inside = inside.to_ascii_lowercase();
                let all = |of: char| !inside.is_empty() && inside.chars().all(|letter| letter == of);
                if all('h') || all('m') || all('s') {
                    return Shape::Elapsed;
                }
            }
            ';' => break,
            // `General` and `E+` are no dates; a month alone goes with a year or a day.
            'g' if code.to_ascii_lowercase().contains("general") => return Shape::Number,
            '0' | '#' | '?' if !(day || hour || second) => return Shape::Number,
            'y' | 'd' => day = true,
            'h' => hour = true,
            's' => second = true,
            _ => {}
        }
    }
    // Minutes alone cannot be told from months.
    let month = code
        .split(';')
        .next()
        .is_some_and(|code| code.to_ascii_lowercase().contains("mmm"));
    match (day || month, hour, second) {
        (true, _, true) => Shape::Second,
        (true, true, false) => Shape::Minute,
        (true, false, false) => Shape::Day,
        (false, true, _) | (false, _, true) => Shape::Clock,
        (false, false, false) => Shape::Number,
    }
}

/// What a number shows in such a format, in ISO 8601. A time that the format hides is shown all the same.
pub(super) enum Shown {
    Date(String),
    /// A time of day, or a span of time; a table has no kind for these.
    Text(String),
    Number,
}

pub(super) fn show(serial: f64, shape: Shape, since_1904: bool) -> Shown {
    let milliseconds = (serial * DAY as f64).round();
    if shape == Shape::Number || !milliseconds.is_finite() || milliseconds.abs() > LAST_DAY * DAY as f64 {
        return Shown::Number;
    }
    match shape {
        Shape::Elapsed => return Shown::Text(clock(milliseconds as i64)),
        Shape::Clock if (0.0..1.0).contains(&serial) => return Shown::Text(clock(milliseconds as i64)),
        _ => {}
    }
    let serial = if since_1904 { serial + EPOCHS } else { serial };
    let days = serial.floor();
    let of_day = ((serial - days) * DAY as f64).round() as i64;
    let (days, of_day) = (days as i64 + of_day / DAY, of_day % DAY);
    if !(1..=LAST_DAY as i64).contains(&days) || days == 60 {
        return Shown::Number;
    }
    let day = civil(days + i64::from(days < 60) - 25_569);
    Shown::Date(match (shape, of_day) {
        (Shape::Day, 0) => day,
        (Shape::Minute, time) if time % 60_000 == 0 => format!("{day}T{}", &clock(time)[..5]),
        (_, time) => format!("{day}T{}", clock(time)),
    })
}

fn clock(milliseconds: i64) -> String {
    let sign = if milliseconds < 0 { "-" } else { "" };
    let time = milliseconds.abs();
    let (hours, minutes, seconds) = (time / 3_600_000, time / 60_000 % 60, time / 1000 % 60);
    match time % 1000 {
        0 => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
        rest => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}.{rest:03}"),
    }
}

/// The day that is so many days after 1970-01-01.
fn civil(days: i64) -> String {
    // Years begin in March here, so that the leap day is the last of its year.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::table::date;

    fn shown(serial: f64, shape: Shape) -> String {
        match show(serial, shape, false) {
            Shown::Date(text) | Shown::Text(text) => text,
            Shown::Number => "number".into(),
        }
    }

    #[test]
    fn days_and_times_are_those_a_spreadsheet_shows() {
        assert_eq!(shown(1.0, Shape::Day), "1900-01-01");
        assert_eq!(shown(59.0, Shape::Day), "1900-02-28");
        assert_eq!(shown(60.0, Shape::Day), "number");
        assert_eq!(shown(61.0, Shape::Day), "1900-03-01");
        assert_eq!(shown(25_569.0, Shape::Day), "1970-01-01");
        assert_eq!(shown(2_958_465.0, Shape::Day), "9999-12-31");
        assert_eq!(shown(46_053.5, Shape::Day), "2026-01-31T12:00:00");
        assert_eq!(shown(46_053.5, Shape::Minute), "2026-01-31T12:00");
        assert_eq!(shown(46_053.999_999_999, Shape::Second), "2026-02-01T00:00:00");
        assert_eq!(shown(0.25, Shape::Clock), "06:00:00");
        assert_eq!(shown(1.5, Shape::Elapsed), "36:00:00");
        for serial in [-1.0, 0.0, 1e300, f64::NAN, f64::INFINITY] {
            assert_eq!(shown(serial, Shape::Day), "number");
        }
        assert!(matches!(show(0.0, Shape::Day, true), Shown::Date(day) if day == "1904-01-01"));
        for serial in 61..100_000 {
            let day = shown(f64::from(serial), Shape::Day);
            let start = date::parse(&day).expect(&day).start;
            assert_eq!(start, (i64::from(serial) - 25_569) * DAY, "{day}");
        }
    }

    #[test]
    fn formats_are_told_by_their_letters() {
        for (code, shape) in [
            ("General", Shape::Number),
            ("0.00E+00", Shape::Number),
            ("#,##0.00 \"days\"", Shape::Number),
            ("[Red]0", Shape::Number),
            ("yyyy-mm-dd", Shape::Day),
            ("[$-409]d\\-mmm\\-yy;@", Shape::Day),
            ("dd/mm/yyyy hh:mm", Shape::Minute),
            ("yyyy\\-mm\\-dd\\Thh:mm:ss", Shape::Second),
            ("h:mm AM/PM", Shape::Clock),
            ("mm:ss", Shape::Clock),
            ("[h]:mm:ss", Shape::Elapsed),
            ("mmm", Shape::Day),
            ("@", Shape::Number),
        ] {
            assert_eq!(shape_of(code), shape, "{code}");
        }
    }
}
