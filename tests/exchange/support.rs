//! A table in a document, and the few things these tests do with it.

use std::collections::BTreeSet;

use automerge::Automerge;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::document::export::{self, CsvOptions, Xlsx};
use roundtable::document::import::{Import, ImportError, new_document};
use roundtable::document::sheet::{self, Format, Limits, Sheet, SheetError};
use roundtable::document::table::{
    self, CellEdit, ColumnDraft, ColumnId, Kind, NewOption, NewRow, Outcome, Place, Reading, RowId, Stamp, TableEdit,
    TableIndex, batch, cells,
};
use serde_json::{Value as Json, json};

pub fn read(bytes: &[u8]) -> Result<Sheet, SheetError> {
    sheet::read(bytes, Format::guess(bytes), None, &Limits::default())
}

pub struct Replica {
    pub document: Automerge,
    pub index: TableIndex,
    pub rng: SmallRng,
}

impl Replica {
    pub fn empty(seed: u64) -> Self {
        let mut document = Automerge::new();
        document
            .transact(|tx| table::create(tx, "Table"))
            .map_err(|f| f.error)
            .unwrap();
        Self::of(document, seed)
    }

    pub fn of(document: Automerge, seed: u64) -> Self {
        Self {
            index: TableIndex::build(&document).unwrap(),
            document,
            rng: SmallRng::seed_from_u64(seed),
        }
    }

    /// A new table of a file, as it guesses.
    pub fn imported(bytes: &[u8]) -> Self {
        let import = Import::new_table(read(bytes).unwrap(), &[]).unwrap();
        Self::of(new_document("Imported", import, SmallRng::seed_from_u64(5)).unwrap(), 6)
    }

    pub fn edit(&mut self, edits: &[TableEdit]) -> Vec<Outcome> {
        let stamp = Stamp {
            at: 1_700_000_000_000,
            by: "Ada".into(),
        };
        let (index, rng) = (&self.index, &mut self.rng);
        let done = self.document.transact(|tx| batch::edit(tx, index, edits, &stamp, rng));
        let outcomes = done.map_err(|failed| failed.error).unwrap().result;
        self.index.follow(&self.document).unwrap();
        outcomes
    }

    pub fn run(&mut self, import: Result<Import, ImportError>) {
        for slice in import.unwrap().slices(SmallRng::seed_from_u64(9)) {
            self.edit(&slice.edits);
        }
    }

    pub fn add_column(&mut self, name: &str, kind: Kind, options: &[&str]) -> ColumnId {
        let option = |name: &&str| NewOption {
            name: (*name).into(),
            ..NewOption::default()
        };
        let draft = ColumnDraft {
            id: None,
            name: name.into(),
            kind,
            width: None,
            options: options.iter().map(option).collect(),
        };
        match &self.edit(&[TableEdit::AddColumn {
            at: Place::End,
            column: draft,
        }])[0]
        {
            Outcome::Column(id) => id.clone(),
            other => panic!("{other:?}"),
        }
    }

