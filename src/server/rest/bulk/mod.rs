//! Bulk writes: more than one change takes, checked whole first, then committed in slices behind people.
//!
//! A bulk write is named by its idempotency key. What it has come to is recorded under the key in the batch of each slice,
//! so after a crash the same request with the same key goes on behind the last slice that is on disk: its slices are made
//! anew from the request, with ids drawn from the key, and those that are stored are passed over. Nothing of the request
//! itself is kept.
//!
//! - [`run`]: one slice after the other. [`progress`]: how far one is, for those who wait and those who ask.

pub(super) mod progress;
pub(super) mod routes;
mod run;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::OwnedSemaphorePermit;

use super::super::{Server, now_ms};
use super::answer::Answered;
use super::asked::Asked;
use super::desk::{PATIENCE, off_runtime};
use super::etag;
use super::problem::{Code, Problem};
use super::tombstones;
use crate::document::table::TableEdit;
use crate::id::DocumentId;
use crate::key::Key;
use crate::room::{Keyed, RecallError, Room, TableReading};
use crate::sync::log::Heads;
use progress::{Kept, Progress, Running, Start};

pub(in crate::server) use progress::Bulks;

/// One change of a bulk write.
pub(super) enum Slice {
    /// The table itself, of this title and without columns.
    Table {
        title: String,
    },
    Edits(Vec<TableEdit>),
}

/// What a bulk write is to do.
pub(super) struct Work {
    /// How many slices there are.
    pub slices: usize,
    /// How many cells they write.
    pub cells: usize,
    /// Each is made when its turn comes. The same request and the same randomness make the same.
    pub make: Box<dyn Iterator<Item = Slice> + Send>,
    /// What the answer says besides: rows and columns, for instance.
    pub about: Map<String, Value>,
}

/// How the answer is wanted: when all is done, or at once (RFC 7240).
fn at_once(asked: &Asked) -> bool {
    let wishes = asked.headers.get_all("prefer").iter();
    wishes
        .filter_map(|wish| wish.to_str().ok())
        .flat_map(|wish| wish.split(','))
        .any(|wish| wish.trim().eq_ignore_ascii_case("respond-async"))
}

/// The randomness of a bulk write, for the ids of what it makes.
fn randomness(document: &DocumentId, key: &Key) -> SmallRng {
    let mut seed = Sha256::new();
    seed.update(document.as_str());
    seed.update([0]);
    seed.update(key.as_str());
    SmallRng::from_seed(seed.finalize().into())
}

/// Whether a bulk write makes its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    New,
    Into,
}

/// What a bulk write is checked against.
enum Base {
    /// Nothing: it makes the document.
    New,
    Table(Arc<TableReading>, Heads),
}

/// Looks at all of a bulk write and says what is to be done.
type Check = Box<dyn FnOnce(&Base, SmallRng) -> Result<Work, Problem> + Send>;

impl Server {
    /// A bulk write that makes a table. See [`bulk_into`](Self::bulk_into).
    pub(super) async fn bulk_new(
        self: &Arc<Self>,
        document: DocumentId,
        asked: Asked,
        check: impl FnOnce(SmallRng) -> Result<Work, Problem> + Send + 'static,
    ) -> Result<Response, Problem> {
        let room = self.room_awake(&document).await?;
        let check = Box::new(|_: &Base, randomness| check(randomness));
        self.bulk(room, Wanted::New, asked, check).await
    }

    /// Begins a bulk write into a table, goes on with it, or finds it under way or done. `check` looks at all of it on one
    /// version of the table and says what is to be done; it runs off the runtime, and nothing is written if it refuses.
    pub(super) async fn bulk_into(
        self: &Arc<Self>,
        document: DocumentId,
        asked: Asked,
        check: impl FnOnce(&TableReading, SmallRng) -> Result<Work, Problem> + Send + 'static,
    ) -> Result<Response, Problem> {
        let room = self.find_to_write(&document, &asked).await?;
        let check = Box::new(|base: &Base, randomness| match base {
            Base::Table(reading, _) => check(reading, randomness),
            Base::New => unreachable!("a table that is there was read"),
        });
        self.bulk(room, Wanted::Into, asked, check).await
    }

