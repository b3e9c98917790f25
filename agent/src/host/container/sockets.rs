//! Where the API of a container engine is listened for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Names the one socket to ask, with or without `unix:`.
pub(super) const CHOSEN: &str = "CORRELATE_CONTAINER_SOCKET";

/// The sockets that are asked, each once: the chosen one, or where `DOCKER_HOST` points and where Docker and Podman
/// listen, as root and for a user.
pub(super) fn sockets(env: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    if let Some(chosen) = set(CHOSEN) {
        return vec![unix(&chosen).unwrap_or_else(|| chosen.into())];
    }
    // Another machine's engine knows nothing of processes here.
    let docker_host = set("DOCKER_HOST").and_then(|host| unix(&host));
    let runtime = set("XDG_RUNTIME_DIR").map(PathBuf::from);
    let of_user = |socket: &str| runtime.as_ref().map(|dir| dir.join(socket));
    let all = [
        docker_host,
        Some("/var/run/docker.sock".into()),
        of_user("docker.sock"),
        Some("/run/podman/podman.sock".into()),
        of_user("podman/podman.sock"),
    ];
    let mut sockets: Vec<PathBuf> = Vec::new();
    for socket in all.into_iter().flatten() {
        // One socket may have several names: /var/run is /run, and Podman may stand in for Docker.
        if !sockets.iter().any(|known| place(known) == place(&socket)) {
            sockets.push(socket);
        }
    }
    sockets
}

/// The path in `unix:///path` or `unix:/path`.
fn unix(host: &OsString) -> Option<PathBuf> {
    let path = host.to_str()?.strip_prefix("unix:")?;
    Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
}

fn place(socket: &Path) -> PathBuf {
    std::fs::canonicalize(socket).unwrap_or_else(|_| socket.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(env: &[(&str, &str)]) -> Vec<PathBuf> {
        sockets(|name| env.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)))
    }

    #[test]
    fn the_chosen_socket_is_the_only_one() {
        for chosen in ["/x/engine.sock", "unix:/x/engine.sock", "unix:///x/engine.sock"] {
            let env = [(CHOSEN, chosen), ("DOCKER_HOST", "unix:///y.sock")];
            assert_eq!(with(&env), [PathBuf::from("/x/engine.sock")]);
        }
    }

    #[test]
    fn engines_of_root_and_of_the_user_are_asked_and_other_machines_are_not() {
        let found = with(&[("DOCKER_HOST", "tcp://10.0.0.1:2375"), ("XDG_RUNTIME_DIR", "/no/user")]);
        let expected = [
            "/var/run/docker.sock",
            "/no/user/docker.sock",
            "/run/podman/podman.sock",
            "/no/user/podman/podman.sock",
        ];
        assert_eq!(found, expected.map(PathBuf::from));
        let found = with(&[("DOCKER_HOST", "unix:///no/such/docker.sock"), (CHOSEN, "")]);
        let expected = ["/no/such/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock"];
        assert_eq!(found, expected.map(PathBuf::from));
    }

    #[test]
    fn a_socket_with_two_names_is_asked_once() {
        let found = with(&[("DOCKER_HOST", "unix:///var/run/docker.sock")]);
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
