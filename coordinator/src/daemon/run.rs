//! The daemon itself.

use super::gate::Gate;
use super::store::{Keep, Store};
use super::{Fleet, ListenAddress, ListenError, listen::Listener};
use crate::metrics;
use crate::registry;
use crate::server::{self, Connector};
use crate::service::operators::OperatorService;
use crate::trust::TrustError;
use core::time::Duration;
use prometheus_client::registry::Registry;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

/// How often recordings are held against the limit of their age.
const PRUNE_EVERY: Duration = Duration::from_secs(600);

/// Settings of a [`Daemon`].
#[derive(Debug, Clone)]
pub struct DaemonSettings {
    /// Directory of the recordings; made if it does not exist.
    pub data: PathBuf,
    /// How much of them is kept.
    pub keep: Keep,
}

/// Why a daemon cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// Its directory cannot be used.
    #[error(
        "cannot keep recordings in {path}: {source}; name a directory of this coordinator's own with --data"
    )]
    Data {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its certificate authority cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// A coordinator that sessions live in. Dropping it ends its connections at once; sessions that run are gone on with
/// by the next daemon on the same directory.
#[derive(Debug)]
pub struct Daemon {
    connector: Connector,
    gate: Option<Gate>,
    fleet: Fleet,
    tasks: Vec<tokio::task::AbortHandle>,
}

impl Daemon {
    /// Starts a daemon on the present runtime and goes on with the sessions that the one before left open.
    pub async fn start(settings: DaemonSettings) -> Result<Self, DaemonError> {
        let DaemonSettings { data, keep } = settings;
        let opened = Store::open(&data, keep);
        let (store, left_open) = opened.map_err(|source| DaemonError::Data { path: data.clone(), source })?;
        let gate = Gate::open(&data)?;
        let fleet = Fleet::new(registry::Registry::default(), store);
        for left in left_open {
            fleet.resume(left).await;
        }
        // Nobody is served before every session is there that agents may come back to.
        let operators = OperatorService::new(fleet.clone());
        let (connector, server) =
            server::serve(fleet.registry().clone(), Some(operators), gate.as_ref().map(Gate::trust));
        let pruned = fleet.clone();
        let pruning = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(PRUNE_EVERY);
            loop {
                ticks.tick().await;
                pruned.store().prune(SystemTime::now());
            }
        });
        Ok(Self { connector, gate, fleet, tasks: vec![server, pruning.abort_handle()] })
    }

    /// Hands connections to this daemon.
    #[must_use]
    pub fn connector(&self) -> Connector {
        self.connector.clone()
    }

    /// Adds the figures of this daemon to `registry`: what there is when it is asked, and what this process counted.
    pub fn register_metrics(&self, registry: &mut Registry) {
        metrics::register(self.fleet.clone(), registry);
    }

    /// Serves whoever dials `listener`, until the daemon is dropped. Over TLS that takes an authority in the daemon's
    /// directory.
    pub fn listen(&mut self, listener: Listener) -> Result<(), ListenError> {
        if let (ListenAddress::Tls(address), None) = (listener.address(), &self.gate) {
            return Err(ListenError::NoAuthority(*address));
        }
        self.tasks.push(tokio::spawn(listener.serve(self.connector(), self.gate.clone())).abort_handle());
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
