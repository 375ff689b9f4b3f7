//! Edits: each is made in the order it came, and answered once it is on disk.

use std::sync::Arc;
use std::time::Instant;

use super::super::Server;
use super::super::rest::{Code, Problem, off_runtime};
use super::answers::Answer;
use super::door::{Done, LiveDoor};
use super::offline::Waited;
use crate::document::table::{CHANGE_CELLS, Stamp};
use crate::id::DocumentId;
use crate::key::BadKey;
use crate::room::live::{Accepted, Granted, Hand, NotDone, NotTaken, Why, Wish, need};
use crate::room::{Room, Seen, Writer};
use crate::sync::log::Heads;
use crate::wire::live::change::{Ask, BatchChanges, RecordChange};
use crate::wire::live::{Rejected, text};
use crate::wire::version;

/// How often a document that falls asleep again is tried.
const TRIES: usize = 5;

/// What an edit has come to, before it is on disk.
pub(super) enum Edited {
    /// One change, alone.
    One(Result<Made, Rejected>),
    /// Those that had waited.
    Offline(Waited),
}

/// Changes of one table that were granted, or not: to be told once it is on disk.
pub(super) struct Made {
    pub room: Arc<Room>,
    pub table: DocumentId,
    pub seen: Seen,
    /// The version with all of them in it.
    pub heads: Heads,
    pub ids: Vec<String>,
    pub results: Vec<Result<Accepted, NotTaken>>,
}

/// Who edits, for a job.
pub(super) struct Editor {
    /// Of the message that came.
    bytes: usize,
    writer: Writer,
    stamp: Stamp,
    shown: Option<Heads>,
}

impl LiveDoor {
    pub(super) fn record(&mut self, change: RecordChange) {
        self.edit(Ask::Record(change));
    }

    pub(super) fn batch(&mut self, batch: BatchChanges) {
        self.edit(Ask::Batch(batch));
    }

    fn edit(&mut self, ask: Ask) {
        let (change_id, table_id) = (ask.change_id().to_owned(), ask.table_id().to_owned());
        if ask.cells() > CHANGE_CELLS {
            let why = format!("a change has at most {CHANGE_CELLS} cells, not {}", ask.cells());
            return self.reject(change_id, Some(table_id), "too-large", why, None);
        }
        let wish = match Wish::new(ask) {
            Ok(wish) => wish,
            Err(bad) => return self.reject_key(change_id, Some(table_id), &bad),
        };
        let (server, editor) = (self.server.clone(), self.editor(&table_id));
        self.queue.edits(Some(&table_id));
        self.job(async move {
            let made = server.grant_one(&table_id, editor, wish).await;
            let made = made.map_err(|problem| rejected(change_id, Some(table_id), &problem));
            Done::Edited(Box::new(Edited::One(made)))
        });
    }

    pub(super) fn editor(&self, table: &str) -> Editor {
        let writer = self.writer();
        let subscription = self.subscribed(table).and_then(|key| self.subscriptions.get(&key));
        Editor {
            bytes: self.frame_bytes,
            stamp: Stamp {
                at: writer.author.time as i64,
                by: self
                    .session
                    .as_ref()
                    .map_or_else(String::new, |session| session.name.clone()),
            },
            shown: subscription.map(|subscription| subscription.sent.heads.clone()),
            writer,
        }
    }

    /// An edit is made: it is told once it is on disk.
    pub(super) fn edited(&mut self, edited: Edited) {
        let server = self.server.clone();
        match edited {
            Edited::One(Err(rejected)) => self.tell("change_rejected", &rejected),
            Edited::One(Ok(made)) => {
                self.unconfirmed += 1;
                self.job(async move { Done::Answer(made.told(&server).await) });
            }
            Edited::Offline(waited) => {
                self.unconfirmed += 1;
                self.job(async move { Done::Answer(waited.told(&server).await) });
            }
        }
    }

    pub(super) fn reject(
        &mut self,
        change: String,
        table: Option<String>,
        code: &'static str,
        why: String,
        field: Option<String>,
    ) {
        self.tell("change_rejected", &rejection(change, table, code, why, field));
    }

    fn reject_key(&mut self, change: String, table: Option<String>, bad: &BadKey) {
        self.tell("change_rejected", &bad_key(change, table, bad));
    }
}

impl Server {
    async fn grant_one(self: &Arc<Self>, address: &str, editor: Editor, wish: Wish) -> Result<Made, Problem> {
        let table = self.table_id(address).await?;
        self.grant(&table, editor, Arc::new(vec![wish])).await
    }

