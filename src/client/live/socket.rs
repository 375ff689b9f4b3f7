//! The one task of a live client: connects, carries frames both ways, and connects again.
//!
//! What is said and what follows from what is heard is the session's; here are only the socket and the waits. Reading goes on
//! while a write waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{self, protocol::WebSocketConfig};

use super::backoff::{Backoff, Reconnect};
use super::board::{Board, Status};
use super::end::LiveEnd;
use crate::client::Socket;

/// Where to connect, and how long to wait.
#[derive(Debug)]
pub(super) struct Dial {
    pub url: String,
    pub timeout: Duration,
    /// How long a write may wait.
    pub stall: Duration,
    pub reconnect: Reconnect,
    pub max_message_bytes: usize,
}

/// Serves a client until it leaves, or there is no use in going on.
pub(super) async fn run(board: Arc<Board>, dial: Dial, seed: u64) {
    let _last_word = LastWord(&board);
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut backoff = Backoff::new(dial.reconnect);
    let end = loop {
        board.set_status(Status::Connecting);
        let end = match dial.connect().await {
            Ok(socket) => {
                let began = Instant::now();
                board.state().session.connected(began);
                let end = serve(&board, socket, dial.stall).await;
                backoff.lived(began.elapsed());
                end
            }
            Err(end) => end,
        };
        board.state().session.disconnected();
        if board.is_leaving() {
            break LiveEnd::Left;
        }
        if end.is_final() {
            break end;
        }
        board.set_status(Status::Waiting(end));
        let wait = backoff.failed(&mut rng);
        if left_within(&board, wait).await {
            break LiveEnd::Left;
        }
    };
    board.finish(end);
}

/// Waits, unless this client leaves meanwhile. Whether it did.
async fn left_within(board: &Board, wait: Duration) -> bool {
    let left = async {
        while !board.is_leaving() {
            // Edits wake us as well, and have to wait.
            board.wake.notified().await;
        }
    };
    timeout(wait, left).await.is_ok()
}

impl Dial {
    async fn connect(&self) -> Result<Socket, LiveEnd> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(self.max_message_bytes))
            .max_frame_size(Some(self.max_message_bytes));
        // Small messages both ways: waiting to fill a packet would only delay them.
        let connecting = tokio_tungstenite::connect_async_with_config(&self.url, Some(config), true);
        match timeout(self.timeout, connecting).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(error)) => Err(not_connected(&error)),
            Err(_) => Err(LiveEnd::Broken(format!("no answer within {:?}", self.timeout))),
        }
    }
}

fn not_connected(error: &tungstenite::Error) -> LiveEnd {
    match error {
        tungstenite::Error::Http(answer) if matches!(answer.status().as_u16(), 401 | 403) => {
            LiveEnd::Denied(format!("HTTP status {}", answer.status()))
        }
        // An address that is none will be none tomorrow.
        tungstenite::Error::Url(_) | tungstenite::Error::HttpFormat(_) => LiveEnd::Denied(error.to_string()),
        _ => LiveEnd::Broken(error.to_string()),
    }
}

async fn serve(board: &Board, socket: Socket, stall: Duration) -> LiveEnd {
    let (sink, stream) = socket.split();
    tokio::select! {
        end = read(board, stream) => end,
        end = write(board, sink, stall) => end,
    }
}

async fn read(board: &Board, mut stream: SplitStream<Socket>) -> LiveEnd {
    while let Some(received) = stream.next().await {
        let taken = match received {
            Ok(tungstenite::Message::Text(text)) => board.take(&text),
            Ok(tungstenite::Message::Close(frame)) => {
                let (code, reason) = frame.map_or((None, String::new()), |frame| {
                    (Some(frame.code.into()), frame.reason.to_string())
                });
                Err(LiveEnd::of_close(code, &reason))
            }
            Ok(_) => {
                board.state().session.hear(Instant::now());
                Ok(())
            }
            Err(error) => Err(LiveEnd::Broken(error.to_string())),
        };
        if let Err(end) = taken {
            return end;
        }
    }
    LiveEnd::Broken("closed without a word".into())
}

/// What the writing half does next.
enum Next {
    Send(String),
    Leave,
    Wait(Instant),
    End(LiveEnd),
}

impl Board {
    fn next(&self) -> Next {
        let (mut state, now) = (self.state(), Instant::now());
        if let Some(end) = state.session.is_dead(now) {
            return Next::End(end);
        }
        for id in state.session.settle(now) {
            state.poke(&id);
        }
        match state.session.next_frame(now) {
            Some(frame) => Next::Send(frame),
            None if state.is_leaving() => Next::Leave,
            None => Next::Wait(state.session.deadline()),
        }
    }
}

async fn write(board: &Board, mut sink: SplitSink<Socket, tungstenite::Message>, stall: Duration) -> LiveEnd {
    loop {
        match board.next() {
            Next::Send(frame) => {
                let sending = sink.send(tungstenite::Message::text(frame));
                match timeout(stall, sending).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return LiveEnd::Broken(error.to_string()),
                    Err(_) => return LiveEnd::Broken("the server takes no bytes".into()),
                }
            }
            Next::Leave => {
                // The reading half sees the server's own close, or the end of the socket.
                let _ = sink.send(tungstenite::Message::Close(None)).await;
                std::future::pending::<()>().await;
            }
            // A wakeup between the look and this wait is kept: `Notify` stores one.
            Next::Wait(until) => drop(tokio::time::timeout_at(until.into(), board.wake.notified()).await),
            Next::End(end) => return end,
        }
    }
}

/// Ends the client even if its task panics, so that nobody waits for a task that is gone.
struct LastWord<'a>(&'a Board);

impl Drop for LastWord<'_> {
    fn drop(&mut self) {
        self.0.finish(LiveEnd::Broken("the client's own task broke off".into()));
    }
}
