//! Conditions on rows, and which operators a kind of column has.
//!
//! A condition is compiled against its column once and then asked for every row. What does not compile (the column is
//! gone, its kind has changed) says why and holds for no row and against none: it is left out.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{Condition, Filter, Part, Skipped};
use crate::document::table::value::shortened;
use crate::document::table::{CellValue, Column, ColumnId, Kind, Number, Reading, date};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Equals,
    NotEquals,
    Contains,
    StartsWith,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Between,
    IsEmpty,
    IsNotEmpty,
    AnyOf,
    NoneOf,
}

impl Op {
    const NAMED: [(&str, Self); 13] = [
        ("equals", Self::Equals),
        ("notEquals", Self::NotEquals),
        ("contains", Self::Contains),
        ("startsWith", Self::StartsWith),
        ("less", Self::Less),
        ("lessOrEqual", Self::LessOrEqual),
        ("greater", Self::Greater),
        ("greaterOrEqual", Self::GreaterOrEqual),
        ("between", Self::Between),
        ("isEmpty", Self::IsEmpty),
        ("isNotEmpty", Self::IsNotEmpty),
        ("anyOf", Self::AnyOf),
        ("noneOf", Self::NoneOf),
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

    /// Whether cells of this kind can be asked so.
    pub fn fits(self, kind: &Kind) -> bool {
        use Kind::{Counter, Date, Link, LongText, MultiSelect, Number, Select, Text};
        match self {
            Self::IsEmpty | Self::IsNotEmpty => true,
            Self::Equals | Self::NotEquals => !matches!(kind, Kind::Other(_)),
            Self::Contains => matches!(kind, Text | LongText | MultiSelect | Link),
            Self::StartsWith => matches!(kind, Text | LongText),
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual | Self::Between => {
                matches!(kind, Number | Counter | Date)
            }
            Self::AnyOf | Self::NoneOf => matches!(kind, Text | Number | Date | Select | MultiSelect | Link | Counter),
        }
    }
}

/// A filter ready to be asked. `columns` are looked up by the caller.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Compiled {
    All(Vec<Compiled>),
    Any(Vec<Compiled>),
    Test { column: ColumnId, test: Test },
}

/// One question to a cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Empty,
    Text(Match, String),
    TextIn(BTreeSet<String>),
    /// An unticked box and an empty one are the same.
    Checkbox(bool),
    /// The number lies in this range; the flags say whether the ends belong to it.
    Range {
        low: Option<(f64, bool)>,
        high: Option<(f64, bool)>,
    },
    NumberIn(Vec<f64>),
    /// The date begins in this range; the end does not belong to it.
    Dates(Vec<(i64, i64)>),
    /// The ids of the cell and these: all equal, or at least one in common.
    IdsEqual(BTreeSet<String>),
    IdsCommon(BTreeSet<String>),
    Not(Box<Test>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Match {
    Equals,
    Contains,
    StartsWith,
}

/// Compiles filters; all of them must hold. What does not fit its column is reported and left out.
pub(super) fn compile<'c>(
    filters: &[Filter],
    find: &impl Fn(&ColumnId) -> Option<&'c Column>,
    skipped: &mut Vec<Skipped>,
) -> Vec<Compiled> {
    let one = |filter: &Filter| match filter {
        Filter::All(inside) => Some(Compiled::All(compile(inside, find, skipped))),
        Filter::Any(inside) => match compile(inside, find, skipped) {
            // Nothing is left to choose from: the question is not asked.
            left if left.is_empty() => None,
            left => Some(Compiled::Any(left)),
        },
        Filter::Test(condition) => match test(condition, find) {
            Ok(test) => Some(Compiled::Test {
                column: condition.column.clone(),
                test,
            }),
            Err(why) => {
                let part = Part::Filter;
                skipped.push(Skipped { part, why });
                None
            }
        },
    };
    filters.iter().filter_map(one).collect()
}

impl Compiled {
    /// Whether a row passes, given its cells.
    pub fn holds<'r>(&self, cell: &impl Fn(&ColumnId) -> &'r Reading) -> bool {
        match self {
            Self::All(inside) => inside.iter().all(|filter| filter.holds(cell)),
            Self::Any(inside) => inside.iter().any(|filter| filter.holds(cell)),
            Self::Test { column, test } => test.holds(cell(column)),
        }
    }

    /// The columns asked for.
    pub fn columns(&self, found: &mut BTreeSet<ColumnId>) {
        match self {
            Self::All(inside) | Self::Any(inside) => inside.iter().for_each(|filter| filter.columns(found)),
            Self::Test { column, .. } => {
                found.insert(column.clone());
            }
        }
    }
}

fn test<'c>(condition: &Condition, find: &impl Fn(&ColumnId) -> Option<&'c Column>) -> Result<Test, String> {
    let Condition { column: id, op, value } = condition;
    let column = find(id).ok_or_else(|| format!("there is no column {id}"))?;
    if !op.fits(&column.kind) {
        return Err(format!(
            "{} does not apply to column {id} ({:?}) of kind {}",
            op.name(),
            column.name,
            column.kind.as_str()
        ));
    }
    let made = match op {
        Op::IsEmpty => Some(Test::Empty),
        Op::IsNotEmpty => Some(not(Test::Empty)),
        Op::NotEquals => equals(column, value).map(not),
        Op::Equals => equals(column, value),
        Op::AnyOf => any_of(column, value),
        Op::NoneOf => any_of(column, value).map(not),
        Op::Contains if matches!(column.kind, Kind::MultiSelect | Kind::Link) => {
            value.as_str().map(|id| Test::IdsCommon([id.to_owned()].into()))
        }
        Op::Contains => value
            .as_str()
            .map(|text| Test::Text(Match::Contains, text.to_lowercase())),
        Op::StartsWith => value
            .as_str()
            .map(|text| Test::Text(Match::StartsWith, text.to_lowercase())),
        Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual => compare(column, *op, value),
        Op::Between => between(column, value),
    };
    made.ok_or_else(|| {
        format!(
            "{} on column {id} ({:?}) of kind {} cannot compare with {}",
            op.name(),
            column.name,
            column.kind.as_str(),
            shortened(value)
        )
    })
}

