//! Who is at the other end: a user on a device, as they say themselves.

use super::door::LiveDoor;
use crate::document::author::{Author, Door};
use crate::id::PeerId;
use crate::room::Writer;
use crate::wire::live::presence::{self, Id};
use crate::wire::live::{Authenticate, UserClaim, Welcome};

/// A user on a device. There is one connection of each: the newest holds.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub user: Id,
    pub device: Id,
    pub name: String,
    pub avatar: Option<String>,
    /// How the roster calls it.
    pub peer: PeerId,
}

impl LiveDoor {
    pub(super) fn authenticate(&mut self, claim: Authenticate) {
        let about = "authenticate";
        if claim.token.is_some() {
            let why = "this server takes no tokens yet; say who you are with `user`";
            return self.tell_error("token-not-supported", why, about, None);
        }
        let session = match self.read_claim(claim) {
            Ok(session) => session,
            Err((field, why)) => {
                let error = crate::wire::live::ErrorTold {
                    code: "bad-message",
                    message: why,
                    field: Some(field.to_owned()),
                    about: Some(about.to_owned()),
                    table_id: None,
                };
                return self.tell("error", &error);
            }
        };
        match &self.session {
            Some(known) if known.peer != session.peer => {
                let why = "a connection stays one user's on one device; open another one";
                return self.tell_error("bad-message", why, about, None);
            }
            Some(_) => {
                self.session = Some(session);
                self.rename_everywhere();
            }
            None => {
                self.lifeline.joined();
                self.server.joined(&session.peer, &self.inbox);
                self.session = Some(session);
            }
        }
        self.welcome();
    }

    fn welcome(&mut self) {
        let Some(session) = self.session.clone() else { return };
        let ttl = self.server.config.room.audience.presence_ttl.as_millis() as u64;
        let welcome = Welcome {
            user_id: session.user.as_str(),
            user_name: &session.name,
            device_id: session.device.as_str(),
            color: presence::color_of(session.user.as_str()),
            heartbeat_ms: ttl / 3,
            timeout_ms: ttl,
            server_time: super::super::now_ms() as u64,
        };
        self.tell("authenticated", &welcome);
    }

    /// Who somebody says they are: else the field that is wrong, and why.
    fn read_claim(&self, claim: Authenticate) -> Result<Session, (&'static str, String)> {
        let Some(UserClaim {
            user_id,
            user_name,
            avatar_url,
        }) = claim.user
        else {
            return Err(("/user", "say who you are: user {userId, userName}".into()));
        };
        let user = Id::parse(&user_id).map_err(|bad| ("/user/userId", bad.to_string()))?;
        let device = match (claim.device_id, &self.session) {
            (Some(device), _) => Id::parse(&device).map_err(|bad| ("/deviceId", bad.to_string()))?,
            (None, Some(known)) => known.device.clone(),
            (None, None) => {
                Id::parse(&uuid::Uuid::new_v4().simple().to_string()).map_err(|bad| ("/deviceId", bad.to_string()))?
            }
        };
        let name = user_name.unwrap_or_else(|| user_id.clone());
        let name: String = name.chars().take(presence::MAX_NAME_CHARS).collect();
        if let Some(avatar) = &avatar_url
            && !presence::is_picture(avatar)
        {
            let most = presence::MAX_AVATAR_BYTES;
            return Err((
                "/user/avatarUrl",
                format!("an http or https address of at most {most} bytes is expected"),
            ));
        }
        Ok(Session {
            peer: PeerId::of_live(user.as_str(), device.as_str()),
            user,
            device,
            name,
            avatar: avatar_url,
        })
    }

    /// The author of what this connection writes.
    pub(super) fn writer(&self) -> Writer {
        let session = self.session.as_ref();
        let author = Author {
            time: super::super::now_ms() as u64,
            user: session.map(|session| session.user.to_string()),
            device: session.map_or_else(String::new, |session| session.device.to_string()),
            door: Door::Live,
        };
        Writer {
            author,
            connection: Some(self.id),
        }
    }
}
