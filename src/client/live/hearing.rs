//! What follows from a message of the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::end::LiveEnd;
use super::event::{Event, Saved};
use super::followed::Standing;
use super::message::{Change, Changes, ErrorTold, Heartbeat, Message, OfflineDone, Refusal};
use super::people::User;
use super::queue::Together;
use super::session::{News, Session};
use crate::id::DocumentId;

/// How long to wait with a subscription when the server is busy.
const PAUSE: Duration = Duration::from_secs(1);

/// How long to wait with edits when the server has no disk to keep them on: somebody has to look after it.
const REPAIR: Duration = Duration::from_secs(15);

/// How long to wait with what is no answer yet: the same may go through later, and it is made once.
fn for_later(why: &Refusal) -> Option<Duration> {
    match why.code.as_str() {
        "busy" | "not-confirmed" => Some(PAUSE),
        "read-only" | "not-saved" => Some(REPAIR),
        _ => None,
    }
}

impl Session {
    /// Takes a message. An error says what is wrong with it.
    pub fn take(&mut self, text: &str, now: Instant) -> Result<Vec<News>, String> {
        self.hear(now);
        Ok(match Message::read(text)? {
            Message::Welcome(welcome) => {
                // What a server asks for is kept within reason.
                let within = |ms: Option<u64>, usual: Duration| {
                    let asked = ms.map_or(usual, Duration::from_millis);
                    asked.clamp(Duration::from_secs(1), Duration::from_secs(600))
                };
                self.heartbeat = within(welcome.heartbeat_ms, self.heartbeat);
                self.silence = within(welcome.timeout_ms, self.silence);
                (self.device, self.color) = (welcome.device_id, welcome.color);
                if let Some(server_ms) = welcome.server_time {
                    self.set_clock(server_ms, now);
                }
                self.welcome();
                vec![News::Welcome]
            }
            Message::Snapshot(mut snapshot) => {
                let (id, users) = (snapshot.table_id.clone(), std::mem::take(&mut snapshot.users));
                self.at(&id, |table| {
                    table.people.replace(users);
                    table.replace(*snapshot);
                    Some(Event::Anew)
                })
            }
            Message::Changes(changes) => self.changed(changes),
            Message::Recovered(recovered) => self.at(&recovered.table_id, |table| {
                table.recovered();
                let missed = recovered.missed_events_count;
                Some(Event::Recovered { missed })
            }),
            Message::Accepted(accepted) => {
                let change_id = accepted.change_id.clone();
                self.saved(change_id, accepted.into(), now)
            }
            Message::Rejected(rejected) => self.rejected(rejected.change_id, rejected.why, now),
            Message::OfflineDone(done) => self.offline_done(done, now),
            Message::Error(error) => self.failed(error, now),
            Message::Heartbeat(heartbeat) => self.reached(heartbeat),
            Message::Unknown(_) => Vec::new(),
            people => self.people(people),
        })
    }

    /// Something about a table that is followed; what was left is not of interest.
    fn at(&mut self, id: &DocumentId, take: impl FnOnce(&mut super::followed::Followed) -> Option<Event>) -> Vec<News> {
        let Some(table) = self.tables.get_mut(id) else {
            return Vec::new();
        };
        let event = take(table);
        table.touch();
        event.map(|event| News::Of(id.clone(), event)).into_iter().collect()
    }

    /// Nothing has happened up to a version, or nothing that is seen here.
    fn reached(&mut self, heartbeat: Heartbeat) -> Vec<News> {
        let Heartbeat { table_id, version } = heartbeat;
        let id = table_id.and_then(|id| DocumentId::parse_address(&id).ok());
        if let (Some(version), Some(table)) = (version, id.and_then(|id| self.tables.get_mut(&id))) {
            table.reached(version);
        }
        Vec::new()
    }

    fn changed(&mut self, changes: Changes) -> Vec<News> {
        for change in &changes.changes {
            if let Some(id) = &change.change_id {
                self.queue.tell(id);
            }
        }
        self.at(&changes.table_id.clone(), |table| {
            table.apply(&changes);
            let changes: Arc<[Change]> = changes.changes.into();
            Some(Event::Changed(changes))
        })
    }

    fn people(&mut self, message: Message) -> Vec<News> {
        use super::message::Come;
        match message {
            Message::Users(users) => self.at(&users.table_id, |table| {
                table.people.replace(users.users);
                Some(Event::Presence)
            }),
            Message::User(come, who) => self.at(&who.table_id, |table| {
                let user: User = who.user;
                table.people.put(user.clone());
                Some(match come {
                    Come::Joined => Event::Joined(user),
                    Come::Returned => Event::Returned(user),
                    Come::Changed => Event::Presence,
                })
            }),
            Message::Left(left) => self.at(&left.table_id, |table| {
                table.people.leave(&left.who);
                Some(Event::Left(left.who))
            }),
            Message::Cursors(told) => self.at(&told.table_id, |table| {
                table.people.point(told.cursors);
                Some(Event::Presence)
            }),
            Message::Selections(told) => self.at(&told.table_id, |table| {
                table.people.select(told.selections);
                Some(Event::Presence)
            }),
            Message::Typings(told) => self.at(&told.table_id, |table| {
                table.people.type_into(told.typing);
                Some(Event::Presence)
            }),
            _ => Vec::new(),
        }
    }

    fn saved(&mut self, change_id: String, saved: Saved, now: Instant) -> Vec<News> {
        let Some((edit, told)) = self.queue.made(&change_id) else {
            return Vec::new();
        };
        let id = edit.table().clone();
        if let Some(table) = self.tables.get_mut(&id) {
            match told {
                true => table.touch(),
                false => table.settle(edit, &saved.version, now),
            }
        }
        let event = Event::Saved {
            change_id: change_id.clone(),
            saved: saved.clone(),
        };
        vec![News::Answered(change_id, Ok(saved)), News::Of(id, event)]
    }

