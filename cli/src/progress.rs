//! A line that says how far a long reading is, on a terminal only.

use correlate_engine::Progress;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Work that is done sooner needs no line.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the line is drawn anew.
const INTERVAL: Duration = Duration::from_millis(200);
/// Clears the line and goes to its start.
const CLEAR: &str = "\r\x1b[2K";

/// The line.
#[derive(Debug)]
pub(crate) struct ProgressLine {
    started: Instant,
    next: Option<Instant>,
    drawn: bool,
}

impl ProgressLine {
    /// Begins to wait; draws nothing unless standard error is a terminal.
    pub(crate) fn start() -> Self {
        let started = Instant::now();
        let next = std::io::stderr().is_terminal().then(|| started + PATIENCE);
        Self { started, next, drawn: false }
    }

    /// Draws the line if it is time to.
    pub(crate) fn update(&mut self, progress: Progress) {
        let now = Instant::now();
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        self.next = Some(now + INTERVAL);
        self.drawn = true;
        let seconds = now.duration_since(self.started).as_secs();
        let _ = write!(
            std::io::stderr().lock(),
            "{CLEAR}{} packets, {} connections, {seconds} s",
            progress.records,
            progress.connections
        );
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.drawn {
            let _ = write!(std::io::stderr().lock(), "{CLEAR}");
        }
    }
}
