//! The ephemerals waiting for one connection, over all its documents: bounded, newest wins.
//!
//! It exists so that presence never delays a document frame and never piles up behind a slow socket: what a newer
//! message makes pointless is taken out, and what is too much is dropped, oldest first.
//!
//! - Messages leave in the order they came in. A client drops a message whose count is lower than the highest it has
//!   seen of that sender and session, in whatever document: so a superseded message is removed and the newer one put
//!   at the end, never in its place.
//! - Entries and bytes are bounded; a sender in excess loses its own messages before anybody else's.

use super::presence::Key;
use crate::id::PeerId;
use crate::wire::repo::Ephemeral;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How much may wait for one connection.
#[derive(Debug, Clone)]
pub struct Limits {
    pub entries: usize,
    /// Of payload; the rest of a message is bounded by the length of names.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 1024,
            bytes: 1024 * 1024,
        }
    }
}

/// One waiting message. The number stands for its document, as the connection counts them.
#[derive(Debug)]
struct Waiting {
    document: u32,
    key: Option<Key>,
    ephemeral: Arc<Ephemeral>,
}

type Speaker = (u32, PeerId);

/// The lane of one connection.
#[derive(Debug, Default)]
pub struct Lane {
    limits: Limits,
    /// By the order of arrival.
    waiting: BTreeMap<u64, Waiting>,
    /// What waits of each sender in each document, in order of arrival. No list is empty.
    by_speaker: HashMap<Speaker, Vec<u64>>,
    bytes: usize,
    arrivals: u64,
    dropped: u64,
}

impl Lane {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Puts a message at the end, and takes out those of the same sender and document that it makes pointless.
    pub fn push(&mut self, document: u32, key: Option<Key>, ephemeral: Arc<Ephemeral>) {
        let speaker = (document, ephemeral.sender.clone());
        if let Some(key) = &key {
            self.remove_superseded(&speaker, key);
        }
        let size = ephemeral.data.len();
        if size > self.limits.bytes || self.limits.entries == 0 {
            self.dropped += 1;
            return;
        }
        while self.waiting.len() >= self.limits.entries || self.bytes + size > self.limits.bytes {
            self.drop_oldest(&speaker);
        }
        let arrival = self.arrivals;
        self.arrivals += 1;
        self.bytes += size;
        self.by_speaker.entry(speaker).or_default().push(arrival);
        let waiting = Waiting {
            document,
            key,
            ephemeral,
        };
        self.waiting.insert(arrival, waiting);
    }

    /// The next message and the number of its document.
    pub fn pop(&mut self) -> Option<(u32, Arc<Ephemeral>)> {
        let arrival = *self.waiting.first_key_value()?.0;
        let first = self.take_out(arrival)?;
        Some((first.document, first.ephemeral))
    }

