//! Programs that are present without a connection: what they say over HTTP is shown like what a person's page says.
//!
//! The server speaks for them in the words of the `Presence` class, so that an unmodified client sees a cursor move and does
//! not know the difference. A program says its whole state each time; what it does not mention any more is shown as null,
//! since a client merges what it is told into what it knows.
//!
//! - An agent is known here exactly as long as the roster has it among those present.
//! - Its messages go out in a session of the server's own, so every echo of them is known for one.
//! - Agents are at most half of a room's people: they do not crowd out those who came to work.

use std::collections::HashMap;
use std::time::Instant;

use bytes::Bytes;

use super::audience::Audience;
use super::voice::{NULL, Voice};
use crate::id::{ConnectionId, PeerId};
use crate::wire::payload::{self, Payload, Presence};

/// Why an agent is not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotShown {
    #[error("as many are present in this room as it can list")]
    Full,
    #[error("the state takes {bytes} bytes, {limit} are allowed")]
    TooLarge { bytes: usize, limit: usize },
    #[error("the state has {channels} members, {limit} are allowed")]
    TooManyChannels { channels: usize, limit: usize },
    #[error("the state is nested too deeply")]
    TooDeep,
}

/// The agents present in one room.
#[derive(Debug, Default)]
pub struct Agents(HashMap<PeerId, Agent>);

#[derive(Debug)]
struct Agent {
    voice: Voice,
    /// What it shows or has shown.
    channels: Vec<String>,
}

impl Agents {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn forget(&mut self, peer: &PeerId) {
        self.0.remove(peer);
    }
}

impl Audience {
    /// Shows the state of an agent to everybody, and to those who come. Values are CBOR. Returns whether it has just come.
    pub fn show_agent(&mut self, now: Instant, agent: &PeerId, state: &[(String, Vec<u8>)]) -> Result<bool, NotShown> {
        let limits = self.roster.limits();
        let (most_channels, most_bytes, most_agents) = (limits.channels, limits.state_bytes, limits.people / 2);
        let (channels, bytes) = (state.len(), bytes_of(state));
        if channels > most_channels {
            let limit = most_channels;
            return Err(NotShown::TooManyChannels { channels, limit });
        }
        if bytes > most_bytes {
            let limit = most_bytes;
            return Err(NotShown::TooLarge { bytes, limit });
        }
        let is_new = !self.agents.0.contains_key(agent);
        if is_new && (self.agents.0.len() >= most_agents.max(1) || !self.roster.has_room_for(agent)) {
            return Err(NotShown::Full);
        }
        let mut told: Vec<(&str, &[u8])> = state.iter().map(|(name, value)| (&**name, &**value)).collect();
        let known = self
            .agents
            .0
            .get(agent)
            .map_or_else(Vec::new, |known| known.channels.clone());
        let is_gone = |name: &&String| state.iter().all(|(shown, _)| shown != *name);
        told.extend(known.iter().filter(is_gone).map(|name| (name.as_str(), NULL)));
        let with_gone: usize = told.iter().map(|(name, value)| name.len() + value.len()).sum();
        let mut snapshot = snapshot_of(&told)?;
        if told.len() > most_channels || with_gone > most_bytes {
            // Too much has been shown in between: it comes anew.
            told.truncate(channels);
            snapshot = snapshot_of(&told)?;
            self.dismiss_agent(now, agent);
        }
        let channels = told.iter().map(|(name, _)| (*name).to_owned()).collect();
        let known = self.agents.0.entry(agent.clone()).or_insert_with(|| Agent {
            voice: Voice::new(&self.sessions),
            channels: Vec::new(),
        });
        known.channels = channels;
        self.speak_for_agent(now, agent, snapshot);
        Ok(is_new)
    }

    /// Says goodbye for an agent. Returns whether it was here.
    pub fn dismiss_agent(&mut self, now: Instant, agent: &PeerId) -> bool {
        if !self.agents.0.contains_key(agent) {
            return false;
        }
        self.speak_for_agent(now, agent, payload::goodbye());
        self.agents.forget(agent);
        true
    }

    /// Says something in the name of an agent that is known, to everybody.
    fn speak_for_agent(&mut self, now: Instant, agent: &PeerId, data: Bytes) {
        if let Some(known) = self.agents.0.get_mut(agent) {
            let ephemeral = known.voice.says(&self.document, agent, data);
            self.hear(now, ephemeral, ConnectionId::SERVER);
        }
    }
}

