//! How much and how long: a million cells. The measuring is run by hand, alone and in release:
//! `cargo test --release --test exchange -- --ignored --nocapture --test-threads 1 large::`.

use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use roundtable::document::import::{Choice, Import, new_document};
use roundtable::document::sheet::Limits;
use roundtable::document::table::{CHANGE_CELLS, CellEdit, Kind, MAX_SLICE_BYTES, NewRow, Place, TableEdit};
use serde_json::json;

use super::support::{Replica, read};

fn rows(count: usize, columns: usize) -> String {
    let mut text: String = (0..columns).map(|n| format!("Column {n},")).collect();
    text.pop();
    for row in 0..count {
        text.push('\n');
        for column in 0..columns {
            text += if column == 0 { "" } else { "," };
            text += &match column % 3 {
                0 => format!("text {row}"),
                1 => (row * column).to_string(),
                _ => format!("{}.5", row),
            };
        }
    }
    text
}

/// Bytes of the values that a slice brings.
fn bytes(edits: &[TableEdit]) -> usize {
    let values = edits.iter().flat_map(|edit| match edit {
        TableEdit::InsertRows { rows, .. } => rows
            .iter()
            .flat_map(|row| row.cells.iter().map(|(_, json)| json))
            .collect(),
        TableEdit::Cell {
            edit: CellEdit::Set(json),
            ..
        } => vec![json],
        _ => Vec::new(),
    });
    values.map(|json| json.as_str().map_or(8, str::len)).sum()
}

#[test]
fn wide_rows_and_long_texts_are_cut_into_slices_too() {
    let long = "y".repeat(100_000);
    let mut text: String = (0..1_300).map(|n| format!("c{n},")).collect();
    text.pop();
    for row in 0..3 {
        let fields: Vec<String> = (0..1_300)
            .map(|column| {
                if column % 400 == 7 {
                    long.clone()
                } else {
                    (row + column).to_string()
                }
            })
            .collect();
        text += &format!("\n{}", fields.join(","));
    }
    let huge = "z".repeat(1_000_000);
    text += &format!("\n{huge}{}", ",".repeat(1_299));
    let import = Import::new_table(read(text.as_bytes()).unwrap(), &[]).unwrap();
    let slices: Vec<_> = import.clone().slices(SmallRng::seed_from_u64(1)).collect();
    for slice in &slices {
        assert!(slice.cells <= CHANGE_CELLS);
        let size = bytes(&slice.edits);
        assert!(
            size <= MAX_SLICE_BYTES || slice.cells == 1,
            "{size} bytes in {} cells",
            slice.cells
        );
    }
    let table = Replica::of(new_document("Wide", import, SmallRng::seed_from_u64(2)).unwrap(), 1);
    let seen = table.seen();
    assert_eq!((seen.rows.len(), seen.columns.len()), (4, 1_300));
    assert!(
        seen.rows[2][7] == json!(long) && seen.rows[3][0] == json!(huge),
        "a long text was changed"
    );
    assert_eq!(seen.rows[2][1_299], json!(1301));
    let text = table.csv();
    assert!(
        Replica::imported(text.as_bytes()).seen() == seen,
        "another table came back"
    );
}

#[test]
#[ignore = "a measurement"]
fn measure_slices() {
    for (count, columns) in [(50_000, 10), (50_000, 20), (100, 10_000)] {
        let text = rows(count, columns);
        let start = Instant::now();
        let sheet = read(text.as_bytes()).unwrap();
        let reading = start.elapsed();
        let start = Instant::now();
        let import = Import::new_table(sheet, &[]).unwrap();
        let planning = start.elapsed();
        let size = import.size();
        let start = Instant::now();
        let made = import.slices(SmallRng::seed_from_u64(1)).count();
        println!(
            "{count} rows of {columns}, {} bytes: read {reading:?}, check {planning:?}, {made} slices of {} cells in {:?}",
            text.len(),
            size.cells,
            start.elapsed()
        );
    }
}

/// The peak of the whole process; one at a time, since it never falls.
#[test]
#[ignore = "a measurement"]
fn measure_memory() {
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        status
            .lines()
            .find(|line| line.starts_with("VmHWM"))
            .unwrap()
            .to_owned()
    };
    let text = rows(50_000, 20);
    println!("with the file of {} bytes: {}", text.len(), peak());
    let sheet = read(text.as_bytes()).unwrap();
    println!("read: {}", peak());
    let import = Import::new_table(sheet, &[]).unwrap();
    println!("checked: {}", peak());
    let slices = import.slices(SmallRng::seed_from_u64(1)).count();
    println!("{slices} slices: {}", peak());
}

/// What one slice of an import costs in a table that is large already.
#[test]
#[ignore = "a measurement"]
fn measure_inserts() {
    let import = Import::new_table(read(rows(20, 10_000).as_bytes()).unwrap(), &[]).unwrap();
    let start = Instant::now();
    new_document("Wide", import, SmallRng::seed_from_u64(1)).unwrap();
    println!("20 rows of 10,000 made in {:?}", start.elapsed());
    let text = rows(50_000, 10);
    let import = Import::new_table(read(text.as_bytes()).unwrap(), &[]).unwrap();
    let start = Instant::now();
    let document = new_document("Large", import, SmallRng::seed_from_u64(1)).unwrap();
    println!("50,000 rows of 10 made in {:?}", start.elapsed());
    let mut table = Replica::of(document, 2);
    let columns: Vec<_> = table.index.live_columns().map(|column| column.id.clone()).collect();
    let row = NewRow {
        id: None,
        cells: columns
            .iter()
            .step_by(3)
            .map(|column| (column.clone(), json!("text")))
            .collect(),
    };
    for at in [Place::End, Place::After(table.index.live()[25_000].id.clone())] {
        let edits = [TableEdit::InsertRows {
            at: at.clone(),
            rows: vec![row.clone(); 50],
        }];
        let stamp = roundtable::document::table::Stamp {
            at: 0,
            by: String::new(),
        };
        let start = Instant::now();
        for _ in 0..100 {
            let plan =
                roundtable::document::table::Plan::new(&table.document, &table.index, &edits, &stamp, &mut table.rng);
            std::hint::black_box(plan.unwrap());
        }
        let planned = start.elapsed() / 100;
        let start = Instant::now();
        for _ in 0..50 {
            table.edit(&edits);
        }
        println!(
            "50 rows at {at:?}: planned in {planned:?}, planned, written and followed in {:?}",
            start.elapsed() / 50
        );
    }
}

#[test]
#[ignore = "a measurement"]
fn measure_workbooks() {
    let text = rows(50_000, 10);
    let choice = Choice::New {
        name: None,
        kind: Some(Kind::Text),
    };
    let import = Import::new_table(read(text.as_bytes()).unwrap(), &[choice]).unwrap();
    let document = new_document("Large", import, SmallRng::seed_from_u64(1)).unwrap();
    let table = Replica::of(document, 2);
    let start = Instant::now();
    let bytes = table.xlsx();
    println!("{} bytes of XLSX in {:?}", bytes.len(), start.elapsed());
    let start = Instant::now();
    let sheet = roundtable::document::sheet::read(
        &bytes,
        roundtable::document::sheet::Format::Xlsx,
        None,
        &Limits::default(),
    );
    println!("{} cells read in {:?}", sheet.unwrap().cells(), start.elapsed());
    let start = Instant::now();
    println!("{} bytes of CSV in {:?}", table.csv().len(), start.elapsed());
}
