//! The one task that looks after everything that ends by itself: silent sockets, forgotten people, quiet documents, changes
//! that should be folded into a snapshot.

use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinHandle;

use super::Server;

pub(super) async fn run(server: Arc<Server>) {
    let mut ticks = tokio::time::interval(server.config.sweep.every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut rooms: Option<JoinHandle<()>> = None;
    loop {
        ticks.tick().await;
        let now = Instant::now();
        let connections: Vec<_> = server.connections().values().cloned().collect();
        for lifeline in connections {
            lifeline.sweep(&server.config.sweep, now);
        }
        server.bindings().expire(now);
        // Unloading large documents and writing snapshots takes its time; the sockets do not wait for it.
        if rooms.as_ref().is_none_or(JoinHandle::is_finished) {
            let server = server.clone();
            rooms = Some(tokio::task::spawn_blocking(move || sweep_rooms(&server, now)));
        }
    }
}

fn sweep_rooms(server: &Server, now: Instant) {
    let swept = server.rooms.sweep(now);
    server.metrics.rooms.set(swept.open as i64);
    server.metrics.rooms_awake.set(swept.awake as i64);
    for room in server.rooms.due_for_compaction(now) {
        room.compact(now);
    }
}
