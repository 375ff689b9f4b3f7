//! Files that are broken, or mean harm: an error that says what is wrong, and no more memory than the limits allow.

use std::io::{Cursor, Write};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::document::import::Import;
use roundtable::document::sheet::{self, Field, Format, Limits, SheetError};
use zip::write::SimpleFileOptions;

use super::support::{Replica, read};

const TYPES: &str = r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>"#;
const ROOT: &str = r#"<Relationships><Relationship Id="r1" Type="http://x/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const BOOK: &str = r#"<workbook xmlns:r="r"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>"#;
const RELATED: &str = r#"<Relationships><Relationship Id="r1" Type="http://x/worksheet" Target="worksheets/s.xml"/><Relationship Id="r2" Type="http://x/sharedStrings" Target="sharedStrings.xml"/><Relationship Id="r3" Type="http://x/styles" Target="styles.xml"/></Relationships>"#;

/// A workbook of these parts; those that are not given are plain.
fn workbook(sheet: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut parts = vec![
        ("[Content_Types].xml", TYPES),
        ("_rels/.rels", ROOT),
        ("xl/workbook.xml", BOOK),
        ("xl/_rels/workbook.xml.rels", RELATED),
        ("xl/worksheets/s.xml", sheet),
    ];
    for part in more {
        parts.retain(|(name, _)| *name != part.0);
        parts.push(*part);
    }
    for (name, content) in parts {
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(content.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn of_rows(rows: &str) -> String {
    format!("<worksheet><sheetData>{rows}</sheetData></worksheet>")
}

fn complaint(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

#[test]
fn a_plain_workbook_of_another_program_is_read() {
    let sheet = of_rows(
        r#"<row><c t="inlineStr"><is>
  <r><rPr><b/></rPr><t>na</t></r>
  <r><t>me</t></r><rPh><t>no</t></rPh>
</is></c><c t="str"><v>n &amp; m</v></c></row>
           <row r="4"><c r="B4"><v>12</v></c><c r="C4" t="s"><v>0</v></c></row><row r="9" spans="1:2"/>"#,
    );
    let strings = r#"<sst uniqueCount="99999999999"><si><t xml:space="preserve"> a_x000A_b </t></si></sst>"#;
    let read = read(&workbook(&sheet, &[("xl/SharedStrings.xml", strings)])).unwrap();
    assert_eq!(read.names(), ["name", "n & m", "Column 3"]);
    assert_eq!((read.rows(), read.at(0).to_string()), (1, "row 4".into()));
    assert_eq!(
        (read.field(0, 1), read.field(0, 2)),
        (Field::Number(12.0), Field::Text(" a\nb "))
    );
}

#[test]
fn what_is_no_workbook_is_refused() {
    assert_eq!(
        complaint(b"PK\x03\x04nothing"),
        "not an XLSX file: invalid Zip archive: Could not find EOCD"
    );
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("readme.txt", SimpleFileOptions::default()).unwrap();
    let bytes = archive.finish().unwrap().into_inner();
    assert_eq!(complaint(&bytes), "not an XLSX file: it has no workbook in it");
    let old = sheet::read(&[0xD0, 0xCF, 0x11, 0xE0, 0, 0], Format::Xlsx, None, &Limits::default());
    assert!(old.unwrap_err().to_string().contains("protected by a password"));
    assert_eq!(complaint(&workbook(&of_rows(""), &[])), "the file is empty");
    for (rows, why) in [
        (r#"<row r="2"></row><row r="2"></row>"#, "row 2 follows row 2"),
        (r#"<row r="9999999"></row>"#, "row 9999999 follows row 0"),
        (r#"<row><c r="ZZZZ1"><v>1</v></c></row>"#, "row 1: \"ZZZZ1\" is no cell"),
        (r#"<row><c t="s"><v>7</v></c></row>"#, "row 1: a cell's text is missing"),
        (r#"<row><c><v>1e999</v></c></row>"#, "row 1: a number cannot be read"),
        (
            r#"<row><c t="b"><v>2</v></c></row>"#,
            "row 1: a truth value is neither 0 nor 1",
        ),
        (r#"<row><c t="str"><v>&bomb;</v></c></row>"#, "an unknown entity"),
        (r#"<row><c><v>1</c></row>"#, "ill-formed document"),
    ] {
        let error = complaint(&workbook(&of_rows(rows), &[]));
        assert!(
            error.starts_with("the workbook is damaged: xl/worksheets/s.xml: ") && error.contains(why),
            "{error}"
        );
    }
}

/// A few kilobytes that unpack to more than the limit; the size that the archive claims does not count.
#[test]
fn a_bomb_is_stopped_while_it_unpacks() {
    let limits = Limits {
        inflated_bytes: 1_000_000,
        ..Limits::default()
    };
    for (part, bomb) in [
        ("xl/worksheets/s.xml", of_rows(&" ".repeat(2_000_000))),
        (
            "xl/sharedStrings.xml",
            format!("<sst>{}</sst>", "<si><t>a</t></si>".repeat(100_000)),
        ),
        ("xl/workbook.xml", format!("<workbook {}=\"\"/>", "a".repeat(1_500_000))),
        (
            "xl/styles.xml",
            format!("<styleSheet>{}</styleSheet>", "<xf/>".repeat(300_000)),
        ),
        ("_rels/.rels", " ".repeat(1_100_000) + ROOT),
    ] {
        let bytes = workbook(&of_rows(""), &[(part, &bomb)]);
        assert!(bytes.len() < 30_000, "{part}: {}", bytes.len());
        let error = sheet::read(&bytes, Format::Xlsx, None, &limits).unwrap_err();
        assert_eq!(error, SheetError::Inflates { limit: 1_000_000 }, "{part}");
        // Lies about the size change nothing.
        let mut lying = bytes.clone();
        for at in 0..lying.len().saturating_sub(30) {
            match &lying[at..at + 4] {
                b"PK\x03\x04" => lying[at + 22..at + 26].copy_from_slice(&10_u32.to_le_bytes()),
                b"PK\x01\x02" => lying[at + 24..at + 28].copy_from_slice(&10_u32.to_le_bytes()),
                _ => {}
            }
        }
        assert!(sheet::read(&lying, Format::Xlsx, None, &limits).is_err(), "{part}");
    }
    let parts: Vec<(String, &str)> = (0..10_001).map(|n| (format!("p{n}"), "")).collect();
    let parts: Vec<(&str, &str)> = parts.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    assert_eq!(
        complaint(&workbook(&of_rows(""), &parts)),
        "not an XLSX file: it has too many parts"
    );
}

/// One text of a megabyte, shown by every cell.
#[test]
fn a_text_that_many_cells_share_counts_for_each() {
    let strings = format!("<sst><si><t>{}</t></si></sst>", "x".repeat(1_000_000));
    let row = r#"<row><c t="s"><v>0</v></c></row>"#;
    let bytes = workbook(&of_rows(&row.repeat(1_000)), &[("xl/sharedStrings.xml", &strings)]);
    let error = complaint(&bytes);
    assert!(
        error.ends_with("more than 67108864 bytes of text in the cells up to here; an import takes no more"),
        "{error}"
    );
    let limits = Limits {
        cells: 10,
        columns: 4,
        rows: 5,
        ..Limits::default()
    };
    let limited = |rows: &str| {
        sheet::read(&workbook(&of_rows(rows), &[]), Format::Xlsx, None, &limits)
            .unwrap_err()
            .to_string()
    };
    let cells = |count: usize| format!("<row>{}</row>", "<c><v>1</v></c>".repeat(count));
    assert_eq!(limited(&cells(5)), "row 1: 5 columns; a table takes 4");
    assert_eq!(
        limited(&cells(4).repeat(5)),
        "row 4: more than 10 filled cells up to here; an import takes no more"
    );
    assert_eq!(
        limited(&cells(1).repeat(8)),
        "row 7: this would be row 6 of the table; a table takes 5 rows"
    );
}

/// More of them by hand: `SEEDS=100000 cargo test --release --test exchange mutants`.
fn seeds() -> u64 {
    std::env::var("SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(500)
}

#[test]
fn mutants_of_a_workbook_are_read_or_refused() {
    let mut table = Replica::imported(b"name,amount,due\nAda,12,2026-01-31\nGrace,,2026-02-01\n");
    table.add_column("State", roundtable::document::table::Kind::Select, &["open", "done"]);
    let good = table.xlsx();
    // The parts as they are, so that mutants reach the XML behind the archive.
    let mut archive = zip::ZipArchive::new(Cursor::new(&good)).unwrap();
    let mut plain = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).unwrap();
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        plain.start_file(part.name().unwrap().into_owned(), stored).unwrap();
        std::io::copy(&mut part, &mut plain).unwrap();
    }
    let plain = plain.finish().unwrap().into_inner();
    let (mut taken, mut refused) = (0, 0);
    for seed in 0..seeds() {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut bytes = if seed % 2 == 0 { good.clone() } else { plain.clone() };
        if rng.random_bool(0.2) {
            bytes.truncate(rng.random_range(0..bytes.len()));
        }
        for _ in 0..rng.random_range(1..6) {
            let at = rng.random_range(0..bytes.len().max(1));
            if let Some(byte) = bytes.get_mut(at) {
                *byte = rng.random();
            }
        }
        println!("seed {seed}");
        match sheet::read(&bytes, Format::Xlsx, None, &Limits::default()) {
            Err(error) => {
                refused += 1;
                assert!(error.to_string().len() < 1_000);
            }
            Ok(sheet) => {
                taken += 1;
                let _ = (sheet.preview(), Import::new_table(sheet, &[]));
            }
        }
    }
    assert!(taken > 10 && refused > 100, "{taken} taken, {refused} refused");
}

#[test]
fn garbage_is_no_text() {
    for seed in 0..500 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let bytes: Vec<u8> = (0..rng.random_range(0..200)).map(|_| rng.random()).collect();
        for format in [Format::Csv, Format::Xlsx] {
            if let Ok(sheet) = sheet::read(&bytes, format, None, &Limits::default()) {
                let _ = (sheet.preview(), Import::new_table(sheet, &[]));
            }
        }
    }
}
