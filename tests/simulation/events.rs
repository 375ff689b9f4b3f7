//! What happens to clients: they write, lose their connections, load their pages anew, and some do not play by the rules.

use rand::Rng;

use super::door::Job;
use super::wire::with_chunk;
use super::world::{CLIENTS, World};
use crate::trace;

impl World {
    pub fn event(&mut self) {
        let who = self.hall.rng.random_range(0..CLIENTS);
        let step = self.hall.step;
        if self.hall.rng.random_bool(self.weather.edits) {
            return self.edit(who);
        }
        match self.hall.rng.random_range(0..1000) {
            0..40 => {
                if let Some(connection) = self.clients[who].connection {
                    trace!("step {step}: client {who} loses its connection");
                    self.disconnect(connection);
                }
            }
            40..90 => {
                let until = step + self.hall.rng.random_range(5..60);
                if let Some(connection) = self.clients[who].connection {
                    trace!("step {step}: the socket of client {who} takes nothing until {until}");
                    self.server.doors.get_mut(&connection).expect("connected").blocked_until = until;
                }
            }
            90..190 => {
                self.server.rooms.sweep(self.hall.now);
            }
            190..230 => self.compact(),
            230..260 => self.clients[who].save_document(),
            260..290 => self.clients[who].save_state(),
            290..305 => self.new_page(who),
            305..315 => self.fail_soon(),
            315..319 => self.restart(true),
            319..323 => self.restart(false),
            323..329 => {
                if let Some(hash) = self.clients[who].make_refused_change() {
                    trace!("step {step}: client {who} makes {hash:?}, which will be refused");
                    self.oracle.forbid(hash);
                    self.sends_soon(who);
                }
            }
            329..337 => self.inject(who),
            _ => {}
        }
    }

    fn edit(&mut self, who: usize) {
        let count = match self.hall.rng.random_range(0..100) {
            0..70 => 1,
            70..95 => 3,
            _ => 10,
        };
        for _ in 0..count {
            if let Some(hash) = self.clients[who].edit(&mut self.hall.rng) {
                self.edits += 1;
                self.oracle.made(hash);
                if self.hall.rng.random_bool(self.weather.false_positive) {
                    self.oracle.make_unlucky(hash);
                }
                trace!("step {}: client {who} makes {hash:?}", self.hall.step);
            }
        }
        self.sends_soon(who);
    }

    pub fn sends_soon(&mut self, who: usize) {
        let at = self.hall.step + self.hall.rng.random_range(1..4);
        self.clients[who].sends_at.get_or_insert(at);
    }

    fn new_page(&mut self, who: usize) {
        if let Some(connection) = self.clients[who].connection {
            self.disconnect(connection);
        }
        let client = &mut self.clients[who];
        match who > 0 && self.hall.rng.random_bool(0.3) {
            true => client.start_over(&mut self.hall.rng),
            false if !client.reload(&mut self.hall.rng) => return,
            false => {}
        }
        trace!("step {}: client {who} loads its page anew", self.hall.step);
    }

    /// A message is bent on its way: a change whose checksum is wrong, or a change with the number of another one.
    fn inject(&mut self, who: usize) {
        let Some(connection) = self.clients[who].connection else {
            return;
        };
        let forged = match self.hall.rng.random_range(0..3) {
            0 => self.clients[who].torn_change(),
            1 if !self.forged.is_empty() => {
                let index = self.hall.rng.random_range(0..self.forged.len());
                Some(self.forged[index].clone())
            }
            _ => self.forge(who),
        };
        let door = self.server.doors.get_mut(&connection).expect("it is connected");
        if let (Some(chunk), Some((_, up))) = (forged, door.up.back_mut())
            && let Some(bent) = with_chunk(&up.data, chunk)
        {
            trace!("step {}: a message of client {who} is bent", self.hall.step);
            up.data = bent;
        }
    }

    pub fn forge(&mut self, who: usize) -> Option<Vec<u8>> {
        let change = self.clients[who].forge_duplicate(self.oracle.durable_set(), &mut self.hall.rng)?;
        self.oracle.forbid(change.hash());
        self.forged.push(change.raw_bytes().to_vec());
        self.forged.last().cloned()
    }

    fn compact(&mut self) {
        for room in self.server.rooms.due_for_compaction(self.hall.now) {
            if let Some(compaction) = room.begin_compaction(self.hall.now) {
                trace!("step {}: compaction at {}", self.hall.step, room.end());
                self.hall.job(Job::Compact(compaction));
            }
        }
    }
}
