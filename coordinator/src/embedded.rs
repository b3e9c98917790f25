//! A coordinator inside of another program: `correlate run` is one.
//!
//! ```text
//! let coordinator = Embedded::start();
//! // One agent per host; each dials through `connector()`, or its connection is handed to `accept`.
//! let session = coordinator.start_session(options).await?;
//! while let Some(event) = session.next_event().await { … }
//! let outcome = session.finish().await?;
//! ```

use crate::feeding::{self, MakeConsumer};
use crate::registry::Registry;
use crate::service;
use crate::session::{self, SessionHandle, SessionOptions, StartError};
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::Connected;

/// Octets in flight on an in-memory connection.
const DUPLEX_BYTES: usize = 1 << 20;
/// HTTP/2 windows: ten times the throughput of the default's 64 KiB.
const WINDOW_BYTES: u32 = 8 << 20;
/// Between two pings on a quiet connection, and how long an answer may take.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Connections that wait to be accepted.
const BACKLOG: usize = 64;

/// A coordinator in this process. Dropping it ends its connections; sessions end by their handles.
#[derive(Debug)]
pub struct Embedded {
    registry: Registry,
    incoming: Connector,
    server: tokio::task::AbortHandle,
}

/// Makes in-memory connections to a coordinator; from any thread, for any runtime.
#[derive(Debug, Clone)]
pub struct Connector(mpsc::Sender<Connection>);

impl Connector {
    /// A new connection: the agent's end of it. Fails if the coordinator is gone, or if too many wait.
    pub fn connect(&self) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(DUPLEX_BYTES);
        self.accept(ours)?;
        Ok(theirs)
    }

    /// Serves the agent at the other end of `io`: a socket, or an ssh child's standard input and output.
    pub fn accept(&self, io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> io::Result<()> {
        self.0.try_send(Connection(Box::new(io))).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => io::ErrorKind::WouldBlock.into(),
            mpsc::error::TrySendError::Closed(_) => io::ErrorKind::ConnectionRefused.into(),
        })
    }
}

impl Embedded {
    /// Starts a coordinator on the present runtime.
    #[must_use]
    pub fn start() -> Self {
        let registry = Registry::default();
        let (incoming, connections) = mpsc::channel(BACKLOG);
        let service = service::agents(registry.clone());
        let serve = async move {
            let served = Server::builder()
                .initial_stream_window_size(WINDOW_BYTES)
                .initial_connection_window_size(WINDOW_BYTES)
                .http2_keepalive_interval(Some(KEEP_ALIVE))
                .http2_keepalive_timeout(Some(KEEP_ALIVE))
                .add_service(service)
                .serve_with_incoming(ReceiverStream::new(connections).map(Ok::<_, io::Error>))
                .await;
            if let Err(error) = served {
                tracing::error!(%error, "the coordinator's server failed");
            }
        };
        let server = tokio::spawn(serve).abort_handle();
        Self { registry, incoming: Connector(incoming), server }
    }

    /// Makes connections to this coordinator.
    #[must_use]
    pub fn connector(&self) -> Connector {
        self.incoming.clone()
    }

    /// Starts a session. Agents that are connected, and those that will be, are told what to capture.
    pub async fn start_session(&self, options: SessionOptions) -> Result<SessionHandle, StartError> {
        self.start_session_with(options, Box::new(feeding::engine)).await
    }

    pub(crate) async fn start_session_with(
        &self,
        options: SessionOptions,
        make_consumer: MakeConsumer,
    ) -> Result<SessionHandle, StartError> {
        let id = options.id.clone();
        if self.registry.has_session(&id) {
            return Err(StartError::Exists(id));
        }
        let (handle, mailbox) = session::start(options, make_consumer)?;
        if self.registry.add_session(&id, mailbox).await { Ok(handle) } else { Err(StartError::Exists(id)) }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.server.abort();
    }
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection in tonic's terms.
struct Connection(Box<dyn Io>);

impl core::fmt::Debug for Connection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) -> Self::ConnectInfo {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
