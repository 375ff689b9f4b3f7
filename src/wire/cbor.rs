//! One CBOR item, looked at in place: [`Raw`] is a slice that is known to hold exactly one well-formed item.
//!
//! What peers send is read in two steps: the item is walked once, which checks its form and finds its end, and then the
//! few parts of interest are taken out as slices of it. That keeps payloads byte for byte (they are replayed to other
//! peers), costs no allocation, and lets text with lone surrogates, which JavaScript encodes as invalid UTF-8, pass
//! through untouched: it fails only when somebody asks for it as text.
//!
//! - Depth is bounded by [`MAX_DEPTH`]; lengths and counts are believed only as far as there are bytes for them.
//! - Strings of indefinite length are refused, as the JavaScript decoder refuses them; maps and arrays of indefinite
//!   length are read.

use minicbor::Decoder;
use std::fmt;

/// The deepest nesting that is followed: tags, arrays and maps each count one.
pub const MAX_DEPTH: usize = 64;

/// Where an item of indefinite length ends.
const BREAK: u8 = 0xff;

/// Why bytes are not one CBOR item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("it ends in the middle of an item")]
    Truncated,
    #[error("{0} bytes follow the item")]
    Trailing(usize),
    #[error("it is nested deeper than {MAX_DEPTH}")]
    TooDeep,
    #[error("a string of indefinite length")]
    IndefiniteString,
    #[error("a reserved or misplaced byte 0x{0:02x}")]
    Reserved(u8),
}

/// A slice holding exactly one well-formed CBOR item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Raw<'b>(&'b [u8]);

impl<'b> Raw<'b> {
    /// What JavaScript sends for a property that is not set.
    pub const UNDEFINED: Raw<'static> = Raw(&[0xf7]);

    /// Checks that `bytes` are one item and nothing else.
    pub fn parse(bytes: &'b [u8]) -> Result<Self, Malformed> {
        match bytes.len() - measure(bytes, 0)? {
            0 => Ok(Self(bytes)),
            more => Err(Malformed::Trailing(more)),
        }
    }

    /// The item as it was encoded.
    pub fn encoded(self) -> &'b [u8] {
        self.0
    }

    /// The major type: 0 unsigned, 1 negative, 2 bytes, 3 text, 4 array, 5 map, 6 tag, 7 simple and float.
    pub fn major(self) -> u8 {
        self.0[0] >> 5
    }

    /// Whether it is `null` or `undefined`: JavaScript sends a property that is not set as the latter.
    pub fn is_nothing(self) -> bool {
        matches!(self.0, [0xf6 | 0xf7])
    }

    pub fn is_undefined(self) -> bool {
        self.0 == [0xf7]
    }

    pub fn boolean(self) -> Option<bool> {
        match self.0 {
            [0xf4] => Some(false),
            [0xf5] => Some(true),
            _ => None,
        }
    }

    /// The tag and what it stands around.
    pub fn tag(self) -> Option<(u64, Raw<'b>)> {
        let head = (self.major() == 6).then(|| head(self.0).ok())??;
        Some((head.argument, Raw(&self.0[head.length..])))
    }

    /// Text, through any tags; none for text that is not UTF-8.
    pub fn text(self) -> Option<&'b str> {
        std::str::from_utf8(self.string_of(3)?).ok()
    }

    /// The bytes of a text, UTF-8 or not.
    pub fn text_bytes(self) -> Option<&'b [u8]> {
        self.string_of(3)
    }

    /// A byte string, through any tags (some encoders put tag 64 around it).
    pub fn byte_string(self) -> Option<&'b [u8]> {
        self.string_of(2)
    }

    fn string_of(self, major: u8) -> Option<&'b [u8]> {
        let plain = self.untagged();
        let head = (plain.major() == major).then(|| head(plain.0).ok())??;
        Some(&plain.0[head.length..])
    }

    /// An integer of either sign.
    pub fn integer(self) -> Option<i128> {
        Decoder::new(self.0).int().ok().map(i128::from)
    }

    /// Any number as a float: JavaScript sends integers beyond 32 bits as float64.
    pub fn float(self) -> Option<f64> {
        match self.integer() {
            Some(integer) => Some(integer as f64),
            None => Decoder::new(self.0).f64().ok(),
        }
    }

    /// A whole number that is not negative, sent as an integer or as a float.
    pub fn whole(self) -> Option<u64> {
        match self.integer() {
            Some(integer) => u64::try_from(integer).ok(),
            None => self
                .float()
                .filter(|float| float.fract() == 0.0 && (0.0..u64::MAX as f64).contains(float))
                .map(|float| float as u64),
        }
    }

    /// The items of an array, through any tags.
    pub fn items(self) -> Option<Items<'b>> {
        self.untagged().sequence(4, 1)
    }

    /// The entries of a map, through any tags.
    pub fn entries(self) -> Option<Entries<'b>> {
        self.untagged().sequence(5, 2).map(Entries)
    }

    fn sequence(self, major: u8, items_each: u64) -> Option<Items<'b>> {
        let head = (self.major() == major).then(|| head(self.0).ok())??;
        Some(Items {
            rest: &self.0[head.length..],
            left: (!head.indefinite).then(|| head.argument.saturating_mul(items_each)),
        })
    }

    /// The value of a key; of the last one where a key is repeated, as in JavaScript.
    pub fn get(self, key: &str) -> Option<Raw<'b>> {
        let matching = self.entries()?.filter(|(name, _)| name.text() == Some(key));
        matching.last().map(|(_, value)| value)
    }

    fn untagged(self) -> Self {
        let mut plain = self;
        while let Some((_, within)) = plain.tag() {
            plain = within;
        }
        plain
    }
}

