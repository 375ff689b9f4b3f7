//! Numbers as cells hold them: whole or floating, on one line.

use std::cmp::Ordering;

use serde_json::{Value as Json, json};

/// Whole numbers up to this are exact in every reader, a JavaScript one included.
pub const MAX_SAFE: i64 = 9_007_199_254_740_991;

/// A number of either encoding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    /// A whole float within the exact range becomes an integer: JavaScript writes it so, and JSON shows it so.
    pub fn from_f64(number: f64) -> Self {
        let whole = number.fract() == 0.0 && number.abs() <= MAX_SAFE as f64;
        match whole && !(number == 0.0 && number.is_sign_negative()) {
            true => Self::Int(number as i64),
            false => Self::Float(number),
        }
    }

    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    /// The order of numbers of both encodings on one line.
    pub fn total_cmp(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(&b),
            (Self::Int(a), Self::Float(b)) => whole_and_float(a, b),
            (Self::Float(a), Self::Int(b)) => whole_and_float(b, a).reverse(),
            // Negative zero is no other number.
            (Self::Float(a), Self::Float(b)) if a == b => Ordering::Equal,
            (Self::Float(a), Self::Float(b)) => a.total_cmp(&b),
        }
    }

    pub fn to_json(self) -> Json {
        match self {
            Self::Int(number) => json!(number),
            Self::Float(number) => match Self::from_f64(number) {
                Self::Int(number) => json!(number),
                Self::Float(number) => json!(number),
            },
        }
    }

    /// The number, if every reader can hold it exactly as written: a float, or a whole number that is not too large.
    pub(super) fn exact(number: &serde_json::Number) -> Option<Self> {
        if number.is_i64() || number.is_u64() {
            return number
                .as_i64()
                .filter(|number| number.unsigned_abs() <= MAX_SAFE as u64)
                .map(Self::Int);
        }
        number.as_f64().filter(|number| number.is_finite()).map(Self::from_f64)
    }
}

/// Rounding keeps the order of numbers but makes some of them equal; those are compared without it. Otherwise 2^53 and
/// 2^53 + 1 would both equal the float and not each other, and lists sorted so could not be searched.
fn whole_and_float(whole: i64, float: f64) -> Ordering {
    match whole as f64 {
        rounded if rounded == float => i128::from(whole).cmp(&(float as i128)),
        rounded => rounded.total_cmp(&float),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2^53 + 1 has no float of its own: rounded, it equalled 2^53 as a float, which equals 2^53, which is less.
    #[test]
    fn numbers_beyond_the_exact_range_are_in_one_order() {
        let two_53 = 1_i64 << 53;
        let sorted = [
            Number::Float(f64::MIN),
            Number::Int(i64::MIN),
            Number::Float(-0.5),
            Number::Int(0),
            Number::Int(two_53 - 1),
            Number::Float(two_53 as f64),
            Number::Int(two_53 + 1),
            Number::Int(i64::MAX),
            Number::Float(i64::MAX as f64),
        ];
        for (at, one) in sorted.iter().enumerate() {
            for (other_at, other) in sorted.iter().enumerate() {
                assert_eq!(one.total_cmp(*other), at.cmp(&other_at), "{one:?} and {other:?}");
            }
        }
        for (a, b) in [
            (Number::Int(two_53), Number::Float(two_53 as f64)),
            (Number::Int(0), Number::Float(-0.0)),
        ] {
            assert_eq!((a.total_cmp(b), b.total_cmp(a)), (Ordering::Equal, Ordering::Equal));
        }
    }
}
