//! Leaving, being lost, being silent, and coming back.

use super::*;

#[test]
fn a_lost_connection_shows_nothing_at_once_and_is_back_within_its_time() {
    let mut scene = scene();
    let (mut linus, _) = scene.comes("Linus", LINUS);
    scene.comes("Grace", GRACE);
    scene.shows(GRACE, cursor("b.1"));
    scene.tick();
    scene.told(&mut linus);
    scene.said_to_ada();
    scene.leaves(GRACE, Leaving::Lost);
    let peer = user("Grace").peer();
    assert_eq!(scene.said_to_ada(), [(peer.clone(), Value::Null)]);
    scene.tick();
    let nowhere = json!([{ "userId": "grace", "deviceId": "laptop", "cursor": null }]);
    assert_eq!(scene.told(&mut linus), [("cursor_position".to_owned(), nowhere)]);
    let newcomer = scene.told(&mut Receiver::default());
    assert_eq!(ids(&newcomer[0].1), ["ada", "linus"], "off the list");
    scene.now += Duration::from_millis(4800);
    assert!(!scene.tick(), "and not said to have left");
    scene.comes("Grace", 13);
    assert_eq!(scene.said_to_ada().len(), 1);
    scene.tick();
    let told = scene.told(&mut linus);
    assert_eq!(types(&told), ["user_reconnected"]);
    assert_eq!((&told[0].1["userId"], told[0].1.get("cursor")), (&json!("grace"), None));
    scene.now += Duration::from_secs(10);
    assert!(!scene.tick(), "back for good");
}

#[test]
fn a_lost_connection_that_does_not_come_back_has_left_when_its_time_is_over() {
    let mut scene = scene();
    let (mut linus, _) = scene.comes("Linus", LINUS);
    scene.comes("Grace", GRACE);
    scene.tick();
    scene.told(&mut linus);
    let lost = scene.now;
    scene.leaves(GRACE, Leaving::Lost);
    scene.says("ada", ADA, payload::goodbye());
    scene.tick();
    let left = |user: &str, device: &str| ("user_left".to_owned(), json!({ "userId": user, "deviceId": device }));
    assert_eq!(
        scene.told(&mut linus),
        [left("ada", "ada")],
        "who says goodbye has left at once"
    );
    assert_eq!(scene.audience.due(scene.now), Some(lost + Duration::from_secs(5)));
    scene.now = lost + Duration::from_secs(5);
    assert!(scene.audience.tick(scene.now));
    assert_eq!(scene.told(&mut linus), [left("grace", "laptop")]);
    assert_eq!(scene.audience.due(scene.now), None);
    scene.comes("Grace", 13);
    scene.tick();
    assert_eq!(types(&scene.told(&mut linus)), ["user_joined"]);
}

/// A page of the sync door that reconnects goes on with an update, and does not repeat its name.
#[test]
fn the_same_holds_at_the_sync_door() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    scene.tick();
    scene.told(&mut grace);
    scene.audience.leave(ConnectionId(ADA), scene.now);
    assert!(scene.tick());
    assert_eq!(scene.told(&mut grace), [], "she showed no cursor");
    let mark = Mark::new(scene.ada.clone(), 7);
    scene.audience.enter(PeerId::parse("ada").unwrap(), mark);
    scene.says("ada", ADA, update("cursor", json!({ "row": "b.1", "column": "c1" })));
    scene.tick();
    let told = scene.told(&mut grace);
    assert_eq!(types(&told), ["user_reconnected"]);
    assert_eq!(told[0].1["userName"], "Ada");
    assert_eq!(told[0].1["cursor"]["recordId"], "b.1");
    // The demo page says goodbye and who it is in one breath when it is connected again: nobody has left.
    scene.says("ada", ADA, payload::goodbye());
    let anew = snapshot(json!({ "user": { "id": "ada", "name": "Ada L.", "color": 8 } }));
    scene.says("ada", ADA, anew);
    scene.tick();
    let told = scene.told(&mut grace);
    assert_eq!(types(&told), ["user_changed"]);
    assert_eq!(
        (&told[0].1["userName"], told[0].1.get("cursor")),
        (&json!("Ada L."), None)
    );
}

/// The client is back before the server has noticed that the old connection is dead.
#[test]
fn a_newer_connection_of_the_same_device_takes_the_place_of_the_older() {
    let mut scene = scene();
    let (mut linus, _) = scene.comes("Linus", LINUS);
    scene.comes("Grace", GRACE);
    scene.shows(GRACE, cursor("b.1"));
    scene.tick();
    scene.told(&mut linus);
    scene.comes("Grace", 13);
    scene.shows(GRACE, cursor("b.7"));
    scene.leaves(GRACE, Leaving::Left);
    scene.tick();
    let nowhere = json!([{ "userId": "grace", "deviceId": "laptop", "cursor": null }]);
    assert_eq!(scene.told(&mut linus), [("cursor_position".to_owned(), nowhere)]);
    scene.shows(13, cursor("b.2"));
    assert!(scene.tick());
    assert_eq!(scene.audience.people(scene.now).len(), 3);
}

#[test]
fn silence_is_a_goodbye_and_the_next_sign_of_life_shows_all_again() {
    let mut scene = scene();
    let (mut linus, _) = scene.comes("Linus", LINUS);
    scene.comes("Grace", GRACE);
    scene.shows(GRACE, cursor("b.1"));
    scene.tick();
    scene.told(&mut linus);
    scene.said_to_ada();
    for _ in 0..3 {
        scene.now += Duration::from_secs(15);
        scene.audience.heartbeat_live(scene.now, ConnectionId(LINUS));
        scene.says("ada", ADA, payload::heartbeat());
        scene.audience.expire(scene.now);
    }
    let (grace, goodbye) = (user("Grace").peer(), Value::Null);
    assert_eq!(
        scene.said_to_ada(),
        [(user("Linus").peer(), json!(true)), (grace.clone(), goodbye)]
    );
    scene.tick();
    let left = json!({ "userId": "grace", "deviceId": "laptop" });
    assert_eq!(scene.told(&mut linus), [("user_left".to_owned(), left)]);
    scene.audience.heartbeat_live(scene.now, ConnectionId(GRACE));
    let again = scene.said_to_ada();
    assert_eq!((&again[0].0, &again[0].1["cursor"]["row"]), (&grace, &json!("b.1")));
    scene.tick();
    let told = scene.told(&mut linus);
    assert_eq!(types(&told), ["user_joined"]);
    assert_eq!(told[0].1["cursor"]["recordId"], "b.1");
}

/// Signs of life come with every message of a client; the pages at the sync door need one now and then.
#[test]
fn signs_of_life_are_passed_on_now_and_then() {
    let mut scene = scene();
    scene.comes("Grace", GRACE);
    scene.said_to_ada();
    for _ in 0..120 {
        scene.now += Duration::from_millis(250);
        scene.audience.heartbeat_live(scene.now, ConnectionId(GRACE));
        scene.shows(GRACE, Showing::Cursor(None));
    }
    assert_eq!(scene.said_to_ada().len(), 1, "they are conflated in her lane");
    assert_eq!(scene.audience.people(scene.now)[1].seen_ms, 0);
}
