//! What a reloaded table with a tail of single edits takes in memory, compared with the table alone.
//!
//! Under twice as much, also at the peak of loading: applied together, the 1,000 changes of the tail would take 35 times
//! the table. Each case is a process of its own, measured as the kernel counts it.

mod support {
    pub mod server;
    pub mod table;
}

use std::path::Path;
use std::process::Command;

use automerge::ActorId;
use roundtable::document::crdt::Document;
use support::server::resident;
use support::table::Sample;

/// The allocator of the server.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const ROWS: usize = 50_000;
const TAIL: usize = 1_000;

/// Names the folder and the case for the process that measures it.
const CASE: &str = "ROUNDTABLE_MEMORY_CASE";
const FOLDER: &str = "ROUNDTABLE_MEMORY_FOLDER";

fn main() {
    if let (Ok(case), Ok(folder)) = (std::env::var(CASE), std::env::var(FOLDER)) {
        return measure(&case, Path::new(&folder));
    }
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path());
    let alone = run("table", folder.path());
    let with_tail = run("tail", folder.path());
    println!("{ROWS} x 10, reloaded      after loading   at the peak");
    for (name, figures) in [("the table alone", &alone), ("with a tail of 1,000", &with_tail)] {
        println!(
            "{name:<25} {:>9.1} MiB {:>9.1} MiB",
            mebibytes(figures[0]),
            mebibytes(figures[1])
        );
    }
    let times = |at: usize| with_tail[at] as f64 / alone[at] as f64;
    println!("times as much             {:>9.2}     {:>9.2}", times(0), times(1));
    assert!(
        times(0) < 2.0 && times(1) < 2.0,
        "a tail of single edits must not double a table"
    );
}

/// Writes the table and the tail into files, as the store gives them to a room that wakes.
fn write(folder: &Path) {
    let mut sample = Sample::of_rows(ROWS);
    std::fs::write(folder.join("snapshot"), sample.document.save()).expect("the disk takes it");
    let tail: Vec<u8> = (0..TAIL)
        .flat_map(|_| {
            let change = sample.edit_a_cell();
            let bytes = change.raw_bytes().to_vec();
            [(bytes.len() as u32).to_be_bytes().to_vec(), bytes].concat()
        })
        .collect();
    std::fs::write(folder.join("tail"), tail).expect("the disk takes it");
}

/// Runs one case in a process of its own; returns its memory after loading and at its peak.
fn run(case: &str, folder: &Path) -> Vec<u64> {
    let this = std::env::current_exe().expect("this program has a file");
    let done = Command::new(this)
        .env(CASE, case)
        .env(FOLDER, folder)
        .output()
        .expect("it starts again");
    let text = String::from_utf8_lossy(&done.stdout);
    let figures: Vec<u64> = text
        .split_whitespace()
        .filter_map(|figure| figure.parse().ok())
        .collect();
    assert_eq!(figures.len(), 2, "{text}{}", String::from_utf8_lossy(&done.stderr));
    figures
}

fn measure(case: &str, folder: &Path) {
    let snapshot = std::fs::read(folder.join("snapshot")).expect("written before");
    let tail = match case {
        "tail" => split(&std::fs::read(folder.join("tail")).expect("written before")),
        _ => Vec::new(),
    };
    let before = resident("/proc/self/status", "VmRSS:");
    let loaded = Document::load(ActorId::from([1; 16]), Some(&snapshot), tail).expect("it loads");
    assert!(loaded.quarantined.is_empty());
    let after = resident("/proc/self/status", "VmRSS:");
    let peak = resident("/proc/self/status", "VmHWM:");
    println!("{} {}", after - before, peak - before);
    drop(loaded);
}

fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (part, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        parts.push(part.to_vec());
        bytes = rest;
    }
    parts
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
