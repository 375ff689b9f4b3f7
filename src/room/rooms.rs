//! The rooms that are open: each document has at most one.
//!
//! A room is opened when a connection enters it and closed when nobody holds it any more and everything in it is on disk.
//! The map's lock comes before those of a room, and a room is taken out only under it, while nobody else has a hold of
//! it: two rooms of one document would be two histories.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::inbox::Mark;
use super::live::LiveUser;
use super::room::{Room, RoomLimits};
use crate::id::{ConnectionId, DocumentId, PeerId};
use crate::store::Store;
use crate::sync::bindings::OwnSessions;

/// There are as many rooms as the configuration allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("as many rooms are open as the configuration allows")]
pub struct TooManyRooms;

pub struct Rooms {
    store: Store,
    limits: Arc<RoomLimits>,
    most: usize,
    sessions: Arc<OwnSessions>,
    open: Mutex<HashMap<DocumentId, Arc<Room>>>,
}

/// What a sweep found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    pub open: usize,
    pub awake: usize,
}

impl Rooms {
    pub fn new(store: Store, limits: RoomLimits, most: usize, sessions: OwnSessions) -> Self {
        Self {
            store,
            limits: Arc::new(limits),
            most,
            sessions: Arc::new(sessions),
            open: Mutex::default(),
        }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Opens the room, or finds it open, without entering it.
    pub fn open(&self, id: &DocumentId, now: Instant) -> Result<Arc<Room>, TooManyRooms> {
        self.find_or_open(&mut self.rooms(), id, now)
    }

    /// Opens the room and makes the connection part of its audience.
    pub fn enter(
        &self,
        id: &DocumentId,
        peer: &PeerId,
        mark: &Arc<Mark>,
        now: Instant,
    ) -> Result<Arc<Room>, TooManyRooms> {
        let mut rooms = self.rooms();
        let room = self.find_or_open(&mut rooms, id, now)?;
        room.audience().enter(peer.clone(), mark.clone());
        Ok(room)
    }

    /// Opens the room and makes somebody at the live door part of its audience. They leave with
    /// [`Audience::leave_live`](super::audience::Audience::leave_live), and then as any other connection.
    pub fn enter_live(
        &self,
        id: &DocumentId,
        user: &LiveUser,
        mark: &Arc<Mark>,
        now: Instant,
    ) -> Result<Arc<Room>, TooManyRooms> {
        let mut rooms = self.rooms();
        let room = self.find_or_open(&mut rooms, id, now)?;
        room.audience().enter_live(now, user, mark.clone());
        Ok(room)
    }

    fn find_or_open(
        &self,
        rooms: &mut HashMap<DocumentId, Arc<Room>>,
        id: &DocumentId,
        now: Instant,
    ) -> Result<Arc<Room>, TooManyRooms> {
        if let Some(room) = rooms.get(id) {
            return Ok(room.clone());
        }
        if rooms.len() >= self.most {
            return Err(TooManyRooms);
        }
        let room = Room::new(
            id.clone(),
            self.store.clone(),
            self.limits.clone(),
            self.sessions.clone(),
            now,
        );
        rooms.insert(id.clone(), room.clone());
        Ok(room)
    }

    /// The room, if it is open.
    pub fn get(&self, id: &DocumentId) -> Option<Arc<Room>> {
        self.rooms().get(id).cloned()
    }

    /// The connection leaves. A room in which nothing was ever stored goes with its last connection.
    pub fn leave(&self, room: Arc<Room>, connection: ConnectionId, now: Instant) {
        room.audience().leave(connection, now);
        room.forget(connection);
        let id = room.id().clone();
        drop(room);
        let mut rooms = self.rooms();
        if let Some(room) = rooms.get(&id)
            // Asked in this order: whoever works in the room has a hold of it, and its lock is not waited for here.
            && Self::is_unused(room)
            && room.is_empty()
        {
            rooms.remove(&id);
        }
    }

    /// Puts quiet documents to sleep, forgets the presence of who is gone, and closes rooms nobody is in.
    pub fn sweep(&self, now: Instant) -> Swept {
        let all: Vec<Arc<Room>> = self.rooms().values().cloned().collect();
        let mut swept = Swept {
            open: all.len(),
            awake: 0,
        };
        let mut asleep = Vec::new();
        for room in all {
            room.audience().expire(now);
            match room.sleep_if_quiet(now) {
                true if room.audience().is_empty() => asleep.push(room.id().clone()),
                true => {}
                // Nobody has the document and nobody waits for it any more.
                false if room.is_empty() && room.audience().is_empty() => asleep.push(room.id().clone()),
                false => swept.awake += 1,
            }
        }
        let mut rooms = self.rooms();
        for id in asleep {
            if rooms
                .get(&id)
                .is_some_and(|room| (room.may_close() || room.is_empty()) && Self::is_unused(room))
            {
                rooms.remove(&id);
                swept.open -= 1;
            }
        }
        swept
    }

    /// The rooms whose document is awake.
    pub fn awake(&self) -> Vec<Arc<Room>> {
        let all: Vec<Arc<Room>> = self.rooms().values().cloned().collect();
        all.into_iter().filter(|room| room.is_awake()).collect()
    }

    /// The rooms whose changes should be folded into a snapshot.
    pub fn due_for_compaction(&self, now: Instant) -> Vec<Arc<Room>> {
        let all: Vec<Arc<Room>> = self.rooms().values().cloned().collect();
        all.into_iter().filter(|room| room.is_due_for_compaction(now)).collect()
    }

    /// Nobody is in the room and nobody has a hold of it: called under the lock of the map, which gives out holds.
    fn is_unused(room: &Arc<Room>) -> bool {
        Arc::strong_count(room) == 1 && room.audience().is_empty()
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<DocumentId, Arc<Room>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
