//! What those at one door see of those at the other.

use super::*;

#[test]
fn ada_and_grace_see_each_other_move_and_grace_leaves() {
    let mut scene = scene();
    scene.says("ada", ADA, update("cursor", json!({ "row": "b.1", "column": "c1" })));
    let (mut grace, mark) = scene.comes("Grace", GRACE);
    let peer = user("Grace").peer();
    let shown = json!({ "user": { "id": "grace", "name": "Grace", "color": 7 },
        "cursor": null, "selection": null, "typing": null });
    assert_eq!(scene.said_to_ada(), [(peer.clone(), shown)]);
    let at = |row: &str| json!({ "recordId": row, "fieldId": "c1" });
    assert_eq!(
        scene.told(&mut grace),
        [(
            "table_users".to_owned(),
            json!([
                { "userId": "ada", "userName": "Ada", "color": 8, "deviceId": "ada", "door": "sync", "cursor": at("b.1") },
                { "userId": "grace", "userName": "Grace", "color": 7, "deviceId": "laptop", "door": "live" },
            ])
        )]
    );
    scene.shows(GRACE, cursor("b.2"));
    assert_eq!(
        scene.said_to_ada(),
        [(peer.clone(), json!(["cursor", { "row": "b.2", "column": "c1" }]))]
    );
    scene.says(
        "ada",
        ADA,
        update("cursor", json!({ "row": "b.3", "column": "c1", "x": 0.5 })),
    );
    assert_eq!(scene.told(&mut grace), [], "not before the tick");
    assert!(scene.tick());
    assert_eq!(mark.inbox().take().marked, [3]);
    assert_eq!(
        scene.told(&mut grace),
        [(
            "cursor_position".to_owned(),
            json!([
                { "userId": "ada", "deviceId": "ada", "cursor": { "recordId": "b.3", "fieldId": "c1", "x": 0.5 } },
                { "userId": "grace", "deviceId": "laptop", "cursor": at("b.2") },
            ])
        )]
    );
    scene.says("ada", ADA, update("cursor", Value::Null));
    scene.tick();
    let none = json!([{ "userId": "ada", "deviceId": "ada", "cursor": null }]);
    assert_eq!(scene.told(&mut grace), [("cursor_position".to_owned(), none)]);
    scene.leaves(GRACE, Leaving::Left);
    assert_eq!(scene.said_to_ada(), [(peer, Value::Null)]);
    assert_eq!(scene.audience.due(scene.now), None, "nobody listens any more");
    assert_eq!(scene.audience.len(), 1);
}

#[test]
fn selections_and_what_is_typed_are_told_as_well() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    scene.told(&mut grace);
    let place = |row: &str| json!({ "row": row, "column": "c1" });
    scene.says(
        "ada",
        ADA,
        update("selection", json!({ "from": place("b.1"), "to": place("b.2") })),
    );
    scene.says(
        "ada",
        ADA,
        update("typing", json!({ "row": "b.1", "column": "c1", "text": "12" })),
    );
    scene.tick();
    let cell = |row: &str| json!({ "recordId": row, "fieldId": "c1" });
    assert_eq!(
        scene.told(&mut grace),
        [
            (
                "selection".to_owned(),
                json!([{ "userId": "ada", "deviceId": "ada", "selection": { "from": cell("b.1"), "to": cell("b.2") } }])
            ),
            (
                "typing".to_owned(),
                json!([{ "userId": "ada", "deviceId": "ada", "cell": { "recordId": "b.1", "fieldId": "c1", "text": "12" } }])
            ),
        ]
    );
    scene.said_to_ada();
    let typing = json!({ "recordId": "b.9", "fieldId": "c1", "text": "x".repeat(300) });
    scene.shows(GRACE, Showing::Typing(serde_json::from_value(typing).unwrap()));
    let said = scene.said_to_ada().remove(0).1;
    assert_eq!(said[1]["text"].as_str().unwrap().len(), 200);
}

