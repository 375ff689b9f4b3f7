//! Where the records of a CSV text begin, how many fields they have, and whether every quote is closed.
//!
//! The csv crate takes the fields apart, but it forgives: a quote left open swallows the rest of the file without a
//! word. This pass looks at the shape alone, strictly as RFC 4180 has it, so that a damaged file is refused with the
//! line where the damage began.

use super::SheetError;

/// The shape of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// The line it begins on, from 1.
    pub line: usize,
    pub fields: usize,
    /// Bytes of its longest field as it stands in the file.
    pub longest: usize,
}

/// Walks the records of a text; blank lines are none. Ends after the first error.
pub(super) struct Records<'a> {
    text: &'a [u8],
    delimiter: u8,
    at: usize,
    line: usize,
}

impl<'a> Records<'a> {
    pub fn new(text: &'a str, delimiter: u8) -> Self {
        Self {
            text: text.as_bytes(),
            delimiter,
            at: 0,
            line: 1,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Takes one byte and counts the line it may end.
    fn step(&mut self) {
        let byte = self.peek();
        self.at += 1;
        if byte == Some(b'\n') || (byte == Some(b'\r') && self.peek() != Some(b'\n')) {
            self.line += 1;
        }
    }

    /// Takes one field, up to the delimiter or the end of the line.
    fn field(&mut self) -> Result<(), SheetError> {
        if self.peek() != Some(b'"') {
            while self
                .peek()
                .is_some_and(|byte| byte != self.delimiter && !ends_line(byte))
            {
                self.step();
            }
            return Ok(());
        }
        let opened = self.line;
        self.step();
        loop {
            match self.peek() {
                None => return Err(SheetError::QuoteLeftOpen { line: opened }),
                Some(b'"') => {
                    self.step();
                    match self.peek() {
                        Some(b'"') => self.step(),
                        Some(byte) if byte != self.delimiter && !ends_line(byte) => {
                            return Err(SheetError::TextAfterQuote {
                                opened,
                                line: self.line,
                            });
                        }
                        _ => return Ok(()),
                    }
                }
                Some(_) => self.step(),
            }
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, SheetError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.peek().is_some_and(ends_line) {
            self.step();
        }
        self.peek()?;
        let mut record = Record {
            line: self.line,
            fields: 0,
            longest: 0,
        };
        loop {
            let start = self.at;
            if let Err(error) = self.field() {
                self.at = self.text.len();
                return Some(Err(error));
            }
            record.fields += 1;
            record.longest = record.longest.max(self.at - start);
            if self.peek() != Some(self.delimiter) {
                return Some(Ok(record));
            }
            self.step();
        }
    }
}

fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// How many records are looked at to tell the delimiter.
const SAMPLE: usize = 50;

/// The delimiter that cuts the first records into equally many fields, the more the better; where none does, the one
/// that cuts the header most often (the file is ragged then, and is told so).
pub(super) fn guess_delimiter(text: &str) -> u8 {
    let score = |delimiter: u8| {
        let fields: Vec<usize> = Records::new(text, delimiter)
            .take(SAMPLE)
            .map_while(Result::ok)
            .map(|record| record.fields)
            .collect();
        let first = fields.first().copied().unwrap_or(0);
        (first > 1 && fields.iter().all(|count| *count == first), first)
    };
    // Of equals, the last one wins: the comma.
    [b'\t', b';', b',']
        .into_iter()
        .max_by_key(|delimiter| score(*delimiter))
        .expect("three candidates")
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng, rngs::SmallRng};

    use super::*;

    /// Where this pass and the csv crate disagreed about a record, fields would land in the wrong column.
    #[test]
    fn what_passes_is_cut_by_the_csv_crate_in_the_same_way() {
        let mut passed = 0;
        for seed in 0..20_000 {
            let mut rng = SmallRng::seed_from_u64(seed);
            let length = rng.random_range(0..16);
            let text: String = (0..length)
                .map(|_| char::from(b"ab,,;\"\"\n\n\r "[rng.random_range(0..11)]))
                .collect();
            let Ok(ours) = Records::new(&text, b',').collect::<Result<Vec<_>, _>>() else {
                continue;
            };
            passed += 1;
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(text.as_bytes());
            let theirs: Vec<usize> = reader.records().map(|record| record.unwrap().len()).collect();
            let ours: Vec<usize> = ours.iter().map(|record| record.fields).collect();
            assert_eq!(ours, theirs, "seed {seed}: {text:?}");
        }
        assert!(passed > 1000, "only {passed} texts were well-formed");
    }
}
