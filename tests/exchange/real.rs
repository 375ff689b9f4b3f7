//! A file of the world: `fixtures/timezones.csv` holds the records of the IANA time zone database (release 2025b, in the
//! public domain), one line each: rules, zones and links, with everything that people put into such files.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use roundtable::document::import::{Blank, Choice, Import};
use roundtable::document::sheet::Limits;
use roundtable::document::table::{CHANGE_CELLS, Kind};

use super::support::{Replica, read};

const FILE: &[u8] = include_bytes!("../fixtures/timezones.csv");

#[test]
fn a_file_of_the_world_survives_csv_and_xlsx() {
    let sheet = read(FILE).unwrap();
    let (rows, cells) = (sheet.rows(), sheet.cells());
    assert!(rows > 3_000, "{rows}");
    let kinds = sheet.kinds();
    let number = sheet.names().iter().position(|name| name == "from").unwrap();
    assert_eq!((&kinds[0], &kinds[number]), (&Kind::Text, &Kind::Number));
    let table = Replica::imported(FILE);
    let seen = table.seen();
    assert_eq!(seen.rows.len(), rows);
    assert_eq!(seen.rows.iter().flatten().filter(|cell| !cell.is_null()).count(), cells);
    let text = table.csv();
    // Offsets west of Greenwich look like formulas.
    assert!(text.contains(",'-0:"), "nothing was neutralised");
    assert_eq!(
        text.replace(",'-", ",-").replace(",'+", ",+"),
        String::from_utf8_lossy(FILE).replace("\r\n", "\n")
    );
    assert_eq!(Replica::imported(text.as_bytes()).seen(), seen);
    assert_eq!(Replica::imported(&table.xlsx()).seen(), seen);
}

#[test]
fn its_columns_can_be_made_options_and_its_slices_are_small_and_always_the_same() {
    let mut choices = vec![Choice::ByName; 11];
    for (at, kind) in [
        (0, Kind::Select),
        (1, Kind::Select),
        (4, Kind::MultiSelect),
        (2, Kind::Counter),
    ] {
        choices[at] = Choice::New {
            name: None,
            kind: Some(kind),
        };
    }
    choices[10] = Choice::Skip;
    let make = || Import::new_table(read(FILE).unwrap(), &choices).unwrap();
    let size = make().size();
    let slices: Vec<_> = make().slices(SmallRng::seed_from_u64(4)).collect();
    assert_eq!(
        (slices.len(), slices.iter().map(|slice| slice.cells).sum()),
        (size.slices, size.cells)
    );
    assert!(
        slices
            .iter()
            .all(|slice| slice.cells <= CHANGE_CELLS && !slice.edits.is_empty())
    );
    let again: Vec<_> = make().slices(SmallRng::seed_from_u64(4)).collect();
    assert!(slices == again, "the same randomness makes other slices");
    let mut table = Replica::empty(1);
    table.run(Ok(make()));
    let seen = table.seen();
    let options: Vec<_> = seen.columns[0].2.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(options, ["rule", "zone", "link"]);
    assert_eq!(seen.columns[4].2.len(), 12);
    assert_eq!(table.index.live_columns().count(), 10);
}

/// The file again, with one year changed: one cell is written.
#[test]
fn the_next_release_changes_what_differs() {
    let lines: Vec<&str> = std::str::from_utf8(FILE).unwrap().lines().collect();
    let keyed = |changed: usize| {
        let mut text = String::new();
        for (number, line) in lines.iter().enumerate() {
            let key = if number == 0 { "key".into() } else { number.to_string() };
            let name = if number == changed {
                line.replacen("rule,", "RULE,", 1)
            } else {
                (*line).into()
            };
            text += &format!("{key},{name}\n");
        }
        text
    };
    let mut table = Replica::imported(keyed(0).as_bytes());
    let before = table.seen();
    let key = table.column("key");
    let next = keyed(7) + &format!("{},new,X,,,,,,,,,\n", lines.len());
    let sheet = read(next.as_bytes()).unwrap();
    let limits = Limits::default();
    let update = Import::update(sheet, &table.document, &table.index, &key, Blank::Keep, &[], &limits);
    let size = update.as_ref().unwrap().size();
    assert_eq!((size.changed_rows, size.new_rows, size.cells), (1, 1, 4));
    table.run(update);
    let after = table.seen();
    assert_eq!(after.rows.len(), before.rows.len() + 1);
    let differing: Vec<_> = before
        .rows
        .iter()
        .zip(&after.rows)
        .filter(|(old, new)| old != new)
        .collect();
    assert_eq!(differing.len(), 1);
    assert_eq!(differing[0].1[1], serde_json::json!("RULE"));
}
