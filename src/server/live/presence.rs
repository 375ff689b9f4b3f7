//! Who is there and what they do: what this connection says of itself, and what it is told of the others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::Utf8Bytes;

use super::door::LiveDoor;
use super::following::Subscription;
use super::session::Session;
use crate::room::Room;
use crate::room::live::pane::Pulled;
use crate::room::live::{Following, Leaving, LiveUser, Showing, Told};
use crate::wire::live::presence::Who;
use crate::wire::live::{Heartbeat, ShowCursor, ShowSelection, ShowTyping, text};
use crate::wire::version;

/// How often a connection that says something counts as a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

impl Subscription {
    /// What says nothing to this subscription has been told as well.
    fn look_past(&mut self) {
        if !self.told.is_empty() {
            return;
        }
        if let Pulled::Frames(frames, reached) = self.following.pane.pull(&self.reached, self.following.room.durable())
            && frames.is_empty()
        {
            self.reached = reached;
        }
        self.sent = self.reached.clone();
    }
}

impl Session {
    fn as_user(&self) -> LiveUser {
        LiveUser {
            who: Who::new(self.user.clone(), Some(&self.name), self.avatar.as_deref()),
            device: self.device.clone(),
        }
    }
}

impl LiveDoor {
    /// Makes this user one of those in the room. Returns everybody who is there, and how far that tells.
    pub(super) fn enter(&mut self, following: &Following) -> (Told, Arc<str>) {
        let mut told = Told::default();
        let window = following.pane.shown();
        let users = {
            let mut audience = following.room.audience();
            if let Some(session) = &self.session {
                audience.enter_live(Instant::now(), &session.as_user(), following.mark.clone());
            }
            audience.users(window.as_ref(), &mut told)
        };
        following.room.keep_ticking();
        (told, users)
    }

    /// Everybody who is there, for a snapshot that is shown anew.
    pub(super) fn users(&mut self, key: u32) -> Arc<str> {
        let Some(subscription) = self.subscriptions.get_mut(&key) else {
            return "[]".into();
        };
        let window = subscription.following.pane.shown();
        let mut audience = subscription.following.room.audience();
        audience.users(window.as_ref(), &mut subscription.seen)
    }

    /// The user leaves a room.
    pub(super) fn part(&self, room: &Room, clean: bool) {
        let how = match clean {
            true => Leaving::Left,
            false => Leaving::Lost,
        };
        room.audience().leave_live(Instant::now(), self.id, how);
    }

    /// The user goes by another name from here on.
    pub(super) fn rename_everywhere(&self) {
        let Some(session) = &self.session else { return };
        for subscription in self.subscriptions.values() {
            let mut audience = subscription.following.room.audience();
            audience.rename_live(Instant::now(), self.id, &session.as_user());
        }
    }

    pub(super) fn show_cursor(&mut self, shown: ShowCursor) {
        self.show(&shown.table_id, "cursor_position", &Showing::Cursor(shown.cursor));
    }

    pub(super) fn show_selection(&mut self, shown: ShowSelection) {
        self.show(&shown.table_id, "selection", &Showing::Selection(shown.selection));
    }

    pub(super) fn show_typing(&mut self, shown: ShowTyping) {
        self.show(&shown.table_id, "typing", &Showing::Typing(shown.cell));
    }

    fn show(&mut self, address: &str, about: &'static str, showing: &Showing) {
        let subscribed = self.subscribed(address).and_then(|key| self.subscriptions.get(&key));
        match subscribed {
            Some(subscription) => {
                let mut audience = subscription.following.room.audience();
                audience.show_live(Instant::now(), self.id, showing);
            }
            None => {
                let why = "this connection does not follow the table";
                self.tell_error("not-subscribed", why, about, Some(address));
            }
        }
    }

    pub(super) fn heartbeat(&mut self, beat: &Heartbeat) {
        #[derive(serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Ack<'t> {
            #[serde(skip_serializing_if = "Option::is_none")]
            table_id: Option<&'t str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            version: Option<String>,
        }
        self.sign_of_life();
        let Some(address) = &beat.table_id else {
            return self.tell(
                "heartbeat_ack",
                &Ack {
                    table_id: None,
                    version: None,
                },
            );
        };
        let Some(subscription) = self
            .subscribed(address)
            .and_then(|key| self.subscriptions.get_mut(&key))
        else {
            let why = "this connection does not follow the table";
            return self.tell_error("not-subscribed", why, "heartbeat", Some(address));
        };
        subscription.look_past();
        let ack = Ack {
            table_id: Some(subscription.table.as_str()),
            version: Some(version::of(&subscription.sent.heads)),
        };
        let frame = text("heartbeat_ack", &ack);
        self.release_answers();
        self.say(frame.into());
    }

    /// Whatever this connection says shows that its user is there, in every room.
    pub(super) fn sign_of_life(&mut self) {
        let now = Instant::now();
        let often = SIGN_OF_LIFE.min(self.server.config.room.audience.presence_ttl / 4);
        if self.alive.is_some_and(|alive| now.duration_since(alive) < often) {
            return;
        }
        self.alive = Some(now);
        for subscription in self.subscriptions.values() {
            subscription.following.room.audience().heartbeat_live(now, self.id);
        }
    }

    /// The next word of what the others do.
    pub(super) fn presence_frame(&mut self, key: u32) -> Option<Utf8Bytes> {
        let subscription = self.subscriptions.get_mut(&key)?;
        if let Some(frame) = subscription.told.pop_front() {
            return Some(frame);
        }
        let window = subscription.following.pane.shown();
        let mut audience = subscription.following.room.audience();
        let frames = audience.pull(window.as_ref(), &mut subscription.seen);
        drop(audience);
        subscription.told.extend(frames.iter().cloned());
        subscription.told.pop_front()
    }
}
