//! Runs the built program and makes small captures for it.

mod pcap;

use pcap::{Packet, write};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// What a run of the program gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_correlate"));
    command.env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// What a finished program gave.
pub(crate) fn ran(output: &Output) -> Ran {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("the program writes UTF-8");
    Ran { status: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// Runs the program with these arguments, standard input empty.
pub(crate) fn correlate(args: &[&str]) -> Ran {
    ran(&program().args(args).output().expect("the program starts"))
}

/// Runs the program, which must end with status 2, and gives its standard error.
pub(crate) fn stderr_of(args: &[&str]) -> String {
    let ran = correlate(args);
    assert_eq!(ran.status, Some(2), "{args:?} {ran:?}");
    assert_eq!(ran.stdout, "", "{args:?}");
    ran.stderr
}

/// Runs the program with a standard output whose reader is gone before it writes.
pub(crate) fn correlate_to_closed_pipe(args: &[&str]) -> Ran {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let child =
        program().args(args).stdout(writer).stderr(Stdio::piped()).spawn().expect("the program starts");
    ran(&child.wait_with_output().expect("the program ends"))
}

/// Captures of the two ends of one small healthy connection.
pub(crate) struct Pair {
    _dir: TempDir,
    client: String,
    server: String,
}

impl Pair {
    /// The client's capture and the server's.
    pub(crate) fn paths(&self) -> [&str; 2] {
        [&self.client, &self.server]
    }
}

/// A healthy connection: handshake, request, answer, close; 10 ms each way.
pub(crate) fn pair() -> Pair {
    let packets = pcap::conversation();
    captured(&packets, &packets, 0)
}

/// As [`pair`], the server's clock a day ahead.
pub(crate) fn pair_a_day_apart() -> Pair {
    let packets = pcap::conversation();
    captured(&packets, &packets, 86_400)
}

/// A healthy connection, and three whose SYN-ACKs never reach the client.
pub(crate) fn lost_syn_ack() -> Pair {
    let server: Vec<Packet> =
        pcap::conversation().into_iter().chain((1..=3).flat_map(pcap::unanswered)).collect();
    let client: Vec<Packet> =
        server.iter().filter(|packet| packet.client_port == 40_000 || packet.forward).cloned().collect();
    captured(&client, &server, 0)
}

/// Runs the program with the file as standard input.
pub(crate) fn correlate_with_input(args: &[&str], path: &str) -> Ran {
    let input = std::fs::File::open(path).expect("a file");
    ran(&program().args(args).stdin(input).output().expect("the program starts"))
}

fn captured(client: &[Packet], server: &[Packet], ahead_secs: u64) -> Pair {
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str, packets: &[Packet], at_server: bool, ahead_secs: u64| {
        let path = dir.path().join(name);
        std::fs::write(&path, write(packets, at_server, ahead_secs)).expect("a capture");
        path.to_str().expect("a name").to_owned()
    };
    let (client, server) =
        (file("client.pcap", client, false, 0), file("server.pcap", server, true, ahead_secs));
    Pair { _dir: dir, client, server }
}
