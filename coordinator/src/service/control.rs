//! The control stream of one agent.

use super::admit::admit_as;
use super::limits::{self, CONTROL_PER_SECOND, Rate};
use crate::metrics::{Refused, refused};
use crate::peer::Peer;
use crate::registry::Registry;
use crate::session::{AgentConnected, AgentFacts, Failure, Message};
use correlate_proto::wire::agent_message::Message as FromAgent;
use correlate_proto::wire::{self, coordinator_message::Message as ToAgent};
use correlate_proto::{CapturePointId, Span};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tonic::{Code, Status, Streaming};

type Outbound = mpsc::Sender<Result<wire::CoordinatorMessage, Status>>;

/// Commands that wait for one agent. A session sends two at most; an agent that takes none is as good as gone.
const COMMANDS: usize = 1024;
/// Octets of an agent's name.
const MAX_NAME_BYTES: usize = 255;
/// Labels of one agent; more are refused.
const MAX_LABELS: usize = 64;

/// Serves the stream to its end.
pub(super) async fn serve(
    registry: Registry,
    peer: Peer,
    mut inbound: Streaming<wire::AgentMessage>,
    outbound: Outbound,
) {
    let hello = match introduction(&mut inbound, &peer).await {
        Ok(hello) => hello,
        Err(status) => {
            if matches!(status.code(), Code::InvalidArgument | Code::DeadlineExceeded) {
                tracing::warn!(who = %peer, reason = status.message(), "agent cut off");
                refused(Refused::Greeting);
            }
            // An agent that is gone needs no answer.
            let _ = outbound.send(Err(status)).await;
            return;
        }
    };
    let welcome = wire::Welcome { protocol: wire::PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned() };
    let welcome = wire::CoordinatorMessage { message: Some(ToAgent::Welcome(welcome)) };
    if outbound.send(Ok(welcome)).await.is_err() {
        return;
    }
    let connection = registry.new_connection();
    let (commands, waiting) = mpsc::channel(COMMANDS);
    let agent = hello.name.clone();
    tracing::info!(agent, connection, "agent connected");
    let connected = AgentConnected {
        agent: agent.clone(),
        connection,
        commands,
        rough_offset: Span(now_ns().saturating_sub(hello.realtime_ns)),
        running: hello.running,
        facts: Arc::new(AgentFacts {
            labels: hello.labels,
            version: hello.version,
            system: hello.system,
            connected_at_ns: now_ns(),
        }),
    };
    registry.add_agent(connected).await;
    let ended = converse(&registry, &agent, &mut inbound, waiting, &outbound).await;
    if let Err(status) = ended {
        if matches!(status.code(), Code::InvalidArgument | Code::ResourceExhausted | Code::OutOfRange) {
            tracing::warn!(agent, reason = status.message(), "agent cut off");
            refused(Refused::Data);
        }
        let _ = outbound.send(Err(status)).await;
    }
    registry.remove_agent(&agent, connection).await;
    tracing::info!(agent, connection, "agent disconnected");
}

/// The Hello that every stream opens with.
async fn introduction(
    inbound: &mut Streaming<wire::AgentMessage>,
    peer: &Peer,
) -> Result<wire::Hello, Status> {
    let first = limits::first(inbound.message()).await?.and_then(|message| message.message);
    let Some(FromAgent::Hello(hello)) = first else {
        return Err(Status::invalid_argument("a control stream opens with a Hello"));
    };
    if hello.protocol != wire::PROTOCOL {
        return Err(Status::invalid_argument(format!(
            "agent speaks protocol {}, coordinator {}; install the same version of correlate at both",
            hello.protocol,
            wire::PROTOCOL
        )));
    }
    if hello.name.is_empty() {
        return Err(Status::invalid_argument("an agent needs a name"));
    }
    if hello.name.len() > MAX_NAME_BYTES {
        return Err(Status::invalid_argument(format!("a name has at most {MAX_NAME_BYTES} octets")));
    }
    if hello.running.len() > COMMANDS {
        return Err(Status::invalid_argument(format!("an agent has at most {COMMANDS} captures")));
    }
    if hello.labels.len() > MAX_LABELS {
        return Err(Status::invalid_argument(format!(
            "{} labels are too many; an agent has at most {MAX_LABELS}",
            hello.labels.len()
        )));
    }
    admit_as(peer, &hello.name)?;
    Ok(hello)
}

/// Carries commands down and answers up until the agent is gone or another took its place.
async fn converse(
    registry: &Registry,
    agent: &str,
    inbound: &mut Streaming<wire::AgentMessage>,
    mut commands: mpsc::Receiver<wire::CoordinatorMessage>,
    outbound: &Outbound,
) -> Result<(), Status> {
    let mut rate = Rate::new(CONTROL_PER_SECOND);
    loop {
        tokio::select! {
            message = inbound.message() => match message? {
                Some(message) => {
                    rate.count("messages")?;
                    relay(registry, agent, message).await?;
                }
                None => return Ok(()),
            },
            command = commands.recv() => {
                let Some(command) = command else {
                    return Err(Status::aborted("another agent of this name connected"));
                };
                if outbound.send(Ok(command)).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

/// Hands an agent's message to its session.
async fn relay(registry: &Registry, agent: &str, message: wire::AgentMessage) -> Result<(), Status> {
    let (capture, message) = match message.message {
        Some(FromAgent::Started(started)) => {
            let (capture, point) = capture_of(started.capture.as_ref())?;
            (capture, Message::Started { agent: agent.to_owned(), point, started })
        }
        Some(FromAgent::Refused(refused)) => {
            let (capture, point) = capture_of(refused.capture.as_ref())?;
            let failure = Failure { point: Some(point), reason: refused.reason, remedy: refused.remedy };
            (capture, Message::Refused { agent: agent.to_owned(), failure })
        }
        Some(FromAgent::Health(health)) => {
            tracing::trace!(agent, unacknowledged_bytes = health.unacknowledged_bytes, "agent health");
            return Ok(());
        }
        Some(FromAgent::Hello(_)) => return Err(Status::invalid_argument("a second Hello")),
        // A newer agent may say more than this coordinator understands.
        None => return Ok(()),
    };
    if let Some(session) = registry.session(&capture.session) {
        let _ = session.send(message).await;
    }
    Ok(())
}

/// The capture that a message speaks of.
pub(super) fn capture_of(
    capture: Option<&wire::CaptureId>,
) -> Result<(wire::CaptureId, CapturePointId), Status> {
    let capture = capture.ok_or_else(|| Status::invalid_argument("capture is missing"))?;
    let point = u16::try_from(capture.point)
        .map_err(|_| Status::invalid_argument(format!("capture point {} is out of range", capture.point)))?;
    Ok((capture.clone(), CapturePointId(point)))
}

/// This host's real-time clock, in nanoseconds since 1970; 0 before.
pub(crate) fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
