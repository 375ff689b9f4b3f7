//! Bytes of a file to text.
//!
//! Only encodings that can be told for certain are read. Guessing a code page turns names into rubbish that nobody
//! notices until the original is gone, so anything else is refused with the line where it shows.

use std::borrow::Cow;

use super::SheetError;

pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, SheetError> {
    let (encoding, mark) = encoding_rs::Encoding::for_bom(bytes).unwrap_or((encoding_rs::UTF_8, 0));
    let body = &bytes[mark..];
    let text = if encoding == encoding_rs::UTF_8 {
        Cow::Borrowed(std::str::from_utf8(body).map_err(|error| {
            let (good, bad) = body.split_at(error.valid_up_to());
            SheetError::NotUtf8 {
                line: line_after(good),
                byte: bad[0],
            }
        })?)
    } else {
        encoding
            .decode_without_bom_handling_and_without_replacement(body)
            .ok_or_else(|| SheetError::NotUtf16 {
                line: bad_utf16_line(body, encoding == encoding_rs::UTF_16LE),
            })?
    };
    match text.find('\0') {
        Some(at) => Err(SheetError::ZeroByte {
            line: line_after(&text.as_bytes()[..at]),
        }),
        None => Ok(text),
    }
}

/// The number of the line that follows this text.
fn line_after(text: &[u8]) -> usize {
    let ends = text.iter().enumerate().filter(|(at, byte)| match byte {
        b'\n' => true,
        b'\r' => text.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    1 + ends.count()
}

/// The line of the first lone surrogate; the last line if the file ends in half a unit.
fn bad_utf16_line(body: &[u8], little: bool) -> usize {
    let units = body.chunks_exact(2).map(|pair| {
        let pair = [pair[0], pair[1]];
        if little {
            u16::from_le_bytes(pair)
        } else {
            u16::from_be_bytes(pair)
        }
    });
    let good: String = char::decode_utf16(units).map_while(Result::ok).collect();
    line_after(good.as_bytes())
}
