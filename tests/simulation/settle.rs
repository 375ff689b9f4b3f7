//! The end of the story: nothing goes wrong any more, everybody talks until nobody has anything to say, and then all stand
//! where the server stands.

use std::time::Duration;

use automerge::ChangeHash;
use roundtable::store::{Progress, Status};
use roundtable::sync::conversation::Hearing;

use super::door::Door;
use super::oracle::check_client;
use super::weather::LOG;
use super::world::{CLIENTS, World};
use crate::trace;

impl World {
    /// From here on nothing goes wrong any more.
    pub fn heal(&mut self) {
        trace!("step {}: everything is healed", self.hall.step);
        self.weather.flush = 1.0;
        for client in &mut self.clients {
            client.returns_at = client.returns_at.min(self.hall.step + 1);
        }
        for door in self.server.doors.values_mut() {
            door.blocked_until = 0;
        }
    }

    /// A disk that failed, or is about to, goes on failing until somebody starts the server anew; until then everybody reads
    /// what is durable, and who has more is told that it is not taken.
    pub fn live_with_the_failed_disk(&mut self) {
        if !(self.server.failing || self.server.doomed) {
            return;
        }
        trace!("step {}: with the failed disk", self.hall.step);
        self.settle();
        self.check_settled();
        self.restart(true);
    }

    fn is_quiet(&self) -> bool {
        self.hall.jobs.is_empty()
            && self.hall.close.is_empty()
            && self.server.doors.values().all(Door::is_quiet)
            && self
                .clients
                .iter()
                .all(|client| client.connection.is_some() && client.sends_at.is_none())
    }

    /// Goes on until nobody has anything to say. Returns after how many steps.
    pub fn settle(&mut self) -> u64 {
        let (began, said) = (self.hall.step, self.hall.counts.up + self.hall.counts.down);
        // Each change that is still to come is told to everybody, who answers; so is what lies in the log; and everybody
        // may have a few more things to find out.
        let to_come = self.oracle.known().len().saturating_sub(self.oracle.durable());
        let bound = (2 * CLIENTS * (to_come + LOG + 12)) as u64;
        loop {
            self.step();
            let steps = self.hall.step - began;
            let messages = self.hall.counts.up + self.hall.counts.down - said;
            assert!(steps < 1500, "no quiet after {steps} steps and {messages} messages");
            assert!(messages < bound, "no quiet after {messages} messages in {steps} steps");
            if self.is_quiet() && self.flush() == Progress::Idle && self.is_quiet() {
                return steps;
            }
        }
    }

    pub fn server_heads(&self) -> Vec<ChangeHash> {
        let room = self.server.rooms.get(&self.document).expect("clients are in it");
        room.durable_heads().to_vec()
    }

    pub fn check_settled(&mut self) {
        let heads = self.server_heads();
        for door in self.server.doors.values() {
            let client = &self.clients[door.client];
            check_client(door, client, &heads);
            // While the disk fails nothing is taken, so that nothing is released either.
            if matches!(self.hall.store.status(), Status::Writable) {
                let kept = door.room.kept_aside();
                assert_eq!(kept, 0, "{kept} changes are kept aside and nothing will release them");
            }
        }
        for index in 0..self.clients.len() {
            let more = self.clients[index].generate();
            assert!(
                more.is_none(),
                "client {index} has something to say after all was quiet"
            );
        }
        self.oracle.check_heads(&self.clients, &heads);
    }

    /// In the settled state edits take the short way: everybody is told once and answers at most once, the writer not at all.
    pub fn more_edits(&mut self) {
        self.server.rooms.sweep(self.hall.now + Duration::from_secs(3600));
        let open = |door: &&Door| door.conversation.hearing() == Hearing::Open;
        let open: Vec<usize> = self
            .server
            .doors
            .values()
            .filter(open)
            .map(|door| door.client)
            .collect();
        let said = self.hall.counts.up + self.hall.counts.down;
        let writers = open.into_iter().take(5);
        let mut edits = 0;
        for writer in writers {
            let Some(hash) = self.clients[writer].edit(&mut self.hall.rng) else {
                continue;
            };
            edits += 1;
            self.oracle.made(hash);
            self.sends_soon(writer);
            self.settle();
            self.check_settled();
        }
        // A Bloom filter may well be wrong about two of them, which are then asked for.
        let messages = self.hall.counts.up + self.hall.counts.down - said;
        let most = edits * 2 * CLIENTS as u64 + 4;
        assert!(messages <= most, "{edits} edits took {messages} messages");
    }
}
