//! The one gRPC server, for a coordinator inside of another program and for the daemon.

use crate::connection::Connection;
use crate::peer::Peer;
use crate::registry::Registry;
use crate::service::{self, AgentService, operators::OperatorService, reflection};
use crate::trust::Trust;
use core::time::Duration;
use correlate_proto::wire::coordinator_server::CoordinatorServer;
use correlate_proto::wire::operator_server::OperatorServer;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;

/// Octets in flight on an in-memory connection.
const DUPLEX_BYTES: usize = 1 << 20;
/// HTTP/2 windows: ten times the throughput of the default's 64 KiB.
const WINDOW_BYTES: u32 = 8 << 20;
/// Between two pings on a quiet connection, and how long an answer may take.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Calls at once on one connection: a control stream, and an upload for each session that there can be.
const MAX_STREAMS: u32 = 1_024;
/// Connections that wait to be accepted.
const BACKLOG: usize = 64;

/// Hands connections to a coordinator; from any thread, for any runtime.
#[derive(Debug, Clone)]
pub struct Connector(mpsc::Sender<Connection<Peer>>);

impl Connector {
    /// A new in-memory connection: the peer's end of it. Fails if the coordinator is gone, or if too many wait.
    pub fn connect(&self) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(DUPLEX_BYTES);
        self.accept(ours)?;
        Ok(theirs)
    }

    /// Serves whoever is at the other end of `io`, who may do everything: a child's standard input and output.
    pub fn accept(&self, io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> io::Result<()> {
        self.accept_from(io, Peer::Local)
    }

    /// Serves `peer` at the other end of `io`.
    pub fn accept_from(
        &self,
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        peer: Peer,
    ) -> io::Result<()> {
        self.0.try_send(Connection::new(io, peer)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => io::ErrorKind::WouldBlock.into(),
            mpsc::error::TrySendError::Closed(_) => io::ErrorKind::ConnectionRefused.into(),
        })
    }

    /// Whether the coordinator serves nobody any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// Serves agents, operators if there is something for them, and whoever renews a certificate where there are any, on the
/// present runtime until it is aborted.
pub(crate) fn serve(
    registry: Registry,
    operators: Option<OperatorService>,
    trust: Option<Trust>,
) -> (Connector, tokio::task::AbortHandle) {
    let (incoming, connections) = mpsc::channel(BACKLOG);
    let (reporter, health) = tonic_health::server::health_reporter();
    // A coordinator inside of another program is as well as that program.
    let health = operators.is_some().then_some(health);
    let with_trust = operators.as_ref().map(|_| trust.is_some());
    let (described, described_alpha) =
        (with_trust.and_then(reflection::v1), with_trust.and_then(reflection::v1alpha));
    let router = Server::builder()
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_concurrent_streams(MAX_STREAMS)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .add_service(service::agents(registry))
        .add_optional_service(operators.map(service::operators::server))
        .add_optional_service(trust.map(|trust| trust.service()))
        .add_optional_service(health)
        .add_optional_service(described)
        .add_optional_service(described_alpha);
    let serve = async move {
        reporter.set_serving::<CoordinatorServer<AgentService>>().await;
        reporter.set_serving::<OperatorServer<OperatorService>>().await;
        let served = router.serve_with_incoming(ReceiverStream::new(connections).map(Ok::<_, io::Error>));
        if let Err(error) = served.await {
            tracing::error!(%error, "the coordinator's server failed");
        }
    };
    (Connector(incoming), tokio::spawn(serve).abort_handle())
}
