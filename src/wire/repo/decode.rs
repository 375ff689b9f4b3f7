//! From a frame to a [`Message`]: the fields are found first, whatever their order, and read once the type is known.
//!
//! So a field that does not belong to a type may hold anything, and an error can say which field of which type it is.

use super::*;
use crate::wire::cbor::Raw;

/// The fields any message can have; all others are passed over.
const FIELDS: [&str; 14] = [
    "type",
    "senderId",
    "targetId",
    "documentId",
    "data",
    "count",
    "sessionId",
    "peerMetadata",
    "supportedProtocolVersions",
    "selectedProtocolVersion",
    "message",
    "add",
    "remove",
    "newHeads",
];

impl Message {
    /// Reads one frame. Data fields are slices of it.
    pub fn decode(frame: &Bytes) -> Result<Self, FrameError> {
        Found::find(frame)?.message()
    }
}

/// A frame whose fields were found, and of which nothing was made yet.
pub struct Found<'b> {
    frame: &'b Bytes,
    fields: Fields<'b>,
}

/// What decides the fate of an ephemeral, read without building the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EphemeralPeek<'b> {
    pub sender: &'b str,
    pub session: &'b str,
}

impl<'b> Found<'b> {
    /// Walks the frame, once for whatever is asked of it.
    pub fn find(frame: &'b Bytes) -> Result<Self, FrameError> {
        let fields = Fields::find(frame)?;
        Ok(Self { frame, fields })
    }

    /// Whose ephemeral it is, if it is one. Each client echoes every ephemeral it receives, so most of them end here.
    pub fn ephemeral(&self) -> Option<EphemeralPeek<'b>> {
        (self.fields.raw("type")?.text() == Some("ephemeral")).then_some(())?;
        Some(EphemeralPeek {
            sender: self.fields.raw("senderId")?.text()?,
            session: self.fields.raw("sessionId")?.text()?,
        })
    }

    /// The message. Data fields are slices of the frame.
    pub fn message(self) -> Result<Message, FrameError> {
        let Self { frame, fields } = self;
        let Some(kind) = fields.kind()? else {
            let kind = fields.raw("type").and_then(Raw::text).unwrap_or_default();
            return Ok(Message::Unknown { kind: shortened(kind) });
        };
        let of = Typed { kind, fields };
        let sender = of.peer("senderId")?;
        let target = of.target();
        Ok(match kind {
            "join" => Message::Join {
                sender,
                metadata: of.metadata(),
                versions: of.versions(),
            },
            "peer" => Message::Peer {
                sender,
                target,
                metadata: of.metadata(),
                version: of.text("selectedProtocolVersion")?,
            },
            "error" => Message::Error {
                sender,
                target,
                message: of.text("message")?,
            },
            "leave" => Message::Leave { sender },
            "request" => Message::Request {
                sender,
                target,
                document: of.text("documentId")?,
                data: of.data(frame)?,
            },
            "sync" => Message::Sync {
                sender,
                target,
                document: of.text("documentId")?,
                data: of.data(frame)?,
            },
            "doc-unavailable" => Message::DocUnavailable {
                sender,
                target,
                document: of.text("documentId")?,
            },
            "ephemeral" => Message::Ephemeral(Ephemeral {
                sender,
                target,
                document: of.text("documentId")?,
                count: of.count()?,
                session: of.text("sessionId")?,
                data: of.data(frame)?,
            }),
            "remote-subscription-change" => Message::RemoteSubscriptionChange {
                sender,
                target,
                add: of.storages("add")?,
                remove: of.storages("remove")?,
            },
            _ => Message::RemoteHeadsChanged {
                sender,
                target,
                document: of.text("documentId")?,
                heads: of.remote_heads()?,
            },
        })
    }
}

/// The fields of a frame, as they lie in it.
struct Fields<'b>([Option<Raw<'b>>; FIELDS.len()]);

impl<'b> Fields<'b> {
    fn find(frame: &'b [u8]) -> Result<Self, FrameError> {
        let mut found = [None; FIELDS.len()];
        for (key, value) in Raw::parse(frame)?.entries().ok_or(FrameError::NotAMap)? {
            let name = key.text();
            if let Some(place) = name.and_then(|name| FIELDS.iter().position(|field| *field == name)) {
                found[place] = Some(value);
            }
        }
        Ok(Self(found))
    }

    /// A field that is there and neither null nor undefined.
    fn raw(&self, field: &str) -> Option<Raw<'b>> {
        let place = FIELDS.iter().position(|name| *name == field)?;
        self.0[place].filter(|value| !value.is_nothing())
    }

    /// The type, if it is one this server knows.
    fn kind(&self) -> Result<Option<&'static str>, FrameError> {
        let kind = self.raw("type").and_then(Raw::text).ok_or(FrameError::NoType)?;
        let known = [
            "join",
            "peer",
            "error",
            "leave",
            "request",
            "sync",
            "doc-unavailable",
            "ephemeral",
            "remote-subscription-change",
            "remote-heads-changed",
        ];
        Ok(known.into_iter().find(|name| *name == kind))
    }
}

