//! Frames recorded from the JavaScript client and its reference server, and every quirk of their CBOR dialect.
//!
//! `fixtures/frames/frames.json` says what each recorded frame holds; the `.bin` files are the bytes on the wire.

use bytes::Bytes;
use minicbor::Encoder;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::id::{DocumentId, PeerId, StorageId};
use roundtable::wire::cbor::{Malformed, Raw};
use roundtable::wire::json::to_json;
use roundtable::wire::payload::{self, Payload, Presence};
use roundtable::wire::repo::*;
use serde_json::{Value, json};
use std::path::Path;

struct Recorded {
    name: String,
    frame: Bytes,
    decoded: Value,
    payload: Value,
}

fn recorded() -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/frames");
    let list: Value = serde_json::from_slice(&std::fs::read(folder.join("frames.json")).unwrap()).unwrap();
    let frames = list["frames"].as_array().unwrap().iter().zip(1..);
    let frames = frames.map(|(frame, number)| {
        let name = frame["name"].as_str().unwrap().to_owned();
        let bytes = std::fs::read(folder.join(format!("{number:02}-{name}.bin"))).unwrap();
        Recorded {
            name,
            frame: bytes.into(),
            decoded: frame["decoded"].clone(),
            payload: frame["payload"].clone(),
        }
    });
    frames.collect()
}

fn decode(frame: &[u8]) -> Result<Message, FrameError> {
    Message::decode(&Bytes::copy_from_slice(frame))
}

