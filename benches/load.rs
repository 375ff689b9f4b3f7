//! Writers and observers of one document over real sockets, and commits per second through to the disk.
//!
//! Every client is a real replica in this process, which shares the machine with the server: so the figure that counts
//! is the server's processor time, and latencies contain the clients' own work.

mod support {
    pub mod server;
}

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use automerge::transaction::Transactable;
use automerge::{Automerge, AutomergeError, ObjType, ROOT, ReadDoc};
use roundtable::client::{Client, ConnectOptions, Document, Replica};
use roundtable::id::DocumentId;
use support::server::Server;

const LIMIT: Duration = Duration::from_secs(60);

/// Cells of the document that is edited.
const CELLS: usize = 1_000;

/// How long edits are made in one case.
const SPAN: Duration = Duration::from_secs(5);

struct Case {
    observers: usize,
    writers: usize,
    /// Edits a second, of all writers together.
    rate: u32,
}

const CASES: [Case; 4] = [
    Case {
        observers: 10,
        writers: 1,
        rate: 50,
    },
    Case {
        observers: 100,
        writers: 1,
        rate: 20,
    },
    Case {
        observers: 300,
        writers: 1,
        rate: 10,
    },
    Case {
        observers: 100,
        writers: 10,
        rate: 50,
    },
];

fn main() {
    rlimit::increase_nofile_limit(u64::MAX).expect("the limit of open files can be raised");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        println!("observers x edits/s (writers)   delivered        CPU of the server   latency p50 / p99   frames");
        for case in &CASES {
            watch(case).await;
        }
        println!("\nwriters   commits/s   CPU of the server per commit   commits per sync");
        for writers in [1, 10, 100] {
            commit(writers).await;
        }
    });
}

/// When each edit was made, in nanoseconds since the beginning, and how often it arrived.
struct Clock {
    began: Instant,
    made: Vec<AtomicU64>,
}

impl Clock {
    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }
}

async fn watch(case: &Case) {
    let server = Server::start(&[]);
    let id = DocumentId::from_uuid(uuid::Uuid::new_v4());
    let first = connect(&server).await;
    let seed = first.attach(&id, cells()).expect("a new document");
    seed.saved(LIMIT).await.expect("the server saves it");

    let each = (case.rate * SPAN.as_secs() as u32) as usize / case.writers;
    let clocks: Vec<_> = (0..case.writers)
        .map(|_| {
            Arc::new(Clock {
                began: Instant::now(),
                made: (0..each).map(|_| AtomicU64::new(0)).collect(),
            })
        })
        .collect();
    let mut watching = Vec::new();
    for _ in 0..case.observers {
        let client = connect(&server).await;
        let document = client.find(&id, LIMIT).await.expect("it is there");
        let clocks = clocks.clone();
        watching.push(tokio::spawn(async move {
            let latencies = observe(&document, &clocks).await;
            (client, latencies)
        }));
    }
    let mut writing = Vec::new();
    for (number, clock) in clocks.iter().enumerate() {
        let client = connect(&server).await;
        let document = client.find(&id, LIMIT).await.expect("it is there");
        writing.push((client, document, number, clock.clone()));
    }

    let (cpu, frames) = (server.cpu(), server.metric("roundtable_frames_out_total"));
    let pace = SPAN / each as u32;
    let writing: Vec<_> = writing
        .into_iter()
        .map(|(client, document, number, clock)| {
            tokio::spawn(async move {
                write(&document, number, &clock, pace).await;
                client
            })
        })
        .collect();
    let mut latencies = Vec::new();
    let mut clients = Vec::new();
    for observer in watching {
        let (client, seen) = observer.await.expect("no observer panics");
        latencies.extend(seen);
        clients.push(client);
    }
    for writer in writing {
        clients.push(writer.await.expect("no writer panics"));
    }
    let cpu = server.cpu() - cpu;
    let frames = server.metric("roundtable_frames_out_total") - frames;
    let expected = case.observers * case.writers * each;
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize] as f64 / 1e6;
    println!(
        "{:>4} x {:>3}/s ({:>2})   {:>6} of {:>6}   {:>7.1} us each   {:>7.1} / {:>6.1} ms   {frames}",
        case.observers,
        case.rate,
        case.writers,
        latencies.len(),
        expected,
        cpu.as_secs_f64() * 1e6 / latencies.len() as f64,
        at(0.5),
        at(0.99),
    );
    assert_eq!(latencies.len(), expected, "every edit reaches every observer");
}

