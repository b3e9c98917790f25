//! Who is there: sessions and connected agents, by name.

use crate::session::{AgentConnected, Mailbox, Message};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct Inner {
    sessions: BTreeMap<String, Mailbox>,
    agents: BTreeMap<String, AgentConnected>,
    connections: u64,
}

/// The sessions and agents of one coordinator.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<Inner>>);

impl Registry {
    /// Adds a session and tells it of the agents that are there. `false` if there is one of that name.
    pub(crate) async fn add_session(&self, id: &str, mailbox: Mailbox) -> bool {
        let agents: Vec<_> = {
            let mut inner = self.lock();
            inner.sessions.retain(|_, mailbox| !mailbox.is_closed());
            if inner.sessions.contains_key(id) {
                return false;
            }
            inner.sessions.insert(id.to_owned(), mailbox.clone());
            inner.agents.values().cloned().collect()
        };
        for agent in agents {
            // A session that is over already needs no agents.
            let _ = mailbox.send(Message::Connected(agent)).await;
        }
        true
    }

    /// Whether a session of that name runs.
    pub(crate) fn has_session(&self, id: &str) -> bool {
        self.session(id).is_some_and(|mailbox| !mailbox.is_closed())
    }

    /// The session of that name.
    pub(crate) fn session(&self, id: &str) -> Option<Mailbox> {
        self.lock().sessions.get(id).cloned()
    }

    /// The agents that are connected, by name.
    pub(crate) fn agents(&self) -> Vec<AgentConnected> {
        self.lock().agents.values().cloned().collect()
    }

    /// Whether an agent of that name is connected.
    pub(crate) fn has_agent(&self, name: &str) -> bool {
        self.lock().agents.contains_key(name)
    }

    /// A number for a new connection.
    pub(crate) fn new_connection(&self) -> u64 {
        let mut inner = self.lock();
        inner.connections += 1;
        inner.connections
    }

    /// An agent is there. It takes the place of an older connection of its name, which may be dead.
    pub(crate) async fn add_agent(&self, agent: AgentConnected) {
        let sessions: Vec<_> = {
            let mut inner = self.lock();
            inner.agents.insert(agent.agent.clone(), agent.clone());
            inner.sessions.values().cloned().collect()
        };
        for session in sessions {
            let _ = session.send(Message::Connected(agent.clone())).await;
        }
    }

    /// An agent's connection is gone.
    pub(crate) async fn remove_agent(&self, agent: &str, connection: u64) {
        let sessions: Vec<_> = {
            let mut inner = self.lock();
            if inner.agents.get(agent).is_some_and(|known| known.connection == connection) {
                inner.agents.remove(agent);
            }
            inner.sessions.values().cloned().collect()
        };
        for session in sessions {
            let _ = session.send(Message::Gone { agent: agent.to_owned(), connection }).await;
        }
    }

    /// No code panics while it holds the lock, so the maps are whole even if it is poisoned.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
