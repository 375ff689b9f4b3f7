//! What goes out comes in as the same table.

use calamine::{Data, Reader};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::document::export::{Csv, CsvOptions};
use roundtable::document::import::{Choice, Import, new_document};
use roundtable::document::sheet::{self, Format, Limits};
use roundtable::document::table::{Kind, TableIndex};
use serde_json::json;

use super::support::{Replica, Seen, read, text, value};

const KINDS: [Kind; 9] = [
    Kind::Text,
    Kind::Number,
    Kind::Checkbox,
    Kind::Date,
    Kind::Select,
    Kind::MultiSelect,
    Kind::Link,
    Kind::LongText,
    Kind::Counter,
];

/// A table with a column of every kind and messy values. Names of options and columns are trimmed, as people's are.
fn any_table(seed: u64, by_name: bool) -> Replica {
    let mut replica = Replica::empty(seed);
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut columns = Vec::new();
    for kind in KINDS {
        let name = match by_name {
            true => format!("{} {}", kind.as_str(), text(&mut rng).trim()),
            false => format!("{}{}", text(&mut rng).trim(), columns.len()),
        };
        let options: Vec<String> = match kind.has_options() {
            true => (0..3).map(|n| format!("{}{n}", text(&mut rng).trim())).collect(),
            false => Vec::new(),
        };
        let names: Vec<&str> = options.iter().map(String::as_str).collect();
        let id = replica.add_column(name.trim(), kind.clone(), &names);
        let column = replica.index.column(&id).unwrap();
        let ids: Vec<String> = column.options.iter().map(|option| option.id.clone()).collect();
        columns.push((id, kind, ids));
    }
    for _ in 0..20 {
        let mut cells = Vec::new();
        for (id, kind, options) in &columns {
            if rng.random_bool(0.8) {
                cells.push((id.clone(), value(kind, options, &mut rng)));
            }
        }
        replica.add_row(cells);
    }
    replica
}

/// Without colours and unused options, and option names in the order of the letters: what a CSV file can say.
fn as_csv_says(mut seen: Seen) -> Seen {
    for (_, _, options) in &mut seen.columns {
        options.clear();
    }
    seen
}

#[test]
fn csv_with_the_kinds_given_is_exact() {
    let kinds: Vec<Choice> = KINDS
        .map(|kind| Choice::New {
            name: None,
            kind: Some(kind),
        })
        .into();
    for seed in 0..40 {
        let table = any_table(seed, false);
        let text = table.csv();
        let sheet = read(text.as_bytes()).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
        let import = Import::new_table(sheet, &kinds).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
        let size = import.size();
        let again = Replica::of(new_document("Again", import, SmallRng::seed_from_u64(1)).unwrap(), 1);
        assert_eq!(
            as_csv_says(again.seen()),
            as_csv_says(table.seen()),
            "seed {seed}:\n{text}"
        );
        assert_eq!((size.columns, size.new_rows, size.changed_rows), (9, 20, 0));
    }
}

#[test]
fn xlsx_brings_its_kinds_and_is_exact() {
    for seed in 0..25 {
        let table = any_table(seed, true);
        let bytes = table.xlsx();
        let sheet = read(&bytes).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(
            (sheet.sheets(), sheet.format()),
            (&["Table".to_owned()][..], Format::Xlsx)
        );
        let again = Replica::imported(&bytes);
        assert_eq!(again.seen(), table.seen(), "seed {seed}");
    }
}

/// Somebody moves columns about and writes below; the hidden sheet still says which column is which.
#[test]
fn an_exported_workbook_goes_back_into_its_table() {
    let mut table = any_table(3, true);
    let before = table.seen();
    let sheet = read(&table.xlsx()).unwrap();
    // Renamed meanwhile: the columns are found by their ids.
    let renamed = table.index.live_columns().next().unwrap().id.clone();
    table.edit(&[roundtable::document::table::TableEdit::RenameColumn {
        column: renamed,
        name: "Other".into(),
    }]);
    table.run(Import::append(sheet, &table.index, &[], &Limits::default()));
    let after = table.seen();
    assert_eq!(after.rows.len(), 40);
    assert_eq!(after.rows[20..], before.rows[..]);
}

/// What another program reads in our workbooks: the values, as what they are.
#[test]
fn another_program_reads_the_same_workbook() {
    let mut table = Replica::empty(1);
    let name = table.add_column("Name", Kind::Text, &[]);
    let amount = table.add_column("Amount", Kind::Number, &[]);
    let paid = table.add_column("Paid", Kind::Checkbox, &[]);
    let due = table.add_column("Due", Kind::Date, &[]);
    let state = table.add_column("State", Kind::Select, &["open", "done"]);
    let open = table.index.column(&state).unwrap().options[0].id.clone();
    table.add_row(vec![
        (name, json!("=1+1")),
        (amount, json!(12.5)),
        (paid, json!(true)),
        (due, json!("2026-01-31")),
        (state, json!(open)),
    ]);
    let mut workbook = calamine::Xlsx::new(std::io::Cursor::new(table.xlsx())).unwrap();
    let range = workbook.worksheet_range("Table").unwrap();
    let row: Vec<&Data> = range.rows().nth(1).unwrap().iter().collect();
    assert_eq!(row[0], &Data::String("=1+1".into()));
    assert_eq!(row[1], &Data::Float(12.5));
    assert_eq!(row[2], &Data::Bool(true));
    let Data::DateTime(day) = row[3] else { panic!("{row:?}") };
    assert_eq!(day.to_ymd_hms_milli(), (2026, 1, 31, 0, 0, 0, 0));
    assert_eq!(row[4], &Data::String("open".into()));
    assert_eq!(workbook.worksheet_formula("Table").unwrap().used_cells().count(), 0);
    let hidden = &workbook.sheets_metadata()[1];
    assert_eq!(
        (hidden.name.as_str(), hidden.visible),
        ("_roundtable", calamine::SheetVisible::VeryHidden)
    );
}

