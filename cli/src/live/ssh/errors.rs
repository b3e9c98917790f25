//! What goes wrong over ssh, in the words of whoever said it, and what to do.

use crate::args::SshHost;
use crate::error::CliError;
use correlate_agent::uplink::Refusal;

/// The connection did not come to be; `said` is the last that was heard.
pub(super) fn unreachable(host: &SshHost, said: &str) -> CliError {
    CliError::new(format!("cannot reach {host} over ssh: {said}")).hint(remedy(host, said))
}

fn remedy(host: &SshHost, said: &str) -> String {
    let said = said.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let by_hand = format!("ssh {}", target(host));
    if has(&["could not resolve", "name or service not known"]) {
        format!(
            "check the name; an interface of this host is local:{}, a namespace netns:{}",
            host.host, host.host
        )
    } else if has(&["host key verification failed", "host key is known"]) {
        format!("connect once by hand and check the host's key: {by_hand}")
    } else if has(&["permission denied", "too many authentication failures", "no supported authentication"]) {
        format!("load a key that the host takes (ssh-add), so that this asks for nothing: {by_hand} true")
    } else if has(&["connection refused", "timed out", "no route", "unreachable", "did not answer"]) {
        "check the address and port, and that sshd runs there and no firewall is between".to_owned()
    } else {
        format!("see what this says: {by_hand} true")
    }
}

/// What to type to reach the host by hand.
fn target(host: &SshHost) -> String {
    let port = host.port.map(|port| format!("-p {port} ")).unwrap_or_default();
    let user = host.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
    format!("{port}{user}{}", host.host)
}

/// The host has nothing to capture with.
pub(super) fn no_tool(host: &SshHost) -> CliError {
    CliError::new(format!("nothing captures at {host}: it has neither correlate nor tcpdump in its PATH"))
        .hint("install tcpdump there")
}

/// No thread can be had.
#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
pub(super) fn no_thread(error: std::io::Error) -> CliError {
    CliError::new(format!("cannot start a thread: {error}")).hint("raise the limit of processes (ulimit -u)")
}

/// tcpdump, or sudo on the way to it, does not do what was asked: the lines of both.
pub(super) fn refused(host: &SshHost, tcpdump: &[String], sudo: &[String]) -> Refusal {
    let said = last_line(tcpdump);
    let refusal = |what: &str, said: &str, remedy: String| Refusal {
        reason: format!("{what} at {host}: {said}"),
        remedy,
    };
    let lower = said.to_ascii_lowercase();
    if lower.contains("permission") || lower.contains("not permitted") {
        let by_sudo = last_line(sudo);
        let said = if by_sudo.starts_with("sudo:") { format!("{said}; {by_sudo}") } else { said.to_owned() };
        let remedy = "connect as root (ssh://root@…), or let that user run tcpdump by sudo without a password \
                      (NOPASSWD), or install correlate there with CAP_NET_RAW";
        return refusal("tcpdump may not capture", &said, remedy.to_owned());
    }
    if lower.contains("no such device") {
        let remedy = format!("see which interfaces it has: ssh {} tcpdump -D", target(host));
        return refusal("no such interface", said, remedy);
    }
    if lower.contains("filter expression") || lower.contains("syntax error") {
        return refusal(
            "tcpdump rejects the filter",
            said,
            "write it as the tcpdump of that host takes it".to_owned(),
        );
    }
    refusal(
        "tcpdump cannot capture",
        said,
        format!("try it there by hand: ssh {} tcpdump -c 1", target(host)),
    )
}

/// The line that says most: the last, but what stands in brackets only explains the one before.
fn last_line(lines: &[String]) -> &str {
    let says = |line: &&String| {
        !line.trim().is_empty() && !line.starts_with('(') && !line.contains("data link type")
    };
    lines.iter().rev().find(says).map_or("it says nothing", |line| line.as_str())
}

/// The far end went away before the capture began.
pub(super) fn ended_early(host: &SshHost, said: Option<&str>) -> Refusal {
    Refusal {
        reason: format!("the capture at {host} did not begin: {}", said.unwrap_or("ssh ended")),
        remedy: format!("see what this says: ssh {} tcpdump -c 1", target(host)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> SshHost {
        SshHost::parse("ops@db:2222").expect("a host")
    }

    #[test]
    fn every_way_not_to_get_there_has_its_remedy() {
        for (said, remedy) in [
            ("ssh: Could not resolve hostname db: Name or service not known", "local:db"),
            ("Host key verification failed.", "ssh -p 2222 ops@db"),
            ("ops@db: Permission denied (publickey).", "ssh-add"),
            ("ssh: connect to host db port 2222: Connection refused", "sshd runs"),
            ("it did not answer within 40 s", "sshd runs"),
            ("This account is not available.", "ssh -p 2222 ops@db true"),
        ] {
            let text = unreachable(&host(), said).to_string();
            assert!(text.starts_with("error: cannot reach ssh://ops@db:2222 over ssh: "), "{text}");
            assert!(text.contains(said) && text.contains(remedy), "{text}");
        }
    }

    #[test]
    fn a_refusal_quotes_the_line_that_says_why() {
        let lines = |text: &[&str]| text.iter().map(ToString::to_string).collect::<Vec<_>>();
        let denied = [
            "tcpdump: lo: You don't have permission to perform this capture on that device",
            "(socket: Operation not permitted)",
        ];
        let refusal = refused(&host(), &lines(&denied), &lines(&["sudo: a password is required"]));
        assert!(
            refusal.reason.contains("You don't have permission")
                && refusal.reason.ends_with("a password is required"),
            "{}",
            refusal.reason
        );
        assert!(refusal.remedy.contains("NOPASSWD"));
        for (said, what, remedy) in [
            (
                &["tcpdump: eth7: No such device exists", "(No such device exists)"][..],
                "no such interface",
                "tcpdump -D",
            ),
            (
                &[
                    "tcpdump: data link type LINUX_SLL2",
                    "tcpdump: can't parse filter expression: syntax error",
                ],
                "rejects the filter",
                "write it",
            ),
            (&["tcpdump: any: SIOCGIFHWADDR: odd"], "cannot capture", "by hand"),
            (&[""], "says nothing", "by hand"),
        ] {
            let refusal = refused(&host(), &lines(said), &[]);
            assert!(refusal.reason.contains(what) && refusal.remedy.contains(remedy), "{refusal:?}");
        }
    }
}
