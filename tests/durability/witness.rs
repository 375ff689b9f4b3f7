//! A peer that keeps every byte it is sent.
//!
//! The crate's own client says what it believes; here what matters is what crossed the wire, so frames are kept as
//! they came and read for anything that gives a change away.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use automerge::sync::{BloomFilter, ChunkList, Have, Message as SyncMessage, MessageVersion, State, SyncDoc};
use automerge::transaction::Transactable;
use automerge::{Automerge, ChangeHash, ROOT, ReadDoc};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use roundtable::id::{DocumentId, PeerId, StorageId};
use roundtable::store::memory::MemoryEngine;
use roundtable::wire::repo::{Message, PROTOCOL_VERSION, PeerMetadata};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::local::noise;
use crate::process::LONG;

/// One document as this peer knows it.
pub struct Replica {
    pub document: Automerge,
    sync: State,
    /// All heads that the server ever showed.
    told: HashSet<ChangeHash>,
    /// Changes made here.
    own: HashSet<ChangeHash>,
    /// The heads the server showed last.
    pub server_heads: Vec<ChangeHash>,
}

impl Replica {
    fn new(document: Automerge, own: HashSet<ChangeHash>) -> Self {
        Self {
            document,
            sync: State::new(),
            told: HashSet::new(),
            own,
            server_heads: Vec::new(),
        }
    }

    pub fn knows(&self, change: &ChangeHash) -> bool {
        self.document.get_change_meta_by_hash(change).is_some()
    }

    /// The server said that it takes nothing from here.
    pub fn is_deaf(&self) -> bool {
        self.sync.peer_read_only
    }

    /// Everything the server ever gave away: changes that came from it, and all at or below the heads it named.
    pub fn shown(&self) -> HashSet<ChangeHash> {
        let heads: Vec<_> = self.told.iter().filter(|head| self.knows(head)).copied().collect();
        let above: HashSet<_> = self
            .document
            .get_changes_meta(&heads)
            .iter()
            .map(|change| change.hash)
            .collect();
        let mut shown = self.told.clone();
        shown.extend(
            self.document
                .get_changes_meta(&[])
                .iter()
                .map(|change| change.hash)
                .filter(|hash| !self.own.contains(hash) || !above.contains(hash)),
        );
        shown
    }
}

/// A peer of the sync door that keeps all frames.
pub struct Witness {
    pub socket: WebSocketStream<TcpStream>,
    peer: PeerId,
    server: PeerId,
    pub server_storage: Option<StorageId>,
    pub replicas: HashMap<DocumentId, Replica>,
    /// Every binary frame, as it came.
    pub frames: Vec<Bytes>,
    /// Documents that were called unavailable, each time.
    pub unavailable: Vec<String>,
    /// Set when the server closed the socket.
    pub closed: Option<u16>,
    trips: u32,
}

/// A WebSocket at the sync door that has said nothing yet. `receive_buffer` is what the kernel holds for it, in bytes.
pub async fn connect(address: SocketAddr, receive_buffer: Option<u32>) -> WebSocketStream<TcpStream> {
    let socket = TcpSocket::new_v4().expect("a socket");
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes).expect("a size");
    }
    let stream = socket.connect(address).await.expect("the server accepts");
    stream.set_nodelay(true).expect("an option");
    let url = format!("ws://{address}/sync");
    let config = tokio_tungstenite::tungstenite::protocol::WebSocketConfig::default()
        .max_message_size(Some(256 << 20))
        .max_frame_size(Some(256 << 20));
    let upgraded = tokio_tungstenite::client_async_with_config(url, stream, Some(config));
    upgraded.await.expect("the server upgrades").0
}

impl Witness {
    pub async fn join(address: SocketAddr, name: &str) -> Self {
        Self::join_over(connect(address, None).await, name, None).await
    }

    /// A peer whose storage outlives it, so that others may follow what it has.
    pub async fn join_storing(address: SocketAddr, name: &str, storage: &str) -> Self {
        let storage = StorageId::parse(storage).expect("a storage id");
        Self::join_over(connect(address, None).await, name, Some(storage)).await
    }

    pub async fn join_over(socket: WebSocketStream<TcpStream>, name: &str, storage: Option<StorageId>) -> Self {
        let peer = PeerId::parse(name).expect("a peer id");
        let mut witness = Self {
            socket,
            server: peer.clone(),
            server_storage: None,
            peer: peer.clone(),
            replicas: HashMap::new(),
            frames: Vec::new(),
            unavailable: Vec::new(),
            closed: None,
            trips: 0,
        };
        let join = Message::Join {
            sender: peer,
            metadata: PeerMetadata {
                is_ephemeral: storage.is_none(),
                storage_id: storage,
            },
            versions: vec![PROTOCOL_VERSION.into()],
        };
        witness.send(&join).await;
        witness
            .until("welcomed", |witness| witness.server != witness.peer)
            .await;
        witness
    }

    pub async fn send(&mut self, message: &Message) {
        let sent = self.socket.send(Frame::Binary(message.encode())).await;
        if let Err(error) = sent {
            panic!("{}: the socket broke: {error}", self.peer);
        }
    }

