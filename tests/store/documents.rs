//! Appending and reading back: changes in order, whole, with their authors.

use roundtable::store::layout::{MAX_VALUE, PIECE};
use roundtable::store::memory::Survives;
use roundtable::store::{Committer, Listed, Store, StoreError, StoreLimits};
use std::sync::Arc;

use crate::{World, append_at, assert_whole, author, change_bytes, document, open_sled, reserve, sized_change};

#[test]
fn what_was_appended_is_loaded_in_order_from_either_engine() {
    let alpha = document(1);
    let memory = World::new();
    memory.append(&alpha, 1..=9);
    memory.append(&alpha, 10..=12);
    memory.settle();
    let after_restart = World::on(memory.engine.crash(Survives::Nothing));

    let folder = tempfile::tempdir().unwrap();
    let sled = World::on(open_sled(folder.path()));
    sled.append(&alpha, 1..=12);
    sled.settle();
    drop(sled);
    let sled = World::on(open_sled(folder.path()));

    for stored in [after_restart.load(&alpha), sled.load(&alpha)] {
        let stored = stored.expect("it is there");
        assert_whole(&stored, 12, "reloaded");
        assert_eq!(stored.last_number, 12);
        assert_eq!(stored.snapshot, None);
        assert_eq!(
            stored.tail.iter().map(|(number, _)| *number).collect::<Vec<_>>(),
            Vec::from_iter(1..=12)
        );
        assert_eq!(
            stored.tail_bytes(),
            (1..=12).map(|number| change_bytes(number).len()).sum::<usize>()
        );
        assert_eq!(stored.snapshot_bytes(), 0);
    }
}

#[test]
fn a_document_that_was_never_stored_is_absent_and_its_neighbours_do_not_leak_in() {
    let world = World::new();
    world.append(&document(1), 1..=3);
    world.append(&document(3), 1..=2);
    world.settle();
    assert_eq!(world.load(&document(2)), None);
    assert_eq!(world.load(&document(3)).unwrap().last_number, 2);
    assert!(world.store.authors(&document(2), 1..=9).unwrap().is_empty());
}

#[test]
fn a_load_stops_where_it_is_told() {
    let world = World::new();
    world.append(&document(1), 1..=7);
    world.settle();
    let stored = world.store.load(&document(1), Some(4)).unwrap().unwrap();
    assert_whole(&stored, 4, "up to 4");
    assert_eq!(stored.last_number, 4);
    assert_eq!(world.store.load(&document(1), Some(0)).unwrap(), None);
    assert_eq!(
        world.store.load(&document(1), Some(99)).unwrap().unwrap().last_number,
        7
    );
}

/// sled syncs no value that makes a leaf larger than its segments allow: every length is cut, none is lost.
#[test]
fn changes_of_every_length_are_cut_to_values_of_four_kib() {
    let lengths = [
        0,
        1,
        PIECE - 1,
        PIECE,
        PIECE + 1,
        MAX_VALUE,
        2 * PIECE,
        2 * PIECE + 1,
        1 << 20,
    ];
    let world = World::new();
    for (number, length) in (1..).zip(lengths) {
        let bytes = (0..length).map(|at| (at * 13 + length) as u8).collect();
        let changes = vec![sized_change(number, bytes)];
        append_at(
            &world.store,
            reserve(&world.store),
            &document(1),
            changes,
            &world.outcomes,
        );
    }
    world.settle();
    for (key, value) in world.engine.contents() {
        assert!(value.len() <= MAX_VALUE, "{} bytes under {key:?}", value.len());
    }
    let stored = world.load(&document(1)).unwrap();
    for ((_, bytes), length) in stored.tail.iter().zip(lengths) {
        assert_eq!(bytes.len(), length);
        assert!(
            bytes
                .iter()
                .enumerate()
                .all(|(at, byte)| *byte == (at * 13 + length) as u8),
            "length {length}"
        );
    }
    assert_eq!(stored.tail.len(), lengths.len());
}

#[test]
fn every_change_has_its_author_and_its_hash() {
    let world = World::new();
    world.append(&document(1), 1..=5);
    world.settle();
    let authors = world.store.authors(&document(1), 2..=4).unwrap();
    assert_eq!(authors.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 3, 4]);
    for (number, record) in authors {
        assert_eq!(record.author, author(number));
        assert_eq!(record.hash, [number as u8; 32]);
    }
    // The end of the range may lie behind the end of the document, as when all are asked for.
    assert_eq!(world.store.authors(&document(1), 0..=u64::MAX).unwrap().len(), 5);
    assert!(world.store.authors(&document(1), 6..=9).unwrap().is_empty());
}

/// A name may be 512 bytes of what JSON writes as six characters each: then an author takes two values.
#[test]
fn an_author_with_the_longest_names_is_kept() {
    let world = World::new();
    let mut change = sized_change(1, vec![1]);
    change.author.device = "\u{1}".repeat(512);
    change.author.user = Some("\u{2}".repeat(512));
    let expected = change.author.clone();
    append_at(
        &world.store,
        reserve(&world.store),
        &document(1),
        vec![change],
        &world.outcomes,
    );
    world.settle();
    assert_eq!(world.store.authors(&document(1), 1..=1).unwrap()[0].1.author, expected);
}

#[test]
fn documents_are_listed_page_by_page() {
    let world = World::new();
    let mut all: Vec<_> = (0..10).map(|number| document(number << 120 | 0xff)).collect();
    for document in &all {
        world.append(document, 1..=30);
    }
    world.settle();
    let mut listed = Vec::new();
    loop {
        let page = world.store.documents(Listed::Present, listed.last(), 3).unwrap();
        assert!(page.documents.len() <= 3);
        listed.extend(page.documents);
        match page.next {
            Some(next) => assert_eq!(Some(&next), listed.last()),
            None => break,
        }
    }
    listed.sort();
    all.sort();
    assert_eq!(listed, all);
}

#[test]
fn a_folder_keeps_the_storage_id_it_was_given() {
    let world = World::new();
    let id = world.store.storage_id().clone();
    assert!(uuid::Uuid::parse_str(id.as_str()).is_ok(), "{id}");
    let again = World::on(world.engine.crash(Survives::Nothing));
    assert_eq!(again.store.storage_id(), &id, "synced before the store was handed out");
    assert_ne!(World::new().store.storage_id(), &id);
}

fn open(engine: &roundtable::store::memory::MemoryEngine) -> Result<(Store, Committer), StoreError> {
    Store::open(Arc::new(engine.clone()), StoreLimits::default())
}

#[test]
fn a_newer_format_and_a_foreign_folder_are_refused_in_one_line() {
    use roundtable::store::engine::{Batch, Engine};
    use roundtable::store::layout::{meta_key, put_small};

    let world = World::new();
    let mut batch = Batch::default();
    put_small(&mut batch, meta_key("format"), &2u64.to_be_bytes());
    world.engine.apply(&batch).unwrap();
    let error = open(&world.engine).err().expect("it is refused");
    assert!(matches!(error, StoreError::NewerFormat { found: 2 }), "{error}");
    assert!(!error.to_string().contains('\n'));

    let foreign = roundtable::store::memory::MemoryEngine::new();
    let mut batch = Batch::default();
    batch.put(b"theirs".to_vec(), b"data".to_vec());
    foreign.apply(&batch).unwrap();
    let before = foreign.contents();
    assert!(matches!(open(&foreign).err(), Some(StoreError::NoFormat)));
    assert_eq!(
        foreign.contents(),
        before,
        "nothing is written into a folder that is not ours"
    );
}
