//! Running all flows of a scenario at once.

use super::client::{Call, run_flow};
use super::flow::{Listener, Traffic};
use super::report::{ClientReport, ServerReport, TrafficReport};
use super::server::{Place, listen, serve};
use crate::error::LabError;
use crate::firewall::refuse;
use crate::namespace::Namespace;
use crate::topology::Host;
use std::io::{self, PipeWriter};
use std::net::IpAddr;
use std::thread::JoinHandle;

/// Who plays, and where.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    pub(crate) client: &'a Namespace,
    /// The servers with their own addresses.
    pub(crate) servers: Vec<(&'a Host, IpAddr)>,
    /// The client's address.
    pub(crate) from: IpAddr,
    /// The address that the client calls.
    pub(crate) to: IpAddr,
    pub(crate) seed: u64,
}

type Serving = JoinHandle<io::Result<Vec<ServerReport>>>;

/// Runs the traffic to its end. All ports are open before the first connection begins.
pub(crate) fn run(stage: &Stage<'_>, traffic: &Traffic) -> Result<TrafficReport, LabError> {
    let (stops, serving) = open_servers(stage, traffic)?;
    let clients = run_clients(stage, traffic);
    // Dropping the writers wakes the servers, also where the clients failed.
    drop(stops);
    let mut servers = Vec::new();
    for thread in serving {
        let reports = thread.join().map_err(|_| LabError::Panicked("server"))?;
        servers.extend(reports.map_err(LabError::run("a server"))?);
    }
    Ok(TrafficReport { clients: clients?, servers })
}

fn open_servers(stage: &Stage<'_>, traffic: &Traffic) -> Result<(Vec<PipeWriter>, Vec<Serving>), LabError> {
    let (mut stops, mut serving) = (Vec::new(), Vec::new());
    for (server, (host, address)) in stage.servers.iter().enumerate() {
        for (flow_index, flow) in traffic.flows.iter().enumerate() {
            let what = || format!("listen on port {} of server {server}", flow.port);
            let listener =
                host.namespace.enter(|| listen(flow, *address))?.map_err(LabError::setup(what()))?;
            let Some(listener) = listener else { continue };
            if let Listener::Refused(how) = flow.listener {
                let refused = host.namespace.enter(|| refuse(flow.port, how))?;
                refused.map_err(LabError::setup("set the server's firewall"))?;
            }
            let (wake, stop) = io::pipe().map_err(LabError::setup("make a pipe"))?;
            let (flow, settle_ms, seed) = (flow.clone(), traffic.settle_ms, stage.seed);
            let place = Place { server, flow_index, settle_ms, seed };
            let work = move || serve(&listener, &flow, &place, &wake);
            serving.push(host.namespace.spawn("listen", work).map_err(LabError::setup(what()))?);
            stops.push(stop);
        }
    }
    Ok((stops, serving))
}

fn run_clients(stage: &Stage<'_>, traffic: &Traffic) -> Result<Vec<ClientReport>, LabError> {
    let call = Call { from: stage.from, to: stage.to, seed: stage.seed };
    stage.client.enter(|| {
        std::thread::scope(|scope| {
            let running: Vec<_> = traffic
                .flows
                .iter()
                .enumerate()
                .map(|(index, flow)| scope.spawn(move || run_flow(index, flow, call)))
                .collect();
            running
                .into_iter()
                .map(|thread| thread.join().map_err(|_| LabError::Panicked("client")))
                .collect::<Result<Vec<_>, _>>()
                .map(|reports| reports.into_iter().flatten().collect())
        })
    })?
}
