//! The task of one WebSocket, whichever door it came in by: reading, writing, and waiting for everything at once.
//!
//! Nobody else touches a door's state; rooms mark its inbox and it pulls. The loop never waits for a room, for the disk or
//! for the library: what must wait is a job of the door, and reading and writing go on meanwhile.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};

use super::Server;
use super::lifeline::Lifeline;
use crate::room::inbox::{Close, Inbox};

/// Frames written before the loop looks at everything else again.
const FRAMES_AT_ONCE: usize = 64;

/// How long a closing socket may take to take the close frame and to answer it.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a door does with its socket.
pub(super) trait Connection {
    /// What a job of it comes to.
    type Done;

    fn server(&self) -> &Arc<Server>;

    /// How the other side is called, for the log.
    fn peer_name(&self) -> &str;

    /// A mark was set.
    fn look(&mut self, key: u32);

    /// Takes one message, text or binary.
    fn receive(&mut self, message: Message);

    /// Whether the next message may be read: nothing waits beyond its bound.
    fn is_reading(&self) -> bool;

    /// The next message to write. Asked only when the socket takes one.
    fn next_message(&mut self) -> Option<Message>;

    /// Waits for the next job that is done; for ever if there is none.
    fn next_job(&mut self) -> impl Future<Output = Self::Done> + Send;

    fn finish(&mut self, done: Self::Done);

    /// Why this connection is to be closed, once it is.
    fn closing(&self) -> Option<Close>;

    /// The connection has ended: leaves every room.
    fn leave(&mut self, end: &End);

    /// The last messages of a connection that is closed.
    fn farewells(&mut self) -> Vec<Message>;
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The socket broke.
    Gone,
    /// The peer closed it, with this code.
    Left(Option<u16>),
    /// We close it.
    Closed(Close),
}

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

/// Serves one socket to its end.
pub(super) async fn serve(mut door: impl Connection, mut socket: WebSocket, lifeline: Arc<Lifeline>) {
    let inbox = lifeline.inbox.clone();
    let end = run(&mut socket, &mut door, &inbox, &lifeline).await;
    if let End::Closed(why) = end {
        door.server()
            .metrics
            .closed
            .get_or_create(&super::metrics::Kind { kind: why.name() })
            .inc();
        tracing::info!(connection = %inbox.connection(), peer = door.peer_name(), code = why.code(), reason = why.reason(), "closing");
    }
    door.leave(&end);
    match end {
        End::Closed(why) => {
            let farewells = door.farewells();
            let _ = tokio::time::timeout(FAREWELL, part(&mut socket, farewells, why)).await;
        }
        // The close frame is answered on the way to the end of the stream.
        End::Left(_) => {
            let _ = tokio::time::timeout(FAREWELL, async { while let Some(Ok(_)) = socket.next().await {} }).await;
        }
        End::Gone => {}
    }
}

async fn run(socket: &mut WebSocket, door: &mut impl Connection, inbox: &Arc<Inbox>, lifeline: &Lifeline) -> End {
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
                    match frame {
                        // A ping or pong may stand between the parts of a message, which is not done by it.
                        Message::Ping(_) | Message::Pong(_) => {}
                        Message::Close(frame) => return End::Left(frame.map(|frame| frame.code)),
                        message => {
                            lifeline.meter.message_done();
                            let metrics = &door.server().metrics;
                            metrics.frames_in.inc();
                            metrics.bytes_in.inc_by(length(&message) as u64);
                            door.receive(message);
                        }
                    }
                }
            },
        }
    }
}

/// Writes as much as the socket takes, documents before presence.
fn pump(
    socket: &mut WebSocket,
    door: &mut impl Connection,
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
        } else if let Some(message) = door.next_message() {
            let metrics = &door.server().metrics;
            metrics.frames_out.inc();
            metrics.bytes_out.inc_by(length(&message) as u64);
            socket.as_mut().start_send(message)?;
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

fn length(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
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
        Ok(Ws::Utf8(_)) => End::Closed(Close::BadText),
        Ok(Ws::Protocol(tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => {
            End::Gone
        }
        Ok(Ws::Protocol(_)) => End::Closed(Close::BadFrame),
        _ => End::Gone,
    }
}

/// Says what is left to say, closes with the reason, and waits for the peer to close as well.
async fn part(socket: &mut WebSocket, farewells: Vec<Message>, why: Close) {
    for message in farewells {
        if socket.feed(message).await.is_err() {
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
