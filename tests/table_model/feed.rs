//! Random histories, watched: whoever holds a scope as it was and does what a difference says holds it as it is.
//!
//! Several people edit, merge and write raw into one table. Between any two of its versions, of which one contains the
//! other, the difference of every scope is found from the changes (with an index of either version), from the library's
//! comparison and by the quicker of the two; each is applied to a snapshot of the older version and must make the newer one.
//! A fresh snapshot may be asked for only where the meaning of columns or the view has changed.
//!
//! More, or one again: `FEED_HISTORIES=500 cargo test --test table_model watched`, `FEED_SEED=17 ...`.

use automerge::{Automerge, ChangeHash, ReadDoc};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::document::feed::{Footprint, Scope, Step, Window, difference};
use roundtable::document::table::{Column, TableIndex, ViewId};
use roundtable::document::view::{self, View, ViewRows};

use crate::feed_client::{Held, Watched};
use crate::feed_people::{KINDS, VIEWS, act, change_view};
use crate::ledger::Ledger;
use crate::replica::Replica;

const HISTORIES: u64 = 30;
const STEPS: usize = 40;
const PEOPLE: usize = 3;

/// A version that somebody had.
struct Version {
    heads: Vec<ChangeHash>,
    document: Automerge,
    index: TableIndex,
}

#[derive(Default)]
struct Tally {
    same: usize,
    differs: usize,
    anew: usize,
    entries: usize,
}

#[test]
fn a_client_that_is_told_what_differs_holds_what_is_there() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("FEED_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("FEED_HISTORIES").unwrap_or(HISTORIES),
    };
    let all = seeds.end - seeds.start;
    // Two threads take the seeds in turn; which histories are watched does not depend on which is faster.
    let halves = [0, 1].map(|odd| {
        let seeds = seeds.clone().filter(move |seed| seed % 2 == odd);
        std::thread::spawn(move || seeds.map(watched).fold(Tally::default(), Tally::plus))
    });
    let halves = halves.map(|half| half.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
    let tally = halves.into_iter().fold(Tally::default(), Tally::plus);
    println!(
        "{all} histories: {} times the same, {} times other ({} entries), {} times anew",
        tally.same, tally.differs, tally.entries, tally.anew
    );
    // A feed that asks for a snapshot whenever it can would agree with anything.
    if all >= HISTORIES {
        assert!(tally.differs > 3 * tally.anew && tally.entries > 3 * tally.differs);
    }
}

impl Tally {
    fn plus(self, other: Self) -> Self {
        Self {
            same: self.same + other.same,
            differs: self.differs + other.differs,
            anew: self.anew + other.anew,
            entries: self.entries + other.entries,
        }
    }
}

/// Names the seed of a history that fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the history of seed {} failed: FEED_SEED={} repeats it", self.0, self.0);
        }
    }
}

fn watched(seed: u64) -> Tally {
    let _seed = Seed(seed);
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut ledger = Ledger::default();
    let mut first = Replica::new(seed, &KINDS, 8);
    for _ in 0..4 {
        change_view(&mut first, &mut ledger);
    }
    let mut people: Vec<Replica> = (0..PEOPLE as u8).map(|number| first.fork(number + 1)).collect();
    let mut versions = vec![Version::of(&first)];
    let mut tally = Tally::default();
    for _ in 0..STEPS {
        let (who, other) = (rng.random_range(0..PEOPLE), rng.random_range(0..PEOPLE));
        act(&mut people[who], &mut ledger);
        if who != other && rng.random_bool(0.4) {
            let [who, other] = people.get_disjoint_mut([who, other]).unwrap();
            who.merge(other);
        }
        versions.push(Version::of(&people[who]));
        tally = tally.plus(compare(&people[who], &versions, &mut rng));
    }
    tally
}

impl Version {
    fn of(replica: &Replica) -> Self {
        Self {
            heads: replica.document.get_heads(),
            document: replica.document.clone(),
            index: replica.index.clone(),
        }
    }
}

