//! Strangers, crowds and empty rooms.

use super::*;

#[test]
fn a_room_in_which_nobody_at_the_live_door_listens_notes_and_reads_nothing() {
    let mut scene = scene();
    for row in 0..100 {
        scene.says(
            "ada",
            ADA,
            update("cursor", json!({ "row": format!("b.{row}"), "column": "c1" })),
        );
    }
    assert!(scene.audience.board.is_blank());
    assert_eq!(scene.audience.due(scene.now), None);
    assert!(!scene.audience.tick(scene.now));
    // The first to come has the roster read; the last to go leaves nothing behind.
    let (mut grace, _) = scene.comes("Grace", GRACE);
    let told = scene.told(&mut grace);
    assert_eq!(told[0].1[0]["cursor"]["recordId"], "b.99");
    scene.leaves(GRACE, Leaving::Lost);
    assert!(scene.audience.board.is_blank());
    scene.says("ada", ADA, update("cursor", Value::Null));
    assert!(scene.audience.board.is_blank());
    // What she was told before she left means nothing any more.
    scene.comes("Grace", GRACE);
    assert_eq!(types(&scene.told(&mut grace)), ["table_users"]);
}

#[test]
fn what_strangers_show_is_checked_and_cut() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    scene.told(&mut grace);
    let hostile = json!({
        "user": { "id": "eve", "name": "E".repeat(5000), "color": 99, "avatarUrl": 7 },
        "cursor": { "row": "r".repeat(300), "column": "c1" },
        "selection": { "from": "here", "to": null },
        "typing": { "row": "b.1", "column": "c1", "text": "\u{1f9a6}".repeat(500) },
    });
    scene.says("eve", 2, snapshot(hostile));
    scene.tick();
    let told = scene.told(&mut grace);
    let eve = &told[0].1;
    assert_eq!(eve["userName"].as_str().unwrap().len(), 256);
    assert_eq!(eve["typing"]["text"].as_str().unwrap().chars().count(), 200);
    assert!(
        ["avatarUrl", "cursor", "selection"]
            .iter()
            .all(|key| eve.get(key).is_none()),
        "{eve}"
    );
    for user in [
        json!(null),
        json!({ "id": 7 }),
        json!({ "id": "" }),
        json!("eve"),
        json!([["id", "eve"]]),
    ] {
        scene.says("mallory", 3, update("user", user));
        scene.says("mallory", 3, update("cursor", json!({ "row": "b.1", "column": "c1" })));
        scene.tick();
        assert_eq!(scene.told(&mut grace), [], "nobody is no user");
    }
    // Another id is another user, and a user without an id is none.
    scene.says("eve", 2, update("user", json!({ "id": "mallory", "name": "Mallory" })));
    scene.tick();
    assert_eq!(types(&scene.told(&mut grace)), ["user_left", "user_joined"]);
    scene.says("eve", 2, update("user", Value::Null));
    scene.tick();
    assert_eq!(types(&scene.told(&mut grace)), ["user_left"]);
}

/// Whoever the roster has no room for is not said to be here: nobody would say that they have gone.
#[test]
fn a_full_roster_lists_nobody_more() {
    let mut scene = scene_with(AudienceLimits {
        people: 3,
        ..AudienceLimits::default()
    });
    let (mut grace, _) = scene.comes("Grace", GRACE);
    scene.comes("Linus", LINUS);
    scene.said_to_ada();
    let (mut eve, _) = scene.comes("Eve", 13);
    scene.says(
        "mallory",
        2,
        snapshot(json!({ "user": { "id": "mallory", "name": "Mallory" } })),
    );
    scene.shows(13, cursor("b.1"));
    scene.tick();
    let told = scene.said_to_ada();
    assert_eq!(told.len(), 1, "only Mallory, who speaks for himself: {told:?}");
    for receiver in [&mut grace, &mut eve] {
        let told = scene.told(receiver);
        assert_eq!(ids(&told[0].1), ["ada", "grace", "linus"]);
    }
    // When there is a place, Eve gets it with the next thing she does.
    scene.leaves(LINUS, Leaving::Left);
    scene.audience.heartbeat_live(scene.now, ConnectionId(13));
    scene.tick();
    let told = scene.told(&mut grace);
    assert_eq!(types(&told), ["user_left", "user_joined"]);
    assert_eq!(told[1].1["cursor"]["recordId"], "b.1");
}

/// Somebody is given up on the roster for a newcomer while they may still be back: the board goes with it.
#[test]
fn the_board_holds_no_more_than_the_roster() {
    let mut scene = scene_with(AudienceLimits {
        people: 3,
        ..AudienceLimits::default()
    });
    let (mut linus, _) = scene.comes("Linus", LINUS);
    scene.told(&mut linus);
    for number in 0..50 {
        let connection = 100 + number;
        scene.comes(&format!("Guest {number}"), connection);
        scene.tick();
        scene.leaves(connection, Leaving::Lost);
        scene.tick();
    }
    let (people, departed) = scene.audience.board.held();
    assert!(people <= 3 && departed <= 3, "{people}, {departed}");
    let told = scene.told(&mut linus);
    assert_eq!(types(&told), ["table_users"], "he is behind what is remembered");
    assert_eq!(ids(&told[0].1), ["ada", "linus"]);
}

#[test]
fn a_crowd_that_comes_at_once_is_a_list() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    scene.told(&mut grace);
    for number in 0..64 {
        scene.comes(&format!("Guest {number}"), 100 + number);
    }
    scene.tick();
    assert_eq!(scene.told(&mut grace).len(), 64);
    for number in 0..65 {
        scene.comes(&format!("Other {number}"), 200 + number);
    }
    scene.now += Duration::from_millis(100);
    scene.tick();
    let told = scene.told(&mut grace);
    assert_eq!(
        (types(&told), told[0].1.as_array().unwrap().len()),
        (vec!["table_users"], 1 + 1 + 64 + 65)
    );
}

/// A thousand receivers of twenty ticks a second are 20,000 wake-ups and writes: they get two.
#[test]
fn ticks_are_fewer_where_many_listen() {
    let mut scene = scene();
    let interval = |scene: &mut Scene, receivers: u64| {
        while (scene.audience.len() as u64) < 1 + receivers {
            let number = scene.audience.len() as u64;
            scene.comes(&format!("Guest {number}"), 1000 + number);
        }
        scene.now += Duration::from_secs(10);
        let now = scene.now;
        assert!(
            scene.audience.due(now).is_some_and(|due| due <= now),
            "after a quiet time it is due at once"
        );
        scene.audience.tick(now);
        assert_eq!(scene.audience.due(now), None, "nothing was said since");
        scene.counts += 1;
        let row = format!("b.{}", scene.counts);
        scene.says("ada", ADA, update("cursor", json!({ "row": row, "column": "c1" })));
        let due = scene.audience.due(now).expect("something is to be told");
        scene.audience.tick(due);
        due - now
    };
    assert_eq!(interval(&mut scene, 2), Duration::from_millis(50));
    assert_eq!(interval(&mut scene, 100), Duration::from_millis(50));
    assert_eq!(interval(&mut scene, 400), Duration::from_millis(200));
}

/// Whoever sleeps until the next tick is woken when one becomes due.
#[tokio::test]
async fn the_alarm_rings_when_there_is_something_to_tell() {
    let mut scene = scene();
    scene.comes("Grace", GRACE);
    let alarm = scene.audience.presence_alarm();
    scene.says("ada", ADA, update("cursor", json!({ "row": "b.1", "column": "c1" })));
    tokio::time::timeout(Duration::from_secs(5), alarm.notified())
        .await
        .expect("it rings");
}
