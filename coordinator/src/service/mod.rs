//! The gRPC services that agents and operators speak to.

mod admit;
mod control;
mod limits;
pub(crate) mod operators;
pub(crate) mod reflection;
mod upload;

use crate::peer::PeerRole;
use crate::registry::Registry;
use admit::admit;
pub(crate) use control::now_ns;
use correlate_proto::wire::coordinator_server::{Coordinator, CoordinatorServer};
use correlate_proto::wire::{AgentMessage, CoordinatorMessage, UploadAck, UploadMessage};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Octets of the largest message that is taken: four times the largest batch.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// Messages on their way out of one stream.
const OUTBOUND: usize = 64;

/// The service for agents, without a server around it.
pub(crate) fn agents(registry: Registry) -> CoordinatorServer<AgentService> {
    CoordinatorServer::new(AgentService { registry }).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

/// Serves agents.
#[derive(Debug)]
pub(crate) struct AgentService {
    registry: Registry,
}

#[tonic::async_trait]
impl Coordinator for AgentService {
    type ControlStream = ReceiverStream<Result<CoordinatorMessage, Status>>;
    type UploadStream = ReceiverStream<Result<UploadAck, Status>>;

    async fn control(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::ControlStream>, Status> {
        let peer = admit(&request, PeerRole::Agent)?;
        let (outbound, messages) = mpsc::channel(OUTBOUND);
        tokio::spawn(control::serve(self.registry.clone(), peer, request.into_inner(), outbound));
        Ok(Response::new(ReceiverStream::new(messages)))
    }

    async fn upload(
        &self,
        request: Request<Streaming<UploadMessage>>,
    ) -> Result<Response<Self::UploadStream>, Status> {
        let peer = admit(&request, PeerRole::Agent)?;
        let (outbound, messages) = mpsc::channel(OUTBOUND);
        tokio::spawn(upload::serve(self.registry.clone(), peer, request.into_inner(), outbound));
        Ok(Response::new(ReceiverStream::new(messages)))
    }
}
