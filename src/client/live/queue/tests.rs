//! Edits kept, sent and answered.

use serde_json::Value as Json;

use super::*;
use crate::client::live::edit::{BatchItem, FieldEdit, RecordEdit, RecordKind};

const MOST: Most = Most {
    edits: 2_000,
    bytes: 4 << 20,
    message_bytes: 1 << 20,
};

fn table() -> DocumentId {
    DocumentId::from_uuid(uuid::Uuid::from_u128(7))
}

fn record(row: &str, cells: usize) -> RecordEdit {
    let field = |number: usize| FieldEdit {
        field_id: format!("c{number}"),
        old_value: Some(Json::Null),
        new_value: 5.into(),
    };
    RecordEdit {
        kind: RecordKind::Update,
        record_id: row.into(),
        changes: (0..cells).map(field).collect(),
        at: None,
        overwrites: false,
    }
}

fn edit(name: &str, what: What) -> PendingEdit {
    PendingEdit {
        base: Some("ab".into()),
        ..PendingEdit::new(name.into(), table(), what)
    }
}

fn update(name: &str, row: &str) -> PendingEdit {
    edit(name, What::Record(record(row, 1)))
}

fn batch(name: &str) -> PendingEdit {
    let changes = vec![BatchItem::Record(record("b.batch", 1))];
    edit(name, What::Batch { changes })
}

/// The type of a message, and the ids of its edits; those that tell a version are marked.
fn told(message: Option<String>) -> Option<(String, Vec<String>)> {
    let message: Json = serde_json::from_str(&message?).unwrap();
    let data = &message["data"];
    let name = |edit: &Json| {
        let mark = if edit.get("base").is_some() { " at ab" } else { "" };
        format!("{}{mark}", edit["changeId"].as_str().unwrap())
    };
    let kind = message["type"].as_str().unwrap().to_owned();
    let ids = match kind.as_str() {
        "sync_offline_changes" => data["changes"].as_array().unwrap().iter().map(name).collect(),
        _ => vec![name(data)],
    };
    Some((kind, ids))
}

fn one(kind: &str, id: &str) -> Option<(String, Vec<String>)> {
    Some((kind.into(), vec![id.into()]))
}

#[test]
fn edits_go_out_one_by_one_as_long_as_the_connection_is_up() {
    let (mut queue, now) = (Queue::new(MOST), Instant::now());
    queue.connected();
    queue.push(update("1", "b.r")).unwrap();
    queue.push(batch("2")).unwrap();
    assert_eq!(told(queue.next(now)), one("record_change", "1"));
    assert_eq!(told(queue.next(now)), one("batch_changes", "2 at ab"));
    assert_eq!(told(queue.next(now)), None);
    assert_eq!(queue.oldest_sent(), Some(now));
    assert!(queue.made("1").is_some() && queue.made("1").is_none());
    assert!(queue.remove("2").is_some() && queue.is_empty());
    assert_eq!(queue.bytes, 0);
}

/// The answers to the first two were on their way when the connection broke.
#[test]
fn what_was_not_answered_is_sent_again_under_its_name_and_before_what_came_later() {
    let (mut queue, now) = (Queue::new(MOST), Instant::now());
    queue.connected();
    for name in ["1", "2"] {
        queue.push(update(name, name)).unwrap();
        queue.next(now);
    }
    queue.push(update("offline", "b.r")).unwrap();
    queue.connected();
    queue.push(update("later", "b.r")).unwrap();
    let all = ["1 at ab", "2 at ab", "offline at ab"].map(String::from).to_vec();
    assert_eq!(told(queue.next(now)), Some(("sync_offline_changes".into(), all)));
    assert_eq!(told(queue.next(now)), None, "it is not answered yet");
    for name in ["1", "2"] {
        queue.made(name);
        assert_eq!(told(queue.next(now)), None, "{name}");
    }
    queue.remove("offline");
    assert_eq!(told(queue.next(now)), one("record_change", "later"));
}

#[test]
fn a_batch_goes_alone_and_in_its_turn() {
    let (mut queue, now) = (Queue::new(MOST), Instant::now());
    queue.push(update("1", "a")).unwrap();
    queue.push(batch("2")).unwrap();
    queue.push(update("3", "b")).unwrap();
    queue.connected();
    assert_eq!(told(queue.next(now)), one("sync_offline_changes", "1 at ab"));
    queue.made("1");
    assert_eq!(told(queue.next(now)), one("batch_changes", "2 at ab"));
    queue.made("2");
    assert_eq!(told(queue.next(now)), one("sync_offline_changes", "3 at ab"));
}

