//! A store in a process of its own, which is killed or runs into a full disk.
//!
//! The child is this test program, told by a variable what to do; every test here returns at once where it is not meant.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;

use roundtable::store::sled::{SledEngine, SledOptions};
use roundtable::store::{Append, Need, NoPlace, Status, Store, StoreLimits};

use crate::{World, assert_whole, change, document, open_sled};

const FOLDER: &str = "ROUNDTABLE_TEST_STORE_FOLDER";
const CHILD: &str = "process::child_that_appends_until_it_cannot";
const ONE: Need = Need { changes: 1, bytes: 1 };

/// Appends one change after the other and prints each number once it is durable; when the store fails, what is left.
#[test]
fn child_that_appends_until_it_cannot() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let engine = open_sled(Path::new(&folder));
    let (store, committer) = Store::open(engine, StoreLimits::default()).unwrap();
    let thread = std::thread::spawn(move || committer.run());
    let alpha = document(1);
    let mut number = store.load(&alpha, None).unwrap().map_or(0, |stored| stored.last_number);
    let failure = loop {
        number += 1;
        let (sender, told) = channel();
        let append = Append {
            document: alpha.clone(),
            changes: vec![change(number)],
            notes: Vec::new(),
            flushed: Box::new(move |outcome| sender.send(outcome).unwrap()),
        };
        store.append(store.try_reserve(ONE).unwrap(), append);
        match told.recv().unwrap() {
            Ok(()) => println!("\ndurable {number}"),
            Err(failure) => break failure,
        }
    };
    // The store is read-only, says why, and goes on reading what is durable, without the batch that failed.
    assert!(matches!(store.status(), Status::ReadOnly(_)));
    assert!(matches!(store.try_reserve(ONE), Err(NoPlace::ReadOnly(_))));
    assert_whole(&store.load(&alpha, None).unwrap().unwrap(), number - 1, "read-only");
    assert_eq!(store.load(&alpha, None).unwrap().unwrap().last_number, number - 1);
    println!("\nfailed {failure}");
    store.close();
    thread.join().unwrap();
}

fn child(command: &mut Command, folder: &Path) -> Child {
    command
        .args(["--exact", CHILD, "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test program starts again")
}

fn this_program() -> std::path::PathBuf {
    std::env::current_exe().expect("a running program has a path")
}

/// The number in a line of the child.
fn durable(line: &str) -> Option<u64> {
    line.strip_prefix("durable ")?.parse().ok()
}

#[test]
fn a_killed_process_keeps_every_change_it_called_durable() {
    let folder = tempfile::tempdir().unwrap();
    let mut last = 0;
    for round in 1..=4 {
        let before = last;
        let mut child = child(&mut Command::new(this_program()), folder.path());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines.map_while(Result::ok).filter_map(|line| durable(&line));
        // Killed in the midst of its work, and each time at another point of it.
        for number in told {
            last = number;
            if number >= before + 37 * round {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let world = World::on(open_sled(folder.path()));
        assert_whole(&world.load(&document(1)).expect("it is there"), last, "killed");
    }
    assert!(last >= 370, "{last}");
}

/// A full disk, as the limit on the size of a file makes one: the write fails, and the signal that would end the process
/// is ignored, which a program inherits from the shell.
#[cfg(unix)]
#[test]
fn a_full_disk_makes_the_store_read_only_and_loses_nothing_durable() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    // In blocks of 512 bytes: 2 MiB, four of sled's segments.
    shell
        .args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\""])
        .arg(this_program());
    let output = child(&mut shell, folder.path()).wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "the child must end well: {text}");
    assert!(
        text.lines().any(|line| line.starts_with("failed ")),
        "it ran into the limit"
    );
    let last = text.lines().rev().find_map(durable).expect("some were durable before");
    let world = World::on(open_sled(folder.path()));
    assert_whole(
        &world.load(&document(1)).expect("it is there"),
        last,
        "after the full disk",
    );
}

/// `cargo test --test store measure -- --ignored --nocapture`: how many commits a second sled takes here.
#[test]
#[ignore = "a measurement, not a test"]
fn measure_commits_per_second() {
    for (rooms, seconds) in [(1, 3), (16, 3), (256, 3), (4096, 3)] {
        let folder = tempfile::tempdir().unwrap();
        let engine = SledEngine::open(folder.path(), SledOptions::default()).unwrap();
        let (store, committer) = Store::open(Arc::new(engine), StoreLimits::default()).unwrap();
        let thread = std::thread::spawn(move || committer.run());
        let (sender, told) = channel();
        let append = |room: u64, number: u64| {
            let sender = sender.clone();
            let mut change = change(number);
            change.bytes = vec![number as u8; 150].into();
            let append = Append {
                document: document(u128::from(room)),
                changes: vec![change],
                notes: Vec::new(),
                flushed: Box::new(move |outcome| sender.send((room, outcome.is_ok())).unwrap()),
            };
            store.append(store.try_reserve(ONE).unwrap(), append);
        };
        let started = std::time::Instant::now();
        let mut numbers = vec![1; rooms];
        (0..rooms).for_each(|room| append(room as u64, 1));
        let mut commits = 0u64;
        while started.elapsed().as_secs() < seconds {
            let (room, flushed) = told.recv().unwrap();
            assert!(flushed);
            commits += 1;
            numbers[room as usize] += 1;
            append(room, numbers[room as usize]);
        }
        let elapsed = started.elapsed().as_secs_f64();
        let flushes = store.gauges().flushes.load(std::sync::atomic::Ordering::Relaxed);
        println!(
            "{rooms} waiting: {:.0} commits/s, {:.1} a batch, {:.0} us a flush",
            commits as f64 / elapsed,
            commits as f64 / flushes as f64,
            elapsed * 1e6 / flushes as f64
        );
        store.close();
        thread.join().unwrap();
    }
}
