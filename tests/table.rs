//! Tables in documents: written, read, saved and loaded; as this program writes them and as front ends do.

use std::collections::BTreeSet;

use automerge::transaction::Transactable;
use automerge::{Automerge, ObjType, ROOT, ScalarValue};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::document::export::{self, CsvOptions};
use roundtable::document::import::{Import, new_document};
use roundtable::document::order::{OrderError, OrderKey, between, n_between, place};
use roundtable::document::sheet::{self, Format, Limits};
use roundtable::document::table::{self, Cell, NotATable, Table, TableIndex, Value};

fn imported(text: &str) -> Automerge {
    let sheet = sheet::read(text.as_bytes(), Format::Csv, None, &Limits::default()).unwrap();
    let import = Import::new_table(sheet, &[]).unwrap();
    new_document("Imported", import, SmallRng::seed_from_u64(7)).unwrap()
}

fn exported(document: &Automerge) -> export::Written {
    let index = TableIndex::build(document).unwrap();
    export::csv(document, &index, CsvOptions::default())
}

fn text(text: &str) -> Option<Value> {
    Some(Value::Text(text.into()))
}

/// Rows of five cells, none of them empty.
fn grid(rows: usize) -> String {
    let row = |row: usize| format!("row {row},{row},{}.5,{},2026-01-31\n", row, row.is_multiple_of(2));
    "a,b,c,d,e\n".to_owned() + &(0..rows).map(row).collect::<String>()
}

/// The plain values of a table, in its order.
fn values(table: &Table) -> Vec<Vec<Option<Value>>> {
    let cell = |cell: Option<&Cell>| match cell {
        Some(Cell::Value(value)) => Some(value.clone()),
        Some(other) => panic!("{other:?}"),
        None => None,
    };
    table
        .rows
        .iter()
        .map(|row| {
            table
                .columns
                .iter()
                .map(|column| cell(row.cells.get(&column.id)))
                .collect()
        })
        .collect()
}

#[test]
fn a_table_reads_as_it_was_written_also_after_saving() {
    let document = imported("Name,Amount,Paid\n\"Zoë \"\"Z\"\"\",12.5,true\n,,\n\" spaces \",-3,\n");
    let loaded = Automerge::load(&document.save()).unwrap();
    for document in [document, loaded] {
        let table = Table::read(&document).unwrap();
        assert_eq!(table.title, "Imported");
        let columns = table
            .columns
            .iter()
            .map(|column| (column.name.as_str(), column.kind.as_str()));
        let wanted = [("Name", "text"), ("Amount", "number"), ("Paid", "checkbox")];
        assert_eq!(columns.collect::<Vec<_>>(), wanted);
        let wanted = [
            vec![text("Zoë \"Z\""), Some(Value::Float(12.5)), Some(Value::Bool(true))],
            vec![None, None, None],
            vec![text(" spaces "), Some(Value::Int(-3)), None],
        ];
        assert_eq!(values(&table), wanted);
        assert_eq!(table.strange, []);
    }
}

/// A document of few and large changes is shipped whole for a one-cell edit.
#[test]
fn a_large_table_is_cut_into_changes_of_500_cells_and_blocks_of_128_rows() {
    let document = imported(&grid(1200));
    // 6,000 cells, the columns, and one change that makes the table.
    assert_eq!(document.get_changes(&[]).len(), 6000 / 500 + 2);
    let table = Table::read(&document).unwrap();
    assert_eq!(table.rows.len(), 1200);
    let last = [
        text("row 1199"),
        Some(Value::Int(1199)),
        Some(Value::Float(1199.5)),
        Some(Value::Bool(false)),
        text("2026-01-31"),
    ];
    assert_eq!(values(&table)[1199], last);
    let blocks: BTreeSet<_> = table.rows.iter().map(|row| row.id.block()).collect();
    assert_eq!(blocks.len(), 1200usize.div_ceil(128));
    for block in blocks {
        assert!(table.rows.iter().filter(|row| row.id.block() == block).count() <= 128);
    }
}

