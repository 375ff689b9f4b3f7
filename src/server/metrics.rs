//! What the server counts, in the text format of Prometheus.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// One label: the kind of a thing counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Kind {
    pub kind: &'static str,
}

/// Every figure of the server. Counters go up where things happen; gauges are set when they are asked for.
pub struct Metrics {
    registry: Registry,
    pub connections: Gauge,
    pub connections_total: Counter,
    /// Connections closed by the server, by the name of the reason.
    pub closed: Family<Kind, Counter>,
    pub frames_in: Counter,
    pub frames_out: Counter,
    pub bytes_in: Counter,
    pub bytes_out: Counter,
    pub changes_committed: Counter,
    pub changes_refused: Counter,
    pub changes_kept_aside: Counter,
    pub catch_ups: Counter,
    pub live_catch_ups: Counter,
    pub ephemerals_relayed: Counter,
    /// Frames not acted on, by why: echoes, foreign senders, unknown types.
    pub ignored: Family<Kind, Counter>,
    pub rooms: Gauge,
    pub rooms_awake: Gauge,
    pub store_queued_changes: Gauge,
    pub store_queued_bytes: Gauge,
    pub store_flushes: Gauge,
    pub store_flushed_changes: Gauge,
    pub store_last_flush_seconds: Gauge<f64, AtomicU64>,
    pub store_writable: Gauge,
    pub receiving_bytes: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("roundtable");
        macro_rules! of {
            ($kind:ty, $name:literal, $help:literal) => {{
                let metric = <$kind>::default();
                registry.register($name, $help, metric.clone());
                metric
            }};
        }
        let store_last_flush_seconds = Gauge::<f64, AtomicU64>::default();
        registry.register_with_unit(
            "store_last_flush",
            "How long the last batch took to write and sync",
            Unit::Seconds,
            store_last_flush_seconds.clone(),
        );
        Self {
            connections: of!(Gauge, "connections", "Open connections"),
            connections_total: of!(Counter, "connections_opened", "Connections opened since the start"),
            closed: of!(Family<Kind, Counter>, "connections_closed", "Connections closed by the server, by reason"),
            frames_in: of!(Counter, "frames_in", "Frames received"),
            frames_out: of!(Counter, "frames_out", "Frames sent"),
            bytes_in: of!(Counter, "bytes_in", "Bytes of frames received"),
            bytes_out: of!(Counter, "bytes_out", "Bytes of frames sent"),
            changes_committed: of!(Counter, "changes_committed", "Changes committed"),
            changes_refused: of!(Counter, "changes_refused", "Changes the gate refused"),
            changes_kept_aside: of!(
                Counter,
                "changes_kept_aside",
                "Changes that came before what they build on"
            ),
            catch_ups: of!(Counter, "catch_ups", "Answers made through the library"),
            live_catch_ups: of!(
                Counter,
                "live_catch_ups",
                "Subscriptions of the live door that fell behind or were shown everything anew"
            ),
            ephemerals_relayed: of!(
                Counter,
                "ephemerals_relayed",
                "Ephemeral messages relayed, once per author's message"
            ),
            ignored: of!(Family<Kind, Counter>, "frames_ignored", "Frames not acted on, by why"),
            rooms: of!(Gauge, "rooms", "Rooms open"),
            rooms_awake: of!(Gauge, "rooms_awake", "Rooms whose document is in memory"),
            store_queued_changes: of!(Gauge, "store_queued_changes", "Changes that wait for the disk"),
            store_queued_bytes: of!(Gauge, "store_queued_bytes", "Bytes that wait for the disk"),
            store_flushes: of!(Gauge, "store_flushes", "Batches synced since the start"),
            store_flushed_changes: of!(Gauge, "store_flushed_changes", "Changes synced since the start"),
            store_last_flush_seconds,
            store_writable: of!(
                Gauge,
                "store_writable",
                "1 while the store takes changes, 0 once it has failed"
            ),
            receiving_bytes: of!(Gauge, "receiving_bytes", "Bytes of large messages being received"),
            registry,
        }
    }
}

impl Metrics {
    pub fn ignore(&self, kind: &'static str) {
        self.ignored.get_or_create(&Kind { kind }).inc();
    }

    /// The page that Prometheus reads.
    pub fn page(&self) -> String {
        let mut page = String::new();
        encode(&mut page, &self.registry).expect("writing to a string does not fail");
        page
    }
}
