//! What is served to a peer without a certificate: one call.

use super::Trust;
use crate::connection::Connection;
use crate::metrics::{Refused, refused};
use core::time::Duration;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::Status;
use tonic::service::Routes;
use tonic::transport::Server;

/// How long a stranger may stay. A join is one short call.
const STAY: Duration = Duration::from_secs(30);
/// Calls of one connection at a time, and the stream that this needs no more of.
const CALLS: u32 = 4;

impl Trust {
    /// Serves somebody without a certificate until they go, half a minute at most. They may join; whatever else they
    /// ask for is refused.
    pub async fn serve_stranger<S>(&self, io: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let refuse = || core::future::ready(refusal().into_http::<tonic::body::Body>());
        let routes = Routes::new(self.service()).into_axum_router().fallback(refuse);
        let incoming = tokio_stream::once(Ok::<_, io::Error>(Connection::new(io, ())));
        let served = Server::builder()
            .max_concurrent_streams(CALLS)
            .add_routes(Routes::from(routes))
            .serve_with_incoming(incoming);
        match tokio::time::timeout(STAY, served).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a stranger's connection failed"),
            Err(_) => tracing::debug!("a stranger stayed too long"),
        }
    }
}

fn refusal() -> Status {
    refused(Refused::Stranger);
    tracing::warn!(target: "audit", act = "call", answer = "refused", reason = "no certificate");
    Status::unauthenticated(
        "this coordinator serves only who has a certificate; run `correlate join` with a token first",
    )
}
