//! Frames recorded from the JavaScript client and its reference server: they say what was recorded, and whatever is done
//! to them, nothing panics.
//!
//! `fixtures/frames/frames.json` says what each recorded frame holds; the `.bin` files are the bytes on the wire.

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::id::PeerId;
use roundtable::wire::cbor::Raw;
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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

#[test]
fn peeking_tells_whose_ephemeral_it_is_and_nothing_of_other_frames() {
    for Recorded {
        name, frame, decoded, ..
    } in recorded()
    {
        let found = Found::find(&frame).unwrap();
        let peeked = found.ephemeral().map(|peek| json!([peek.sender, peek.session]));
        let expected = (decoded["type"] == "ephemeral").then(|| json!([decoded["senderId"], decoded["sessionId"]]));
        assert_eq!(peeked, expected, "{name}");
    }
}

/// Does with bytes whatever the server might, and expects it to end well.
fn endure(bytes: &[u8]) -> bool {
    let whole = Bytes::copy_from_slice(bytes);
    let _ = Found::find(&whole).map(|found| found.ephemeral().is_some());
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
