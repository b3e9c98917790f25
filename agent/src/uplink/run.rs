//! Dials the coordinator, obeys it, and dials again.

use super::backoff::{Backoff, jittered, random};
use super::control::{CaptureEvent, Captures};
use super::dial::{Dial, channel};
use super::opener::CaptureOpener;
use super::options::Options;
use crate::metrics::METRICS;
use core::time::Duration;
use correlate_proto::wire;
use correlate_proto::wire::coordinator_client::CoordinatorClient;
use std::io;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};

/// How long a coordinator may take to answer a connection.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long a shutdown waits for what was captured to be uploaded.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);
/// Between two health reports.
const HEALTH_EVERY: Duration = Duration::from_secs(1);

/// Why the uplink ended other than by its shutdown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UplinkError {
    /// The coordinator cannot be reached.
    #[error("cannot reach the coordinator: {0}; check its address and that it runs")]
    Unreachable(io::Error),
    /// The connection broke and there is no second.
    #[error("lost the coordinator: {0}")]
    Lost(String),
    /// The coordinator does not take this agent.
    #[error("the coordinator refused this agent: {0}")]
    Refused(String),
}

/// Serves a coordinator until `shutdown` turns true (or is dropped), or the connection is gone for good.
///
/// On shutdown captures end, and what they hold is uploaded for at most five seconds.
pub async fn run(
    options: Options,
    opener: Arc<dyn CaptureOpener>,
    dial: Dial,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), UplinkError> {
    let mut backoff = Backoff::new(options.reconnect);
    let (connection, connected) = watch::channel(None);
    let (happened, mut events) = mpsc::unbounded_channel();
    let mut captures = Captures::new(options, opener, connected, happened);
    loop {
        let attempt =
            connect_and_serve(&dial, &mut captures, &mut events, &connection, &mut shutdown, &mut backoff);
        let error = match attempt.await {
            Ok(()) => return Ok(()),
            Err(error @ UplinkError::Refused(_)) => return Err(error),
            Err(error) => error,
        };
        connection.send_replace(None);
        METRICS.connected.set(0);
        METRICS.connection_failures.inc();
        let Some(wait) = backoff.next_wait() else {
            captures.stop_all();
            return Err(error);
        };
        // Agents that lost one coordinator shall not come back in one wave.
        let wait = jittered(wait, random());
        tracing::warn!(%error, wait_ms = wait.as_millis(), "no connection to the coordinator");
        if wait_for(wait, &mut captures, &mut events, &mut shutdown).await {
            captures.stop_all();
            return Ok(());
        }
    }
}

/// Waits before the next attempt, minding the captures. True if the shutdown came.
async fn wait_for(
    wait: Duration,
    captures: &mut Captures,
    events: &mut mpsc::UnboundedReceiver<CaptureEvent>,
    shutdown: &mut watch::Receiver<bool>,
) -> bool {
    let until = tokio::time::sleep(wait);
    tokio::pin!(until);
    loop {
        tokio::select! {
            () = &mut until => return false,
            () = asked(shutdown) => return true,
            // What it would tell the coordinator is told again when there is one.
            Some(event) = events.recv() => drop(captures.note(event)),
        }
    }
}

async fn connect_and_serve(
    dial: &Dial,
    captures: &mut Captures,
    events: &mut mpsc::UnboundedReceiver<CaptureEvent>,
    connection: &watch::Sender<Option<CoordinatorClient<Channel>>>,
    shutdown: &mut watch::Receiver<bool>,
    backoff: &mut Backoff,
) -> Result<(), UplinkError> {
    // A second connection begins with a second Hello.
    let mut client = CoordinatorClient::new(channel(dial).await.map_err(unreachable)?);
    let (outbound, messages) = mpsc::channel(64);
    send(&outbound, wire::agent_message::Message::Hello(captures.hello())).await?;
    let answer = tokio::time::timeout(ANSWER_WITHIN, async {
        let mut inbound = client.control(ReceiverStream::new(messages)).await?.into_inner();
        let welcome = inbound.message().await?;
        Ok((inbound, welcome))
    });
    let (mut inbound, welcome) = answer.await.map_err(|_| lost("no answer"))?.map_err(refused_or_lost)?;
    if welcome.is_none() {
        return Err(lost("closed before it answered"));
    }
    backoff.reset();
    METRICS.connected.set(1);
    METRICS.connections.inc();
    tracing::info!("connected to the coordinator");
    for message in captures.started_again() {
        send(&outbound, message).await?;
    }
    connection.send_replace(Some(client));
    let mut health = tokio::time::interval(HEALTH_EVERY);
    let mut draining = None;
    loop {
        if draining.is_some() && captures.is_empty() {
            return Ok(());
        }
        tokio::select! {
            command = inbound.message() => {
                let command = command.map_err(refused_or_lost)?.ok_or_else(|| lost("closed the connection"))?;
                if let Some(answer) = command.message.and_then(|command| captures.obey(command)) {
                    send(&outbound, answer).await?;
                }
            }
            Some(event) = events.recv() => {
                if let Some(message) = captures.note(event) {
                    send(&outbound, message).await?;
                }
            }
            _ = health.tick() => {
                for message in captures.health() {
                    // Health that cannot be sent is old by the time it could.
                    let _ = outbound.try_send(wire::AgentMessage { message: Some(message) });
                }
            }
            () = asked(shutdown), if draining.is_none() => {
                captures.stop_all();
                draining = Some(tokio::time::Instant::now() + DRAIN_WITHIN);
            }
            () = expiry(draining) => return Ok(()),
        }
    }
}

async fn send(
    outbound: &mpsc::Sender<wire::AgentMessage>,
    message: wire::agent_message::Message,
) -> Result<(), UplinkError> {
    let message = wire::AgentMessage { message: Some(message) };
    outbound.send(message).await.map_err(|_| lost("closed the control stream"))
}

/// One end may not take the other's certificate; `trust` says which and why.
fn unreachable(error: io::Error) -> UplinkError {
    let untrusted = error.kind() == io::ErrorKind::PermissionDenied;
    if untrusted { UplinkError::Refused(error.to_string()) } else { UplinkError::Unreachable(error) }
}

/// Resolves once the shutdown is asked for.
async fn asked(shutdown: &mut watch::Receiver<bool>) {
    // A dropped sender means that whoever started this is gone.
    let _ = shutdown.wait_for(|asked| *asked).await;
}

/// Resolves at that time; never if there is none.
async fn expiry(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => core::future::pending().await,
    }
}

fn lost(what: &str) -> UplinkError {
    UplinkError::Lost(what.to_owned())
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn refused_or_lost(status: Status) -> UplinkError {
    let refused = matches!(
        status.code(),
        Code::InvalidArgument | Code::PermissionDenied | Code::Unauthenticated | Code::AlreadyExists
    );
    let message = status.message().to_owned();
    if refused { UplinkError::Refused(message) } else { UplinkError::Lost(message) }
}
