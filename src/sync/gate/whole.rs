//! A whole document inside a message, taken apart into its changes.
//!
//! Clients send one when more than a third of the history would have to be sent anyway. It is loaded in a scratch
//! document, so that nothing of it touches the live one, and what comes out are ordinary changes that pass the rest of
//! the gate like any others.

use automerge::Automerge;

use super::chunk::{Budget, check_canonical, inflate, within};
use super::limits::GateLimits;
use super::message::Offered;
use super::refusal::Refusal;
use crate::document::crdt::bytes::{Frame, Reader};
use crate::document::crdt::caught;
use crate::document::crdt::columns::{self, Column, Layout, spec};

/// A document chunk has 9 columns of changes and 15 of operations.
const MAX_COLUMNS: u64 = 64;

pub(super) fn unpack(frame: &Frame<'_>, limits: &GateLimits, budget: &mut Budget, out: &mut Vec<Offered>) {
    let changes = match open_document(frame, limits, budget) {
        Ok(changes) => changes,
        Err(why) => return out.push(Offered::Refused { hash: None, why }),
    };
    for change in changes {
        let hash = change.hash();
        out.push(
            match check_size(&change, limits).and_then(|()| check_canonical(&change).map(drop)) {
                Ok(()) => Offered::Change(Box::new(change)),
                Err(why) => Offered::Refused { hash: Some(hash), why },
            },
        );
    }
}

fn open_document(
    frame: &Frame<'_>,
    limits: &GateLimits,
    budget: &mut Budget,
) -> Result<Vec<automerge::Change>, Refusal> {
    measure(frame.data, limits, budget)?;
    let loaded = caught(|| Automerge::load(frame.whole).map(|document| document.get_changes(&[])));
    match loaded {
        Ok(Ok(changes)) => Ok(changes),
        Ok(Err(error)) => Err(Refusal::Library(error.to_string())),
        Err(panic) => Err(Refusal::Panicked(panic)),
    }
}

/// The bounds a change from the wire has passed before it was parsed.
fn check_size(change: &automerge::Change, limits: &GateLimits) -> Result<(), Refusal> {
    within(
        "bytes in a change",
        change.raw_bytes().len() as u64,
        limits.change_bytes,
    )?;
    within("operations", change.len() as u64, limits.change_ops)?;
    within("dependencies", change.deps().len() as u64, limits.change_deps)?;
    within("actors", change.other_actor_ids().len() as u64, limits.change_actors)?;
    change.actors().try_for_each(|actor| {
        within(
            "bytes in an actor id",
            actor.to_bytes().len() as u64,
            limits.actor_bytes,
        )
    })
}

/// Counts what the document will become, inflating one column at a time under the message's budget.
fn measure(data: &[u8], limits: &GateLimits, budget: &mut Budget) -> Result<(), Refusal> {
    let mut reader = Reader::new(data);
    let actors = reader.number()?;
    within("actors", actors, limits.message_changes)?;
    for _ in 0..actors {
        within(
            "bytes in an actor id",
            reader.prefixed()?.len() as u64,
            limits.actor_bytes,
        )?;
    }
    let heads = reader.number()?;
    within("heads", heads, limits.message_hashes)?;
    reader.take(heads * 32)?;
    let of_changes = Layout::read(&mut reader, MAX_COLUMNS)?;
    let of_ops = Layout::read(&mut reader, MAX_COLUMNS)?;
    let mut key_bytes = 0;

    for column in of_changes.columns(&mut reader)? {
        let data = plain(&column, budget)?;
        match column.spec {
            spec::CHANGE_ACTOR => {
                let changes = columns::numbers(&data)?.values;
                within("changes", changes, budget.changes)?;
                budget.changes -= changes;
            }
            spec::CHANGE_DEPS_COUNT => {
                within("dependencies", columns::numbers(&data)?.sum, limits.message_changes * 4)?;
            }
            spec::CHANGE_MESSAGE => key_bytes += columns::texts(&data)?.text_bytes.min(limits.change_key_bytes + 1),
            _ => {}
        }
    }
    for column in of_ops.columns(&mut reader)? {
        let data = plain(&column, budget)?;
        match column.spec {
            spec::ACTION => budget.spend_ops(columns::numbers(&data)?.values)?,
            // Deletions are kept as successors of what they delete.
            spec::SUCC_COUNT => budget.spend_ops(columns::numbers(&data)?.sum)?,
            spec::KEY_TEXT | spec::MARK_NAME => {
                key_bytes += columns::texts(&data)?.text_bytes.min(limits.change_key_bytes + 1);
            }
            _ => {}
        }
    }
    within("bytes of keys", key_bytes, limits.change_key_bytes)
}

/// The column's data; inflated under the budget where it is compressed, since the library will inflate all of it.
fn plain<'a>(column: &Column<'a>, budget: &mut Budget) -> Result<std::borrow::Cow<'a, [u8]>, Refusal> {
    if column.deflated {
        inflate(column.data, budget.inflated_bytes, budget).map(Into::into)
    } else {
        Ok(column.data.into())
    }
}
