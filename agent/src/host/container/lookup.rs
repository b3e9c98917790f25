//! From a container's name to its network namespace.

use super::error::ContainerError;
use super::request::{Answer, AskError, get};
use super::sockets::sockets;
use crate::host::sys;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

/// A container's network namespace, held open: it stays the one that was looked up whatever becomes of the
/// container. Nothing enters the container.
#[derive(Debug)]
pub struct Container {
    namespace: File,
}

/// What an engine says of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Described {
    id: String,
    /// First process, in the engine's numbers; absent if it does not run.
    process: Option<i32>,
    /// The engine's word: `running`, `exited`, …
    state: String,
}

impl Container {
    /// Looks a container up, by name or id, at the engines of this machine: where `CORRELATE_CONTAINER_SOCKET` says,
    /// or else where `DOCKER_HOST` says and Docker and Podman listen.
    pub fn find(name: &str) -> Result<Self, ContainerError> {
        Self::find_at(name, &sockets(|name| std::env::var_os(name)))
    }

    /// A path that opens the network namespace as long as this value lives, in this process only.
    pub fn namespace(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.namespace.as_raw_fd()))
    }

    pub(super) fn find_at(name: &str, sockets: &[PathBuf]) -> Result<Self, ContainerError> {
        let (socket, described) = unique(name, sockets)?;
        let running = |described: &Described| {
            let state = described.state.clone();
            described.process.ok_or(ContainerError::NotRunning { name: name.to_owned(), state })
        };
        let process = running(&described)?;
        let open = |source: io::Error| ContainerError::Open { name: name.to_owned(), process, source };
        let elsewhere = || ContainerError::Elsewhere { name: name.to_owned(), socket: socket.clone() };
        let held = match sys::process_descriptor(process) {
            Ok(held) => held,
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => return Err(open(error)),
            // It has ended since, or is numbered otherwise there.
            Err(_) => return Err(gone(name, &socket, &described, elsewhere())),
        };
        // The number may have gone to another process before it was held: what the engine says now is of the held one.
        if asked(name, &socket)?.is_none_or(|(now, _)| now != described) {
            return Err(ContainerError::Replaced { name: name.to_owned() });
        }
        let namespace = File::open(format!("/proc/{process}/ns/net")).map_err(open)?;
        still_there(&held)
            .then_some(Self { namespace })
            .ok_or_else(|| ContainerError::Replaced { name: name.to_owned() })
    }
}

/// Why a process that the engine names is not there: it ended, or was never visible.
fn gone(name: &str, socket: &Path, before: &Described, elsewhere: ContainerError) -> ContainerError {
    match asked(name, socket) {
        Ok(Some((now, _))) if now == *before => elsewhere,
        Ok(_) => ContainerError::Replaced { name: name.to_owned() },
        Err(error) => error,
    }
}

fn still_there(held: &OwnedFd) -> bool {
    !sys::process_has_ended(held)
}

/// The one engine that has the container. Where none does, the error is the one that helps most.
fn unique(name: &str, sockets: &[PathBuf]) -> Result<(PathBuf, Described), ContainerError> {
    let (mut found, mut without, mut failed) = (Vec::<(PathBuf, Described, _)>::new(), Vec::new(), None);
    for socket in sockets {
        match asked(name, socket) {
            // One engine may be reached through two sockets.
            Ok(Some((described, _))) if found.iter().any(|(_, known, _)| known.id == described.id) => {}
            Ok(Some((described, listener))) => found.push((socket.clone(), described, listener)),
            Ok(None) => without.push(socket.clone()),
            Err(ContainerError::NoEngine { .. }) => {}
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    if found.len() > 1 {
        let sockets = found.into_iter().map(|(socket, ..)| socket).collect();
        return Err(ContainerError::Several { name: name.to_owned(), sockets });
    }
    match found.pop() {
        Some((socket, _, listener)) if !is_visible(listener) => {
            Err(ContainerError::Elsewhere { name: name.to_owned(), socket })
        }
        Some((socket, described, _)) => Ok((socket, described)),
        None => Err(failed.unwrap_or_else(|| {
            if without.is_empty() {
                ContainerError::NoEngine { name: name.to_owned(), sockets: sockets.to_vec() }
            } else {
                let known = without.iter().flat_map(|socket| names(socket)).collect();
                ContainerError::Unknown { name: name.to_owned(), known, sockets: without }
            }
        })),
    }
}

/// Whether the process that listens for the engine has the same numbers of processes as this one, as far as can be
/// told: a number of another PID namespace would be that of a wrong process here.
fn is_visible(listener: Option<i32>) -> bool {
    let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/pid")).ok();
    match listener {
        None => true,
        Some(0) => false,
        Some(process) => match (namespace("self"), namespace(&process.to_string())) {
            (Some(own), Some(other)) => own == other,
            (None, _) | (_, None) => true,
        },
    }
}

/// What the engine at `socket` says of the container; nothing if it has none of that name.
fn asked(name: &str, socket: &Path) -> Result<Option<(Described, Option<i32>)>, ContainerError> {
    let engine =
        |reason: String| ContainerError::Engine { name: name.to_owned(), socket: socket.to_owned(), reason };
    let answer = get(socket, &format!("/containers/{name}/json")).map_err(|error| match &error {
        AskError::Connect(source) if source.kind() == io::ErrorKind::PermissionDenied => {
            ContainerError::Denied { name: name.to_owned(), socket: socket.to_owned() }
        }
        AskError::Connect(source) if nobody_listens(source) => {
            ContainerError::NoEngine { name: name.to_owned(), sockets: vec![socket.to_owned()] }
        }
        AskError::Connect(_) | AskError::Http(_) | AskError::Body(_) | AskError::Silent => {
            engine(error.to_string())
        }
    })?;
    match answer.status {
        200 => match described(&answer) {
            Some(described) => Ok(Some((described, answer.listener))),
            None => Err(engine("its description of the container has no id or state".to_owned())),
        },
        404 => Ok(None),
        status => {
            let said = answer.body["message"].as_str().unwrap_or_default();
            Err(engine(format!("status {status} {said}").trim_end().to_owned()))
        }
    }
}

fn nobody_listens(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn described(answer: &Answer) -> Option<Described> {
    let state = &answer.body["State"];
    let process = state["Pid"].as_i64().and_then(|process| i32::try_from(process).ok());
    Some(Described {
        id: answer.body["Id"].as_str()?.to_owned(),
        process: process.filter(|process| *process > 0 && state["Running"].as_bool() == Some(true)),
        state: state["Status"].as_str().unwrap_or("stopped").to_owned(),
    })
}

/// Names of all containers that the engine at `socket` has; none if it does not say.
fn names(socket: &Path) -> Vec<String> {
    let listed = get(socket, "/containers/json?all=true").map(|answer| answer.body).unwrap_or_default();
    let containers = listed.as_array().into_iter().flatten();
    let names = containers.flat_map(|container| container["Names"].as_array().into_iter().flatten());
    names.filter_map(|name| name.as_str()).map(|name| name.trim_start_matches('/').to_owned()).collect()
}
