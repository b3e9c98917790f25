//! What a coordinator is asked.

use super::Address;
use crate::error::CliError;
use crate::output;
use correlate_agent::trust::renew_if_due;
use correlate_agent::uplink::channel;
use correlate_proto::wire;
use std::io;
use std::time::SystemTime;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use wire::operator_client::OperatorClient;

/// A connection to a coordinator.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    address: Address,
    inner: OperatorClient<Channel>,
}

impl Client {
    /// Dials the coordinator.
    pub(crate) async fn connect(address: &Address) -> Result<Self, CliError> {
        let renewed = match address {
            Address::Tls { address, credentials } => {
                renew_if_due(address, credentials, SystemTime::now()).await.map(drop)
            }
            Address::Tcp(_) | Address::Unix(_) => Ok(()),
        };
        let channel = channel(&address.dial()).await.map_err(|error| unreachable(address, &error))?;
        // With one that is of no use any more nobody comes this far.
        if let Err(error) = renewed {
            output::say(&format!("warning: the certificate is not renewed: {error}"));
        }
        Ok(Self { address: address.clone(), inner: OperatorClient::new(channel) })
    }

    /// Where it is.
    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    /// Starts a session and gives its name.
    pub(crate) async fn start(&mut self, spec: wire::SessionSpec) -> Result<String, CliError> {
        let request = wire::StartSessionRequest { spec: Some(spec) };
        let answer = self.inner.start_session(request).await.map_err(|status| told(&status))?;
        Ok(answer.into_inner().session)
    }

    /// What happens in a session, to its end.
    pub(crate) async fn watch(&mut self, session: &str) -> Result<Streaming<wire::SessionUpdate>, Status> {
        let request = wire::WatchSessionRequest { session: session.to_owned() };
        Ok(self.inner.watch_session(request).await?.into_inner())
    }

    /// Asks a session to end.
    pub(crate) async fn stop(&mut self, session: &str, discard: bool) -> Result<(), CliError> {
        let request = wire::StopSessionRequest { session: session.to_owned(), discard };
        self.inner.stop_session(request).await.map(drop).map_err(|status| told(&status))
    }

    /// Every session, oldest first.
    pub(crate) async fn sessions(&mut self) -> Result<Vec<wire::SessionSummary>, CliError> {
        let answer = self.inner.list_sessions(wire::ListSessionsRequest {}).await;
        Ok(answer.map_err(|status| told(&status))?.into_inner().sessions)
    }

    /// Every agent, by name.
    pub(crate) async fn agents(&mut self) -> Result<Vec<wire::AgentSummary>, CliError> {
        let answer = self.inner.list_agents(wire::ListAgentsRequest {}).await;
        Ok(answer.map_err(|status| told(&status))?.into_inner().agents)
    }

    /// The recording of a session that is over.
    pub(crate) async fn recording(
        &mut self,
        session: &str,
    ) -> Result<Streaming<wire::RecordingChunk>, CliError> {
        let request = wire::GetRecordingRequest { session: session.to_owned() };
        Ok(self.inner.get_recording(request).await.map_err(|status| told(&status))?.into_inner())
    }
}

/// A refusal in the coordinator's own words, which say what to do behind their last semicolon.
pub(super) fn told(status: &Status) -> CliError {
    let otherwise = if status.code() == Code::Unimplemented {
        "what answers there is no coordinator for operators; check the address"
    } else {
        "check that the coordinator runs, and its log"
    };
    let text = if status.message().is_empty() { "the coordinator gave no answer" } else { status.message() };
    CliError::remedied(text, otherwise)
}

/// Why there is no connection. One end that does not take the other says what to do about it.
fn unreachable(address: &Address, error: &io::Error) -> CliError {
    let untrusted = matches!(address, Address::Tls { .. }) && error.kind() == io::ErrorKind::PermissionDenied;
    if untrusted {
        return CliError::remedied(&error.to_string(), "see `correlate join --help`");
    }
    CliError::new(format!("cannot reach the coordinator at {address}: {error}"))
        .hint("check the address, that the coordinator runs, and that this user may use its socket")
}
