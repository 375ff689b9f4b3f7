//! Keeps a change over many rows from taking gigabytes.
//!
//! A loaded document holds all its values in one buffer. Applying a change puts each new value into its place and cuts the
//! buffer there, and the front part keeps the capacity of the whole: a paste of 500 cells over a table of 50,000 x 10 takes
//! 570 MB, "fill this column" takes 7 GB. Cutting in halves instead of from front to back takes next to nothing. So before
//! such a change, some of the very places it is about are written to in that order, in a transaction that is rolled back:
//! the values go, the cuts stay. It is done on a copy, which costs milliseconds and replaces the document only if it came
//! out of it unharmed.

use std::collections::HashSet;

use automerge::transaction::Transactable;
use automerge::{Automerge, AutomergeError, Change, ObjId, ObjType, Prop, ReadDoc, legacy};
use legacy::{ElementId, Key, ObjectId, OpType};

use super::bytes::{DOCUMENT_CHUNK, Reader};
use super::columns::{Layout, spec};
use super::{Document, caught, object_id};

/// Changes that write into fewer places are applied without another thought.
const FEW_PLACES: u64 = 8;

/// Waste below this many bytes is not worth a copy.
const TOLERATED_WASTE: u64 = 16 << 20;

/// The most cuts made beforehand. The library itself stops cutting at pieces of 4 KiB.
const MAX_CUTS: u64 = 4096;

/// How many bytes of values the document holds; unknown until a change over many places asks.
#[derive(Debug, Default)]
pub(super) struct SplitState {
    value_bytes: std::sync::OnceLock<u64>,
    grown: u64,
}

impl SplitState {
    pub(super) fn grew(&mut self, change: &Change) {
        self.grown += change.raw_bytes().len() as u64;
    }

    /// At least as many as there are. The first call writes the document out, which takes 4 ms per 100,000 cells.
    fn value_bytes(&self, automerge: &Automerge) -> u64 {
        // What has come in since the load is counted twice at worst.
        self.grown
            + *self
                .value_bytes
                .get_or_init(|| count_value_bytes(&automerge.save_nocompress()).unwrap_or(0))
    }
}

/// The length of the value column in an uncompressed document chunk.
fn count_value_bytes(saved: &[u8]) -> Option<u64> {
    let frame = Reader::new(saved)
        .chunk()
        .ok()
        .filter(|frame| frame.kind == DOCUMENT_CHUNK)?;
    let mut reader = Reader::new(frame.data);
    for _ in 0..reader.number().ok()? {
        reader.prefixed().ok()?;
    }
    let heads = reader.number().ok()?;
    reader.take(heads * 32).ok()?;
    let of_changes = Layout::read(&mut reader, u64::MAX).ok()?;
    let of_ops = Layout::read(&mut reader, u64::MAX).ok()?;
    of_changes.columns(&mut reader).ok()?;
    let columns = of_ops.columns(&mut reader).ok()?;
    let values = columns.iter().find(|column| column.spec == spec::VALUE);
    Some(values.map_or(0, |column| column.data.len() as u64))
}

impl Document {
    /// An estimate of the memory that applying `change` takes at its peak beyond what it leaves behind, in bytes.
    pub fn apply_peak(&self, change: &Change) -> u64 {
        let waste = self.waste(change);
        if waste <= TOLERATED_WASTE {
            return waste;
        }
        // The copy, the cuts (each half keeps the capacity of its whole, so about one buffer for each doubling), the rest.
        let values = self.split.value_bytes(&self.automerge);
        let cuts = cuts_for(waste);
        values
            .saturating_mul(2 + u64::from(cuts.ilog2()))
            .saturating_add(waste / cuts)
    }

    /// What the buffers cut from front to back would waste: half of all values for each place, if the document is fresh
    /// from a load. It is less once it was cut, but where is not known.
    fn waste(&self, change: &Change) -> u64 {
        // Most changes are small; they are not even looked into.
        if (change.len() as u64) < FEW_PLACES {
            return 0;
        }
        let places = places(change).len() as u64;
        if places < FEW_PLACES {
            return 0;
        }
        self.split.value_bytes(&self.automerge).saturating_mul(places) / 2
    }

    /// Cuts the document's buffers where `change` will need it, if it would waste much otherwise. True if it did.
    pub(super) fn split_before(&mut self, change: &Change) -> bool {
        let waste = self.waste(change);
        if waste <= TOLERATED_WASTE {
            return false;
        }
        let places = places(change);
        let order = halving_order(places.len(), cuts_for(waste) as usize);
        let chosen: Vec<&Place> = order.into_iter().map(|index| &places[index]).collect();
        let cut = caught(|| {
            let mut copy = self.automerge.clone();
            cut(&mut copy, &chosen);
            copy
        });
        let unharmed = |copy: &Automerge| {
            copy.get_heads() == self.automerge.get_heads() && copy.stats().num_ops == self.automerge.stats().num_ops
        };
        match cut {
            Ok(copy) if unharmed(&copy) => {
                self.automerge = copy;
                true
            }
            // Cutting is a kindness; without it the change takes more memory, within what the gate allowed.
            _ => false,
        }
    }
}

fn cuts_for(waste: u64) -> u64 {
    waste.div_ceil(TOLERATED_WASTE).next_power_of_two().clamp(16, MAX_CUTS)
}

/// A place in an existing object that a change puts a value into.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    object: Option<legacy::OpId>,
    key: Key,
}

