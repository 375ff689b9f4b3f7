//! Roundtable: a collaboration server for tables and documents.
//!
//! Every table or document is an Automerge CRDT, kept in sled, live in a room. Three doors lead to it: the sync door, for the
//! unmodified automerge-repo client; the live door, JSON for front ends without a CRDT; and REST. An edit through any of
//! them reaches everyone at the others.
//!
//! # The one idea
//!
//! **A room is a plain shared value. Connections are the only tasks, and they pull.** Every change goes through
//! [`Room::commit`](room::Room::commit): *gate, apply, append, (durable), announce*. A room keeps a short change log; a
//! connection that is caught up holds a cursor in it and pulls what became durable; the bytes for a range are made once
//! and shared by all who ask for it.
//!
//! ```text
//! socket A -bytes-> sync door -wire-> room.commit                     lock: slot
//!                                      1 gate    (well-formed, canonical, causally ready, allowed?)
//!                                      2 apply   (document)
//!                                      3 append  (log; queued for the committer)
//!                                     unlock
//!          committer: one batch, flush, fdatasync -> the durable mark moves -> inboxes are marked
//! connection B wakes -> room.pull(cursor) -> shared frame -> socket B    (A pulls its acknowledgement the same way)
//!
//! socket L -JSON-> live door -wire-> room.grant -> one change, as above
//!          the flush sets off one job -> what the change touched -> a step of each pane (a table, view or window)
//! connection M wakes -> pane.pull(position) -> shared frame -> socket M
//! ```
//!
//! # The floors
//!
//! Imports point down only. Floors 0 and 1 know no runtime, no disk and no clock: time and randomness come in as
//! arguments, results go out as values.
//!
//! | floor | module | what |
//! |---|---|---|
//! | 0 | [`id`], [`key`] | the names of things, and of writes |
//! | 1 | [`document`] | what a document means: the CRDT, JSON, the table, its views, what changes of it look like, the bases, CSV and XLSX |
//! | 1 | [`wire`] | bytes and JSON to messages and back |
//! | 1 | [`sync`] | the gate, conversations, the change log, presence |
//! | 2 | [`store`] | bytes on disk: the engine, the committer, snapshots |
//! | 3 | [`room`] | the live document and its audience |
//! | 4 | [`server`], [`client`] | sockets; the client stands on floors 0 and 1 alone |
//!
//! The command line (`src/main.rs`, `src/command`) starts a server or speaks HTTP to one, as any other program.
//!
//! # Invariants
//!
//! The aim; `tests/simulation` and `tests/durability` hold 1, 2 and 8 under failures, the others have tests of their parts.
//!
//! 1. *Durable before shown.* No frame and no HTTP response reveals a change that is not flushed and synced.
//! 2. *Absent is not failed.* A store error is never an empty document; a change that panics at load is set aside by hash,
//!    with what builds on it, and reported; the room opens without it.
//! 3. *Fresh author per load.* Each load of a document uses a new actor id.
//! 4. *No lock across await.* std locks only. Order: rooms, slot, log, notes, audience, inbox.
//! 5. *Everything is bounded.* A bound is a field of [`server::config::Config`]; `docs/operations.md` lists what has none yet.
//! 6. *Heavy work leaves the runtime and the document lock.*
//! 7. *A panic or a poisoned room costs one room*, never the server.
//! 8. *Document frames are never dropped or reordered on a live connection.*
//! 9. *Every change has an author the server vouches for*, stored in the same batch.
//! 10. *Untrusted bytes pass the gate first.*

#![forbid(unsafe_code)]

pub mod id;
pub mod key;

pub mod document;
pub mod sync;
pub mod wire;

pub mod store;

pub mod room;

pub mod client;
pub mod server;