/// The server streams an export some rows at a time.
#[test]
fn rows_written_in_pieces_are_the_whole() {
    let table = any_table(8, false);
    let columns: Vec<_> = table.index.live_columns().cloned().collect();
    let csv = Csv::new(columns, CsvOptions { raw: false, mark: true });
    let mut pieces = Vec::new();
    csv.header(&mut pieces).unwrap();
    for rows in table.index.live().chunks(7) {
        csv.rows(&table.document, rows, &mut pieces).unwrap();
    }
    assert_eq!(String::from_utf8(pieces).unwrap(), format!("\u{feff}{}", table.csv()));
}

#[test]
fn formulas_are_neutralised_unless_raw() {
    let mut table = Replica::empty(1);
    let (name, amount) = (
        table.add_column("=cmd", Kind::Text, &[]),
        table.add_column("n", Kind::Number, &[]),
    );
    let state = table.add_column("s", Kind::Select, &["@x"]);
    let option = table.index.column(&state).unwrap().options[0].id.clone();
    for text in ["=1+1", "+49 17", "-5", "@a", "\tx", "\rx", "'=x", "plain", "'plain"] {
        table.add_row(vec![
            (name.clone(), json!(text)),
            (amount.clone(), json!(-5)),
            (state.clone(), json!(option)),
        ]);
    }
    let text = table.csv();
    assert!(
        text.starts_with("'=cmd,n,s\n'=1+1,-5,'@x\n'+49 17,-5,'@x\n'-5,-5,'@x\n'@a,"),
        "{text}"
    );
    assert!(
        text.contains("\n''=x,-5") && text.contains("\nplain,") && text.contains("\n'plain,"),
        "{text}"
    );
    assert_eq!(Replica::imported(text.as_bytes()).csv(), text);
    let raw = CsvOptions { raw: true, mark: false };
    let raw = roundtable::document::export::csv(&table.document, &table.index, raw).text;
    assert!(raw.starts_with("=cmd,n,s\n=1+1,-5,@x\n"), "{raw}");
}

#[test]
fn a_text_that_a_spreadsheet_does_not_take_is_named() {
    let mut table = Replica::empty(1);
    let name = table.add_column("Essay", Kind::LongText, &[]);
    table.add_row(vec![(name.clone(), json!("é".repeat(32_767)))]);
    let row = table.add_row(vec![(name.clone(), json!("x"))]);
    table.xlsx();
    table.set(&row, &name, json!("🏙".repeat(16_384)));
    let columns = table.index.live_columns().cloned().collect();
    let error = roundtable::document::export::Xlsx::write("T", &table.document, columns, table.index.live(), 0);
    assert_eq!(
        error.unwrap_err().to_string(),
        format!(
            "row {row} (line 3 of the sheet), column \"Essay\": a text of 32768 characters; a spreadsheet takes 32767, \
             export as CSV instead"
        )
    );
}

#[test]
fn every_encoding_and_line_end_makes_the_same_table() {
    let text = "name,city\nZoë,\"Köln 🏙\nx\"\n";
    let wanted = Replica::imported(text.as_bytes()).seen();
    let marked = format!("\u{feff}{text}");
    let little: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [marked.clone().into_bytes(), little, big] {
        assert_eq!(Replica::imported(&bytes).seen(), wanted);
    }
    let returns = text.replace(",city\n", ",city\r\n").replace("x\"\n", "x\"\r\n");
    assert_eq!(Replica::imported(returns.as_bytes()).seen(), wanted);
}

#[test]
fn a_sheet_is_chosen_by_its_name() {
    let mut workbook = rust_xlsxwriter::Workbook::new();
    for (name, text) in [("First", "a"), ("Second", "b")] {
        let sheet = workbook.add_worksheet().set_name(name).unwrap();
        sheet.write_string(2, 1, text).unwrap();
        sheet
            .write_formula(3, 1, rust_xlsxwriter::Formula::new("=1+1").set_result("2"))
            .unwrap();
        sheet
            .write_formula(4, 1, rust_xlsxwriter::Formula::new("=1/0").set_result("#DIV/0!"))
            .unwrap();
    }
    let bytes = workbook.save_to_buffer().unwrap();
    let read = |name| sheet::read(&bytes, Format::Xlsx, name, &Limits::default());
    assert_eq!(read(None).unwrap().names(), ["Column 1", "a"]);
    let second = read(Some("Second")).unwrap();
    assert_eq!(
        (second.names(), second.sheet()),
        (&["Column 1".to_owned(), "b".to_owned()][..], Some("Second"))
    );
    // A formula counts as what it last came to.
    assert_eq!(second.field(0, 1), sheet::Field::Number(2.0));
    assert_eq!(second.field(1, 1), sheet::Field::Error("#DIV/0!"));
    let preview = second.preview();
    assert_eq!(
        (preview.rows, &preview.sheets[..]),
        (2, &["First".to_owned(), "Second".to_owned()][..])
    );
    assert_eq!(
        (&preview.columns[1].kind, preview.columns[1].errors),
        (&Kind::Number, 1)
    );
    assert_eq!(preview.columns[1].samples, ["2"]);
    assert_eq!(
        read(Some("Third")).unwrap_err().to_string(),
        "there is no sheet \"Third\"; there are [\"First\", \"Second\"]"
    );
    let table = Replica::imported(&bytes);
    assert_eq!(TableIndex::build(&table.document).unwrap().live().len(), 2);
}
