//! Edits made by wrong clocks or long ago, told to a server that is played here.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::{Value as Json, from_value, json, to_value};

use super::*;
use crate::client::live::edit::PendingEdit;
use crate::client::live::event::Event;
use crate::client::live::message::Refusal;
use crate::client::live::model::Scope;
use crate::client::live::model::tests::TABLE;
use crate::client::live::session::News;
use crate::client::live::session::tests::{LOCAL, Stage, id};

const MINUTE: u64 = 60 * 1000;
const DAY: u64 = 24 * 60 * MINUTE;

fn time(name: &str) -> u64 {
    Key::parse(name).unwrap().time()
}

/// The names under which edits go out now, whatever the messages.
fn sent(stage: &mut Stage) -> Vec<String> {
    let messages = stage.messages();
    let data = messages.iter().map(|message| &message["data"]);
    let edits = data.flat_map(|data| match &data["changes"][0]["changeId"] {
        Json::String(_) => data["changes"].as_array().unwrap().clone(),
        _ => vec![data.clone()],
    });
    edits
        .filter_map(|edit| edit["changeId"].as_str().map(str::to_owned))
        .collect()
}

fn only_sent(stage: &mut Stage) -> String {
    let names = sent(stage);
    assert_eq!(names.len(), 1, "{names:?}");
    names.into_iter().next().unwrap()
}

/// The server refuses an edit; what the program is told of that.
fn refuse(stage: &mut Stage, name: &str, code: &str) -> Option<(String, Refusal)> {
    let news = stage.hear(
        "change_rejected",
        json!({ "changeId": name, "code": code, "message": "no" }),
    );
    news.into_iter().find_map(|news| match news {
        News::Answered(name, answer) => Some((name, answer.unwrap_err())),
        _ => None,
    })
}

/// Connected and let in, with nothing to be sent.
fn let_in() -> Stage {
    let mut stage = Stage::new();
    stage.connect();
    assert_eq!(stage.said(), Vec::<String>::new());
    stage
}

#[test]
fn a_name_is_what_the_server_wants_and_a_later_one_is_known_again() {
    let mut rng = SmallRng::seed_from_u64(1);
    let name = new(LOCAL, &mut rng);
    assert_eq!(time(&name), LOCAL);
    assert_ne!(new(LOCAL, &mut rng), name);
    let later = later(&name, LOCAL + 5);
    assert_eq!((time(&later), own(&later), own(&name)), (LOCAL + 5, &*name, &*name));
    for foreign in ["1767225600123-a1", "1767225600123-1767225600-a1", "nothing"] {
        assert_eq!(own(foreign), foreign);
        assert!(!can_be_renamed(foreign));
    }
}

#[test]
fn a_clock_that_says_nonsense_makes_names_all_the_same() {
    let now = Instant::now();
    let name = new(Clock::new(u64::MAX, now).at(now), &mut SmallRng::seed_from_u64(1));
    assert!(can_be_renamed(&name), "{name}");
}

/// The clock of the machine was an hour behind, or ahead; the latter had every edit refused.
#[test]
fn edits_are_named_by_the_clock_of_the_server() {
    let mut stage = Stage::new();
    let early = stage.write("early");
    assert_eq!(time(&early), LOCAL);
    for server_ms in [LOCAL + 60 * MINUTE, LOCAL - 60 * MINUTE] {
        stage.connect_at(server_ms);
        stage.now += Duration::from_secs(5);
        let name = stage.write("mine");
        assert_eq!(time(&name), server_ms + 5_000);
        stage.session.disconnected();
        let offline = stage.write("offline");
        assert_eq!(time(&offline), server_ms + 5_000, "it is known from before");
    }
}

/// A machine was switched on, had a time of its own, and then a network.
#[test]
fn an_edit_of_a_wrong_clock_goes_out_under_a_later_name_and_is_answered_under_its_own() {
    for server_ms in [
        LOCAL + 700 * DAY,
        LOCAL + 31 * DAY,
        LOCAL - 6 * MINUTE,
        LOCAL - 700 * DAY,
    ] {
        let mut stage = Stage::new();
        let edits = [stage.write("1"), stage.write("2")];
        stage.connect_at(server_ms);
        let names = sent(&mut stage);
        assert!(names.iter().all(|name| time(name) == server_ms), "{names:?}");
        let told = json!({ "type": "update", "tableId": TABLE, "recordId": "b.a", "version": "v2",
            "changeId": names[0], "changes": [] });
        stage.session.open(&id(), Scope::whole_table(), stage.now);
        let news = stage.hear("record_change", told);
        let [News::Of(_, Event::Changed(changes))] = &news[..] else {
            panic!("{news:?}")
        };
        assert_eq!(changes[0].change_id.as_ref(), Some(&edits[0]));
        let rejected = json!({ "changeId": names[1], "code": "refused", "message": "no" });
        let done = json!({ "applied": [names[0]], "merged": [names[0]], "rejected": [rejected], "versions": {} });
        let news = stage.hear("offline_sync_complete", done);
        let answers: Vec<_> = news
            .iter()
            .filter_map(|news| match news {
                News::Answered(name, answer) => Some((name, answer.is_ok())),
                _ => None,
            })
            .collect();
        assert_eq!(answers, [(&edits[0], true), (&edits[1], false)]);
        assert!(stage.session.queue.is_empty());
    }
}