    /// Asks for a document.
    pub async fn open(&mut self, id: &DocumentId) {
        self.bring(id, Automerge::new(), HashSet::new()).await;
    }

    /// Brings a document from an earlier connection, with the changes that were made here.
    pub async fn bring(&mut self, id: &DocumentId, document: Automerge, own: HashSet<ChangeHash>) {
        self.replicas.insert(id.clone(), Replica::new(document, own));
        self.speak(id).await;
    }

    /// The document of a peer that goes, for [`Witness::bring`].
    pub fn pack(mut self, id: &DocumentId) -> (Automerge, HashSet<ChangeHash>) {
        let replica = self.replicas.remove(id).expect("it was opened");
        (replica.document, replica.own)
    }

    /// Says what the library has to say about a document, if anything.
    pub async fn speak(&mut self, id: &DocumentId) {
        if let Some(message) = self.next_message(id) {
            self.send(&message).await;
        }
    }

    pub fn next_message(&mut self, id: &DocumentId) -> Option<Message> {
        let (sender, target) = (self.peer.clone(), Some(self.server.clone()));
        let replica = self.replicas.get_mut(id).expect("it was opened");
        let data = replica.document.generate_sync_message(&mut replica.sync)?.encode();
        let (document, data) = (id.as_str().to_owned(), data.into());
        let is_new = replica.document.get_heads().is_empty() && replica.server_heads.is_empty();
        Some(match is_new {
            true => Message::Request {
                sender,
                target,
                document,
                data,
            },
            false => Message::Sync {
                sender,
                target,
                document,
                data,
            },
        })
    }

    /// Sets a key of the document and sends the change.
    pub async fn edit(&mut self, id: &DocumentId, key: &str, value: &str) -> ChangeHash {
        let hash = self.edit_quietly(id, key, value);
        self.speak(id).await;
        hash
    }

    /// Sets a key of the document.
    pub fn edit_quietly(&mut self, id: &DocumentId, key: &str, value: &str) -> ChangeHash {
        let replica = self.replicas.get_mut(id).expect("it was opened");
        let done = replica.document.transact(|tx| tx.put(ROOT, key, value)).expect("a put");
        let hash = done.hash.expect("a change");
        replica.own.insert(hash);
        hash
    }

    pub fn replica(&self, id: &DocumentId) -> &Replica {
        &self.replicas[id]
    }

    /// Reads one frame and answers it as a client does. False once the socket is closed.
    pub async fn step(&mut self) -> bool {
        let received = timeout(LONG, self.socket.next()).await;
        let received = received.unwrap_or_else(|_| panic!("{}: nothing came for {LONG:?}", self.peer));
        match received {
            Some(Ok(Frame::Binary(frame))) => {
                self.frames.push(frame.clone());
                self.take(Message::decode(&frame).expect("the server sends what decodes"))
                    .await;
            }
            Some(Ok(Frame::Close(frame))) => {
                self.closed = Some(frame.map_or(1005, |frame| frame.code.into()));
                return false;
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => {
                self.closed.get_or_insert(1006);
                return false;
            }
        }
        true
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Peer { sender, metadata, .. } => {
                self.server = sender;
                self.server_storage = metadata.storage_id;
            }
            Message::Sync { document, data, .. } | Message::Request { document, data, .. } => {
                let id = DocumentId::parse(&document).expect("a document id");
                let Some(replica) = self.replicas.get_mut(&id) else {
                    return;
                };
                let message = SyncMessage::decode(&data).expect("the server sends what decodes");
                replica.server_heads.clone_from(&message.heads);
                replica.told.extend(&message.heads);
                replica
                    .told
                    .extend(message.have.iter().flat_map(|have| &have.last_sync));
                let Replica { document, sync, .. } = replica;
                document
                    .receive_sync_message(sync, message)
                    .expect("the server sends what can be applied");
                self.speak(&id).await;
            }
            Message::DocUnavailable { document, .. } => self.unavailable.push(document),
            _ => {}
        }
    }

    /// Reads until a look finds what is waited for.
    pub async fn until(&mut self, what: &str, look: impl Fn(&Self) -> bool) {
        let peer = self.peer.clone();
        let waiting = async {
            while !look(self) {
                assert!(self.step().await, "{peer}: closed with {:?} before {what}", self.closed);
            }
        };
        timeout(LONG, waiting)
            .await
            .unwrap_or_else(|_| panic!("{peer}: never {what}"));
    }

    /// Reads until everything the server has shown of the document is here.
    pub async fn complete(&mut self, id: &DocumentId) {
        self.until("complete", |witness| {
            let replica = witness.replica(id);
            !replica.server_heads.is_empty() && replica.server_heads.iter().all(|head| replica.knows(head))
        })
        .await;
    }

    /// Reads until the server has acknowledged everything that is here.
    pub async fn saved(&mut self, id: &DocumentId) {
        self.until("saved", |witness| {
            let replica = witness.replica(id);
            let heads = replica.document.get_heads();
            let shown = replica.shown();
            heads.iter().all(|head| shown.contains(head))
        })
        .await;
    }

