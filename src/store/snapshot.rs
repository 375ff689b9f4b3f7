//! Compaction: writing a snapshot of a document and deleting the changes it contains.
//!
//! Every change since the last snapshot is read one by one at a load, so a document that is edited for long loads ever
//! more slowly without this. It goes in small batches through the committer's queue, between those of the rooms, so
//! that no edit waits for a large one.
//!
//! The order, each step synced before the next begins; a crash between any two loses nothing:
//! 1. What an interrupted compaction left is deleted.
//! 2. The pieces are written. They do not count yet.
//! 3. They are read back, and the caller says whether they load to the right heads.
//! 4. The last record is written. From here on the snapshot counts.
//! 5. It is read back once more, as a load would. Then the older snapshots are deleted, last records first, then the
//!    changes it contains.
//!
//! Authors and the last commit number stay.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::sync::{Arc, MutexGuard, PoisonError};

use super::engine::{Batch, KeyRange};
use super::layout::{DocumentKeys, Kind, pieces, put_piece, put_small};
use super::load::{Reader, Snapshot, SnapshotEnd};
use super::queue::{Item, Work};
use super::{Shared, StoreError, StoreFailure};
use crate::id::DocumentId;

/// Pieces in one batch: 64 KiB, which a sync hardly notices.
const PIECES_PER_BATCH: u32 = 16;
/// Keys deleted in one batch.
const DELETES_PER_BATCH: usize = 256;

/// Why a snapshot was not written. The changes are all still there.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("a snapshot of document {0} is being written already")]
    Running(DocumentId),
    #[error("{0} snapshots are being written already")]
    TooMany(usize),
    #[error("a snapshot up to change {number}, but only {last} are durable")]
    AheadOfLog { number: u64, last: u64 },
    #[error("the snapshot does not load to the heads it was made from")]
    Refused,
    #[error("the store failed: {0}")]
    Failed(Arc<StoreFailure>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How far a snapshot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A batch of it waits for the committer.
    Waiting,
    Done,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Begin,
    Clear,
    Pieces { next: u32 },
    Verify,
    Discard,
    Refused,
    End,
    Check,
    DropEnds,
    DropPieces,
    DropChanges,
    Done,
}

/// A snapshot on its way to the disk.
pub struct SnapshotWrite<V> {
    turn: Turn,
    keys: DocumentKeys,
    number: u64,
    /// The heads, then the bytes of the document.
    stream: Vec<u8>,
    end: SnapshotEnd,
    verify: Option<V>,
    stage: Stage,
    waiting: Option<Receiver<Result<(), Arc<StoreFailure>>>>,
}

impl<V: FnOnce(&[u8]) -> bool> SnapshotWrite<V> {
    pub(super) fn begin(
        shared: &Arc<Shared>,
        document: &DocumentId,
        snapshot: Snapshot,
        verify: V,
    ) -> Result<Self, SnapshotError> {
        if let Some(reason) = shared.queue.failure() {
            return Err(SnapshotError::Failed(reason.clone()));
        }
        let turn = Turn::take(shared, document)?;
        let mut stream = snapshot.heads.concat();
        stream.extend_from_slice(&snapshot.bytes);
        let end = SnapshotEnd {
            length: stream.len() as u64,
            crc: crc32fast::hash(&stream),
            heads: u32::try_from(snapshot.heads.len()).expect("heads fit in memory many times over"),
        };
        Ok(Self {
            turn,
            keys: DocumentKeys::new(document),
            number: snapshot.number,
            stream,
            end,
            verify: Some(verify),
            stage: Stage::Begin,
            waiting: None,
        })
    }

    /// Goes on as far as it can without waiting: looks whether the committer is done with the last batch and queues
    /// the next one.
    pub fn step(&mut self) -> Result<Step, SnapshotError> {
        if let Some(waiting) = &self.waiting {
            match waiting.try_recv() {
                Err(TryRecvError::Empty) => return Ok(Step::Waiting),
                Err(TryRecvError::Disconnected) => return Err(no_committer()),
                Ok(outcome) => outcome.map_err(SnapshotError::Failed)?,
            }
            self.waiting = None;
        }
        let Some(batch) = self.next_batch()? else {
            return Ok(Step::Done);
        };
        // Room for the one answer: the committer never waits for us.
        let (sender, receiver) = sync_channel(1);
        self.waiting = Some(receiver);
        self.turn.shared.queue.push(Item {
            work: Work::Encoded(batch),
            // The receiver is gone if the write was given up; nobody wants the answer then.
            flushed: Box::new(move |outcome| drop(sender.send(outcome))),
            place: None,
        });
        Ok(Step::Waiting)
    }

    /// Goes on to the end, waiting for the committer's thread.
    pub(super) fn run(mut self) -> Result<(), SnapshotError> {
        while self.step()? == Step::Waiting {
            if let Some(waiting) = self.waiting.take() {
                waiting
                    .recv()
                    .map_err(|_| no_committer())?
                    .map_err(SnapshotError::Failed)?;
            }
        }
        Ok(())
    }

