//! What happens to the server: its disk fails, it crashes and loses what was not synced, it starts anew.

use std::collections::BTreeMap;

use rand::Rng;
use roundtable::document::author::{Author, Door};
use roundtable::store::memory::Survives;
use roundtable::store::{Append, Need, Progress, StoredChange};

use super::world::{CLIENTS, Server, World, open};
use crate::trace;

impl World {
    pub fn fail_soon(&mut self) {
        let good = self.hall.rng.random_range(0..4);
        self.server.doomed = true;
        match self.hall.rng.random_bool(0.5) {
            true => self.server.engine.fail_apply_after(good),
            false => self.server.engine.fail_sync_after(good),
        }
    }

    /// The server ends, in order or by a crash that loses what was not synced (or not), and starts anew.
    pub fn restart(&mut self, crash: bool) {
        if !crash {
            while !matches!(self.flush(), Progress::Idle | Progress::Ended) {}
        }
        trace!(
            "step {}: the server {}",
            self.hall.step,
            if crash { "crashes" } else { "restarts" }
        );
        for connection in self.server.doors.keys().copied().collect::<Vec<_>>() {
            self.disconnect(connection);
        }
        self.hall.jobs.clear();
        self.hall.close.clear();
        let survives = match self.hall.rng.random_range(0..4) {
            0 => Survives::Everything,
            1 => Survives::First(1),
            _ => Survives::Nothing,
        };
        let engine = self.server.engine.crash(survives);
        let (store, committer, rooms) = open(&engine, &self.weather);
        self.hall.store = store;
        self.server = Server {
            engine,
            committer,
            rooms,
            doors: BTreeMap::new(),
            failing: false,
            doomed: false,
        };
        self.restarts += 1;
        self.oracle.restarted(&self.hall.store, &self.document);
        if self.hall.rng.random_bool(0.2) {
            self.spoil();
        }
    }

    /// A change that does not load lies in the store, as one that an earlier version let in.
    fn spoil(&mut self) {
        let number = self.oracle.durable() as u64 + 1;
        if number == 1 {
            return;
        }
        let author = self.hall.rng.random_range(0..CLIENTS);
        let Some(bytes) = self.forge(author) else { return };
        let hash = automerge::Change::try_from(&bytes[..]).expect("it is a change").hash();
        // Only what the store has below it can have been let in.
        let need = Need {
            changes: 1,
            bytes: bytes.len(),
        };
        let change = StoredChange {
            number,
            hash: hash.0,
            bytes: bytes.into(),
            author: Author {
                time: 0,
                user: None,
                device: "an earlier version".into(),
                door: Door::Sync,
            },
        };
        let place = self
            .hall
            .store
            .try_reserve(need)
            .unwrap_or_else(|why| panic!("nothing waits yet: {why:?}"));
        trace!("step {}: {hash:?} lies spoilt in the store", self.hall.step);
        self.hall.store.append(
            place,
            Append {
                document: self.document.clone(),
                changes: vec![change],
                notes: Vec::new(),
                flushed: Box::new(|_| ()),
            },
        );
        self.oracle.spoilt(hash);
        self.flush();
    }
}