/// Makes the edits of one writer, evenly spread.
async fn write(document: &Document, number: usize, clock: &Clock, pace: Duration) {
    let mut ticks = tokio::time::interval(pace);
    let counter = format!("writer {number}");
    for (edit, made) in clock.made.iter().enumerate() {
        ticks.tick().await;
        made.store(clock.now(), Ordering::Release);
        let done = document.edit::<_, AutomergeError>(|tx| tx.put(ROOT, &counter, edit as i64 + 1));
        done.expect("the edit fits");
    }
}

/// Waits for all edits of all writers. Returns how long each took to come here.
async fn observe(document: &Document, clocks: &[Arc<Clock>]) -> Vec<u64> {
    let mut seen = vec![0; clocks.len()];
    let mut latencies = Vec::new();
    let names: Vec<String> = (0..clocks.len()).map(|number| format!("writer {number}")).collect();
    let expected: usize = clocks.iter().map(|clock| clock.made.len()).sum();
    let mut document = document.clone();
    while latencies.len() < expected {
        let newest = document.look(|replica| names.iter().map(|name| number_at(replica, name)).collect::<Vec<_>>());
        for ((seen, newest), clock) in seen.iter_mut().zip(newest).zip(clocks) {
            for edit in *seen..newest {
                latencies.push(clock.now() - clock.made[edit].load(Ordering::Acquire));
            }
            *seen = newest.max(*seen);
        }
        if latencies.len() < expected {
            document.next_event(LIMIT).await.expect("edits keep coming");
        }
    }
    latencies
}

fn number_at(replica: &Replica, key: &str) -> usize {
    let value = replica.document().get(ROOT, key).expect("the root is there");
    value.and_then(|(value, _)| value.as_i64()).unwrap_or(0) as usize
}

/// Each writer has a document of its own and makes its next edit when the last one is on the disk.
async fn commit(writers: usize) {
    let server = Server::start(&[]);
    let mut ready = Vec::new();
    for _ in 0..writers {
        let client = connect(&server).await;
        let id = DocumentId::from_uuid(uuid::Uuid::new_v4());
        let document = client.attach(&id, cells()).expect("a new document");
        document.saved(LIMIT).await.expect("the server saves it");
        ready.push((client, document));
    }
    let (cpu, syncs) = (server.cpu(), server.metric("roundtable_store_flushes"));
    let started = Instant::now();
    let working: Vec<_> = ready
        .into_iter()
        .map(|(client, document)| {
            tokio::spawn(async move {
                let mut commits = 0;
                while started.elapsed() < SPAN {
                    let done = document.edit::<_, AutomergeError>(|tx| tx.put(ROOT, "counter", commits));
                    done.expect("the edit fits");
                    document.saved(LIMIT).await.expect("the server saves it");
                    commits += 1;
                }
                (client, commits)
            })
        })
        .collect();
    let mut commits = 0;
    for writer in working {
        commits += writer.await.expect("no writer panics").1;
    }
    let (spent, cpu) = (started.elapsed(), server.cpu() - cpu);
    let syncs = server.metric("roundtable_store_flushes") - syncs;
    println!(
        "{writers:>7}   {:>9.0}   {:>24.0} us   {:>16.1}",
        commits as f64 / spent.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / commits as f64,
        commits as f64 / syncs,
    );
}

async fn connect(server: &Server) -> Client {
    let connected = Client::connect(&server.url(), ConnectOptions::default()).await;
    connected.expect("the server takes it")
}

/// A document of rows with ten cells each.
fn cells() -> Automerge {
    let mut document = Automerge::new();
    let made = document.transact::<_, _, AutomergeError>(|tx| {
        for row in 0..CELLS / 10 {
            let row = tx.put_object(ROOT, format!("row {row}"), ObjType::Map)?;
            (0..10).try_for_each(|cell| tx.put(&row, format!("cell {cell}"), cell))?;
        }
        Ok(())
    });
    made.expect("a new document takes everything");
    document
}
