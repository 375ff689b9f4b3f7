//! One chunk of a message: from bytes to a change that is known to be small, whole and canonical.

use std::io::Read;

use automerge::{Change, ChangeHash, ExpandedChange};

use super::limits::GateLimits;
use super::message::Offered;
use super::refusal::Refusal;
use super::whole;
use crate::document::crdt::bytes::{
    self, BUNDLE_CHUNK, CHANGE_CHUNK, DEFLATED_CHANGE_CHUNK, DOCUMENT_CHUNK, Frame, Malformed, Reader,
};
use crate::document::crdt::columns::{self, Layout, spec};
use crate::document::crdt::{caught, is_canonical};

/// A change has 14 columns; unknown ones of newer versions are not written out again and fail as not canonical.
const MAX_COLUMNS: u64 = 64;

/// What is left of a message's allowance.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) inflated_bytes: u64,
    pub(super) ops: u64,
    pub(super) changes: u64,
}

impl Budget {
    pub(super) fn of(limits: &GateLimits) -> Self {
        Self {
            inflated_bytes: limits.message_inflated_bytes,
            ops: limits.message_ops,
            changes: limits.message_changes,
        }
    }

    /// Takes the operations of a change out of the budget.
    pub(super) fn spend_ops(&mut self, ops: u64) -> Result<(), Refusal> {
        let left = self.ops.checked_sub(ops);
        self.ops = left.ok_or(Refusal::TooLarge {
            what: "operations in one message",
            value: ops,
            limit: self.ops,
        })?;
        Ok(())
    }
}

/// Turns one framed chunk into the changes in it.
pub(super) fn unpack(frame: &Frame<'_>, limits: &GateLimits, budget: &mut Budget, out: &mut Vec<Offered>) {
    let opened = match frame.kind {
        CHANGE_CHUNK => open_change(frame.whole, frame, limits, budget),
        DEFLATED_CHANGE_CHUNK => open_deflated(frame, limits, budget),
        DOCUMENT_CHUNK => return whole::unpack(frame, limits, budget, out),
        BUNDLE_CHUNK => Err(Refusal::Bundle),
        other => Err(Refusal::UnknownChunk(other)),
    };
    out.push(match opened {
        Ok(change) => Offered::Change(Box::new(change)),
        Err(why) => Offered::Refused { hash: None, why },
    });
}

fn open_deflated(frame: &Frame<'_>, limits: &GateLimits, budget: &mut Budget) -> Result<Change, Refusal> {
    let data = inflate(frame.data, limits.change_bytes, budget)?;
    let plain = bytes::frame(frame.checksum, CHANGE_CHUNK, &data);
    drop(data);
    let frame = Reader::new(&plain).chunk()?;
    open_change(&plain, &frame, limits, budget)
}

/// Inflates at most `limit` bytes, and no more than the message may still inflate.
pub(super) fn inflate(deflated: &[u8], limit: u64, budget: &mut Budget) -> Result<Vec<u8>, Refusal> {
    let limit = limit.min(budget.inflated_bytes);
    let mut data = Vec::new();
    // One byte more than allowed tells "exactly at the limit" from "beyond it".
    let mut decoder = flate2::bufread::DeflateDecoder::new(deflated).take(limit + 1);
    decoder.read_to_end(&mut data).map_err(|_| Refusal::Deflate)?;
    let length = data.len() as u64;
    if length > limit {
        return Err(Refusal::TooLarge {
            what: "inflated bytes",
            value: length,
            limit,
        });
    }
    budget.inflated_bytes -= length;
    Ok(data)
}

fn open_change(plain: &[u8], frame: &Frame<'_>, limits: &GateLimits, budget: &mut Budget) -> Result<Change, Refusal> {
    within("bytes in a change", plain.len() as u64, limits.change_bytes)?;
    let ops = measure(frame.data, limits)?;
    budget.spend_ops(ops)?;
    let change = match caught(|| Change::try_from(plain)) {
        Ok(Ok(change)) => change,
        Ok(Err(error)) => return Err(Refusal::Library(error.to_string())),
        Err(panic) => return Err(Refusal::Panicked(panic)),
    };
    // Parsing a lone change computes its hash but compares it with nothing.
    if change.hash().0[..4] != frame.checksum {
        return Err(Refusal::Checksum);
    }
    check_canonical(&change)?;
    Ok(change)
}

/// Refuses a change that does not write itself out under its own hash.
pub(super) fn check_canonical(change: &Change) -> Result<ExpandedChange, Refusal> {
    let decoded = caught(|| change.decode()).map_err(Refusal::Panicked)?;
    match caught(|| is_canonical(change, decoded.clone())) {
        Ok(true) => Ok(decoded),
        Ok(false) => Err(Refusal::NotCanonical),
        Err(panic) => Err(Refusal::Panicked(panic)),
    }
}

pub(super) fn within(what: &'static str, value: u64, limit: u64) -> Result<(), Refusal> {
    if value > limit {
        Err(Refusal::TooLarge { what, value, limit })
    } else {
        Ok(())
    }
}

/// Walks a change's header and counts what its columns will expand to; returns the number of operations.
fn measure(data: &[u8], limits: &GateLimits) -> Result<u64, Refusal> {
    let mut reader = Reader::new(data);
    let deps = reader.number()?;
    within("dependencies", deps, limits.change_deps)?;
    reader.take(deps * size_of::<ChangeHash>() as u64)?;
    within(
        "bytes in an actor id",
        reader.prefixed()?.len() as u64,
        limits.actor_bytes,
    )?;
    let (_seq, _start_op, _time) = (reader.number()?, reader.number()?, reader.signed()?);
    let _message = reader.prefixed()?;
    let actors = reader.number()?;
    within("actors", actors, limits.change_actors)?;
    for _ in 0..actors {
        within(
            "bytes in an actor id",
            reader.prefixed()?.len() as u64,
            limits.actor_bytes,
        )?;
    }
    let layout = Layout::read(&mut reader, MAX_COLUMNS)?;
    let mut ops = 0;
    let mut key_bytes = 0;
    for column in layout.columns(&mut reader)? {
        if column.deflated {
            return Err(Refusal::Malformed(Malformed::Number));
        }
        match column.spec {
            spec::ACTION => ops = columns::numbers(column.data)?.values,
            spec::PRED_COUNT => {
                within("predecessors", columns::numbers(column.data)?.sum, limits.change_preds)?;
            }
            spec::KEY_TEXT | spec::MARK_NAME => {
                key_bytes += columns::texts(column.data)?.text_bytes.min(limits.change_key_bytes + 1);
            }
            _ => {}
        }
    }
    within("operations", ops, limits.change_ops)?;
    within("bytes of keys", key_bytes, limits.change_key_bytes)?;
    Ok(ops)
}
