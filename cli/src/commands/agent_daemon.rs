//! `agent --coordinator`: the capture daemon of one host.

use crate::args::{AgentArgs, Host};
use crate::commands::validate::unsound;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::live::{EachOverSsh, Interrupts, LiveOpener};
use crate::logging;
use crate::metrics::Exporter;
use crate::remote::Address;
use correlate_agent::filter::Exclusion;
use correlate_agent::host::{confine, interfaces};
use correlate_agent::metrics;
use correlate_agent::policy::{Guarded, Policy};
use correlate_agent::trust::{Credentials, keep_renewed};
use correlate_agent::uplink::{self, CaptureOpener, Options, UplinkError};
use correlate_proto::Endpoint;
use prometheus_client::registry::Registry;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::sync::watch;

/// Serves the coordinator, and dials again whenever it is gone, until this is told to end. What was captured by then
/// is uploaded for at most five seconds.
pub(crate) fn run(args: &AgentArgs, address: &Address) -> Result<ExitStatus, CliError> {
    logging::start(&args.log, &args.audit)?;
    let address = address.clone().with_credentials(args.credentials.credentials.clone());
    let policy = args.policy.as_deref().map(Policy::load).transpose().map_err(|error| unsound(&error))?;
    let labels = args.label.iter().cloned().collect();
    let options = Options { labels, ..Options::new(name(args, &address)?, env!("CARGO_PKG_VERSION")) };
    let exporter = Exporter::bind(&args.metrics)?;
    let host = args.host.clone().unwrap_or(Host::Local { interface: None });
    let opener = opener(args, host.clone(), exclusions(args, &address, exporter.as_ref()))?;
    let opener = Arc::new(Guarded::new(opener, policy.clone()));
    give_up(&host, policy.as_ref())?;
    // From here on: every thread has what this one has left.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        CliError::new(format!("cannot start the agent: {error}")).hint("raise the limit of open files")
    })?;
    let served: Result<Result<(), UplinkError>, CliError> = runtime.block_on(async {
        let mut interrupts = Interrupts::listen()?;
        if let Some(exporter) = exporter {
            let mut registry = Registry::default();
            metrics::register(&mut registry);
            exporter.start(registry);
        }
        let (shutdown, asked) = watch::channel(false);
        let serving = uplink::run(options, opener, address.dial(), asked.clone());
        let renewing = renewing(&address, asked);
        tokio::pin!(serving, renewing);
        loop {
            tokio::select! {
                served = &mut serving => return Ok(served),
                () = &mut renewing => {}
                () = interrupts.next() => {
                    tracing::info!("ending: captures end, what they hold is uploaded");
                    shutdown.send_replace(true);
                }
            }
        }
    });
    runtime.shutdown_background();
    served?
        .map(|()| ExitStatus::Clean)
        .map_err(|error| CliError::remedied(&error.to_string(), "see the coordinator's log"))
}

/// The agent's name: the one that is given, or the one that its certificate has.
fn name(args: &AgentArgs, address: &Address) -> Result<String, CliError> {
    if let Some(name) = &args.name {
        return Ok(name.clone());
    }
    let Address::Tls { credentials, .. } = address else {
        return Err(CliError::new("the agent has no name").hint("give one with --name: sessions ask for it"));
    };
    Credentials::load(credentials)
        .and_then(|credentials| credentials.identity())
        .map(|identity| identity.name)
        .map_err(|error| CliError::remedied(&error.to_string(), "see `correlate join --help`"))
}

fn opener(
    args: &AgentArgs,
    host: Host,
    exclusions: Vec<Exclusion>,
) -> Result<Arc<dyn CaptureOpener>, CliError> {
    let mut usual = args.interface.clone();
    usual.extend(host.interface().filter(|_| usual.is_empty()).map(str::to_owned));
    Ok(match host {
        Host::Ssh(host) => Arc::new(EachOverSsh::reach(host, exclusions)?.unless_told_on(usual)),
        Host::Local { .. } | Host::Namespace { .. } | Host::Container { .. } => {
            Arc::new(LiveOpener::new(host).excluding(exclusions).unless_told_on(usual))
        }
    })
}

/// What is never captured: the traffic of the tool itself.
fn exclusions(args: &AgentArgs, address: &Address, exporter: Option<&Exporter>) -> Vec<Exclusion> {
    let mut exclusions = args.exclude.clone();
    exclusions.extend(address.exclusions());
    exclusions.extend(exporter.and_then(Exporter::address).into_iter().flat_map(scraped));
    exclusions
}

/// The traffic with whoever scrapes `address`, which is never evidence.
fn scraped(address: SocketAddr) -> Vec<Exclusion> {
    let at = |addr: IpAddr| Exclusion::Endpoint(Endpoint { addr, port: address.port() });
    if !address.ip().is_unspecified() {
        return vec![at(address.ip())];
    }
    // Any address of this host; one that it gets later is not known, and its scrapes are captured.
    let own = interfaces().unwrap_or_default();
    own.into_iter().flat_map(|interface| interface.addresses).map(at).collect()
}

/// Keeps what captures of `host` need and gives up the rest.
fn give_up(host: &Host, policy: Option<&Policy>) -> Result<(), CliError> {
    if matches!(host, Host::Ssh(_)) {
        tracing::info!(
            "no privileges given up: ssh is started for each capture; run it as a user without any"
        );
        return Ok(());
    }
    let elsewhere = matches!(host, Host::Namespace { .. } | Host::Container { .. });
    let namespaces = elsewhere || policy.is_some_and(Policy::allows_namespaces);
    let held = confine(namespaces)
        .map_err(|error| CliError::remedied(&error.to_string(), "see `correlate doctor`"))?;
    tracing::info!(
        capabilities = held.capabilities.join(" "),
        no_new_privs = held.no_new_privileges,
        seccomp = held.calls_filtered,
        "privileges given up but for these"
    );
    if !held.net_raw {
        tracing::warn!("CAP_NET_RAW is missing: every capture will be refused; see `correlate doctor`");
    }
    Ok(())
}

/// Renews the certificate as often as it is due; never ends.
async fn renewing(address: &Address, shutdown: watch::Receiver<bool>) {
    if let Address::Tls { address, credentials } = address {
        keep_renewed(address.clone(), credentials, shutdown).await;
    }
    core::future::pending::<()>().await;
}
