//! Fractional order keys: texts that sort where their item stands, with room between any two.
//!
//! Position is a value of its own, so that moving a row is one small write and two people inserting at once never fight
//! over indices. The keys are those of the npm package `fractional-indexing` with its default alphabet, byte for byte:
//! front ends use that package, and both sides write into the same document.
//!
//! - Keys compare as bytes (`Ord` of `str`), never by a locale. Items with equal keys are ordered by their ids.
//! - A key is an integer part and a fraction, both in base 62. The first byte of the integer part is its sign and
//!   length: `a` to `z` lead 2 to 27 bytes counting up, `Z` to `A` lead 2 to 27 bytes counting down.
//! - A fraction does not end in `0`, otherwise there would be nothing between a key and its neighbour.
//! - Between two equal keys there is no key: [`place`] names the items that need a new key first.

use std::fmt;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The longest key taken, in bytes. Keys grow by one byte for about six inserts at the same spot, so this is tens of
/// thousands of inserts at one spot; what is longer was made to be a burden.
pub const MAX_KEY_BYTES: usize = 4096;

/// Why a text is no order key, or no key can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    #[error("not an order key: {0:?}")]
    NotAKey(String),
    #[error("no order key lies between {0} and {1}: the first must be the smaller")]
    NothingBetween(OrderKey, OrderKey),
}

/// A valid order key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderKey(String);

