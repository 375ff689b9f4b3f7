//! One connection of the sync door: everything that is said over one socket.
//!
//! What must wait (for a room, for the disk, for the library) is a job, and the conversation it belongs to waits for it
//! while reading, writing and all other conversations go on.

mod commit;
mod deleted;
mod door;
mod ephemeral;
mod incoming;
mod jobs;
mod outgoing;
mod talk;

use std::sync::Arc;

use axum::extract::ws::WebSocket;

use self::door::SyncDoor;
use super::lifeline::Lifeline;
use super::{Server, socket};

/// Serves one socket to its end.
pub(super) async fn serve(server: Arc<Server>, websocket: WebSocket, lifeline: Arc<Lifeline>) {
    socket::serve(SyncDoor::new(server, lifeline.clone()), websocket, lifeline).await;
}
