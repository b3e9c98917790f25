//! The `ssh` that runs here.

use crate::args::SshHost;
use crate::error::CliError;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Names another program than `ssh`.
const PROGRAM: &str = "CORRELATE_SSH";
/// Makes a shell of what the lines say up to one with a dot, whatever login shell reads this: a single pair of quotes,
/// no newline, nothing that csh or fish would take for their own.
const BOOTSTRAP: &str = r#"exec sh -c 'while IFS= read -r l; do case "$l" in .) break;; esac; set -- "$@" "$l"; done; eval "$(printf "%s\n" "$@")"'"#;
/// A host that does not answer is given up after so long.
const CONNECT_SECONDS: u32 = 10;
/// A connection on which nothing comes for three times this is dead.
const ALIVE_SECONDS: u32 = 5;
/// How long an `ssh` whose input has ended may take to end.
const END_WITHIN: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A running `ssh`. Dropping it waits for its end, which the end of its input brings about, and kills it if that does
/// not come.
#[derive(Debug)]
pub(in crate::live) struct Process(Child);

/// Its input and outputs.
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

impl Process {
    /// Starts it. It is out of reach of Ctrl-C: what the far end still has is to be fetched first.
    pub(super) fn start(host: &SshHost) -> Result<(Self, Pipes), CliError> {
        let program = std::env::var_os(PROGRAM).unwrap_or_else(|| "ssh".into());
        let mut command = Command::new(&program);
        command.args(arguments(host));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let failed = |error: &dyn core::fmt::Display| {
            CliError::new(format!("cannot start {}: {error}", program.display()))
                .hint(format!("install an ssh client, or name one in {PROGRAM}"))
        };
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        let pipes = child.stdin.take().zip(child.stdout.take()).zip(child.stderr.take());
        let process = Self(child);
        let ((stdin, stdout), stderr) = pipes.ok_or_else(|| failed(&"it has no pipes"))?;
        Ok((process, Pipes { stdin, stdout, stderr }))
    }

    /// Ends it at once.
    pub(super) fn kill(&mut self) {
        // One that has ended needs no killing.
        let _ = self.0.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let until = Instant::now() + END_WITHIN;
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(LOOK_EVERY);
        }
        self.kill();
        let _ = self.0.wait();
    }
}

/// No terminal, no questions, nothing forwarded.
fn arguments(host: &SshHost) -> Vec<String> {
    let mut arguments = vec!["-T".to_owned(), "-x".to_owned(), "-a".to_owned()];
    let options = [
        "BatchMode=yes".to_owned(),
        format!("ConnectTimeout={CONNECT_SECONDS}"),
        format!("ServerAliveInterval={ALIVE_SECONDS}"),
        "ServerAliveCountMax=3".to_owned(),
        "ClearAllForwardings=yes".to_owned(),
        "RequestTTY=no".to_owned(),
    ];
    for option in options {
        arguments.extend(["-o".to_owned(), option]);
    }
    if let Some(user) = &host.user {
        arguments.extend(["-l".to_owned(), user.clone()]);
    }
    if let Some(port) = host.port {
        arguments.extend(["-p".to_owned(), port.to_string()]);
    }
    arguments.extend(["--".to_owned(), host.host.clone(), BOOTSTRAP.to_owned()]);
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_stands_behind_all_options_and_the_command_in_one_pair_of_quotes() {
        let arguments = arguments(&SshHost::parse("root@[fd00::1]:2222/eth0").expect("a host"));
        let at = arguments.iter().position(|word| word == "--").expect("the end of the options");
        assert_eq!(arguments[at + 1..], ["fd00::1".to_owned(), BOOTSTRAP.to_owned()]);
        assert!(arguments[..at].ends_with(&["-l".into(), "root".into(), "-p".into(), "2222".into()]));
        assert!(arguments.contains(&"BatchMode=yes".to_owned()));
        assert_eq!(BOOTSTRAP.matches('\'').count(), 2);
        assert!(!BOOTSTRAP.contains(['!', '\n', '`']));
    }
}
