//! Messages bent on their way, and told in short.

use automerge::ChangeHash;
use automerge::sync::{BloomFilter, Message};

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

/// The same message with a Bloom filter that claims to hold these as well: what a false positive does, ordered.
///
/// A real one is wrong about the same change as long as the filter holds the same, so these stay wrong as well.
pub fn with_false_positives(data: &[u8], everything: &[ChangeHash], unlucky: &[ChangeHash]) -> Option<Vec<u8>> {
    let mut message = Message::decode(data).ok()?;
    let have = message.have.first_mut()?;
    let mut claimed: Vec<&ChangeHash> = everything
        .iter()
        .filter(|hash| have.bloom.contains_hash(hash))
        .collect();
    claimed.extend(unlucky);
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
