//! Subscriptions: following a table or a view of it, whole or a window, from a snapshot or from a version that the client has.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::ws::Utf8Bytes;

use super::door::{Done, LiveDoor, error_of};
use super::showing::{Asked, Followed, pane_of};
use crate::id::DocumentId;
use crate::room::Deletion;
use crate::room::inbox::Mark;
use crate::room::live::pane::{Gone, Pulled, Reached};
use crate::room::live::{Brought, Following, NotShown, Told, What};
use crate::wire::live::{ErrorTold, Recover, Recovered, Subscribe};
use crate::wire::version;

/// One table that the connection follows.
pub(super) struct Subscription {
    pub table: DocumentId,
    pub following: Following,
    /// Up to where it was pulled, and up to where all of that was handed to the socket.
    pub reached: Reached,
    pub sent: Reached,
    /// How far it has been told of who is there, and what of it is yet to be sent.
    pub seen: Told,
    pub told: VecDeque<Utf8Bytes>,
    /// Whether it is in the list of those who may have something to write.
    pub queued: bool,
    /// It fell behind: what it missed is being found out.
    catching_up: bool,
    /// Shown, and to be sent once the room is durable up to there.
    parked: Option<Brought>,
}

impl LiveDoor {
    pub(super) fn subscribe(&mut self, asked: Subscribe) {
        let Subscribe {
            table_id,
            view_id,
            window,
            since,
        } = asked;
        self.follow(
            Asked {
                address: table_id,
                view: view_id,
                window,
                since,
                recovers: false,
            },
            "subscribe_to_table",
        );
    }

    pub(super) fn recover(&mut self, asked: Recover) {
        let Recover {
            table_id,
            view_id,
            window,
            last_version,
        } = asked;
        self.follow(
            Asked {
                address: table_id,
                view: view_id,
                window,
                since: Some(last_version),
                recovers: true,
            },
            "recover_connection",
        );
    }

    fn follow(&mut self, asked: Asked, about: &'static str) {
        let limits = &self.server.config.live;
        let others = self.queue.following(|table| !self.by_table.contains_key(table));
        let count = self.subscriptions.len() + others;
        if count >= limits.subscriptions && self.subscribed(&asked.address).is_none() {
            let why = format!("a connection follows at most {} tables", limits.subscriptions);
            return self.tell_error("too-many", why, about, Some(&asked.address));
        }
        let pane = match pane_of(&asked, limits.window_rows) {
            Ok(pane) => pane,
            Err((field, why)) => {
                let table_id = Some(asked.address);
                let error = ErrorTold {
                    code: "bad-message",
                    message: why,
                    field: Some(field.to_owned()),
                    about: Some(about.to_owned()),
                    table_id,
                };
                return self.tell("error", &error);
            }
        };
        let key = self.next_key;
        self.next_key += 1;
        let mark = Mark::new(self.inbox.clone(), key);
        let server = self.server.clone();
        self.queue.follows(&asked.address);
        self.job(async move {
            let table = asked.address.clone();
            let followed = server.follow(asked, pane, mark).await;
            let followed = followed.map_err(|problem| error_of(&problem, about, &table));
            Done::Followed { table, followed }
        });
    }

