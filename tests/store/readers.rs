//! Readers beside a compaction: they take no lock and are overtaken at any moment.

use std::sync::{Arc, Mutex};

use roundtable::store::engine::{Batch, Engine, EngineError, KeyRange, Scan};
use roundtable::store::memory::MemoryEngine;
use roundtable::store::{Store, StoreLimits};

use crate::{World, append_at, assert_whole, change, document, open_sled, reserve, snapshot};

/// Lets something happen at one of the moments at which a reader looks into the engine.
#[derive(Clone, Default)]
struct Interrupted {
    memory: MemoryEngine,
    /// How many looks from now, and what.
    interruption: Arc<Mutex<Option<(u64, Interruption)>>>,
}

type Interruption = Box<dyn FnOnce() + Send>;

impl Interrupted {
    fn look(&self) {
        let mut waiting = self.interruption.lock().unwrap();
        match waiting.take() {
            Some((0, interruption)) => {
                // Released first: the interruption reads as well.
                drop(waiting);
                interruption();
            }
            Some((looks, interruption)) => *waiting = Some((looks - 1, interruption)),
            None => {}
        }
    }
}

impl Engine for Interrupted {
    fn apply(&self, batch: &Batch) -> Result<(), EngineError> {
        self.memory.apply(batch)
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.memory.sync()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.look();
        self.memory.get(key)
    }

    fn scan(&self, range: &KeyRange) -> Scan<'_> {
        self.look();
        Box::new(self.memory.scan(range).inspect(|_| self.look()))
    }
}

/// Readers take no lock: at whichever of its looks a whole compaction overtakes a reader, it finds the new snapshot.
#[test]
fn a_compaction_in_the_midst_of_a_load_goes_unnoticed() {
    let mut looks = 0;
    loop {
        let (world, alpha) = (World::on(Interrupted::default()), document(1));
        world.append(&alpha, 1..=32);
        world.settle();
        world.compact(&alpha, 11);
        let overtaken = Arc::new(Mutex::new(world));
        let interruption = {
            let (world, alpha) = (overtaken.clone(), alpha.clone());
            Box::new(move || world.lock().unwrap().compact(&alpha, 30))
        };
        let (store, engine) = {
            let world = overtaken.lock().unwrap();
            (world.store.clone(), world.engine.clone())
        };
        *engine.interruption.lock().unwrap() = Some((looks, interruption));
        let stored = store.load(&alpha, None).expect("it loads").expect("it is there");
        assert_whole(&stored, 32, &format!("overtaken at look {looks}"));
        if engine.interruption.lock().unwrap().take().is_some() {
            break;
        }
        looks += 1;
    }
    assert!(looks > 30, "{looks} looks are fewer than there are values");
}

/// A document comes into being in the midst of a load: it is absent or there, never damaged.
#[test]
fn a_first_change_in_the_midst_of_a_load_is_not_taken_for_damage() {
    let mut looks = 0;
    loop {
        let (world, alpha) = (World::on(Interrupted::default()), document(1));
        let (store, engine) = (world.store.clone(), world.engine.clone());
        world.append(&alpha, 1..=2);
        // Moved into the interruption, since a committer is stepped from one thread at a time.
        let interruption = Box::new(move || world.settle());
        *engine.interruption.lock().unwrap() = Some((looks, interruption));
        if let Some(stored) = store.load(&alpha, None).expect("it loads") {
            assert_whole(&stored, 2, &format!("born at look {looks}"));
        }
        if engine.interruption.lock().unwrap().take().is_some() {
            break;
        }
        looks += 1;
    }
    assert_eq!(looks, 2, "an absent document is looked for twice");
}

/// The same with threads, one compaction after the other.
fn readers_beside_compactions(engine: impl Engine + 'static) {
    let (store, committer) = Store::open(Arc::new(engine), StoreLimits::default()).unwrap();
    let alpha = document(1);
    std::thread::scope(|scope| {
        scope.spawn(|| committer.run());
        let outcomes = crate::Outcomes::default();
        let changes = (1..=200).map(change).collect();
        append_at(&store, reserve(&store), &alpha, changes, &outcomes);
        // The first snapshot is flushed behind the changes, so from here on all 200 are there.
        store
            .write_snapshot(&alpha, snapshot(10), |bytes| bytes == snapshot(10).bytes)
            .unwrap();
        let compactions = scope.spawn(|| {
            for last in (20..=200).step_by(10) {
                store.write_snapshot(&alpha, snapshot(last), |_| true).unwrap();
            }
        });
        let mut loads = 0;
        while loads == 0 || !compactions.is_finished() {
            let stored = store.load(&alpha, None).unwrap().unwrap();
            assert_whole(&stored, 200, "beside a compaction");
            loads += 1;
        }
        compactions.join().unwrap();
        assert_eq!(store.load(&alpha, None).unwrap().unwrap().snapshot, Some(snapshot(200)));
        store.close();
    });
}

#[test]
fn readers_beside_compactions_in_memory() {
    readers_beside_compactions(MemoryEngine::new());
}

#[test]
fn readers_beside_compactions_on_sled() {
    let folder = tempfile::tempdir().unwrap();
    readers_beside_compactions(open_sled(folder.path()));
}
