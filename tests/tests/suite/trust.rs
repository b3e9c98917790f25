//! Who may do what: a coordinator behind TLS, and agents, operators and strangers, all as processes.

use crate::support::binary::{PATIENCE, command, correlate};
use crate::support::scrape::{Scrape, url};
use crate::support::scratch;
use correlate_tests::process::{Ran, Running};
use std::fs;
use std::path::{Path, PathBuf};

/// A coordinator that listens on loopback, over TLS.
struct Office {
    folder: PathBuf,
    url: String,
    coordinator: Running,
    metrics: String,
}

impl Office {
    fn open(name: &str) -> Self {
        let folder = scratch::folder(&format!("trust-{name}"));
        let data = folder.join("data");
        let init = correlate(["coordinator", "init", "--data", data.to_str().expect("UTF-8")]);
        assert_eq!(init.status, Some(0), "{}", init.stderr);
        assert!(init.text().contains("authority  sha256:"), "{}", init.text());
        let mut coordinator = command();
        coordinator.args(["coordinator", "--listen", "tls:127.0.0.1:0", "--data"]).arg(&data);
        coordinator.args(["--metrics", "0"]);
        coordinator.arg("--audit").arg(folder.join("coordinator.audit"));
        let coordinator = Running::start(&mut coordinator);
        let line = coordinator.until_a_line_has("listening", PATIENCE).expect("the coordinator listens");
        let address = line.split("address=tls:").nth(1).expect("an address").trim();
        let metrics = url(&coordinator);
        Self { folder, url: format!("https://{address}"), coordinator, metrics }
    }

    /// How often the coordinator counted a refusal of that reason.
    fn counted(&self, reason: &str) -> i64 {
        let scrape = Scrape::read(&self.metrics);
        scrape.value(&format!("correlate_coordinator_refused_total{{reason=\"{reason}\"}}"))
    }

    fn token(&self, role: &str, name: &str) -> String {
        let data = self.folder.join("data");
        let data = data.to_str().expect("UTF-8");
        let made = correlate(["coordinator", "token", "--role", role, "--name", name, "--data", data]);
        assert_eq!(made.status, Some(0), "{}", made.stderr);
        made.text().trim().to_owned()
    }

