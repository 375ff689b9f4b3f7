//! A client as automerge-repo's JavaScript makes it: the real library, one sync state per connection and document.
//!
//! It answers each message at once, sends its own edits a little later (JavaScript waits 100 ms), and begins every connection
//! with a state that knows at most the heads that were shared before.

use std::collections::HashSet;

use automerge::sync::{Message, State, SyncDoc};
use automerge::transaction::{Transactable, Transaction};
use automerge::{ActorId, Automerge, AutomergeError, Change, ChangeHash, ObjId, ObjType, ROOT, ReadDoc, Value};
use rand::Rng;
use rand::rngs::SmallRng;
use roundtable::id::ConnectionId;

/// Operations of a change that the gate of the simulated server does not take any more.
pub const REFUSED_OPS: usize = 80;

/// One message on its way up.
pub struct Up {
    pub data: Vec<u8>,
    /// The client has nothing of the document and asks whether the server has.
    pub is_request: bool,
}

/// What a browser profile keeps on disk. The document and the sync state are saved at different moments.
#[derive(Default, Clone)]
struct Saved {
    document: Vec<u8>,
    state: Vec<u8>,
}

pub struct Client {
    pub document: Automerge,
    pub state: State,
    pub connection: Option<ConnectionId>,
    /// When it connects again, while it has no connection.
    pub returns_at: u64,
    /// When edits made since the last message are sent.
    pub sends_at: Option<u64>,
    /// Whether the shared heads outlive a connection.
    keeps_state: bool,
    saved: Saved,
}

/// A new actor, from the one source of chance.
pub fn actor(rng: &mut SmallRng) -> ActorId {
    ActorId::from(rng.random::<[u8; 16]>())
}