fn unhex(hex: &str) -> Bytes {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect::<Vec<_>>()
        .into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A frame written by hand, entry by entry.
fn frame(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    out.map(entries.len() as u64).unwrap();
    for (key, value) in entries {
        out.str(key).unwrap().writer_mut().extend_from_slice(value);
    }
    out.into_writer()
}

fn text(value: &str) -> Vec<u8> {
    minicbor::to_vec(value).unwrap()
}

/// A frame of that type from Ada about "doc", with more entries.
fn from_ada(kind: &str, more: &[(&str, &[u8])]) -> Vec<u8> {
    let (kind, ada, doc) = (text(kind), text("ada"), text("doc"));
    let entries: [(&str, &[u8]); 3] = [("type", &kind), ("senderId", &ada), ("documentId", &doc)];
    frame(&[&entries, more].concat())
}

fn peer(name: &str) -> PeerId {
    PeerId::parse(name).unwrap()
}

fn ephemeral(count: u64, data: &'static [u8]) -> Ephemeral {
    Ephemeral {
        sender: peer("ada"),
        target: Some(peer("server")),
        document: "doc".to_owned(),
        count,
        session: "s1".to_owned(),
        data: Bytes::from_static(data),
    }
}

/// What a decoded message says, in the words of the recording.
fn described(message: &Message) -> Value {
    let mut said = json!({ "type": message.kind() });
    let mut put = |key: &str, value: Value| said[key] = value;
    let bytes = |data: &Bytes| json!({ "$bytes": hex(data) });
    let target_of = |target: &Option<PeerId>| json!(target.as_ref().map(|target| target.as_str()));
    let described = |metadata: &PeerMetadata| {
        let undefined = json!({ "$undefined": true });
        let storage = metadata.storage_id.as_ref().map_or(undefined, |id| json!(id.as_str()));
        json!({ "storageId": storage, "isEphemeral": metadata.is_ephemeral })
    };
    put("senderId", json!(message.sender().unwrap().as_str()));
    match message {
        Message::Join { metadata, versions, .. } => {
            put("peerMetadata", described(metadata));
            put("supportedProtocolVersions", json!(versions));
        }
        Message::Peer {
            target,
            metadata,
            version,
            ..
        } => {
            put("targetId", target_of(target));
            put("peerMetadata", described(metadata));
            put("selectedProtocolVersion", json!(version));
        }
        Message::Error { target, message, .. } => {
            put("targetId", target_of(target));
            put("message", json!(message));
        }
        Message::Leave { .. } | Message::Unknown { .. } => {}
        Message::Request {
            target, document, data, ..
        }
        | Message::Sync {
            target, document, data, ..
        } => {
            put("targetId", target_of(target));
            put("documentId", json!(document));
            put("data", bytes(data));
        }
        Message::DocUnavailable { target, document, .. } => {
            put("targetId", target_of(target));
            put("documentId", json!(document));
        }
        Message::Ephemeral(ephemeral) => {
            put("targetId", target_of(&ephemeral.target));
            put("documentId", json!(ephemeral.document));
            put("count", json!(ephemeral.count));
            put("sessionId", json!(ephemeral.session));
            put("data", bytes(&ephemeral.data));
        }
        Message::RemoteSubscriptionChange {
            target, add, remove, ..
        } => {
            put("targetId", target_of(target));
            put("add", json!(add.iter().map(|id| id.as_str()).collect::<Vec<_>>()));
            assert!(remove.is_empty());
            put("remove", json!({ "$undefined": true }));
        }
        Message::RemoteHeadsChanged {
            target,
            document,
            heads,
            ..
        } => {
            put("targetId", target_of(target));
            put("documentId", json!(document));
            let entries = heads.iter().map(|(storage, known)| {
                let heads = known
                    .heads
                    .iter()
                    .map(|head| bs58::encode(head).with_check().into_string());
                let heads: Vec<_> = heads.collect();
                (
                    storage.to_string(),
                    json!({ "heads": heads, "timestamp": known.timestamp as u64 }),
                )
            });
            put("newHeads", Value::Object(entries.collect()));
        }
    }
    said
}

#[test]
fn each_recorded_frame_says_what_was_recorded() {
    let recorded = recorded();
    assert_eq!(recorded.len(), 27);
    for Recorded {
        name, frame, decoded, ..
    } in recorded
    {
        let message = Message::decode(&frame).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(described(&message), decoded, "{name}");
        assert_eq!(
            Message::decode(&message.encode()),
            Ok(message),
            "{name}, encoded and decoded again"
        );
    }
}

/// A frame may be a whole document: its data is not copied.
#[test]
fn data_is_a_slice_of_the_frame() {
    let data = vec![7; 1 << 20];
    let mut out = Encoder::new(Vec::new());
    out.bytes(&data).unwrap();
    let frame = Bytes::from(from_ada("sync", &[("data", out.writer())]));
    let Ok(Message::Sync { data: sliced, .. }) = Message::decode(&frame) else {
        panic!("not a sync message");
    };
    assert_eq!(sliced, data);
    assert!(frame.as_ptr_range().contains(&sliced.as_ptr()));
}

#[test]
fn recorded_payloads_are_recognised_and_read_as_json() {
    for Recorded {
        name, frame, payload, ..
    } in recorded()
    {
        let Ok(Message::Ephemeral(Ephemeral { data, .. })) = Message::decode(&frame) else {
            continue;
        };
        let json = to_json(Raw::parse(&data).unwrap(), &mut 100).unwrap();
        let shape = match (name.as_str(), Payload::decode(&data)) {
            ("ephemeral-awareness-legacy", Payload::Awareness { user, .. }) => user.text() == Some("bob"),
            ("presence-snapshot", Payload::Presence(Presence::Snapshot { state })) => state.len() == 2,
            ("presence-update", Payload::Presence(Presence::Update { channel, .. })) => channel == "cursor",
            ("presence-heartbeat", Payload::Presence(Presence::Heartbeat)) => true,
            ("presence-goodbye", Payload::Presence(Presence::Goodbye)) => true,
            ("ephemeral-plain" | "ephemeral-relayed" | "ephemeral-echo", Payload::Opaque) => {
                let cursor = &json["cursor"];
                assert_eq!(cursor["when"], "2023-11-14T22:13:20.000Z");
                assert_eq!(
                    (&cursor["big"], &cursor["b"]),
                    (&json!(1_700_000_000_000_u64), &json!({"$bytes": 3}))
                );
                assert_eq!((&cursor["y"], &cursor["neg"]), (&json!(2.5), &json!(-5)));
                assert!(cursor.get("u").is_none() && cursor["n"].is_null());
                continue;
            }
            _ => false,
        };
        assert!(shape, "{name} was taken for something else");
        assert_eq!(json, payload, "{name}");
    }
}

#[test]
fn what_the_server_makes_itself_is_recognised_again() {
    let value = [0xb9, 0, 1, 0x61, 0x78, 0xfb, 0x40, 0x04, 0, 0, 0, 0, 0, 0];
    let made = payload::snapshot([("cell", &value[..]), ("name", &[0xf7])].into_iter());
    let Payload::Presence(Presence::Snapshot { state }) = Payload::decode(&made) else {
        panic!("not a snapshot");
    };
    assert_eq!((state[0].0, state[0].1.encoded()), ("cell", &value[..]));
    assert_eq!((state[1].0, state[1].1.encoded()), ("name", &[0xf7][..]));
    assert_eq!(
        Payload::decode(&payload::goodbye()),
        Payload::Presence(Presence::Goodbye)
    );
}

/// Releases differ in what stands beside the type; a value set to undefined may come without its key.
#[test]
fn presence_with_extra_keys_is_still_presence() {
    let presence = |entries: &[(&str, &[u8])]| frame(&[("other", &[0x01]), ("__presence", &frame(entries))]);
    let (update, cell, ada) = (text("update"), text("cell"), text("ada"));
    let data = presence(&[
        ("userId", &ada),
        ("type", &update),
        ("deviceId", &[0x82, 1, 2]),
        ("channel", &cell),
    ]);
    let Payload::Presence(Presence::Update { channel, value }) = Payload::decode(&data) else {
        panic!("not an update");
    };
    assert_eq!((channel, value.is_undefined()), ("cell", true));
    let wave = text("wave");
    assert_eq!(Payload::decode(&presence(&[("type", &wave)])), Payload::Opaque);
    assert_eq!(Payload::decode(&frame(&[("__presence", &[0x01])])), Payload::Opaque);
}

#[test]
fn peeking_tells_whose_ephemeral_it_is_and_nothing_of_other_frames() {
    for Recorded {
        name, frame, decoded, ..
    } in recorded()
    {
        let peeked = peek_ephemeral(&frame).map(|peek| json!([peek.sender, peek.session]));
        let expected = (decoded["type"] == "ephemeral").then(|| json!([decoded["senderId"], decoded["sessionId"]]));
        assert_eq!(peeked, expected, "{name}");
    }
    assert_eq!(peek_ephemeral(&[0xff]), None);
}

#[test]
fn the_quick_encoders_say_the_same_as_the_general_one() {
    let document = DocumentId::parse("4Y379J4LpGUJCz5FM7miCHH5AK4u").unwrap();
    let sync = Message::Sync {
        sender: peer("server"),
        target: Some(peer("ada")),
        document: document.to_string(),
        data: Bytes::from_static(&[0x42, 1]),
    };
    assert_eq!(
        sync_frame(&peer("server"), &peer("ada"), &document, &[0x42, 1]),
        sync.encode()
    );
    let relayed = Ephemeral {
        target: Some(peer("grace")),
        ..ephemeral(7, &[0x01])
    };
    assert_eq!(
        ephemeral_frame(&ephemeral(7, &[0x01]), &peer("grace")),
        Message::Ephemeral(relayed).encode()
    );
}

/// The JavaScript decoder makes a BigInt of a uint64, which some applications cannot take.
#[test]
fn numbers_go_out_as_javascript_writes_them() {
    let encoded = |count| Message::Ephemeral(ephemeral(count, &[0x01])).encode();
    let has = |frame: &Bytes, part: &[u8]| frame.windows(part.len()).any(|window| window == part);
    assert!(has(&encoded(7), b"count\x07"));
    assert!(has(&encoded(u32::MAX.into()), b"count\x1a\xff\xff\xff\xff"));
    assert!(has(&encoded(1 << 32), b"count\xfb\x41\xf0\x00\x00\x00\x00\x00\x00"));
    let heads = Message::RemoteHeadsChanged {
        sender: peer("server"),
        target: None,
        document: "doc".to_owned(),
        heads: vec![(
            StorageId::parse("laptop").unwrap(),
            RemoteHeads {
                heads: vec![],
                timestamp: 1.0,
            },
        )],
    };
    assert!(has(&heads.encode(), b"timestamp\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00"));
}

/// Written by cbor-x as the client sets it up: a count beyond 32 bits is a float, and the payload holds lone surrogates.
#[test]
fn an_ephemeral_with_lone_surrogates_is_relayed_and_read_with_replacements() {
    let frame = unhex(
        "b90007647479706569657068656d6572616c6873656e64657249646361646168746172676574496461736a646f63756d656e744964\
         63646f6365636f756e74fb41f00000000000006973657373696f6e49646178646461746153b9000266637572736f7263eda08063ed\
         b08001",
    );
    let Ok(Message::Ephemeral(message)) = Message::decode(&frame) else {
        panic!("dropped");
    };
    assert_eq!(message.count, 1 << 32);
    assert_eq!(
        Message::decode(&ephemeral_frame(&message, &peer("s"))),
        Ok(Message::Ephemeral(message.clone()))
    );
    let json = to_json(Raw::parse(&message.data).unwrap(), &mut 10).unwrap();
    assert_eq!(
        json,
        json!({"cursor": "\u{fffd}\u{fffd}\u{fffd}", "\u{fffd}\u{fffd}\u{fffd}": 1})
    );
}

#[test]
fn counts_and_bytes_are_read_in_every_form_clients_write() {
    let bigint = unhex(
        "b90007647479706569657068656d6572616c6873656e64657249646361646168746172676574496461736a646f63756d656e744964\
         63646f6365636f756e741b00000000000000c86973657373696f6e4964617864646174614101",
    );
    assert!(matches!(
        Message::decode(&bigint),
        Ok(Message::Ephemeral(Ephemeral { count: 200, .. }))
    ));
    let tagged = unhex(
        "b9000564747970656473796e636873656e64657249646361646168746172676574496461736a646f63756d656e74496463646f6364\
         64617461d84043010203",
    );
    assert!(matches!(Message::decode(&tagged), Ok(Message::Sync { data, .. }) if data == [1, 2, 3][..]));
    // One more than the highest: it could not be relayed without becoming another.
    let beyond = [&[0x1b][..], &(MAX_COUNT + 1).to_be_bytes()].concat();
    let more = [
        ("sessionId", &text("s")[..]),
        ("data", &[0x41, 0x00]),
        ("count", &beyond),
    ];
    assert!(decode(&from_ada("ephemeral", &more)).is_err());
    // A Date, a RegExp and a Map in a field nobody knows.
    let extra = unhex(
        "b9000664747970656473796e636873656e64657249646361646168746172676574496461736a646f63756d656e74496463646f6364\
         6461746143010203656578747261b9000364646565708201b900016161c11a00000000627265d81b8366526567457870617860616d\
         d90103a10102",
    );
    assert!(matches!(Message::decode(&extra), Ok(Message::Sync { .. })));
}

#[test]
fn maps_and_the_whole_frame_may_be_written_differently() {
    let leave = Message::Leave { sender: peer("ada") };
    let (kind, ada) = (text("leave"), text("ada"));
    let entries = [text("type"), kind, text("senderId"), ada].concat();
    for head in [
        &[0xa2][..],
        &[0xb8, 2],
        &[0xb9, 0, 2],
        &[0xbb, 0, 0, 0, 0, 0, 0, 0, 2],
        &[0xd9, 0xd9, 0xf7, 0xa2],
    ] {
        assert_eq!(decode(&[head, &entries].concat()), Ok(leave.clone()), "{head:02x?}");
    }
    assert_eq!(decode(&[&[0xbf], &entries[..], &[0xff]].concat()), Ok(leave.clone()));
    let with_other_keys = [&[0xa4], &entries[..], &[0x01, 0x02, 0x41, 0x00, 0x03]].concat();
    assert_eq!(decode(&with_other_keys), Ok(leave));
}

#[test]
fn a_join_may_leave_out_everything_but_its_sender() {
    let bare = Message::Join {
        sender: peer("ada"),
        metadata: PeerMetadata::default(),
        versions: vec!["1".to_owned()],
    };
    assert_eq!(decode(&from_ada("join", &[])), Ok(bare.clone()));
    let undefined = [("peerMetadata", &[0xf7][..]), ("supportedProtocolVersions", &[0xf7])];
    assert_eq!(decode(&from_ada("join", &undefined)), Ok(bare.clone()));
    let null = frame(&[("storageId", &[0xf6]), ("isEphemeral", &[0xf7])]);
    assert_eq!(decode(&from_ada("join", &[("peerMetadata", &null)])), Ok(bare.clone()));
    assert_eq!(Message::decode(&bare.encode()), Ok(bare));
}

#[test]
fn unknown_types_are_ignored_whatever_they_hold() {
    let unknown = from_ada("sub/duction", &[("data", &[0x01]), ("count", &text("many"))]);
    let kind = "sub/duction".to_owned();
    assert_eq!(decode(&unknown), Ok(Message::Unknown { kind }));
    let long = "é".repeat(500);
    let Ok(Message::Unknown { kind }) = decode(&from_ada(&long, &[])) else {
        panic!("not unknown");
    };
    assert_eq!(kind.chars().count(), 64);
    // A field of another type may hold anything, too.
    assert!(decode(&from_ada("leave", &[("data", &[0x01]), ("count", &text("many"))])).is_ok());
}

#[test]
fn gossip_is_read_as_far_as_it_makes_sense() {
    let head = text("CmHkBmaji4vZmVfb3yugsNbQPBkeP8yjherqvk6vQ7v9h6QyF");
    let in_hex = text("8a63679d250efd33b3c9a96844684bddae857a3652b7647d5e190d52f4106b13");
    let entry =
        |heads: &[u8], timestamp: &[u8]| frame(&[("heads", &[&[0x81], heads].concat()), ("timestamp", timestamp)]);
    let news = frame(&[
        ("laptop", &entry(&head, &[0x19, 0x03, 0xe8])),
        ("old-client", &entry(&in_hex, &[0xfa, 0x3f, 0x80, 0, 0])),
        (
            "typo",
            &entry(&text("CmHkBmaji4vZmVfb3yugsNbQPBkeP8yjherqvk6vQ7v9h6QyG"), &[0x01]),
        ),
        ("endless", &entry(&text(&"C".repeat(1 << 20)), &[0x01])),
        ("never", &entry(&head, &[0xf9, 0x7e, 0x00])),
        ("nothing", &[0xf7]),
        ("", &entry(&head, &[0x01])),
    ]);
    let Ok(Message::RemoteHeadsChanged { heads, .. }) =
        decode(&from_ada("remote-heads-changed", &[("newHeads", &news)]))
    else {
        panic!("refused");
    };
    let read: Vec<_> = heads
        .iter()
        .map(|(storage, known)| (storage.as_str(), known.timestamp))
        .collect();
    assert_eq!(read, [("laptop", 1000.0), ("old-client", 1.0)]);
}

#[test]
fn lists_are_read_up_to_their_bounds() {
    let ids = |count: usize| {
        let ids = (0..count).flat_map(|number| text(&format!("storage-{number}")));
        [&[0x9a][..], &(count as u32).to_be_bytes(), &ids.collect::<Vec<_>>()].concat()
    };
    let many = ids(MAX_STORAGES + 1);
    let change = decode(&from_ada(
        "remote-subscription-change",
        &[("add", &many), ("remove", &[0xf7])],
    ));
    assert!(matches!(change, Ok(Message::RemoteSubscriptionChange { add, .. }) if add.len() == MAX_STORAGES));
    let join = decode(&from_ada(
        "join",
        &[("supportedProtocolVersions", &ids(MAX_VERSIONS + 1))],
    ));
    assert!(matches!(join, Ok(Message::Join { versions, .. }) if versions.len() == MAX_VERSIONS));
    let head = text("CmHkBmaji4vZmVfb3yugsNbQPBkeP8yjherqvk6vQ7v9h6QyF");
    let heads = [&[0x99, 0x01, 0x01][..], &head.repeat(MAX_HEADS + 1)].concat();
    let news = frame(&[("laptop", &frame(&[("heads", &heads), ("timestamp", &[0x01])]))]);
    let news = decode(&from_ada("remote-heads-changed", &[("newHeads", &news)]));
    assert!(matches!(news, Ok(Message::RemoteHeadsChanged { heads, .. }) if heads[0].1.heads.len() == MAX_HEADS));
}

#[test]
fn an_error_names_the_field_and_the_type() {
    let of = |kind: &str, more: &[(&str, &[u8])]| decode(&from_ada(kind, more)).unwrap_err().to_string();
    assert_eq!(of("sync", &[]), "sync: data is missing");
    assert_eq!(of("sync", &[("data", &[0xf7])]), "sync: data is missing");
    assert_eq!(of("request", &[("data", &[0x01])]), "request: data is not bytes");
    assert_eq!(
        of("ephemeral", &[("count", &[0x24])]),
        "ephemeral: count is not a whole number"
    );
    assert_eq!(
        of("remote-heads-changed", &[]),
        "remote-heads-changed: newHeads is missing"
    );
    assert_eq!(
        of("remote-subscription-change", &[("add", &[0x01])]),
        "remote-subscription-change: add is not an array"
    );
    assert_eq!(
        of("sync", &[("documentId", &text(&"x".repeat(513)))]),
        "sync: documentId has 513 bytes, more than 512"
    );
    assert_eq!(
        of("leave", &[("senderId", &text(""))]),
        "leave: senderId is no name: an empty peer id"
    );
    assert_eq!(
        of("leave", &[("senderId", &[0x63, 0xed, 0xa0, 0x80])]),
        "leave: senderId is not text"
    );
    assert_eq!(decode(&[0x80]), Err(FrameError::NotAMap));
    assert_eq!(decode(&[0xa0]), Err(FrameError::NoType));
    assert_eq!(
        decode(&[0xa0, 0x00]),
        Err(FrameError::Malformed(Malformed::Trailing(1)))
    );
}

/// Empty data makes JavaScript peers throw: it must not come in, lest it be relayed.
#[test]
fn empty_data_is_refused() {
    for kind in ["sync", "request"] {
        let error = decode(&from_ada(kind, &[("data", &[0x40])])).unwrap_err();
        assert!(
            matches!(
                error,
                FrameError::Field {
                    problem: Problem::Empty,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
#[should_panic(expected = "empty data")]
fn empty_data_is_never_written() {
    Message::Ephemeral(ephemeral(1, &[])).encode();
}

#[test]
fn a_frame_nested_or_promising_without_end_is_refused() {
    let deep = [vec![0x81; 200_000], vec![0x01]].concat();
    let error = decode(&from_ada("leave", &[("extra", &deep)]));
    assert_eq!(error, Err(FrameError::Malformed(Malformed::TooDeep)));
    // The same in a payload is the application's own affair.
    let mut data = Encoder::new(Vec::new());
    data.bytes(&deep).unwrap();
    let more = [
        ("count", &[0x01][..]),
        ("sessionId", &text("s")),
        ("data", data.writer()),
    ];
    let Ok(Message::Ephemeral(message)) = decode(&from_ada("ephemeral", &more)) else {
        panic!("refused");
    };
    assert_eq!(Payload::decode(&message.data), Payload::Opaque);
    for promise in [&[0x9b; 9], &[0xbb; 9], &[0x5b; 9], &[0x7b; 9]] {
        let error = decode(&from_ada("leave", &[("extra", promise)]));
        assert_eq!(
            error,
            Err(FrameError::Malformed(Malformed::Truncated)),
            "{promise:02x?}"
        );
    }
}

/// Does with bytes whatever the server might, and expects it to end well.
fn endure(bytes: &[u8]) -> bool {
    let whole = Bytes::copy_from_slice(bytes);
    let _ = peek_ephemeral(bytes);
    let Ok(message) = Message::decode(&whole) else {
        return false;
    };
    assert_eq!(Message::decode(&message.encode()).as_ref(), Ok(&message));
    if let Message::Ephemeral(ephemeral) = &message {
        let _ = Payload::decode(&ephemeral.data);
        if let Ok(item) = Raw::parse(&ephemeral.data) {
            let _ = to_json(item, &mut 100);
        }
    }
    true
}

#[test]
fn a_recorded_frame_cut_short_anywhere_is_refused() {
    for Recorded { name, frame, .. } in recorded() {
        for end in 0..frame.len() {
            assert!(!endure(&frame[..end]), "{name}, cut at {end}");
        }
    }
}

/// Bytes changed, put in, taken out and doubled, in frames and in payloads.
#[test]
fn mutated_frames_never_panic() {
    let recorded = recorded();
    let (mut read, mut refused) = (0, 0);
    for seed in 0..20_000 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut bytes = recorded[random.random_range(0..recorded.len())].frame.to_vec();
        for _ in 0..random.random_range(1..6) {
            let place = random.random_range(0..bytes.len());
            match random.random_range(0..4) {
                0 => bytes[place] = random.random(),
                1 => bytes[place] ^= 1 << random.random_range(0..8),
                2 => bytes.insert(
                    place,
                    [0x00, 0x9f, 0xbf, 0xf7, 0xff, 0x5f, 0xc1, 0xfb][random.random_range(0..8)],
                ),
                _ => drop(bytes.remove(place)),
            }
        }
        match std::panic::catch_unwind(|| endure(&bytes)) {
            Ok(true) => read += 1,
            Ok(false) => refused += 1,
            Err(_) => panic!("seed {seed}: {}", hex(&bytes)),
        }
    }
    assert!(
        read > 1000 && refused > 1000,
        "{read} read, {refused} refused: the mutations miss something"
    );
}