/// What is told to a hundred is made once: it is the same bytes in the same place.
#[test]
fn a_hundred_moves_between_two_ticks_are_one_and_all_receivers_share_it() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    let (mut linus, _) = scene.comes("Linus", LINUS);
    scene.tick();
    for receiver in [&mut grace, &mut linus] {
        scene.pull(receiver);
    }
    scene.said_to_ada();
    for row in 0..100 {
        scene.says(
            "ada",
            ADA,
            update("cursor", json!({ "row": format!("b.{row}"), "column": "c1" })),
        );
        scene.shows(GRACE, cursor(&format!("b.{row}")));
    }
    assert!(scene.tick());
    let (one, other) = (scene.pull(&mut grace), scene.pull(&mut linus));
    assert_eq!(one.len(), 1);
    assert!(Arc::ptr_eq(&one, &other) && one[0].as_ptr() == other[0].as_ptr());
    let said: Value = serde_json::from_str(&one[0]).unwrap();
    let rows = said["data"]["cursors"].as_array().unwrap().iter();
    assert_eq!(
        rows.map(|of| of["cursor"]["recordId"].clone()).collect::<Vec<_>>(),
        ["b.99", "b.99"]
    );
    assert_eq!(scene.said_to_ada().len(), 1, "the newest of Grace");
    // What comes to the same is no news.
    scene.says("ada", ADA, update("cursor", json!({ "row": "b.99", "column": "c1" })));
    assert!(!scene.tick());
}

#[test]
fn one_who_is_far_behind_gets_the_newest_only() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    scene.told(&mut grace);
    for row in ["b.1", "b.2", "b.3"] {
        scene.comes("Linus", LINUS);
        scene.says("ada", ADA, update("cursor", json!({ "row": row, "column": "c1" })));
        scene.tick();
        scene.leaves(LINUS, Leaving::Left);
        scene.tick();
    }
    let at = json!({ "recordId": "b.3", "fieldId": "c1" });
    let ada = json!([{ "userId": "ada", "deviceId": "ada", "cursor": at }]);
    assert_eq!(
        scene.told(&mut grace),
        [("cursor_position".to_owned(), ada)],
        "whom she was never told of has not left for her"
    );
}

#[test]
fn a_new_name_is_no_arrival() {
    let mut scene = scene();
    let (mut linus, mark) = scene.comes("Linus", LINUS);
    scene.told(&mut linus);
    scene.said_to_ada();
    let mut renamed = user("Linus");
    renamed.who.name = "Linus T.".into();
    scene.audience.enter_live(scene.now, &renamed, mark);
    assert_eq!(scene.said_to_ada()[0].1[1]["name"], "Linus T.");
    scene.tick();
    let told = scene.told(&mut linus);
    assert_eq!(
        (types(&told), &told[0].1["userName"]),
        (vec!["user_changed"], &json!("Linus T."))
    );
}

#[test]
fn programs_are_told_of_and_the_list_over_http_has_all_doors() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    scene.told(&mut grace);
    let agent = PeerId::of_agent("7").unwrap();
    let state = json!({ "user": { "userId": "bot-7", "name": "Bot", "color": "#0a7" }, "cursor": { "row": "b.1", "column": "c1" } });
    let state: Vec<_> = state
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), cbor::to_cbor(value)))
        .collect();
    scene.audience.show_agent(scene.now, &agent, &state).unwrap();
    scene.tick();
    let told = scene.told(&mut grace);
    assert_eq!(types(&told), ["user_joined"]);
    let (bot, door) = (&told[0].1, json!("rest"));
    assert_eq!(
        (&bot["userId"], &bot["deviceId"], &bot["door"]),
        (&json!("bot-7"), &json!("agent:7"), &door)
    );
    let people = scene.audience.people(scene.now);
    let listed = people.iter().map(|person| {
        (
            person.peer_id.as_str(),
            person.kind,
            person.state["user"]["name"].clone(),
        )
    });
    let peer = user("Grace").peer();
    assert_eq!(
        listed.collect::<Vec<_>>(),
        [
            ("ada", "presence", json!("Ada")),
            ("agent:7", "presence", json!("Bot")),
            (peer.as_str(), "presence", json!("Grace")),
        ]
    );
    scene.audience.dismiss_agent(scene.now, &agent);
    scene.tick();
    assert_eq!(types(&scene.told(&mut grace)), ["user_left"]);
}

/// A page that opens the document later is told of those at the live door at once.
#[test]
fn a_newcomer_at_the_sync_door_is_told_of_those_at_the_live_one() {
    let mut scene = scene();
    scene.comes("Grace", GRACE);
    scene.shows(GRACE, cursor("b.1"));
    let inbox = Inbox::new(ConnectionId(2), Lane::new(Default::default()));
    scene
        .audience
        .enter(PeerId::parse("bob").unwrap(), Mark::new(inbox.clone(), 7));
    scene.audience.tell_of_others(ConnectionId(2));
    let senders = std::iter::from_fn(|| inbox.take_from_lane(Lane::pop)).map(|(_, told)| told.sender.clone());
    assert_eq!(
        senders.collect::<Vec<_>>(),
        [PeerId::parse("ada").unwrap(), user("Grace").peer()]
    );
}
