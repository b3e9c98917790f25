//! Who is at the other end of a connection, and what they may do.

use std::fmt;

/// What a peer may do. Each role is its own: an operator's key captures nothing, an agent's asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerRole {
    /// Looks at sessions, agents and reports.
    Viewer,
    /// Starts and stops sessions, and may do all that a viewer may.
    Operator,
    /// Captures on its host and uploads.
    Agent,
}

impl PeerRole {
    /// The role's word in certificates, configuration files and logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Agent => "agent",
        }
    }

    /// The role of that word; `None` if there is none.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Viewer, Self::Operator, Self::Agent].into_iter().find(|role| role.word() == word)
    }
}

/// The peer of a connection, as its certificate names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// Comes over a unix socket, loopback, or the standard input and output of a child: whoever reaches these may do
    /// everything.
    Local,
    /// Has a certificate of the coordinator's own authority.
    Known {
        /// The name that the certificate was made out to.
        name: String,
        /// What it may do.
        role: PeerRole,
    },
}

impl Peer {
    /// The name in the peer's certificate; `None` for a local one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Local => None,
            Self::Known { name, .. } => Some(name),
        }
    }

    /// Whether the peer may do what needs `role`.
    #[must_use]
    pub const fn may(&self, role: PeerRole) -> bool {
        match self {
            Self::Local => true,
            Self::Known { role: own, .. } => matches!(
                (own, role),
                (PeerRole::Agent, PeerRole::Agent)
                    | (PeerRole::Operator, PeerRole::Operator | PeerRole::Viewer)
                    | (PeerRole::Viewer, PeerRole::Viewer)
            ),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Known { name, role } => write!(f, "{} {name}", role.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_do_what_is_theirs_and_operators_look_too() {
        let all = [PeerRole::Viewer, PeerRole::Operator, PeerRole::Agent];
        let may = |own| all.map(|role| Peer::Known { name: "x".into(), role: own }.may(role));
        assert_eq!(may(PeerRole::Viewer), [true, false, false]);
        assert_eq!(may(PeerRole::Operator), [true, true, false]);
        assert_eq!(may(PeerRole::Agent), [false, false, true]);
        assert!(all.iter().all(|role| Peer::Local.may(*role)));
        assert_eq!(all.map(|role| PeerRole::of_word(role.word())), all.map(Some));
        assert_eq!(PeerRole::of_word("root"), None);
    }
}
