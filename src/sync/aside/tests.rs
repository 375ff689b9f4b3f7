use super::*;
use automerge::transaction::Transactable;
use automerge::{Automerge, ROOT};

fn chain(length: i64) -> Vec<Change> {
    let mut document = Automerge::new();
    for n in 0..length {
        document
            .transact::<_, _, automerge::AutomergeError>(|tx| tx.put(ROOT, "n", n))
            .unwrap();
    }
    document.get_changes(&[])
}

fn kept(change: &Change) -> Kept {
    let author = Author {
        time: 0,
        user: None,
        device: "ada".into(),
        door: crate::document::author::Door::Sync,
    };
    Kept {
        change: change.clone(),
        bytes: change.raw_bytes().to_vec().into(),
        author,
        from: Some(ConnectionId(1)),
        also: Vec::new(),
    }
}

#[test]
fn a_commit_releases_what_waited_for_it_one_link_at_a_time() {
    let chain = chain(4);
    let mut aside = Aside::new(AsideLimits::default());
    for change in &chain[1..] {
        aside.keep(kept(change)).unwrap();
    }
    let asked = aside.missing_for(&[chain[3].hash()], |_| false);
    assert_eq!(
        asked,
        [chain[0].hash()],
        "the hash below is asked for, not the head itself"
    );

    let mut has = vec![chain[0].hash()];
    for (before, expected) in chain.iter().zip(&chain[1..]) {
        let released = aside.released_by(&before.hash(), |hash| has.contains(hash));
        assert_eq!(
            released.iter().map(|kept| kept.change.hash()).collect::<Vec<_>>(),
            [expected.hash()]
        );
        has.push(expected.hash());
    }
    assert!(aside.is_empty() && aside.bytes == 0 && aside.dependants.is_empty());
}

#[test]
fn what_builds_on_a_refused_change_goes_with_it() {
    let chain = chain(4);
    let mut aside = Aside::new(AsideLimits::default());
    for change in &chain[1..] {
        aside.keep(kept(change)).unwrap();
    }
    assert_eq!(aside.drop_dependants(&chain[1].hash()).len(), 2);
    assert_eq!(aside.len(), 1);
}

/// What a connection had sent stayed for ever when it went: it filled the bound, so that others were turned away, and
/// kept the room from being closed.
#[test]
fn what_a_connection_alone_sent_goes_with_it() {
    let chain = chain(3);
    let mut aside = Aside::new(AsideLimits::default());
    aside.keep(kept(&chain[1])).unwrap();
    aside.keep(kept(&chain[2])).unwrap();
    aside
        .keep(Kept {
            from: Some(ConnectionId(2)),
            ..kept(&chain[2])
        })
        .unwrap();
    aside.forget(ConnectionId(1));
    assert_eq!(aside.missing_for(&[chain[1].hash()], |_| false), [chain[1].hash()]);
    assert_eq!(
        aside.missing_for(&[chain[2].hash()], |_| false),
        [chain[1].hash()],
        "another one sent it as well"
    );
    aside.forget(ConnectionId(2));
    assert!(aside.is_empty() && aside.bytes == 0 && aside.dependants.is_empty());
}

/// A client with more changes than the bound behind one that the Bloom filter was wrong about was closed, came back
/// with the same change left out, was closed, and so on.
#[test]
fn what_is_missing_below_a_change_without_room_is_asked_for_before_its_sender_is_closed() {
    let chain = chain(3);
    let mut aside = Aside::new(AsideLimits {
        changes: 1,
        ..AsideLimits::default()
    });
    aside.keep(kept(&chain[1])).unwrap();
    aside.keep(kept(&chain[2])).unwrap_err();
    let asked = aside.missing_for(&[chain[2].hash()], |_| false);
    assert_eq!(asked, [chain[0].hash()]);
    assert!(aside.must_send_again(&chain[0].hash()).is_empty());
    assert_eq!(aside.released_by(&chain[0].hash(), |_| true).len(), 1);
    assert_eq!(aside.must_send_again(&chain[1].hash()), [ConnectionId(1)]);
    aside.forget(ConnectionId(1));
    assert!(aside.is_empty() && aside.dependants.is_empty());
}

#[test]
fn the_bound_gives_a_change_back_and_the_senders_are_named() {
    let chain = chain(4);
    let mut aside = Aside::new(AsideLimits {
        changes: 1,
        outlines: 1,
        ..AsideLimits::default()
    });
    aside.keep(kept(&chain[1])).unwrap();
    assert_eq!(aside.keep(kept(&chain[2])), Err(TurnedAway::Outlined));
    assert_eq!(
        aside.keep(kept(&chain[3])),
        Err(TurnedAway::Entirely(vec![ConnectionId(1)]))
    );
    assert_eq!(aside.discard(), HashSet::from([ConnectionId(1)]));
    assert!(aside.is_empty());
}
