//! What the live door costs: opening a window of a large table, an edit inside and outside of it, and 500 people who look at one
//! table while 25 of them edit and all of them move about.
//!
//! The sockets are in this process, on the same two cores as the server, and hardly read what they get ([`support::viewer`]); the
//! processor time is the server's alone. A frame's bytes are those of its text.

mod support {
    pub mod latency;
    pub mod server;
    pub mod table;
    pub mod viewer;
}

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use roundtable::client::{Client, ConnectOptions};
use roundtable::id::DocumentId;
use support::latency::Latencies;
use support::server::Server;
use support::table::Sample;
use support::viewer::{Clock, Doing, LIMIT, Phase, Seen, Viewer};
use tokio::sync::watch;

const ROWS: usize = 10_000;
const WINDOW: usize = 50;
const VIEWERS: usize = 500;
const WRITERS: usize = 25;

/// Before it is measured, and how long it is.
const WARM_UP: Duration = Duration::from_secs(8);
const SPAN: Duration = Duration::from_secs(30);

/// For what was sent at the end of the span.
const REST: Duration = Duration::from_secs(3);

/// How often the server is started anew for the first look at the table.
const STARTS: usize = 5;

fn main() {
    rlimit::increase_nofile_limit(u64::MAX).expect("the limit of open files can be raised");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(run());
}

async fn run() {
    let mut server = Server::start(&[]);
    let id = DocumentId::from_uuid(uuid::Uuid::new_v4());
    let client = Client::connect(&server.url(), ConnectOptions::default()).await;
    let client = client.expect("the server takes it");
    let document = client
        .attach(&id, Sample::of_rows(ROWS).document)
        .expect("a new document");
    document.saved(LIMIT).await.expect("the server saves it");
    client.close(LIMIT).await;

    println!("a table of {ROWS} x 10, windows of {WINDOW} rows");
    open(&mut server, &id).await;
    edit(&server, &id).await;
    println!(
        "\n{VIEWERS} people, {WRITERS} of them edit once a second each, {} s",
        SPAN.as_secs()
    );
    println!(
        "{:<42} {:>9} {:>18} {:>9} {:>9} {:>7} {:>22} {:>9}",
        "", "edits", "seen, p50 / p99 ms", "frames", "cursors", "MB/s", "CPU a frame / an edit", "of a core"
    );
    for case in CASES {
        crowd(&server, &id, &case).await;
    }
}

fn url(server: &Server) -> String {
    format!("ws://{}/live", server.address())
}

/// How long it takes until a window is there.
async fn open(server: &mut Server, id: &DocumentId) {
    let mut cold = Latencies::default();
    for _ in 0..STARTS {
        server.restart();
        let mut viewer = Viewer::come(&url(server), id, "first").await;
        viewer.look(0, WINDOW).await;
        cold.push(viewer.snapshot.1);
    }
    let mut viewer = Viewer::come(&url(server), id, "second").await;
    let (mut first, mut again, mut bytes) = (Latencies::default(), Latencies::default(), Vec::new());
    for look in 0..100 {
        // Where nobody has looked, then where somebody has.
        viewer.look(look * 97, WINDOW).await;
        first.push(viewer.snapshot.1);
        bytes.push(viewer.snapshot.0);
        let mut other = Viewer::come(&url(server), id, "third").await;
        other.look(look * 97, WINDOW).await;
        again.push(other.snapshot.1);
    }
    bytes.sort_unstable();
    println!("opening a window: {} to {} bytes", bytes[0], bytes[bytes.len() - 1]);
    let times = |of: &mut Latencies| format!("{:.1} / {:.1} ms (median / at most)", of.at(0.5), of.at(1.0));
    println!("  the server just started, the document on disk: {}", times(&mut cold));
    println!(
        "  the document in memory, a window nobody looks at: {}",
        times(&mut first)
    );
    println!("  a window somebody looks at: {}", times(&mut again));
}

/// What an edit sends to somebody who looks at a window.
async fn edit(server: &Server, id: &DocumentId) {
    let mut viewer = Viewer::come(&url(server), id, "viewer").await;
    let mut writer = Viewer::come(&url(server), id, "writer").await;
    viewer.look(0, WINDOW).await;
    writer.look(WINDOW - 1, 2).await;
    viewer.until_now().await;
    let (inside, outside) = (writer.rows[0].clone(), writer.rows[1].clone());
    writer.write(&inside, 1_000_000).await;
    let told = viewer.hear("record_change").await;
    println!("an edit inside of the window: 1 frame, {} bytes", told.len());
    writer.write(&outside, 1_000_000).await;
    writer.hear("change_accepted").await;
    // What comes before the next edit inside was told of the one outside.
    writer.write(&inside, 1_000_001).await;
    let before = viewer.frames_before("1000001").await;
    let bytes: usize = before.iter().map(String::len).sum();
    println!("an edit outside of the window: {} frames, {bytes} bytes", before.len());
}

