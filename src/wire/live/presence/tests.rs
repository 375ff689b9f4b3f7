use serde_json::json;

use super::*;
use crate::wire::cbor::Raw;
use crate::wire::json::to_cbor;

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn read<T>(value: serde_json::Value, from: impl Fn(Raw<'_>) -> Option<T>) -> Option<T> {
    from(Raw::parse(&to_cbor(&value)).unwrap())
}

/// What node answers for `colorOf` of web-demo/src/person.ts.
#[test]
fn a_person_has_the_colour_that_the_page_gives_them() {
    let colours = [
        ("ada", 3),
        ("grace", 7),
        ("8f14e45f", 2),
        ("Jürgen", 5),
        ("日本", 6),
        ("🦦otter", 5),
        ("", 1),
        ("user-1", 0),
        ("user-42", 9),
    ];
    for (id, colour) in colours {
        assert_eq!(color_of(id), colour, "{id}");
    }
}

#[test]
fn what_is_shown_at_one_door_reads_back_at_the_other() {
    let cursor = Cursor {
        record_id: id("b.r"),
        field_id: id("c1"),
        x: Some(3.0),
        y: Some(-0.25),
    };
    let cell = |record: &str| Cell {
        record_id: id(record),
        field_id: id("c1"),
    };
    let selection = Selection {
        from: cell("b.r"),
        to: cell("b.s"),
    };
    let typing = Typing {
        record_id: id("b.r"),
        field_id: id("c1"),
        text: "Grüße".into(),
    };
    let who = Who::new(id("ada"), Some(" Ada "), Some("https://example.org/ada.png"));
    assert_eq!(
        Cursor::from_channel(Raw::parse(&cursor.to_channel()).unwrap()),
        Some(cursor)
    );
    assert_eq!(
        Selection::from_channel(Raw::parse(&selection.to_channel()).unwrap()),
        Some(selection)
    );
    assert_eq!(
        Typing::from_channel(Raw::parse(&typing.to_channel()).unwrap()),
        Some(typing)
    );
    assert_eq!((who.name.as_str(), who.color), ("Ada", 3));
    assert_eq!(Who::from_channel(Raw::parse(&who.to_channel()).unwrap()), Some(who));
}

#[test]
fn a_user_channel_of_a_page_and_one_of_a_program_are_understood() {
    let of_page = read(json!({ "id": "u", "name": "Ada", "color": 8 }), Who::from_channel).unwrap();
    assert_eq!((of_page.name.as_str(), of_page.color), ("Ada", 8));
    let of_program = read(
        json!({ "userId": "ada", "name": "Bot", "color": "#0a7" }),
        Who::from_channel,
    )
    .unwrap();
    assert_eq!((of_program.id.as_str(), of_program.color), ("ada", 3));
}

#[test]
fn what_has_not_the_shape_of_its_channel_is_nothing() {
    let long = "x".repeat(MAX_ID_CHARS + 1);
    for user in [
        json!(null),
        json!("Ada"),
        json!({ "id": 7, "name": "Ada" }),
        json!({ "id": "" }),
        json!({ "id": long }),
    ] {
        assert_eq!(read(user.clone(), Who::from_channel), None, "{user}");
    }
    for cursor in [
        json!(null),
        json!([]),
        json!({ "row": "r" }),
        json!({ "row": 1, "column": "c" }),
        json!({ "row": long, "column": "c" }),
    ] {
        assert_eq!(read(cursor.clone(), Cursor::from_channel), None, "{cursor}");
        assert_eq!(read(cursor.clone(), Typing::from_channel), None, "{cursor}");
        let selection = json!({ "from": cursor, "to": { "row": "r", "column": "c" } });
        assert_eq!(read(selection, Selection::from_channel), None);
    }
    let odd = json!({ "row": "r", "column": "c", "x": "left", "y": 1e300 });
    let cursor = read(odd, Cursor::from_channel).unwrap();
    assert_eq!((cursor.x, cursor.y), (None, Some(1e300)));
    // NaN and infinity, which no JSON holds.
    let mut endless = minicbor::Encoder::new(Vec::new());
    endless.map(4).unwrap().str("row").unwrap().str("r").unwrap();
    endless.str("column").unwrap().str("c").unwrap();
    endless.str("x").unwrap().f64(f64::NAN).unwrap();
    endless.str("y").unwrap().f64(f64::INFINITY).unwrap();
    let cursor = Cursor::from_channel(Raw::parse(&endless.into_writer()).unwrap()).unwrap();
    assert_eq!((cursor.x, cursor.y), (None, None));
}

#[test]
fn names_pictures_and_what_is_typed_are_bounded() {
    let long = "ü".repeat(300);
    let user = json!({ "id": "u", "name": long, "color": 10 });
    let who = read(user, Who::from_channel).unwrap();
    assert_eq!(who.name.chars().count(), MAX_NAME_CHARS);
    assert_eq!(who.color, color_of("u"), "there is no colour 10");
    for (url, is_shown) in [
        (format!("https://example.org/{}", "x".repeat(MAX_AVATAR_BYTES)), false),
        ("javascript:alert(1)".into(), false),
        ("https://example.org/u.png".into(), true),
    ] {
        let user = json!({ "id": "u", "avatarUrl": url });
        assert_eq!(
            read(user, Who::from_channel).unwrap().avatar_url.is_some(),
            is_shown,
            "{url}"
        );
    }
    let typing = json!({ "row": "r", "column": "c", "text": long });
    let typing = read(typing, Typing::from_channel).unwrap();
    assert_eq!(typing.text.chars().count(), MAX_TYPING_CHARS);
    assert_eq!(
        read(json!({ "id": "u", "name": "  " }), Who::from_channel)
            .unwrap()
            .name,
        "u"
    );
}

#[test]
fn a_message_is_a_frame_as_the_door_sends_it() {
    let cursor: Cursor = serde_json::from_value(json!({ "recordId": "b.r", "fieldId": "c1" })).unwrap();
    let user = User {
        user_id: "ada",
        user_name: "Ada",
        avatar_url: None,
        color: 3,
        device_id: "laptop",
        door: Door::Live,
        cursor: Some(&cursor),
        selection: None,
        typing: None,
    };
    let joined = Message::UserJoined { table_id: "t", user };
    assert_eq!(
        serde_json::to_value(joined).unwrap(),
        json!({ "type": "user_joined", "data": { "tableId": "t", "user": { "userId": "ada", "userName": "Ada", "color": 3,
            "deviceId": "laptop", "door": "live", "cursor": { "recordId": "b.r", "fieldId": "c1" } } } })
    );
    let gone = CursorOf {
        user_id: "ada",
        device_id: "laptop",
        cursor: None,
    };
    let moved = Message::CursorPosition {
        table_id: "t",
        cursors: vec![gone],
    };
    assert_eq!(
        serde_json::to_value(moved).unwrap(),
        json!({ "type": "cursor_position",
            "data": { "tableId": "t", "cursors": [{ "userId": "ada", "deviceId": "laptop", "cursor": null }] } })
    );
}

#[test]
fn what_a_client_sends_is_read_to_the_letter() {
    let misspelt = serde_json::from_value::<Cursor>(json!({ "recordId": "r", "fieldId": "c", "z": 1 }));
    assert!(misspelt.unwrap_err().to_string().contains("z"));
    let empty = serde_json::from_value::<Typing>(json!({ "recordId": "", "fieldId": "c" }));
    assert!(empty.unwrap_err().to_string().contains("1 to 256 characters"));
}
