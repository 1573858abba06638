//! A connection whose client has to take what it asked for: one that stops reading ends, instead of
//! keeping its answer in our memory.
//!
//! Who was refused has his answer at once, and the end of his connection a little later: so he reads the
//! answer before he hears that nobody reads the rest of his request, and who tries again and again does not
//! keep the server busy with it.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use super::connections::Connection;

/// Within each time of this length a client takes [`LEAST`] bytes, or all there are.
const TIME_TO_TAKE: Duration = Duration::from_secs(30);
const LEAST: usize = 16 << 10;

pub(super) struct Stream {
    /// `None` once it is left to linger.
    inner: Option<TcpStream>,
    connection: Arc<Connection>,
    /// Runs while the client has not taken enough.
    limit: Option<Pin<Box<Sleep>>>,
    taken: usize,
    is_answered: bool,
}

impl Stream {
    pub(super) fn new(inner: TcpStream, connection: Arc<Connection>) -> Self {
        Self { inner: Some(inner), connection, limit: None, taken: 0, is_answered: false }
    }

    fn open(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.inner.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn has_taken(&mut self, count: usize) {
        self.is_answered = true;
        self.taken += count;
        if self.taken >= LEAST {
            self.limit = None;
            self.taken = 0;
        }
    }

    fn watched(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(count)) => {
                self.has_taken(count);
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let limit = self.limit.get_or_insert_with(|| Box::pin(sleep(TIME_TO_TAKE)));
                ready!(limit.as_mut().poll(context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.open()?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.open()?.poll_write(context, bytes);
        self.watched(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.open()?.poll_write_vectored(context, slices);
        self.watched(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.as_ref().is_some_and(TcpStream::is_write_vectored)
    }

    /// Only asked for when all has been written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.limit = None;
        self.taken = 0;
        self.open()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_answered
            && self.connection.is_refused()
            && let Some(stream) = self.inner.take()
        {
            self.connection.leave(stream);
            return Poll::Ready(Ok(()));
        }
        self.open()?.poll_shutdown(context)
    }
}