impl fmt::Debug for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", minicbor::display(self.0))
    }
}

/// The items of an array, in order.
pub struct Items<'b> {
    rest: &'b [u8],
    /// How many are left; none for an array of indefinite length.
    left: Option<u64>,
}

impl<'b> Iterator for Items<'b> {
    type Item = Raw<'b>;

    fn next(&mut self) -> Option<Raw<'b>> {
        match &mut self.left {
            Some(0) => return None,
            Some(left) => *left -= 1,
            None if self.rest.first() == Some(&BREAK) => return None,
            None => {}
        }
        // The whole has been walked before, so this one is well-formed, and less deep than the whole.
        let length = measure(self.rest, 0).ok()?;
        let (item, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(Raw(item))
    }
}

/// The entries of a map, in order.
pub struct Entries<'b>(Items<'b>);

impl<'b> Iterator for Entries<'b> {
    type Item = (Raw<'b>, Raw<'b>);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, self.0.next()?))
    }
}

/// The first bytes of an item: its major type and the number that goes with it.
struct Head {
    major: u8,
    argument: u64,
    indefinite: bool,
    /// In bytes.
    length: usize,
}

fn head(input: &[u8]) -> Result<Head, Malformed> {
    let first = *input.first().ok_or(Malformed::Truncated)?;
    let (major, short) = (first >> 5, first & 0x1f);
    let width = match short {
        0..=23 => 0,
        24..=27 => 1 << (short - 24),
        31 if matches!(major, 4 | 5) => 0,
        31 if matches!(major, 2 | 3) => return Err(Malformed::IndefiniteString),
        _ => return Err(Malformed::Reserved(first)),
    };
    let following = input.get(1..1 + width).ok_or(Malformed::Truncated)?;
    let argument = match width {
        0 => u64::from(short),
        _ => following.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    };
    Ok(Head {
        major,
        argument,
        indefinite: short == 31,
        length: 1 + width,
    })
}

/// The length of the first item of `input`, in bytes.
fn measure(input: &[u8], depth: usize) -> Result<usize, Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed::TooDeep);
    }
    let head = head(input)?;
    let items = match head.major {
        2 | 3 => {
            let length = usize::try_from(head.argument).map_err(|_| Malformed::Truncated)?;
            let end = head.length.checked_add(length).ok_or(Malformed::Truncated)?;
            return if end <= input.len() {
                Ok(end)
            } else {
                Err(Malformed::Truncated)
            };
        }
        4 if !head.indefinite => head.argument,
        5 if !head.indefinite => head.argument.checked_mul(2).ok_or(Malformed::Truncated)?,
        4 | 5 => return measure_to_break(input, head.length, depth, head.major == 5),
        6 => 1,
        _ => 0,
    };
    let mut end = head.length;
    for _ in 0..items {
        end += measure(&input[end..], depth + 1)?;
    }
    Ok(end)
}

