//! The calls that give certificates.

use super::{Authority, Issued, TokenRefusal, Tokens, TrustError};
use crate::metrics::{Refused, refused};
use crate::peer::{Peer, PeerRole};
use correlate_proto::wire::trust_server::{self, TrustServer};
use correlate_proto::wire::{Certificate, JoinRequest, RenewRequest};
use std::sync::Arc;
use std::time::SystemTime;
use tonic::{Code, Request, Response, Status};

/// Octets of the largest message that is taken: a certification request is far below it.
const MAX_MESSAGE_BYTES: usize = 16 << 10;

/// Gives and renews certificates.
#[derive(Debug, Clone)]
pub struct Trust(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    authority: Arc<Authority>,
    tokens: Tokens,
}

impl Trust {
    /// Gives certificates of `authority` for the tokens beside it.
    pub fn new(authority: Arc<Authority>) -> Result<Self, TrustError> {
        let tokens = Tokens::open(authority.directory())?;
        Ok(Self(Arc::new(Inner { authority, tokens })))
    }

    /// The service, to be served beside others. A connection's [`Peer`] must be among the extensions of its calls.
    pub fn service(&self) -> TrustServer<Self> {
        TrustServer::new(self.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }
}

impl Inner {
    fn join(
        &self,
        request: &JoinRequest,
        now: SystemTime,
    ) -> Result<(PeerRole, String, Issued), TokenRefusal> {
        // Looked at before the token is used up: a request that is not sound costs nobody a token.
        self.authority.issue(&request.request, "check", PeerRole::Viewer, now)?;
        let (role, name) = self.tokens.redeem(&request.secret, &request.name, now)?;
        let issued = self.issue(&request.request, &name, role, now)?;
        Ok((role, name, issued))
    }

    fn issue(
        &self,
        request: &[u8],
        name: &str,
        role: PeerRole,
        now: SystemTime,
    ) -> Result<Issued, TrustError> {
        let issued = self.authority.issue(request, name, role, now)?;
        self.tokens.hold(name, role, issued.expires_at)?;
        Ok(issued)
    }

    fn answer(&self, issued: &Issued, name: String, role: PeerRole) -> Response<Certificate> {
        Response::new(Certificate {
            certificate: issued.certificate.to_vec(),
            authority: self.authority.certificate().to_vec(),
            name,
            role: role.word().to_owned(),
        })
    }
}

#[tonic::async_trait]
impl trust_server::Trust for Trust {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<Certificate>, Status> {
        let request = request.into_inner();
        let asked = request.name.clone();
        let inner = Arc::clone(&self.0);
        let joined = off_thread(move || inner.join(&request, SystemTime::now())).await?;
        match joined {
            Ok((role, name, issued)) => {
                tracing::info!(target: "audit", act = "join", who = name, role = role.word(), answer = "granted");
                Ok(self.0.answer(&issued, name, role))
            }
            Err(refusal) => {
                refused(Refused::Token);
                tracing::warn!(target: "audit", act = "join", who = asked, answer = "refused", reason = %refusal);
                Err(status(&refusal))
            }
        }
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<Certificate>, Status> {
        let Some(Peer::Known { name, role }) = request.extensions().get::<Peer>().cloned() else {
            return Err(Status::unauthenticated("only a connection with a certificate can renew it"));
        };
        let request = request.into_inner().request;
        let (inner, own) = (Arc::clone(&self.0), name.clone());
        let renewed = off_thread(move || inner.issue(&request, &own, role, SystemTime::now())).await?;
        match renewed {
            Ok(issued) => {
                tracing::info!(target: "audit", act = "renew", who = name, role = role.word(), answer = "granted");
                Ok(self.0.answer(&issued, name, role))
            }
            Err(error) => {
                tracing::warn!(target: "audit", act = "renew", who = name, answer = "refused", reason = %error);
                Err(status(&TokenRefusal::Trust(error)))
            }
        }
    }
}

/// Does what waits for a disk where nobody else waits.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Status> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Status::internal("the coordinator failed at this call"))
}

fn status(refusal: &TokenRefusal) -> Status {
    let code = match refusal {
        TokenRefusal::Unknown | TokenRefusal::Expired(_) | TokenRefusal::Used(_) => Code::Unauthenticated,
        TokenRefusal::OtherName { .. } => Code::PermissionDenied,
        TokenRefusal::NoName | TokenRefusal::Trust(TrustError::Name(_) | TrustError::Certificate(_)) => {
            Code::InvalidArgument
        }
        TokenRefusal::Taken(_) => Code::AlreadyExists,
        TokenRefusal::Trust(
            TrustError::File { .. }
            | TrustError::Missing(_)
            | TrustError::Broken { .. }
            | TrustError::Tokens { .. },
        ) => {
            // What is wrong with the coordinator's disk is nothing to strangers.
            return Status::unavailable("the coordinator cannot give certificates now; its log says why");
        }
    };
    Status::new(code, refusal.to_string())
}
