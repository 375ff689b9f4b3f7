//! Messages bent on their way, and told in short.

use automerge::ChangeHash;
use automerge::sync::{BloomFilter, Message};
use rand::Rng;
use rand::rngs::SmallRng;

use super::client::Client;
use super::oracle::Oracle;

pub fn some_of(mut hashes: Vec<ChangeHash>, rng: &mut SmallRng) -> Vec<ChangeHash> {
    let wanted = rng.random_range(1..4);
    while hashes.len() > wanted {
        hashes.swap_remove(rng.random_range(0..hashes.len()));
    }
    hashes
}

/// The same frame claiming to hold a change or two that only the client has: it will leave them out of its next message.
pub fn falsified(frame: &[u8], oracle: &Oracle, client: &Client, rng: &mut SmallRng) -> Vec<u8> {
    let durable = oracle.durable_set();
    let only_here = |hash: &ChangeHash| !durable.contains(hash) && client.has(hash);
    let extra = some_of(
        oracle.known().iter().filter(|hash| only_here(hash)).copied().collect(),
        rng,
    );
    with_false_positives(frame, oracle.known(), &extra).unwrap_or_else(|| frame.to_vec())
}

/// A message in short.
pub fn told(data: &[u8]) -> String {
    let message = Message::decode(data).expect("all messages decode");
    let short = |hashes: &[ChangeHash]| {
        hashes
            .iter()
            .map(|hash| hash.to_string()[..6].to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let have: Vec<String> = message.have.iter().map(|have| short(&have.last_sync)).collect();
    let changes = message
        .changes
        .iter()
        .map(|chunk| automerge::Change::try_from(chunk).map(|change| change.hash()));
    let changes: Vec<String> = changes
        .map(|hash| hash.map_or("?".into(), |hash| hash.to_string()[..6].to_owned()))
        .collect();
    format!(
        "heads [{}] need [{}] have {have:?} changes {changes:?} flags {:?}",
        short(&message.heads),
        short(&message.need),
        message.flags
    )
}

/// The same message with a Bloom filter that claims to hold more: what a false positive does, ordered.
pub fn with_false_positives(data: &[u8], everything: &[ChangeHash], extra: &[ChangeHash]) -> Option<Vec<u8>> {
    let mut message = Message::decode(data).ok()?;
    let have = message.have.first_mut()?;
    let mut claimed: Vec<&ChangeHash> = everything
        .iter()
        .filter(|hash| have.bloom.contains_hash(hash))
        .collect();
    claimed.extend(extra);
    have.bloom = BloomFilter::from_hashes(claimed.into_iter());
    Some(message.encode())
}

/// The same message with one more chunk among its changes.
pub fn with_chunk(data: &[u8], chunk: Vec<u8>) -> Option<Vec<u8>> {
    let mut message = Message::decode(data).ok()?;
    let mut chunks: Vec<Vec<u8>> = message.changes.iter().map(<[u8]>::to_vec).collect();
    chunks.push(chunk);
    message.changes = chunks.into();
    Some(message.encode())
}
