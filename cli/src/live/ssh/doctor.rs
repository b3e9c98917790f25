//! What `doctor` finds at a host over ssh.

use super::errors;
use super::greeting::Greeting;
use super::link::{Link, reach};
use super::stream::Stream;
use crate::args::SshHost;
use crate::error::CliError;
use correlate_agent::host::{Check, CheckState};
use correlate_proto::Span;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// How long the far end may take to look at itself; sudo may look its user up over a network.
const WITHIN: Duration = Duration::from_secs(20);
/// Lines that are listened to; more says no host.
const MAX_LINES: usize = 16_384;
/// A clock that is farther off, in nanoseconds, is worth a word; packets align it all the same.
const APART_NS: u64 = 1_000_000_000;

/// What was found at a host.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    /// What this end found out.
    pub(crate) checks: Vec<Check>,
    /// What the correlate there says of its host, line by line; empty if it cannot be used.
    pub(crate) said: Vec<String>,
}

/// What a far end said of itself, by its first words.
#[derive(Debug, Default)]
struct Told {
    /// Versions, by program.
    has: BTreeMap<String, String>,
    /// How a program may do its work, by program: `itself`, or `by sudo`.
    may: BTreeMap<String, String>,
    /// Why it may not, by program.
    said: BTreeMap<String, Vec<String>>,
    is_root: bool,
    doctor: Vec<String>,
}

/// Reaches `host` and has it look at what a capture there needs. Captures nothing.
pub(crate) fn diagnose(host: SshHost) -> Result<Diagnosis, CliError> {
    let interface = host.interface.clone().unwrap_or_else(|| "any".to_owned());
    let Link { host, greeting, ahead, mut stdin, stdout, voice, process } = reach(host)?;
    let lost = |why: &str| errors::unreachable(&host, voice.said().last_words().unwrap_or(why));
    let failed = |error: io::Error| lost(&error.to_string());
    stdin.write_all(format!("doctor\n{interface}\n").as_bytes()).map_err(failed)?;
    let mut stream = Stream::start(stdout).map_err(failed)?;
    let until = Instant::now() + WITHIN;
    let mut told = Told::default();
    for _ in 0..MAX_LINES {
        let line = stream.line(until).map_err(failed)?.ok_or_else(|| lost("it ended while it was asked"))?;
        if line == "done" {
            // The end of its input ends the far end, and that the connection.
            drop((stdin, process));
            let checks = checks(&host, &greeting, ahead, &told);
            return Ok(Diagnosis { checks, said: told.doctor });
        }
        told.take(&line);
    }
    Err(lost("it says too much"))
}

impl Told {
    fn take(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (program, words) = rest.split_once(' ').unwrap_or((rest, ""));
        match word {
            "user" => self.is_root = rest == "0",
            "has" => drop(self.has.insert(program.to_owned(), words.to_owned())),
            "may" => drop(self.may.insert(program.to_owned(), words.to_owned())),
            "doctor" => self.doctor.push(rest.to_owned()),
            // The program stands first: `tcpdump said …`.
            _ if program == "said" => self.said.entry(word.to_owned()).or_default().push(words.to_owned()),
            // Of a later version of the script, which says more.
            _ => {}
        }
    }

    fn lines(&self, program: &str) -> &[String] {
        self.said.get(program).map(Vec::as_slice).unwrap_or_default()
    }
}

fn checks(host: &SshHost, greeting: &Greeting, ahead: Span, told: &Told) -> Vec<Check> {
    let mut checks = vec![
        check("ssh", CheckState::Ok, format!("{host} is reached")),
        check("system", CheckState::Ok, greeting.system.clone()),
        correlate(told),
        tcpdump(host, told),
        sudo(told),
        clock(ahead),
    ];
    if told.doctor.is_empty() {
        checks.push(interfaces(greeting));
    }
    checks
}

fn check(name: &str, state: CheckState, says: impl Into<String>) -> Check {
    Check { name: name.to_owned(), state, says: says.into(), remedy: None }
}

fn mended(check: Check, remedy: impl Into<String>) -> Check {
    Check { remedy: Some(remedy.into()), ..check }
}

fn correlate(told: &Told) -> Check {
    match (told.has.get("correlate"), told.may.get("correlate")) {
        (Some(version), Some(how)) => {
            check("correlate", CheckState::Ok, format!("{version}, may capture {how}; sessions use it"))
        }
        (Some(version), None) => mended(
            check("correlate", CheckState::Weak, format!("{version}, may not capture")),
            "give it CAP_NET_RAW (setcap cap_net_raw+ep), or let that user run it by sudo without a password",
        ),
        (None, _) => mended(
            check(
                "correlate",
                CheckState::Weak,
                "is not in the PATH: no counters of the host, no samples of its clock",
            ),
            "install correlate there, where verdicts about the host itself matter",
        ),
    }
}

