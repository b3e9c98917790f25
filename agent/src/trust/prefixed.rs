//! A connection of which something was read already.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// Octets that are read at once: a server's HTTP/2 settings are fewer.
const FIRST: usize = 256;

/// Gives what was read first, then what follows.
#[derive(Debug)]
pub(super) struct Prefixed<S> {
    first: Vec<u8>,
    given: usize,
    rest: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Prefixed<S> {
    /// Waits until the other end says something. It does in HTTP/2, first; in TLS 1.3 a client learns only with that
    /// whether its certificate was taken.
    pub(super) async fn wait(mut io: S) -> io::Result<Self> {
        let mut first = vec![0; FIRST];
        let read = io.read(&mut first).await?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed before it answered"));
        }
        first.truncate(read);
        Ok(Self { first, given: 0, rest: io })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.first.get(self.given..).unwrap_or_default();
        if left.is_empty() {
            return Pin::new(&mut self.rest).poll_read(context, buffer);
        }
        let count = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..count]);
        self.given += count;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.rest).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.rest).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.rest).poll_shutdown(context))?;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    #[tokio::test]
    async fn nothing_that_was_read_ahead_is_lost() {
        let (mut far, near) = tokio::io::duplex(64);
        far.write_all(b"first").await.unwrap();
        let mut near = Prefixed::wait(near).await.unwrap();
        far.write_all(b" and rest").await.unwrap();
        drop(far);
        let mut all = String::new();
        near.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "first and rest");
    }

    #[tokio::test]
    async fn an_end_that_says_nothing_is_an_error() {
        let (far, near) = tokio::io::duplex(64);
        drop(far);
        let error = Prefixed::wait(near).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
