//! ISO 8601 days and times, as far as tables have them.
//!
//! A date cell keeps the text somebody wrote. To compare and sort, a text is read as the stretch of time it names: a day
//! is 24 hours long, a time one millisecond. So `2026-01-31` equals every time of that day, and what is later than a day
//! is later than its end. A time without a zone counts as UTC; there is no other zone that all readers share.

/// A stretch of time in milliseconds since 1970, UTC; `end` is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    pub start: i64,
    pub end: i64,
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Reads `2026-01-31`, or with a time `2026-01-31T10:00`, with seconds, their fraction (1 to 9 digits) and a zone (`Z`,
/// `+02:00`) as they please. `None` for everything else, also for days that do not exist.
pub fn parse(text: &str) -> Option<Stretch> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let midnight = day(date)? * DAY;
    Some(match time {
        None => Stretch {
            start: midnight,
            end: midnight + DAY,
        },
        Some(time) => {
            let start = midnight + time_of_day(time)?;
            Stretch { start, end: start + 1 }
        }
    })
}

/// Days since 1970 of a day that exists.
fn day(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let (year, month, day) = (
        digits(parts.next()?, 4)?,
        digits(parts.next()?, 2)?,
        digits(parts.next()?, 2)?,
    );
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if parts.next().is_some() || !(1..=length).contains(&day) {
        return None;
    }
    // Years begin in March here, so that the leap day is the last of its year; eras of 400 years are all equally long.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Milliseconds since midnight, moved to UTC.
fn time_of_day(text: &str) -> Option<i64> {
    let zone = text.find(['Z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(zone);
    let offset = match zone.as_bytes().first() {
        None => 0,
        Some(b'Z') if zone.len() == 1 => 0,
        Some(b'+') => hours_and_minutes(&zone[1..])?,
        Some(b'-') => -hours_and_minutes(&zone[1..])?,
        Some(_) => return None,
    };
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (clock, None),
    };
    let (minutes, seconds) = match clock.len() {
        8 => (&clock[..5], Some(clock[5..].strip_prefix(':')?)),
        _ => (clock, None),
    };
    let mut milliseconds = hours_and_minutes(minutes)?;
    if let Some(seconds) = seconds {
        // 60 is a leap second.
        milliseconds += digits(seconds, 2).filter(|seconds| *seconds <= 60)? * 1000;
    }
    if let Some(fraction) = fraction {
        seconds?;
        let fits = (1..=9).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
        let padded: String = fraction.chars().chain("00".chars()).take(3).collect();
        milliseconds += fits.then(|| padded.parse::<i64>().ok())??;
    }
    Some(milliseconds - offset)
}

fn hours_and_minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some(hours * HOUR + minutes * MINUTE)
}

/// A number of exactly so many digits.
fn digits(text: &str, length: usize) -> Option<i64> {
    let fits = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(text: &str) -> i64 {
        parse(text).expect(text).start
    }

    #[test]
    fn days_and_times_are_found_on_the_line_of_time() {
        assert_eq!(start("1970-01-01"), 0);
        assert_eq!(start("2000-02-29"), 951_782_400_000);
        assert_eq!(start("1969-12-31"), -DAY);
        assert_eq!(start("2026-01-31T10:00:00Z") - start("2026-01-31"), 10 * HOUR);
        assert_eq!(start("2026-01-31T10:00"), start("2026-01-31T10:00:00.000Z"));
        assert_eq!(start("2026-01-31T10:00+02:00"), start("2026-01-31T08:00Z"));
        assert_eq!(start("2026-01-31T10:00:00.5Z") - start("2026-01-31T10:00:00Z"), 500);
        assert_eq!(parse("2026-01-31").map(|day| day.end - day.start), Some(DAY));
        // Every day of four centuries follows the one before.
        let mut next = start("1900-01-01");
        for year in 1900..2300 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(found) = parse(&format!("{year:04}-{month:02}-{day:02}")) {
                        assert_eq!(found.start, next);
                        next = found.end;
                    }
                }
            }
        }
        assert_eq!(next, start("2300-01-01"));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-1-1",
            "2026-01-31T",
            "2026-01-31T25:00",
            "2026-01-31 10:00",
            "2026-01-31T10:00:61Z",
            "2026-01-31T10:00.5",
            "2026-01-31T10:00:00.Z",
            "2026-01-31T10:00:00Zulu",
            "2026-01-01-01",
            "31.01.2026",
            "٢٠٢٦-01-01",
            "2026-01-31T1é:00:00",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