/// A program stores its edits, is cut off after one of them was made, and takes them up again: under another name it would
/// be made twice.
#[test]
fn a_name_that_the_server_takes_is_kept() {
    for server_ms in [LOCAL + 28 * DAY, LOCAL - 3 * MINUTE] {
        let mut stage = Stage::new();
        let edit = stage.write("mine");
        stage.connect_at(server_ms);
        assert_eq!(sent(&mut stage), [edit]);
    }
}

/// The server had made it, and has forgotten that by now.
#[test]
fn what_was_sent_keeps_its_name_and_its_author_hears_that_it_may_have_been_saved() {
    let mut stage = let_in();
    let edit = stage.write("mine");
    assert_eq!(sent(&mut stage), [&*edit]);
    stage.session.disconnected();
    stage.connect_at(LOCAL + 31 * DAY);
    assert_eq!(sent(&mut stage), [&*edit]);
    let (name, why) = refuse(&mut stage, &edit, "key-expired").expect("it is told");
    assert_eq!(name, edit);
    assert!(why.message.contains("may have been saved"), "{why}");
}

/// The disk did not confirm it in time.
#[test]
fn what_the_server_could_not_confirm_may_have_been_saved() {
    let mut stage = let_in();
    let edit = stage.write("mine");
    stage.said();
    assert_eq!(refuse(&mut stage, &edit, "not-confirmed"), None);
    stage.now = stage.session.queue.pause().unwrap();
    assert_eq!(sent(&mut stage), [&*edit]);
    let (_, why) = refuse(&mut stage, &edit, "key-expired").expect("it is told");
    assert!(why.message.contains("may have been saved"), "{why}");
}

/// The server remembers so many names of each table, and had to forget younger ones than this.
#[test]
fn a_name_that_is_refused_when_it_is_sent_first_is_replaced_once() {
    for code in ["key-expired", "bad-key"] {
        let mut stage = let_in();
        let edit = stage.write("mine");
        stage.now += Duration::from_secs(2);
        assert_eq!(sent(&mut stage), [&*edit]);
        assert_eq!(refuse(&mut stage, &edit, code), None);
        let name = only_sent(&mut stage);
        assert_eq!((time(&name), own(&name)), (LOCAL + 2_000, &*edit));
        let (told, why) = refuse(&mut stage, &name, code).expect("another name would be refused as well");
        assert_eq!((told, &*why.message), (edit, "no"));
    }
}

/// Its name is of tomorrow: whatever became of the first sending, the server would know it.
#[test]
fn what_was_sent_under_a_name_that_is_none_was_not_made() {
    let mut stage = let_in();
    let edit = stage.write("mine");
    stage.said();
    stage.session.disconnected();
    stage.connect_at(LOCAL - DAY);
    assert_eq!(sent(&mut stage), [&*edit]);
    assert_eq!(refuse(&mut stage, &edit, "bad-key"), None);
    assert_eq!(time(&only_sent(&mut stage)), LOCAL - DAY);
}

#[test]
fn an_edit_that_was_stored_tells_the_next_program_under_which_name_it_may_have_been_sent() {
    let store = |stage: &Stage| {
        let edits = stage.session.queue.edits().map(|edit| to_value(edit).unwrap());
        edits.collect::<Vec<Json>>()
    };
    let take_up = |stored: &[Json], server_ms: u64| {
        let mut stage = Stage::new();
        for edit in stored {
            let edit: PendingEdit = from_value(edit.clone()).unwrap();
            stage.session.queue.push(edit).unwrap();
        }
        stage.connect_at(server_ms);
        stage
    };
    let mut stage = Stage::new();
    let edit = stage.write("mine");
    let unsent = store(&stage);
    let mut next = take_up(&unsent, LOCAL + 31 * DAY);
    let name = only_sent(&mut next);
    assert_eq!((time(&name), own(&name)), (LOCAL + 31 * DAY, &*edit));
    let mut last = take_up(&store(&next), LOCAL + 62 * DAY);
    assert_eq!(only_sent(&mut last), name, "it may have been made");
    let (told, why) = refuse(&mut last, &name, "key-expired").expect("it is told");
    assert_eq!(told, edit);
    assert!(why.message.contains("may have been saved"), "{why}");
}
