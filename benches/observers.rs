//! What one announced change costs for each observer that is caught up, without the socket: the mark, the pull of the
//! shared bytes, the envelope, and the acknowledgement that comes back.
//!
//! At most one microsecond each, however many there are, whether they may write or only look.

mod support {
    pub mod desk;
    pub mod table;
    pub mod time;
}

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use automerge::Automerge;
use automerge::sync::{Message as SyncMessage, State, SyncDoc};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use roundtable::id::{ConnectionId, DocumentId, PeerId};
use roundtable::room::Room;
use roundtable::room::inbox::{Inbox, Mark};
use roundtable::sync::conversation::{Conversation, Heard, Hearing};
use roundtable::sync::gate::{self, GateLimits};
use roundtable::sync::lane::{self, Lane};
use roundtable::wire::repo::{Found, Message, sync_frame};
use support::desk::{Desk, Stored, message_with};
use support::table::Sample;
use support::time::Started;

/// The allocator of the server.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Changes announced to one audience before it is made anew.
const CHANGES_PER_AUDIENCE: usize = 1_000;

/// What a connection holds of one document.
struct Observer {
    connection: ConnectionId,
    peer: PeerId,
    inbox: Arc<Inbox>,
    mark: Arc<Mark>,
    conversation: Conversation,
    by_document: HashMap<DocumentId, u32>,
}

impl Observer {
    /// Enters the room and catches up, `theirs` being what its peer has already.
    fn enter(desk: &Desk, number: u64, hearing: Hearing, theirs: &mut Automerge) -> Self {
        let connection = ConnectionId(100 + number);
        let peer = PeerId::parse(&format!("peer-{number}-6b8a1f")).expect("a short name");
        let inbox = Inbox::new(connection, Lane::new(lane::Limits::default()));
        let mark = Mark::new(inbox.clone(), 0);
        let entered = desk.rooms.enter(desk.room.id(), &peer, &mark, Instant::now());
        entered.expect("the room is open");
        let mut observer = Self {
            connection,
            peer,
            inbox,
            mark,
            conversation: Conversation::default(),
            by_document: HashMap::from([(desk.room.id().clone(), 0)]),
        };
        if hearing == Hearing::Deaf {
            observer.conversation.turn_deaf(Hearing::Deaf);
        }
        observer.catch_up(&desk.room, theirs);
        observer
    }

    fn catch_up(&mut self, room: &Arc<Room>, theirs: &mut Automerge) {
        let mut state = State::new();
        while self.conversation.cursor().is_none() {
            if let Some(message) = theirs.generate_sync_message(&mut state) {
                self.conversation.hear(message, true, |hash| room.knows(hash));
            }
            if let Some(work) = self.conversation.begin() {
                let done = room.catch_up(work).map_err(|_| "asleep").unwrap();
                self.conversation.finish(done);
            }
            while let Some(answer) = room.pull(&mut self.conversation, self.connection) {
                let answer = SyncMessage::decode(&answer).expect("made by the library");
                let taken = theirs.receive_sync_message(&mut state, answer);
                taken.expect("an answer that is well formed");
            }
        }
        self.inbox.take();
        self.mark.clear();
    }

    /// Looks, as a connection that woke up does. Returns the frame for the socket.
    fn look(&mut self, room: &Arc<Room>, server: &PeerId) -> Option<Bytes> {
        let arrived = self.inbox.take();
        assert_eq!(arrived.marked.len(), 1);
        self.mark.clear();
        let data = room.pull(&mut self.conversation, self.connection)?;
        let frame = sync_frame(server, &self.peer, room.id(), &data);
        assert!(room.pull(&mut self.conversation, self.connection).is_none());
        Some(frame)
    }

    /// Takes a frame from the socket, which is an acknowledgement.
    fn hear(&mut self, room: &Arc<Room>, frame: Bytes, limits: &GateLimits) {
        let found = Found::find(&frame).expect("the frame is well formed");
        assert!(found.ephemeral().is_none());
        let Ok(Message::Sync {
            sender, document, data, ..
        }) = found.message()
        else {
            panic!("the frame is a sync message");
        };
        assert!(sender == self.peer && self.by_document.contains_key(document.as_str()));
        let opened = gate::open(&data, limits).expect("the message is well formed");
        let heard = self.conversation.hear(opened.message, true, |hash| room.knows(hash));
        assert_eq!(heard, Heard::Acknowledged);
    }
}

