//! A real sshd in a host of the lab, and an `ssh` that reaches it with a key of its own.

use correlate_lab::Host;
use correlate_tests::process::Running;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where Debian's openssh-server has it.
const SSHD: &str = "/usr/sbin/sshd";
/// A port of no scenario.
pub(crate) const PORT: u16 = 2222;
/// The name that the configuration of `ssh` knows it by.
pub(crate) const NAME: &str = "far";

/// A running sshd. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Sshd {
    _running: Running,
    /// A program to be used as `ssh`.
    pub(crate) ssh: PathBuf,
}

/// What to start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'a> {
    /// Where it runs.
    pub(crate) host: &'a Host,
    /// From where it is reached.
    pub(crate) from: &'a Host,
    /// By which address.
    pub(crate) address: &'a str,
    /// The PATH of its sessions; absent for the usual one.
    pub(crate) path: Option<&'a str>,
}

/// Why no sshd can be had here; absent if one can.
pub(crate) fn missing() -> Option<String> {
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout.trim_ascii() != b"0" {
        return Some("an sshd of the tests' own needs root".to_owned());
    }
    let programs = [SSHD, "/usr/bin/ssh", "/usr/bin/ssh-keygen", "/usr/bin/nsenter", "/usr/bin/unshare"];
    let absent = programs.into_iter().find(|program| !Path::new(program).exists())?;
    Some(format!("{absent} is not there (Debian: openssh-server, openssh-client, util-linux)"))
}

impl Sshd {
    /// Starts one with all its files in `folder`, and waits until it listens.
    pub(crate) fn start(setting: Setting<'_>, folder: &Path) -> Self {
        let file = |name: &str| folder.join(name);
        for key in ["host_key", "key"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file(key));
            assert!(keygen.status().expect("ssh-keygen starts").success(), "no key");
        }
        let public = |name: &str| fs::read_to_string(file(name)).expect("a public key");
        let at = format!("[{}]:{PORT}", setting.address);
        fs::write(file("known_hosts"), format!("{at} {}", public("host_key.pub"))).expect("writes");
        fs::write(file("authorized_keys"), public("key.pub")).expect("writes");
        fs::write(file("sshd_config"), server(folder, setting.path)).expect("writes");
        fs::write(file("ssh_config"), client(folder, setting.address)).expect("writes");
        let ssh = file("ssh");
        let script = format!(
            "#!/bin/sh\nexec nsenter --net={} /usr/bin/ssh -F {} \"$@\"\n",
            setting.from.namespace.path().display(),
            file("ssh_config").display()
        );
        fs::write(&ssh, script).expect("writes");
        fs::set_permissions(&ssh, Permissions::from_mode(0o755)).expect("is ours");
        // sshd wants an empty folder in /run, which is nobody's to leave there.
        let inside = format!("mount -t tmpfs none /run && mkdir /run/sshd && exec {SSHD} -D -e -f \"$0\"");
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", &inside]).arg(file("sshd_config"));
        let running = setting.host.namespace.enter(|| Running::start(&mut unshare)).expect("enters");
        assert!(
            running.until_it_says("Server listening on", Duration::from_secs(20)),
            "sshd does not listen"
        );
        Self { _running: running, ssh }
    }
}

fn server(folder: &Path, path: Option<&str>) -> String {
    let folder = folder.display();
    let mut text = format!(
        "Port {PORT}\nListenAddress 0.0.0.0\nHostKey {folder}/host_key\nAuthorizedKeysFile {folder}/authorized_keys\n\
         PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n"
    );
    if let Some(path) = path {
        let _ = writeln!(text, "SetEnv PATH={path}");
    }
    text
}

fn client(folder: &Path, address: &str) -> String {
    let folder = folder.display();
    format!(
        "Host {NAME}\n HostName {address}\n Port {PORT}\n User root\n IdentityFile {folder}/key\n IdentitiesOnly yes\n \
         UserKnownHostsFile {folder}/known_hosts\n GlobalKnownHostsFile /dev/null\n StrictHostKeyChecking yes\n"
    )
}
