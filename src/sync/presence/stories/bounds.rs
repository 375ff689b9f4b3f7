//! However much is said, no more than the limits is kept.

use super::*;

#[test]
fn a_full_roster_lists_nobody_more_but_relays_and_makes_room_for_those_who_come_after_somebody_left() {
    let mut room = Room::with(Limits {
        people: 2,
        ..Limits::default()
    });
    for (number, peer) in ["ada", "bob", "eve"].into_iter().enumerate() {
        room.join(peer, ConnectionId(number as u64));
        assert!(
            room.say(peer, snapshot(&[("name", peer)]), ConnectionId(number as u64))
                .is_some()
        );
    }
    assert_eq!(room.present(), ["ada", "bob"]);
    room.close(ConnectionId(0));
    room.say("eve", heartbeat(), ConnectionId(2));
    assert_eq!(room.present(), ["bob", "eve"]);
}

/// Of a value that is too large neither the new nor the old is told to newcomers: the old one would be wrong.
#[test]
fn a_state_is_bounded_in_bytes_and_channels() {
    let mut room = Room::with(Limits {
        state_bytes: 64,
        channels: 3,
        ..Limits::default()
    });
    room.join("ada", ADA);
    room.say("ada", snapshot(&[("name", "Ada"), ("cell", "A1")]), ADA);
    room.say("ada", update("cell", &text(&"x".repeat(60))), ADA);
    assert_eq!(
        room.roster.snapshots(GRACE),
        [(id("ada"), snapshot(&[("name", "Ada")]))]
    );
    for channel in ["a", "b", "c", "d"] {
        room.say("ada", update(channel, &[0xf6]), ADA);
    }
    let state = &room.roster.people(room.now)[0].state;
    assert_eq!(*state, json!({"name": "Ada", "a": null, "b": null}));
}

#[test]
fn sessions_are_bounded_and_the_one_heard_longest_ago_is_forgotten() {
    let mut room = Room::with(Limits {
        sessions: 2,
        ..Limits::default()
    });
    room.join("ada", ADA);
    let mut hear =
        |session, count| room.arrive(&ephemeral("ada", session, count, heartbeat()), ADA) != Some(Heard::Stale);
    assert!(hear("one", 5) && hear("two", 5) && hear("one", 6) && hear("three", 5));
    assert!(!hear("one", 6));
    assert!(hear("two", 5), "forgotten");
}

#[test]
fn one_connection_carries_only_so_many_senders() {
    let mut room = Room::with(Limits::default());
    room.join("worker", WORKER);
    for tab in 0..64 {
        assert!(room.say(&format!("tab-{tab}"), heartbeat(), WORKER).is_some());
    }
    assert!(room.say("tab-64", heartbeat(), WORKER).is_none());
    assert!(room.say("tab-3", heartbeat(), WORKER).is_some());
    room.wait(121);
    assert!(room.say("tab-64", heartbeat(), WORKER).is_some());
}
