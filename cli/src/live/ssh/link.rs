//! A connection to a host: made, greeted, its clock asked, not yet told what to do.

use super::beat;
use super::errors;
use super::greeting::{self, Greeting, Tool};
use super::process::{Pipes, Process};
use super::voice::Voice;
use crate::args::SshHost;
use crate::error::CliError;
use correlate_proto::Span;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What the far end does first.
const GREET: &str = include_str!("greet.sh");
/// Name look-up, jump hosts and login scripts of a slow host take their time; longer, nobody waits.
const GREET_WITHIN: Duration = Duration::from_secs(40);
/// How long `ssh` may take to say why it ended.
const WORDS_WITHIN: Duration = Duration::from_secs(3);
/// How often the clock is asked; the quickest answer counts.
const CLOCK_ROUNDS: usize = 3;

/// A host that waits to be told what to do.
#[derive(Debug)]
pub(in crate::live) struct Link {
    pub(in crate::live) host: SshHost,
    pub(in crate::live) greeting: Greeting,
    /// Its clock less ours, to within half of a round trip.
    pub(super) ahead: Span,
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) voice: Voice,
    pub(super) process: Process,
}

/// What a greeting gave, with what it came over.
struct Greeted {
    greeting: Greeting,
    ahead: Span,
    stdin: ChildStdin,
    stdout: ChildStdout,
}

/// Connects to `host`, which has what captures.
pub(in crate::live) fn connect(host: SshHost) -> Result<Link, CliError> {
    let link = reach(host)?;
    if link.greeting.tool == Tool::Nothing {
        return Err(errors::no_tool(&link.host));
    }
    link.voice.speak_up();
    Ok(link)
}

/// Connects to `host` and hears what it has.
pub(super) fn reach(host: SshHost) -> Result<Link, CliError> {
    let (mut process, Pipes { stdin, stdout, stderr }) = Process::start(&host)?;
    let voice = Voice::listen(host.to_string(), stderr).map_err(errors::no_thread)?;
    let (done, greeted) = channel();
    let spawned = std::thread::Builder::new().name("ssh greeting".to_owned()).spawn(move || {
        // Whoever waited for it may have given up.
        let _ = done.send(greet(stdin, stdout));
    });
    spawned.map_err(errors::no_thread)?;
    let failure = match greeted.recv_timeout(GREET_WITHIN) {
        Ok(Ok(Greeted { greeting, ahead, stdin, stdout })) => {
            return Ok(Link { host, greeting, ahead, stdin, stdout, voice, process });
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => {
            process.kill();
            format!("it did not answer within {} s", GREET_WITHIN.as_secs())
        }
    };
    voice.wait(WORDS_WITHIN, |_| false);
    let said = match voice.said().last_words() {
        Some(words) if failure == greeting::SILENT => words.to_owned(),
        Some(words) => format!("{words}; {failure}"),
        None => failure,
    };
    Err(errors::unreachable(&host, &said))
}

fn greet(mut stdin: ChildStdin, stdout: ChildStdout) -> io::Result<Greeted> {
    let mut stdout = BufReader::new(stdout);
    // Whoever is gone by now has said why.
    let _ = stdin.write_all(format!("{GREET}.\n").as_bytes());
    let greeting = Greeting::read((&mut stdout).lines())?;
    let mut best: Option<(Duration, Span)> = None;
    for _ in 0..CLOCK_ROUNDS {
        let asked = (Instant::now(), now());
        stdin.write_all(b"clock\n")?;
        let mut answer = String::new();
        stdout.read_line(&mut answer)?;
        let took = asked.0.elapsed();
        let there = answer.trim_end().strip_prefix("clock ").and_then(beat::instant);
        let there = there.ok_or_else(|| io::Error::other("it does not tell its time"))?;
        let half = i64::try_from(took.as_nanos() / 2).unwrap_or(i64::MAX);
        let ahead = Span(there.as_ns().saturating_sub(asked.1).saturating_sub(half));
        if best.is_none_or(|(quickest, _)| took < quickest) {
            best = Some((took, ahead));
        }
    }
    // The far end says nothing unasked: nothing is lost with the buffer.
    Ok(Greeted { greeting, ahead: best.unwrap_or_default().1, stdin, stdout: stdout.into_inner() })
}

/// This host's clock, in nanoseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
