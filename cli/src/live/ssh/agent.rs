//! The agent of a host that has correlate.

use super::errors;
use super::link::Link;
use super::process::Process;
use crate::error::CliError;
use correlate_coordinator::Connector;
use std::io::{self, Write};
use tokio::process::{ChildStdin, ChildStdout};

/// Has the far end become an agent called `name` that never captures `connections`, and serves it: on the present
/// runtime, until that ends.
pub(in crate::live) fn serve(
    mut link: Link,
    name: &str,
    connections: &[String],
    connector: &Connector,
) -> Result<Process, CliError> {
    let told = [&["agent", name], &connections.iter().map(String::as_str).collect::<Vec<_>>()[..], &["", ""]];
    let told = told.concat().join("\n");
    let connected = link.stdin.write_all(told.as_bytes()).and_then(|()| {
        let (output, input) = (ChildStdout::from_std(link.stdout)?, ChildStdin::from_std(link.stdin)?);
        connector.accept(tokio::io::join(output, input))
    });
    let because = |error: io::Error| {
        errors::unreachable(&link.host, link.voice.said().last_words().unwrap_or(&error.to_string()))
    };
    connected.map_err(because)?;
    Ok(link.process)
}
