//! A running session from its start to its outcome: events, interrupts, the command's end.

use super::child::Command;
use super::status::Status;
use crate::error::CliError;
use correlate_coordinator::{Failure, Outcome, SessionEvent, SessionHandle};
use std::time::Duration;

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
    CommandEnded,
    Tick,
}

/// Follows the session until it is over.
///
/// The command starts when every capture runs, and its end ends the session. The first interrupt stops the session
/// in order, the second aborts it.
pub(crate) async fn drive(
    mut session: SessionHandle,
    mut command: Option<&mut Command>,
    mut status: Status,
) -> Result<Ended, CliError> {
    let mut ticks = tokio::time::interval(TICK);
    let progress = session.progress();
    let mut interrupted = false;
    let mut over = false;
    while !over || command.as_ref().is_some_and(|command| command.is_running()) {
        let woke = tokio::select! {
            event = session.next_event(), if !over => Woke::Event(event.map(Box::new)),
            _ = tokio::signal::ctrl_c() => Woke::Interrupt,
            () = command_ended(command.as_deref_mut()) => Woke::CommandEnded,
            _ = ticks.tick() => Woke::Tick,
        };
        match woke {
            Woke::Event(None) => over = true,
            Woke::Event(Some(event)) => {
                if let (SessionEvent::Started(_), Some(command)) = (&*event, command.as_deref_mut()) {
                    command.start()?;
                }
                status.event(&event);
            }
            Woke::Interrupt if interrupted => return Ok(Ended::Aborted),
            Woke::Interrupt => {
                interrupted = true;
                status.line("stopping: captures end, what is left is taken in; Ctrl-C again aborts");
                session.stop().await;
            }
            Woke::CommandEnded => session.stop().await,
            Woke::Tick => status.tick(&progress.borrow()),
        }
    }
    status.clear();
    session.outcome().await.map(|outcome| Ended::InOrder(Box::new(outcome))).map_err(failed)
}

async fn command_ended(command: Option<&mut Command>) {
    match command {
        Some(command) => command.ended().await,
        None => core::future::pending().await,
    }
}

fn failed(failure: Failure) -> CliError {
    let error = CliError::new(failure.reason);
    if failure.remedy.is_empty() { error } else { error.hint(failure.remedy) }
}
