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
        // The library collects these columns one by one, whatever they claim; none is longer than all dependencies.
        within(
            "values in a column",
            columns::values(column.spec, &data)?,
            limits.message_changes * 4,
        )?;
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
        within(
            "values in a column",
            columns::values(column.spec, &data)?,
            limits.message_ops,
        )?;
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

#[cfg(test)]
mod tests {
    use super::super::craft::{message, opened, person, refused, seal, signed};
    use super::*;
    use automerge::transaction::Transactable;
    use automerge::{AutoCommit, ROOT};

    fn document() -> AutoCommit {
        let mut person = person(1);
        for index in 0..200 {
            person.put(ROOT, format!("key{index}"), "the same text").unwrap();
            person.commit();
        }
        person
    }

    #[test]
    fn a_whole_document_becomes_its_changes() {
        let mut document = document();
        let changes = opened(&message(&[&document.save()])).changes;
        let hashes: Vec<_> = changes
            .iter()
            .map(|offered| match offered {
                Offered::Change(change) => change.hash(),
                Offered::Refused { why, .. } => panic!("{why}"),
            })
            .collect();
        assert_eq!(
            hashes,
            document
                .get_changes(&[])
                .iter()
                .map(automerge::Change::hash)
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn its_columns_are_inflated_within_the_budget_only() {
        let saved = document().save();
        let limits = GateLimits {
            message_inflated_bytes: 100,
            ..GateLimits::default()
        };
        assert!(matches!(
            refused(&saved, &limits),
            Refusal::TooLarge {
                what: "inflated bytes",
                ..
            }
        ));
        let limits = GateLimits {
            message_ops: 200,
            ..GateLimits::default()
        };
        assert!(matches!(refused(&saved, &limits), Refusal::TooLarge { .. }));
        let limits = GateLimits {
            message_changes: 200,
            ..GateLimits::default()
        };
        assert!(matches!(
            refused(&saved, &limits),
            Refusal::TooLarge { what: "changes", .. }
        ));
    }

    /// Some bytes nobody reads; where the document loads all the same, it is the same document.
    #[test]
    fn a_damaged_document_is_refused_or_the_same() {
        let mut document = document();
        let hashes: Vec<_> = document.get_changes(&[]).iter().map(automerge::Change::hash).collect();
        let saved = document.save_nocompress();
        let frame = Reader::new(&saved).chunk().unwrap();
        let mut refusals = 0;
        for at in (0..frame.data.len()).step_by(7) {
            let mut data = frame.data.to_vec();
            data[at] ^= 0x55;
            let changes = opened(&message(&[&seal(frame.kind, &data)])).changes;
            let same =
                |(offered, hash): (&Offered, _)| matches!(offered, Offered::Change(change) if change.hash() == hash);
            match &changes[..] {
                [Offered::Refused { .. }] => refusals += 1,
                changes => assert!(changes.iter().zip(hashes.clone()).all(same), "byte {at}"),
            }
        }
        assert!(refusals > 100, "{refusals} of {} refused", frame.data.len() / 7);
    }

    /// The library collects the sequence numbers before it looks how many changes there are.
    #[test]
    fn a_column_of_billions_is_refused_unexpanded() {
        let mut sequence = signed(1 << 40);
        sequence.push(1);
        let mut data = vec![1, 1, 1, 0, 2, 1, 2, 3, sequence.len() as u8, 0];
        data.extend_from_slice(&[1, 0]);
        data.extend_from_slice(&sequence);
        let why = refused(&seal(0, &data), &GateLimits::default());
        assert!(
            matches!(
                why,
                Refusal::TooLarge {
                    what: "values in a column",
                    ..
                }
            ),
            "{why}"
        );
    }
}
