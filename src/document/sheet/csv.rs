//! CSV text to a sheet.
//!
//! - Lines are counted as an editor counts them: `\n`, `\r\n` and a lone `\r` each end one.
//! - An apostrophe that an export put before what looks like a formula is taken away again.

use super::builder::{Builder, Tag};
use super::{At, Format, Limits, Sheet, SheetError, encoding, is_formula, records};

pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Sheet, SheetError> {
    let text = encoding::decode(bytes)?;
    let delimiter = records::guess_delimiter(&text);
    let mut builder = Builder::new(Format::Csv, limits);
    // The crate passes over a byte order mark, and the file's own is gone: a second one belongs to the first name.
    let swallowed = text.starts_with('\u{feff}').then(|| format!("\u{feff}{text}"));
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(swallowed.as_deref().unwrap_or(&text).as_bytes());
    let mut fields = csv::StringRecord::new();
    let mut expected = None;
    for shape in records::Records::new(&text, delimiter) {
        let shape = shape?;
        check(&shape, *expected.get_or_insert(shape.fields), limits)?;
        let found = reader.read_record(&mut fields);
        // Both cut the text in the same way; a test holds this.
        if !matches!(found, Ok(true)) || fields.len() != shape.fields {
            return Err(SheetError::Damaged {
                part: format!("line {}", shape.line),
                why: "its fields cannot be told apart".into(),
            });
        }
        builder.begin_row(shape.line);
        builder.column(shape.fields - 1)?;
        for (column, field) in fields.iter().enumerate() {
            match field.strip_prefix('\'').filter(|rest| is_formula(rest)) {
                Some(text) => builder.text(column, Tag::Text, text)?,
                None => builder.text(column, Tag::Written, field)?,
            }
        }
        builder.end_row()?;
    }
    builder.finish(Vec::new(), None, Vec::new())
}

