//! Subscriptions: following a table or a view of it, whole or a window, from a snapshot or from a version that the client has.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::ws::Utf8Bytes;

use super::super::Server;
use super::super::rest::{Code, Problem, off_runtime};
use super::door::{Done, LiveDoor, error_of};
use crate::document::feed::Window;
use crate::document::table::ViewId;
use crate::id::DocumentId;
use crate::room::inbox::Mark;
use crate::room::live::pane::{Gone, Pane, PaneKey, Pulled, Reached};
use crate::room::live::{Brought, Following, NotShown, Told, What};
use crate::room::{Deletion, Room};
use crate::wire::live::{ErrorTold, Recover, Recovered, Snapshot, Subscribe, WindowClaim};
use crate::wire::version;

/// One table that the connection follows.
pub(super) struct Subscription {
    pub table: DocumentId,
    pub following: Following,
    pub reached: Reached,
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

/// What is to be followed.
struct Asked {
    address: String,
    view: Option<String>,
    window: Option<WindowClaim>,
    since: Option<String>,
    recovers: bool,
}

/// A subscription that is there now.
pub(super) struct Followed {
    address: String,
    following: Following,
    brought: Brought,
    recovers: bool,
    /// The version to go on from is none of the table's.
    unknown_version: bool,
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
        if self.subscriptions.len() >= limits.subscriptions && !self.names.contains_key(&asked.address) {
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
        self.busy = true;
        self.job(async move {
            let address = asked.address.clone();
            let followed = server.follow(asked, pane, mark).await;
            Done::Followed(followed.map_err(|problem| error_of(&problem, about, &address)))
        });
    }

    /// A subscription is there, or is not.
    pub(super) fn followed(&mut self, followed: Result<Followed, ErrorTold>) {
        let followed = match followed {
            Ok(followed) => followed,
            Err(error) => return self.tell("error", &error),
        };
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
        // What became durable while it was being made.
        self.enqueue(key);
    }

    fn tell_brought(&mut self, table: &DocumentId, brought: &Brought, users: &str, recovers: bool) {
        let rows = match &brought.what {
            What::Snapshot { without_users, rows } => {
                self.say(Snapshot::with_users(without_users, users).into());
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
    }

    /// The next frame of a subscription.
    pub(super) fn next_of(&mut self, key: u32) -> Option<Utf8Bytes> {
        if self.is_deleted(key) {
            return None;
        }
        let subscription = self.subscriptions.get_mut(&key)?;
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
            Err(NotShown::NoView(_)) => self.end(key, Gone::View),
            Err(NotShown::NotATable(_)) => self.end(key, Gone::Table),
            Err(NotShown::NotAwake) => {
                // Its client recovers when the document can be read again.
                self.close(crate::room::inbox::Close::TryLater);
            }
        }
    }

    fn tell_caught_up(&mut self, key: u32, brought: Brought) {
        let Some(subscription) = self.subscriptions.get_mut(&key) else {
            return;
        };
        subscription.reached = brought.reached.clone();
        let table = subscription.table.clone();
        match &brought.what {
            What::Snapshot { .. } => {
                let users = self.users(key);
                self.tell_brought(&table, &brought, &users, false);
            }
            What::Missed {
                text: frame,
                is_news: true,
                ..
            } => self.say(frame.clone()),
            What::Missed { .. } => {}
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
            Deletion::Deciding => true,
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

/// What is asked for, if it can be: else the field that is wrong, and why.
fn pane_of(asked: &Asked, most_rows: usize) -> Result<PaneKey, (&'static str, String)> {
    let view = asked.view.as_deref().map(ViewId::parse).transpose();
    let view = view.map_err(|bad| ("/viewId", bad.to_string()))?;
    let window = match asked.window {
        None => None,
        Some(WindowClaim { limit, .. }) if limit == 0 || limit > most_rows => {
            let why = format!("a window has 1 to {most_rows} rows, not {limit}");
            return Err(("/window/limit", why));
        }
        Some(WindowClaim { offset, limit }) => Some(Window { offset, limit }),
    };
    Ok(PaneKey { view, window })
}

impl Server {
    async fn follow(self: &Arc<Self>, asked: Asked, key: PaneKey, mark: Arc<Mark>) -> Result<Followed, Problem> {
        let id = self.table_id(&asked.address).await?;
        let since = asked.since.as_deref().map(version::heads);
        let mut unknown_version = since.as_ref().is_some_and(Option::is_none);
        let mut since = since.flatten();
        loop {
            let room = self.find(&id).await?;
            let most = self.config.live.panes;
            // Followed before it is looked at, so that nothing that happens in between is missed (lost wakeup).
            let (wanted, mark, entered) = (key.clone(), mark.clone(), room.clone());
            let following = off_runtime(move || entered.follow_pane(wanted, mark, most))
                .await?
                .map_err(|error| Problem::new(Code::Busy, error.to_string()))?;
            let shown = self.show(&room, &following.pane, since.as_deref()).await;
            let error = match shown {
                Ok(brought) => {
                    let reached = &brought.reached;
                    match self.saved(&room, reached.position, reached.epoch).await {
                        Ok(true) => {
                            return Ok(Followed {
                                address: asked.address,
                                following,
                                brought,
                                recovers: asked.recovers,
                                unknown_version,
                            });
                        }
                        // Rolled back meanwhile.
                        Ok(false) => None,
                        Err(problem) => Some(problem),
                    }
                }
                Err(NotShown::NotAwake) => None,
                Err(NotShown::UnknownVersion) => {
                    unknown_version = true;
                    since = None;
                    None
                }
                Err(error @ NotShown::NoView(_)) => Some(Problem::new(Code::NotFound, error.to_string()).at("/viewId")),
                Err(error @ NotShown::NotATable(_)) => {
                    Some(Problem::new(Code::NotATable, format!("document {id}: {error}")))
                }
            };
            if let Some(problem) = error {
                return Err(problem);
            }
        }
    }

    /// What a pane shows: made by the first who asks.
    async fn show(
        &self,
        room: &Arc<Room>,
        pane: &Arc<Pane>,
        since: Option<&[automerge::ChangeHash]>,
    ) -> Result<Brought, NotShown> {
        let _turn = pane.turn.acquire().await;
        if let Some(known) = room.shown_before(pane, since) {
            return Ok(known);
        }
        for _ in 0..TRIES {
            let (showing, of, from) = (room.clone(), pane.clone(), since.map(<[_]>::to_vec));
            let show = move || showing.show_pane(&of, from.as_deref(), Instant::now());
            match off_runtime(show).await {
                Ok(Err(NotShown::NotAwake)) => {
                    if self.room_awake(room.id()).await.is_err() {
                        break;
                    }
                }
                Ok(shown) => return shown,
                Err(_) => break,
            }
        }
        Err(NotShown::NotAwake)
    }
}

/// How often a document that falls asleep again, or a view that changes again, is tried.
const TRIES: usize = 5;