fn tcpdump(host: &SshHost, told: &Told) -> Check {
    let is_needed = !told.may.contains_key("correlate");
    let state = if is_needed { CheckState::Missing } else { CheckState::Weak };
    match (told.has.get("tcpdump"), told.may.get("tcpdump")) {
        (Some(version), Some(how)) => {
            check("tcpdump", CheckState::Ok, format!("{version}, may capture {how}"))
        }
        (Some(_), None) => {
            let refusal = errors::refused(host, told.lines("tcpdump"), told.lines("sudo"));
            mended(check("tcpdump", state, refusal.reason), refusal.remedy)
        }
        (None, _) if is_needed => mended(
            check(
                "tcpdump",
                state,
                "is not in the PATH, and no correlate may capture: nothing captures there",
            ),
            "install tcpdump there",
        ),
        (None, _) => {
            check("tcpdump", CheckState::Ok, "is not in the PATH and not needed: correlate captures")
        }
    }
}

fn sudo(told: &Told) -> Check {
    if told.is_root {
        return check("sudo", CheckState::Ok, "not needed: the user is root");
    }
    let captures = told.may.contains_key("tcpdump") || told.may.contains_key("correlate");
    let state = if captures { CheckState::Ok } else { CheckState::Weak };
    if told.may.contains_key("sudo") {
        return check("sudo", CheckState::Ok, "asks for no password");
    }
    let by_itself = if captures { "; not needed for captures" } else { "" };
    match told.lines("sudo").iter().rfind(|line| line.starts_with("sudo:")) {
        Some(line) => {
            let why = line.trim_start_matches("sudo:").trim();
            let found = check("sudo", state, format!("does nothing unasked: {why}{by_itself}"));
            if captures {
                found
            } else {
                mended(
                    found,
                    "let that user run tcpdump by sudo without a password (NOPASSWD), or connect as root",
                )
            }
        }
        None => check("sudo", state, format!("is not there{by_itself}")),
    }
}

fn clock(ahead: Span) -> Check {
    let apart = ahead.0.unsigned_abs();
    let way = if ahead.0 < 0 { "behind" } else { "ahead of" };
    let says = format!("{} ms {way} this host's, to within half of a round trip", apart / 1_000_000);
    if apart > APART_NS {
        let found = check("clock", CheckState::Weak, says);
        return mended(found, "run chronyd or ntpd there; packets align clocks all the same");
    }
    check("clock", CheckState::Ok, says)
}

fn interfaces(greeting: &Greeting) -> Check {
    match greeting.interfaces.as_slice() {
        [] => mended(
            check("interfaces", CheckState::Weak, "not known: whose address is whose, packets must tell"),
            "install iproute2 there",
        ),
        found => {
            let names: Vec<&str> = found.iter().map(|interface| interface.name.as_str()).collect();
            check("interfaces", CheckState::Ok, names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::ssh::greeting::Tool;

    fn found(lines: &[&str]) -> Vec<(String, CheckState, String)> {
        let host = SshHost::parse("db").expect("a host");
        let greeting = Greeting {
            connection: String::new(),
            system: "Linux 6.1".into(),
            interfaces: Vec::new(),
            tool: Tool::Nothing,
        };
        let mut told = Told::default();
        for line in lines {
            told.take(line);
        }
        checks(&host, &greeting, Span(-2_000_000_000), &told)
            .into_iter()
            .map(|check| (check.name, check.state, check.says + " / " + &check.remedy.unwrap_or_default()))
            .collect()
    }

    fn has(found: &[(String, CheckState, String)], name: &str, state: CheckState, words: &str) {
        let check = found.iter().find(|(known, ..)| known == name).expect(name);
        assert!(check.1 == state && check.2.contains(words), "{check:?}");
    }

    #[test]
    fn what_a_host_says_becomes_checks_with_remedies() {
        let bare = found(&["user 1000"]);
        has(&bare, "tcpdump", CheckState::Missing, "install tcpdump");
        has(&bare, "sudo", CheckState::Weak, "is not there");
        has(&bare, "clock", CheckState::Weak, "2000 ms behind");
        has(&bare, "interfaces", CheckState::Weak, "iproute2");

        let refused = found(&[
            "user 1000",
            "has tcpdump tcpdump version 4.99.3",
            "tcpdump said tcpdump: eth0: You don't have permission to capture on that device",
            "sudo said sudo: a password is required",
        ]);
        has(&refused, "tcpdump", CheckState::Missing, "NOPASSWD");
        has(&refused, "sudo", CheckState::Weak, "a password is required");

        let by_sudo = found(&["user 1000", "may sudo", "has tcpdump 4.99.3", "may tcpdump by sudo"]);
        has(&by_sudo, "tcpdump", CheckState::Ok, "4.99.3, may capture by sudo");
        has(&by_sudo, "sudo", CheckState::Ok, "asks for no password");
        has(&by_sudo, "correlate", CheckState::Weak, "install correlate there");

        let agent = found(&["user 0", "has correlate 0.1.0", "may correlate itself", "doctor ok  kernel"]);
        has(&agent, "correlate", CheckState::Ok, "0.1.0, may capture itself");
        has(&agent, "tcpdump", CheckState::Ok, "not needed");
        assert!(!agent.iter().any(|(name, ..)| name == "interfaces"), "it says so itself");
    }
}
