//! Sessions between containers, at an engine that the test plays itself.

use super::live::may_capture;
use super::support::{Ran, ran};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// An engine with the containers `web` and `db`, which share a network namespace, and `old`, which has ended.
struct Engine {
    dir: TempDir,
    process: Child,
}

impl Engine {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let process = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().expect("sleep starts");
        let engine = Self { dir, process };
        let (listener, id) = (UnixListener::bind(engine.socket()).expect("a socket"), engine.process.id());
        // It ends with the tests' process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let mut lines = BufReader::new(stream.try_clone().expect("a descriptor")).lines();
                let first = lines.next().and_then(Result::ok).unwrap_or_default();
                while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
                let (status, body) = answer(first.split(' ').nth(1).unwrap_or_default(), id);
                let length = body.len();
                // Whoever asked may have gone.
                let _ = write!(stream, "HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\n\r\n{body}");
            }
        });
        engine
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("engine.sock")
    }

    fn run(&self, client: &str, server: &str, more: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_correlate"));
        command.args(["run", "--client", client, "--server", server, "--duration", "300ms"]).args(more);
        command.env("CORRELATE_CONTAINER_SOCKET", self.socket()).env("NO_COLOR", "1").stdin(Stdio::null());
        ran(&command.output().expect("the program starts"))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn answer(path: &str, process: u32) -> (u16, String) {
    let one = |id: &str, state: &str| (200, format!(r#"{{"Id":"{id}","State":{state}}}"#));
    let running = format!(r#"{{"Status":"running","Running":true,"Pid":{process}}}"#);
    match path {
        "/containers/web/json" => one("a1", &running),
        "/containers/db/json" => one("b2", &running),
        "/containers/old/json" => one("c3", r#"{"Status":"exited","Running":false,"Pid":0}"#),
        "/containers/json?all=true" => {
            (200, r#"[{"Names":["/web"]},{"Names":["/db"]},{"Names":["/old"]}]"#.to_owned())
        }
        _ => (404, r#"{"message":"No such container"}"#.to_owned()),
    }
}

/// Whether it failed for want of the privilege to enter a namespace; a run that must be able to (`CI=true`) fails then.
fn may_not_enter(ran: &Ran) -> bool {
    let may_not = ran.stderr.contains("CAP_SYS_ADMIN");
    assert!(!may_not || std::env::var("CI").as_deref() != Ok("true"), "cannot enter namespaces: {ran:?}");
    if may_not {
        let _ = writeln!(std::io::stderr(), "skipped: this user cannot enter namespaces");
    }
    may_not
}

#[test]
fn a_session_between_two_containers_names_them_as_its_hosts() {
    if !may_capture() {
        return;
    }
    let ran = Engine::start().run("container:web", "container:db:lo", &["--format", "json", "port", "1"]);
    if may_not_enter(&ran) {
        return;
    }
    // Nothing uses that port, so there is nothing to judge.
    assert_eq!(ran.status, Some(3), "{ran:?}");
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let hosts = [0, 1].map(|at| report["capture_points"][at]["host"].as_str().unwrap_or_default());
    assert_eq!(hosts, ["container:web", "container:db:lo"], "{report}");
    assert_eq!(report["capture_points"][1]["interfaces"], serde_json::json!(["lo"]), "{report}");
}

#[test]
fn a_container_that_cannot_be_captured_is_a_2_that_says_what_to_do() {
    let engine = Engine::start();
    let table = [
        ("container:webb", "no container is called webb", "hint: did you mean web?"),
        ("container:old", "container old does not run (it is exited)", "hint: start it"),
    ];
    for (host, said, hint) in table {
        let ran = engine.run(host, "container:db", &[]);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.stderr.contains(said) && ran.stderr.contains(hint), "{ran:?}");
    }
    let file = engine.dir.path().join("net.xml");
    let report = ["--format", "junit", "-o", file.to_str().expect("a name")];
    let ran = engine.run("container:webb", "container:db", &report);
    assert_eq!(ran.status, Some(2), "{ran:?}");
    let text = std::fs::read_to_string(&file).expect("a pipeline's report is written all the same");
    let parsed = roxmltree::Document::parse(&text).expect(&text);
    let error = parsed.descendants().find(|node| node.has_tag_name("error")).expect("an error");
    assert!(error.attribute("message").is_some_and(|message| message.contains("webb")), "{text}");
    assert_eq!(error.text(), Some("did you mean web?"), "{text}");
    std::fs::remove_file(engine.socket()).expect("a socket");
    let ran = engine.run("container:web", "container:db", &[]);
    assert_eq!(ran.status, Some(2), "{ran:?}");
    assert!(
        ran.stderr.contains("no container engine") && ran.stderr.contains("hint: start Docker"),
        "{ran:?}"
    );
}
