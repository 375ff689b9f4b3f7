//! An engine in memory whose crashes, losses and failures are ordered by a test.
//!
//! It keeps apart what a disk keeps apart: what was synced, what was applied and may or may not survive, and what reads
//! see. Like sled it takes no write after the first failure and goes on serving the failed batch to readers.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::engine::{Batch, Engine, EngineError, KeyRange, Pair, Scan, Write};

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// A handle on a disk in memory. Clones share it.
#[derive(Clone, Default)]
pub struct MemoryEngine {
    disk: Arc<Disk>,
}

#[derive(Default)]
struct Disk {
    state: Mutex<State>,
    /// A sync has begun to wait, or may go on.
    moved: Condvar,
}

#[derive(Default)]
struct State {
    synced: Map,
    /// Applied since the last sync, in order. Each survives a crash as a whole or not at all.
    unsynced: VecDeque<Batch>,
    /// What reads see.
    visible: Map,
    fail_apply_in: Option<u64>,
    fail_sync_in: Option<u64>,
    /// No write is taken any more: a failure came, or the machine crashed.
    dead: Option<&'static str>,
    hold_syncs: bool,
    /// Syncs that wait to be released.
    held: usize,
    applies: u64,
    syncs: u64,
}

/// What a crash leaves of the batches that were applied and not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survives {
    Nothing,
    /// The first so many batches.
    First(usize),
    Everything,
}

impl MemoryEngine {
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.disk.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends this engine as a crash would and gives a new one on what is left of its disk. The old one takes no writes.
    pub fn crash(&self, survives: Survives) -> MemoryEngine {
        let mut state = self.lock();
        state.dead = Some("the machine crashed");
        state.hold_syncs = false;
        self.disk.moved.notify_all();
        let mut synced = state.synced.clone();
        let keep = match survives {
            Survives::Nothing => 0,
            Survives::First(count) => count,
            Survives::Everything => usize::MAX,
        };
        for batch in state.unsynced.iter().take(keep) {
            write_all(&mut synced, batch.writes());
        }
        let state = State {
            visible: synced.clone(),
            synced,
            ..State::default()
        };
        MemoryEngine {
            disk: Arc::new(Disk {
                state: Mutex::new(state),
                moved: Condvar::new(),
            }),
        }
    }

    /// The apply after `good` further ones fails. Half of its writes are seen by readers.
    pub fn fail_apply_after(&self, good: u64) {
        self.lock().fail_apply_in = Some(good);
    }

    /// The sync after `good` further ones fails.
    pub fn fail_sync_after(&self, good: u64) {
        self.lock().fail_sync_in = Some(good);
    }

    /// From now on syncs do not return until [`MemoryEngine::release_syncs`].
    pub fn hold_syncs(&self) {
        self.lock().hold_syncs = true;
    }

    pub fn release_syncs(&self) {
        self.lock().hold_syncs = false;
        self.disk.moved.notify_all();
    }

    /// Blocks until a sync is being held.
    pub fn wait_for_held_sync(&self) {
        let mut state = self.lock();
        while state.held == 0 {
            state = self.disk.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many syncs have succeeded.
    pub fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    /// How many batches were applied.
    pub fn applies(&self) -> u64 {
        self.lock().applies
    }

    /// Batches applied and not synced.
    pub fn unsynced(&self) -> usize {
        self.lock().unsynced.len()
    }

    /// Everything that reads see.
    pub fn contents(&self) -> Vec<Pair> {
        let state = self.lock();
        state
            .visible
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// Changes a value behind the store's back, on the disk as well; `None` removes it.
    pub fn tamper(&self, key: &[u8], value: Option<Vec<u8>>) {
        let mut state = self.lock();
        let State { synced, visible, .. } = &mut *state;
        for map in [synced, visible] {
            match &value {
                Some(value) => map.insert(key.to_vec(), value.clone()),
                None => map.remove(key),
            };
        }
    }
}

fn write_all(map: &mut Map, writes: &[Write]) {
    for write in writes {
        match write {
            Write::Put { key, value } => map.insert(key.clone(), value.clone()),
            Write::Delete { key } => map.remove(key),
        };
    }
}

/// Counts down to the failure that was ordered.
fn due(countdown: &mut Option<u64>) -> bool {
    match countdown {
        Some(0) => true,
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    }
}

fn refused(why: &str) -> EngineError {
    EngineError::Refused(why.to_owned())
}

impl State {
    fn fail(&mut self, why: &'static str) -> Result<(), EngineError> {
        self.dead = Some(why);
        Err(refused(why))
    }
}

impl Engine for MemoryEngine {
    fn apply(&self, batch: &Batch) -> Result<(), EngineError> {
        let mut state = self.lock();
        if let Some(why) = state.dead {
            return Err(refused(why));
        }
        // A batch that failed may have reached the disk all the same: a crash decides.
        state.unsynced.push_back(batch.clone());
        if due(&mut state.fail_apply_in) {
            let half = &batch.writes()[..batch.len() / 2];
            write_all(&mut state.visible, half);
            return state.fail("an apply that was to fail");
        }
        write_all(&mut state.visible, batch.writes());
        state.applies += 1;
        Ok(())
    }

    fn sync(&self) -> Result<(), EngineError> {
        let mut state = self.lock();
        // What comes while the sync is held is not covered by it.
        let covered = state.unsynced.len();
        state.held += 1;
        self.disk.moved.notify_all();
        while state.hold_syncs {
            state = self.disk.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.held -= 1;
        if let Some(why) = state.dead {
            return Err(refused(why));
        }
        if due(&mut state.fail_sync_in) {
            return state.fail("a sync that was to fail");
        }
        let State { synced, unsynced, .. } = &mut *state;
        for batch in unsynced.drain(..covered) {
            write_all(synced, batch.writes());
        }
        state.syncs += 1;
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.lock().visible.get(key).cloned())
    }

    fn scan(&self, range: &KeyRange) -> Scan<'_> {
        Box::new(MemoryScan {
            engine: self,
            range: range.clone(),
        })
    }
}

/// Looks into the map anew at each step, as sled's iterator does, so that tests see the same races.
struct MemoryScan<'a> {
    engine: &'a MemoryEngine,
    /// What is left between the two ends.
    range: KeyRange,
}

impl MemoryScan<'_> {
    fn pair(&self, from_end: bool) -> Option<Pair> {
        if self.range.is_empty() {
            return None;
        }
        let state = self.engine.lock();
        let mut pairs = state
            .visible
            .range::<Vec<u8>, _>((self.range.start.as_ref(), self.range.end.as_ref()));
        let pair = match from_end {
            true => pairs.next_back(),
            false => pairs.next(),
        };
        pair.map(|(key, value)| (key.clone(), value.clone()))
    }
}

impl Iterator for MemoryScan<'_> {
    type Item = Result<Pair, EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        let pair = self.pair(false)?;
        self.range.start = Bound::Excluded(pair.0.clone());
        Some(Ok(pair))
    }
}

impl DoubleEndedIterator for MemoryScan<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let pair = self.pair(true)?;
        self.range.end = Bound::Excluded(pair.0.clone());
        Some(Ok(pair))
    }
}