    /// Reads until the server closes the socket; the code.
    pub async fn close_code(&mut self) -> u16 {
        while self.step().await {}
        self.closed.expect("closed")
    }

    /// Makes changes of so many bytes and sends each in a message of its own, without waiting for any answer.
    pub async fn flood(&mut self, id: &DocumentId, changes: usize, bytes: usize) -> Vec<ChangeHash> {
        let mut made = Vec::new();
        for _ in 0..changes {
            let replica = self.replicas.get_mut(id).expect("it was opened");
            let value = noise(rand::random(), bytes);
            let done = replica
                .document
                .transact(|tx| tx.put(ROOT, "flood", value))
                .expect("a put");
            let hash = done.hash.expect("a change");
            replica.own.insert(hash);
            let change = replica.document.get_change_by_hash(&hash).expect("just made");
            let flood = Message::Sync {
                sender: self.peer.clone(),
                target: Some(self.server.clone()),
                document: id.as_str().to_owned(),
                data: carrying(&change, replica.document.get_heads(), replica.server_heads.clone()),
            };
            self.send(&flood).await;
            made.push(hash);
        }
        made
    }

    /// Like [`Witness::close_code`], but nothing of what comes before is looked at: the server does not wait for long.
    pub async fn close_code_unread(&mut self) -> u16 {
        while let Some(Ok(frame)) = self.socket.next().await {
            if let Frame::Close(Some(frame)) = frame {
                return frame.code.into();
            }
        }
        1006
    }

    /// Asks to be told what this storage has.
    pub async fn follow(&mut self, storage: &str) {
        let subscribe = Message::RemoteSubscriptionChange {
            sender: self.peer.clone(),
            target: Some(self.server.clone()),
            add: vec![StorageId::parse(storage).expect("a storage id")],
            remove: Vec::new(),
        };
        self.send(&subscribe).await;
    }

    /// Whether the server passed on that some other disk has this change as a head.
    pub fn was_told_that_a_disk_has(&self, change: &ChangeHash) -> bool {
        self.frames.iter().any(|frame| {
            let Ok(Message::RemoteHeadsChanged { heads, .. }) = Message::decode(frame) else {
                return false;
            };
            heads.iter().any(|(_, told)| told.heads.contains(change))
        })
    }

    /// Asks for something nobody has and reads until it is called unavailable: whatever the server had to say before is
    /// here by then.
    pub async fn round_trip(&mut self) {
        let before = self.unavailable.len();
        self.trips += 1;
        let request = Message::Request {
            sender: self.peer.clone(),
            target: Some(self.server.clone()),
            document: format!("no-document-{}", self.trips),
            data: SyncMessage::encode(
                Automerge::new()
                    .generate_sync_message(&mut State::new())
                    .expect("a message"),
            )
            .into(),
        };
        self.send(&request).await;
        self.until("answered", |witness| witness.unavailable.len() > before)
            .await;
    }

    /// Goes on talking until the disk holds a sync.
    pub async fn until_held(&mut self, engine: &MemoryEngine) {
        let engine = engine.clone();
        let holding = tokio::task::spawn_blocking(move || engine.wait_for_held_sync());
        let talking = async {
            while !holding.is_finished() {
                self.round_trip().await;
            }
        };
        timeout(LONG, talking).await.expect("the disk never held a sync");
    }

    /// Whether a change was given away: by itself, by its hash in any spelling, or by the text it wrote. Its author may be
    /// asked for it, which says no more than that it is not there.
    pub fn was_shown(&self, id: &DocumentId, change: &ChangeHash, text: &str) -> bool {
        let replica = &self.replicas[id];
        if replica.own.contains(change) {
            return replica.shown().contains(change) || self.was_told_that_a_disk_has(change);
        }
        replica.knows(change) || self.frames.iter().any(|frame| gives_away(frame, change, text))
    }
}

/// Whether bytes hold the hash of a change, raw, in hexadecimal or as automerge-repo spells heads, or the text it wrote.
pub fn gives_away(bytes: &[u8], change: &ChangeHash, text: &str) -> bool {
    let hex = change.to_string();
    let base58 = bs58::encode(change.0).with_check().into_string();
    [&change.0[..], hex.as_bytes(), base58.as_bytes(), text.as_bytes()]
        .iter()
        .any(|needle| bytes.windows(needle.len()).any(|window| window == *needle))
}

/// A sync message that carries just this change, as one who knows what the server has sends it.
fn carrying(change: &automerge::Change, heads: Vec<ChangeHash>, last_sync: Vec<ChangeHash>) -> Bytes {
    SyncMessage {
        heads,
        need: Vec::new(),
        have: vec![Have {
            last_sync,
            bloom: BloomFilter::default(),
        }],
        changes: ChunkList::from(vec![change.raw_bytes().to_vec()]),
        flags: None,
        version: MessageVersion::V1,
    }
    .encode()
    .into()
}