    /// The next batch of this stage or of those behind it; none when all is done.
    fn next_batch(&mut self) -> Result<Option<Batch>, SnapshotError> {
        loop {
            let (batch, next) = match self.stage {
                Stage::Begin => (None, self.where_to_begin()?),
                Stage::Clear => {
                    let complete = self.reader().snapshots()?;
                    self.delete(self.piece_ranges_without(&complete), Stage::Pieces { next: 0 })?
                }
                Stage::Pieces { next } => self.write_pieces(next),
                Stage::Verify => (None, self.verify_pieces()?),
                Stage::Discard => self.delete(vec![self.pieces()], Stage::Refused)?,
                Stage::Refused => return Err(SnapshotError::Refused),
                Stage::End => (Some(self.write_end()), Stage::Check),
                Stage::Check => (None, self.check_complete()?),
                Stage::DropEnds => self.delete(self.older_ends(), Stage::DropPieces)?,
                Stage::DropPieces => self.delete(self.piece_ranges_without(&[self.number]), Stage::DropChanges)?,
                Stage::DropChanges => {
                    let contained = self.keys.range(Kind::Change, 0, self.number);
                    self.delete(vec![contained], Stage::Done)?
                }
                Stage::Done => return Ok(None),
            };
            self.stage = next;
            if batch.is_some() {
                return Ok(batch);
            }
        }
    }

    /// A snapshot up to the same change may be complete already, its compaction having been interrupted; then only the
    /// rest is left to do. Behind a newer one there is nothing to do.
    fn where_to_begin(&self) -> Result<Stage, SnapshotError> {
        Ok(match self.reader().newest_snapshot(u64::MAX)? {
            Some(newest) if newest > self.number => Stage::Done,
            Some(newest) if newest == self.number => Stage::Check,
            _ => Stage::Clear,
        })
    }

    fn write_pieces(&self, first: u32) -> (Option<Batch>, Stage) {
        let all = pieces(self.stream.len());
        let next = all.min(first + PIECES_PER_BATCH);
        let mut batch = Batch::default();
        for piece in first..next {
            put_piece(
                &mut batch,
                &self.keys,
                Kind::SnapshotPiece,
                self.number,
                piece,
                &self.stream,
            );
        }
        match next == all {
            true => (Some(batch), Stage::Verify),
            false => (Some(batch), Stage::Pieces { next }),
        }
    }

    fn verify_pieces(&mut self) -> Result<Stage, SnapshotError> {
        // The pieces were queued behind the appends they contain, so by now these are durable as well.
        let last = self.reader().last_durable()?;
        if last < self.number {
            let number = self.number;
            return Err(SnapshotError::AheadOfLog { number, last });
        }
        let read = self.reader().snapshot_pieces(self.number, self.end)?;
        Ok(match self.accepts(&read.bytes) {
            true => Stage::End,
            false => Stage::Discard,
        })
    }

    /// Asks the caller, once.
    fn accepts(&mut self, read: &[u8]) -> bool {
        self.verify.take().is_none_or(|verify| verify(read))
    }

    fn write_end(&self) -> Batch {
        let mut batch = Batch::default();
        put_small(&mut batch, self.keys.snapshot_end(self.number), &self.end.encode());
        batch
    }

    fn check_complete(&mut self) -> Result<Stage, SnapshotError> {
        let read = self.reader().snapshot(self.number)?;
        match self.accepts(&read.bytes) {
            true => Ok(Stage::DropEnds),
            // One that was complete before we came, and was accepted then. Nothing is deleted on its account.
            false => Err(SnapshotError::Refused),
        }
    }

    /// A batch that deletes the next keys of these ranges, to be followed by another look; or on to the next stage.
    fn delete(&self, ranges: Vec<KeyRange>, next: Stage) -> Result<(Option<Batch>, Stage), SnapshotError> {
        let engine = &self.turn.shared.engine;
        let mut batch = Batch::default();
        for range in ranges.iter().filter(|range| !range.is_empty()) {
            for pair in engine.scan(range).take(DELETES_PER_BATCH - batch.len()) {
                batch.delete(pair.map_err(StoreError::Engine)?.0);
            }
        }
        Ok(match batch.is_empty() {
            true => (None, next),
            false => (Some(batch), self.stage),
        })
    }

    fn pieces(&self) -> KeyRange {
        self.keys.range(Kind::SnapshotPiece, self.number, self.number)
    }

    fn older_ends(&self) -> Vec<KeyRange> {
        match self.number.checked_sub(1) {
            Some(last) => vec![self.keys.range(Kind::SnapshotEnd, 0, last)],
            None => Vec::new(),
        }
    }

    /// The pieces of all snapshots but these, which are in order.
    fn piece_ranges_without(&self, keep: &[u64]) -> Vec<KeyRange> {
        let mut ranges = Vec::new();
        let mut first = Some(0);
        for number in keep {
            if let (Some(first), Some(last)) = (first, number.checked_sub(1)) {
                ranges.push(self.keys.range(Kind::SnapshotPiece, first, last));
            }
            first = number.checked_add(1);
        }
        ranges.extend(first.map(|first| self.keys.range(Kind::SnapshotPiece, first, u64::MAX)));
        ranges
    }

    fn reader(&self) -> Reader<'_> {
        Reader::new(&self.turn.shared, &self.turn.document)
    }
}

fn no_committer() -> SnapshotError {
    SnapshotError::Failed(Arc::new(StoreFailure::NoCommitter))
}

/// The right to write a snapshot of a document: one writer a document, and only so many at once.
struct Turn {
    shared: Arc<Shared>,
    document: DocumentId,
}

impl Turn {
    fn take(shared: &Arc<Shared>, document: &DocumentId) -> Result<Self, SnapshotError> {
        let mut running = snapshots(shared);
        if running.contains(document) {
            return Err(SnapshotError::Running(document.clone()));
        }
        if running.len() >= shared.limits.snapshots {
            return Err(SnapshotError::TooMany(running.len()));
        }
        running.insert(document.clone());
        Ok(Self {
            shared: shared.clone(),
            document: document.clone(),
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        snapshots(&self.shared).remove(&self.document);
    }
}

fn snapshots(shared: &Shared) -> MutexGuard<'_, HashSet<DocumentId>> {
    shared.snapshots.lock().unwrap_or_else(PoisonError::into_inner)
}
