//! Absent is not failed: whatever happens to what is stored, a load never passes it off as less.

use roundtable::id::DocumentId;
use roundtable::store::layout::{Damage, Kind};
use roundtable::store::memory::MemoryEngine;
use roundtable::store::{Store, StoreError};

use crate::{World, document};

/// Two snapshots' worth of history: a snapshot of several pieces up to 12, and a tail up to 21 with a long change.
fn compacted() -> (World<MemoryEngine>, DocumentId) {
    let (world, document) = (World::new(), document(1));
    world.append(&document, 1..=21);
    world.settle();
    world.compact(&document, 12);
    (world, document)
}

/// Reads everything there is about a document.
fn read_all(store: &Store, document: &DocumentId) -> Result<(), StoreError> {
    store.load(document, None)?.ok_or(StoreError::NoLastNumber {
        document: document.clone(),
    })?;
    store.authors(document, 1..=u64::MAX)?;
    Ok(())
}

/// The keys and values of documents, without those about the folder.
fn values(world: &World<MemoryEngine>) -> Vec<(Vec<u8>, Vec<u8>)> {
    world
        .engine
        .contents()
        .into_iter()
        .filter(|(key, _)| key[0] == b'd')
        .collect()
}

#[test]
fn a_flipped_bit_in_any_value_is_reported() {
    let (world, document) = compacted();
    read_all(&world.store, &document).unwrap();
    let mut tried = 0;
    for (key, value) in values(&world) {
        // Every bit of the header and of short values, one in some of long ones.
        let step = if value.len() > 300 { 509 } else { 1 };
        for bit in (0..40).chain((40..value.len() * 8).step_by(step)) {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            world.engine.tamper(&key, Some(flipped));
            assert!(read_all(&world.store, &document).is_err(), "bit {bit} of {key:?}");
            tried += 1;
        }
        world.engine.tamper(&key, Some(value));
    }
    read_all(&world.store, &document).unwrap();
    assert!(tried > 10_000, "{tried}");
}

#[test]
fn a_value_that_is_gone_cut_or_empty_is_reported() {
    let (world, document) = compacted();
    for (key, value) in values(&world) {
        for tampered in [
            None,
            Some(Vec::new()),
            Some(value[..value.len() - 1].to_vec()),
            Some(value[..4].to_vec()),
        ] {
            world.engine.tamper(&key, tampered);
            assert!(read_all(&world.store, &document).is_err(), "{key:?}");
        }
        world.engine.tamper(&key, Some(value));
    }
}

/// The checksum covers the key: a value is right only where it was written.
#[test]
fn a_value_under_another_key_is_reported() {
    let (world, document) = compacted();
    let values = values(&world);
    for pair in values.windows(2) {
        let [(key, value), (_, other)] = pair else {
            unreachable!()
        };
        world.engine.tamper(key, Some(other.clone()));
        assert!(read_all(&world.store, &document).is_err(), "{key:?}");
        world.engine.tamper(key, Some(value.clone()));
    }
}

#[test]
fn the_error_names_the_document_and_what_is_missing() {
    let world = World::new();
    let document = document(1);
    world.append(&document, 1..=5);
    world.settle();
    let keys = roundtable::store::layout::DocumentKeys::new(&document);

    let third = keys.piece(Kind::Change, 3, 0);
    let value = values(&world).into_iter().find(|(key, _)| *key == third).unwrap().1;
    world.engine.tamper(&third, None);
    let error = world.store.load(&document, None).unwrap_err();
    assert!(
        matches!(&error, StoreError::Missing { document: named, kind: Kind::Change, expected: 3, found: Some(4) } if *named == document),
        "{error}"
    );
    assert!(
        error.to_string().contains("change 3 is missing, 4 comes in its place"),
        "{error}"
    );
    // What lies before the hole can be read.
    assert_eq!(world.store.load(&document, Some(2)).unwrap().unwrap().last_number, 2);
    world.engine.tamper(&third, Some(value));

    let last = keys.piece(Kind::Change, 5, 0);
    world.engine.tamper(&last, Some(b"not what was written".to_vec()));
    let error = world.store.load(&document, None).unwrap_err();
    let fits = |error: &StoreError| {
        matches!(
            error,
            StoreError::Damaged {
                kind: Kind::Change,
                number: 5,
                damage: Damage::Checksum,
                ..
            }
        )
    };
    assert!(fits(&error), "{error}");

    // The last change gone with nothing behind it: only the last number tells.
    world.engine.tamper(&last, None);
    let error = world.store.load(&document, None).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Missing {
                expected: 5,
                found: None,
                ..
            }
        ),
        "{error}"
    );

    world.engine.tamper(&keys.last_number(), None);
    let error = world.store.load(&document, None).unwrap_err();
    assert!(matches!(error, StoreError::NoLastNumber { .. }), "{error}");
    assert_eq!(crate::listed(&world.store), [document], "a damaged document is listed");
}

#[test]
fn a_damaged_format_or_storage_id_is_not_a_new_folder() {
    use roundtable::store::{StoreLimits, layout::meta_key};
    use std::sync::Arc;

    for name in ["format", "storage-id"] {
        for tampered in [Some(b"nonsense".to_vec()), Some(Vec::new()), None] {
            let (world, _) = compacted();
            world.engine.tamper(&meta_key(name), tampered);
            let before = world.engine.contents();
            let error = Store::open(Arc::new(world.engine.clone()), StoreLimits::default()).err();
            assert!(
                matches!(error, Some(StoreError::DamagedFolder { .. } | StoreError::NoFormat)),
                "{name}: {error:?}"
            );
            assert_eq!(world.engine.contents(), before);
        }
    }
}
