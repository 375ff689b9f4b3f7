//! Floor 4: the doors, the sweeper, and the order in which everything starts and ends.

pub mod assets;
mod cleaner;
pub mod config;
mod connection;
mod http;
mod lifeline;
mod live;
pub mod meter;
pub mod metrics;
mod rest;
mod socket;
pub mod start;
mod sweeper;
mod welcome;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;

use self::config::Config;
use self::lifeline::Lifeline;
use self::meter::{Budget, Meter};
use self::metrics::Metrics;
use crate::id::{ConnectionId, DocumentId, PeerId};
use crate::room::Rooms;
use crate::room::inbox::{Close, Inbox};
use crate::store::{Status, Store};
use crate::sync::bindings::{self, Bindings};
use crate::sync::gossip;
use crate::sync::lane::{self, Lane};

/// What all connections share.
pub struct Server {
    pub config: Config,
    pub store: Store,
    pub rooms: Rooms,
    pub metrics: Metrics,
    /// How the server calls itself towards peers: the same for the life of a data folder.
    pub peer_id: PeerId,
    budget: Arc<Budget>,
    next_connection: AtomicU64,
    connections: Mutex<HashMap<ConnectionId, Arc<Lifeline>>>,
    /// The newest connection of every peer.
    peers: Mutex<HashMap<PeerId, Arc<Inbox>>>,
    bindings: Mutex<Bindings>,
    /// The sample table, once it is there.
    welcome: OnceLock<DocumentId>,
    /// Turns to load a document: loading takes several times the memory that the document will.
    loads: Arc<Semaphore>,
    /// The bytes of request bodies.
    receiving: Arc<Semaphore>,
    bulks: rest::Bulks,
    /// Turns to read and check what is imported or written in bulk.
    checks: Arc<Semaphore>,
    /// Turns to send files.
    exports: Arc<Semaphore>,
    /// The names of tables, as they were read last.
    names: Arc<rest::Names>,
    draining: AtomicBool,
}

impl Server {
    pub fn new(config: Config, store: Store) -> Arc<Self> {
        let bindings = Bindings::new(bindings::Limits::default(), &uuid::Uuid::new_v4().simple().to_string());
        let rooms = Rooms::new(
            store.clone(),
            config.room.clone(),
            config.rooms.open,
            bindings.own_sessions(),
        );
        let peer_id = PeerId::parse(&format!("roundtable-{}", store.storage_id())).expect("a storage id is short");
        Arc::new(Self {
            budget: Budget::new(config.sync.receiving_bytes, config.sync.receiving_free_bytes),
            metrics: Metrics::default(),
            next_connection: AtomicU64::new(1),
            connections: Mutex::default(),
            peers: Mutex::default(),
            bindings: Mutex::new(bindings),
            welcome: OnceLock::new(),
            loads: Arc::new(Semaphore::new(config.rooms.loads)),
            receiving: rest::budget(config.rest.receiving_bytes),
            bulks: rest::Bulks::new(config.rest.bulk_writes),
            checks: Arc::new(Semaphore::new(config.rest.checks)),
            exports: Arc::new(Semaphore::new(config.rest.exports)),
            names: Arc::default(),
            draining: AtomicBool::new(false),
            config,
            store,
            rooms,
            peer_id,
        })
    }

    /// Registers a new socket. None if there are too many, or the server is about to end.
    fn connected(&self, meter: Arc<Meter>) -> Option<Arc<Lifeline>> {
        let mut connections = self.connections();
        if connections.len() >= self.config.sync.connections || self.draining.load(Ordering::Acquire) {
            return None;
        }
        let id = ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed));
        let lane = lane::Limits {
            entries: self.config.sync.lane_messages,
            bytes: self.config.sync.lane_bytes,
        };
        let inbox = Inbox::new(id, Lane::new(lane));
        meter.belongs_to(&inbox);
        let lifeline = Lifeline::new(inbox, meter, Instant::now());
        connections.insert(id, lifeline.clone());
        self.metrics.connections_total.inc();
        Some(lifeline)
    }

    fn disconnected(&self, connection: ConnectionId) {
        self.connections().remove(&connection);
    }

    /// A peer has joined. An older connection of the same peer is closed: the newest one holds.
    fn joined(&self, peer: &PeerId, inbox: &Arc<Inbox>) {
        let older = self
            .peers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(peer.clone(), inbox.clone());
        self.bindings().joined(Instant::now(), peer, inbox.connection());
        if let Some(older) = older
            && older.connection() != inbox.connection()
        {
            older.close(Close::Replaced);
        }
    }

    /// Whether this is the newest connection of a peer.
    fn is_newest(&self, peer: &PeerId, connection: ConnectionId) -> bool {
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.get(peer).is_some_and(|inbox| inbox.connection() == connection)
    }

    /// The connection of a peer has ended.
    fn left(&self, peer: &PeerId, connection: ConnectionId) {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if peers.get(peer).is_some_and(|inbox| inbox.connection() == connection) {
            peers.remove(peer);
        }
        drop(peers);
        self.bindings().closed(Instant::now(), connection);
    }

    fn gossip_limits(&self) -> gossip::Limits {
        gossip::Limits {
            subscriptions: self.config.sync.followed_storages,
            ..gossip::Limits::default()
        }
    }

    /// Asks for a connection to be closed.
    fn close(&self, connection: ConnectionId, why: Close) {
        if let Some(lifeline) = self.connections().get(&connection) {
            lifeline.inbox.close(why);
        }
    }

    /// Whether edits are taken: the store is writable and the server is not about to end.
    pub fn is_ready(&self) -> Result<(), String> {
        if self.draining.load(Ordering::Acquire) {
            return Err("the server is shutting down".into());
        }
        match self.store.status() {
            Status::Writable => Ok(()),
            Status::ReadOnly(reason) => Err(format!("the store is read-only until a restart: {reason}")),
        }
    }

    /// Sets the gauges that are read off elsewhere, and writes the page for Prometheus.
    fn metrics_page(&self) -> String {
        let (metrics, gauges) = (&self.metrics, self.store.gauges());
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed) as i64;
        metrics.connections.set(self.connections().len() as i64);
        metrics.store_queued_changes.set(read(&gauges.queued_changes));
        metrics.store_queued_bytes.set(read(&gauges.queued_bytes));
        metrics.store_flushes.set(read(&gauges.flushes));
        metrics.store_flushed_changes.set(read(&gauges.flushed_changes));
        metrics
            .store_last_flush_seconds
            .set(gauges.last_flush_micros.load(Ordering::Relaxed) as f64 / 1e6);
        metrics
            .store_writable
            .set(i64::from(matches!(self.store.status(), Status::Writable)));
        metrics.receiving_bytes.set(self.budget.used() as i64);
        metrics.page()
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<ConnectionId, Arc<Lifeline>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bindings(&self) -> MutexGuard<'_, Bindings> {
        self.bindings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since 1970, by the clock of this machine.
fn now_ms() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_millis() as f64)
}