    /// Discards what waits of a document that the connection has left or may no longer read.
    pub fn forget(&mut self, document: u32) {
        let speakers = self.by_speaker.extract_if(|(place, _), _| *place == document);
        for arrival in speakers.flat_map(|(_, arrivals)| arrivals).collect::<Vec<_>>() {
            if let Some(waiting) = self.waiting.remove(&arrival) {
                self.bytes -= waiting.ephemeral.data.len();
            }
        }
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many messages were dropped for want of room; superseded ones are not counted.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn remove_superseded(&mut self, speaker: &Speaker, key: &Key) {
        let Some(arrivals) = self.by_speaker.get(speaker) else {
            return;
        };
        let pointless = |arrival: &&u64| {
            let waiting = self.waiting.get(arrival).and_then(|waiting| waiting.key.as_ref());
            waiting.is_some_and(|waiting| key.supersedes(waiting))
        };
        for arrival in arrivals.iter().filter(pointless).copied().collect::<Vec<_>>() {
            self.take_out(arrival);
        }
    }

    fn drop_oldest(&mut self, of: &Speaker) {
        let own = self.by_speaker.get(of).and_then(|arrivals| arrivals.first());
        let oldest = own.or_else(|| self.waiting.first_key_value().map(|(arrival, _)| arrival));
        if let Some(arrival) = oldest.copied() {
            self.take_out(arrival);
            self.dropped += 1;
        }
    }

    fn take_out(&mut self, arrival: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&arrival)?;
        self.bytes -= waiting.ephemeral.data.len();
        let speaker = (waiting.document, waiting.ephemeral.sender.clone());
        if let Some(arrivals) = self.by_speaker.get_mut(&speaker) {
            arrivals.retain(|other| *other != arrival);
            if arrivals.is_empty() {
                self.by_speaker.remove(&speaker);
            }
        }
        Some(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};
    use std::collections::HashMap;

    fn message(sender: &str, count: u64, size: usize) -> Arc<Ephemeral> {
        Arc::new(Ephemeral {
            sender: PeerId::parse(sender).unwrap(),
            target: None,
            document: "doc".to_owned(),
            count,
            session: "s".to_owned(),
            data: vec![0; size].into(),
        })
    }

    fn update(channel: &str) -> Option<Key> {
        Some(Key::Update(channel.into()))
    }

    fn lane(entries: usize, bytes: usize) -> Lane {
        Lane::new(Limits { entries, bytes })
    }

    fn counts(lane: &mut Lane) -> Vec<u64> {
        std::iter::from_fn(|| lane.pop())
            .map(|(_, message)| message.count)
            .collect()
    }

    #[test]
    fn the_newest_of_a_channel_wins_and_goes_to_the_end() {
        let mut lane = lane(10, 1000);
        lane.push(1, update("cell"), message("ada", 1, 9));
        lane.push(1, update("name"), message("ada", 2, 9));
        lane.push(1, update("cell"), message("ada", 3, 9));
        // Another document and another sender are none of its business.
        lane.push(2, update("cell"), message("ada", 4, 9));
        lane.push(1, update("cell"), message("bob", 5, 9));
        assert_eq!(counts(&mut lane), [2, 3, 4, 5]);
        assert_eq!(lane.dropped(), 0);
    }

    #[test]
    fn a_snapshot_replaces_updates_and_a_goodbye_replaces_all_but_opaque() {
        let mut lane = lane(10, 1000);
        for (count, key) in [(1, update("a")), (2, Some(Key::Heartbeat)), (3, None), (4, update("b"))] {
            lane.push(1, key, message("ada", count, 9));
        }
        lane.push(1, Some(Key::Snapshot), message("ada", 5, 9));
        lane.push(1, Some(Key::Goodbye), message("ada", 6, 9));
        lane.push(1, Some(Key::Snapshot), message("ada", 7, 9));
        assert_eq!(counts(&mut lane), [3, 6, 7]);
    }

    #[test]
    fn a_flood_of_one_sender_pushes_out_its_own_messages() {
        let mut lane = lane(4, 1000);
        lane.push(1, None, message("bob", 1, 9));
        for count in 2..10 {
            lane.push(1, None, message("ada", count, 9));
        }
        assert_eq!(lane.dropped(), 5);
        lane.push(1, None, message("eve", 10, 9));
        assert_eq!(
            counts(&mut lane),
            [7, 8, 9, 10],
            "with nothing of her own there, the oldest of all went"
        );
    }

    #[test]
    fn bytes_are_bounded_and_what_could_never_fit_pushes_out_nobody() {
        let mut lane = lane(100, 100);
        lane.push(1, None, message("bob", 1, 60));
        lane.push(1, None, message("ada", 2, 60));
        lane.push(1, None, message("ada", 3, 101));
        assert_eq!((lane.dropped(), counts(&mut lane)), (2, vec![2]));
    }

    #[test]
    fn a_document_left_is_forgotten() {
        let mut lane = lane(10, 100);
        lane.push(1, update("a"), message("ada", 1, 50));
        lane.push(2, update("a"), message("ada", 2, 50));
        lane.forget(1);
        lane.push(2, None, message("bob", 3, 50));
        assert_eq!(counts(&mut lane), [2, 3]);
        assert_eq!((lane.bytes, lane.by_speaker.len()), (0, 0));
    }

    /// A client drops what has a lower count than it has seen of the sender's session, over all documents: out of
    /// order, conflation would lose the newer message instead of the older.
    #[test]
    fn counts_only_rise_whatever_is_pushed_and_popped() {
        for seed in 0..50 {
            let mut random = SmallRng::seed_from_u64(seed);
            let mut lane = lane(8, 200);
            let mut seen = HashMap::<String, u64>::new();
            for count in 1..400 {
                let sender = ["ada", "bob", "eve"][random.random_range(0..3)];
                let key = match random.random_range(0..8) {
                    0 => Some(Key::Snapshot),
                    1 => Some(Key::Heartbeat),
                    2 => Some(Key::Goodbye),
                    3 => None,
                    _ => update(["a", "b"][random.random_range(0..2)]),
                };
                lane.push(
                    random.random_range(0..3),
                    key,
                    message(sender, count, random.random_range(1..60)),
                );
                assert!(lane.len() <= 8 && lane.bytes <= 200, "seed {seed}");
                while random.random_bool(0.3)
                    && let Some((_, popped)) = lane.pop()
                {
                    let highest = seen.entry(popped.sender.to_string()).or_default();
                    assert!(popped.count > *highest, "seed {seed}: {} after {highest}", popped.count);
                    *highest = popped.count;
                }
            }
            counts(&mut lane);
            assert_eq!((lane.bytes, lane.by_speaker.len()), (0, 0), "seed {seed}");
        }
    }
}