struct Case {
    name: &'static str,
    /// Rows between the windows of two people.
    apart: usize,
    moves: bool,
}

const CASES: [Case; 4] = [
    Case {
        name: "all at one window, nobody moves",
        apart: 0,
        moves: false,
    },
    Case {
        name: "all at one window, all move",
        apart: 0,
        moves: true,
    },
    Case {
        name: "all at windows of their own, nobody moves",
        apart: 19,
        moves: false,
    },
    Case {
        name: "all at windows of their own, all move",
        apart: 19,
        moves: true,
    },
];

async fn crowd(server: &Server, id: &DocumentId, case: &Case) {
    let clock = Clock::new(WRITERS);
    let phase = watch::Sender::new(Phase::Busy);
    let mut watching = Vec::new();
    for number in 0..VIEWERS {
        let mut viewer = Viewer::come(&url(server), id, &format!("person-{number}")).await;
        viewer.look(number * case.apart, WINDOW).await;
        let doing = Doing {
            writer: (number % (VIEWERS / WRITERS) == 0).then_some(number * WRITERS / VIEWERS),
            moves: case.moves,
        };
        let rows = viewer.rows.clone();
        let offset = number as f64 / VIEWERS as f64;
        let task = tokio::spawn(viewer.watch(doing, clock.clone(), phase.subscribe(), offset));
        watching.push((rows, doing, task));
    }
    tokio::time::sleep(WARM_UP).await;
    let (cpu, began) = (server.cpu(), Instant::now());
    clock.counts.store(true, Ordering::Release);
    tokio::time::sleep(SPAN).await;
    clock.counts.store(false, Ordering::Release);
    let (cpu, span) = (server.cpu() - cpu, began.elapsed());
    // Nobody writes any more; what was written last arrives.
    phase.send_replace(Phase::Quiet);
    tokio::time::sleep(REST).await;
    phase.send_replace(Phase::Over);
    let mut all = Vec::new();
    for (rows, doing, task) in watching {
        all.push((rows, doing, task.await.expect("no viewer panics")));
    }
    check(&all, &clock);
    report(case, all, &clock, cpu, span);
}

/// Whether everybody has in the end what they are to have: the same version, and the last value of every writer they see.
fn check(all: &[(Vec<String>, Doing, Seen)], clock: &Clock) {
    let written: Vec<(usize, String)> = all
        .iter()
        .filter_map(|(rows, doing, _)| Some((doing.writer?, rows[doing.writer? % rows.len()].clone())))
        .collect();
    let mut lost = 0;
    for (rows, _, seen) in all {
        assert_eq!(seen.version, all[0].2.version, "one version in the end");
        for (writer, row) in &written {
            let last = clock.last(*writer).expect("they wrote");
            // Two that write to the same row overwrite each other.
            let is_only = written.iter().filter(|(_, other)| other == row).count() == 1;
            lost += usize::from(is_only && rows.contains(row) && seen.newest[*writer] != last);
        }
    }
    assert_eq!(lost, 0, "last values that did not arrive");
}

fn report(case: &Case, all: Vec<(Vec<String>, Doing, Seen)>, clock: &Clock, cpu: Duration, span: Duration) {
    let (mut latencies, mut edits, mut cursors, mut bytes) = (Latencies::default(), 0, 0, 0);
    for (_, _, seen) in all {
        latencies.extend(seen.latencies);
        edits += seen.edit_frames;
        cursors += seen.cursor_frames;
        bytes += seen.edit_bytes + seen.cursor_bytes;
    }
    let micros = cpu.as_secs_f64() * 1e6;
    println!(
        "{:<42} {:>9} {:>18} {:>9} {:>9} {:>7.1} {:>22} {:>7.0} %",
        case.name,
        clock.edits(),
        format!("{:.1} / {:.1}", latencies.at(0.5), latencies.at(0.99)),
        edits,
        cursors,
        bytes as f64 / span.as_secs_f64() / 1e6,
        format!(
            "{:.1} / {:.0} us",
            micros / (edits + cursors) as f64,
            micros / clock.edits() as f64
        ),
        100.0 * cpu.as_secs_f64() / span.as_secs_f64(),
    );
    println!("{:<42} {:>9} seen of {} edits", "", latencies.len(), clock.edits());
}
