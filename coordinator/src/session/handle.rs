//! A session as whoever started it holds it.

use super::event::{Failure, Outcome, SessionEvent, SessionProgress};
use super::message::{Mailbox, Message};
use crate::recording::RecordingError;
use tokio::sync::{mpsc, oneshot, watch};

/// Why a session cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is nothing to compare.
    #[error("a session needs a client and a server; name at least one host of each role")]
    Roles,
    /// A point's number has 16 bits.
    #[error("{0} capture points are too many; a session has at most 65535")]
    TooManyPoints(usize),
    /// There is a session of that name.
    #[error("a session named {0} runs already; stop it or take another name")]
    Exists(String),
    /// Its recording cannot be made.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The system gives no thread.
    #[error("cannot start a thread: {0}; raise the limit of tasks for this user")]
    Thread(std::io::Error),
}

/// A running session. Dropping it aborts the session.
#[derive(Debug)]
pub struct SessionHandle {
    events: mpsc::UnboundedReceiver<SessionEvent>,
    progress: watch::Receiver<SessionProgress>,
    mailbox: Mailbox,
    outcome: oneshot::Receiver<Result<Outcome, Failure>>,
    /// Its drop is the abort.
    alive: oneshot::Sender<()>,
}

impl SessionHandle {
    pub(super) fn new(
        events: mpsc::UnboundedReceiver<SessionEvent>,
        progress: watch::Receiver<SessionProgress>,
        mailbox: Mailbox,
        outcome: oneshot::Receiver<Result<Outcome, Failure>>,
        alive: oneshot::Sender<()>,
    ) -> Self {
        Self { events, progress, mailbox, outcome, alive }
    }

    /// The next event; `None` once the session is over.
    pub async fn next_event(&mut self) -> Option<SessionEvent> {
        self.events.recv().await
    }

    /// Counts, renewed four times a second.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<SessionProgress> {
        self.progress.clone()
    }

    /// Asks the captures to end in order: they read on for the linger, everything is uploaded, the engine judges.
    pub async fn stop(&self) {
        // A session that is over needs no stop.
        let _ = self.mailbox.send(Message::Stop).await;
    }

    /// Ends the session at once and without a report, and waits until it has let go of its files.
    pub async fn abort(self) {
        drop(self.alive);
        // That it failed is what was asked.
        let _ = self.outcome.await;
    }

    /// Waits for the session to come to its end, by itself or because it was stopped.
    pub async fn outcome(self) -> Result<Outcome, Failure> {
        let gone = || Failure {
            point: None,
            reason: "the session's task is gone".to_owned(),
            remedy: "report this: it is a defect of correlate".to_owned(),
        };
        let outcome = self.outcome.await.unwrap_or_else(|_| Err(gone()));
        drop(self.alive);
        outcome
    }

    /// Stops the session and waits for its outcome.
    pub async fn finish(self) -> Result<Outcome, Failure> {
        self.stop().await;
        self.outcome().await
    }
}
