//! A running session from its start to its outcome: events, interrupts, the end of the work.

use super::interrupts::Interrupts;
use super::status::Status;
use super::work::Work;
use crate::error::CliError;
use correlate_coordinator::{Failure, Outcome, SessionEvent, SessionHandle};
use std::time::Duration;

/// How long a session that is aborted may take to clean up.
const ABORT_WITHIN: Duration = Duration::from_secs(2);
/// How often the status is renewed.
const TICK: Duration = Duration::from_millis(250);

/// How a session ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// In order.
    InOrder(Box<Outcome>),
    /// By a second interrupt.
    Aborted,
}

/// What woke the loop.
enum Woke {
    Event(Option<Box<SessionEvent>>),
    Interrupt,
    WorkEnded,
    Tick,
}

/// Follows the session until it is over.
///
/// The work starts when every capture runs, and its end ends the session. The first interrupt (Ctrl-C, or SIGTERM)
/// stops the session in order, the second aborts it.
pub(super) async fn drive(
    mut session: SessionHandle,
    mut work: Option<&mut Work>,
    mut status: Status,
) -> Result<Ended, CliError> {
    let mut ticks = tokio::time::interval(TICK);
    let progress = session.progress();
    let mut interrupts = Interrupts::listen()?;
    let mut interrupted = false;
    let mut over = false;
    while !over || work.as_ref().is_some_and(|work| work.is_running()) {
        let woke = tokio::select! {
            event = session.next_event(), if !over => Woke::Event(event.map(Box::new)),
            () = interrupts.next() => Woke::Interrupt,
            () = work_ended(work.as_deref_mut()) => Woke::WorkEnded,
            _ = ticks.tick() => Woke::Tick,
        };
        match woke {
            Woke::Event(None) => over = true,
            Woke::Event(Some(event)) => {
                if let (SessionEvent::Started(_), Some(work)) = (&*event, work.as_deref_mut())
                    && let Err(error) = work.start()
                {
                    abort(session).await;
                    return Err(error);
                }
                status.event(&event);
            }
            Woke::Interrupt if interrupted => {
                abort(session).await;
                return Ok(Ended::Aborted);
            }
            Woke::Interrupt => {
                interrupted = true;
                status.line("stopping: captures end, what is left is taken in; Ctrl-C again aborts");
                session.stop().await;
            }
            Woke::WorkEnded => session.stop().await,
            Woke::Tick => status.tick(&progress.borrow()),
        }
    }
    status.clear();
    session.outcome().await.map(|outcome| Ended::InOrder(Box::new(outcome))).map_err(failed)
}

/// Ends the session without a verdict. What it does not let go of in time, the end of this process takes.
async fn abort(session: SessionHandle) {
    let _ = tokio::time::timeout(ABORT_WITHIN, session.abort()).await;
}

async fn work_ended(work: Option<&mut Work>) {
    match work {
        Some(work) => work.ended().await,
        None => core::future::pending().await,
    }
}

fn failed(failure: Failure) -> CliError {
    let error = CliError::new(failure.reason);
    if failure.remedy.is_empty() { error } else { error.hint(failure.remedy) }
}