/// A front end in JavaScript without `ImmutableString`: every text a text object, rows in reverse, marks, extra keys.
#[test]
fn a_table_written_by_another_hand_is_read() {
    let mut document = Automerge::new();
    let mut tx = document.transaction();
    macro_rules! put_text {
        ($map:expr, $key:expr, $text:expr) => {
            let text = tx.put_object(&$map, $key, ObjType::Text).unwrap();
            tx.splice_text(&text, 0, 0, $text).unwrap();
        };
    }
    put_text!(ROOT, "type", "table");
    tx.put(ROOT, "schemaVersion", 1).unwrap();
    put_text!(ROOT, "title", "Fremd");
    tx.put_object(ROOT, "views", ObjType::Map).unwrap();
    let columns = tx.put_object(ROOT, "columns", ObjType::Map).unwrap();
    for (id, name, kind, order) in [
        ("cb", "Tags", "multiselect", "a1"),
        ("ca", "Name", "text", "a0"),
        ("cc", "Old", "rating", "Zz"),
    ] {
        let column = tx.put_object(&columns, id, ObjType::Map).unwrap();
        put_text!(column, "name", name);
        put_text!(column, "kind", kind);
        put_text!(column, "order", order);
        tx.put(&column, "width", 120).unwrap();
        if id == "cc" {
            let mark = tx.put_object(&column, "deleted", ObjType::Map).unwrap();
            tx.put(&mark, "at", 1_700_000_000_000_i64).unwrap();
            put_text!(mark, "by", "Ada");
        }
    }
    let blocks = tx.put_object(ROOT, "blocks", ObjType::Map).unwrap();
    tx.put(&blocks, "x", 1).unwrap();
    let block = tx.put_object(&blocks, "b", ObjType::Map).unwrap();
    for (id, order) in [("b.2", "a1"), ("b.1", "a1"), ("b.3", "a0")] {
        let row = tx.put_object(&block, id, ObjType::Map).unwrap();
        tx.put(&row, "order", order).unwrap();
        put_text!(row, "ca", id);
        let tags = tx.put_object(&row, "cb", ObjType::Map).unwrap();
        tx.put(&tags, "red", true).unwrap();
        tx.put(&tags, "blue", false).unwrap();
        tx.put(&row, "cn", ScalarValue::Uint(5)).unwrap();
        tx.put_object(&row, "cl", ObjType::List).unwrap();
        tx.put(&row, "deleted", id == "b.2").unwrap();
    }
    tx.put_object(&block, "other.1", ObjType::Map).unwrap();
    tx.commit();

    let table = Table::read(&document).unwrap();
    assert_eq!(table.title, "Fremd");
    let columns: Vec<_> = table
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.kind.as_str()))
        .collect();
    assert_eq!(columns, [("Old", "rating"), ("Name", "text"), ("Tags", "multiselect")]);
    let mark = table.columns[0].deleted.as_ref().unwrap();
    assert_eq!((mark.at, mark.by.as_deref()), (Some(1_700_000_000_000), Some("Ada")));
    assert_eq!(table.columns[1].width, Some(120.0));
    // Equal keys: by id.
    assert_eq!(
        table.rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(),
        ["b.3", "b.1", "b.2"]
    );
    assert_eq!(table.live_rows().count(), 2);
    let cell = |id: &str| table.rows[0].cells.get(&table::ColumnId::parse(id).unwrap());
    assert_eq!(cell("ca"), Some(&Cell::Value(Value::Text("b.3".into()))));
    assert_eq!(cell("cb"), Some(&Cell::Ids(["red".to_string()].into())));
    assert_eq!(cell("cn"), Some(&Cell::Value(Value::Int(5))));
    assert_eq!(cell("cl"), Some(&Cell::Foreign("a list")));
    let strange: BTreeSet<_> = table.strange.iter().map(|strange| strange.path.as_str()).collect();
    assert_eq!(strange, ["blocks/b/other.1", "blocks/x"].into());
    assert_eq!(exported(&document).text, "Name,Tags\nb.3,red\nb.1,red\n");
}

#[test]
fn what_is_not_a_table_says_so() {
    let mut document = Automerge::new();
    assert_eq!(Table::read(&document), Err(NotATable::NoType));
    let mut put = |name: &str, value: ScalarValue| {
        let mut tx = document.transaction();
        tx.put(ROOT, name, value).unwrap();
        tx.commit();
        Table::read(&document).unwrap_err().to_string()
    };
    assert_eq!(
        put("type", "essay".into()),
        "the document is no table: its \"type\" is \"essay\""
    );
    assert_eq!(
        put("type", "table".into()),
        "the document calls itself a table, but \"schemaVersion\" is not a number"
    );
    assert_eq!(
        put("schemaVersion", 2.into()),
        "the table has schemaVersion 2; this program reads versions up to 1"
    );
    assert_eq!(
        put("schemaVersion", 1.into()),
        "the document calls itself a table, but \"columns\" is not a map"
    );
}