/// The fields of a message whose type is known, so that an error can name both.
struct Typed<'b> {
    kind: &'static str,
    fields: Fields<'b>,
}

impl<'b> Typed<'b> {
    fn wrong(&self, field: &'static str, problem: Problem) -> FrameError {
        let kind = self.kind;
        FrameError::Field { kind, field, problem }
    }

    fn required(&self, field: &'static str) -> Result<Raw<'b>, FrameError> {
        self.fields
            .raw(field)
            .ok_or_else(|| self.wrong(field, Problem::Missing))
    }

    fn str(&self, field: &'static str) -> Result<&'b str, FrameError> {
        let text = self.required(field)?.text();
        text.ok_or_else(|| self.wrong(field, Problem::Not("text")))
    }

    fn text(&self, field: &'static str) -> Result<String, FrameError> {
        match self.str(field)? {
            text if text.len() > MAX_TEXT_BYTES => Err(self.wrong(field, Problem::TooLong(text.len()))),
            text => Ok(text.to_owned()),
        }
    }

    fn peer(&self, field: &'static str) -> Result<PeerId, FrameError> {
        PeerId::parse(self.str(field)?).map_err(|bad| self.wrong(field, Problem::Name(bad)))
    }

    /// Nobody acts on the target, so a message is not refused for it.
    fn target(&self) -> Option<PeerId> {
        PeerId::parse(self.fields.raw("targetId")?.text()?).ok()
    }

    fn data(&self, frame: &Bytes) -> Result<Bytes, FrameError> {
        match self.required("data")?.byte_string() {
            None => Err(self.wrong("data", Problem::Not("bytes"))),
            Some([]) => Err(self.wrong("data", Problem::Empty)),
            Some(data) => Ok(frame.slice_ref(data)),
        }
    }

    fn count(&self) -> Result<u64, FrameError> {
        let count = self.required("count")?.whole().filter(|count| *count <= MAX_COUNT);
        count.ok_or_else(|| self.wrong("count", Problem::Not("a whole number")))
    }

    fn metadata(&self) -> PeerMetadata {
        let within = |key| self.fields.raw("peerMetadata").and_then(|map| map.get(key));
        PeerMetadata {
            storage_id: within("storageId")
                .and_then(Raw::text)
                .and_then(|id| StorageId::parse(id).ok()),
            is_ephemeral: within("isEphemeral").and_then(Raw::boolean).unwrap_or_default(),
        }
    }

    fn versions(&self) -> Vec<String> {
        match self.fields.raw("supportedProtocolVersions").and_then(Raw::items) {
            None => vec![PROTOCOL_VERSION.to_owned()],
            Some(items) => items.filter_map(Raw::text).take(MAX_VERSIONS).map(shortened).collect(),
        }
    }

    fn storages(&self, field: &'static str) -> Result<Vec<StorageId>, FrameError> {
        let Some(raw) = self.fields.raw(field) else {
            return Ok(Vec::new());
        };
        let items = raw.items().ok_or_else(|| self.wrong(field, Problem::Not("an array")))?;
        let ids = items.filter_map(|item| StorageId::parse(item.text()?).ok());
        Ok(ids.take(MAX_STORAGES).collect())
    }

    /// Entries that cannot be read are left out: gossip is no reason to lose a connection.
    fn remote_heads(&self) -> Result<Vec<(StorageId, RemoteHeads)>, FrameError> {
        let entries = self.required("newHeads")?.entries();
        let entries = entries.ok_or_else(|| self.wrong("newHeads", Problem::Not("a map")))?;
        let readable = entries.filter_map(|(id, value)| {
            let storage = StorageId::parse(id.text()?).ok()?;
            let heads = value
                .get("heads")?
                .items()?
                .take(MAX_HEADS)
                .map(|head| parse_head(head.text()?));
            let timestamp = value.get("timestamp")?.float().filter(|time| time.is_finite())?;
            let heads = heads.collect::<Option<_>>()?;
            Some((storage, RemoteHeads { heads, timestamp }))
        });
        Ok(readable.take(MAX_STORAGES).collect())
    }
}

/// A head is base58check text of its 32 bytes; 1.x clients wrote it in hexadecimal. Its length is checked before it is
/// decoded, which is quadratic.
fn parse_head(text: &str) -> Option<ChangeHash> {
    match text.len() {
        64 => text.parse().ok(),
        1..=63 => {
            let bytes = bs58::decode(text).with_check(None).into_vec().ok()?;
            ChangeHash::try_from(bytes.as_slice()).ok()
        }
        _ => None,
    }
}

/// The start of a text that is only shown or compared, never answered.
fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}