    /// A subscription is there, or is not.
    pub(super) fn followed(&mut self, followed: Result<Followed, ErrorTold>) {
        let followed = match followed {
            Ok(followed) => followed,
            Err(error) => return self.tell("error", &error),
        };
        if let Some(session) = &self.session
            && !self.server.is_newest(&session.peer, self.id)
        {
            // It is about to be closed: it does not take the device back.
            return;
        }
        let following = followed.following;
        let (key, table) = (following.mark.key(), following.room.id().clone());
        if followed.unknown_version {
            let why = "the table never had the version to go on from; here is what it is now";
            let about = match followed.recovers {
                true => "recover_connection",
                false => "subscribe_to_table",
            };
            self.tell_error("unknown-version", why, about, Some(table.as_str()));
        }
        let (seen, users) = self.enter(&following);
        if let Some(older) = self.by_table.insert(table.clone(), key) {
            // Another window or view of the table; who is there stays there.
            self.subscriptions.remove(&older);
        }
        if self.names.len() < 2 * self.server.config.live.subscriptions {
            self.names.insert(followed.address, table.clone());
        }
        self.tell_brought(&table, &followed.brought, &users, followed.recovers);
        let subscription = Subscription {
            table,
            following,
            sent: followed.brought.reached.clone(),
            reached: followed.brought.reached,
            seen,
            told: VecDeque::new(),
            queued: false,
            catching_up: false,
            parked: None,
        };
        // A mark that was set while it was being made was passed over, since there was nothing to look at. Set for ever, it
        // would say nothing any more (lost wakeup).
        subscription.following.mark.clear();
        self.subscriptions.insert(key, subscription);
        self.release_answers();
        // What became durable while it was being made.
        self.enqueue(key);
    }

