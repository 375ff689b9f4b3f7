//! The order of values, kind by kind.
//!
//! Empty cells stand last in either direction, and what does not fit the column's kind stands just before them: both are
//! things to be looked at, not values.

use std::cmp::Ordering;

use crate::document::table::{CellValue, Column, Number, Reading, SelectOption, date};

/// A cell made comparable with others of its column. Many of these are kept, so they are without room to grow.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SortKey {
    Number(Number),
    Checkbox(bool),
    /// Without regard to case first, then as written.
    Text(Box<str>, Box<str>),
    /// Where the text begins on the line of time, then as written.
    Date(i64, Box<str>),
    /// Positions among the column's options.
    Options(Box<[usize]>),
    Ids(Box<[String]>),
    Mismatch(Box<str>),
    Empty,
}

impl SortKey {
    pub fn of(column: &Column, reading: &Reading) -> Self {
        let value = match reading {
            Reading::Empty => return Self::Empty,
            Reading::Mismatch(cell) => return Self::Mismatch(cell.to_json().to_string().into()),
            Reading::Value(value) => value,
        };
        match value {
            CellValue::Text(text) | CellValue::LongText(text) => {
                Self::Text(text.to_lowercase().into(), text.as_str().into())
            }
            CellValue::Number(number) => Self::Number(*number),
            CellValue::Counter(number) => Self::Number(Number::Int(*number)),
            CellValue::Checkbox(yes) => Self::Checkbox(*yes),
            CellValue::Date(text) => Self::Date(date::parse(text).map_or(0, |date| date.start), text.as_str().into()),
            CellValue::Select(id) => Self::Options([position(&column.options, id)].into()),
            CellValue::MultiSelect(ids) => {
                let mut positions: Vec<_> = ids.iter().map(|id| position(&column.options, id)).collect();
                positions.sort_unstable();
                Self::Options(positions.into())
            }
            CellValue::Link(ids) => Self::Ids(ids.iter().cloned().collect()),
        }
    }

    /// The order of two cells of one column.
    pub fn compare(&self, other: &Self, descending: bool) -> Ordering {
        let by_rank = self.rank().cmp(&other.rank());
        by_rank.then_with(|| {
            let by_value = match (self, other) {
                (Self::Number(a), Self::Number(b)) => a.total_cmp(*b),
                (Self::Checkbox(a), Self::Checkbox(b)) => a.cmp(b),
                (Self::Text(a, raw_a), Self::Text(b, raw_b)) => (a, raw_a).cmp(&(b, raw_b)),
                (Self::Date(a, raw_a), Self::Date(b, raw_b)) => (a, raw_a).cmp(&(b, raw_b)),
                (Self::Options(a), Self::Options(b)) => a.cmp(b),
                (Self::Ids(a), Self::Ids(b)) => a.cmp(b),
                (Self::Mismatch(a), Self::Mismatch(b)) => a.cmp(b),
                // One column has one kind.
                _ => Ordering::Equal,
            };
            if descending { by_value.reverse() } else { by_value }
        })
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Mismatch(_) => 1,
            Self::Empty => 2,
            _ => 0,
        }
    }
}

fn position(options: &[SelectOption], id: &str) -> usize {
    options
        .iter()
        .position(|option| option.id == id)
        .unwrap_or(options.len())
}
