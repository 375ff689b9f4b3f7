//! Deleted documents: nothing is taken from the moment it is decided, nobody is told before it is on disk.

use automerge::transaction::{Transactable, Transaction};
use automerge::{AutoCommit, AutomergeError, ROOT};
use bytes::Bytes;
use roundtable::key::Key;
use roundtable::room::{Deletion, EditError, Edited, Keyed, NotTurned, Once};
use roundtable::store::Tombstone;
use roundtable::store::memory::Survives;
use roundtable::sync::gate::Offered;

use super::{House, NOW_MS, need, writer};
use std::time::Instant;

type Turned = Result<Once<()>, EditError<NotTurned>>;

impl House {
    /// A house with a document of one change that is on disk.
    fn with_a_document() -> (Self, AutoCommit) {
        let house = Self::new();
        let mut ada = AutoCommit::new();
        ada.put(ROOT, "n", 1).unwrap();
        ada.commit();
        house.commit("ada", ada.get_changes(&[]));
        house.committer.step();
        (house, ada)
    }

    fn delete(&self) -> Turned {
        self.delete_keyed(None)
    }

    fn delete_keyed(&self, keyed: Option<(&Keyed, Bytes)>) -> Turned {
        let place = self.store.try_reserve(need()).unwrap();
        self.room.delete(place, &writer("ada", NOW_MS), Instant::now(), keyed)
    }

    fn restore(&self) -> Turned {
        let place = self.store.try_reserve(need()).unwrap();
        self.room
            .restore(place, &writer("grace", NOW_MS + 1), Instant::now(), None)
    }

    fn edit(&self) -> Result<Edited<()>, EditError<AutomergeError>> {
        let place = self.store.try_reserve(need()).unwrap();
        let edit = |tx: &mut Transaction<'_>| tx.put(ROOT, "edited", true);
        self.room.edit(place, &writer("ada", NOW_MS), Instant::now(), edit)
    }

    /// Whether a change of a peer is taken.
    fn takes(&self, ada: &mut AutoCommit) -> bool {
        let before = ada.get_heads();
        ada.put(ROOT, "n", 2).unwrap();
        ada.commit();
        let offered = ada.get_changes(&before).into_iter();
        let offered = offered.map(|change| Offered::Change(Box::new(change))).collect();
        let place = self.store.try_reserve(need()).unwrap();
        let commit = self.room.commit(place, offered, &writer("ada", NOW_MS), Instant::now());
        commit.is_ok_and(|commit| commit.took_all())
    }
}

fn by_ada() -> Tombstone {
    Tombstone {
        at: NOW_MS,
        by: "ada".into(),
    }
}

#[test]
fn a_deletion_holds_at_once_and_is_told_when_it_is_on_disk() {
    let (house, mut ada) = House::with_a_document();
    let deleted = house.delete().unwrap().seen();
    assert_eq!(
        (house.room.deletion(), house.room.deleted()),
        (Deletion::Deciding, None)
    );
    assert!(house.room.exists(), "as far as anybody may know");
    assert!(!house.takes(&mut ada));
    let Err(EditError::Deleted { tombstone, seen }) = house.edit() else {
        panic!("the edit was taken")
    };
    assert_eq!((tombstone, seen), (by_ada(), deleted));
    house.committer.step();
    assert_eq!(house.room.deleted(), Some(by_ada()));
    assert!(!house.room.exists() && !house.takes(&mut ada));
    assert!(matches!(house.delete(), Err(EditError::Deleted { .. })));
}

#[test]
fn what_was_taken_before_stays_and_comes_back_with_a_restore() {
    let (house, mut ada) = House::with_a_document();
    assert!(house.takes(&mut ada));
    house.delete().unwrap();
    house.committer.step();
    assert_eq!(house.stored().get_heads(), ada.get_heads(), "nothing of it is lost");
    house.restore().unwrap();
    assert!(!house.room.exists(), "nobody may be told before it is on disk");
    // Taken already, and on the disk behind the restore.
    house.edit().unwrap();
    house.committer.step();
    assert!(house.room.exists());
    assert_eq!(house.room.durable(), 3);
    assert!(
        matches!(house.restore(), Ok(Once::Done(_))),
        "there is nothing to restore"
    );
    assert_eq!(house.committer.step(), roundtable::store::Progress::Idle);
}

#[test]
fn a_tombstone_survives_a_crash_as_far_as_it_was_told() {
    let (house, _) = House::with_a_document();
    house.delete().unwrap();
    house.committer.step();
    let house = house.crash(Survives::Nothing);
    assert_eq!(house.room.deleted(), Some(by_ada()));
    assert!(matches!(house.edit(), Err(EditError::Deleted { .. })));
    house.restore().unwrap();
    let house = house.crash(Survives::Nothing);
    assert_eq!(house.room.deleted(), Some(by_ada()), "the restore was not on disk");
    house.restore().unwrap();
    house.committer.step();
    let house = house.crash(Survives::Nothing);
    assert!(house.room.exists());
}

#[test]
fn a_deletion_that_cannot_be_written_never_was() {
    let (house, _) = House::with_a_document();
    house.engine.fail_sync_after(0);
    let Once::Done(deleted) = house.delete().unwrap() else {
        panic!("it is new")
    };
    house.committer.step();
    assert_eq!(house.room.deletion(), Deletion::Not);
    assert_ne!(house.room.epoch(), deleted.epoch, "who waits for it is told");
    house.wake();
    assert!(house.room.exists());
}

#[test]
fn a_delete_sent_again_is_answered_again() {
    let (house, _) = House::with_a_document();
    let keyed = Keyed::new(Key::parse(&format!("{NOW_MS}-1")).unwrap(), [1; 32]);
    let delete = |house: &House| house.delete_keyed(Some((&keyed, "204".into())));
    assert!(matches!(delete(&house), Ok(Once::Done(_))));
    house.committer.step();
    assert!(matches!(delete(&house), Ok(Once::Replayed(edited)) if edited.value == "204"));
    house.restore().unwrap();
    house.committer.step();
    // Were it done again it would delete what was restored meanwhile.
    assert!(matches!(delete(&house), Ok(Once::Replayed(_))));
    assert!(house.room.exists());
}

#[test]
fn nothing_is_deleted_where_there_is_nothing() {
    let house = House::new();
    assert!(matches!(
        house.delete(),
        Err(EditError::Refused(NotTurned::NoDocument { .. }))
    ));
    assert!(matches!(
        house.restore(),
        Err(EditError::Refused(NotTurned::NoDocument { .. }))
    ));
    assert_eq!(house.committer.step(), roundtable::store::Progress::Idle);
}

#[test]
fn a_deleted_document_sleeps_and_wakes_deleted() {
    let (house, _) = House::with_a_document();
    house.delete().unwrap();
    house.committer.step();
    let later = Instant::now() + std::time::Duration::from_secs(3_600);
    assert_eq!(house.rooms.sweep(later).awake, 0);
    assert_eq!(house.room.deleted(), Some(by_ada()));
    house.wake();
    assert!(matches!(house.edit(), Err(EditError::Deleted { .. })));
    assert_eq!(house.room.deleted(), Some(by_ada()));
}
