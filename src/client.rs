//! Clients of a running server, for programs in Rust.
//!
//! Programs, the load generator and the tests go in by the doors everybody else uses, so that nothing reaches the store
//! behind the rooms' backs, and so that they see exactly what a front end sees.
//!
//! - [`sync`]: the sync door. Each document is a replica, with the Automerge library's own sync state.
//! - [`live`]: the live door. Each table is a local model of what is shown; the client comes back by itself after a lost
//!   connection, and keeps what was edited meanwhile.
//!
//! Both stand on floors 0 and 1 alone. Every wait takes a limit.

pub mod live;
pub mod sync;

use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub use live::{LiveClient, LiveOptions, LiveTable};
pub use sync::{Client, ClientError, ConnectOptions, DEFAULT_URL, Document, End, Replica};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
