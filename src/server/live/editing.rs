//! Edits: each is made in the order it came, and answered once it is on disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::ws::Utf8Bytes;

use super::super::Server;
use super::super::rest::{Code, Problem, off_runtime};
use super::door::{Done, LiveDoor};
use crate::document::table::{CHANGE_CELLS, Stamp};
use crate::id::DocumentId;
use crate::key::BadKey;
use crate::room::live::edits::{Granted, Hand, NotDone};
use crate::room::live::{Accepted, NotTaken, Why, Wish};
use crate::room::{Room, Seen, Writer};
use crate::store::{MAX_ANSWER, Need};
use crate::sync::log::Heads;
use crate::wire::live::change::{Ask, BatchChanges, Malformed, RecordChange};
use crate::wire::live::{OfflineDone, Rejected, text};
use crate::wire::version;

/// What a change of a few cells may take on disk beside twice its frame, in bytes.
const EDIT_BYTES: usize = 64 << 10;

/// How often a document that falls asleep again is tried.
const TRIES: usize = 5;

/// What an edit has come to, before it is on disk.
pub(super) enum Edited {
    /// One change, alone.
    One(Result<Made, Rejected>),
    /// Those that had waited, by table.
    Offline { made: Vec<Made>, rejected: Vec<Rejected> },
}

/// Changes of one table that were granted, or not: to be told once it is on disk.
pub(super) struct Made {
    room: Arc<Room>,
    table: DocumentId,
    seen: Seen,
    ids: Vec<String>,
    results: Vec<Result<Accepted, NotTaken>>,
}

