//! Look-ups at engines that the tests play themselves.

use super::*;
use crate::host::Namespace;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

static ENGINES: AtomicUsize = AtomicUsize::new(0);

/// An engine that answers each question by what a function says of its path: a status and a body.
struct Engine(PathBuf);

impl Engine {
    fn start(answer: impl Fn(&str) -> (u16, String) + Send + 'static) -> Self {
        let number = ENGINES.fetch_add(1, Ordering::Relaxed);
        let socket =
            std::env::temp_dir().join(format!("correlate-engine-{}-{number}.sock", std::process::id()));
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).expect("a socket");
        // It ends with the tests' process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let mut lines = BufReader::new(stream.try_clone().expect("a descriptor")).lines();
                let first = lines.next().and_then(Result::ok).unwrap_or_default();
                // The head ends with an empty line; there is no body.
                while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
                let (status, body) = answer(first.split(' ').nth(1).unwrap_or_default());
                // Whoever asked may have gone.
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self(socket)
    }

    /// One that has a single container, running as `process`.
    fn with(name: &'static str, id: &'static str, process: u32) -> Self {
        Self::start(move |path| match path {
            "/containers/json?all=true" => {
                (200, format!(r#"[{{"Id":"{id}","Names":["/{name}","/x/alias"]}}]"#))
            }
            _ if path == format!("/containers/{name}/json") => (200, running(id, process)),
            _ => (404, r#"{"message":"No such container"}"#.to_owned()),
        })
    }

    fn find(&self, name: &str) -> Result<Container, ContainerError> {
        Container::find_at(name, std::slice::from_ref(&self.0))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn running(id: &str, process: u32) -> String {
    format!(r#"{{"Id":"{id}","State":{{"Status":"running","Running":true,"Pid":{process}}}}}"#)
}

/// A process that lives as long as this value.
struct Process(Child);

impl Process {
    fn start() -> Self {
        let child = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn();
        Self(child.expect("sleep starts"))
    }

    /// A number that no process has any more.
    fn ended() -> u32 {
        Self::start().0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_name_leads_to_the_network_namespace_of_the_containers_process() {
    let process = Process::start();
    let engine = Engine::with("web", "f00", process.0.id());
    let container = engine.find("web").expect("it runs");
    let inode = |path: PathBuf| std::fs::metadata(path).expect("a namespace").ino();
    let own = inode("/proc/self/ns/net".into());
    assert_eq!(inode(container.namespace()), own, "the process was started in this namespace");
    drop(process);
    assert_eq!(inode(container.namespace()), own, "it stays open when the container ends");
    assert!(Namespace::named(&container.namespace()).path().is_absolute());
}

#[test]
fn the_same_container_through_two_sockets_is_one_and_two_engines_are_ambiguous() {
    let process = Process::start();
    let engines = ["a", "a", "b"].map(|id| Engine::with("web", id, process.0.id()));
    let sockets: Vec<PathBuf> = engines.iter().map(|engine| engine.0.clone()).collect();
    Container::find_at("web", &sockets[..2]).expect("one engine, reached twice");
    let error = Container::find_at("web", &sockets).expect_err("two engines");
    let ContainerError::Several { sockets: found, .. } = &error else { panic!("{error}") };
    assert_eq!(found, &[sockets[0].clone(), sockets[2].clone()]);
    assert!(error.to_string().contains("CORRELATE_CONTAINER_SOCKET"), "{error}");
}

#[test]
fn an_unknown_container_comes_with_those_that_there_are() {
    let error = Engine::with("web", "f00", 1).find("wbe").expect_err("no such container");
    let ContainerError::Unknown { known, .. } = &error else { panic!("{error}") };
    assert_eq!(known, &["web", "x/alias"]);
}

#[test]
fn a_container_that_does_not_run_says_what_it_is() {
    for state in [
        r#"{"Status":"exited","Running":false,"Pid":0}"#,
        r#"{"Status":"exited","Running":false,"Pid":1}"#,
        r#"{"Status":"exited","Running":true,"Pid":0}"#,
    ] {
        let engine = Engine::start(move |_| (200, format!(r#"{{"Id":"f00","State":{state}}}"#)));
        let error = engine.find("web").expect_err(state);
        assert!(matches!(error, ContainerError::NotRunning { .. }), "{error}");
        assert!(error.to_string().contains("exited"), "{error}");
    }
}

#[test]
fn a_container_that_changes_during_the_look_up_is_not_captured() {
    let (one, other) = (Process::start(), Process::start());
    let processes = [one.0.id(), other.0.id()];
    let asked = AtomicUsize::new(0);
    let engine = Engine::start(move |_| {
        let turn = asked.fetch_add(1, Ordering::Relaxed);
        (200, running("f00", processes[turn.min(1)]))
    });
    let error = engine.find("web").expect_err("another process");
    assert!(matches!(error, ContainerError::Replaced { .. }), "{error}");
}

#[test]
fn a_process_that_is_not_here_is_an_engine_elsewhere() {
    let error = Engine::with("web", "f00", Process::ended()).find("web").expect_err("no such process");
    assert!(matches!(error, ContainerError::Elsewhere { .. }), "{error}");
    assert!(error.to_string().contains("--pid host"), "{error}");
}

#[test]
fn what_is_no_engine_is_an_error_that_names_its_socket() {
    let table: [(u16, &'static str, &str); 4] = [
        (500, r#"{"message":"on fire"}"#, "status 500 on fire"),
        (200, "{}", "no id or state"),
        (200, "not json", "no id or state"),
        (301, "", "status 301"),
    ];
    for (status, body, said) in table {
        let engine = Engine::start(move |_| (status, body.to_owned()));
        let error = engine.find("web").expect_err(said);
        assert!(matches!(error, ContainerError::Engine { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(said) && text.contains("correlate-engine-"), "{text}");
    }
}

#[test]
fn an_answer_beyond_the_limit_is_refused() {
    let engine = Engine::start(|_| (200, " ".repeat(request::LONGEST + 1)));
    let error = engine.find("web").expect_err("too long");
    assert!(matches!(error, ContainerError::Engine { .. }), "{error}");
    assert!(error.to_string().contains("length limit"), "{error}");
}

#[test]
fn an_engine_that_breaks_off_does_not_hide_another() {
    let process = Process::start();
    let broken = Engine::start(|_| (200, String::new()));
    let whole = Engine::with("web", "f00", process.0.id());
    Container::find_at("web", &[broken.0.clone(), whole.0.clone()]).expect("the other has it");
    let error = Container::find_at("db", &[broken.0.clone(), whole.0.clone()]).expect_err("nobody has it");
    assert!(matches!(error, ContainerError::Engine { .. }), "{error}");
}

#[test]
fn without_an_engine_the_error_names_the_sockets() {
    let nowhere = [PathBuf::from("/no/such/one.sock"), PathBuf::from("/no/such/other.sock")];
    let error = Container::find_at("web", &nowhere).expect_err("no engine");
    assert!(matches!(error, ContainerError::NoEngine { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("/no/such/one.sock, /no/such/other.sock") && text.contains("start Docker"),
        "{text}"
    );
}
