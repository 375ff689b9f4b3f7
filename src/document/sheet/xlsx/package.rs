//! The archive that a workbook is, and the XML of its parts.
//!
//! All parts together may grow to so many bytes when they are inflated; the bytes are counted as they come out, whatever
//! the archive says of them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, BufReader, Cursor, Read};

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use zip::ZipArchive;
use zip::result::ZipError;

use super::super::{Limits, SheetError};

/// The most parts in an archive. The list of them is read before anything else.
const MAX_PARTS: usize = 10_000;

/// What each entry of the archive's list of parts begins with.
const ENTRY: &[u8] = b"PK\x01\x02";

pub(super) struct Package<'b> {
    archive: ZipArchive<Cursor<&'b [u8]>>,
    /// By path in lower case: programs write `sharedStrings.xml` in many ways.
    parts: HashMap<String, usize>,
    left: u64,
    limit: usize,
}

impl<'b> Package<'b> {
    pub fn open(bytes: &'b [u8], limits: &Limits) -> Result<Self, SheetError> {
        let not = |why: &str| SheetError::NotXlsx(why.to_owned());
        if bytes.starts_with(&[0xD0, 0xCF, 0x11, 0xE0]) {
            return Err(not(
                "it is an older Excel file, or protected by a password; save it as XLSX without one",
            ));
        }
        // An upper bound of what the library is about to read into memory.
        let entries = bytes.windows(ENTRY.len()).filter(|window| *window == ENTRY).count();
        if entries > MAX_PARTS {
            return Err(not("it has too many parts"));
        }
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| SheetError::NotXlsx(error.to_string()))?;
        let mut parts = HashMap::new();
        for index in 0..archive.len() {
            if let Some(Ok(name)) = archive.name_for_index(index) {
                let name = name.replace('\\', "/").to_lowercase();
                parts.insert(name.trim_start_matches('/').to_owned(), index);
            }
        }
        Ok(Self {
            archive,
            parts,
            left: limits.inflated_bytes as u64,
            limit: limits.inflated_bytes,
        })
    }

    /// Opens a part; none if there is no such part.
    pub fn part(&mut self, path: &str) -> Result<Option<Part<'_>>, SheetError> {
        let Some(index) = self.parts.get(&path.to_lowercase()).copied() else {
            return Ok(None);
        };
        let name: String = path.chars().take(200).collect();
        let file = self.archive.by_index(index).map_err(|error| match error {
            ZipError::UnsupportedArchive(why) => SheetError::NotXlsx(why.to_string()),
            error => SheetError::Damaged {
                part: name.clone(),
                why: error.to_string(),
            },
        })?;
        let counted = Counted {
            file,
            left: &mut self.left,
        };
        let mut xml = Reader::from_reader(BufReader::with_capacity(64 * 1024, Box::new(counted) as Box<dyn Read>));
        xml.config_mut().expand_empty_elements = true;
        Ok(Some(Part {
            xml,
            buffer: Vec::new(),
            name,
            limit: self.limit,
        }))
    }
}

/// A reader that gives no more bytes than are left for the whole archive.
struct Counted<'p, R> {
    file: R,
    left: &'p mut u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => *self.left = left,
            None => return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "too large")),
        }
        Ok(read)
    }
}

/// Which text of an element is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextOf {
    Itself,
    Runs,
}

/// One part, event by event.
pub(super) struct Part<'p> {
    xml: Reader<BufReader<Box<dyn Read + 'p>>>,
    buffer: Vec<u8>,
    name: String,
    limit: usize,
}

impl Part<'_> {
    pub fn damaged(&self, why: impl ToString) -> SheetError {
        damaged(&self.name, why)
    }

    /// The next event; none at the end of the part.
    pub fn next(&mut self) -> Result<Option<Event<'_>>, SheetError> {
        self.buffer.clear();
        match self.xml.read_event_into(&mut self.buffer) {
            Ok(Event::Eof) => Ok(None),
            Ok(event) => Ok(Some(event)),
            Err(quick_xml::Error::Io(error)) if error.kind() == io::ErrorKind::QuotaExceeded => {
                Err(SheetError::Inflates { limit: self.limit })
            }
            Err(error) => Err(damaged(&self.name, error)),
        }
    }

    /// The text of the element that was just opened, up to its end: its own, or where runs are asked for that of the `t`
    /// elements in it, without hints on how to pronounce it.
    pub fn text(&mut self, into: &mut String, limit: usize, what: TextOf) -> Result<(), SheetError> {
        let (mut depth, mut taken_at, mut left_out) = (1_usize, None, 0_usize);
        if what == TextOf::Itself {
            taken_at = Some(1);
        }
        let name = self.name.clone();
        while let Some(event) = self.next()? {
            let taken = taken_at == Some(depth) && left_out == 0;
            match event {
                Event::Start(start) => {
                    depth += 1;
                    left_out += usize::from(left_out > 0 || start.local_name().as_ref() == "rPh");
                    if what == TextOf::Runs && taken_at.is_none() && start.local_name().as_ref() == "t" {
                        taken_at = Some(depth);
                    }
                }
                Event::End(_) => {
                    if what == TextOf::Runs && taken_at == Some(depth) {
                        taken_at = None;
                    }
                    depth -= 1;
                    left_out = left_out.saturating_sub(1);
                    if depth == 0 {
                        return Ok(());
                    }
                }
                Event::Text(text) if taken => into.push_str(&text.xml10_content()),
                Event::CData(text) if taken => into.push_str(&text.xml10_content()),
                Event::GeneralRef(entity) if taken => resolve(&entity, into).map_err(|why| damaged(&name, why))?,
                _ => {}
            }
            // The limit on fields names the row; this keeps a text from growing until then.
            if into.len() > limit.saturating_mul(8).saturating_add(64 * 1024) {
                return Err(damaged(&name, "a text is too long"));
            }
        }
        Err(self.damaged("it ends too early"))
    }

    /// Passes over the rest of the element that was just opened.
    pub fn skip(&mut self) -> Result<(), SheetError> {
        let mut depth = 1_usize;
        while let Some(event) = self.next()? {
            match event {
                Event::Start(_) => depth += 1,
                Event::End(_) => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(());
            }
        }
        Err(self.damaged("it ends too early"))
    }
}

fn damaged(part: &str, why: impl ToString) -> SheetError {
    SheetError::Damaged {
        part: part.to_owned(),
        why: why.to_string().chars().take(200).collect(),
    }
}

/// Puts in what `&amp;` or `&#x41;` stands for. No other entities are known, so that none can grow.
fn resolve(entity: &BytesRef<'_>, into: &mut String) -> Result<(), String> {
    match entity.resolve_char_ref() {
        Ok(Some(letter)) => into.push(letter),
        Ok(None) => match resolve_xml_entity(entity) {
            Some(text) => into.push_str(text),
            None => return Err("an unknown entity".into()),
        },
        Err(error) => return Err(error.to_string()),
    }
    Ok(())
}

/// The value of an attribute by its local name, entities resolved.
pub(super) fn attribute<'e>(element: &'e BytesStart<'_>, name: &str) -> Option<Cow<'e, str>> {
    // Without the check for doubles, which takes time in proportion to the square of their number.
    let mut attributes = element.attributes();
    let found = attributes
        .with_checks(false)
        .flatten()
        .find(|attribute| attribute.key.local_name().as_ref() == name)?;
    match found.value.contains('&') {
        true => found
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .ok()
            .map(|value| Cow::Owned(value.into_owned())),
        false => Some(found.value),
    }
}
