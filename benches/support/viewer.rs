//! Sockets at the live door without a model of the table behind them: what arrives is counted and timed, hardly read.
//!
//! Five hundred clients with a model each would measure the clients, on the two cores that the server needs as well. The edits
//! carry a number of their own as value; a frame is searched for these numbers, and that is all.

#![allow(dead_code, reason = "each program uses its part of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use roundtable::id::DocumentId;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::latency::Latencies;

pub const LIMIT: Duration = Duration::from_secs(120);

/// Between two edits of one writer, and between two moves of a cursor.
const SECOND: Duration = Duration::from_secs(1);

/// Edits of one writer at most.
const EDITS: usize = 1_000;

/// Values of edits begin here: nothing else in the table is as large.
const FIRST: u64 = 1_000_000_000;

/// When each edit was sent.
pub struct Clock {
    began: Instant,
    sent: Vec<Vec<AtomicU64>>,
    /// Whether what happens now counts.
    pub counts: AtomicBool,
}

impl Clock {
    pub fn new(writers: usize) -> Arc<Self> {
        let edits = || (0..EDITS).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self {
            began: Instant::now(),
            sent: (0..writers).map(|_| edits()).collect(),
            counts: AtomicBool::new(false),
        })
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    /// How many edits of each writer count, and the last of all.
    pub fn edits(&self) -> usize {
        let sent = self.sent.iter().flatten();
        sent.filter(|sent| sent.load(Ordering::Acquire) & 1 == 1).count()
    }

    /// The values that are in the table in the end.
    pub fn last(&self, writer: usize) -> Option<u64> {
        let sent = self.sent[writer].iter();
        let edits = sent.take_while(|sent| sent.load(Ordering::Acquire) != 0).count();
        edits.checked_sub(1).map(|edit| value(writer, edit))
    }
}

fn value(writer: usize, edit: usize) -> u64 {
    FIRST + (writer * EDITS + edit) as u64
}

/// One socket, which follows a table.
pub struct Viewer {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    table: DocumentId,
    name: String,
    pub rows: Vec<String>,
    pub column: String,
    /// Bytes of the snapshot, and how long it took.
    pub snapshot: (usize, Duration),
}

/// How far a measurement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Busy,
    /// Nobody writes or moves any more; all that was said arrives.
    Quiet,
    Over,
}

/// What a viewer does while it looks.
#[derive(Clone, Copy)]
pub struct Doing {
    /// Which of the writers it is, if it is one.
    pub writer: Option<usize>,
    pub moves: bool,
}

/// What a viewer has seen.
#[derive(Default)]
pub struct Seen {
    pub latencies: Latencies,
    pub edit_frames: u64,
    pub edit_bytes: u64,
    pub cursor_frames: u64,
    pub cursor_bytes: u64,
    pub other_frames: u64,
    /// The newest edit seen of each writer, by its value.
    pub newest: Vec<u64>,
    pub version: String,
}

impl Viewer {
    /// Connects and says who it is.
    pub async fn come(url: &str, table: &DocumentId, name: &str) -> Self {
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let connected = tokio_tungstenite::connect_async_with_config(url, Some(config), true);
        let (socket, _) = connected.await.expect("the server takes it");
        let mut viewer = Self {
            socket,
            table: table.clone(),
            name: name.to_owned(),
            rows: Vec::new(),
            column: String::new(),
            snapshot: (0, Duration::ZERO),
        };
        viewer
            .say("authenticate", json!({ "user": { "userId": name }, "deviceId": name }))
            .await;
        viewer.hear("authenticated").await;
        viewer
    }

    pub async fn say(&mut self, kind: &str, data: Value) {
        let text = json!({ "type": kind, "data": data }).to_string();
        self.socket.send(Message::text(text)).await.expect("the server reads");
    }

