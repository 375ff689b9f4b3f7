//! Receivers that see some of the rows.

use super::*;

fn window(id: u64, generation: u64, rows: &[&str]) -> Window {
    let rows: HashSet<_> = rows.iter().map(|row| RowId::parse(row).unwrap()).collect();
    Window {
        id,
        generation,
        rows: Arc::new(rows),
    }
}

fn moves(scene: &mut Scene, row: &str) {
    scene.says("ada", ADA, update("cursor", json!({ "row": row, "column": "c1" })));
}

/// The rows where Ada is said to be; null where she is said to be nowhere.
fn rows(told: &[(String, Value)]) -> Vec<Value> {
    let cursors = told.iter().filter(|(name, _)| name == "cursor_position");
    cursors.map(|(_, of)| of[0]["cursor"]["recordId"].clone()).collect()
}

#[test]
fn a_cursor_is_told_inside_the_window_and_once_when_it_leaves() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    let (mut linus, _) = scene.comes("Linus", LINUS);
    grace.window = Some(window(1, 0, &["b.1", "b.2"]));
    moves(&mut scene, "b.7");
    scene.tick();
    let users = scene.told(&mut grace);
    assert_eq!(ids(&users[0].1), ["ada", "grace", "linus"]);
    assert!(users[0].1[0].get("cursor").is_none(), "she is elsewhere");
    scene.told(&mut linus);
    let mut seen = |scene: &mut Scene, row: &str| {
        moves(scene, row);
        scene.tick();
        let (hers, his) = (scene.told(&mut grace), scene.told(&mut linus));
        assert_eq!(rows(&his), [json!(row)], "who sees all rows sees her");
        rows(&hers)
    };
    assert_eq!(seen(&mut scene, "b.8"), [] as [Value; 0]);
    assert_eq!(seen(&mut scene, "b.1"), ["b.1"]);
    assert_eq!(seen(&mut scene, "b.2"), ["b.2"]);
    assert_eq!(seen(&mut scene, "b.9"), [Value::Null]);
    assert_eq!(seen(&mut scene, "b.7"), [] as [Value; 0]);
}

#[test]
fn those_who_look_through_the_same_window_share_their_frames() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    let (mut linus, _) = scene.comes("Linus", LINUS);
    let shared = window(1, 0, &["b.1"]);
    (grace.window, linus.window) = (Some(shared.clone()), Some(shared));
    assert!(Arc::ptr_eq(&scene.pull(&mut grace), &scene.pull(&mut linus)));
    moves(&mut scene, "b.1");
    scene.tick();
    let (one, other) = (scene.pull(&mut grace), scene.pull(&mut linus));
    assert!(one.len() == 2 && Arc::ptr_eq(&one, &other), "{one:?}");
}

/// A row was inserted above: the window shows other rows, though nobody has moved.
#[test]
fn when_the_rows_of_a_window_become_others_the_next_tick_tells_the_difference() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    grace.window = Some(window(1, 0, &["b.1", "b.2"]));
    moves(&mut scene, "b.2");
    scene.shows(GRACE, cursor("b.3"));
    scene.tick();
    scene.told(&mut grace);
    grace.window = Some(window(1, 1, &["b.1", "b.3"]));
    assert_eq!(scene.told(&mut grace), []);
    assert!(scene.tick(), "a tick was due");
    let told = scene.told(&mut grace);
    let cursors = json!([
        { "userId": "ada", "deviceId": "ada", "cursor": null },
        { "userId": "grace", "deviceId": "laptop", "cursor": { "recordId": "b.3", "fieldId": "c1" } },
    ]);
    assert_eq!(told, [("cursor_position".to_owned(), cursors)]);
    assert!(!scene.tick());
}

/// Scrolling is another window, of which nothing was told yet.
#[test]
fn another_window_begins_with_everybody() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    moves(&mut scene, "b.2");
    scene.tick();
    for (id, row, seen) in [(1, "b.1", None), (2, "b.2", Some("b.2")), (1, "b.1", None)] {
        grace.window = Some(window(id, 0, &[row]));
        let told = scene.told(&mut grace);
        assert_eq!(types(&told), ["table_users"]);
        assert_eq!(told[0].1[0]["cursor"]["recordId"].as_str(), seen);
        assert_eq!(scene.told(&mut grace), []);
    }
}

#[test]
fn a_selection_is_seen_from_both_of_its_ends() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    grace.window = Some(window(1, 0, &["b.2"]));
    scene.told(&mut grace);
    let place = |row: &str| json!({ "row": row, "column": "c1" });
    for (from, to, seen) in [
        ("b.1", "b.2", 1),
        ("b.2", "b.5", 1),
        ("b.4", "b.5", 1),
        ("b.6", "b.7", 0),
    ] {
        scene.says(
            "ada",
            ADA,
            update("selection", json!({ "from": place(from), "to": place(to) })),
        );
        scene.tick();
        let told = scene.told(&mut grace);
        assert_eq!(told.len(), seen, "{from} to {to}");
    }
}

/// A receiver has one window open at most. Those it has left behind are forgotten, and cost a list of everybody if they are
/// opened again.
#[test]
fn windows_are_bounded() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    let (mut linus, _) = scene.comes("Linus", LINUS);
    linus.window = Some(window(0, 0, &["b.1"]));
    scene.told(&mut linus);
    for id in 1..1000 {
        grace.window = Some(window(id, 0, &["b.1"]));
        scene.told(&mut grace);
    }
    assert_eq!(scene.audience.board.windows(), 2 + 16);
    moves(&mut scene, "b.1");
    scene.tick();
    assert_eq!(types(&scene.told(&mut linus)), ["table_users"]);
    scene.audience.forget_window(0);
    assert_eq!(scene.audience.board.windows(), 2 + 15);
}

#[test]
fn a_window_forgets_those_who_left() {
    let mut scene = scene();
    let (mut grace, _) = scene.comes("Grace", GRACE);
    grace.window = Some(window(1, 0, &["b.1"]));
    for number in 0..20 {
        scene.comes(&format!("Guest {number}"), 100);
        scene.shows(100, cursor("b.1"));
        scene.tick();
        scene.told(&mut grace);
        assert_eq!(scene.audience.board.inside(1), 1);
        scene.leaves(100, Leaving::Left);
        scene.tick();
        scene.told(&mut grace);
    }
    assert_eq!(scene.audience.board.inside(1), 0);
}
