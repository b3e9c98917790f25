//! `correlate` as people deploy it: a coordinator, agents and operators, each a process in a host of its own, over TLS.

use crate::process::{Ran, Running};
use correlate_lab::{Host, Lab, LabError, Management, Namespace};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Nothing that is waited for takes as long.
const PATIENCE: Duration = Duration::from_secs(60);
const PORT: u16 = 4747;
const OPERATOR: &str = "operator";

/// A coordinator's directory, and who has joined it. It outlives the hosts.
#[derive(Debug)]
pub struct Office {
    binary: PathBuf,
    folder: PathBuf,
}

/// An office at work: its hosts are joined by a network, and its coordinator runs, mostly.
#[derive(Debug)]
pub struct Deployment<'a> {
    office: &'a Office,
    hosts: Vec<Host>,
    network: Management,
    coordinator: Option<Running>,
}

/// The name of an agent: the client's is 0.
#[must_use]
pub fn agent_name(host: usize) -> String {
    format!("host-{host}")
}

impl Office {
    /// An office in an empty folder, with the program that everybody runs.
    pub fn found(binary: &Path, folder: &Path) -> Result<Self, String> {
        let office = Self { binary: binary.to_owned(), folder: folder.to_owned() };
        let data = office.data();
        let address = Management::ADDRESS.to_string();
        let init = office.command(["coordinator", "init", "--name", &address, "--data"], [data.as_os_str()]);
        in_order(&run(init))?;
        Ok(office)
    }

    /// Where recordings are kept.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn credentials(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn command<'a>(
        &self,
        words: impl IntoIterator<Item = &'a str>,
        more: impl IntoIterator<Item = &'a OsStr>,
    ) -> Command {
        let mut command = Command::new(&self.binary);
        command.env("NO_COLOR", "1").env_remove("RUST_BACKTRACE").args(words).args(more);
        command
    }
}

impl<'a> Deployment<'a> {
    /// Joins the hosts of `lab`, starts the coordinator, and has everybody join it who has not yet.
    pub fn start(office: &'a Office, lab: &Lab) -> Result<Self, String> {
        let network = lab.management().map_err(|error: LabError| error.to_string())?;
        let servers = (0..).map_while(|index| lab.server(index));
        let hosts = std::iter::once(lab.client()).chain(servers).cloned().collect();
        let mut deployment = Self { office, hosts, network, coordinator: None };
        deployment.start_coordinator()?;
        for host in 0..deployment.hosts.len() {
            let namespace = deployment.hosts[host].namespace.clone();
            deployment.join("agent", &agent_name(host), &namespace)?;
        }
        deployment.join(OPERATOR, OPERATOR, &deployment.network.operator().clone())?;
        Ok(deployment)
    }

    /// The network that joins the hosts.
    #[must_use]
    pub const fn network(&self) -> &Management {
        &self.network
    }

    /// How many hosts are captured.
    #[must_use]
    pub fn hosts(&self) -> usize {
        self.hosts.len()
    }

    /// Starts the coordinator, again if it ran before.
    pub fn start_coordinator(&mut self) -> Result<(), String> {
        let listen = format!("tls:{}:{PORT}", Management::ADDRESS);
        let data = self.office.data();
        let mut command =
            self.office.command(["coordinator", "--listen", &listen, "--data"], [data.as_os_str()]);
        let running = born_in(self.network.coordinator(), &mut command)?;
        said(&running, "listening")?;
        self.coordinator = Some(running);
        Ok(())
    }

    /// Kills the coordinator; what it did not write down is lost.
    pub fn kill_coordinator(&mut self) -> Option<Ran> {
        self.coordinator.take().map(Running::kill)
    }

    /// Starts the agent of a host, and does not wait for it.
    pub fn start_agent(&self, host: usize) -> Result<Running, String> {
        let Host { namespace, interface, .. } = &self.hosts[host];
        let credentials = self.office.credentials(&agent_name(host));
        let words = ["agent", "--coordinator", &url(), "--interface", interface, "--credentials"];
        born_in(namespace, &mut self.office.command(words, [credentials.as_os_str()]))
    }

    /// Starts an agent and waits until it is connected.
    pub fn agent(&self, host: usize) -> Result<Running, String> {
        let running = self.start_agent(host)?;
        said(&running, "connected to the coordinator")?;
        Ok(running)
    }

    /// Starts `correlate run` at the operator and waits until every host is captured. Gives the session's name too.
    pub fn run(&self, args: &[&str]) -> Result<(Running, String), String> {
        let mut command = self.operators(&["run", "--format", "json"]);
        for host in 0..self.hosts.len() {
            command.args([if host == 0 { "--client" } else { "--server" }, &agent_name(host)]);
        }
        let running = born_in(self.network.operator(), command.args(args))?;
        let line = said(&running, "session ")?;
        let session = line.split_whitespace().nth(1).ok_or("the session has no name")?.to_owned();
        said(&running, "capturing at ")?;
        Ok((running, session))
    }

    /// Has the operator ask the coordinator something, to the end.
    pub fn ask(&self, args: &[&str]) -> Result<Ran, String> {
        Ok(born_in(self.network.operator(), &mut self.operators(args))?.finish(PATIENCE))
    }

    /// The report of a recording, without any coordinator.
    #[must_use]
    pub fn replay(&self, recording: &Path) -> Ran {
        run(self.office.command(["show", "--format", "json"], [recording.as_os_str()]))
    }

    /// The recording of a session, as the coordinator keeps it.
    #[must_use]
    pub fn recording(&self, session: &str) -> PathBuf {
        self.office.data().join(format!("{session}.correlate"))
    }

    fn operators(&self, args: &[&str]) -> Command {
        let credentials = self.office.credentials(OPERATOR);
        let mut command = self.office.command(args.iter().copied(), []);
        command.env("CORRELATE_CREDENTIALS", credentials).args(["--coordinator", &url()]);
        command
    }

    fn join(&self, role: &str, name: &str, host: &Namespace) -> Result<(), String> {
        let credentials = self.office.credentials(name);
        if credentials.exists() {
            return Ok(());
        }
        let data = self.office.data();
        let words = ["coordinator", "token", "--role", role, "--name", name, "--data"];
        let token = run(self.office.command(words, [data.as_os_str()]));
        in_order(&token)?;
        let words = ["join", &url(), token.text().trim(), "--credentials"].map(str::to_owned);
        let words = words.iter().map(String::as_str);
        let joined = born_in(host, &mut self.office.command(words, [credentials.as_os_str()]))?;
        in_order(&joined.finish(PATIENCE))
    }
}

fn url() -> String {
    format!("https://{}:{PORT}", Management::ADDRESS)
}

/// A process is born into the namespace of the thread that starts it.
fn born_in(host: &Namespace, command: &mut Command) -> Result<Running, String> {
    host.enter(|| Running::start(command)).map_err(|error| error.to_string())
}

fn run(mut command: Command) -> Ran {
    Running::start(&mut command).finish(PATIENCE)
}

fn said(running: &Running, part: &str) -> Result<String, String> {
    running.until_a_line_has(part, PATIENCE).ok_or_else(|| format!("no process said {part:?} in time"))
}

fn in_order(ran: &Ran) -> Result<(), String> {
    if ran.status == Some(0) { Ok(()) } else { Err(format!("ended with {:?}: {}", ran.status, ran.stderr)) }
}
