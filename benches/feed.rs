//! What it costs to tell watchers of a table what differs: a table of 10,000 x 10 with 50,000 changes of one cell each.
//!
//! First the two ways to a footprint, by how far back the version is; then the difference of a scope after one edit, which
//! is what a room does all day; then the differences that somebody gets who comes back.

mod support {
    pub mod latency;
    pub mod table;
    pub mod time;
}

use std::time::Duration;

use automerge::{Automerge, ChangeHash};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use roundtable::document::feed::{Footprint, Scope, Step, Window, difference};
use roundtable::document::table::{
    ColumnDraft, ColumnId, Kind, NewRow, Place, RowId, Stamp, TableEdit, TableIndex, ViewId, batch,
};
use roundtable::document::view::{View, ViewRows};
use serde_json::json;
use support::latency::Latencies;
use support::table::Sample;
use support::time::Started;

const ROWS: usize = 10_000;
const CHANGES: u64 = 50_000;
const PEOPLE: u64 = 50;
const EDITS: usize = 300;

fn main() {
    let mut sample = Sample::of_rows(ROWS);
    sample.grow_to(CHANGES, PEOPLE);
    let mut heads = vec![sample.document.get_heads()];
    for number in 0..20_000 {
        sample.become_person(number % PEOPLE);
        sample.edit_a_cell();
        heads.push(sample.document.get_heads());
    }
    heads.reverse();
    println!("one cell a change");
    footprints(
        &sample.document,
        &heads,
        &[1, 10, 100, 1_000, 2_000, 4_000, 6_000, 8_000, 10_000, 20_000],
    );
    one_edit(&mut sample);
    coming_back(&sample.document, &heads);
    rare(&mut sample);
    imported(&mut sample);
}

fn timed<T>(make: impl FnOnce() -> T) -> (Duration, T) {
    let start = Started::now();
    let made = make();
    (start.elapsed(), made)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn footprints(document: &Automerge, heads: &[Vec<ChangeHash>], backs: &[usize]) {
    let index = TableIndex::build(document).expect("a table");
    // The first to ask for changes pays for the library's tables.
    document.get_changes(&heads[backs[0]]);
    println!("changes back   get_changes_meta   get_changes   of_changes   of_diff   since (ms)");
    for back in backs {
        let from = &heads[*back];
        let (meta, _) = timed(|| document.get_changes_meta(from).len());
        let (get, changes) = timed(|| document.get_changes(from));
        let (of_changes, rows) = timed(|| Footprint::of_changes(document, &index, &changes).rows.len());
        let (of_diff, _) = timed(|| Footprint::of_diff(document, from));
        let (since, _) = timed(|| Footprint::since(document, &index, from));
        println!(
            "{back:>12} {:>18.3} {:>13.3} {:>12.3} {:>9.3} {:>7.3}   {rows} rows",
            ms(meta),
            ms(get),
            ms(of_changes),
            ms(of_diff),
            ms(since)
        );
    }
}

/// Rows whose number is in the lower half, by another number.
fn view(index: &TableIndex) -> View {
    let columns: Vec<&ColumnId> = index.live_columns().map(|column| &column.id).collect();
    let json = json!({
        "name": "Half",
        "filter": [{ "column": columns[4].as_str(), "op": "less", "value": 500_000 }],
        "sort": [{ "column": columns[5].as_str(), "descending": true }],
    });
    View::from_json(&json).expect("a view")
}

fn scopes<'v>(id: &'v ViewId, rows: &'v ViewRows) -> [(&'static str, Scope<'v>); 4] {
    let window = Some(Window {
        offset: 2_000,
        limit: 100,
    });
    let view = Some((id, rows));
    [
        (
            "table",
            Scope {
                view: None,
                window: None,
            },
        ),
        ("window", Scope { view: None, window }),
        ("view", Scope { view, window: None }),
        ("view, window", Scope { view, window }),
    ]
}

fn one_edit(sample: &mut Sample) {
    let mut index = TableIndex::build(&sample.document).expect("a table");
    let (id, stored) = (ViewId::parse("vHalf").expect("an id"), view(&index));
    let mut rows = ViewRows::build(&sample.document, &index, &stored);
    let mut times: Vec<(&str, Latencies)> = Vec::new();
    let mut note = |name: &'static str, time: Duration| match times.iter_mut().find(|(known, _)| *known == name) {
        Some((_, latencies)) => latencies.push(time),
        None => {
            let mut latencies = Latencies::default();
            latencies.push(time);
            times.push((name, latencies));
        }
    };
    for number in 0..EDITS {
        sample.become_person(number as u64 % PEOPLE);
        let from = sample.document.get_heads();
        let change = sample.edit_a_cell();
        let document = &sample.document;
        let changes = std::slice::from_ref(&change);
        note("index follows", timed(|| index.follow_changes(document, changes)).0);
        let (time, footprint) = timed(|| Footprint::of_changes(document, &index, changes));
        note("footprint", time);
        note(
            "view follows",
            timed(|| rows.follow(document, &index, footprint.rows.keys())).0,
        );
        for (name, scope) in scopes(&id, &rows) {
            let (time, step) = timed(|| difference(document, &index, &scope, &from, &footprint));
            note(name, time);
            assert_ne!(step, Step::Anew);
        }
    }
    println!("\none edit       p50 / p99 (us)");
    for (name, latencies) in &mut times {
        println!(
            "{name:<14} {:>6.1} / {:.1}",
            latencies.at(0.5) * 1e3,
            latencies.at(0.99) * 1e3
        );
    }
}

