//! What changes of the live door hold the lock of the document for: a table of 50,000 x 10 with 50,000 changes.
//!
//! First single changes of somebody who is there, by what they say they saw; then 500 changes of somebody who was offline,
//! while nobody or somebody else had changed every one of the cells.

mod support {
    pub mod desk;
    pub mod latency;
    pub mod table;
    pub mod time;
}

use std::time::Instant;

use automerge::ChangeHash;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use roundtable::document::author::{Author, Door};
use roundtable::document::table::{ColumnId, RowId, Stamp};
use roundtable::room::Writer;
use roundtable::room::live::{Hand, Wish, need};
use roundtable::wire::live::change::{Ask, RecordChange};
use roundtable::wire::version;
use serde_json::{Value as Json, json};
use support::desk::{Desk, Stored};
use support::latency::Latencies;
use support::table::Sample;
use support::time::Started;

const ROWS: usize = 50_000;
const CHANGES: u64 = 50_000;
const SINGLE: u64 = 200;
const OFFLINE: u64 = 500;
const NOW_MS: u64 = 1_790_000_000_000;

struct Bench {
    desk: Desk,
    rows: Vec<RowId>,
    /// Of whole numbers.
    column: ColumnId,
    next: u64,
}

fn main() {
    let mut sample = Sample::of_rows(ROWS);
    sample.grow_to(CHANGES, 50);
    let (_, column) = sample.number_cell();
    let desk = Stored::new(&sample.document).open();
    let seen = desk.room.look_table(Instant::now(), |_, index| {
        index.live().iter().map(|row| row.id.clone()).collect()
    });
    let rows = seen.expect("it is awake").value.expect("a table");
    let mut bench = Bench {
        desk,
        rows,
        column,
        next: 0,
    };
    single(&mut bench);
    offline(&mut bench);
}

fn single(bench: &mut Bench) {
    let nothing = |_: &mut Bench| json!({});
    bench.each("one change, without a word of what was seen", nothing);
    bench.each("its base is the present version", |bench| bench.base());
    let base = bench.base();
    bench.each("its base is an earlier version, the cell as it was", |_| base.clone());
    bench.each("somebody changed the cell since its base", |bench| {
        let base = bench.base();
        let (row, value) = (bench.row(bench.next + 1), bench.next as i64);
        let theirs = bench.update(&row, -1 - value, json!({}));
        bench.grant(&[theirs]);
        base
    });
}

fn offline(bench: &mut Bench) {
    let base = bench.base();
    for (what, changed) in [
        ("500 offline changes, all as they were", false),
        ("500 offline changes, all changed since", true),
    ] {
        let rows: Vec<_> = (0..OFFLINE).map(|number| bench.row(10_000 + 7 * number)).collect();
        if changed {
            for row in &rows {
                let theirs = bench.update(row, -5, json!({}));
                bench.grant(&[theirs]);
            }
        }
        let message: Vec<_> = rows.iter().map(|row| bench.update(row, 77, base.clone())).collect();
        let time = bench.grant(&message);
        println!("{what:<55} {time:>9.1} ms, {} heads", bench.heads().len());
    }
    let rows = (0..OFFLINE).map(|_| {
        bench.next += 1;
        let field = json!([{ "fieldId": bench.column.as_str(), "newValue": 1 }]);
        bench.wish(json!({ "type": "create", "changes": field }))
    });
    let message: Vec<_> = rows.collect();
    println!("{:<55} {:>9.1} ms", "500 new records", bench.grant(&message));
    let row = bench.row(3).to_string();
    let unseen = (0..OFFLINE).map(|_| {
        bench.next += 1;
        let field = json!([{ "fieldId": bench.column.as_str(), "oldValue": "never", "newValue": 1 }]);
        bench.wish(json!({ "type": "update", "recordId": row, "changes": field }))
    });
    let message: Vec<_> = unseen.collect();
    let time = bench.try_grant(&message);
    println!("{:<55} {time:>9.1} ms", "500 with an old value that no version shows");
}

impl Bench {
    fn row(&self, number: u64) -> RowId {
        self.rows[(number * 97) as usize % self.rows.len()].clone()
    }

    fn wish(&self, mut change: Json) -> Wish {
        change["changeId"] = json!(format!("{NOW_MS}-{}", self.next));
        change["tableId"] = json!("t");
        let change = RecordChange::read(change).expect("it is well formed");
        Wish::new(Ask::Record(change)).expect("its id has a time")
    }

    fn update(&mut self, row: &RowId, value: i64, more: Json) -> Wish {
        self.next += 1;
        let field = json!([{ "fieldId": self.column.as_str(), "newValue": value }]);
        let mut change = json!({ "type": "update", "recordId": row.as_str(), "changes": field });
        if let Some(base) = more.get("base") {
            change["base"] = base.clone();
        }
        self.wish(change)
    }

    fn heads(&self) -> Vec<ChangeHash> {
        let seen = self.desk.room.look(Instant::now(), |document| document.heads());
        seen.expect("it is awake").value
    }

    fn base(&mut self) -> Json {
        json!({ "base": version::of(&self.heads()) })
    }

    /// So many single changes, each based on what `base` says.
    fn each(&mut self, what: &str, base: impl Fn(&mut Self) -> Json) {
        let mut all = Latencies::default();
        for _ in 0..SINGLE {
            let base = base(self);
            let row = self.row(self.next);
            let value = self.next as i64;
            let wish = self.update(&row, value, base);
            let start = Started::now();
            self.grant(&[wish]);
            all.push(start.elapsed());
        }
        println!(
            "{what:<55} {:>9.3} ms, p99 {:.3} ms, {} heads",
            all.at(0.5),
            all.at(0.99),
            self.heads().len()
        );
    }

    /// All of them, which are refused nothing. How long it took, in milliseconds.
    fn grant(&self, wishes: &[Wish]) -> f64 {
        self.done(wishes, true)
    }

    fn try_grant(&self, wishes: &[Wish]) -> f64 {
        self.done(wishes, false)
    }

    fn done(&self, wishes: &[Wish], all: bool) -> f64 {
        let author = Author {
            time: NOW_MS,
            user: Some("ada".into()),
            device: "laptop".into(),
            door: Door::Live,
        };
        let (writer, connection) = (author, None);
        let writer = Writer {
            author: writer,
            connection,
        };
        let (at, by) = (NOW_MS as i64, "ada".into());
        let hand = Hand {
            writer: &writer,
            stamp: &Stamp { at, by },
            shown: None,
            now: Instant::now(),
        };
        let place = self.desk.reserve(need(wishes, 10_000));
        let start = Started::now();
        let granted = self
            .desk
            .room
            .grant(place, &hand, wishes, &mut SmallRng::seed_from_u64(1));
        let time = start.elapsed();
        let told = granted.expect("it is awake").value;
        assert!(!all || told.iter().all(Result::is_ok), "{told:?}");
        if told.iter().any(Result::is_ok) {
            self.desk.flush();
        }
        time.as_secs_f64() * 1e3
    }
}
