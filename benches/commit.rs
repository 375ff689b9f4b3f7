//! What a one-cell edit costs the server, from the bytes of its message to its place in the queue for the disk, behind a
//! short and behind a long history of the same table.
//!
//! The long history may cost twice the short one at most: a table that is edited for years must not become slow.

mod support {
    pub mod desk;
    pub mod table;
    pub mod time;
}

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use support::desk::{Desk, Stored, message_with};
use support::table::Sample;
use support::time::Started;

/// The allocator of the server.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const ROWS: usize = 10_000;

/// Commits after which the table is opened anew, so that its history stays what the name of the measurement says.
const COMMITS_PER_OPENING: u64 = 500;

/// A table on the disk and the messages with the edits that follow.
struct Story {
    stored: Stored,
    messages: Vec<Vec<u8>>,
    /// The table as it was opened last, and how many of the messages it has taken.
    opened: Option<(Desk, usize)>,
}

/// Who makes the edits that are measured.
#[derive(Clone, Copy)]
enum Writers {
    /// One who has edited the table before: every edit but the first after opening a page.
    Known,
    /// Somebody new each time: the first edit after opening a page has an author of its own.
    New,
}

impl Story {
    fn new(changes: u64, people: u64, writers: Writers) -> Self {
        let mut sample = Sample::of_rows(ROWS);
        sample.grow_to(changes, people);
        let stored = Stored::new(&sample.document);
        sample.become_person(0);
        let edit = |number| {
            if let Writers::New = writers {
                sample.become_person(people + number);
            }
            message_with(&sample.edit_a_cell())
        };
        Self {
            stored,
            messages: (0..COMMITS_PER_OPENING).map(edit).collect(),
            opened: None,
        }
    }

    /// The time of so many commits, without that of opening and flushing.
    fn commit(&mut self, times: u64) -> Duration {
        let mut spent = Duration::ZERO;
        for _ in 0..times {
            let (desk, taken) = match self.opened.take() {
                Some((desk, taken)) if taken < self.messages.len() => (desk, taken),
                _ => (self.stored.open(), 0),
            };
            let started = Started::now();
            let commit = desk.take(black_box(&self.messages[taken]));
            spent += started.elapsed();
            assert!(commit.took_all() && commit.committed == 1);
            desk.flush();
            self.opened = Some((desk, taken + 1));
        }
        spent
    }
}

fn one_cell_edit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("commit one cell, 10,000 x 10");
    group
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_secs(3));
    let cases = [
        ("behind 1,000 changes of 10 people", 1_000, 10, Writers::Known),
        ("behind 100,000 changes of 10 people", 100_000, 10, Writers::Known),
        ("behind 100,000 changes of 1,000 people", 100_000, 1_000, Writers::Known),
        (
            "behind 1,000 changes of 10 people, by somebody new",
            1_000,
            10,
            Writers::New,
        ),
        (
            "behind 100,000 changes of 1,000 people, by somebody new",
            100_000,
            1_000,
            Writers::New,
        ),
    ];
    for (name, changes, people, writers) in cases {
        let mut story = Story::new(changes, people, writers);
        group.bench_function(name, |bencher| bencher.iter_custom(|times| story.commit(times)));
    }
    group.finish();
}

criterion_group!(benches, one_cell_edit);
criterion_main!(benches);
