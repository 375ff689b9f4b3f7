//! One connection of the sync door: the task that owns a socket and everything that is said over it.
//!
//! Nobody else touches its conversations; rooms mark its inbox and it pulls. The loop never waits for a room, for the
//! disk or for the library: what must wait is a job, and the conversation it belongs to waits for it while reading,
//! writing and all other conversations go on.

mod deleted;
mod door;
mod ephemeral;
mod outgoing;
mod talk;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};

use self::door::SyncDoor;
use super::Server;
use super::lifeline::Lifeline;
use crate::room::inbox::{Close, Inbox};

/// Frames written before the loop looks at everything else again.
const FRAMES_AT_ONCE: usize = 64;

/// How long a closing socket may take to take the close frame and to answer it.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the socket can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    /// It takes nothing just now.
    Blocked,
    /// It took everything, but not all of it has left.
    Unflushed,
    /// Nothing is left to write.
    Idle,
    /// There is more, and it would take it: the loop comes back at once.
    More,
}

/// What happened at the socket.
enum Event {
    Frame(Option<Result<Message, axum::Error>>),
    Writable(Result<(), axum::Error>),
}

/// How a connection ends.
enum End {
    /// The peer went, or the socket broke.
    Gone,
    Closed(Close),
}

/// Serves one socket to its end.
pub async fn serve(server: Arc<Server>, mut socket: WebSocket, lifeline: Arc<Lifeline>) {
    let inbox = lifeline.inbox.clone();
    let mut door = SyncDoor::new(server.clone(), lifeline.clone());
    let end = run(&mut socket, &mut door, &inbox, &lifeline).await;
    if let End::Closed(why) = end {
        server
            .metrics
            .closed
            .get_or_create(&super::metrics::Kind { kind: why.name() })
            .inc();
        tracing::info!(connection = %inbox.connection(), peer = door.peer_name(), code = why.code(), reason = why.reason(), "closing");
    }
    door.leave_everything();
    if let End::Closed(why) = end {
        let farewells = door.farewells();
        let _ = tokio::time::timeout(FAREWELL, part(&mut socket, farewells, why)).await;
    }
}

async fn run(socket: &mut WebSocket, door: &mut SyncDoor, inbox: &Arc<Inbox>, lifeline: &Lifeline) -> End {
    let mut ping = false;
    loop {
        let arrived = inbox.take();
        ping |= arrived.ping;
        for key in arrived.marked {
            door.look(key);
        }
        if let Some(why) = arrived.close {
            // The server waited for the disk before it closes: what became durable meanwhile is still acknowledged.
            if why == Close::ShuttingDown {
                let _ = std::future::poll_fn(|cx| Poll::Ready(pump(socket, door, &mut ping, cx))).await;
            }
            return End::Closed(why);
        }
        if let Some(why) = door.closing() {
            return End::Closed(why);
        }
        let writing = match std::future::poll_fn(|cx| Poll::Ready(pump(socket, door, &mut ping, cx))).await {
            Ok(writing) => writing,
            Err(_) => return End::Gone,
        };
        lifeline.blocked(writing == Writing::Blocked);
        let reading = door.is_reading();
        lifeline.reading(reading);
        tokio::select! {
            () = inbox.woken() => {}
            // There is more to write; what else is ready gets its turn all the same.
            () = std::future::ready(()), if writing == Writing::More => {}
            done = door.next_job() => door.finish(done),
            event = std::future::poll_fn(|cx| poll_socket(socket, reading, writing, cx)) => match event {
                Event::Writable(Ok(())) => {}
                Event::Writable(Err(_)) | Event::Frame(None) => return End::Gone,
                Event::Frame(Some(Err(error))) => return ended_by(error),
                Event::Frame(Some(Ok(frame))) => {
                    // A ping or pong may stand between the parts of a message, which is not done by it.
                    if matches!(frame, Message::Binary(_) | Message::Text(_)) {
                        lifeline.meter.message_done();
                    }
                    match frame {
                        Message::Binary(bytes) => door.receive(bytes),
                        Message::Text(_) => door.refuse(Close::NotBinary, "a text frame, where the protocol is binary"),
                        Message::Close(_) => return End::Gone,
                        Message::Ping(_) | Message::Pong(_) => {}
                    }
                }
            },
        }
    }
}

/// Writes as much as the socket takes, documents before presence.
fn pump(
    socket: &mut WebSocket,
    door: &mut SyncDoor,
    ping: &mut bool,
    cx: &mut Context<'_>,
) -> Result<Writing, axum::Error> {
    let mut socket = Pin::new(socket);
    for _ in 0..FRAMES_AT_ONCE {
        match socket.as_mut().poll_ready(cx) {
            Poll::Pending => return Ok(Writing::Blocked),
            Poll::Ready(ready) => ready?,
        }
        if std::mem::take(ping) {
            socket.as_mut().start_send(Message::Ping(Bytes::new()))?;
        } else if let Some(frame) = door.next_frame() {
            door.server.metrics.frames_out.inc();
            door.server.metrics.bytes_out.inc_by(frame.len() as u64);
            socket.as_mut().start_send(Message::Binary(frame))?;
        } else {
            return Ok(match socket.as_mut().poll_flush(cx) {
                Poll::Ready(flushed) => flushed.map(|()| Writing::Idle)?,
                Poll::Pending => Writing::Unflushed,
            });
        }
    }
    let _ = socket.as_mut().poll_flush(cx)?;
    Ok(Writing::More)
}

/// Waits for a frame, and for the socket to take bytes again if it did not.
fn poll_socket(socket: &mut WebSocket, reading: bool, writing: Writing, cx: &mut Context<'_>) -> Poll<Event> {
    let mut socket = Pin::new(socket);
    let written = match writing {
        Writing::Blocked => socket.as_mut().poll_ready(cx),
        Writing::Unflushed => socket.as_mut().poll_flush(cx),
        Writing::Idle | Writing::More => Poll::Pending,
    };
    if let Poll::Ready(written) = written {
        return Poll::Ready(Event::Writable(written));
    }
    if reading && let Poll::Ready(frame) = socket.as_mut().poll_next(cx) {
        return Poll::Ready(Event::Frame(frame));
    }
    Poll::Pending
}

/// The reason to close after the WebSocket layer gave up reading.
fn ended_by(error: axum::Error) -> End {
    use tokio_tungstenite::tungstenite::Error as Ws;
    match error.into_inner().downcast::<Ws>().map(|error| *error) {
        Ok(Ws::Capacity(_)) => End::Closed(Close::TooLarge),
        Ok(Ws::Utf8(_)) => End::Closed(Close::NotBinary),
        Ok(Ws::Protocol(tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => {
            End::Gone
        }
        Ok(Ws::Protocol(_)) => End::Closed(Close::BadFrame),
        _ => End::Gone,
    }
}

/// Says what is left to say, closes with the reason, and waits for the peer to close as well.
async fn part(socket: &mut WebSocket, farewells: Vec<Bytes>, why: Close) {
    for frame in farewells {
        if socket.feed(Message::Binary(frame)).await.is_err() {
            return;
        }
    }
    let close = CloseFrame {
        code: why.code(),
        reason: why.reason().into(),
    };
    if socket.send(Message::Close(Some(close))).await.is_err() {
        return;
    }
    while let Some(Ok(_)) = socket.next().await {}
}