#[test]
fn a_part_is_no_larger_than_the_server_takes_it() {
    let (mut queue, now) = (Queue::new(MOST), Instant::now());
    for number in 0..1_200 {
        queue.push(update(&number.to_string(), &number.to_string())).unwrap();
    }
    for number in 0..2 {
        let large = What::Record(record(&"large".repeat(60_000), 1));
        queue.push(edit(&format!("large {number}"), large)).unwrap();
    }
    queue.connected();
    let mut sizes = Vec::new();
    while let Some((_, names)) = told(queue.next(now)) {
        sizes.push(names.len());
        for name in names {
            queue.made(name.trim_end_matches(" at ab")).unwrap();
        }
    }
    assert_eq!(sizes, [500, 500, 201, 1]);
}

/// Its author saw the cell as the first of the two had left it, in a version that has neither.
#[test]
fn an_edit_behind_one_of_an_earlier_part_goes_by_the_values_its_author_saw() {
    let (mut queue, now) = (Queue::new(MOST), Instant::now());
    queue.push(update("1", "b.r")).unwrap();
    queue.push(batch("2")).unwrap();
    queue.push(update("3", "b.r")).unwrap();
    queue.push(update("4", "b.s")).unwrap();
    queue.connected();
    for name in ["1", "2"] {
        queue.next(now).unwrap();
        queue.made(name);
    }
    let both = ["3", "4 at ab"].map(String::from).to_vec();
    assert_eq!(told(queue.next(now)), Some(("sync_offline_changes".into(), both)));
}

#[test]
fn who_is_busy_is_asked_again_after_a_moment() {
    let (mut queue, now) = (Queue::new(MOST), Instant::now());
    queue.connected();
    queue.push(update("1", "b.r")).unwrap();
    queue.push(update("2", "b.r")).unwrap();
    queue.next(now);
    assert_eq!(told(queue.next(now)), None, "the second would overtake the first");
    queue.again("1", now + std::time::Duration::from_secs(1));
    assert_eq!(told(queue.next(now)), None);
    let later = queue.pause().unwrap();
    assert_eq!(told(queue.next(later)), one("record_change", "1"));
    assert_eq!(told(queue.next(later)), None);
    assert!(queue.is_behind("2") && !queue.is_behind("1"));
    queue.made("1").unwrap();
    assert_eq!(told(queue.next(later)), one("record_change", "2"));
}

#[test]
fn an_edit_too_many_is_refused_and_none_is_dropped() {
    let mut queue = Queue::new(Most {
        edits: 2,
        bytes: 1_000,
        message_bytes: 600,
    });
    let long = |length: usize| edit("long", What::Record(record(&"r".repeat(length), 1)));
    assert_eq!(
        queue.push(long(500)).unwrap_err().to_string().split(' ').next(),
        Some("an")
    );
    queue.push(update("1", "b.r")).unwrap();
    let Err(NotKept::TooMuch(1_000)) = Queue::new(Most { bytes: 1_000, ..MOST }).push(long(900)) else {
        panic!("it is more than is kept");
    };
    queue.push(update("2", "b.r")).unwrap();
    assert_eq!(queue.push(update("3", "b.r")), Err(NotKept::TooMany(2)));
    assert_eq!(
        queue.edits().map(PendingEdit::change_id).collect::<Vec<_>>(),
        ["1", "2"]
    );
}

#[test]
fn no_more_than_a_number_lies_with_the_server() {
    let (mut queue, now) = (Queue::new(MOST), Instant::now());
    queue.connected();
    for number in 0..100 {
        queue.push(update(&number.to_string(), &number.to_string())).unwrap();
    }
    assert_eq!(std::iter::from_fn(|| queue.next(now)).count(), UNDER_WAY);
    queue.made("0");
    assert_eq!(told(queue.next(now)), one("record_change", "64"));
    assert_eq!(queue.under_way().count(), UNDER_WAY);
}

/// Edits made on very many versions of a table are more than the server writes at once.
#[test]
fn what_is_too_much_with_others_is_sent_alone_and_once() {
    let (mut queue, now) = (Queue::new(MOST), Instant::now());
    for name in ["1", "2", "3"] {
        queue.push(update(name, name)).unwrap();
    }
    queue.connected();
    queue.next(now).unwrap();
    queue.made("1");
    queue.made("3");
    assert!(
        queue.otherwise("2", Together::TooMuch),
        "though it is the last of its message"
    );
    assert_eq!(told(queue.next(now)), one("sync_offline_changes", "2 at ab"));
    assert!(
        !queue.otherwise("2", Together::TooMuch),
        "there is nothing left to take away"
    );
}

#[test]
fn an_edit_on_a_version_that_never_was_goes_by_what_its_author_saw() {
    let (mut queue, now) = (Queue::new(MOST), Instant::now());
    queue.push(update("1", "b.r")).unwrap();
    queue.connected();
    queue.next(now).unwrap();
    assert!(queue.otherwise("1", Together::UnknownVersion));
    assert_eq!(told(queue.next(now)), one("sync_offline_changes", "1"));
    assert!(!queue.otherwise("1", Together::UnknownVersion));
    assert!(!queue.otherwise("unknown", Together::TooMuch));
}
