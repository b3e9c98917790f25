//! Whether a peer may do what it asks for.

use crate::metrics::{Refused, refused};
use crate::peer::{Peer, PeerRole};
use tonic::{Request, Status};

/// The peer, if it may do what needs `role`; else a refusal that says why.
pub(super) fn admit<T>(request: &Request<T>, role: PeerRole) -> Result<Peer, Status> {
    // Every connection is accepted together with its peer; without one nothing is allowed.
    let Some(peer) = request.extensions().get::<Peer>() else {
        return Err(Status::permission_denied("nobody is known at the other end of this connection"));
    };
    if peer.may(role) {
        return Ok(peer.clone());
    }
    let (name, own) = match peer {
        Peer::Local => ("local", "nothing"),
        Peer::Known { name, role } => (name.as_str(), role.word()),
    };
    let call = core::any::type_name::<T>().rsplit("::").next().unwrap_or_default().trim_end_matches('>');
    tracing::warn!(
        target: "audit", act = "call", call, who = name, role = own, needed = role.word(), answer = "refused",
        reason = "role",
    );
    refused(Refused::Role);
    Err(Status::permission_denied(format!(
        "{name} has the role {own}, and this call needs the role {}; use a certificate of that role",
        role.word()
    )))
}

/// Whether the peer may speak as the agent of that name.
pub(super) fn admit_as(peer: &Peer, agent: &str) -> Result<(), Status> {
    match peer {
        Peer::Local => Ok(()),
        Peer::Known { name, .. } if name == agent => Ok(()),
        Peer::Known { name, .. } => {
            let reason = format!("the certificate is made out to {name}, and the agent calls itself {agent}");
            tracing::warn!(target: "audit", act = "connect", who = name, answer = "refused", reason);
            refused(Refused::Name);
            Err(Status::permission_denied(format!("{reason}; let both be the same")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_does_what_its_role_may_and_is_told_why_not() {
        let mut request = Request::new(());
        assert!(admit(&request, PeerRole::Viewer).is_err());
        request.extensions_mut().insert(Peer::Known { name: "eve".into(), role: PeerRole::Viewer });
        assert!(admit(&request, PeerRole::Viewer).is_ok());
        let refused = admit(&request, PeerRole::Operator).expect_err("a viewer starts nothing");
        assert_eq!(refused.code(), tonic::Code::PermissionDenied);
        assert!(refused.message().contains("needs the role operator"), "{}", refused.message());
    }

    #[test]
    fn an_agent_speaks_under_the_name_of_its_certificate_only() {
        let peer = Peer::Known { name: "web".into(), role: PeerRole::Agent };
        assert!(admit_as(&peer, "web").is_ok());
        assert!(admit_as(&peer, "db").expect_err("not its name").message().contains("made out to web"));
        assert!(admit_as(&Peer::Local, "db").is_ok());
    }
}
