//! The lab itself: a scenario that runs.

use crate::error::LabError;
use crate::ledger::Entry;
use crate::middlebox::{Middlebox, Setting};
use crate::plan::{self, Translation};
use crate::relay::{Faces, Relay};
use crate::scenario::Scenario;
use crate::tap::{Tap, TapOutcome};
use crate::topology::{Build, Host, Topology};
use crate::traffic::{self, Stage, TrafficReport};
use std::path::Path;

/// A built scenario: hosts, links and a running middlebox. Dropping it stops and removes everything.
#[derive(Debug)]
pub struct Lab {
    // Taps, relay and middlebox stop before the namespaces go.
    taps: Vec<Tap>,
    relay: Option<Relay>,
    middlebox: Middlebox,
    topology: Topology,
    scenario: Scenario,
    seed: u64,
    report: TrafficReport,
}

/// What is known after a scenario has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What the middlebox did, in the order in which it decided.
    pub ledger: Vec<Entry>,
    /// Frames that the middlebox or its links lost without a rule; 0, or the ledger is not the truth.
    pub middlebox_drops: u64,
    /// The client's tap, then the servers', if they were started.
    pub taps: Vec<TapOutcome>,
    /// What the applications experienced.
    pub traffic: TrafficReport,
}

impl Lab {
    /// Builds the hosts and starts the middlebox. All dice follow from `seed`.
    ///
    /// # Errors
    /// [`LabError::NoPrivilege`] where namespaces may not be made; see [`crate::enter_user_namespace`].
    pub fn start(scenario: &Scenario, seed: u64) -> Result<Self, LabError> {
        let topology = Topology::build(Build {
            servers: scenario.servers,
            offloads: scenario.offloads,
            client: scenario.client_layout,
            relay: scenario.plan.relay,
        })?;
        for (path, value) in &scenario.sysctls {
            topology.set_kernel(path, value)?;
        }
        let setting =
            Setting { plan: scenario.plan.clone(), ip: scenario.ip, servers: topology.servers.len(), seed };
        let middlebox = Middlebox::start(&topology, setting)?;
        let relay = match (&topology.relay, scenario.plan.relay) {
            (Some([front, back]), Some(how)) => {
                let (front, back) = (front.namespace.clone(), back.namespace.clone());
                if how == plan::Relay::Transparent {
                    // One kernel draws the base of timestamps from the addresses and ports, which its two connections
                    // share here: on a machine of its own they would differ.
                    let without = || std::fs::write("/proc/sys/net/ipv4/tcp_timestamps", "0");
                    back.enter(without)?.map_err(LabError::setup("set the relay's kernel"))?;
                }
                let faces = Faces { how, front, back, ip: scenario.ip };
                Some(Relay::start(faces, scenario.traffic.flows.iter().map(|flow| flow.port))?)
            }
            _ => None,
        };
        let (scenario, report) = (scenario.clone(), TrafficReport::default());
        Ok(Self { taps: Vec::new(), relay, middlebox, topology, scenario, seed, report })
    }

    /// The client host.
    pub const fn client(&self) -> &Host {
        &self.topology.client
    }

    /// Server `index`, from 0, if there is one.
    pub fn server(&self, index: usize) -> Option<&Host> {
        self.topology.servers.get(index)
    }

    /// Starts the scenario's taps: `client.pcap`, `server.pcap`, `server2.pcap` … in `folder`.
    pub fn start_taps(&mut self, folder: &Path) -> Result<(), LabError> {
        let client = (&self.topology.client, &self.scenario.client_tap, "client.pcap".to_owned());
        let servers = self.topology.servers.iter().zip(&self.scenario.server_taps);
        let servers = (1..).zip(servers).map(|(number, (host, plan))| (host, plan, server_file(number)));
        let hosts = std::iter::once(client).chain(servers).zip(self.topology.slots());
        for (stream, ((host, plan, file), slots)) in (0u64..).zip(hosts) {
            let seed = self.seed.wrapping_add(stream << 32);
            self.taps.push(Tap::start(host, plan, &folder.join(file), (slots, seed))?);
        }
        Ok(())
    }

    /// Runs the scenario's traffic to its end.
    pub fn run_traffic(&mut self) -> Result<&TrafficReport, LabError> {
        let ip = self.scenario.ip;
        let stage = Stage {
            client: &self.topology.client.namespace,
            servers: (0..)
                .map(|index| ip.server(index))
                .zip(&self.topology.servers)
                .map(|(a, h)| (h, a))
                .collect(),
            from: ip.client(),
            to: match (self.scenario.plan.relay, self.scenario.plan.translation) {
                (Some(relay), _) => relay.front(ip),
                (None, Translation::Service) => ip.service(),
                (None, Translation::None | Translation::Source | Translation::SourceOnePort) => ip.server(0),
            },
            seed: self.seed,
        };
        self.report = traffic::run(&stage, &self.scenario.traffic)?;
        Ok(&self.report)
    }

    /// Stops the middlebox, when what was on its way has arrived and the hosts are quiet. The captures end with
    /// it: what hosts send afterwards is in none.
    pub fn stop(mut self) -> Result<Outcome, LabError> {
        // What the relay still carries ends while the middlebox can write it down.
        drop(self.relay.take());
        let finished = self.middlebox.finish()?;
        let ended_ns = finished.ended_ns;
        let taps = self.taps.iter_mut().map(|tap| tap.finish(ended_ns)).collect::<Result<_, _>>()?;
        Ok(Outcome {
            ledger: finished.ledger,
            middlebox_drops: finished.drops + self.topology.link_drops()?,
            taps,
            traffic: std::mem::take(&mut self.report),
        })
    }
}

/// Builds a scenario, captures its traffic into `folder` and stops it.
pub fn record(scenario: &Scenario, seed: u64, folder: &Path) -> Result<Outcome, LabError> {
    let mut lab = Lab::start(scenario, seed)?;
    lab.start_taps(folder)?;
    lab.run_traffic()?;
    lab.stop()
}

fn server_file(number: usize) -> String {
    if number == 1 { "server.pcap".to_owned() } else { format!("server{number}.pcap") }
}