fn measure_to_break(input: &[u8], start: usize, depth: usize, in_pairs: bool) -> Result<usize, Malformed> {
    let (mut end, mut items) = (start, 0usize);
    while input.get(end) != Some(&BREAK) {
        end += measure(&input[end..], depth + 1)?;
        items += 1;
    }
    match in_pairs && items % 2 == 1 {
        true => Err(Malformed::Reserved(BREAK)),
        false => Ok(end + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_that_promises_more_than_there_is_costs_nothing() {
        let promises: [&[u8]; 6] = [
            &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x7a, 0x7f, 0xff, 0xff, 0xff],
            &[0xbf, 0x61, 0x61],
            &[],
        ];
        for promise in promises {
            assert_eq!(Raw::parse(promise), Err(Malformed::Truncated), "{promise:02x?}");
        }
    }

    #[test]
    fn nesting_is_followed_down_to_the_limit_and_no_further() {
        let nested = |depth: usize, byte: u8| [vec![byte; depth], vec![0x01]].concat();
        for byte in [0x81, 0xc1] {
            assert!(Raw::parse(&nested(MAX_DEPTH, byte)).is_ok());
            assert_eq!(Raw::parse(&nested(MAX_DEPTH + 1, byte)), Err(Malformed::TooDeep));
            assert_eq!(Raw::parse(&nested(200_000, byte)), Err(Malformed::TooDeep));
        }
    }

    #[test]
    fn bytes_that_mean_nothing_are_refused() {
        assert_eq!(Raw::parse(&[0x01, 0x02]), Err(Malformed::Trailing(1)));
        assert_eq!(Raw::parse(&[0x1c]), Err(Malformed::Reserved(0x1c)));
        assert_eq!(Raw::parse(&[0xff]), Err(Malformed::Reserved(0xff)));
        assert_eq!(Raw::parse(&[0x5f, 0x41, 0x00, 0xff]), Err(Malformed::IndefiniteString));
        // A map of indefinite length that ends after a key.
        assert_eq!(Raw::parse(&[0xbf, 0x61, 0x61, 0xff]), Err(Malformed::Reserved(0xff)));
    }

    #[test]
    fn a_whole_number_comes_in_every_width() {
        for (bytes, number) in [
            (&[0x17][..], Some(23)),
            (&[0x19, 0x00, 0x05], Some(5)),
            (&[0x1b, 0, 0, 0, 0, 0, 0, 0, 200], Some(200)),
            (
                &[0xfb, 0x42, 0x78, 0xbc, 0xfe, 0x56, 0x80, 0, 0],
                Some(1_700_000_000_000),
            ),
            (&[0xf9, 0x3c, 0x00], Some(1)),
            (&[0xfa, 0x3f, 0xc0, 0, 0], None),
            (&[0x24], None),
            (&[0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0], None),
            (&[0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0], None),
        ] {
            assert_eq!(Raw::parse(bytes).unwrap().whole(), number, "{bytes:02x?}");
        }
    }

    #[test]
    fn entries_and_items_are_the_same_with_and_without_a_length() {
        let definite = [0xb9, 0x00, 0x02, 0x61, 0x61, 0x82, 0x01, 0x02, 0x61, 0x62, 0xf7];
        let indefinite = [0xbf, 0x61, 0x61, 0x9f, 0x01, 0x02, 0xff, 0x61, 0x62, 0xf7, 0xff];
        for bytes in [&definite[..], &indefinite[..]] {
            let map = Raw::parse(bytes).unwrap();
            let numbers: Vec<_> = map
                .get("a")
                .unwrap()
                .items()
                .unwrap()
                .map(|item| item.whole())
                .collect();
            assert_eq!(numbers, [Some(1), Some(2)]);
            assert!(map.get("b").unwrap().is_nothing());
            assert_eq!(map.get("c"), None);
        }
    }
}
