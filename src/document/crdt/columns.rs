//! What the columns of a chunk will expand to, counted without expanding them.
//!
//! Columns are run-length encoded: 126 bytes can say "two million times null", and Automerge expands the runs as soon as
//! it parses a chunk. Counting the runs costs a microsecond and says beforehand how many operations, predecessors and
//! text bytes come out.

use super::bytes::{Malformed, Reader};

const DEFLATED: u32 = 0b1000;

/// One column of a chunk: what it is (deflate flag taken out), and its bytes as they stand in the chunk.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    pub spec: u32,
    pub deflated: bool,
    pub data: &'a [u8],
}

/// The columns that matter, by specification number: column id times 16 plus type.
pub mod spec {
    pub const KEY_TEXT: u32 = (1 << 4) | 5;
    pub const ACTION: u32 = (4 << 4) | 2;
    pub const VALUE: u32 = (5 << 4) | 7;
    pub const PRED_COUNT: u32 = 7 << 4;
    pub const SUCC_COUNT: u32 = 8 << 4;
    pub const MARK_NAME: u32 = (10 << 4) | 5;
    pub const CHANGE_ACTOR: u32 = 1;
    pub const CHANGE_MESSAGE: u32 = (3 << 4) | 5;
    pub const CHANGE_DEPS_COUNT: u32 = 4 << 4;
}

/// Column specifications and lengths, still without their data.
#[derive(Debug)]
pub struct Layout(Vec<(u32, u64)>);

impl Layout {
    /// Reads the list of columns; more than `most` of them are refused before anything is collected.
    pub fn read(reader: &mut Reader<'_>, most: u64) -> Result<Self, Malformed> {
        let count = reader.number()?;
        if count > most {
            return Err(Malformed::Number);
        }
        (0..count)
            .map(|_| {
                let spec = u32::try_from(reader.number()?).map_err(|_| Malformed::Number)?;
                Ok((spec, reader.number()?))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Takes the data of all columns from the reader, which must stand at the first.
    pub fn columns<'a>(&self, reader: &mut Reader<'a>) -> Result<Vec<Column<'a>>, Malformed> {
        let column = |&(spec, length): &(u32, u64)| {
            Ok(Column {
                spec: spec & !DEFLATED,
                deflated: spec & DEFLATED != 0,
                data: reader.take(length)?,
            })
        };
        self.0.iter().map(column).collect()
    }
}

/// What a run-length encoded column will become.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Expansion {
    /// Values, nulls included.
    pub values: u64,
    /// The sum of all numbers, for columns of counts.
    pub sum: u64,
    /// The bytes of all texts, repetitions counted, for columns of text.
    pub text_bytes: u64,
}

impl Expansion {
    fn add(&mut self, times: u64, sum: u64, text_bytes: u64) {
        self.values = self.values.saturating_add(times);
        self.sum = self.sum.saturating_add(sum.saturating_mul(times));
        self.text_bytes = self.text_bytes.saturating_add(text_bytes.saturating_mul(times));
    }
}

/// Counts a column of unsigned numbers.
pub fn numbers(data: &[u8]) -> Result<Expansion, Malformed> {
    runs(data, |reader| Ok((reader.number()?, 0)))
}

/// Counts a column of texts.
pub fn texts(data: &[u8]) -> Result<Expansion, Malformed> {
    runs(data, |reader| Ok((0, reader.prefixed()?.len() as u64)))
}

/// How many values a column of any type stands for; raw bytes stand for none.
pub fn values(spec: u32, data: &[u8]) -> Result<u64, Malformed> {
    const DELTAS: u32 = 3;
    const BOOLEANS: u32 = 4;
    const TEXTS: u32 = 5;
    const RAW: u32 = 7;
    match spec & 0b111 {
        DELTAS => runs(data, |reader| reader.signed().map(|_| (0, 0))).map(|expansion| expansion.values),
        BOOLEANS => {
            // Alternating lengths of runs of false and true.
            let mut reader = Reader::new(data);
            let mut values = 0u64;
            while !reader.is_empty() {
                values = values.saturating_add(reader.number()?);
            }
            Ok(values)
        }
        TEXTS => texts(data).map(|expansion| expansion.values),
        RAW => Ok(0),
        _ => numbers(data).map(|expansion| expansion.values),
    }
}

fn runs(data: &[u8], value: impl Fn(&mut Reader<'_>) -> Result<(u64, u64), Malformed>) -> Result<Expansion, Malformed> {
    let mut reader = Reader::new(data);
    let mut expansion = Expansion::default();
    while !reader.is_empty() {
        let count = reader.signed()?;
        if count > 0 {
            let (sum, text_bytes) = value(&mut reader)?;
            expansion.add(count.unsigned_abs(), sum, text_bytes);
        } else if count == 0 {
            expansion.add(reader.number()?, 0, 0);
        } else {
            // A literal run: every value is there, so the bytes themselves bound the loop.
            for _ in 0..count.unsigned_abs() {
                let (sum, text_bytes) = value(&mut reader)?;
                expansion.add(1, sum, text_bytes);
            }
        }
    }
    Ok(expansion)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_two_million_is_counted_from_four_bytes() {
        // 2,000,000 as signed LEB128, then the value 7.
        let counted = numbers(&[0x80, 0x89, 0xfa, 0x00, 7]).unwrap();
        assert_eq!(counted.values, 2_000_000);
        assert_eq!(counted.sum, 14_000_000);
    }

    #[test]
    fn values_are_counted_in_columns_of_every_type() {
        assert_eq!(values(3, &[5, 0x7f]), Ok(5));
        assert_eq!(values(4, &[3, 4, 5]), Ok(12));
        assert_eq!(values(5, &[2, 1, b'a']), Ok(2));
        assert_eq!(values(6, &[0x7e, 1, 1]), Ok(2));
        assert_eq!(values(7, &[1, 2, 3]), Ok(0));
    }

    #[test]
    fn literal_runs_and_null_runs_count_too() {
        let counted = texts(&[0x7e, 1, b'a', 2, b'b', b'c', 0, 5, 3, 1, b'd']).unwrap();
        assert_eq!(
            counted,
            Expansion {
                values: 2 + 5 + 3,
                sum: 0,
                text_bytes: 1 + 2 + 3
            }
        );
        assert_eq!(numbers(&[0x7e, 1]), Err(Malformed::Short));
    }
}
