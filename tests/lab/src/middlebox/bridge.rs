//! The way of a frame through the middlebox.

use super::decide::Decider;
use super::release::{ReleaseQueue, Waiting};
use super::route::Router;
use super::syn_proxy::SynProxy;
use super::thread::{Finished, Setting};
use crate::ledger::Entry;
use crate::sys::packet::{PacketSocket, now_ns};
use crate::sys::wait::{is_readable, readable};
use crate::wire::frame::Frame;
use correlate_proto::{Direction, FourTuple};
use std::collections::BTreeMap;
use std::io::{self, PipeReader};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Frames taken from one port before the others, and the release queue, get their turn.
const FRAMES_PER_TURN: usize = 64;

/// After it was asked to stop the middlebox goes on until no packet has come for both path delays and this long,
/// in ns: hosts answer the last packet, and the answer shall be in the ledger and in both taps.
const QUIET_NS: u64 = 20_000_000;

/// It waits no longer than this for quiet, in ns; what hosts send later is not part of the run.
const LONGEST_WAIT_NS: u64 = 500_000_000;

/// The state of the bridge's thread.
pub(super) struct Bridge {
    sockets: Vec<PacketSocket>,
    pub(super) setting: Setting,
    pub(super) router: Router,
    pub(super) decider: Decider,
    pub(super) syn_proxy: Option<SynProxy>,
    pub(super) queue: ReleaseQueue,
    pub(super) ledger: Vec<Entry>,
    /// When the newest frame that keeps the order is due, by the port that it leaves by.
    pub(super) last_due_ns: Vec<i64>,
    /// The newest data segment of a flow that others may join, by its number in the queue.
    pub(super) newest: BTreeMap<(FourTuple, Direction), u64>,
    /// IPv4 identification of the last packet that the middlebox cut.
    pub(super) own_id: u16,
    pub(super) last_packet_ns: i64,
    pub(super) drops: u64,
}

impl Bridge {
    pub(super) fn new(sockets: Vec<PacketSocket>, setting: Setting) -> Self {
        let ports = sockets.len();
        Self {
            router: Router::new(&setting.plan, setting.servers),
            decider: Decider::new(&setting.plan.rules, setting.seed),
            syn_proxy: setting.plan.syn_proxy.map(|port| SynProxy::new(port, setting.seed)),
            sockets,
            queue: ReleaseQueue::default(),
            ledger: Vec::new(),
            last_due_ns: vec![0; ports],
            newest: BTreeMap::new(),
            own_id: u16::try_from(setting.seed & 0xffff).unwrap_or(0),
            setting,
            last_packet_ns: 0,
            drops: 0,
        }
    }

    /// Bridges until the other end of `wake` is closed, nothing is on its way any more and the hosts are quiet.
    pub(super) fn run(mut self, wake: &PipeReader) -> io::Result<Finished> {
        let mut asked_ns = None;
        loop {
            let busy = self.receive_turn();
            self.release_due();
            if busy {
                continue;
            }
            let end_ns = asked_ns.map(|asked| self.end_ns(asked));
            if end_ns.is_some_and(|end| end <= now_ns()) {
                break;
            }
            let next_ns = self.queue.next_due_ns().into_iter().chain(end_ns).min();
            let wait = next_ns.map(|next| Duration::from_nanos(u64::try_from(next - now_ns()).unwrap_or(0)));
            let mut fds: Vec<BorrowedFd<'_>> = self.sockets.iter().map(AsFd::as_fd).collect();
            if asked_ns.is_none() {
                fds.push(wake.as_fd());
            }
            readable(&fds, wait)?;
            if asked_ns.is_none() && is_readable(wake.as_fd())? {
                asked_ns = Some(now_ns());
            }
        }
        let ended_ns = now_ns();
        for socket in &mut self.sockets {
            self.drops += socket.take_drops()?;
        }
        Ok(Finished { ledger: self.ledger, drops: self.drops, ended_ns })
    }

    /// When the bridge may end that was asked to at `asked_ns`, as things stand: not before the last frame has
    /// left, and when the hosts have been quiet, or at the latest time for that.
    fn end_ns(&self, asked_ns: i64) -> i64 {
        let paths_ns: u64 = Direction::BOTH.iter().map(|direction| self.path_delay_ns(*direction)).sum();
        let quiet_ns = self.last_packet_ns + signed(paths_ns + QUIET_NS);
        let latest_ns = asked_ns + signed(LONGEST_WAIT_NS);
        quiet_ns.min(latest_ns).max(self.queue.next_due_ns().unwrap_or(0))
    }

    /// Takes what waits at the ports; tells whether there may be more.
    fn receive_turn(&mut self) -> bool {
        let mut busy = false;
        for port in 0..self.sockets.len() {
            for turn in 1..=FRAMES_PER_TURN {
                let taken = self.sockets[port].take(|slot| (slot.at_ns, Frame::received(slot.bytes)));
                let Some((at_ns, frame)) = taken else { break };
                if let Some(frame) = frame {
                    self.handle(port, at_ns, frame);
                }
                busy |= turn == FRAMES_PER_TURN;
            }
        }
        busy
    }

    fn release_due(&mut self) {
        while let Some(waiting) = self.queue.take_due(now_ns()) {
            let sent = self.sockets[waiting.port].send(waiting.frame.as_sent());
            match (sent, waiting.entry) {
                (Ok(()), Some(entry)) => self.ledger[entry].at_out_ns = Some(now_ns()),
                (Ok(()), None) => {}
                // A loss that no rule ordered: it is counted, and the entry has no time of leaving.
                (Err(_), _) => self.drops += 1,
            }
        }
    }

    /// Sends a frame that is no part of the evidence to everyone else, after the path's delay.
    pub(super) fn flood(&mut self, port: usize, at_ns: i64, frame: &Frame) {
        let due_ns = at_ns + signed(self.path_delay_ns(self.router.direction(port)));
        let exits = if port == 0 { 1..self.sockets.len() } else { 0..1 };
        for exit in exits {
            self.queue.put(Waiting { due_ns, port: exit, frame: frame.clone(), entry: None });
        }
    }

    /// The path's own delay in a direction.
    pub(super) const fn path_delay_ns(&self, direction: Direction) -> u64 {
        self.setting.plan.delay_us[direction.index()] * 1000
    }
}

/// A span that is known to be short, as a signed number.
pub(super) fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}
