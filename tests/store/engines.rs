//! One suite for both engines, and the two against each other.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use roundtable::store::engine::{Batch, Engine, KeyRange, Pair, Write};
use roundtable::store::memory::{MemoryEngine, Survives};

use crate::open_sled;

fn batch(writes: &[(&[u8], Option<&[u8]>)]) -> Batch {
    let mut batch = Batch::default();
    for (key, value) in writes {
        match value {
            Some(value) => batch.put(key.to_vec(), value.to_vec()),
            None => batch.delete(key.to_vec()),
        }
    }
    batch
}

fn forward(engine: &impl Engine, range: &KeyRange) -> Vec<Pair> {
    engine.scan(range).collect::<Result<_, _>>().expect("it reads")
}

fn backward(engine: &impl Engine, range: &KeyRange) -> Vec<Pair> {
    engine.scan(range).rev().collect::<Result<_, _>>().expect("it reads")
}

/// The suite. `reopen` closes the engine and opens it again.
fn conforms<E: Engine>(engine: E, reopen: impl Fn(E) -> E) {
    assert_eq!(engine.get(b"nothing").unwrap(), None);
    assert!(forward(&engine, &KeyRange::all()).is_empty());

    let values: [(&[u8], Option<&[u8]>); 5] = [
        (b"b", Some(b"2")),
        (b"a", Some(b"")),
        (b"c\x00", Some(b"4")),
        (b"c", Some(b"3")),
        (b"d", Some(&[7; 4096])),
    ];
    engine.apply(&batch(&values)).unwrap();
    // An empty value is a value, and a batch is visible before its sync.
    assert_eq!(engine.get(b"a").unwrap(), Some(Vec::new()));
    engine.sync().unwrap();

    let engine = reopen(engine);
    let keys = |pairs: Vec<Pair>| pairs.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    let all: [&[u8]; 5] = [b"a", b"b", b"c", b"c\x00", b"d"];
    assert_eq!(keys(forward(&engine, &KeyRange::all())), all);
    assert_eq!(engine.get(b"d").unwrap(), Some(vec![7; 4096]));

    let prefix = KeyRange::prefix(b"c");
    assert_eq!(keys(forward(&engine, &prefix)), [&b"c"[..], b"c\x00"]);
    assert_eq!(keys(backward(&engine, &prefix)), [&b"c\x00"[..], b"c"]);
    let inclusive = KeyRange::inclusive(b"b".to_vec(), b"c".to_vec());
    assert_eq!(keys(forward(&engine, &inclusive)), [&b"b"[..], b"c"]);
    assert_eq!(engine.scan(&inclusive).next_back().unwrap().unwrap().0, b"c");
    // A range that ends before it starts is empty, not a panic.
    assert!(forward(&engine, &KeyRange::inclusive(b"c".to_vec(), b"b".to_vec())).is_empty());

    // Within a batch the later write holds, in both directions; deleting what is not there is fine.
    engine
        .apply(&batch(&[
            (b"a", Some(b"x")),
            (b"a", None),
            (b"b", None),
            (b"b", Some(b"y")),
            (b"no", None),
        ]))
        .unwrap();
    engine.sync().unwrap();
    let engine = reopen(engine);
    assert_eq!(engine.get(b"a").unwrap(), None);
    assert_eq!(engine.get(b"b").unwrap(), Some(b"y".to_vec()));

    // A sync without anything to sync, and an empty batch.
    engine.apply(&Batch::default()).unwrap();
    engine.sync().unwrap();
    engine.sync().unwrap();

    // A scan that is under way goes on past what is deleted under it.
    let range = KeyRange::all();
    let mut scan = engine.scan(&range);
    assert_eq!(scan.next().unwrap().unwrap().0, b"b");
    engine.apply(&batch(&[(b"b", None), (b"c", None)])).unwrap();
    let rest: Vec<_> = scan.map(|pair| pair.unwrap().0).collect();
    assert_eq!(rest.last().unwrap(), b"d");
}

#[test]
fn sled_conforms() {
    let folder = tempfile::tempdir().unwrap();
    conforms(open_sled(folder.path()), |engine| {
        drop(engine);
        open_sled(folder.path())
    });
}

#[test]
fn memory_conforms() {
    conforms(MemoryEngine::new(), |engine| engine.crash(Survives::Nothing));
}

fn random_key(random: &mut SmallRng) -> Vec<u8> {
    // Short keys over few letters meet each other often; 0 and 255 are where orders and prefixes go wrong.
    (0..random.random_range(1..4))
        .map(|_| [0, 1, b'c', 254, 255][random.random_range(0..5)])
        .collect()
}

