//! What asks this program to end: Ctrl-C, and the signal that service managers send.

use crate::error::CliError;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Interrupts, whichever came. One listener for all: between two of them an interrupt would be lost.
#[derive(Debug)]
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// Listens from now on; the signals do not end the program by themselves any more.
    pub(crate) fn listen() -> Result<Self, CliError> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                CliError::new(format!("cannot listen for Ctrl-C: {error}"))
                    .hint("raise the limit of open files")
            })
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for the next.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
