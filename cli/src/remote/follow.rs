//! A session at a coordinator, followed to its end: across the coordinator's restarts, with the work that it is for.

use super::client::{Client, told};
use super::telling::tell;
use crate::error::CliError;
use crate::live::{Interrupts, Status, Work};
use correlate_proto::wire;
use std::time::Duration;
use tonic::{Code, Streaming};
use wire::session_update::Update;

/// Waits before each attempt to reach a coordinator that is gone; then it is given up.
const RETRY_AFTER_MS: [u64; 8] = [200, 500, 1000, 2000, 4000, 8000, 15_000, 30_000];

/// What an interrupt means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnInterrupt {
    /// The session ends in order; a second one gives it up.
    Stop,
    /// Nobody watches any more; the session goes on.
    Leave,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Followed {
    /// In order: there is a report.
    InOrder,
    /// By a second interrupt.
    Aborted,
    /// The session goes on.
    Left,
}

/// What woke the loop.
enum Woke {
    Update(Box<Option<Update>>),
    Broken(tonic::Status),
    Interrupt,
    WorkEnded,
}

/// Follows the session until it is over. The work starts when every capture runs, and its end ends the session.
pub(crate) async fn follow(
    client: &mut Client,
    session: &str,
    mut work: Option<&mut Work>,
    mut status: Status,
    on_interrupt: OnInterrupt,
) -> Result<Followed, CliError> {
    let mut interrupts = Interrupts::listen()?;
    let mut updates = client.watch(session).await.map_err(|status| told(&status))?;
    let (mut interrupted, mut started) = (false, false);
    loop {
        let woke = tokio::select! {
            update = updates.message() => match update {
                Ok(Some(update)) => Woke::Update(Box::new(update.update)),
                Ok(None) => Woke::Broken(tonic::Status::unavailable("the coordinator closed the connection")),
                Err(status) => Woke::Broken(status),
            },
            () = interrupts.next() => Woke::Interrupt,
            () = work_ended(work.as_deref_mut()) => Woke::WorkEnded,
        };
        match woke {
            Woke::Update(update) => match *update {
                Some(Update::Ended(ended)) => {
                    status.clear();
                    finish_work(work.as_deref_mut(), &mut interrupts).await;
                    return over(ended);
                }
                Some(update) => {
                    tell(&mut status, &update);
                    if let (Update::Started(_), Some(work), false) = (&update, work.as_deref_mut(), started) {
                        started = true;
                        if let Err(error) = work.start() {
                            client.stop(session, true).await?;
                            return Err(error);
                        }
                    }
                }
                // A newer coordinator may tell more than this program understands.
                None => {}
            },
            Woke::Broken(why) => {
                updates = back(client, session, &why, &mut status, &mut interrupts).await?;
            }
            Woke::Interrupt if on_interrupt == OnInterrupt::Leave => {
                status.clear();
                return Ok(Followed::Left);
            }
            Woke::Interrupt if interrupted => {
                client.stop(session, true).await?;
                return Ok(Followed::Aborted);
            }
            Woke::Interrupt => {
                interrupted = true;
                status.line("Ctrl-C again aborts");
                client.stop(session, false).await?;
            }
            Woke::WorkEnded => client.stop(session, false).await?,
        }
    }
}

/// The session may be over before the command is.
async fn finish_work(work: Option<&mut Work>, interrupts: &mut Interrupts) {
    let Some(work) = work else { return };
    while work.is_running() {
        tokio::select! {
            () = work.ended() => {}
            () = interrupts.next() => return,
        }
    }
}

/// Waits for a coordinator that is gone to come back, with the session.
async fn back(
    client: &mut Client,
    session: &str,
    why: &tonic::Status,
    status: &mut Status,
    interrupts: &mut Interrupts,
) -> Result<Streaming<wire::SessionUpdate>, CliError> {
    if !is_gone(why) {
        return Err(told(why));
    }
    status.line("warning: lost the coordinator; the session goes on without this terminal; trying again");
    let address = client.address().clone();
    for wait in RETRY_AFTER_MS {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(wait)) => {}
            () = interrupts.next() => break,
        }
        let Ok(mut again) = Client::connect(&address).await else { continue };
        match again.watch(session).await {
            Ok(updates) => {
                status.line("the coordinator is back");
                *client = again;
                return Ok(updates);
            }
            Err(why) if is_gone(&why) => {}
            Err(why) => return Err(told(&why)),
        }
    }
    Err(CliError::new(format!("lost the coordinator at {address}"))
        .hint(format!("the session goes on there: `correlate watch {session}` picks it up")))
}

/// Whether the coordinator is away rather than unwilling.
fn is_gone(status: &tonic::Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal)
}

fn over(ended: wire::SessionEnded) -> Result<Followed, CliError> {
    if ended.reason.is_empty() {
        return Ok(Followed::InOrder);
    }
    let error = CliError::new(ended.reason);
    Err(if ended.remedy.is_empty() { error } else { error.hint(ended.remedy) })
}

async fn work_ended(work: Option<&mut Work>) {
    match work {
        Some(work) => work.ended().await,
        None => core::future::pending().await,
    }
}
