//! A cursor over untrusted bytes: every read is bounds-checked and nothing is allocated.
//!
//! Automerge's own parsers collect as they go; this one looks first, so that what is about to be handed to them is known
//! to be small. It reads the framing they share: LEB128 numbers, length prefixes and chunk headers.

/// The first four bytes of every chunk.
pub const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];

pub const DOCUMENT_CHUNK: u8 = 0;
pub const CHANGE_CHUNK: u8 = 1;
pub const DEFLATED_CHANGE_CHUNK: u8 = 2;
pub const BUNDLE_CHUNK: u8 = 3;

/// The bytes end early or say something impossible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("the bytes end early")]
    Short,
    #[error("a number does not fit 64 bits")]
    Number,
    #[error("a chunk does not begin with the magic bytes")]
    Magic,
}

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(length).map_err(|_| Malformed::Short)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned LEB128 number.
    pub fn number(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed::Number);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed::Number)
    }

    /// A signed LEB128 number.
    pub fn signed(&mut self) -> Result<i64, Malformed> {
        let mut value = 0i64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let unused = 64 - (shift + 7).min(64);
                return Ok((value << unused) >> unused);
            }
        }
        Err(Malformed::Number)
    }

    /// A length and as many bytes.
    pub fn prefixed(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.number()?;
        self.take(length)
    }

    /// One chunk as Automerge frames it, whatever is in it.
    pub fn chunk(&mut self) -> Result<Frame<'a>, Malformed> {
        let whole = self.0;
        if self.take(4)? != MAGIC {
            return Err(Malformed::Magic);
        }
        let checksum = self.take(4)?.try_into().expect("four bytes were taken");
        let kind = self.byte()?;
        let data = self.prefixed()?;
        Ok(Frame {
            whole: &whole[..whole.len() - self.0.len()],
            checksum,
            kind,
            data,
        })
    }
}

/// A framed chunk whose content is unread.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Header and data.
    pub whole: &'a [u8],
    /// The first four bytes of the hash over type, length and data (uncompressed, in a deflated change).
    pub checksum: [u8; 4],
    /// One of the `_CHUNK` constants, or something unknown.
    pub kind: u8,
    pub data: &'a [u8],
}

/// Appends an unsigned LEB128 number.
pub fn write_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A chunk of this type and data, under a checksum computed elsewhere.
pub fn frame(checksum: [u8; 4], kind: u8, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 19);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&checksum);
    out.push(kind);
    write_number(&mut out, data.len() as u64);
    out.extend_from_slice(data);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written_and_overlong_ones_refused() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            write_number(&mut out, value);
            assert_eq!(Reader::new(&out).number(), Ok(value));
        }
        assert_eq!(Reader::new(&[0xff; 11]).number(), Err(Malformed::Number));
        assert_eq!(Reader::new(&[0x80, 0x80]).number(), Err(Malformed::Short));
        assert_eq!(Reader::new(&[0x7f]).signed(), Ok(-1));
        assert_eq!(Reader::new(&[0xc0, 0xbb, 0x78]).signed(), Ok(-123_456));
        assert_eq!(Reader::new(&[0x40]).signed(), Ok(-64));
    }

    #[test]
    fn a_length_beyond_the_end_is_noticed_without_allocating() {
        let mut out = Vec::new();
        write_number(&mut out, u64::MAX);
        assert_eq!(Reader::new(&out).prefixed(), Err(Malformed::Short));
    }
}