#[test]
fn a_table_is_not_made_of_what_is_there() {
    let mut document = imported("a\n1\n");
    let mut tx = document.transaction();
    assert_eq!(
        table::create(&mut tx, "Again").unwrap_err().to_string(),
        "the document is not empty, a table cannot be made of it"
    );
    tx.rollback();
    let long = Automerge::new()
        .transact(|tx| table::create(tx, &"x".repeat(1025)))
        .unwrap_err();
    assert_eq!(long.error.to_string(), "a title has at most 1024 bytes");
}

#[test]
fn csv_goes_in_and_comes_out_the_same() {
    let text = "name,amount,paid,due,note\n\
        Ada,12,true,2026-01-31,\"two\nlines, \"\"quoted\"\"\"\n\
        ,0.5,false,2026-02-01T10:00:00Z,007\n\
        Zoë,,,, spaces \n";
    let document = imported(text);
    let table = Table::read(&document).unwrap();
    let kinds: Vec<_> = table.columns.iter().map(|column| column.kind.as_str()).collect();
    assert_eq!(kinds, ["text", "number", "checkbox", "date", "text"]);
    let out = exported(&document);
    assert_eq!(out.text, text);
    assert_eq!((out.rows, out.columns, out.unreadable), (3, 5, 0));
    // A single column with an empty cell must not become a blank line, which is no row.
    let narrow = exported(&imported("a\n1\n\"\"\n2\n")).text;
    assert_eq!(Table::read(&imported(&narrow)).unwrap().rows.len(), 3);
}

/// One call of the package: both ends, the number of keys where there is one, and what it returned; none where it threw.
type Between = (Option<String>, Option<String>, Option<String>);
type Many = (Option<String>, Option<String>, usize, Option<Vec<String>>);

#[derive(serde::Deserialize)]
struct Vectors {
    between: Vec<Between>,
    many: Vec<Many>,
}

/// Reads both ends; an end that is no key is what the package calls an error.
fn ends(a: &Option<String>, b: &Option<String>) -> Result<(Option<OrderKey>, Option<OrderKey>), OrderError> {
    let read = |text: &Option<String>| text.as_deref().map(OrderKey::parse).transpose();
    Ok((read(a)?, read(b)?))
}

#[test]
fn order_keys_are_those_of_the_npm_package() {
    let vectors: Vectors = serde_json::from_str(include_str!("fixtures/fractional-indexing.json")).unwrap();
    assert!(vectors.between.len() > 500 && vectors.many.len() > 80);
    for (a, b, expected) in &vectors.between {
        let made = ends(a, b).and_then(|(a, b)| between(a.as_ref(), b.as_ref()));
        assert_eq!(
            made.ok().map(|key| key.to_string()),
            *expected,
            "between {a:?} and {b:?}"
        );
    }
    for (a, b, count, expected) in &vectors.many {
        let made = ends(a, b).and_then(|(a, b)| n_between(a.as_ref(), b.as_ref(), *count));
        let made = made
            .ok()
            .map(|keys| keys.iter().map(OrderKey::to_string).collect::<Vec<_>>());
        assert_eq!(made, *expected, "{count} between {a:?} and {b:?}");
    }
}

/// Wherever people insert, the list stays in order and only a tie ever moves.
#[test]
fn a_thousand_random_inserts_keep_the_order() {
    for seed in 0..20 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut list = vec!["a0".to_string(); 5];
        for _ in 0..50 {
            let at = rng.random_range(0..=list.len());
            let count = rng.random_range(1..4);
            let before = list.clone();
            let placed = place(&list.iter().map(String::as_str).collect::<Vec<_>>(), at, count);
            for (index, key) in &placed.rekeyed {
                assert_eq!(before[*index], before[at - 1], "seed {seed}: moved without a tie");
                list[*index] = key.to_string();
            }
            let keys: Vec<_> = placed.keys.iter().map(OrderKey::to_string).collect();
            list.splice(at..at, keys);
            assert!(list.is_sorted(), "seed {seed}: {list:?}");
            let near = &list[at.saturating_sub(1)..(at + count + 1).min(list.len())];
            assert!(
                near.windows(2).all(|pair| pair[0] < pair[1]),
                "seed {seed}: a new key is not apart: {near:?}"
            );
        }
    }
}
