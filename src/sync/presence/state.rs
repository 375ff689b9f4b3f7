//! The state one person shows, by channel, in the bytes they sent it in; bounded.

use crate::wire::cbor::Raw;
use crate::wire::{json, payload};
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// A merged state. A value that does not fit is not kept, and neither is the older value of its channel, which would be
/// wrong; the author's next snapshot tells everybody who missed it.
#[derive(Debug, Default)]
pub(super) struct State {
    channels: Vec<(Box<str>, Box<[u8]>)>,
    /// Of names and values.
    bytes: usize,
}

impl State {
    /// Sets one channel. Values are copied: a slice would keep the whole frame it came in.
    pub fn set(&mut self, name: &str, value: Raw<'_>, max_channels: usize, max_bytes: usize) {
        let value = value.encoded();
        let place = self.channels.iter().position(|(channel, _)| **channel == *name);
        let freed = place.map_or(0, |place| name.len() + self.channels[place].1.len());
        self.bytes -= freed;
        let fits = self.bytes + name.len() + value.len() <= max_bytes;
        match (place, fits) {
            (Some(place), true) => self.channels[place].1 = value.into(),
            (Some(place), false) => drop(self.channels.remove(place)),
            (None, true) if self.channels.len() < max_channels => self.channels.push((name.into(), value.into())),
            (None, _) => return,
        }
        if fits {
            self.bytes += name.len() + value.len();
        }
    }

    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let known = self.channels.iter().find(|(channel, _)| **channel == *name);
        known.map(|(_, value)| &**value)
    }

    /// The payload that tells all of it to a client.
    pub fn snapshot(&self) -> Bytes {
        payload::snapshot(self.channels.iter().map(|(name, value)| (&**name, &**value)))
    }

    /// At most `left` values, which is counted down.
    pub fn to_json(&self, left: &mut usize) -> Value {
        let channels = self.channels.iter().map(|(name, value)| {
            let name = String::from(name.clone());
            (name, readable(value, left))
        });
        channels.collect::<Map<_, _>>().into()
    }
}

/// An item in JSON, or why there is none.
pub(super) fn readable(item: &[u8], left: &mut usize) -> Value {
    let read = Raw::parse(item).map_err(|error| error.to_string());
    read.and_then(|item| json::to_json(item, left).map_err(|error| error.to_string()))
        .unwrap_or_else(|error| json!({ "$unreadable": error }))
}