/// Who edits, for a job.
struct Editor {
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
        self.busy = true;
        self.job(async move {
            let made = server.grant(&table_id, editor, vec![wish]).await;
            let made = made.map_err(|problem| rejected(change_id, Some(table_id), &problem));
            Done::Edited(Box::new(Edited::One(made)))
        });
    }

    pub(super) fn offline(&mut self, changes: Vec<Result<RecordChange, Malformed>>) {
        let most = self.server.config.live.offline_changes;
        if changes.len() > most {
            let why = format!("at most {most} changes are sent at once, not {}", changes.len());
            return self.tell_error("too-large", why, "sync_offline_changes", None);
        }
        let (mut rejected_at_once, mut by_table) = (Vec::new(), Vec::<(String, Vec<Wish>)>::new());
        for change in changes {
            let change = match change {
                Ok(change) => change,
                Err(Malformed { change_id, why }) => {
                    let message = why.to_string();
                    let field = why.field();
                    rejected_at_once.push(rejection(change_id, None, "bad-message", message, field));
                    continue;
                }
            };
            let (change_id, table_id) = (change.change_id.clone(), change.table_id.clone());
            if change.cells() > CHANGE_CELLS {
                let why = format!("a change has at most {CHANGE_CELLS} cells, not {}", change.cells());
                rejected_at_once.push(rejection(change_id, Some(table_id), "too-large", why, None));
                continue;
            }
            match Wish::new(Ask::Record(change)) {
                Err(bad) => rejected_at_once.push(bad_key(change_id, Some(table_id), &bad)),
                Ok(wish) => match by_table.iter_mut().find(|(table, _)| *table == table_id) {
                    Some((_, wishes)) => wishes.push(wish),
                    None => by_table.push((table_id, vec![wish])),
                },
            }
        }
        let server = self.server.clone();
        let by_table: Vec<_> = by_table
            .into_iter()
            .map(|(table, wishes)| (self.editor(&table), table, wishes))
            .collect();
        self.busy = true;
        self.job(async move {
            let (mut made, mut rejected) = (Vec::new(), rejected_at_once);
            for (editor, table, wishes) in by_table {
                let ids: Vec<String> = wishes.iter().map(|wish| wish.ask().change_id().to_owned()).collect();
                match server.grant(&table, editor, wishes).await {
                    Ok(granted) => made.push(granted),
                    Err(problem) => {
                        rejected.extend(
                            ids.into_iter()
                                .map(|id| self::rejected(id, Some(table.clone()), &problem)),
                        );
                    }
                }
            }
            Done::Edited(Box::new(Edited::Offline { made, rejected }))
        });
    }

    fn editor(&self, table: &str) -> Editor {
        let writer = self.writer();
        let subscription = self.subscribed(table).and_then(|key| self.subscriptions.get(&key));
        Editor {
            stamp: Stamp {
                at: writer.author.time as i64,
                by: self
                    .session
                    .as_ref()
                    .map_or_else(String::new, |session| session.name.clone()),
            },
            shown: subscription.map(|subscription| subscription.reached.heads.clone()),
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
            Edited::Offline { made, rejected } => {
                self.unconfirmed += 1;
                self.job(async move { Done::Answer(vec![offline_told(&server, made, rejected).await]) });
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
    /// Has wishes about one table granted, each once.
    async fn grant(self: &Arc<Self>, address: &str, editor: Editor, wishes: Vec<Wish>) -> Result<Made, Problem> {
        let table = self.table_id(address).await?;
        let ids = wishes.iter().map(|wish| wish.ask().change_id().to_owned()).collect();
        let cells: usize = wishes.iter().map(|wish| wish.ask().cells()).sum();
        let changes = wishes.len().max(1);
        let bytes =
            EDIT_BYTES + 2 * self.config.live.message_bytes.min(cells * 1024 + (64 << 10)) + changes * MAX_ANSWER;
        let wishes = Arc::new(wishes);
        let editor = Arc::new(editor);
        for _ in 0..TRIES {
            // A deleted table answers for itself what was done before.
            let room = match self.find(&table).await {
                Err(problem) if problem.code == Code::Deleted => self.room_awake(&table).await?,
                found => found?,
            };
            let place = self.reserve(Need { changes, bytes }).await?;
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
                        room,
                        table,
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
    async fn told(self, server: &Server) -> Vec<Utf8Bytes> {
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
        told.map(Into::into).collect()
    }
}

async fn offline_told(server: &Server, made: Vec<Made>, mut rejected_all: Vec<Rejected>) -> Utf8Bytes {
    let (mut applied, mut merged, mut versions) = (Vec::new(), Vec::new(), BTreeMap::new());
    for made in made {
        let table = made.table.to_string();
        let saved = server.confirmed(&made.room, made.seen).await;
        for (id, result) in made.ids.into_iter().zip(made.results) {
            match (&saved, result) {
                (Ok(true), Ok(accepted)) => {
                    versions.insert(table.clone(), version::of(&accepted.version));
                    match accepted.merged {
                        true => merged.push(id),
                        false => applied.push(id),
                    }
                }
                (Ok(true), Err(not)) => rejected_all.push(not_taken(id, &table, &not)),
                (Ok(false), _) => rejected_all.push(not_saved(id, &table)),
                (Err(problem), _) => rejected_all.push(rejected(id, Some(table.clone()), problem)),
            }
        }
    }
    let done = OfflineDone {
        applied: &applied,
        merged: &merged,
        rejected: &rejected_all,
        versions: &versions,
        durable: true,
    };
    text("offline_sync_complete", &done).into()
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

fn not_taken(id: String, table: &str, not: &NotTaken) -> Rejected {
    let code = match &not.why {
        Why::Refused => "refused",
        Why::NotATable => "not-a-table",
        Why::UnknownVersion => "unknown-version",
        Why::VersionChanged => "version-changed",
        Why::TooLarge => "too-large",
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

fn not_saved(id: String, table: &str) -> Rejected {
    let why = "the change could not be written to the disk and was taken back";
    rejection(id, Some(table.to_owned()), "not-saved", why.into(), None)
}

fn bad_key(change: String, table: Option<String>, bad: &BadKey) -> Rejected {
    rejection(change, table, "bad-key", bad.to_string(), Some("/changeId".into()))
}

fn rejected(change: String, table: Option<String>, problem: &Problem) -> Rejected {
    rejection(
        change,
        table,
        problem.code.name(),
        problem.detail.clone(),
        problem.field.clone(),
    )
}

fn rejection(
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
