//! What an ephemeral carries, as far as the server understands it: the messages of automerge-repo's `Presence` class
//! (`{"__presence": {...}}`) and the older awareness hooks (`[userId, state]`).
//!
//! It exists for the roster: who is here, with what state, and who has left. The server never changes a payload and
//! never refuses one: what it does not understand is [`Payload::Opaque`] and is relayed as it is. Values stay CBOR
//! slices, so that a snapshot made for a newcomer says byte for byte what the author said.

use super::cbor::Raw;
use bytes::Bytes;
use minicbor::Encoder;

const MARKER: &str = "__presence";

/// One ephemeral payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload<'b> {
    Presence(Presence<'b>),
    /// `[userId, state]`, repeated every 15 s.
    Awareness {
        user: Raw<'b>,
        state: Raw<'b>,
    },
    Opaque,
}

/// A message of the `Presence` class. A state is a map of channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence<'b> {
    /// All channels at once; sent at the start and whenever a new peer is seen. Channels whose name is not UTF-8 are
    /// left out.
    Snapshot {
        state: Vec<(&'b str, Raw<'b>)>,
    },
    Update {
        channel: &'b str,
        value: Raw<'b>,
    },
    /// Sent after 15 s without another message.
    Heartbeat,
    /// Sent when a component unmounts, not when a tab closes.
    Goodbye,
}

impl<'b> Payload<'b> {
    /// Recognises a payload. Extra keys beside the known ones are tolerated: releases differ in them.
    pub fn decode(data: &'b [u8]) -> Self {
        let Ok(item) = Raw::parse(data) else {
            return Self::Opaque;
        };
        if let Some(presence) = item.get(MARKER).and_then(Presence::read) {
            return Self::Presence(presence);
        }
        let pair = item.items().map(|items| items.take(3).collect::<Vec<_>>());
        match pair.as_deref() {
            Some(&[user, state]) if user.text_bytes().is_some() => Self::Awareness { user, state },
            _ => Self::Opaque,
        }
    }
}

impl<'b> Presence<'b> {
    fn read(message: Raw<'b>) -> Option<Self> {
        match message.get("type")?.text()? {
            "snapshot" => {
                let channels = message.get("state").and_then(Raw::entries).into_iter().flatten();
                let named = channels.filter_map(|(name, value)| Some((name.text()?, value)));
                Some(Self::Snapshot { state: named.collect() })
            }
            "update" => Some(Self::Update {
                channel: message.get("channel")?.text()?,
                // A channel set to undefined may lack the key.
                value: message.get("value").unwrap_or(Raw::UNDEFINED),
            }),
            "heartbeat" => Some(Self::Heartbeat),
            "goodbye" => Some(Self::Goodbye),
            _ => None,
        }
    }
}

/// The payload that makes a client forget the sender at once.
pub fn goodbye() -> Bytes {
    payload(|out| out.map(1)?.str("type")?.str("goodbye")?.ok())
}

/// The payload that tells a client the whole state of the sender. Each value must be one CBOR item.
pub fn snapshot<'v>(channels: impl ExactSizeIterator<Item = (&'v str, &'v [u8])>) -> Bytes {
    payload(|out| {
        out.map(2)?.str("type")?.str("snapshot")?;
        out.str("state")?.map(channels.len() as u64)?;
        for (name, value) in channels {
            out.str(name)?.writer_mut().extend_from_slice(value);
        }
        Ok(())
    })
}

/// The payload that tells a client one channel of the sender. The value must be one CBOR item.
pub fn update(channel: &str, value: &[u8]) -> Bytes {
    payload(|out| {
        out.map(3)?.str("type")?.str("update")?;
        out.str("channel")?.str(channel)?;
        out.str("value")?.writer_mut().extend_from_slice(value);
        Ok(())
    })
}

/// The payload that tells a client that the sender is still there.
pub fn heartbeat() -> Bytes {
    payload(|out| out.map(1)?.str("type")?.str("heartbeat")?.ok())
}

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn payload(write: impl FnOnce(&mut Encoder<Vec<u8>>) -> Written) -> Bytes {
    let mut out = Encoder::new(Vec::with_capacity(64));
    let started = out.map(1).and_then(|out| out.str(MARKER)).map(|_| ());
    started
        .and_then(|()| write(&mut out))
        .expect("writing into memory cannot fail");
    out.into_writer().into()
}
