//! What is said on standard error while a session runs: findings when they are proven, and where it stands.

use crate::output;
use crate::render::{Style, counted, headline};
use correlate_coordinator::{EndCause, SessionEvent, SessionProgress};
use correlate_proto::Span;
use correlate_proto::report::Finding;
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Without a terminal a line is written this often, if something changed.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// Clears the line and goes to its start.
const CLEAR: &str = "\r\x1b[2K";

/// The status of a session.
#[derive(Debug)]
pub(crate) struct Status {
    style: Style,
    terminal: bool,
    names: Vec<String>,
    started: Option<Instant>,
    said: BTreeSet<(String, String)>,
    last: (Instant, String),
    drawn: bool,
}

impl Status {
    /// The status of a session whose capture points have these names, in their order.
    pub(crate) fn new(style: Style, names: Vec<String>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let last = (Instant::now(), String::new());
        Self { style, terminal, names, started: None, said: BTreeSet::new(), last, drawn: false }
    }

    /// Says a line above the status.
    pub(crate) fn line(&mut self, text: &str) {
        self.clear();
        output::say(text);
    }

    /// Takes the status off the screen.
    pub(crate) fn clear(&mut self) {
        if self.drawn {
            let _ = write!(std::io::stderr().lock(), "{CLEAR}");
            self.drawn = false;
        }
    }

    /// Says what happened, if it is worth a line.
    pub(super) fn event(&mut self, event: &SessionEvent) {
        match event {
            SessionEvent::Started(_) => {
                let names = self.names.clone();
                self.started(&names);
            }
            SessionEvent::Finding(finding) => self.finding(finding),
            SessionEvent::AgentLost(point) => self.at(point.0, "the agent is gone; waiting for it"),
            SessionEvent::AgentBack(point) => self.at(point.0, "the agent is back"),
            SessionEvent::PointResumed(point, gap) => self.resumed(point.0, *gap),
            SessionEvent::PointEnded(point, EndCause::Failed(reason)) => {
                self.at(point.0, &format!("the capture failed: {reason}"));
            }
            SessionEvent::RecordingFull { limit_bytes } => {
                self.line(&format!(
                    "warning: the recording is full at {limit_bytes} octets: the session ends"
                ));
            }
            SessionEvent::PointEnded(
                _,
                EndCause::Stopped | EndCause::Count | EndCause::Duration | EndCause::SourceEnded,
            )
            | SessionEvent::Stopping => {}
        }
    }

    /// Every capture runs, at these hosts.
    pub(crate) fn started(&mut self, names: &[String]) {
        if self.started.is_none() {
            self.started = Some(Instant::now());
            self.names = names.to_vec();
            self.line(&format!("capturing at {}; Ctrl-C ends in order", names.join(", ")));
        }
    }

    fn finding(&mut self, finding: &Finding) {
        let text = headline(finding, self.style);
        self.found(finding.code.name(), &format!("{:?}", finding.location), text.trim_end());
    }

    /// A finding is said once; that more of it came is in the report.
    pub(crate) fn found(&mut self, code: &str, location: &str, text: &str) {
        if self.said.insert((code.to_owned(), location.to_owned())) {
            self.line(text);
        }
    }

    /// Says that a lost capture was begun anew.
    pub(crate) fn resumed(&mut self, point: u16, gap: Span) {
        self.at(
            point,
            &format!("captures again; nothing was captured there for {} ms", gap.as_ns() / 1_000_000),
        );
    }

    /// Says a warning about a capture point.
    pub(crate) fn at(&mut self, point: u16, what: &str) {
        let name = self.names.get(usize::from(point)).cloned().unwrap_or_default();
        self.line(&format!("warning: {name}: {what}"));
    }

    /// Renews the status.
    pub(crate) fn tick(&mut self, progress: &SessionProgress) {
        let Some(started) = self.started else { return };
        let counts = counts(&self.names, progress);
        let text = format!("{} s  {counts}", started.elapsed().as_secs());
        if self.terminal {
            let cut: String = text.chars().take(self.style.width.saturating_sub(1)).collect();
            let _ = write!(std::io::stderr().lock(), "{CLEAR}{cut}");
            self.drawn = true;
        } else if self.last.0.elapsed() >= PLAIN_EVERY && self.last.1 != counts {
            self.last = (Instant::now(), counts);
            output::say(&text);
        }
    }
}

fn counts(names: &[String], progress: &SessionProgress) -> String {
    let points = names.iter().zip(&progress.points).map(|(name, point)| {
        let dropped = if point.dropped > 0 { format!(" ({} dropped)", point.dropped) } else { String::new() };
        format!("{name}: {}{dropped}", counted(point.packets, "packet"))
    });
    let points: Vec<String> = points.collect();
    format!("{}  {}", points.join("  "), counted(progress.connections, "connection"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use correlate_coordinator::PointProgress;

    #[test]
    fn the_status_names_drops_only_where_there_are_some() {
        let point = |packets, dropped| PointProgress { packets, dropped, connected: true };
        let progress =
            SessionProgress { points: vec![point(5, 0), point(4, 2)], connections: 1, ..Default::default() };
        assert_eq!(
            counts(&["client".into(), "server".into()], &progress),
            "client: 5 packets  server: 4 packets (2 dropped)  1 connection"
        );
    }
}
