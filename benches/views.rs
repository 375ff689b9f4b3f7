//! What it costs to keep the rows of a view of a table of 50,000 x 10, against evaluating the view anew.
//!
//! Processor time of one thread, without rooms and sockets; memory as it is asked of the allocator.

mod support {
    pub mod table;
    pub mod time;
}

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use automerge::transaction::Transactable;
use automerge::{Automerge, AutomergeError, ScalarValue};
use roundtable::document::table::{ColumnId, RowId, TableIndex};
use roundtable::document::view::{View, ViewRows, evaluate};
use serde_json::{Value as Json, json};
use support::table::Sample;
use support::time::Started;
use tikv_jemallocator::Jemalloc;

/// The allocator of the server, which also counts the bytes handed out and not given back.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the server's allocator as it came; the count touches no memory that is handed out.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Relaxed);
        unsafe { Jemalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { Jemalloc.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROWS: usize = 50_000;

fn main() {
    let sample = Sample::of_rows(ROWS);
    let mut table = Table {
        index: TableIndex::build(&sample.document).expect("a table"),
        document: sample.document,
        next: 0,
    };
    let column = |at: usize| table.index.live_columns().nth(at).expect("ten columns").id.to_string();
    let less = json!([{ "column": column(4), "op": "less", "value": 500_000 }]);
    let cases = [
        (
            "filter, half of the rows",
            json!({ "name": "", "filter": less.clone() }),
        ),
        (
            "sort by a number",
            json!({ "name": "", "sort": [{ "column": column(5), "descending": true }] }),
        ),
        (
            "sort by a text",
            json!({ "name": "", "sort": [{ "column": column(0) }] }),
        ),
        (
            "filter and sort",
            json!({ "name": "", "filter": less, "sort": [{ "column": column(5), "descending": true }] }),
        ),
        (
            "group by a checkbox, sort by two",
            json!({ "name": "", "group": [{ "column": column(8) }], "sort": [{ "column": column(0) }, { "column": column(4) }] }),
        ),
    ];
    for (name, view) in cases {
        measure(name, &view, &mut table);
    }
}

struct Table {
    document: Automerge,
    index: TableIndex,
    /// Goes up with each cell written.
    next: usize,
}

impl Table {
    /// Writes a number into so many rows of a column, and brings the index along.
    fn write(&mut self, column: &ColumnId, rows: usize) -> Vec<RowId> {
        let mut written = Vec::with_capacity(rows);
        let done = self.document.transact::<_, _, AutomergeError>(|tx| {
            for _ in 0..rows {
                self.next += 1;
                let row = &self.index.live()[self.next * 7919 % ROWS];
                let number = (self.next * 104_729 % 1_000_000) as i64;
                tx.put(&row.object, column.as_str(), value(column, &self.index, number))?;
                written.push(row.id.clone());
            }
            Ok(())
        });
        done.expect("the rows are there");
        self.index.follow(&self.document).expect("a table");
        written
    }
}

fn value(column: &ColumnId, index: &TableIndex, number: i64) -> ScalarValue {
    match index.column(column).expect("a column").kind.as_str() {
        "text" => format!("text {number}").into(),
        "checkbox" => (number % 2 == 0).into(),
        _ => number.into(),
    }
}

fn measure(name: &str, json: &Json, table: &mut Table) {
    let view = View::from_json(json).expect("a view");
    let evaluated = (0..3)
        .map(|_| timed(|| black_box(evaluate(&table.document, &table.index, &view))))
        .min();
    let (before, began) = (LIVE.load(Relaxed), Started::now());
    let mut rows = ViewRows::build(&table.document, &table.index, &view);
    let (built, memory) = (began.elapsed(), LIVE.load(Relaxed) - before);
    println!("{name}: {} rows", rows.len());
    println!(
        "  evaluate {}, build {}, {:.1} MiB",
        micros(evaluated.unwrap_or_default()),
        micros(built),
        memory as f64 / 1048576.0
    );
    let columns: Vec<ColumnId> = table.index.live_columns().map(|column| column.id.clone()).collect();
    let deciding = columns
        .iter()
        .rev()
        .find(|column| rows.decides(column))
        .expect("the view asks for one")
        .clone();
    for (what, column, count, times) in [
        ("one row, in a column that decides", &deciding, 1, 300),
        ("one row, in another column", &columns[9], 1, 300),
        ("50 rows", &deciding, 50, 50),
        ("500 rows", &deciding, 500, 20),
        ("5,000 rows", &deciding, 5_000, 3),
    ] {
        let mut took = Duration::ZERO;
        for _ in 0..times {
            let touched = table.write(column, count);
            took += timed(|| rows.follow(&table.document, &table.index, &touched));
        }
        println!("  follow {what}: {}", micros(took / times));
    }
    let mut took = Duration::ZERO;
    for at in 0..1_000 {
        let row = table.index.live()[at * 7919 % ROWS].clone();
        took += timed(|| black_box(rows.place(&table.document, &row)));
    }
    println!("  place one row: {}", micros(took / 1_000));
    let fresh = evaluate(&table.document, &table.index, &view);
    assert!(rows.rows(0..ROWS).eq(&fresh.rows), "the rows are those of the view");
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let began = Started::now();
    let made = work();
    let took = began.elapsed();
    drop(made);
    took
}

fn micros(time: Duration) -> String {
    format!("{:.1} us", time.as_secs_f64() * 1e6)
}
