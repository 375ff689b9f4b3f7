//! What readers of the log are given, and what is kept of it.

use super::*;

const ADA: Option<ConnectionId> = Some(ConnectionId(1));
const GRACE: Option<ConnectionId> = Some(ConnectionId(2));

fn hash(n: u8) -> ChangeHash {
    ChangeHash([n; 32])
}

fn log_of(changes: u8, limits: LogLimits) -> ChangeLog {
    let mut log = ChangeLog::starting_at(10, Arc::new([hash(0)]), limits);
    for n in 1..=changes {
        append(&mut log, n, 100, ADA);
    }
    log
}

fn append(log: &mut ChangeLog, n: u8, bytes: usize, from: Option<ConnectionId>) {
    log.append_from(hash(n), Bytes::from(vec![n; bytes]), Arc::new([hash(n)]), from);
}

fn frame(log: &mut ChangeLog, cursor: u64, reader: Option<ConnectionId>) -> (Message, u64) {
    match log.pull(cursor, reader) {
        Pull::Frame { data, upto } => (Message::decode(&data).unwrap(), upto),
        other => panic!("no frame but {other:?}"),
    }
}

#[test]
fn nothing_is_shown_before_it_is_durable() {
    let mut log = log_of(3, LogLimits::default());
    assert_eq!(log.pull(10, GRACE), Pull::Nothing);
    log.flushed(12);
    let (message, upto) = frame(&mut log, 10, GRACE);
    assert_eq!(upto, 12);
    assert_eq!(message.heads, vec![hash(2)]);
    assert_eq!(message.have[0].last_sync, vec![hash(0)]);
    assert_eq!(message.changes.len(), 2);
    assert_eq!(*log.durable_heads(), [hash(2)]);
    assert_eq!(log.pull(12, GRACE), Pull::Nothing);
}

#[test]
fn all_who_ask_for_a_range_share_its_bytes() {
    let mut log = log_of(3, LogLimits::default());
    log.flushed(13);
    let (Pull::Frame { data: one, .. }, Pull::Frame { data: two, .. }) = (log.pull(10, GRACE), log.pull(10, ADA))
    else {
        panic!("two frames")
    };
    assert_eq!(one.as_ptr(), two.as_ptr());
}

#[test]
fn the_writer_of_much_is_spared_its_own_bytes_but_not_the_filter() {
    let mut log = log_of(0, LogLimits::default());
    append(&mut log, 1, 5000, ADA);
    append(&mut log, 2, 10, GRACE);
    log.flushed(12);
    let (message, _) = frame(&mut log, 10, ADA);
    assert_eq!(message.changes.len(), 1);
    assert!(message.have[0].bloom.contains_hash(&hash(1)));
    let (message, _) = frame(&mut log, 10, GRACE);
    assert_eq!(message.changes.len(), 2);
}

#[test]
fn a_long_range_is_cut_into_frames_that_meet() {
    let mut log = log_of(
        5,
        LogLimits {
            frame_bytes: 250,
            ..LogLimits::default()
        },
    );
    log.flushed(15);
    let (first, upto) = frame(&mut log, 10, GRACE);
    assert_eq!((first.changes.len(), upto), (2, 12));
    let (second, _) = frame(&mut log, upto, GRACE);
    assert_eq!(second.have[0].last_sync, first.heads);
}

#[test]
fn the_past_is_bounded_but_what_is_not_durable_stays() {
    let mut log = log_of(
        6,
        LogLimits {
            changes: 2,
            ..LogLimits::default()
        },
    );
    assert_eq!(log.start(), 10);
    log.flushed(13);
    assert_eq!((log.start(), log.end()), (13, 16));
    assert_eq!(log.pull(12, GRACE), Pull::Behind);
    log.flushed(16);
    assert_eq!(log.start(), 14);
    assert!(log.knows(&hash(4)) && log.knows(&hash(6)) && !log.knows(&hash(3)));
}

#[test]
fn known_heads_give_back_their_position() {
    let mut log = log_of(3, LogLimits::default());
    log.flushed(13);
    assert_eq!(log.position_of(&[hash(2)]), Some(12));
    assert_eq!(log.position_of(&[hash(0)]), Some(10));
    assert_eq!(log.position_of(&[hash(1), hash(2)]), None);
    assert_eq!(log.position_of(&[hash(9)]), None);
}

#[test]
fn writers_are_known_and_share_what_tells_them() {
    let mut log = log_of(2, LogLimits::default());
    append(&mut log, 3, 100, GRACE);
    append(&mut log, 4, 100, ADA);
    let written = log.origins(11, 14).unwrap();
    let devices: Vec<_> = written.iter().map(|written| &*written.origin.device).collect();
    assert_eq!(devices, [format!("{ADA:?}"), format!("{GRACE:?}"), format!("{ADA:?}")]);
    assert!(Arc::ptr_eq(&written[0].origin, &written[2].origin));
    assert!(log.origins(9, 12).is_none() && log.origins(12, 15).is_none());
}

#[test]
fn versions_go_back_from_what_is_durable() {
    let mut log = log_of(3, LogLimits::default());
    log.flushed(12);
    let versions: Vec<_> = log.versions(2).iter().map(|heads| heads[0]).collect();
    assert_eq!(versions, [hash(2), hash(1)]);
    assert_eq!(log.versions(9).len(), 3);
}

#[test]
fn a_failed_flush_rolls_back_to_what_is_durable() {
    let mut log = log_of(3, LogLimits::default());
    log.flushed(11);
    log.roll_back();
    assert_eq!((log.durable(), log.end()), (11, 11));
    assert_eq!(*log.heads(), [hash(1)]);
    assert!(!log.knows(&hash(2)));
}

#[test]
fn a_sleeping_room_keeps_its_numbers_and_heads() {
    let mut log = log_of(3, LogLimits::default());
    log.flushed(13);
    log.forget();
    assert_eq!((log.start(), log.end()), (13, 13));
    assert_eq!(*log.heads(), [hash(3)]);
    assert_eq!(log.pull(13, GRACE), Pull::Nothing);
    assert_eq!(log.position_of(&[hash(3)]), Some(13));
}