    async fn bulk(
        self: &Arc<Self>,
        room: Arc<Room>,
        wanted: Wanted,
        mut asked: Asked,
        check: Check,
    ) -> Result<Response, Problem> {
        let keyed = asked.keyed();
        let keyed = keyed.unwrap_or_else(|| Keyed::new(made_up(), asked.digest));
        if let Some(running) = self.bulks.find(room.id(), &keyed)? {
            return told(&running, &asked).await;
        }
        let before = match self.recalled(&room, &keyed).await? {
            Recalled::Answered(answered) => return Answered::replay(&answered),
            Recalled::Partly(bytes, kept) => Some((bytes, kept)),
            Recalled::Nothing => None,
        };
        let base = self.base(&room, wanted, before.as_ref().map(|(_, kept)| kept)).await?;
        let randomness = randomness(room.id(), &keyed.key);
        // Both go with the work: it is not broken off when whoever asked for it goes away.
        let (turn, held) = (self.check_turn().await?, asked.hold());
        let (work, base, held) = off_runtime(move || {
            let _turn = turn;
            let work = check(&base, randomness)?;
            let base = match &base {
                Base::New => String::new(),
                Base::Table(_, heads) => etag::of(heads),
            };
            Ok::<_, Problem>((work, base, held))
        })
        .await??;
        let done = match &before {
            Some((_, kept)) => kept.goes_on(&work)?,
            None => 0,
        };
        let running = match self
            .bulks
            .start(room.id(), &keyed, &work, done, wanted == Wanted::New)?
        {
            Start::UnderWay(running) => running,
            Start::Begun(running) => {
                let run = run::Run {
                    server: self.clone(),
                    room,
                    keyed,
                    base,
                    running: running.clone(),
                    _receiving: held,
                };
                tokio::spawn(run.run(work, before.map(|(bytes, _)| bytes)));
                running
            }
        };
        told(&running, &asked).await
    }

    /// The turn to look at a whole file or a whole list of edits.
    pub(super) async fn check_turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        match tokio::time::timeout(PATIENCE, self.checks.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Problem::new(
                Code::Busy,
                "other files and bulk writes are being checked; try again",
            )),
        }
    }

    /// The version that a bulk write is checked against: the present one, or that of before it was interrupted.
    async fn base(&self, room: &Room, wanted: Wanted, kept: Option<&Kept>) -> Result<Base, Problem> {
        if wanted == Wanted::New {
            return Ok(Base::New);
        }
        let seen = self.read_table(room.id()).await?;
        let Some(heads) = kept.and_then(|kept| etag::heads(&kept.base)) else {
            return Ok(Base::Table(seen.value, seen.heads));
        };
        let (reading, then) = (seen.value, heads.clone());
        let reading = off_runtime(move || reading.at(&then)).await?;
        let gone = || {
            Problem::new(
                Code::Failed,
                "the version that this write was checked against is not there any more",
            )
        };
        Ok(Base::Table(Arc::new(reading.ok_or_else(gone)?), heads.into()))
    }

    /// What a bulk write with this key has come to before.
    async fn recalled(&self, room: &Arc<Room>, keyed: &Keyed) -> Result<Recalled, Problem> {
        let (recalling, asking) = (room.clone(), keyed.clone());
        let recalled = off_runtime(move || recalling.recall(&asking, now_ms() as u64)).await?;
        let kept = match recalled {
            Ok(None) => return Ok(Recalled::Nothing),
            Ok(Some(kept)) => kept,
            Err(RecallError::Refused { why, seen }) => {
                self.saved_all(room, seen).await?;
                return Err(tombstones::key_refused(why));
            }
            Err(RecallError::Failed(why)) => return Err(Problem::new(Code::Failed, why)),
        };
        self.saved_all(room, kept.seen()).await?;
        Ok(match Kept::decode(&kept.value) {
            Some(partly) => Recalled::Partly(kept.value, partly),
            None => Recalled::Answered(kept.value),
        })
    }

    /// How far the bulk write with this key is, or was when the server last heard of it.
    pub(super) async fn bulk_progress(&self, document: &DocumentId, key: &Key) -> Result<Asking, Problem> {
        if let Some(running) = self.bulks.named(document, key) {
            return Ok(Asking::Running(running));
        }
        let room = self.find(document).await?;
        let (reading, id) = (room.clone(), key.id());
        let kept = off_runtime(move || reading.kept(&id)).await?;
        let kept = kept.map_err(|why| Problem::new(Code::Failed, why))?;
        let Some(kept) = kept else {
            return Err(Problem::new(
                Code::NotFound,
                format!("no bulk write {key} of document {document} is known"),
            ));
        };
        self.saved_all(&room, kept.seen()).await?;
        Ok(Asking::Kept(Progress::told(&kept.value)))
    }
}

/// What became of a key.
enum Recalled {
    Nothing,
    Answered(bytes::Bytes),
    /// What was recorded last.
    Partly(bytes::Bytes, Kept),
}

/// The progress of a bulk write, live or as it was recorded.
pub(super) enum Asking {
    Running(Arc<Running>),
    Kept(Progress),
}

/// A key for a request that brought none.
fn made_up() -> Key {
    let text = format!("{:013}-{}", now_ms() as u64, uuid::Uuid::new_v4().simple());
    Key::parse(&text).expect("thirteen digits, a hyphen and a UUID")
}

/// What is answered once a bulk write is under way: at the end, or at once.
async fn told(running: &Running, asked: &Asked) -> Result<Response, Problem> {
    match at_once(asked) {
        true => Ok(accepted(running)),
        false => running.ended().await,
    }
}

/// 202: it has begun.
fn accepted(running: &Running) -> Response {
    let body = json!({
        "table": running.document.to_string(),
        "url": running.document.url(),
        "key": running.key.as_str(),
        "progress": running.address(),
    });
    (StatusCode::ACCEPTED, [("location", running.address())], Json(body)).into_response()
}