fn random_range(random: &mut SmallRng) -> KeyRange {
    match random.random_range(0..4) {
        0 => KeyRange::all(),
        1 => KeyRange::prefix(&random_key(random)),
        2 => KeyRange::behind_prefix(&random_key(random), &random_key(random)),
        _ => KeyRange::inclusive(random_key(random), random_key(random)),
    }
}

#[test]
fn sled_and_memory_give_the_same_reads() {
    for seed in 0..6 {
        println!("seed {seed}");
        let mut random = SmallRng::seed_from_u64(seed);
        let folder = tempfile::tempdir().unwrap();
        let (mut sled, mut memory) = (open_sled(folder.path()), MemoryEngine::new());
        for _ in 0..150 {
            match random.random_range(0..10) {
                0..5 => {
                    let mut batch = Batch::default();
                    for _ in 0..random.random_range(1..20) {
                        let key = random_key(&mut random);
                        match random.random_bool(0.7) {
                            true => batch.put(key, vec![random.random(); random.random_range(0..4096)]),
                            false => batch.delete(key),
                        }
                    }
                    sled.apply(&batch).unwrap();
                    memory.apply(&batch).unwrap();
                }
                5..7 => {
                    let range = random_range(&mut random);
                    assert_eq!(forward(&sled, &range), forward(&memory, &range), "{range:?}");
                    assert_eq!(backward(&sled, &range), backward(&memory, &range), "{range:?}");
                }
                7..9 => {
                    let key = random_key(&mut random);
                    assert_eq!(sled.get(&key).unwrap(), memory.get(&key).unwrap(), "{key:?}");
                }
                _ => {
                    sled.sync().unwrap();
                    memory.sync().unwrap();
                    if random.random_bool(0.2) {
                        drop(sled);
                        sled = open_sled(folder.path());
                        memory = memory.crash(Survives::Nothing);
                    }
                }
            }
        }
        assert_eq!(forward(&sled, &KeyRange::all()), forward(&memory, &KeyRange::all()));
    }
}

/// The engine in memory keeps the promises that make the crash tests worth something.
#[test]
fn a_crash_leaves_what_was_synced_and_as_many_whole_batches_as_were_ordered() {
    let engine = MemoryEngine::new();
    engine.apply(&batch(&[(b"a", Some(b"1"))])).unwrap();
    engine.sync().unwrap();
    engine.apply(&batch(&[(b"a", None), (b"b", Some(b"2"))])).unwrap();
    engine.apply(&batch(&[(b"c", Some(b"3"))])).unwrap();
    assert_eq!(engine.unsynced(), 2);

    let keys = |engine: MemoryEngine| engine.contents().into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(keys(engine.crash(Survives::Nothing)), [b"a"]);
    assert_eq!(keys(engine.crash(Survives::First(1))), [b"b"]);
    assert_eq!(keys(engine.crash(Survives::Everything)), [b"b", b"c"]);
    assert!(
        engine.apply(&Batch::default()).is_err(),
        "a crashed machine takes no writes"
    );
}

#[test]
fn after_a_failure_nothing_is_taken_and_the_failed_batch_is_still_served() {
    let engine = MemoryEngine::new();
    engine.fail_sync_after(1);
    engine.sync().unwrap();
    engine.apply(&batch(&[(b"a", Some(b"1"))])).unwrap();
    engine.sync().unwrap_err();
    engine.sync().unwrap_err();
    engine.apply(&batch(&[(b"b", Some(b"2"))])).unwrap_err();
    assert_eq!(engine.get(b"a").unwrap(), Some(b"1".to_vec()));
    assert_eq!(engine.get(b"b").unwrap(), None);

    let engine = MemoryEngine::new();
    engine.fail_apply_after(0);
    engine
        .apply(&batch(&[(b"a", Some(b"1")), (b"b", Some(b"2"))]))
        .unwrap_err();
    assert_eq!(engine.get(b"a").unwrap(), Some(b"1".to_vec()), "half of it is seen");
    assert_eq!(engine.get(b"b").unwrap(), None);
    assert!(engine.crash(Survives::Nothing).contents().is_empty());
}

#[test]
fn the_writes_of_a_batch_are_counted() {
    let batch = batch(&[(b"key", Some(b"value")), (b"gone", None)]);
    assert_eq!((batch.len(), batch.bytes()), (2, 12));
    assert_eq!(batch.writes()[1], Write::Delete { key: b"gone".to_vec() });
}