/// The places a change writes to, in the order of the document: by object, then as they come.
fn places(change: &Change) -> Vec<Place> {
    let decoded = change.decode();
    let own = |id: &legacy::OpId| id.actor() == change.actor_id() && id.counter() >= change.start_op().get();
    let mut places = Vec::new();
    let mut seen = HashSet::new();
    for op in &decoded.operations {
        let object = match &op.obj {
            ObjectId::Root => None,
            ObjectId::Id(id) if own(id) => continue,
            ObjectId::Id(id) => Some(id.clone()),
        };
        let follows_own = matches!(&op.key, Key::Seq(ElementId::Id(id)) if own(id));
        if follows_own || !matches!(op.action, OpType::Put(_) | OpType::MarkBegin(_) | OpType::Increment(_)) {
            continue;
        }
        let place = Place {
            object,
            key: op.key.clone(),
        };
        if seen.insert(place.clone()) {
            places.push(place);
        }
    }
    // Stable, so that the keys of one object stay as they came.
    places.sort_by(|a, b| {
        let id = |place: &Place| place.object.as_ref().map(|id| (id.counter(), id.actor().clone()));
        id(a).cmp(&id(b))
    });
    places
}

/// The indexes of `most` of `length` places spread evenly: the middle, the middles of both halves, and so on.
fn halving_order(length: usize, most: usize) -> Vec<usize> {
    let mut order = Vec::new();
    let mut ranges = std::collections::VecDeque::from([(0, length)]);
    while let Some((start, end)) = ranges.pop_front() {
        if start == end || order.len() == most {
            continue;
        }
        let middle = start + (end - start) / 2;
        order.push(middle);
        ranges.push_back((start, middle));
        ranges.push_back((middle + 1, end));
    }
    order
}

/// Writes to the places one after the other and takes everything back.
fn cut(automerge: &mut Automerge, places: &[&Place]) {
    let targets: Vec<_> = places.iter().filter_map(|place| Target::of(automerge, place)).collect();
    let mut transaction = automerge.transaction();
    let mut inserted: Vec<(ObjId, usize)> = Vec::new();
    for target in targets {
        // A place that cannot be written to is not cut, that is all.
        let _: Result<(), AutomergeError> = match target {
            Target::Key(object, key) => transaction.put(&object, Prop::Map(key), 1),
            Target::Index(object, index, kind) => {
                let before = inserted
                    .iter()
                    .filter(|(other, at)| *other == object && *at <= index)
                    .count();
                let done = match kind {
                    ObjType::Text => transaction.splice_text(&object, index + before, 0, " "),
                    _ => transaction.insert(&object, index + before, 1),
                };
                inserted.push((object, index));
                done
            }
        };
    }
    transaction.rollback();
}

/// A place as the library's writers name it.
enum Target {
    Key(ObjId, String),
    Index(ObjId, usize, ObjType),
}

impl Target {
    fn of(automerge: &Automerge, place: &Place) -> Option<Self> {
        let object = place.object.as_ref().map_or(automerge::ROOT, object_id);
        match &place.key {
            Key::Map(key) => Some(Self::Key(object, key.to_string())),
            Key::Seq(element) => {
                let kind = automerge.object_type(&object).ok()?;
                let index = match element {
                    ElementId::Head => 0,
                    ElementId::Id(id) => super::position(automerge, &object, id)?,
                };
                Some(Self::Index(object, index, kind))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use automerge::ActorId;

    #[test]
    fn places_are_halved_and_no_more_than_asked_for() {
        assert_eq!(halving_order(7, 100), [3, 1, 5, 0, 2, 4, 6]);
        assert_eq!(halving_order(1000, 3), [500, 250, 750]);
        assert!(halving_order(0, 3).is_empty());
    }

    /// A table of 600 rows with 4 KiB each, saved and loaded, and a change that writes to one cell of every row.
    fn table_and_fill() -> (Document, Change) {
        let mut author = Automerge::new().with_actor(ActorId::from([1; 4]));
        let mut rows = Vec::new();
        let filled = author.transact::<_, _, AutomergeError>(|tx| {
            for row in 0..600 {
                let row = tx.put_object(automerge::ROOT, format!("r{row:03}"), ObjType::Map)?;
                tx.put(&row, "a", "x".repeat(4000))?;
                tx.put(&row, "b", 1)?;
                rows.push(row);
            }
            let text = tx.put_object(automerge::ROOT, "text", ObjType::Text)?;
            tx.splice_text(&text, 0, 0, &"some words ".repeat(50))?;
            rows.push(text);
            Ok(())
        });
        let text = rows.pop().unwrap();
        let fill = author.get_change_by_hash(&filled.unwrap().hash.unwrap()).unwrap();
        let changed = author.transact::<_, _, AutomergeError>(|tx| {
            for row in &rows {
                tx.put(row, "b", 2)?;
            }
            for index in (0..500).step_by(10) {
                tx.splice_text(&text, index, 0, "!")?;
            }
            Ok(())
        });
        let change = author.get_change_by_hash(&changed.unwrap().hash.unwrap()).unwrap();
        let mut document = Document::empty(ActorId::from([3; 4]));
        document.apply(&[fill]).unwrap();
        let saved = document.save();
        let reloaded = Document::load(ActorId::from([2; 4]), Some(&saved), [[0u8; 0]; 0]).unwrap();
        (reloaded.document, change)
    }

    #[test]
    fn cutting_leaves_the_document_as_it_was_to_the_byte() {
        let (mut document, change) = table_and_fill();
        let before = document.save();
        assert!(document.waste(&change) > 600 * 600 * 4000 / 2);
        assert!(document.split_before(&change));
        assert_eq!(document.save(), before);
        document.apply(&[change]).unwrap();
        let saved = document.save();
        assert_eq!(Automerge::load(&saved).unwrap().get_heads(), document.heads());
    }

    #[test]
    fn the_estimate_after_cutting_is_far_below_the_waste() {
        let (document, change) = table_and_fill();
        assert!(document.apply_peak(&change) < document.waste(&change) / 10);
    }
}