fn bytes_of(state: &[(String, Vec<u8>)]) -> usize {
    state.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// The payload, if those who receive it can read it.
fn snapshot_of(state: &[(&str, &[u8])]) -> Result<Bytes, NotShown> {
    let snapshot = payload::snapshot(state.iter().copied());
    match Payload::decode(&snapshot) {
        Payload::Presence(Presence::Snapshot { .. }) => Ok(snapshot),
        _ => Err(NotShown::TooDeep),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::id::DocumentId;
    use crate::room::audience::AudienceLimits;
    use crate::room::inbox::{Inbox, Mark};
    use crate::sync::bindings::Bindings;
    use crate::sync::lane::Lane;
    use crate::wire::json;

    struct Scene {
        audience: Audience,
        inbox: Arc<Inbox>,
        now: Instant,
    }

    /// A room with Ada in it.
    fn scene(limits: AudienceLimits) -> Scene {
        let sessions = Arc::new(Bindings::new(Default::default(), "test").own_sessions());
        let document = DocumentId::from_uuid(uuid::Uuid::from_u128(1));
        let mut audience = Audience::new(document, &limits, sessions);
        let inbox = Inbox::new(ConnectionId(1), Lane::new(Default::default()));
        audience.enter(PeerId::parse("ada").unwrap(), Mark::new(inbox.clone(), 7));
        let now = Instant::now();
        Scene { audience, inbox, now }
    }

    impl Scene {
        fn show(&mut self, session: &str, state: Value) -> Result<bool, NotShown> {
            let channels = state.as_object().unwrap().iter();
            let channels: Vec<_> = channels
                .map(|(name, value)| (name.clone(), json::to_cbor(value)))
                .collect();
            self.audience
                .show_agent(self.now, &PeerId::of_agent(session).unwrap(), &channels)
        }

        /// What Ada is told: who says what; null is a goodbye.
        fn told(&mut self) -> Vec<(String, Value)> {
            let mut told = Vec::new();
            while let Some((7, ephemeral)) = self.inbox.take_from_lane(Lane::pop) {
                let state = match Payload::decode(&ephemeral.data) {
                    Payload::Presence(Presence::Snapshot { state }) => state
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), json::to_json(value, &mut 100).unwrap()))
                        .collect::<serde_json::Map<_, _>>()
                        .into(),
                    _ => Value::Null,
                };
                told.push((ephemeral.sender.to_string(), state));
            }
            told
        }
    }

    #[test]
    fn an_agent_is_shown_as_a_person_is_and_leaves_with_a_goodbye() {
        let mut scene = scene(AudienceLimits::default());
        assert_eq!(scene.show("7", json!({ "user": "Bot", "cursor": 1 })), Ok(true));
        assert_eq!(scene.show("7", json!({ "user": "Bot" })), Ok(false));
        // The older one was superseded before Ada's socket took it.
        assert_eq!(
            scene.told(),
            [("agent:7".into(), json!({ "user": "Bot", "cursor": null }))]
        );
        assert!(!scene.audience.is_empty());
        assert!(scene.audience.dismiss_agent(scene.now, &PeerId::of_agent("7").unwrap()));
        assert_eq!(scene.told(), [("agent:7".into(), Value::Null)]);
        assert!(scene.audience.people(scene.now).is_empty());
        assert!(!scene.audience.dismiss_agent(scene.now, &PeerId::of_agent("7").unwrap()));
    }

    #[test]
    fn an_agent_not_heard_of_is_gone_and_may_come_again() {
        let mut scene = scene(AudienceLimits::default());
        scene.show("7", json!({ "user": "Bot", "cursor": 1 })).unwrap();
        scene.told();
        scene.now += Duration::from_secs(44);
        scene.audience.expire(scene.now);
        assert_eq!(scene.told(), []);
        scene.now += Duration::from_secs(1);
        scene.audience.expire(scene.now);
        assert_eq!(scene.told(), [("agent:7".into(), Value::Null)]);
        assert!(scene.audience.agents.is_empty());
        assert_eq!(scene.show("7", json!({ "user": "Bot" })), Ok(true));
        assert_eq!(scene.told(), [("agent:7".into(), json!({ "user": "Bot" }))]);
    }

    #[test]
    fn what_agents_show_is_bounded() {
        let mut scene = scene(AudienceLimits {
            people: 4,
            state_bytes: 100,
            ..AudienceLimits::default()
        });
        let large = scene.show("1", json!({ "user": "x".repeat(100) }));
        assert!(matches!(large, Err(NotShown::TooLarge { limit: 100, .. })));
        let many: serde_json::Map<_, _> = (0..65).map(|n| (n.to_string(), json!(0))).collect();
        assert!(matches!(
            scene.show("1", many.into()),
            Err(NotShown::TooManyChannels { .. })
        ));
        let deep = (0..70).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(scene.show("1", json!({ "d": deep })), Err(NotShown::TooDeep));
        assert_eq!(
            (scene.show("1", json!({})), scene.show("2", json!({}))),
            (Ok(true), Ok(true))
        );
        assert_eq!(scene.show("3", json!({})), Err(NotShown::Full));
        // Another channel each time: what was shown before is forgotten, the bound holds.
        for n in 0..200 {
            assert_eq!(scene.show("2", json!({ (format!("channel {n}")): n })), Ok(false));
        }
        assert_eq!(scene.audience.people(scene.now).len(), 2);
    }
}
