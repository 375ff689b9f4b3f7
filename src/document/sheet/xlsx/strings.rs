//! The texts that cells share.

use quick_xml::events::Event;

use super::super::SheetError;
use super::super::builder::{Builder, Span};
use super::package::{Package, Part, TextOf};
use super::workbook::Workbook;

/// The most texts that cells share, eight bytes each besides themselves; a sheet of a million cells needs no more.
const MAX_STRINGS: usize = 4_000_000;

pub(super) fn read(
    package: &mut Package<'_>,
    workbook: &Workbook,
    builder: &mut Builder<'_>,
) -> Result<Vec<Span>, SheetError> {
    let mut spans = Vec::new();
    let Some(path) = &workbook.strings else {
        return Ok(spans);
    };
    let Some(mut part) = package.part(path)? else {
        return Ok(spans);
    };
    let mut text = String::new();
    while let Some(event) = part.next()? {
        if !matches!(&event, Event::Start(element) if element.local_name().as_ref() == "si") {
            continue;
        }
        if spans.len() == MAX_STRINGS {
            return Err(part.damaged("it holds too many texts"));
        }
        rich_text(&mut part, &mut text, builder.field_bytes())?;
        spans.push(builder.store(&text)?);
    }
    Ok(spans)
}

/// The text of an `si` or `is` element that was just opened: all its runs, without the hints on how to pronounce it.
pub(super) fn rich_text(part: &mut Part<'_>, into: &mut String, limit: usize) -> Result<(), SheetError> {
    into.clear();
    part.text(into, limit, TextOf::Runs)?;
    if into.contains("_x") {
        *into = unescaped(into);
    }
    Ok(())
}

/// Characters that XML cannot hold are written as `_x000D_`.
pub(super) fn unescaped(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("_x") {
        let code = rest
            .get(at + 2..at + 6)
            .filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = code.filter(|_| rest.as_bytes().get(at + 6) == Some(&b'_'));
        let letter = code.and_then(|code| char::from_u32(u32::from_str_radix(code, 16).ok()?));
        made.push_str(&rest[..at]);
        match letter {
            Some(letter) => {
                made.push(letter);
                rest = &rest[at + 7..];
            }
            None => {
                made.push_str("_x");
                rest = &rest[at + 2..];
            }
        }
    }
    made + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_what_only_looks_like_one_stays() {
        assert_eq!(unescaped("a_x000D_b_x005F_x0041_"), "a\rb_x0041_");
        for text in ["_x", "_x12", "_x12345", "_xZZZZ_", "_xD800_", "_x_x_", "é_xé123_"] {
            assert_eq!(unescaped(text), text);
        }
    }
}
