//! One connection of the live door: JSON text frames for front ends without a CRDT in the page (`docs/live-protocol.md`).
//!
//! Requests about one table are done one after the other, in the order they came, and so are all edits. Waiting for the disk is
//! not part of that: what was done is answered once it is durable, while the next request is being done. A client with too
//! much that waits is not read until there is less.

mod answers;
mod door;
mod editing;
mod following;
mod offline;
mod presence;
mod queue;
mod session;
mod showing;

use std::sync::Arc;

use axum::extract::ws::WebSocket;

use self::door::LiveDoor;
use super::lifeline::Lifeline;
use super::{Server, socket};

/// Serves one socket to its end.
pub(super) async fn serve(server: Arc<Server>, websocket: WebSocket, lifeline: Arc<Lifeline>) {
    socket::serve(LiveDoor::new(server, lifeline.clone()), websocket, lifeline).await;
}