fn coming_back(document: &Automerge, heads: &[Vec<ChangeHash>]) {
    let index = TableIndex::build(document).expect("a table");
    let (id, stored) = (ViewId::parse("vHalf").expect("an id"), view(&index));
    let rows = ViewRows::build(document, &index, &stored);
    println!("\nchanges back   scope          difference (ms), entries");
    for back in [1, 100, 1_000, 4_000, 20_000] {
        let from = &heads[back];
        let footprint = Footprint::since(document, &index, from);
        for (name, scope) in scopes(&id, &rows) {
            let (time, step) = timed(|| difference(document, &index, &scope, from, &footprint));
            let entries = match step {
                Step::Differs(difference) => difference.rows.len().to_string(),
                Step::Anew => "anew".into(),
            };
            println!("{back:>12}   {name:<14} {:>10.3}   {entries}", ms(time));
        }
    }
}

/// What happens now and then.
fn rare(sample: &mut Sample) {
    let mut index = TableIndex::build(&sample.document).expect("a table");
    let (id, stored) = (ViewId::parse("vHalf").expect("an id"), view(&index));
    let mut random = SmallRng::seed_from_u64(5);
    let row = |index: &TableIndex, at: usize| -> RowId { index.live()[at].id.clone() };
    let draft = ColumnDraft {
        id: None,
        name: "New".into(),
        kind: Kind::Text,
        width: None,
        options: Vec::new(),
    };
    let edits = [
        (
            "a row above",
            TableEdit::InsertRows {
                at: Place::Start,
                rows: vec![NewRow::default()],
            },
        ),
        ("a row deleted", TableEdit::DeleteRows(vec![row(&index, 7)])),
        (
            "500 rows moved",
            TableEdit::MoveRows {
                rows: (1_000..1_500).map(|at| row(&index, at)).collect(),
                to: Place::End,
            },
        ),
        (
            "a column added",
            TableEdit::AddColumn {
                at: Place::End,
                column: draft,
            },
        ),
    ];
    println!("\nedit             scope          footprint, difference (ms), entries");
    for (what, edit) in edits {
        let from = sample.document.get_heads();
        let stamp = Stamp {
            at: 0,
            by: String::new(),
        };
        let done = sample
            .document
            .transact(|tx| batch::edit(tx, &index, &[edit], &stamp, &mut random));
        done.map_err(|failed| failed.error).expect("the edit fits the table");
        index.follow(&sample.document).expect("a table");
        let document = &sample.document;
        let rows = ViewRows::build(document, &index, &stored);
        let changes = document.get_changes(&from);
        let (touched, footprint) = timed(|| Footprint::of_changes(document, &index, &changes));
        for (name, scope) in scopes(&id, &rows) {
            let (time, step) = timed(|| difference(document, &index, &scope, &from, &footprint));
            let entries = match step {
                Step::Differs(difference) => difference.rows.len().to_string(),
                Step::Anew => "anew".into(),
            };
            println!(
                "{what:<16} {name:<14} {:>10.3} {:>10.3}   {entries}",
                ms(touched),
                ms(time)
            );
        }
    }
}

/// Changes of 500 cells each, as imports and pastes make them.
fn imported(sample: &mut Sample) {
    let mut index = TableIndex::build(&sample.document).expect("a table");
    let columns: Vec<ColumnId> = index.live_columns().map(|column| column.id.clone()).take(4).collect();
    let mut random = SmallRng::seed_from_u64(6);
    let cells = |row: usize| {
        columns
            .iter()
            .map(move |column| (column.clone(), json!(format!("text {row}"))))
    };
    let rows = (0..8_000).map(|row| NewRow {
        id: None,
        cells: cells(row).collect(),
    });
    let insert = TableEdit::InsertRows {
        at: Place::End,
        rows: rows.collect(),
    };
    let stamp = Stamp {
        at: 0,
        by: String::new(),
    };
    let mut heads = vec![sample.document.get_heads()];
    for slice in batch::slices(vec![insert], &mut random) {
        let done = sample
            .document
            .transact(|tx| batch::edit(tx, &index, &slice, &stamp, &mut random));
        done.map_err(|failed| failed.error).expect("the edits fit the table");
        index.follow(&sample.document).expect("a table");
        heads.push(sample.document.get_heads());
    }
    heads.reverse();
    println!("\n500 cells a change");
    footprints(&sample.document, &heads, &[1, 4, 16, 32, heads.len() - 1]);
}
