//! Random lives of a store against a model of what was promised.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::id::DocumentId;
use roundtable::store::memory::{MemoryEngine, Survives};
use roundtable::store::{Need, SnapshotWrite, Step, StoreLimits};

use crate::{World, append_at, assert_whole, change, document, snapshot};

const DOCUMENTS: u64 = 3;
const LIMITS: StoreLimits = StoreLimits {
    queue_changes: 64,
    queue_bytes: 1 << 20,
    batch_changes: 7,
    batch_bytes: 100_000,
    snapshots: 2,
    keys: 3,
};

type Write = SnapshotWrite<fn(&[u8]) -> bool>;

/// What the test knows of one document.
#[derive(Default)]
struct Model {
    /// The last number given to an append in this life.
    appended: u64,
    /// The last number that a callback or a load called durable; it must never be lost.
    durable: u64,
    write: Option<Write>,
}

fn id(index: u64) -> DocumentId {
    document(u128::from(index) + 1)
}

struct Life {
    random: SmallRng,
    world: World<MemoryEngine>,
    models: Vec<Model>,
    /// Whether each document got a callback for a number: told apart by an outcome list per document.
    outcomes: Vec<crate::Outcomes>,
}

impl Life {
    fn new(seed: u64) -> Self {
        Self {
            random: SmallRng::seed_from_u64(seed),
            world: World::bounded(MemoryEngine::new(), LIMITS),
            models: (0..DOCUMENTS).map(|_| Model::default()).collect(),
            outcomes: (0..DOCUMENTS).map(|_| crate::Outcomes::default()).collect(),
        }
    }

    fn act(&mut self) {
        let index = self.random.random_range(0..DOCUMENTS);
        match self.random.random_range(0..100) {
            0..40 => self.append(index),
            40..65 => drop(self.world.committer.step()),
            65..80 => self.go_on_with_snapshot(index),
            80..90 => self.check(index),
            90..94 => {
                let good = self.random.random_range(0..6);
                match self.random.random_bool(0.5) {
                    true => self.world.engine.fail_apply_after(good),
                    false => self.world.engine.fail_sync_after(good),
                }
            }
            _ => self.crash(),
        }
    }

    fn append(&mut self, index: u64) {
        let count = self.random.random_range(1..=5);
        let Ok(place) = self.world.store.try_reserve(Need {
            changes: count,
            bytes: 1,
        }) else {
            return;
        };
        let model = &mut self.models[index as usize];
        let first = model.appended + 1;
        model.appended += count as u64;
        let changes = (first..=model.appended).map(change).collect();
        append_at(
            &self.world.store,
            place,
            &id(index),
            changes,
            &self.outcomes[index as usize],
        );
    }

    fn go_on_with_snapshot(&mut self, index: u64) {
        let number = self.models[index as usize].appended;
        if number == 0 {
            return;
        }
        let model = &mut self.models[index as usize];
        let mut write = match model.write.take() {
            Some(write) => write,
            None => match self
                .world
                .store
                .begin_snapshot(&id(index), snapshot(number), accept as fn(&[u8]) -> bool)
            {
                Ok(write) => write,
                Err(_) => return,
            },
        };
        if matches!(write.step(), Ok(Step::Waiting)) {
            model.write = Some(write);
        }
    }

    fn learn(&mut self) {
        for (model, outcomes) in self.models.iter_mut().zip(&self.outcomes) {
            let outcomes = outcomes.lock().unwrap();
            let told = outcomes
                .iter()
                .filter(|(_, outcome)| outcome.is_ok())
                .map(|(number, _)| *number);
            model.durable = model.durable.max(told.max().unwrap_or(0));
        }
    }

    fn check(&mut self, index: u64) {
        self.learn();
        let model = &mut self.models[index as usize];
        match self.world.load(&id(index)) {
            Some(stored) => {
                assert_whole(&stored, model.durable, "random");
                assert!(stored.last_number <= model.appended);
                model.durable = stored.last_number;
            }
            None => assert_eq!(model.durable, 0),
        }
        let authors = self.world.store.authors(&id(index), 1..=u64::MAX).expect("they read");
        assert_eq!(authors.len() as u64, model.durable);
    }

    fn crash(&mut self) {
        self.learn();
        let survives = match self.random.random_range(0..3) {
            0 => Survives::Nothing,
            1 => Survives::First(1),
            _ => Survives::Everything,
        };
        self.world = World::bounded(self.world.engine.crash(survives), LIMITS);
        for index in 0..DOCUMENTS {
            let model = &mut self.models[index as usize];
            model.write = None;
            // A room that opens takes its number from what is stored.
            let stored = self.world.load(&id(index)).map_or(0, |stored| stored.last_number);
            assert!(stored <= model.appended);
            assert!(stored >= model.durable, "{stored} of {} durable", model.durable);
            (model.appended, model.durable) = (stored, stored);
            self.outcomes[index as usize] = crate::Outcomes::default();
            self.check(index);
        }
    }
}

fn accept(_: &[u8]) -> bool {
    true
}

#[test]
fn no_random_life_loses_what_was_told_durable() {
    for seed in 0..200 {
        println!("seed {seed}");
        let mut life = Life::new(seed);
        for _ in 0..150 {
            life.act();
        }
        life.crash();
    }
}