    fn rejected(&mut self, change_id: String, why: Refusal, now: Instant) -> Vec<News> {
        // What follows an edit of the same record without an answer was judged without it.
        if self.queue.is_behind(&change_id) {
            let pause = for_later(&why).unwrap_or(PAUSE);
            self.put_off(&change_id, &why, now + pause);
            return Vec::new();
        }
        self.judged(change_id, why, now)
    }

    /// An edit was refused for what it is, or for the state of the server.
    fn judged(&mut self, change_id: String, mut why: Refusal, now: Instant) -> Vec<News> {
        if let Some(pause) = for_later(&why) {
            self.put_off(&change_id, &why, now + pause);
            return Vec::new();
        }
        match why.code.as_str() {
            // It may have been made, and forgotten since: under another name it might be made twice.
            "key-expired" if self.queue.is_doubtful(&change_id) => {
                why.message
                    .push_str("; it was sent before and not answered, so that it may have been saved");
            }
            // Sent for the first time; or of tomorrow, which is never forgotten: it was not made.
            "key-expired" | "bad-key" if self.queue.rename(&change_id, self.clock.at(now)) => return Vec::new(),
            _ => {}
        }
        let together = match why.code.as_str() {
            "too-large" => Some(Together::TooMuch),
            "unknown-version" => Some(Together::UnknownVersion),
            _ => None,
        };
        if together.is_some_and(|together| self.queue.otherwise(&change_id, together)) {
            return Vec::new();
        }
        let Some(edit) = self.queue.remove(&change_id) else {
            return Vec::new();
        };
        let id = edit.table().clone();
        if let Some(table) = self.tables.get_mut(&id) {
            table.touch();
        }
        let event = Event::Rejected {
            change_id: change_id.clone(),
            why: why.clone(),
        };
        vec![News::Answered(change_id, Err(why)), News::Of(id, event)]
    }

    /// It is no answer yet: the edit is sent again after that.
    fn put_off(&mut self, change_id: &str, why: &Refusal, until: Instant) {
        if why.code == "not-confirmed" {
            self.queue.doubt(change_id);
        }
        self.queue.again(change_id, until);
    }

    fn offline_done(&mut self, done: OfflineDone, now: Instant) -> Vec<News> {
        let mut news = Vec::new();
        let of_table = |session: &Self, change_id: &str| {
            let edit = session.queue.under_way().find(|edit| edit.change_id() == change_id)?;
            done.versions.get(edit.table().as_str()).cloned()
        };
        // One that is in both lists is merged.
        let merged = done.merged.iter().map(|id| (id, true));
        let made = merged.chain(done.applied.iter().map(|id| (id, false)));
        for (change_id, merged) in made {
            let saved = Saved {
                version: of_table(self, change_id).unwrap_or_default(),
                merged,
                replayed: false,
                made: Arc::default(),
            };
            news.extend(self.saved(change_id.clone(), saved, now));
        }
        for rejected in done.rejected {
            news.extend(self.rejected(rejected.change_id, rejected.why, now));
        }
        news
    }

    /// Something that was asked for is not done.
    fn failed(&mut self, error: ErrorTold, now: Instant) -> Vec<News> {
        let ErrorTold { why, about, table_id } = error;
        match about.as_deref() {
            Some("authenticate") => vec![News::Stop(LiveEnd::Denied(why.to_string()))],
            // The table as it is now follows.
            Some("subscribe_to_table" | "recover_connection") if why.code == "unknown-version" => Vec::new(),
            Some("subscribe_to_table" | "recover_connection") => {
                let id = table_id.and_then(|id| DocumentId::parse_address(&id).ok());
                id.map_or_else(Vec::new, |id| self.refused(&id, why, now))
            }
            Some("sync_offline_changes") => self.offline_failed(&why, now),
            Some("record_change" | "batch_changes") => self.oldest_failed(why, now),
            _ => Vec::new(),
        }
    }

    fn refused(&mut self, id: &DocumentId, why: Refusal, now: Instant) -> Vec<News> {
        self.at(id, |table| {
            if let Some(pause) = for_later(&why) {
                table.standing = Standing::Wanted(Some(now + pause));
                return None;
            }
            table.standing = Standing::Refused(why.clone());
            Some(Event::Refused(why))
        })
    }

    /// A whole offline message was not taken. If one of its changes is to blame, the others are sent again without it.
    fn offline_failed(&mut self, why: &Refusal, now: Instant) -> Vec<News> {
        let part: Vec<String> = self.queue.under_way().map(|edit| edit.change_id().to_owned()).collect();
        let to_blame = why.field.as_deref().and_then(|field| {
            let number: usize = field.strip_prefix("/changes/")?.split('/').next()?.parse().ok()?;
            part.get(number)
        });
        let mut news = Vec::new();
        // The message as a whole: none of its edits is to blame, and fewer are sent at once.
        if to_blame.is_none() && why.code == "too-large" && self.queue.halve() {
            return news;
        }
        for change_id in &part {
            match to_blame {
                Some(other) if other != change_id => self.queue.again(change_id, now + PAUSE),
                _ => news.extend(self.judged(change_id.clone(), why.clone(), now)),
            }
        }
        news
    }

    /// An edit that could not even be read, by a server that knows less than this client: they are answered in order.
    fn oldest_failed(&mut self, why: Refusal, now: Instant) -> Vec<News> {
        let oldest = self.queue.under_way().next().map(|edit| edit.change_id().to_owned());
        oldest.map_or_else(Vec::new, |change_id| self.rejected(change_id, why, now))
    }
}

#[cfg(test)]
mod tests;
