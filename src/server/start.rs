//! Starting and ending: the store first and last, the doors in between.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::config::Config;
use super::meter::{MeteredListener, Socket};
use super::{Server, cleaner, http, sweeper, welcome};
use crate::room::inbox::Close;
use crate::store::engine::Engine;
use crate::store::sled::{OpenError, SledEngine, SledOptions};
use crate::store::{Committer, Store, StoreError};

/// Why the server did not start; one line each, for the person who started it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the data folder cannot be used: {0}")]
    Store(#[from] StoreError),
    #[error("cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("the committer's thread cannot be started: {0}")]
    Thread(std::io::Error),
}

/// How long answers that are being sent may take when the server ends.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// A server that runs.
pub struct Running {
    pub server: Arc<Server>,
    pub address: SocketAddr,
    committer: JoinHandle<()>,
    accepting: tokio::task::JoinHandle<()>,
    sweeping: tokio::task::JoinHandle<()>,
    cleaning: tokio::task::JoinHandle<()>,
    stop_accepting: oneshot::Sender<()>,
}

/// Opens the data folder and the doors.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let (folder, options) = (
        config.data.clone(),
        SledOptions {
            cache_bytes: config.cache_bytes,
        },
    );
    let engine = tokio::task::spawn_blocking(move || SledEngine::open(&folder, options))
        .await
        .expect("opening does not panic")?;
    start_on(config, Arc::new(engine)).await
}

/// Opens the doors over an engine that is open already.
pub async fn start_on(config: Config, engine: Arc<dyn Engine>) -> Result<Running, StartError> {
    let (store, committer) = Store::open(engine, config.store)?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|source| StartError::Listen {
            address: config.listen,
            source,
        })?;
    let address = listener.local_addr().map_err(|source| StartError::Listen {
        address: config.listen,
        source,
    })?;
    let committer = spawn_committer(committer)?;
    let server = Server::new(config, store);
    welcome::prepare(&server).await;
    let (stop_accepting, stopped) = oneshot::channel::<()>();
    let listener = MeteredListener {
        listener,
        budget: server.budget.clone(),
    };
    let routes = http::routes(server.clone()).into_make_service_with_connect_info::<Socket>();
    let accepting = tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(stopped).await {
            tracing::error!(%error, "accepting connections ended");
        }
    });
    let sweeping = tokio::spawn(sweeper::run(server.clone()));
    let cleaning = tokio::spawn(cleaner::run(server.clone()));
    Ok(Running {
        server,
        address,
        committer,
        accepting,
        sweeping,
        cleaning,
        stop_accepting,
    })
}

fn spawn_committer(committer: Committer) -> Result<JoinHandle<()>, StartError> {
    std::thread::Builder::new()
        .name("committer".into())
        .spawn(move || committer.run())
        .map_err(StartError::Thread)
}

impl Running {
    /// Ends: no new sockets, open ones closed with 1001, everything appended flushed. False if the time ran out.
    pub async fn drain(self) -> bool {
        let most = self.server.config.shutdown;
        tokio::time::timeout(most, self.end()).await.is_ok()
    }

    async fn end(self) {
        let Self {
            server,
            committer,
            mut accepting,
            sweeping,
            cleaning,
            stop_accepting,
            ..
        } = self;
        server.draining.store(true, Ordering::Release);
        let _ = stop_accepting.send(());
        // What was taken is flushed before the sockets go, so that its acknowledgement still leaves.
        server.store.drain().await;
        for lifeline in server.connections().values() {
            lifeline.inbox.close(Close::ShuttingDown);
        }
        let mut poll = tokio::time::interval(std::time::Duration::from_millis(20));
        while !server.connections().is_empty() {
            poll.tick().await;
        }
        for task in [sweeping, cleaning] {
            task.abort();
            let _ = task.await;
        }
        // They end with the slice at hand; then their answers leave, as do those of all other requests.
        server.bulks.ended_all().await;
        if tokio::time::timeout(LAST_ANSWERS, &mut accepting).await.is_err() {
            accepting.abort();
            let _ = accepting.await;
        }
        server.store.drain().await;
        server.store.close();
        let _ = tokio::task::spawn_blocking(move || committer.join()).await;
    }
}