fn check(shape: &records::Record, expected: usize, limits: &Limits) -> Result<(), SheetError> {
    let line = shape.line;
    if shape.fields != expected {
        return Err(SheetError::Ragged {
            line,
            expected,
            found: shape.fields,
        });
    }
    if shape.fields > limits.columns {
        return Err(SheetError::TooManyColumns {
            at: At::Line(line),
            found: shape.fields,
            limit: limits.columns,
        });
    }
    if shape.longest > limits.field_bytes {
        return Err(SheetError::FieldTooLong {
            at: At::Line(line),
            found: shape.longest,
            limit: limits.field_bytes,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Field;
    use super::*;
    use crate::document::table::Kind;

    fn imported(bytes: impl AsRef<[u8]>) -> Result<Sheet, SheetError> {
        read(bytes.as_ref(), &Limits::default())
    }

    fn rows(sheet: &Sheet) -> Vec<Vec<Field<'_>>> {
        let fields = |row| (0..sheet.names().len()).map(move |column| sheet.field(row, column));
        (0..sheet.rows()).map(|row| fields(row).collect()).collect()
    }

    /// The message a person gets to read.
    fn complaint(bytes: impl AsRef<[u8]>) -> String {
        imported(bytes).unwrap_err().to_string()
    }

    fn names(sheet: &Sheet) -> Vec<&str> {
        sheet.names().iter().map(String::as_str).collect()
    }

    #[test]
    fn kinds_are_guessed_from_all_rows() {
        let table = imported(
            "name,amount,paid,due,code,note\nAda,12,true,2026-01-31,007,\n\"Grace, H.\",-0.5,FALSE,2026-02-01T10:00:00Z,12,\n,,,,,\n",
        )
        .unwrap();
        let kinds = [
            Kind::Text,
            Kind::Number,
            Kind::Checkbox,
            Kind::Date,
            Kind::Text,
            Kind::Text,
        ];
        assert_eq!(table.kinds(), kinds);
        assert_eq!(table.field(1, 0), Field::Written("Grace, H."));
        assert_eq!(rows(&table)[2], [Field::Empty; 6]);
        assert_eq!((table.at(2), table.cells()), (At::Line(4), 10));
    }

    #[test]
    fn every_line_end_and_a_last_line_without_one() {
        for text in [
            "a,b\n1,2\n3,4",
            "a,b\r\n1,2\r\n3,4\r\n",
            "a,b\r1,2\r3,4\r",
            "\n\na,b\n\n1,2\n\n3,4\n\n",
        ] {
            assert_eq!(imported(text).unwrap().rows(), 2, "{text:?}");
        }
    }

    #[test]
    fn utf8_with_a_mark_and_utf16_both_ways_round() {
        let text = "name,city\nZoë,Köln 🏙\n";
        let marked = format!("\u{feff}{text}");
        let little: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let plain = imported(text).unwrap();
        assert_eq!(names(&plain), ["name", "city"]);
        for bytes in [marked.into_bytes(), little, big] {
            let read = imported(&bytes).unwrap();
            assert_eq!((names(&read), rows(&read)), (names(&plain), rows(&plain)));
        }
    }

    #[test]
    fn the_delimiter_is_found() {
        for text in ["a;b;c\n1,5;2,5;x\n", "a\tb\tc\n1,5\t2\t\"x;y\"\n", "a,b,c\n1,2,x;y\n"] {
            assert_eq!(imported(text).unwrap().names().len(), 3, "{text:?}");
        }
        assert_eq!(names(&imported("only\n1\n2\n").unwrap()), ["only"]);
    }

    #[test]
    fn other_encodings_are_refused_with_the_line() {
        assert_eq!(
            complaint(b"name,city\nAda,London\nZo\xEB,K\xF6ln\n"),
            "line 3: not UTF-8 (byte 0xEB); save the file as UTF-8 and try again"
        );
        assert_eq!(
            complaint(b"\xFF\xFEa\0\n\0\x00\xD8b\0"),
            "line 2: not UTF-16, although the file starts with its byte order mark"
        );
        assert_eq!(
            complaint(b"a\0,\0b\0\n\0"),
            "line 1: a zero byte; this is no text, or UTF-16 without a byte order mark"
        );
    }

    #[test]
    fn a_ragged_row_is_refused_with_its_line_and_counts() {
        assert_eq!(
            complaint("a,b\n1,2\n\n3\n"),
            "line 4: 1 fields, but the first line has 2"
        );
        assert_eq!(
            complaint("a,b\r\n\"x\r\ny\",2\r\n1,2,3\r\n"),
            "line 4: 3 fields, but the first line has 2"
        );
    }

    #[test]
    fn an_open_quote_is_refused_with_the_line_it_was_opened_on() {
        assert_eq!(
            complaint("a,b\n1,2\n3,\"4\n5,6\n7,8\n"),
            "line 3: a quote is opened here and never closed"
        );
        assert_eq!(
            complaint("a,b\n1,\"2\n3,4\n5,\"6\"\n"),
            "line 2: the quote opened here is closed on line 4, but more text follows before the next field"
        );
        // A quote inside a field is a character like any other: inches.
        assert_eq!(
            imported("size,n\n5\" pipe,1\n").unwrap().field(0, 0),
            Field::Written("5\" pipe")
        );
    }

    #[test]
    fn nothing_in_the_file_is_an_error_and_a_header_alone_is_not() {
        for bytes in ["", "\u{feff}", "\n\r\n\n"] {
            assert_eq!(complaint(bytes), "the file is empty");
        }
        assert_eq!(imported("a,b").unwrap().rows(), 0);
    }

    #[test]
    fn column_names_are_filled_in_and_made_unique() {
        let table = imported("Amount,,Amount,Amount 2, Amount ,Column 2\n1,2,3,4,5,6\n").unwrap();
        assert_eq!(
            names(&table),
            ["Amount", "Column 2 2", "Amount 3", "Amount 2", "Amount 4", "Column 2"]
        );
    }

    #[test]
    fn each_limit_is_named_with_the_line_that_hits_it() {
        let limits = Limits {
            bytes: 40,
            rows: 2,
            columns: 2,
            cells: 3,
            field_bytes: 5,
            ..Limits::default()
        };
        let complaint = |text: &str| {
            let read = super::super::read(text.as_bytes(), Format::Csv, None, &limits);
            read.unwrap_err().to_string()
        };
        assert_eq!(
            complaint("a\n1\n2\n3\n"),
            "line 4: this would be row 3 of the table; a table takes 2 rows"
        );
        assert_eq!(complaint(&"x".repeat(41)), "the file has 41 bytes; an import takes 40");
        assert_eq!(complaint("a,b,c\n"), "line 1: 3 columns; a table takes 2");
        assert_eq!(complaint("a\nabcdef\n"), "line 2: a field of 6 bytes; a cell takes 5");
        assert_eq!(
            complaint("a,b\n1,2\n3,4\n"),
            "line 3: more than 3 filled cells up to here; an import takes no more"
        );
    }

    /// What an export has put before a formula is taken away, and nothing else.
    #[test]
    fn an_apostrophe_before_a_formula_goes() {
        let sheet = imported("'=name,n\n'=1+1,'-5\n'plain,''@x\n").unwrap();
        assert_eq!(names(&sheet), ["=name", "n"]);
        assert_eq!(rows(&sheet)[0], [Field::Text("=1+1"), Field::Text("-5")]);
        assert_eq!(rows(&sheet)[1], [Field::Written("'plain"), Field::Text("'@x")]);
        assert_eq!(sheet.kinds(), [Kind::Text, Kind::Text]);
    }

    #[test]
    fn a_field_of_a_megabyte_and_ten_thousand_columns_are_taken() {
        let long = "x".repeat(1024 * 1024);
        let sheet = imported(format!("a,b\n{long},1\n")).unwrap();
        assert_eq!(sheet.field(0, 0), Field::Written(long.as_str()));
        assert!(complaint(format!("a\n{long}x\n")).starts_with("line 2: a field of 1048577 bytes"));
        let wide: Vec<String> = (0..10_000).map(|n| (n % 7).to_string()).collect();
        let sheet = imported([wide.join(","), wide.join(",")].join("\r\n")).unwrap();
        assert_eq!((sheet.names().len(), sheet.cells()), (10_000, 10_000));
        assert_eq!(sheet.names()[9_999], "3 1429");
        assert_eq!(
            complaint(",".repeat(10_000)),
            "line 1: 10001 columns; a table takes 10000"
        );
    }
}
