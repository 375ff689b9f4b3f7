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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::craft::{change_data, data_of, message, opened, person, refused, seal, signed};
    use super::*;
    use automerge::transaction::Transactable;
    use automerge::{ROOT, ScalarValue};

    fn limits() -> GateLimits {
        GateLimits::default()
    }

    fn deflate(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).expect("memory takes everything");
        encoder.finish().expect("memory takes everything")
    }

    /// 126 bytes became two million operations, 2.2 s and 960 MB.
    #[test]
    fn a_run_of_two_million_operations_is_refused_unexpanded() {
        let run = |value: u8| [signed(2_000_000), vec![value]].concat();
        let bomb = seal(1, &change_data(&[(u64::from(spec::ACTION), run(1)), (86, run(0))]));
        assert!(bomb.len() < 126);
        let before = std::time::Instant::now();
        let why = refused(&bomb, &limits());
        assert!(before.elapsed() < std::time::Duration::from_millis(50));
        assert_eq!(
            why,
            Refusal::TooLarge {
                what: "operations",
                value: 2_000_000,
                limit: limits().change_ops
            }
        );
    }

    #[test]
    fn a_run_of_predecessors_is_refused_unexpanded() {
        let mut billions = vec![1];
        bytes::write_number(&mut billions, 1 << 40);
        let bomb = change_data(&[(66, vec![1, 1]), (u64::from(spec::PRED_COUNT), billions)]);
        assert!(matches!(
            refused(&seal(1, &bomb), &limits()),
            Refusal::TooLarge {
                what: "predecessors",
                ..
            }
        ));
    }

    /// The library writes the key out for every operation.
    #[test]
    fn a_long_key_on_many_operations_is_refused_unexpanded() {
        let mut keys = signed(700_000);
        bytes::write_number(&mut keys, 1_000);
        keys.extend_from_slice(&[b'k'; 1_000]);
        let bomb = change_data(&[
            (u64::from(spec::KEY_TEXT), keys),
            (66, [signed(700_000), vec![1]].concat()),
        ]);
        assert!(matches!(
            refused(&seal(1, &bomb), &limits()),
            Refusal::TooLarge {
                what: "bytes of keys",
                ..
            }
        ));
    }

    /// 195 KB inflated to 200 MB, four times over.
    #[test]
    fn a_deflate_bomb_is_inflated_to_its_bound_only() {
        let limits = GateLimits {
            change_bytes: 1 << 20,
            ..limits()
        };
        let bomb = bytes::frame([0; 4], DEFLATED_CHANGE_CHUNK, &deflate(&vec![0; 50 << 20]));
        let inflated = Refusal::TooLarge {
            what: "inflated bytes",
            value: (1 << 20) + 1,
            limit: 1 << 20,
        };
        assert_eq!(refused(&bomb, &limits), inflated);
        assert_eq!(
            refused(&bytes::frame([0; 4], DEFLATED_CHANGE_CHUNK, b"junk"), &limits),
            Refusal::Deflate
        );
    }

    #[test]
    fn all_chunks_of_a_message_share_one_budget() {
        let limits = GateLimits {
            message_inflated_bytes: 5_000,
            ..limits()
        };
        let mut person = person(1);
        person.put(ROOT, "long", "x".repeat(3_000)).unwrap();
        person.commit();
        let mut change = person.get_last_local_change().unwrap();
        let deflated = change.bytes().into_owned();
        assert_eq!(deflated[8], DEFLATED_CHANGE_CHUNK);
        let changes = super::super::open(&message(&[&deflated, &deflated]), &limits)
            .unwrap()
            .changes;
        assert!(matches!(changes[0], Offered::Change(_)));
        assert!(matches!(
            changes[1],
            Offered::Refused {
                why: Refusal::TooLarge { .. },
                ..
            }
        ));
    }

    #[test]
    fn twenty_megabytes_in_one_value_pass() {
        let mut person = person(1);
        let noise: Vec<u8> = (0..20_000_000u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        person.put(ROOT, "file", ScalarValue::Bytes(noise)).unwrap();
        person.commit();
        let mut change = person.get_last_local_change().unwrap();
        for bytes in [change.raw_bytes().to_vec(), change.bytes().into_owned()] {
            let changes = opened(&message(&[&bytes])).changes;
            assert!(matches!(&changes[..], [Offered::Change(same)] if same.hash() == change.hash()));
        }
    }

    #[test]
    fn a_wrong_checksum_is_noticed() {
        let mut bytes = person(1).get_changes(&[])[0].raw_bytes().to_vec();
        bytes[4] ^= 1;
        assert_eq!(refused(&bytes, &limits()), Refusal::Checksum);
    }

    #[test]
    fn bundles_and_unknown_chunks_are_refused() {
        assert_eq!(refused(&seal(BUNDLE_CHUNK, &[]), &limits()), Refusal::Bundle);
        assert_eq!(refused(&seal(7, &[]), &limits()), Refusal::UnknownChunk(7));
        assert!(matches!(
            refused(&seal(CHANGE_CHUNK, &[]), &limits()),
            Refusal::Malformed(_)
        ));
    }

    /// A column nobody knows is read over, but not written out again: the saved document would have another hash.
    #[test]
    fn a_change_that_is_not_canonical_is_refused() {
        let mut data = data_of(&person(1).get_changes(&[])[0]);
        // Time 0 in two bytes instead of one: dependencies, actor (length and 4), seq, start, then the time.
        assert_eq!(&data[..9], [0, 4, 1, 1, 1, 1, 1, 1, 0]);
        data.splice(8..9, [0x80, 0x00]);
        let why = refused(&seal(CHANGE_CHUNK, &data), &limits());
        assert!(matches!(why, Refusal::NotCanonical | Refusal::Library(_)), "{why}");
        let mut unknown = data_of(&person(1).get_changes(&[])[0]);
        unknown.push(77);
        assert!(matches!(
            opened(&message(&[&seal(CHANGE_CHUNK, &unknown)])).changes[0],
            Offered::Change(_)
        ));
    }

    #[test]
    fn deps_and_actors_are_bounded() {
        let limits = GateLimits {
            change_deps: 1,
            actor_bytes: 3,
            ..limits()
        };
        assert!(matches!(
            refused(&seal(1, &[2]), &limits),
            Refusal::TooLarge {
                what: "dependencies",
                ..
            }
        ));
        let change = &person(1).get_changes(&[])[0];
        assert!(matches!(
            refused(change.raw_bytes(), &limits),
            Refusal::TooLarge {
                what: "bytes in an actor id",
                ..
            }
        ));
    }
}