    fn tell_brought(&mut self, table: &DocumentId, brought: &Brought, users: &Arc<str>, recovers: bool) {
        let rows = match &brought.what {
            What::Snapshot { frame, rows } => {
                self.say(frame.with_users(users));
                *rows
            }
            What::Missed { text: frame, rows, .. } => {
                self.say(frame.clone());
                let told = format!(r#"{{"type":"table_users","data":{{"tableId":"{table}","users":{users}}}}}"#);
                self.say(told.into());
                *rows
            }
        };
        if recovers {
            let recovered = Recovered {
                table_id: table.as_str(),
                missed_events_count: rows,
                version: &version::of(&brought.reached.heads),
            };
            self.tell("connection_recovered", &recovered);
        }
    }

    pub(super) fn unsubscribe(&mut self, address: &str) {
        match self.subscribed(address) {
            Some(key) => self.leave_table(key, true),
            None => self.tell_error(
                "not-subscribed",
                "this connection does not follow the table",
                "unsubscribe_from_table",
                Some(address),
            ),
        }
    }

    /// The subscription to a table, as the client calls it.
    pub(super) fn subscribed(&self, address: &str) -> Option<u32> {
        let table = match self.names.get(address) {
            Some(table) => table.clone(),
            None => DocumentId::parse_address(address).ok()?,
        };
        self.by_table.get(&table).copied()
    }

    /// The connection follows a table no more. `clean`: by its own wish.
    pub(super) fn leave_table(&mut self, key: u32, clean: bool) {
        let Some(subscription) = self.subscriptions.remove(&key) else {
            return;
        };
        self.by_table.remove(&subscription.table);
        self.names.retain(|_, table| *table != subscription.table);
        let room = subscription.following.room.clone();
        self.part(&room, clean);
        drop(subscription);
        self.server.rooms.leave(room, self.id, Instant::now());
        self.release_answers();
    }

    /// The next frame of a subscription.
    pub(super) fn next_of(&mut self, key: u32) -> Option<Utf8Bytes> {
        if self.is_deleted(key) {
            return None;
        }
        self.note_sent(key);
        let subscription = self.subscriptions.get_mut(&key)?;
        // What was pulled goes out before anything else is: nothing overtakes it, and it is no more than one pull.
        if let Some(frame) = subscription.told.pop_front() {
            return Some(frame);
        }
        let durable = subscription.following.room.durable();
        if let Some(parked) = &subscription.parked {
            let is_stale = parked.reached.epoch != subscription.following.room.epoch();
            if !is_stale && parked.reached.position > durable {
                return self.presence_frame(key);
            }
            let parked = subscription.parked.take()?;
            match is_stale {
                true => self.catch_up(key, true),
                false => self.tell_caught_up(key, parked),
            }
            return None;
        }
        if subscription.catching_up {
            return self.presence_frame(key);
        }
        match subscription.following.pane.pull(&subscription.reached, durable) {
            Pulled::Frames(frames, reached) => {
                subscription.reached = reached;
                subscription.told.extend(frames);
                self.note_sent(key);
                self.presence_frame(key)
            }
            Pulled::Nothing => self.presence_frame(key),
            Pulled::Behind => {
                self.catch_up(key, false);
                None
            }
            Pulled::Anew => {
                self.catch_up(key, true);
                None
            }
            Pulled::Ended(why) => {
                self.end(key, why);
                None
            }
        }
    }

    /// All that was pulled of a subscription is with the socket, if it is.
    fn note_sent(&mut self, key: u32) {
        if let Some(subscription) = self.subscriptions.get_mut(&key)
            && subscription.told.is_empty()
        {
            subscription.sent = subscription.reached.clone();
            self.release_answers();
        }
    }

    /// Finds out what a subscription has missed, or shows it everything anew.
    fn catch_up(&mut self, key: u32, anew: bool) {
        let Some(subscription) = self.subscriptions.get_mut(&key) else {
            return;
        };
        subscription.catching_up = true;
        let (server, room, pane) = (
            self.server.clone(),
            subscription.following.room.clone(),
            subscription.following.pane.clone(),
        );
        let since = (!anew).then(|| subscription.reached.heads.to_vec());
        self.server.metrics.live_catch_ups.inc();
        self.job(async move {
            let brought = server.show(&room, &pane, since.as_deref()).await;
            Done::CaughtUp { key, brought }
        });
    }

    pub(super) fn caught_up(&mut self, key: u32, brought: Result<Brought, NotShown>) {
        let Some(subscription) = self.subscriptions.get_mut(&key) else {
            return;
        };
        subscription.catching_up = false;
        match brought {
            Ok(brought) => {
                subscription.parked = Some(brought);
                self.enqueue(key);
            }
            // A version that was rolled back is none of the table's.
            Err(NotShown::UnknownVersion) => self.catch_up(key, true),
            // Told once it is on disk: the pane ends with a step of its own, which may be there by now.
            Err(NotShown::NoView { .. } | NotShown::NotATable { .. }) => self.enqueue(key),
            Err(NotShown::NotAwake | NotShown::Failed) => {
                // Its client recovers when the document can be read again.
                self.close(crate::room::inbox::Close::TryLater);
            }
        }
    }

    fn tell_caught_up(&mut self, key: u32, brought: Brought) {
        let frame = match &brought.what {
            What::Snapshot { frame, .. } => Some(frame.with_users(&self.users(key))),
            What::Missed {
                text, is_news: true, ..
            } => Some(text.clone()),
            What::Missed { .. } => None,
        };
        if let Some(subscription) = self.subscriptions.get_mut(&key) {
            subscription.reached = brought.reached;
            subscription.told.extend(frame);
        }
        self.enqueue(key);
    }

    /// There is nothing left to follow.
    fn end(&mut self, key: u32, why: Gone) {
        let (code, message) = match why {
            Gone::View => ("not-found", "the view was deleted"),
            Gone::Table => ("not-a-table", "the document is no table any more"),
        };
        self.leave_with(key, code, message);
    }

    fn is_deleted(&mut self, key: u32) -> bool {
        let Some(subscription) = self.subscriptions.get(&key) else {
            return false;
        };
        match subscription.following.room.deletion() {
            Deletion::Deleted(_) => {
                self.leave_with(key, "deleted", "the table was deleted");
                true
            }
            // It is told once it is on disk.
            Deletion::Deciding => {
                subscription.following.room.look_again_when_decided();
                true
            }
            Deletion::Not | Deletion::Unknown => false,
        }
    }

    fn leave_with(&mut self, key: u32, code: &'static str, message: &str) {
        let Some(subscription) = self.subscriptions.get(&key) else {
            return;
        };
        let table = subscription.table.to_string();
        self.leave_table(key, true);
        self.tell_error(code, message, "subscribe_to_table", Some(&table));
    }
}
