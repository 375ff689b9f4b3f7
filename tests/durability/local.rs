//! A server in this process, over an engine and with the bounds that the test chooses.

use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngCore, SeedableRng};
use roundtable::id::DocumentId;
use roundtable::server::config::Config;
use roundtable::server::metrics::Kind;
use roundtable::server::start::{Running, start_on};
use roundtable::store::engine::Engine;
use tokio::time::timeout;

use crate::process::{LONG, get_later};

/// Starts a server on a free port over this engine.
pub async fn start(engine: impl Engine + 'static, configure: impl FnOnce(&mut Config)) -> Running {
    let mut config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        demo: false,
        ..Config::default()
    };
    config.sweep.every = std::time::Duration::from_millis(10);
    configure(&mut config);
    start_on(config, Arc::new(engine)).await.expect("the server starts")
}

pub fn new_id() -> DocumentId {
    DocumentId::from_uuid(uuid::Uuid::new_v4())
}

/// Looks again after each round trip over HTTP until there is what is waited for.
pub async fn eventually(running: &Running, what: &str, look: impl Fn() -> bool) {
    let waiting = async {
        while !look() {
            get_later(running.address, "/healthz").await;
        }
    };
    timeout(LONG, waiting).await.unwrap_or_else(|_| panic!("never {what}"));
}

/// How many connections the server has closed for this reason.
pub fn closed(running: &Running, kind: &'static str) -> u64 {
    running.server.metrics.closed.get_or_create(&Kind { kind }).get()
}

/// Bytes that nothing makes shorter.
pub fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    SmallRng::seed_from_u64(seed).fill_bytes(&mut noise);
    noise
}