    pub fn add_row(&mut self, cells: Vec<(ColumnId, Json)>) -> RowId {
        let rows = vec![NewRow { id: None, cells }];
        match &self.edit(&[TableEdit::InsertRows { at: Place::End, rows }])[0] {
            Outcome::Rows(ids) => ids[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    pub fn set(&mut self, row: &RowId, column: &ColumnId, value: Json) {
        self.edit(&[TableEdit::Cell {
            row: row.clone(),
            column: column.clone(),
            edit: CellEdit::Set(value),
        }]);
    }

    pub fn csv(&self) -> String {
        export::csv(&self.document, &self.index, CsvOptions::default()).text
    }

    pub fn xlsx(&self) -> Vec<u8> {
        let columns = self.index.live_columns().cloned().collect();
        let written = Xlsx::write(
            self.index.title(),
            &self.document,
            columns,
            self.index.live(),
            1_700_000_000,
        );
        written.unwrap().bytes
    }

    pub fn column(&self, name: &str) -> ColumnId {
        let found = self.index.live_columns().find(|column| column.name == name);
        found.unwrap_or_else(|| panic!("no column {name}")).id.clone()
    }

    /// Everything a person sees, whatever the ids: names, kinds, options, and cells with options by name.
    pub fn seen(&self) -> Seen {
        let columns: Vec<_> = self.index.live_columns().collect();
        let head = columns.iter().map(|column| {
            let options = column
                .options
                .iter()
                .map(|option| (option.name.clone(), option.color.clone()));
            (column.name.clone(), column.kind.as_str().to_owned(), options.collect())
        });
        let name = |column: &table::Column, id: &Json| {
            let found = column
                .options
                .iter()
                .find(|option| Some(option.id.as_str()) == id.as_str());
            found.map_or(id.clone(), |option| json!(option.name))
        };
        let value = |column: &table::Column, reading: &Reading| match (&column.kind, reading.to_json()) {
            (Kind::Select, id) => name(column, &id),
            (Kind::MultiSelect, Json::Array(ids)) => {
                let names: BTreeSet<String> = ids.iter().map(|id| name(column, id).to_string()).collect();
                json!(names)
            }
            (_, json) => json,
        };
        let row = |row: &std::sync::Arc<table::RowEntry>| {
            let cells = cells::row_cells(&self.document, &row.object, columns.iter().copied());
            columns
                .iter()
                .zip(cells)
                .map(|(column, (_, reading))| value(column, &reading))
                .collect()
        };
        Seen {
            columns: head.collect(),
            rows: self.index.live().iter().map(row).collect(),
        }
    }
}

type Options = Vec<(String, Option<String>)>;

#[derive(Debug, PartialEq)]
pub struct Seen {
    pub columns: Vec<(String, String, Options)>,
    pub rows: Vec<Vec<Json>>,
}

/// Characters that files have trouble with, and some that they have not.
const LETTERS: &[&str] = &[
    "a", "b", "Z", "ß", "🏙", " ", ",", ";", "\t", "\n", "\r", "\r\n", "\"", "'", "=", "+", "-", "@", "1", "0", ".",
    "_x000D_", "&", "<", "]]>", "\u{7f}", "\u{1}", "\u{feff}", "é", "_x", "e", "T",
];

pub fn text(rng: &mut SmallRng) -> String {
    (0..rng.random_range(1..8))
        .map(|_| LETTERS[rng.random_range(0..LETTERS.len())])
        .collect()
}

/// A value of the kind, over JSON.
pub fn value(kind: &Kind, options: &[String], rng: &mut SmallRng) -> Json {
    let ids = |rng: &mut SmallRng, from: &[String]| -> Json {
        let chosen: BTreeSet<_> = (0..rng.random_range(1..4))
            .map(|_| from[rng.random_range(0..from.len())].clone())
            .collect();
        json!(chosen)
    };
    match kind {
        Kind::Text | Kind::LongText => json!(text(rng)),
        Kind::Number => match rng.random_range(0..5) {
            0 => json!(rng.random_range(-9_007_199_254_740_991_i64..=9_007_199_254_740_991)),
            1 => json!(rng.random_range(-1000..1000)),
            2 => json!(rng.random::<f64>() * 1e-9),
            3 => json!(rng.random::<f64>() * 1e200),
            _ => json!(f64::from(rng.random_range(-100_000..100_000)) / 8.0),
        },
        Kind::Counter => json!(rng.random_range(-1_000_000..1_000_000)),
        Kind::Checkbox => json!(rng.random::<bool>()),
        Kind::Date => {
            let day = format!(
                "{:04}-{:02}-{:02}",
                [1, 1582, 1899, 1900, 1950, 2026, 9999][rng.random_range(0..7)],
                rng.random_range(1..13),
                rng.random_range(1..29)
            );
            let time = [
                "",
                "T10:00",
                "T23:59:59",
                "T00:00:00",
                "T10:00:00Z",
                "T01:02:03.5",
                "T10:00+02:00",
                "T12:00:60",
            ];
            json!(day + time[rng.random_range(0..time.len())])
        }
        Kind::Select => json!(options[rng.random_range(0..options.len())]),
        Kind::MultiSelect => ids(rng, options),
        Kind::Link => {
            let there: Vec<String> = ["b.1", "https://example.org/a,b", "x \"y\"", " z "]
                .map(String::from)
                .into();
            ids(rng, &there)
        }
        Kind::Other(_) => Json::Null,
    }
}
