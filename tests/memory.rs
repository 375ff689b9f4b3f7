//! A table that wakes with a tail of single edits takes little more memory than the table alone, also while it loads.
//!
//! Applied together, 1,000 one-cell changes on 50,000 x 10 cells take 1.6 GB; one by one they take 45 MB. The memory is
//! counted by the allocator, to the byte, so that neither the machine nor the system's allocator has a say.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use automerge::transaction::Transactable;
use automerge::{ActorId, AutomergeError, ReadDoc};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::document::crdt::Document;
use roundtable::document::import::{Import, new_document};
use roundtable::document::sheet::{self, Format, Limits};
use roundtable::document::table::TableIndex;

const ROWS: usize = 8_000;
const TAIL: usize = 1_000;

/// Counts the bytes handed out and not given back, and the most there were.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came; the counts touch no memory that is handed out.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A table of ten columns as it is stored: a snapshot, and changes of one cell each behind it.
fn table_and_tail() -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut random = SmallRng::seed_from_u64(1);
    let line = |row: usize| (0..10).map(|n| format!("{row} {n}")).collect::<Vec<_>>().join(",");
    let lines: Vec<String> = std::iter::once((0..10).map(|n| format!("Column {n}")).collect::<Vec<_>>().join(","))
        .chain((0..ROWS).map(line))
        .collect();
    let sheet = sheet::read(lines.join("\n").as_bytes(), Format::Csv, None, &Limits::default()).unwrap();
    let import = Import::new_table(sheet, &[]).unwrap();
    let mut document = new_document("Stock", import, SmallRng::seed_from_u64(1)).unwrap();
    document.set_actor(ActorId::from([1; 16]));
    let index = TableIndex::build(&document).unwrap();
    let snapshot = document.save();
    let tail = (0..TAIL).map(|n| {
        let row = &index.rows()[random.random_range(0..ROWS)].object;
        let column = &index.columns()[random.random_range(0..10)].id;
        let done = document
            .transact::<_, _, AutomergeError>(|tx| tx.put(row, column.as_str(), format!("edit {n}")))
            .map_err(|failed| failed.error);
        let change = document.get_change_by_hash(&done.unwrap().hash.unwrap()).unwrap();
        change.raw_bytes().to_vec()
    });
    let tail = tail.collect();
    (snapshot, tail)
}

/// Loads, and returns the bytes that the document takes and those that loading took at its peak.
fn load(snapshot: &[u8], tail: &[Vec<u8>]) -> (usize, usize) {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let loaded = Document::load(ActorId::from([2; 16]), Some(snapshot), tail).unwrap();
    assert!(loaded.quarantined.is_empty());
    (LIVE.load(Relaxed) - before, PEAK.load(Relaxed) - before)
}

#[test]
fn a_tail_of_single_edits_does_not_double_the_memory_of_a_table() {
    let (snapshot, tail) = table_and_tail();
    let (alone, alone_peak) = load(&snapshot, &[]);
    let (with_tail, with_tail_peak) = load(&snapshot, &tail);
    println!("alone {alone}, at the peak {alone_peak}; with a tail {with_tail}, at the peak {with_tail_peak}");
    assert!(with_tail < 2 * alone, "{with_tail} bytes, {alone} without the tail");
    assert!(
        with_tail_peak < 2 * alone_peak,
        "{with_tail_peak} bytes at the peak, {alone_peak} without the tail"
    );
}