/// A room full of observers, and what their peers have.
struct Audience {
    desk: Desk,
    observers: Vec<Observer>,
    theirs: Automerge,
    /// The sync state of their peers: they all saw the same.
    state: State,
    server: PeerId,
    messages: std::vec::IntoIter<Vec<u8>>,
}

impl Audience {
    fn new(stored: &Stored, sample: &Automerge, messages: Vec<Vec<u8>>, size: u64, hearing: Hearing) -> Self {
        let desk = stored.open();
        let mut theirs = sample.clone();
        let observers = (0..size).map(|number| Observer::enter(&desk, number, hearing, &mut theirs));
        let observers = observers.collect();
        let state = State {
            shared_heads: theirs.get_heads(),
            ..State::new()
        };
        Self {
            desk,
            observers,
            theirs,
            state,
            server: PeerId::parse("roundtable-6f1cc0bd-7d65-4b4e-a5d5-0d7b7f1f2f0a").expect("a short name"),
            messages: messages.into_iter(),
        }
    }

    /// Announces one change. Returns the time of all that was done for the observers; none if no change is left.
    fn announce(&mut self, limits: &GateLimits) -> Option<Duration> {
        let Self { desk, observers, .. } = self;
        assert!(desk.take(&self.messages.next()?).took_all());
        desk.flush();
        // The flush has marked everybody. It is taken back, so that marking is measured without writing and syncing.
        for observer in observers.iter() {
            observer.inbox.take();
            observer.mark.clear();
        }
        let started = Started::now();
        desk.room.audience().mark_all();
        let mut frames = Vec::with_capacity(observers.len());
        for observer in observers.iter_mut() {
            frames.push(observer.look(&desk.room, &self.server).expect("there is a change"));
        }
        let mut spent = started.elapsed();
        let answers = self.acknowledgements(&frames[0]);
        let (desk, observers) = (&self.desk, &mut self.observers);
        let started = Started::now();
        for (observer, answer) in observers.iter_mut().zip(answers) {
            observer.hear(&desk.room, black_box(answer), limits);
        }
        spent += started.elapsed();
        Some(spent)
    }

    /// What the peers answer: the library's own words, in each peer's envelope.
    fn acknowledgements(&mut self, frame: &Bytes) -> Vec<Bytes> {
        let Ok(Message::Sync { data, .. }) = Message::decode(frame) else {
            panic!("made just now");
        };
        let message = SyncMessage::decode(&data).expect("the shared bytes are a message");
        assert_eq!(message.changes.len(), 1);
        let taken = self.theirs.receive_sync_message(&mut self.state, message);
        taken.expect("a frame that is well formed");
        let answer = self.theirs.generate_sync_message(&mut self.state);
        let answer = answer.expect("an acknowledgement").encode();
        let document = self.desk.room.id();
        let envelope = |observer: &Observer| sync_frame(&observer.peer, &self.server, document, &answer);
        self.observers.iter().map(envelope).collect()
    }
}

fn observers(criterion: &mut Criterion) {
    let mut sample = Sample::of_rows(1_000);
    sample.grow_to(1_000, 10);
    let stored = Stored::new(&sample.document);
    let before = sample.document.clone();
    let edits = (0..CHANGES_PER_AUDIENCE).map(|_| message_with(&sample.edit_a_cell()));
    let messages: Vec<_> = edits.collect();
    let limits = GateLimits::default();
    let mut group = criterion.benchmark_group("one change, per observer");
    group
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2));
    for (name, hearing) in [("writers", Hearing::Open), ("deaf viewers", Hearing::Deaf)] {
        for size in [10, 100, 1_000] {
            let make = || Audience::new(&stored, &before, messages.clone(), size, hearing);
            let mut audience = make();
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter_custom(|times| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..times {
                        spent += loop {
                            match audience.announce(&limits) {
                                Some(spent) => break spent,
                                None => audience = make(),
                            }
                        };
                    }
                    // Of all observers together: what is reported is the share of one.
                    spent / size as u32
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, observers);
criterion_main!(benches);