    /// The next text frame.
    pub async fn next(&mut self) -> String {
        loop {
            let frame = timeout(LIMIT, self.socket.next()).await.expect("a frame in time");
            match frame.expect("the socket stays open").expect("the socket is whole") {
                Message::Text(text) => return text.as_str().to_owned(),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// The next frame of a type; others are passed over.
    pub async fn hear(&mut self, kind: &str) -> String {
        loop {
            let text = self.next().await;
            match kind_of(&text) {
                known if known == kind => return text,
                "error" | "change_rejected" => panic!("{text}"),
                _ => {}
            }
        }
    }

    /// Follows these rows.
    pub async fn look(&mut self, offset: usize, limit: usize) {
        let window = json!({ "offset": offset, "limit": limit });
        let began = Instant::now();
        self.say(
            "subscribe_to_table",
            json!({ "tableId": self.table.as_str(), "window": window }),
        )
        .await;
        let text = self.hear("table_snapshot").await;
        self.snapshot = (text.len(), began.elapsed());
        let snapshot: Value = serde_json::from_str(&text).expect("JSON");
        let id = |of: &Value| of["id"].as_str().expect("an id").to_owned();
        self.rows = snapshot["data"]["rows"]
            .as_array()
            .expect("rows")
            .iter()
            .map(id)
            .collect();
        self.column = id(&snapshot["data"]["columns"][4]);
    }

    /// All frames until the server has answered that there is nothing more.
    pub async fn until_now(&mut self) -> Vec<String> {
        self.say("heartbeat", json!({ "tableId": self.table.as_str() })).await;
        let mut heard = Vec::new();
        loop {
            let text = self.next().await;
            if kind_of(&text) == "heartbeat_ack" {
                return heard;
            }
            heard.push(text);
        }
    }

    /// The frames before the one in which this text stands.
    pub async fn frames_before(&mut self, text: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            let frame = self.next().await;
            if frame.contains(text) {
                return before;
            }
            before.push(frame);
        }
    }

    /// Writes a number into the column of numbers of a row.
    pub async fn write(&mut self, row: &str, value: u64) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let change = json!({
            "changeId": format!("{}-{}-{value}", now.expect("after 1970").as_millis(), self.name),
            "tableId": self.table.as_str(), "type": "update", "recordId": row,
            "changes": [{ "fieldId": self.column, "newValue": value }],
        });
        self.say("record_change", change).await;
    }

    /// Looks, and does what it is to do, until it is over.
    pub async fn watch(
        mut self,
        doing: Doing,
        clock: Arc<Clock>,
        mut phase: watch::Receiver<Phase>,
        offset: f64,
    ) -> Seen {
        let mut seen = Seen {
            newest: vec![0; clock.sent.len()],
            ..Seen::default()
        };
        let ticks = |offset: f64| {
            let mut ticks = interval_at(tokio::time::Instant::now() + SECOND.mul_f64(offset), SECOND);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let (mut moves, mut edits) = (ticks(offset), ticks((offset + 0.5) % 1.0));
        let (mut moved, mut edited, mut busy) = (0, 0, true);
        loop {
            tokio::select! {
                frame = self.socket.next() => match frame.expect("the socket stays open").expect("the socket is whole") {
                    Message::Text(text) if seen.take(&text, &clock) => return seen,
                    Message::Close(frame) => panic!("closed: {frame:?}"),
                    _ => {}
                },
                _ = moves.tick(), if doing.moves && busy => {
                    moved += 1;
                    let record = &self.rows[moved % self.rows.len()];
                    let cursor = json!({ "recordId": record, "fieldId": self.column });
                    let told = json!({ "tableId": self.table.as_str(), "cursor": cursor });
                    self.say("cursor_position", told).await;
                },
                _ = edits.tick(), if doing.writer.is_some() && busy && edited < EDITS => {
                    let writer = doing.writer.expect("looked just now");
                    let row = self.rows[writer % self.rows.len()].clone();
                    // The lowest bit says whether it counts.
                    let counts = u64::from(clock.counts.load(Ordering::Acquire));
                    clock.sent[writer][edited].store((clock.now() | 1) - (1 - counts), Ordering::Release);
                    self.write(&row, value(writer, edited)).await;
                    edited += 1;
                },
                changed = phase.changed() => {
                    changed.expect("it is told when it is over");
                    busy = false;
                    let is_over = *phase.borrow_and_update() == Phase::Over;
                    if is_over {
                        self.say("heartbeat", json!({ "tableId": self.table.as_str() })).await;
                    }
                },
            }
        }
    }
}

impl Seen {
    /// Takes a frame. Whether it was the last.
    fn take(&mut self, text: &str, clock: &Clock) -> bool {
        let counts = u64::from(clock.counts.load(Ordering::Relaxed));
        let bytes = counts * text.len() as u64;
        match kind_of(text) {
            "record_change" | "batch_changes" | "missed_events" => {
                self.edit_frames += counts;
                self.edit_bytes += bytes;
                self.find_edits(text, clock);
            }
            "cursor_position" => {
                self.cursor_frames += counts;
                self.cursor_bytes += bytes;
            }
            "heartbeat_ack" => {
                let ack: Value = serde_json::from_str(text).expect("JSON");
                self.version = ack["data"]["version"].as_str().unwrap_or_default().to_owned();
                return true;
            }
            "change_rejected" | "error" => panic!("{text}"),
            _ => self.other_frames += counts,
        }
        false
    }

    /// Two changes of one writer in one frame are one cell: the newest is there.
    fn find_edits(&mut self, text: &str, clock: &Clock) {
        let now = clock.now();
        for (at, name) in text.match_indices("\"newValue\":") {
            let digits = text[at + name.len()..].bytes().take_while(u8::is_ascii_digit);
            let number = digits.fold(0_u64, |number, digit| {
                number.saturating_mul(10) + u64::from(digit - b'0')
            });
            let Some(edit) = number.checked_sub(FIRST) else {
                continue;
            };
            let (writer, edit) = (edit as usize / EDITS, edit as usize % EDITS);
            let sent = clock.sent[writer][edit].load(Ordering::Acquire);
            if sent & 1 == 1 {
                self.latencies.push(Duration::from_nanos(now.saturating_sub(sent)));
            }
            self.newest[writer] = self.newest[writer].max(number);
        }
    }
}

/// The type of a message, which the server writes first.
fn kind_of(text: &str) -> &str {
    let rest = text.strip_prefix("{\"type\":\"").unwrap_or_default();
    rest.split('"').next().unwrap_or_default()
}