    /// Has wishes about one table granted, each once.
    pub(super) async fn grant(
        self: &Arc<Self>,
        table: &DocumentId,
        editor: Editor,
        wishes: Arc<Vec<Wish>>,
    ) -> Result<Made, Problem> {
        let ids = wishes.iter().map(|wish| wish.ask().change_id().to_owned()).collect();
        let editor = Arc::new(editor);
        for _ in 0..TRIES {
            // A deleted table answers for itself what was done before.
            let room = match self.find(table).await {
                Err(problem) if problem.code == Code::Deleted => self.room_awake(table).await?,
                found => found?,
            };
            let place = self.reserve(need(&wishes, editor.bytes)).await?;
            let (granting, wishes, editor) = (room.clone(), wishes.clone(), editor.clone());
            let granted: Result<Granted, NotDone> = off_runtime(move || {
                let hand = Hand {
                    writer: &editor.writer,
                    stamp: &editor.stamp,
                    shown: editor.shown.clone(),
                    now: Instant::now(),
                };
                granting.grant(place, &hand, &wishes, &mut rand::rng())
            })
            .await?;
            match granted {
                Ok(granted) => {
                    return Ok(Made {
                        seen: granted.seen(),
                        heads: granted.heads,
                        room,
                        table: table.clone(),
                        ids,
                        results: granted.value,
                    });
                }
                Err(NotDone::NotAwake) => {}
                Err(NotDone::Failed(why)) => return Err(Problem::new(Code::Failed, why)),
            }
        }
        Err(Problem::new(Code::Busy, "the table was unloaded meanwhile; try again"))
    }
}

impl Made {
    /// The answers, once all of it is on disk.
    async fn told(self, server: &Server) -> Answer {
        let table = self.table.to_string();
        let saved = server.confirmed(&self.room, self.seen).await;
        let told = self.ids.iter().zip(&self.results).map(|(id, result)| {
            let result = match (&saved, result) {
                (Ok(true), Ok(accepted)) => return accepted_told(id, &table, accepted),
                (Ok(true), Err(not)) => not_taken(id.clone(), &table, not),
                (Ok(false), _) => not_saved(id.clone(), &table),
                (Err(problem), _) => rejected(id.clone(), Some(table.clone()), problem),
            };
            text("change_rejected", &result)
        });
        let frames = told.map(Into::into).collect();
        let names_a_version = matches!(saved, Ok(true)) && self.results.iter().any(Result::is_ok);
        let behind = names_a_version.then_some((self.table, self.seen)).into_iter().collect();
        Answer { behind, frames }
    }
}

fn accepted_told(id: &str, table: &str, accepted: &Accepted) -> String {
    let record = accepted.record.as_ref().map(ToString::to_string);
    let told = crate::wire::live::Accepted {
        change_id: id,
        table_id: table,
        record_id: record.as_deref(),
        version: &version::of(&accepted.version),
        durable: true,
        merged: accepted.merged,
        replayed: accepted.replayed,
        outcomes: (!accepted.outcomes.is_empty()).then_some(&accepted.outcomes[..]),
    };
    text("change_accepted", &told)
}

pub(super) fn not_taken(id: String, table: &str, not: &NotTaken) -> Rejected {
    let code = match &not.why {
        Why::Refused => "refused",
        Why::NotFound => "not-found",
        Why::NotATable => "not-a-table",
        Why::UnknownVersion => "unknown-version",
        Why::VersionChanged => "version-changed",
        Why::TooLarge => "too-large",
        Why::Later => "busy",
        Why::Deleted(_) => "deleted",
        Why::Key(refusal) => key_code(*refusal),
        Why::Failed => "failed",
    };
    let field = (!not.mistake.field.is_empty()).then(|| not.mistake.field.clone());
    rejection(id, Some(table.to_owned()), code, not.mistake.detail.clone(), field)
}

fn key_code(refusal: crate::room::KeyRefusal) -> &'static str {
    use crate::room::KeyRefusal;
    match refusal {
        KeyRefusal::Reused => "key-reused",
        KeyRefusal::Expired => "key-expired",
        KeyRefusal::Ahead => "bad-key",
    }
}

pub(super) fn not_saved(id: String, table: &str) -> Rejected {
    let why = "the change could not be written to the disk and was taken back";
    rejection(id, Some(table.to_owned()), "not-saved", why.into(), None)
}

pub(super) fn bad_key(change: String, table: Option<String>, bad: &BadKey) -> Rejected {
    rejection(change, table, "bad-key", bad.to_string(), Some("/changeId".into()))
}

pub(super) fn rejected(change: String, table: Option<String>, problem: &Problem) -> Rejected {
    rejection(
        change,
        table,
        problem.code.name(),
        problem.detail.clone(),
        problem.field.clone(),
    )
}

pub(super) fn rejection(
    change_id: String,
    table_id: Option<String>,
    code: &'static str,
    message: String,
    field: Option<String>,
) -> Rejected {
    Rejected {
        change_id: change_id.chars().take(crate::key::MAX_KEY).collect(),
        table_id,
        code,
        message,
        field,
    }
}