fn not(test: Test) -> Test {
    Test::Not(Box::new(test))
}

fn equals(column: &Column, value: &Json) -> Option<Test> {
    Some(match &column.kind {
        Kind::Text | Kind::LongText | Kind::Select => Test::Text(Match::Equals, value.as_str()?.into()),
        Kind::Checkbox => Test::Checkbox(value.as_bool()?),
        Kind::Number | Kind::Counter => Test::NumberIn(vec![value.as_f64()?]),
        Kind::Date => Test::Dates(vec![span(value)?]),
        Kind::MultiSelect | Kind::Link => Test::IdsEqual(strings(value)?),
        Kind::Other(_) => return None,
    })
}

fn any_of(column: &Column, value: &Json) -> Option<Test> {
    let list = value.as_array()?;
    Some(match &column.kind {
        Kind::Text | Kind::Select => Test::TextIn(strings(value)?),
        Kind::Number | Kind::Counter => Test::NumberIn(list.iter().map(Json::as_f64).collect::<Option<_>>()?),
        Kind::Date => Test::Dates(list.iter().map(span).collect::<Option<_>>()?),
        Kind::MultiSelect | Kind::Link => Test::IdsCommon(strings(value)?),
        Kind::Checkbox | Kind::LongText | Kind::Other(_) => return None,
    })
}

fn compare(column: &Column, op: Op, value: &Json) -> Option<Test> {
    if column.kind == Kind::Date {
        let (start, end) = span(value)?;
        let range = match op {
            Op::Less => (i64::MIN, start),
            Op::LessOrEqual => (i64::MIN, end),
            Op::Greater => (end, i64::MAX),
            _ => (start, i64::MAX),
        };
        return Some(Test::Dates(vec![range]));
    }
    let bound = value.as_f64()?;
    let (low, high) = match op {
        Op::Less => (None, Some((bound, false))),
        Op::LessOrEqual => (None, Some((bound, true))),
        Op::Greater => (Some((bound, false)), None),
        _ => (Some((bound, true)), None),
    };
    Some(Test::Range { low, high })
}

/// Both ends belong to it.
fn between(column: &Column, value: &Json) -> Option<Test> {
    let [low, high] = value.as_array()?.as_slice() else {
        return None;
    };
    Some(match column.kind {
        Kind::Date => Test::Dates(vec![(span(low)?.0, span(high)?.1)]),
        _ => Test::Range {
            low: Some((low.as_f64()?, true)),
            high: Some((high.as_f64()?, true)),
        },
    })
}

fn span(value: &Json) -> Option<(i64, i64)> {
    let stretch = date::parse(value.as_str()?)?;
    Some((stretch.start, stretch.end))
}

fn strings(value: &Json) -> Option<BTreeSet<String>> {
    let list = value.as_array()?;
    list.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

impl Test {
    /// A cell that is empty or does not fit its column passes no question but the negative ones.
    fn holds(&self, reading: &Reading) -> bool {
        match (self, reading.value()) {
            (Self::Not(test), _) => !test.holds(reading),
            (Self::Empty, _) => reading.is_empty(),
            (Self::Checkbox(wanted), None) => reading.is_empty() && !wanted,
            (Self::Checkbox(wanted), Some(CellValue::Checkbox(yes))) => yes == wanted,
            (_, None) => false,
            (Self::Text(how, wanted), Some(value)) => text(value).is_some_and(|text| match how {
                Match::Equals => text == wanted,
                Match::Contains => text.to_lowercase().contains(wanted.as_str()),
                Match::StartsWith => text.to_lowercase().starts_with(wanted.as_str()),
            }),
            (Self::TextIn(wanted), Some(value)) => text(value).is_some_and(|text| wanted.contains(text)),
            (Self::Range { low, high }, Some(value)) => number(value).is_some_and(|number| {
                let above = low.is_none_or(|(low, with)| number > low || (with && number == low));
                let below = high.is_none_or(|(high, with)| number < high || (with && number == high));
                above && below
            }),
            (Self::NumberIn(wanted), Some(value)) => number(value).is_some_and(|number| wanted.contains(&number)),
            (Self::Dates(ranges), Some(CellValue::Date(text))) => date::parse(text).is_some_and(|date| {
                let within = |(from, to): &(i64, i64)| (*from..*to).contains(&date.start);
                ranges.iter().any(within)
            }),
            (Self::IdsEqual(wanted), Some(CellValue::MultiSelect(ids) | CellValue::Link(ids))) => ids == wanted,
            (Self::IdsCommon(wanted), Some(CellValue::MultiSelect(ids) | CellValue::Link(ids))) => {
                !ids.is_disjoint(wanted)
            }
            // One column has one kind.
            _ => false,
        }
    }
}

fn text(value: &CellValue) -> Option<&str> {
    match value {
        CellValue::Text(text) | CellValue::LongText(text) | CellValue::Select(text) => Some(text),
        _ => None,
    }
}

fn number(value: &CellValue) -> Option<f64> {
    match value {
        CellValue::Number(number) => Some(number.as_f64()),
        CellValue::Counter(number) => Some(Number::Int(*number).as_f64()),
        _ => None,
    }
}
