//! What goes through a socket, counted below the WebSocket: the server-wide budget for large messages, and signs of life
//! in the direction of the peer.
//!
//! The WebSocket library collects a message in memory until it is whole, so whoever opens many sockets and sends most
//! of a large frame on each would fill the memory. Every connection may receive a little for free; more is taken from
//! one budget, and a connection that finds it used up is told to try later.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::room::inbox::{Close, Inbox};

/// The bytes of large messages that are being received.
#[derive(Debug)]
pub struct Budget {
    free_per_connection: usize,
    total: usize,
    used: AtomicUsize,
}

impl Budget {
    pub fn new(total: usize, free_per_connection: usize) -> Arc<Self> {
        Arc::new(Self {
            total,
            free_per_connection,
            used: AtomicUsize::new(0),
        })
    }

    fn take(&self, bytes: usize) -> bool {
        self.used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                (used + bytes <= self.total).then_some(used + bytes)
            })
            .is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::AcqRel);
    }

    pub fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }
}

/// The counts of one socket.
#[derive(Debug)]
pub struct Meter {
    budget: Arc<Budget>,
    /// Bytes read since the last whole message.
    unfinished: AtomicUsize,
    /// How many of those were taken from the budget.
    taken: AtomicUsize,
    /// Bytes the peer's side sent, and took, since the beginning.
    received: AtomicU64,
    written: AtomicU64,
    /// The budget was used up: what still comes is read and thrown away.
    refused: AtomicBool,
    /// Where to say that the budget is used up, once the socket is a connection.
    inbox: OnceLock<std::sync::Weak<Inbox>>,
}

impl Meter {
    fn new(budget: Arc<Budget>) -> Arc<Self> {
        Arc::new(Self {
            budget,
            unfinished: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            received: AtomicU64::new(0),
            written: AtomicU64::new(0),
            refused: AtomicBool::new(false),
            inbox: OnceLock::new(),
        })
    }

    /// From here on the socket belongs to a connection.
    pub fn belongs_to(&self, inbox: &Arc<Inbox>) {
        let _ = self.inbox.set(Arc::downgrade(inbox));
        self.message_done();
    }

    /// A message was received whole: its share of the budget is given back.
    pub fn message_done(&self) {
        self.unfinished.store(0, Ordering::Relaxed);
        let taken = self.taken.swap(0, Ordering::AcqRel);
        if taken > 0 {
            self.budget.give_back(taken);
        }
    }

    /// How many bytes the peer's side sent so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// How many bytes the peer's side took so far.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Counts bytes that were read. False if the budget is used up.
    fn read(&self, bytes: usize) -> bool {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        let unfinished = self.unfinished.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let beyond = unfinished.saturating_sub(self.budget.free_per_connection).min(bytes);
        if beyond == 0 {
            return true;
        }
        let taken = self.budget.take(beyond);
        if taken {
            self.taken.fetch_add(beyond, Ordering::AcqRel);
        }
        taken
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.message_done();
    }
}

/// A TCP socket with a meter.
pub struct Metered {
    socket: TcpStream,
    meter: Arc<Meter>,
}

impl Metered {
    /// Reads to the end of the stream and keeps nothing. A peer that still sends would not see why it is closed before
    /// all was taken, and its share of the budget is held until it is gone.
    fn throw_away(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut nothing = [0; 4 << 10];
        loop {
            let mut buffer = ReadBuf::new(&mut nothing);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.meter.refused.load(Ordering::Relaxed) {
            return self.throw_away(cx);
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        let bytes = buffer.filled().len() - before;
        // Plain HTTP has its own limits; only a connection, which has an inbox, is metered.
        if let Some(inbox) = self.meter.inbox.get()
            && !self.meter.read(bytes)
        {
            match inbox.upgrade() {
                Some(inbox) => inbox.close(Close::TryLater),
                None => return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into())),
            }
            buffer.set_filled(before);
            self.meter.refused.store(true, Ordering::Relaxed);
            return self.throw_away(cx);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write(cx, bytes))?;
        self.meter.written.fetch_add(written as u64, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Accepts metered sockets.
pub struct MeteredListener {
    pub listener: TcpListener,
    pub budget: Arc<Budget>,
}

impl Listener for MeteredListener {
    type Io = Metered;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Metered, SocketAddr) {
        // axum's own listener waits and goes on when the process has run out of file descriptors.
        let (socket, address) = Listener::accept(&mut self.listener).await;
        // Frames are small and each is flushed when it is meant to leave.
        let _ = socket.set_nodelay(true);
        (
            Metered {
                socket,
                meter: Meter::new(self.budget.clone()),
            },
            address,
        )
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// What a handler learns about the socket a request came in on.
#[derive(Debug, Clone)]
pub struct Socket {
    pub meter: Arc<Meter>,
    pub address: SocketAddr,
}

impl Connected<IncomingStream<'_, MeteredListener>> for Socket {
    fn connect_info(stream: IncomingStream<'_, MeteredListener>) -> Self {
        Self {
            meter: stream.io().meter.clone(),
            address: *stream.remote_addr(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_messages_are_free_and_large_ones_share_one_budget() {
        let budget = Budget::new(1000, 100);
        let (ada, grace) = (Meter::new(budget.clone()), Meter::new(budget.clone()));
        assert!(ada.read(100));
        assert_eq!(budget.used(), 0);
        assert!(ada.read(700));
        assert_eq!(budget.used(), 700);
        assert!(grace.read(400));
        assert!(!grace.read(1), "used up");
        ada.message_done();
        assert_eq!(budget.used(), 300);
        drop(grace);
        assert_eq!(budget.used(), 0);
    }
}