impl OrderKey {
    pub fn parse(text: &str) -> Result<Self, OrderError> {
        if is_key(text.as_bytes()) {
            Ok(Self(text.into()))
        } else {
            Err(OrderError::NotAKey(shortened(text)))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Integer part and fraction.
    fn parts(&self) -> (&[u8], &[u8]) {
        let bytes = self.0.as_bytes();
        let length = integer_length(bytes[0]).expect("checked when the key was made");
        bytes.split_at(length)
    }

    fn from_parts(integer: &[u8], fraction: &[u8]) -> Self {
        let bytes = [integer, fraction].concat();
        Self(String::from_utf8(bytes).expect("digits are ASCII"))
    }
}

impl fmt::Display for OrderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key after `after` and before `before`; none stands for the end of the list on that side.
pub fn between(after: Option<&OrderKey>, before: Option<&OrderKey>) -> Result<OrderKey, OrderError> {
    match (after, before) {
        (None, None) => Ok(OrderKey("a0".into())),
        (Some(after), None) => Ok(above(after)),
        (None, Some(before)) => Ok(below(before)),
        (Some(after), Some(before)) if after >= before => {
            Err(OrderError::NothingBetween(after.clone(), before.clone()))
        }
        (Some(after), Some(before)) => Ok(inside(after, before)),
    }
}

/// `count` keys in ascending order after `after` and before `before`: consecutive ones at an open end, and short ones,
/// made by halving, between two keys.
pub fn n_between(
    after: Option<&OrderKey>,
    before: Option<&OrderKey>,
    count: usize,
) -> Result<Vec<OrderKey>, OrderError> {
    let mut keys: Vec<OrderKey> = Vec::with_capacity(count);
    match (after, before) {
        _ if count == 0 => {}
        (_, None) => {
            for _ in 0..count {
                let next = between(keys.last().or(after), None)?;
                keys.push(next);
            }
        }
        (None, Some(_)) => {
            for _ in 0..count {
                let next = between(None, keys.last().or(before))?;
                keys.push(next);
            }
            keys.reverse();
        }
        (Some(_), Some(_)) => {
            let middle = between(after, before)?;
            let left = count / 2;
            keys.extend(n_between(after, Some(&middle), left)?);
            keys.push(middle.clone());
            keys.extend(n_between(Some(&middle), before, count - left - 1)?);
        }
    }
    Ok(keys)
}

/// What it takes to put new items at one place of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Items (by index) that must get these keys first, ascending: the later ones of a tie, and items whose text is no
    /// key at all.
    pub rekeyed: Vec<(usize, OrderKey)>,
    /// The keys of the new items, ascending.
    pub keys: Vec<OrderKey>,
}

/// Finds keys for `count` new items before the item at index `at` (the length of the list: behind the last).
///
/// `sorted` holds the order texts of all items as they stand, sorted by (text, id). People who insert at the same spot
/// at once make equal keys, and nothing can be put between equals. The first of a tie keeps its key; those of the tie
/// that come after the new items move up, all between the same two neighbours.
pub fn place(sorted: &[&str], at: usize, count: usize) -> Placement {
    place_by(sorted, |text| text, at, count)
}

/// [`place`] in a list of anything that has an order text. Looks at the neighbours of `at` only.
pub fn place_by<T>(sorted: &[T], text: impl Fn(&T) -> &str, at: usize, count: usize) -> Placement {
    let key = |index: usize| OrderKey::parse(text(&sorted[index])).ok();
    let low = (0..at).rev().find_map(|index| Some((index, key(index)?)));
    let first = low.as_ref().map_or(0, |(index, _)| index + 1);
    let low = low.map(|(_, key)| key);
    let high = (at..sorted.len()).find_map(|index| {
        let key = key(index)?;
        (Some(&key) > low.as_ref()).then_some((index, key))
    });
    let end = high.as_ref().map_or(sorted.len(), |(index, _)| *index);

    let made = n_between(low.as_ref(), high.as_ref().map(|(_, key)| key), end - first + count);
    let mut made = made
        .expect("the upper neighbour was chosen above the lower one")
        .into_iter();
    let mut rekeyed: Vec<_> = (first..at).zip(made.by_ref()).collect();
    let keys = made.by_ref().take(count).collect();
    rekeyed.extend((at..end).zip(made));
    Placement { rekeyed, keys }
}

fn is_key(bytes: &[u8]) -> bool {
    let Some(length) = bytes.first().and_then(|head| integer_length(*head)) else {
        return false;
    };
    let plain = bytes.len() <= MAX_KEY_BYTES && bytes.iter().all(|byte| DIGITS.contains(byte));
    // The smallest integer alone has no key below it, and so is not one.
    plain
        && length <= bytes.len()
        && (bytes.len() == length || !bytes.ends_with(b"0"))
        && !(bytes.len() == length && is_smallest(bytes))
}

/// The length of an integer part, its first byte included.
fn integer_length(head: u8) -> Option<usize> {
    match head {
        b'a'..=b'z' => Some(usize::from(head - b'a') + 2),
        b'A'..=b'Z' => Some(usize::from(b'Z' - head) + 2),
        _ => None,
    }
}

fn is_smallest(integer: &[u8]) -> bool {
    integer[0] == b'A' && integer[1..].iter().all(|digit| *digit == b'0')
}

fn above(key: &OrderKey) -> OrderKey {
    let (integer, fraction) = key.parts();
    match successor(integer) {
        Some(next) => OrderKey::from_parts(&next, b""),
        None => OrderKey::from_parts(integer, &middle(fraction, None)),
    }
}

fn below(key: &OrderKey) -> OrderKey {
    let (integer, fraction) = key.parts();
    if is_smallest(integer) {
        return OrderKey::from_parts(integer, &middle(b"", Some(fraction)));
    }
    if !fraction.is_empty() {
        return OrderKey::from_parts(integer, b"");
    }
    let previous = predecessor(integer).expect("only the smallest integer has none");
    match is_smallest(&previous) {
        // The package hands this one out although it does not take it back: here it gets a fraction.
        true => OrderKey::from_parts(&previous, &middle(b"", None)),
        false => OrderKey::from_parts(&previous, b""),
    }
}

fn inside(after: &OrderKey, before: &OrderKey) -> OrderKey {
    let (low, low_fraction) = after.parts();
    let (high, high_fraction) = before.parts();
    if low == high {
        return OrderKey::from_parts(low, &middle(low_fraction, Some(high_fraction)));
    }
    let next = successor(low).expect("a larger integer exists");
    if next.as_slice() < before.0.as_bytes() {
        OrderKey::from_parts(&next, b"")
    } else {
        OrderKey::from_parts(low, &middle(low_fraction, None))
    }
}

fn value(digit: u8) -> usize {
    DIGITS
        .iter()
        .position(|known| *known == digit)
        .expect("checked when the key was made")
}

/// The next integer part; none after the largest. Carrying out of the digits moves the head, which lengthens positive
/// and shortens negative integers.
fn successor(integer: &[u8]) -> Option<Vec<u8>> {
    let mut next = integer.to_vec();
    for digit in next[1..].iter_mut().rev() {
        match value(*digit) {
            61 => *digit = b'0',
            smaller => {
                *digit = DIGITS[smaller + 1];
                return Some(next);
            }
        }
    }
    next[0] = match next[0] {
        b'z' => return None,
        b'Z' => b'a',
        head => head + 1,
    };
    next.resize(integer_length(next[0]).expect("a head"), b'0');
    Some(next)
}

/// The previous integer part; none before the smallest.
fn predecessor(integer: &[u8]) -> Option<Vec<u8>> {
    let mut previous = integer.to_vec();
    for digit in previous[1..].iter_mut().rev() {
        match value(*digit) {
            0 => *digit = b'z',
            larger => {
                *digit = DIGITS[larger - 1];
                return Some(previous);
            }
        }
    }
    previous[0] = match previous[0] {
        b'A' => return None,
        b'a' => b'Z',
        head => head - 1,
    };
    previous.resize(integer_length(previous[0]).expect("a head"), b'z');
    Some(previous)
}

/// A short fraction between two: `low` may be empty, no `high` stands for one. Neither ends in `0`.
fn middle(low: &[u8], high: Option<&[u8]>) -> Vec<u8> {
    let mut made = Vec::with_capacity(low.len() + 1);
    let mut high = high;
    loop {
        let digit = low.get(made.len()).map_or(0, |digit| value(*digit));
        let limit = high.map_or(62, |high| value(high[made.len()]));
        if digit == limit {
            made.push(DIGITS[digit]);
        } else if limit - digit > 1 {
            made.push(DIGITS[(digit + limit).div_ceil(2)]);
            return made;
        } else if high.is_some_and(|high| high.len() > made.len() + 1) {
            made.push(DIGITS[limit]);
            return made;
        } else {
            // Neighbouring digits: keep the lower, and from here on only `low` bounds what follows.
            made.push(DIGITS[digit]);
            high = None;
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> OrderKey {
        OrderKey::parse(text).expect(text)
    }

    fn texts(keys: &[OrderKey]) -> Vec<&str> {
        keys.iter().map(OrderKey::as_str).collect()
    }

    fn moved(placed: &Placement) -> Vec<usize> {
        placed.rekeyed.iter().map(|(index, _)| *index).collect()
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        let smallest = format!("A{}", "0".repeat(26));
        let endless = format!("a0{}", "1".repeat(MAX_KEY_BYTES));
        for text in [
            "", "0", "a", "a00", "b0", "a0!", "a!", "é0", " a0", "A1", &smallest, &endless,
        ] {
            assert!(matches!(OrderKey::parse(text), Err(OrderError::NotAKey(_))), "{text:?}");
        }
    }

    /// The package makes a key at the very bottom that it then refuses to read; ours can be read by both.
    #[test]
    fn a_key_below_the_last_one_is_itself_a_key() {
        let lowest = key(&format!("A{}1", "0".repeat(25)));
        let made = between(None, Some(&lowest)).unwrap();
        assert!(made < lowest);
        assert_eq!(OrderKey::parse(made.as_str()), Ok(made));
    }

    #[test]
    fn between_equals_there_is_nothing() {
        let a1 = key("a1");
        assert_eq!(
            between(Some(&a1), Some(&a1)),
            Err(OrderError::NothingBetween(a1.clone(), a1.clone()))
        );
        assert!(between(Some(&a1), Some(&key("a0"))).is_err());
    }

    #[test]
    fn an_insert_into_a_tie_moves_the_later_ones_up_first() {
        // Rows p, q and r were inserted at once and all got a1; a new row goes between p and q.
        let placed = place(&["a0", "a1", "a1", "a1", "a2"], 2, 1);
        assert_eq!(placed.keys.len(), 1);
        assert_eq!(moved(&placed), [2, 3]);
        let order = [&placed.keys[0], &placed.rekeyed[0].1, &placed.rekeyed[1].1];
        assert!(key("a1") < *order[0] && order[0] < order[1] && order[1] < order[2] && *order[2] < key("a2"));
    }

    #[test]
    fn an_insert_behind_or_before_a_tie_moves_nobody() {
        let sorted = ["a0", "a1", "a1", "a2"];
        assert_eq!(
            place(&sorted, 3, 1),
            Placement {
                rekeyed: vec![],
                keys: vec![key("a1V")]
            }
        );
        assert_eq!(
            place(&sorted, 1, 1),
            Placement {
                rekeyed: vec![],
                keys: vec![key("a0V")]
            }
        );
        assert_eq!(texts(&place(&[], 0, 3).keys), ["a0", "a1", "a2"]);
        assert_eq!(texts(&place(&["a1", "a1"], 2, 2).keys), ["a2", "a3"]);
    }

    #[test]
    fn a_text_that_is_no_key_gets_one_when_it_is_in_the_way() {
        let placed = place(&["", "a0", "a0!", "a2"], 3, 1);
        assert_eq!(moved(&placed), [2]);
        assert!(key("a0") < placed.rekeyed[0].1 && placed.rekeyed[0].1 < placed.keys[0] && placed.keys[0] < key("a2"));
        let placed = place(&["", "", "a0"], 1, 1);
        assert_eq!(moved(&placed), [0, 1]);
    }
}
