//! From a [`Message`] to a frame, in the forms every known client reads.
//!
//! Short maps and definite lengths throughout (the JavaScript decoder fails on strings of indefinite length); a whole
//! number beyond 32 bits goes out as float64, as JavaScript would write it, since its decoder makes a BigInt of a uint64.

use super::*;
use crate::id::DocumentId;
use minicbor::Encoder;
use std::convert::Infallible;

type Out = Encoder<Vec<u8>>;
type Written = Result<(), minicbor::encode::Error<Infallible>>;

/// What the keys, heads and type of the longest message take beside its texts and data, in bytes.
const OVERHEAD: usize = 112;

/// A `sync` frame, written straight into one buffer.
///
/// # Panics
/// If `data` is empty: JavaScript peers throw on it. An encoded sync message never is.
pub fn sync_frame(sender: &PeerId, target: &PeerId, document: &DocumentId, data: &[u8]) -> Bytes {
    let texts = sender.as_str().len() + target.as_str().len() + document.as_str().len();
    written(texts + data.len(), |out| {
        document_message(out, "sync", sender, Some(target), document.as_str(), data)
    })
}

/// An `ephemeral` frame for its next hop; everything else stays as the author wrote it.
///
/// # Panics
/// If the data is empty, which [`Message::decode`] does not let in.
pub fn ephemeral_frame(ephemeral: &Ephemeral, target: &PeerId) -> Bytes {
    let texts = ephemeral.sender.as_str().len() + target.as_str().len() + ephemeral.document.len();
    written(texts + ephemeral.session.len() + ephemeral.data.len(), |out| {
        write_ephemeral(out, ephemeral, Some(target))
    })
}

impl Message {
    /// The frame of this message.
    ///
    /// # Panics
    /// If a data field is empty.
    pub fn encode(&self) -> Bytes {
        let data = match self {
            Self::Request { data, .. } | Self::Sync { data, .. } => data.len(),
            Self::Ephemeral(ephemeral) => ephemeral.data.len(),
            _ => 0,
        };
        written(128 + data, |out| self.write(out))
    }

    fn write(&self, out: &mut Out) -> Written {
        match self {
            Self::Join {
                sender,
                metadata,
                versions,
            } => {
                start(out, 4, self.kind(), sender)?;
                write_metadata(out, metadata)?;
                out.str("supportedProtocolVersions")?.array(versions.len() as u64)?;
                for version in versions {
                    out.str(version)?;
                }
                Ok(())
            }
            Self::Peer {
                sender,
                target,
                metadata,
                version,
            } => {
                start_to(out, 4, self.kind(), sender, target.as_ref())?;
                write_metadata(out, metadata)?;
                out.str("selectedProtocolVersion")?.str(version)?.ok()
            }
            Self::Error {
                sender,
                target,
                message,
            } => {
                start_to(out, 3, self.kind(), sender, target.as_ref())?;
                out.str("message")?.str(message)?.ok()
            }
            Self::Leave { sender } => start(out, 2, self.kind(), sender),
            Self::Request {
                sender,
                target,
                document,
                data,
            }
            | Self::Sync {
                sender,
                target,
                document,
                data,
            } => document_message(out, self.kind(), sender, target.as_ref(), document, data),
            Self::DocUnavailable {
                sender,
                target,
                document,
            } => {
                start_to(out, 3, self.kind(), sender, target.as_ref())?;
                out.str("documentId")?.str(document)?.ok()
            }
            Self::Ephemeral(ephemeral) => write_ephemeral(out, ephemeral, ephemeral.target.as_ref()),
            Self::RemoteSubscriptionChange {
                sender,
                target,
                add,
                remove,
            } => {
                start_to(out, 4, self.kind(), sender, target.as_ref())?;
                write_storages(out, "add", add)?;
                write_storages(out, "remove", remove)
            }
            Self::RemoteHeadsChanged {
                sender,
                target,
                document,
                heads,
            } => {
                start_to(out, 4, self.kind(), sender, target.as_ref())?;
                out.str("documentId")?.str(document)?;
                write_remote_heads(out, heads)
            }
            // Nothing writes it but a test; a peer ignores it.
            Self::Unknown { kind } => out.map(1)?.str("type")?.str(kind)?.ok(),
        }
    }
}

fn written(expected: usize, write: impl FnOnce(&mut Out) -> Written) -> Bytes {
    let mut out = Encoder::new(Vec::with_capacity(OVERHEAD + expected));
    write(&mut out).expect("writing into memory cannot fail");
    out.into_writer().into()
}

fn start(out: &mut Out, fields: u64, kind: &str, sender: &PeerId) -> Written {
    out.map(fields)?
        .str("type")?
        .str(kind)?
        .str("senderId")?
        .str(sender.as_str())?
        .ok()
}

/// `fields` counts all but the target.
fn start_to(out: &mut Out, fields: u64, kind: &str, sender: &PeerId, target: Option<&PeerId>) -> Written {
    start(out, fields + u64::from(target.is_some()), kind, sender)?;
    match target {
        Some(target) => out.str("targetId")?.str(target.as_str())?.ok(),
        None => Ok(()),
    }
}

fn write_data(out: &mut Out, data: &[u8]) -> Written {
    assert!(!data.is_empty(), "a message with empty data must not be sent");
    out.str("data")?.bytes(data)?.ok()
}

fn document_message(
    out: &mut Out,
    kind: &str,
    sender: &PeerId,
    target: Option<&PeerId>,
    document: &str,
    data: &[u8],
) -> Written {
    start_to(out, 4, kind, sender, target)?;
    out.str("documentId")?.str(document)?;
    write_data(out, data)
}

fn write_ephemeral(out: &mut Out, ephemeral: &Ephemeral, target: Option<&PeerId>) -> Written {
    start_to(out, 6, "ephemeral", &ephemeral.sender, target)?;
    out.str("documentId")?.str(&ephemeral.document)?;
    out.str("sessionId")?.str(&ephemeral.session)?.str("count")?;
    match u32::try_from(ephemeral.count) {
        Ok(count) => out.u32(count)?,
        Err(_) => out.f64(ephemeral.count as f64)?,
    };
    write_data(out, &ephemeral.data)
}

fn write_metadata(out: &mut Out, metadata: &PeerMetadata) -> Written {
    out.str("peerMetadata")?
        .map(1 + u64::from(metadata.storage_id.is_some()))?;
    if let Some(id) = &metadata.storage_id {
        out.str("storageId")?.str(id.as_str())?;
    }
    out.str("isEphemeral")?.bool(metadata.is_ephemeral)?.ok()
}

fn write_storages(out: &mut Out, key: &str, ids: &[StorageId]) -> Written {
    out.str(key)?.array(ids.len() as u64)?;
    for id in ids {
        out.str(id.as_str())?;
    }
    Ok(())
}

fn write_remote_heads(out: &mut Out, entries: &[(StorageId, RemoteHeads)]) -> Written {
    out.str("newHeads")?.map(entries.len() as u64)?;
    for (storage, known) in entries {
        out.str(storage.as_str())?
            .map(2)?
            .str("heads")?
            .array(known.heads.len() as u64)?;
        for head in &known.heads {
            out.str(&bs58::encode(head).with_check().into_string())?;
        }
        out.str("timestamp")?.f64(known.timestamp)?;
    }
    Ok(())
}
