//! What reading costs: pages of 100 rows of a table of 50,000 x 10 over HTTP, from the real server.
//!
//! Each connection is kept and has one request under way; it walks the pages from the first to the last and begins again.
//! The clients run on the same machine, so that requests per second are of both; the processor time is the server's alone. When
//! somebody edits meanwhile, their edits are in it, too.

mod support {
    pub mod http;
    pub mod latency;
    pub mod server;
    pub mod table;
}

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use automerge::AutomergeError;
use automerge::transaction::Transactable;
use roundtable::client::{Client, ConnectOptions, Document};
use roundtable::id::DocumentId;
use serde_json::Value;
use support::http::Http;
use support::latency::Latencies;
use support::server::Server;
use support::table::Sample;

const ROWS: usize = 50_000;
const LIMIT: Duration = Duration::from_secs(120);

/// How long each case is measured.
const SPAN: Duration = Duration::from_secs(3);

/// Between two edits of somebody who edits ten times a second.
const PACE: Duration = Duration::from_millis(100);

/// What is asked for besides the page.
const QUERIES: [(&str, &str); 4] = [
    ("plain", ""),
    (
        "filter",
        "&filter=%7B%22column%22:%22Column%204%22,%22op%22:%22less%22,%22value%22:500000%7D",
    ),
    ("sort", "&sort=-Column%205"),
    (
        "filter and sort",
        "&filter=%7B%22column%22:%22Column%204%22,%22op%22:%22less%22,%22value%22:500000%7D&sort=-Column%205",
    ),
];

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = Server::start(&[]);
    let mut sample = Sample::of_rows(ROWS);
    let (_client, document) = runtime.block_on(async {
        let client = Client::connect(&server.url(), ConnectOptions::default()).await;
        let client = client.expect("the server takes it");
        let id = DocumentId::from_uuid(uuid::Uuid::new_v4());
        let document = client.attach(&id, sample.document.fork()).expect("a new document");
        document.saved(LIMIT).await.expect("the server saves it");
        (client, document)
    });
    let rows = server.http(&format!("/v1/tables/{}/rows?limit=100", document.id()));
    println!("query             connections   edits/s   requests/s   p50 / p99 ms     CPU of the server per request");
    for (name, query) in QUERIES {
        for connections in [1, 16] {
            for edits in [Edits::None, Edits::TenASecond] {
                let case = Case {
                    name,
                    connections,
                    edits,
                };
                measure(
                    &server,
                    &runtime,
                    &document,
                    &mut sample,
                    &format!("{rows}{query}"),
                    case,
                );
            }
        }
    }
}

struct Case {
    name: &'static str,
    connections: usize,
    edits: Edits,
}

#[derive(Clone, Copy)]
enum Edits {
    None,
    TenASecond,
}

fn measure(
    server: &Server,
    runtime: &tokio::runtime::Runtime,
    document: &Document,
    sample: &mut Sample,
    url: &str,
    case: Case,
) {
    // What is kept of a table that has just been edited is made by the first who reads.
    let first = page(&Http::new(), url);
    assert_eq!(first["rows"].as_array().map(Vec::len), Some(100), "{url}");
    let stop = AtomicBool::new(false);
    let (started, cpu) = (Instant::now(), server.cpu());
    let mut latencies = Latencies::default();
    let mut edits = 0;
    std::thread::scope(|scope| {
        let walking: Vec<_> = (0..case.connections)
            .map(|_| scope.spawn(|| walk(url, &stop)))
            .collect();
        edits = match case.edits {
            Edits::None => {
                std::thread::sleep(SPAN);
                0
            }
            Edits::TenASecond => runtime.block_on(edit(document, sample)),
        };
        stop.store(true, Ordering::Relaxed);
        for walker in walking {
            latencies.extend(walker.join().expect("no walker panics"));
        }
    });
    let (spent, cpu) = (started.elapsed(), server.cpu() - cpu);
    println!(
        "{:<17} {:>11}   {:>7.1}   {:>10.0}   {:>5.2} / {:>6.2}   {:>8.0} us",
        case.name,
        case.connections,
        f64::from(edits) / spent.as_secs_f64(),
        latencies.len() as f64 / spent.as_secs_f64(),
        latencies.at(0.5),
        latencies.at(0.99),
        cpu.as_secs_f64() * 1e6 / latencies.len() as f64,
    );
}

/// Reads page after page until it is told to stop.
fn walk(url: &str, stop: &AtomicBool) -> Latencies {
    let http = Http::new();
    let (mut latencies, mut next) = (Latencies::default(), url.to_owned());
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let text = http.get(&next);
        latencies.push(began.elapsed());
        next = match cursor(&text) {
            Some(cursor) => format!("{url}&cursor={cursor}"),
            None => url.to_owned(),
        };
    }
    latencies
}

/// The cursor of a page, without reading all of its rows: the client's time is not what is measured.
fn cursor(page: &str) -> Option<&str> {
    let (_, rest) = page.rsplit_once("\"next\":\"")?;
    Some(rest.split_once('"').expect("a text ends").0)
}

fn page(http: &Http, url: &str) -> Value {
    serde_json::from_str(&http.get(url)).expect("JSON")
}

/// Edits single cells for a while, each when its time has come; how many.
async fn edit(document: &Document, sample: &mut Sample) -> u32 {
    let (mut ticks, began, mut edits) = (tokio::time::interval(PACE), Instant::now(), 0);
    while began.elapsed() < SPAN {
        ticks.tick().await;
        let (row, column, value) = sample.next_edit();
        let done = document.edit::<_, AutomergeError>(|tx| tx.put(&row, column, value));
        done.expect("the row is there");
        document.saved(LIMIT).await.expect("the server saves it");
        edits += 1;
    }
    edits
}
