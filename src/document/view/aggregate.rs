//! Counts, sums and the like over the rows of a view or of a group.

use serde_json::{Value as Json, json};

use super::compare::SortKey;
use crate::document::table::{CellValue, Kind, Number, Reading};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateOp {
    /// Rows.
    Count,
    /// Rows whose cell is not empty.
    CountFilled,
    Sum,
    Min,
    Max,
    Average,
}

impl AggregateOp {
    const NAMED: [(&str, Self); 6] = [
        ("count", Self::Count),
        ("countFilled", Self::CountFilled),
        ("sum", Self::Sum),
        ("min", Self::Min),
        ("max", Self::Max),
        ("average", Self::Average),
    ];

    pub fn parse(text: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(name, _)| *name == text).map(|(_, op)| *op)
    }

    pub fn name(self) -> &'static str {
        Self::NAMED
            .iter()
            .find(|(_, op)| *op == self)
            .map_or("", |(name, _)| name)
    }

    /// All names, for a message.
    pub fn names() -> String {
        Self::NAMED.map(|(name, _)| name).join(", ")
    }

    pub fn fits(self, kind: &Kind) -> bool {
        match self {
            Self::Count | Self::CountFilled => true,
            Self::Sum | Self::Average => matches!(kind, Kind::Number | Kind::Counter),
            Self::Min | Self::Max => matches!(kind, Kind::Number | Kind::Counter | Kind::Date),
        }
    }

    /// The aggregate of some cells of one column: a number, a date for the least and greatest of dates, `null` where there
    /// is nothing to take it of. Empty cells and those that do not fit their column count as rows only.
    pub(super) fn over<'r>(self, readings: impl Iterator<Item = (&'r Reading, &'r SortKey)>) -> Json {
        match self {
            Self::Count => json!(readings.count()),
            Self::CountFilled => json!(readings.filter(|(reading, _)| !reading.is_empty()).count()),
            Self::Sum => sum(numbers(readings)).0,
            Self::Average => match sum(numbers(readings)) {
                (_, 0, _) => Json::Null,
                (_, count, total) => Number::from_f64(total / count as f64).to_json(),
            },
            Self::Min => extreme(readings, false),
            Self::Max => extreme(readings, true),
        }
    }
}

fn numbers<'r>(readings: impl Iterator<Item = (&'r Reading, &'r SortKey)>) -> impl Iterator<Item = Number> {
    readings.filter_map(|(reading, _)| match reading.value() {
        Some(CellValue::Number(number)) => Some(*number),
        Some(CellValue::Counter(number)) => Some(Number::Int(*number)),
        _ => None,
    })
}

/// The sum as JSON, how many there were, and the sum as a float. Whole numbers are added exactly, the others with the
/// error carried along (Neumaier), so that 0.1 ten times is 1.
fn sum(numbers: impl Iterator<Item = Number>) -> (Json, usize, f64) {
    let (mut whole, mut total, mut error, mut count) = (0_i128, 0.0_f64, 0.0_f64, 0);
    for number in numbers {
        count += 1;
        match number {
            Number::Int(number) => whole += i128::from(number),
            Number::Float(number) => {
                let next = total + number;
                error += match total.abs() >= number.abs() {
                    true => (total - next) + number,
                    false => (number - next) + total,
                };
                total = next;
            }
        }
    }
    let fraction = total + error;
    let both = whole as f64 + fraction;
    let json = match i64::try_from(whole) {
        Ok(whole) if fraction == 0.0 => json!(whole),
        _ => Number::from_f64(both).to_json(),
    };
    (json, count, both)
}

fn extreme<'r>(readings: impl Iterator<Item = (&'r Reading, &'r SortKey)>, greatest: bool) -> Json {
    readings
        .filter(|(reading, _)| reading.value().is_some())
        .min_by(|(_, a), (_, b)| a.compare(b, greatest))
        .map_or(Json::Null, |(reading, _)| reading.to_json())
}