    fn credentials(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn join_with(&self, token: &str, name: &str) -> Ran {
        let credentials = self.credentials(name);
        correlate(["join", &self.url, token, "--credentials", credentials.to_str().expect("UTF-8")])
    }

    fn join(&self, role: &str, name: &str) {
        let joined = self.join_with(&self.token(role, name), name);
        assert_eq!(joined.status, Some(0), "{}", joined.stderr);
        assert!(joined.text().contains(&format!("as {name}; credentials in")), "{}", joined.text());
    }

    /// Asks the coordinator as whoever has these credentials.
    fn ask(&self, name: &str, args: &[&str]) -> Ran {
        let mut asked = command();
        asked.env("CORRELATE_CREDENTIALS", self.credentials(name)).args(args);
        asked.args(["--coordinator", &self.url]);
        Running::start(&mut asked).finish(PATIENCE)
    }

    fn agent(&self, name: &str, policy: &str) -> Running {
        self.join("agent", name);
        let file = self.folder.join(format!("{name}.toml"));
        fs::write(&file, policy).expect("write a policy");
        let mut agent = command();
        agent.args(["agent", "--coordinator", &self.url]).arg("--credentials").arg(self.credentials(name));
        agent.arg("--policy").arg(&file).arg("--audit").arg(self.folder.join(format!("{name}.audit")));
        let agent = Running::start(&mut agent);
        let given_up = agent.until_a_line_has("privileges given up", PATIENCE).expect("the agent starts");
        assert!(given_up.contains("no_new_privs=true") && !given_up.contains("CAP_SYS_ADMIN"), "{given_up}");
        agent.until_a_line_has("connected to the coordinator", PATIENCE).expect("the agent connects");
        agent
    }

    /// The lines of an audit log that have all of `parts`.
    fn audited(&self, log: &str, parts: &[&str]) -> usize {
        let text = fs::read_to_string(self.folder.join(log)).expect("an audit log");
        text.lines().filter(|line| parts.iter().all(|part| line.contains(part))).count()
    }

    fn close(self) {
        self.coordinator.terminate();
        assert_eq!(self.coordinator.finish(PATIENCE).status, Some(0));
    }
}

fn refused(ran: &Ran, reason: &str) {
    assert_eq!(ran.status, Some(2), "{} {}", ran.text(), ran.stderr);
    assert!(ran.stderr.contains(reason), "{}", ran.stderr);
}

#[test]
fn a_token_is_good_once_and_a_certificate_at_its_own_coordinator() {
    let office = Office::open("tokens");
    let token = office.token("viewer", "eve");
    assert_eq!(office.join_with(&token, "eve").status, Some(0));
    refused(&office.join_with(&token, "mallory"), "used already, by eve");
    assert_eq!(office.audited("coordinator.audit", &["\"join\"", "\"refused\"", "used already"]), 1);
    assert_eq!((office.counted("token"), office.counted("certificate")), (1, 0));
    assert_eq!(office.ask("eve", &["agents"]).status, Some(0));
    refused(&office.ask("nobody", &["agents"]), "correlate join");

    let other = Office::open("tokens-other");
    let mut astray = command();
    astray.env("CORRELATE_CREDENTIALS", office.credentials("eve"));
    let astray = Running::start(astray.args(["agents", "--coordinator", &other.url])).finish(PATIENCE);
    refused(&astray, "is not the coordinator of these credentials");
    // Eve's certificate, and the other's authority beside it: now only the coordinator can tell.
    let forged = other.credentials("forged");
    fs::create_dir_all(&forged).expect("make a directory");
    for file in ["identity.pem", "coordinator"] {
        fs::copy(office.credentials("eve").join(file), forged.join(file)).expect("copy");
    }
    fs::copy(other.folder.join("data/trust/authority.pem"), forged.join("authority.pem")).expect("copy");
    refused(&other.ask("forged", &["agents"]), "another authority signed it");
    assert!(other.audited("coordinator.audit", &["\"refused\"", "another authority"]) > 0);
    assert!(other.counted("certificate") > 0);
    office.close();
    other.close();
}

#[test]
fn a_role_and_a_hosts_policy_are_kept_and_what_they_refuse_is_written_down() {
    let office = Office::open("policy");
    // One host alone refuses: which of two would be told first is anyone's guess.
    let policy = |asked_by: &str| format!("asked_by = [{asked_by}]\nports = [5432]\n");
    let agents =
        [office.agent("web-1", &policy("\"anna\"")), office.agent("db-1", &policy("\"anna\", \"bert\""))];
    for (role, name) in [("viewer", "eve"), ("operator", "bert")] {
        office.join(role, name);
    }
    let run = ["run", "--client", "web-1", "--server", "db-1", "--duration", "1s"];
    refused(&office.ask("eve", &run), "needs the role operator");
    assert_eq!(office.audited("coordinator.audit", &["\"refused\"", "eve", "viewer"]), 1);
    assert_eq!((office.counted("role"), office.counted("token")), (1, 0));

    let listed = office.ask("eve", &["agents"]);
    assert!(listed.text().contains("web-1") && listed.text().contains("db-1"), "{}", listed.text());

    refused(&office.ask("bert", &run), "web-1.toml, `asked_by`): bert may not capture here");
    assert_eq!(office.audited("coordinator.audit", &["\"start session\"", "operator bert", "web-1,db-1"]), 1);
    assert_eq!(office.audited("web-1.audit", &["\"capture\"", "\"bert\"", "\"refused\"", "`asked_by`"]), 1);
    for agent in agents {
        agent.terminate();
        assert_eq!(agent.finish(PATIENCE).status, Some(0));
    }
    office.close();
}

#[test]
fn a_policy_file_is_checked_before_it_counts() {
    let folder = scratch::folder("trust-validate");
    let file = |text: &str| {
        let path = folder.join("policy.toml");
        fs::write(&path, text).expect("write a policy");
        path
    };
    let validate = |path: &Path| correlate([Path::new("validate"), path]);
    assert_eq!(validate(&file(correlate_agent::policy::EXAMPLE)).status, Some(0));
    refused(
        &validate(&file("port = [5432]")),
        "policy.toml: line 1, column 1: unknown key `port` in a policy",
    );
    refused(&validate(&folder.join("absent.toml")), "cannot read");
}

#[test]
fn without_an_authority_nothing_is_served_to_other_hosts() {
    let folder = scratch::folder("trust-none");
    let data = folder.join("data");
    let ran = correlate(["coordinator", "--listen", "0.0.0.0:0", "--data", data.to_str().expect("UTF-8")]);
    refused(&ran, "correlate coordinator init");
}
