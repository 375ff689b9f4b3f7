//! The one task that looks after everything that ends by itself: silent sockets, forgotten people, quiet documents, changes
//! that should be folded into a snapshot.

use std::sync::Arc;
use std::time::Instant;

use super::Server;

pub(super) async fn run(server: Arc<Server>) {
    let mut ticks = tokio::time::interval(server.config.sweep.every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = Instant::now();
        let connections: Vec<_> = server.connections().values().cloned().collect();
        for lifeline in connections {
            lifeline.sweep(&server.config.sweep, now);
        }
        server.bindings().expire(now);
        let sweeping = server.clone();
        // Unloading a large document and writing a snapshot take their time; one at a time is enough.
        let swept = tokio::task::spawn_blocking(move || {
            let swept = sweeping.rooms.sweep(now);
            for room in sweeping.rooms.due_for_compaction() {
                room.compact();
            }
            swept
        });
        match swept.await {
            Ok(swept) => {
                server.metrics.rooms.set(swept.open as i64);
                server.metrics.rooms_awake.set(swept.awake as i64);
            }
            Err(error) => tracing::error!(%error, "a sweep of the rooms panicked"),
        }
    }
}