/// Compares what somebody has now with versions they had: rather late ones, and any.
fn compare(now: &Replica, versions: &[Version], rng: &mut SmallRng) -> Tally {
    let mut tally = Tally::default();
    let known: Vec<&Version> = versions
        .iter()
        .filter(|version| now.document.get_missing_deps(&version.heads).is_empty())
        .collect();
    let late = known.len() - 1 - rng.random_range(0..known.len().min(4));
    for at in [late, rng.random_range(0..known.len())] {
        let view = VIEWS[rng.random_range(0..VIEWS.len())];
        for view in [None, Some(ViewId::parse(view).unwrap())] {
            let window = Window {
                offset: rng.random_range(0..12),
                limit: rng.random_range(0..12),
            };
            for window in [None, Some(window)] {
                let watched = Watched {
                    view: view.clone(),
                    window,
                };
                tally = tally.plus(told(known[at], now, &watched));
            }
        }
    }
    tally
}

/// One scope between two versions, told in all ways.
fn told(then: &Version, now: &Replica, watched: &Watched) -> Tally {
    let (document, index) = (&now.document, &now.index);
    let Some(expected) = Held::snapshot(document, index, watched) else {
        return Tally::default();
    };
    let rows = watched.view.as_ref().map(|id| {
        let stored = view::find(document, id).unwrap();
        ViewRows::build(document, index, &stored.view)
    });
    let scope = Scope {
        view: watched.view.as_ref().zip(rows.as_ref()),
        window: watched.window,
    };
    let held = Held::snapshot(&then.document, &then.index, watched);
    let changes = document.get_changes(&then.heads);
    let ways = [
        Footprint::of_changes(document, index, &changes),
        Footprint::of_changes(document, &then.index, &changes),
        Footprint::of_diff(document, &then.heads),
        Footprint::since(document, index, &then.heads),
    ];
    let mut tally = Tally::default();
    for (way, footprint) in ways.iter().enumerate() {
        match (difference(document, index, &scope, &then.heads, footprint), &held) {
            (Step::Differs(difference), Some(held)) => {
                let mut held = held.clone();
                let is_same = held == expected;
                held.apply(document, &scope.columns(index), watched.window, &difference);
                assert_eq!(held, expected, "way {way}, {watched:?}, {difference:#?}");
                let told = usize::from(difference.title.is_some())
                    + usize::from(difference.columns.is_some())
                    + difference.rows.len();
                assert_eq!(told > 0 || difference.row_count_changed, !is_same, "{difference:?}");
                tally.same += usize::from(is_same);
                tally.differs += usize::from(!is_same);
                tally.entries += difference.rows.len();
            }
            (Step::Differs(_), None) => panic!("the view was not there, and yet it is said how it differs"),
            (Step::Anew, held) => {
                let rightly = held.is_none() || footprint.everything || is_other(then, now, watched);
                assert!(
                    rightly,
                    "way {way}, {watched:?}: a snapshot was asked for without a reason"
                );
                tally.anew += 1;
            }
        }
    }
    tally
}

/// Whether columns mean something else now, or the view does.
fn is_other(then: &Version, now: &Replica, watched: &Watched) -> bool {
    let live = |columns: &[Column]| -> Vec<Column> {
        let mut live: Vec<_> = columns
            .iter()
            .filter(|column| column.deleted.is_none())
            .cloned()
            .collect();
        live.sort_by(|a, b| a.id.cmp(&b.id));
        live
    };
    let (old, new) = (then.index.columns(), now.index.columns());
    let other_kind = |new: &&Column| {
        let old = old.iter().find(|old| old.id == new.id);
        old.is_some_and(|old| old.deleted.is_some() || old.kind != new.kind)
    };
    if live(new).iter().any(|new| other_kind(&new)) {
        return true;
    }
    let Some(id) = &watched.view else { return false };
    let parts = |document: &Automerge| {
        let View {
            filter,
            sort,
            group,
            columns,
            ..
        } = view::find(document, id)?.view;
        Some((filter, sort, group, columns))
    };
    let meaning = |columns: &[Column]| -> Vec<_> {
        let option = |column: &Column| {
            column
                .options
                .iter()
                .map(|option| option.id.clone())
                .collect::<Vec<_>>()
        };
        live(columns)
            .iter()
            .map(|column| (column.id.clone(), option(column)))
            .collect()
    };
    parts(&then.document) != parts(&now.document) || meaning(old) != meaning(new)
}