impl Client {
    pub fn new(document: Automerge, keeps_state: bool) -> Self {
        Self {
            document,
            state: State::new(),
            connection: None,
            returns_at: 0,
            sends_at: None,
            keeps_state,
            saved: Saved::default(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.document.get_heads().is_empty()
    }

    /// A new connection: says hello.
    pub fn connect(&mut self, connection: ConnectionId) -> Option<Up> {
        self.connection = Some(connection);
        self.sends_at = None;
        self.state = match self.keeps_state {
            true => State::decode(&self.state.encode()).expect("it was encoded just now"),
            false => State::new(),
        };
        let is_request = self.is_empty() && self.state.shared_heads.is_empty();
        let up = self.generate()?;
        Some(Up { is_request, ..up })
    }

    pub fn generate(&mut self) -> Option<Up> {
        let data = self.document.generate_sync_message(&mut self.state)?.encode();
        Some(Up {
            data,
            is_request: false,
        })
    }

    pub fn receive(&mut self, data: &[u8]) -> Result<(), AutomergeError> {
        let message = Message::decode(data).expect("the server sends what decodes");
        self.document.receive_sync_message(&mut self.state, message)
    }

    pub fn has(&self, hash: &ChangeHash) -> bool {
        self.document.get_change_meta_by_hash(hash).is_some()
    }

    pub fn save_document(&mut self) {
        self.saved.document = self.document.save();
    }

    pub fn save_state(&mut self) {
        self.saved.state = self.state.encode();
    }

    /// The page is loaded again: back to what was saved, under a new actor. False if nothing was saved.
    pub fn reload(&mut self, rng: &mut SmallRng) -> bool {
        if self.saved.document.is_empty() || self.saved.state.is_empty() {
            return false;
        }
        let document = Automerge::load(&self.saved.document).expect("it was saved by us");
        self.document = document.with_actor(actor(rng));
        self.state = State::decode(&self.saved.state).expect("it was encoded by us");
        true
    }

    /// A new page without anything.
    pub fn start_over(&mut self, rng: &mut SmallRng) {
        *self = Self {
            returns_at: self.returns_at,
            ..Self::new(Automerge::new().with_actor(actor(rng)), self.keeps_state)
        };
    }

    fn change(&mut self, edit: impl FnOnce(&mut Transaction<'_>) -> Result<(), AutomergeError>) -> Option<ChangeHash> {
        let done = self.document.transact(edit);
        done.expect("the edits of the simulation fit its documents").hash
    }

    /// Makes the table that everybody works on.
    pub fn create(&mut self) {
        self.change(|tx| {
            tx.put(ROOT, "type", "table")?;
            tx.put(ROOT, "schemaVersion", 1)?;
            for map in ["columns", "blocks", "views"] {
                tx.put_object(ROOT, map, ObjType::Map)?;
            }
            tx.put_object(ROOT, "notes", ObjType::Text)?;
            Ok(())
        });
        let (blocks, columns) = (
            self.object(&ROOT, "blocks").unwrap(),
            self.object(&ROOT, "columns").unwrap(),
        );
        self.change(|tx| {
            for column in ["cA", "cB", "cC"] {
                let column = tx.put_object(&columns, column, ObjType::Map)?;
                tx.put(&column, "kind", "number")?;
            }
            let block = tx.put_object(&blocks, "b0", ObjType::Map)?;
            for row in 0..3 {
                let row = tx.put_object(&block, format!("b0.{row}"), ObjType::Map)?;
                tx.put(&row, "order", "a0")?;
            }
            Ok(())
        });
    }

    /// One change a person would make; none if the client has no table yet.
    pub fn edit(&mut self, rng: &mut SmallRng) -> Option<ChangeHash> {
        let block = self
            .object(&ROOT, "blocks")
            .and_then(|blocks| self.object(&blocks, "b0"))?;
        match rng.random_range(0..10) {
            0..6 => {
                let rows: Vec<String> = self.document.keys(&block).collect();
                let row = self.object(&block, &rows[rng.random_range(0..rows.len())])?;
                let column = ["cA", "cB", "cC"][rng.random_range(0..3)];
                let value = rng.random_range(0..1000i64);
                self.change(|tx| tx.put(&row, column, value))
            }
            6 => {
                let row = format!("b0.{:08x}", rng.random::<u32>());
                self.change(|tx| {
                    let row = tx.put_object(&block, row, ObjType::Map)?;
                    tx.put(&row, "order", "a1")
                })
            }
            7 => {
                // Long enough that the writer's own frame comes without it.
                let long: String = (0..4500).map(|_| rng.random_range('a'..='z')).collect();
                let long = if rng.random_bool(0.15) {
                    long
                } else {
                    long[..10].to_owned()
                };
                self.change(|tx| tx.put(ROOT, "title", long))
            }
            _ => {
                let notes = self.object(&ROOT, "notes")?;
                let length = self.document.length(&notes);
                let at = rng.random_range(0..=length);
                let cut = rng.random_range(0..=(length - at).min(2));
                self.change(|tx| tx.splice_text(&notes, at, cut as isize, "word "))
            }
        }
    }

    /// A change with more operations than the server takes.
    pub fn make_refused_change(&mut self) -> Option<ChangeHash> {
        self.object(&ROOT, "blocks")?;
        self.change(|tx| (0..=REFUSED_OPS).try_for_each(|n| tx.put(ROOT, "huge", n as i64)))
    }

    /// A change whose checksum does not fit.
    pub fn torn_change(&self) -> Option<Vec<u8>> {
        let hash = *self.document.get_heads().first()?;
        let mut bytes = self.document.get_change_by_hash(&hash)?.raw_bytes().to_vec();
        bytes[4] ^= 1;
        Some(bytes)
    }

    /// A change with the actor and number of one that the server has, which no honest library makes.
    pub fn forge_duplicate(&self, durable: &HashSet<ChangeHash>, rng: &mut SmallRng) -> Option<Change> {
        let mut all = self.document.get_changes_meta(&[]);
        all.retain(|change| durable.contains(&change.hash));
        if all.is_empty() {
            return None;
        }
        let victim = &all[rng.random_range(0..all.len())];
        let (actor, seq) = (victim.actor.clone().into_owned(), victim.seq);
        let before = self.document.get_change_by_hash(&victim.hash)?.deps().to_vec();
        let mut forger = self.document.fork_at(&before).ok()?.with_actor(actor);
        forger
            .transact::<_, _, AutomergeError>(|tx| tx.put(ROOT, "forged", rng.random::<u32>() as i64))
            .ok()?;
        let change = forger.get_last_local_change()?;
        (change.seq() == seq && change.hash() != victim.hash).then_some(change)
    }

    fn object(&self, parent: &ObjId, key: &str) -> Option<ObjId> {
        match self.document.get(parent, key) {
            Ok(Some((Value::Object(_), id))) => Some(id),
            _ => None,
        }
    }
}
