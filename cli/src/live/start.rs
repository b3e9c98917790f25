//! From hosts to agents: connects to those that are elsewhere, then starts to serve all.

use super::agents::{Agent, Agents};
use super::opener::LiveOpener;
use super::ssh::{self, Link, SshOpener, Tool};
use crate::args::{Host, connection};
use crate::error::CliError;
use correlate_agent::filter::Exclusion;
use correlate_coordinator::Connector;
use std::sync::Arc;

/// A session's agents.
pub(super) struct Started {
    /// Those in this process.
    pub(super) agents: Option<Agents>,
    /// What carries those that are not.
    _carriers: Vec<ssh::Process>,
}

impl Started {
    /// Starts an agent for each host, under the name beside it, that reaches the coordinator through `connector`.
    ///
    /// Every host is reached before any captures: no capture takes in the connections to any of them.
    pub(super) async fn all(hosts: Vec<(String, Host)>, connector: &Connector) -> Result<Self, CliError> {
        let (links, own): (Vec<_>, Vec<_>) =
            hosts.into_iter().partition(|(_, host)| matches!(host, Host::Ssh(_)));
        let links = reach(links).await?;
        let connections: Vec<String> = links
            .iter()
            .map(|(_, link)| link.greeting.connection.clone())
            .filter(|text| connection(text).is_ok())
            .collect();
        let exclusions: Vec<Exclusion> =
            connections.iter().filter_map(|text| connection(text).ok()).collect();
        let mut agents: Vec<Agent> = Vec::new();
        for (name, host) in own {
            let described = host.to_string();
            let opener = Arc::new(LiveOpener::new(host).excluding(exclusions.clone()));
            agents.push(Agent { name, host: described, opener });
        }
        let mut carriers = Vec::new();
        for (name, link) in links {
            if link.greeting.tool == Tool::Agent {
                carriers.push(ssh::serve(link, &name, &connections, connector)?);
            } else {
                let host = link.host.to_string();
                agents.push(Agent { name, host, opener: Arc::new(SshOpener::new(link, exclusions.clone())) });
            }
        }
        Ok(Self { agents: Some(Agents::start(agents, connector)?), _carriers: carriers })
    }
}

/// Connects to all at once.
async fn reach(hosts: Vec<(String, Host)>) -> Result<Vec<(String, Link)>, CliError> {
    let mut tasks = Vec::with_capacity(hosts.len());
    for (name, host) in hosts {
        if let Host::Ssh(host) = host {
            tasks.push((name, tokio::task::spawn_blocking(move || ssh::connect(host))));
        }
    }
    let mut links = Vec::with_capacity(tasks.len());
    for (name, task) in tasks {
        let link = task.await.map_err(|error| CliError::new(format!("cannot connect to {name}: {error}")))?;
        links.push((name, link?));
    }
    Ok(links)
}
