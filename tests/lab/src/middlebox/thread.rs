//! Starting and stopping the middlebox.

use super::bridge::Bridge;
use crate::address::IpVersion;
use crate::error::LabError;
use crate::ledger::Entry;
use crate::plan::Plan;
use crate::sys::packet::{PacketSocket, Purpose};
use crate::sys::ring::Slots;
use crate::sys::wait::sharpen_timers;
use crate::topology::Topology;
use std::io::{self, PipeWriter};
use std::sync::mpsc;
use std::thread::JoinHandle;

/// How the middlebox shall behave.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) plan: Plan,
    pub(crate) ip: IpVersion,
    /// How many servers there are.
    pub(crate) servers: usize,
    pub(crate) seed: u64,
}

/// What the middlebox leaves behind.
#[derive(Debug, Default)]
pub(crate) struct Finished {
    pub(crate) ledger: Vec<Entry>,
    /// Frames that the kernel dropped on the middlebox's sockets, and frames that it refused to send.
    pub(crate) drops: u64,
    /// When it stopped to bridge, ns by `CLOCK_REALTIME`.
    pub(crate) ended_ns: i64,
}

/// The running middlebox; stops when dropped.
#[derive(Debug)]
pub(crate) struct Middlebox {
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<io::Result<io::Result<Finished>>>>,
}

impl Middlebox {
    /// Starts it; when this returns it hears every frame.
    pub(crate) fn start(topology: &Topology, setting: Setting) -> Result<Self, LabError> {
        let (wake, stop) = io::pipe().map_err(LabError::setup("make a pipe"))?;
        let ports: Vec<(String, Slots)> = topology.ports.iter().cloned().zip(topology.slots()).collect();
        let (ready, is_ready) = mpsc::channel();
        let work = move || {
            let open =
                |(port, slots): &(String, Slots)| PacketSocket::open(Some(port), Purpose::Bridge, *slots);
            let sockets = ports.iter().map(open).collect();
            let sockets: Vec<PacketSocket> = match sockets {
                Ok(sockets) => sockets,
                Err(error) => return Err(error),
            };
            sharpen_timers();
            // The receiver waits for exactly this.
            let _ = ready.send(());
            Bridge::new(sockets, setting).run(&wake)
        };
        let thread = topology
            .middle
            .spawn("middlebox", work)
            .map_err(LabError::setup("start the middlebox thread"))?;
        let mut middlebox = Self { stop: Some(stop), thread: Some(thread) };
        match is_ready.recv() {
            Ok(()) => Ok(middlebox),
            Err(_) => Err(middlebox.finish().err().unwrap_or(LabError::Panicked("middlebox"))),
        }
    }

    /// Stops it after what is still on its way has been delivered.
    pub(crate) fn finish(&mut self) -> Result<Finished, LabError> {
        drop(self.stop.take());
        let Some(thread) = self.thread.take() else { return Ok(Finished::default()) };
        let ended = thread.join().map_err(|_| LabError::Panicked("middlebox"))?;
        ended.and_then(|inner| inner).map_err(LabError::run("the middlebox"))
    }
}

impl Drop for Middlebox {
    fn drop(&mut self) {
        // Nobody is left to tell of an error.
        let _ = self.finish();
    }
}
