//! The CBOR dialect of the JavaScript client, quirk by quirk, in frames written by hand or by cbor-x: what must be read, what
//! must be refused, and in which form numbers and data go out.

use bytes::Bytes;
use minicbor::Encoder;
use roundtable::id::{DocumentId, PeerId, StorageId};
use roundtable::wire::cbor::{Malformed, Raw};
use roundtable::wire::json::to_json;
use roundtable::wire::payload::{Payload, Presence};
use roundtable::wire::repo::*;
use serde_json::json;

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
