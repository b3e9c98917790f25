//! Taps: what a capture at a host would have recorded, with the defects that a scenario asks for.

use crate::clock::ClockError;
use crate::error::LabError;
use crate::pcap::{LinkType, PcapWriter};
use crate::rng::Rng;
use crate::sys::packet::{PacketSocket, Purpose, now_ns};
use crate::sys::ring::{Slot, Slots};
use crate::sys::wait::{is_readable, readable};
use crate::topology::Host;
use crate::wire::wrap::{Wrap, wrapped};
use std::collections::VecDeque;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

/// Which interface of the host is tapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TapInterface {
    /// The one that the traffic uses.
    Facing,
    /// Another one.
    Spare,
    /// All of the host at once, as `-i any` does it: the file is one of Linux cooked frames (v2).
    All,
}

/// How a host is captured.
#[derive(Debug, Clone, PartialEq)]
pub struct TapPlan {
    /// Where.
    pub interface: TapInterface,
    /// The capture begins this long after the taps were started, in ms.
    pub start_ms: u64,
    /// It ends this long after, in ms; with the lab if absent.
    pub stop_ms: Option<u64>,
    /// Probability that a frame is silently not recorded.
    pub miss: f64,
    /// Octets kept of each frame.
    pub snaplen: usize,
    /// What is around the packets in the file.
    pub wrap: Option<Wrap>,
    /// The clock's error; its origin is the start of the taps.
    pub clock: ClockError,
}

impl Default for TapPlan {
    fn default() -> Self {
        Self {
            interface: TapInterface::Facing,
            start_ms: 0,
            stop_ms: None,
            miss: 0.0,
            // An ICMPv6 error that quotes a TCP header with options: 14 + 40 + 8 + 40 + 60.
            snaplen: 192,
            wrap: None,
            clock: ClockError::default(),
        }
    }
}

impl TapPlan {
    /// Octets that may be written more of a frame than were captured.
    const fn added(&self) -> usize {
        if self.wrap.is_some() || matches!(self.interface, TapInterface::All) { MOST_ADDED } else { 0 }
    }
}

/// A frame that a tap saw within its time and did not record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Omitted {
    /// How many frames were recorded before it.
    pub after_packet: u64,
    /// The true stamp, in ns.
    pub at_ns: i64,
    /// Octets of the frame.
    pub wire_len: usize,
}

/// What a tap leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapOutcome {
    /// The pcap file.
    pub path: PathBuf,
    /// Frames in it.
    pub recorded: u64,
    /// What was left out by `miss`.
    pub omitted: Vec<Omitted>,
    /// Frames that the kernel dropped: 0, or the recording is not what it should be.
    pub drops: u64,
    /// Origin of the clock's error, ns.
    pub clock_origin_ns: i64,
}

/// A running tap; stops when dropped.
#[derive(Debug)]
pub(crate) struct Tap {
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<io::Result<io::Result<Recorder>>>>,
}

impl Tap {
    /// Starts to capture at `host`; when this returns the socket is open.
    pub(crate) fn start(
        host: &Host,
        plan: &TapPlan,
        path: &Path,
        (slots, seed): (Slots, u64),
    ) -> Result<Self, LabError> {
        let (wake, stop) = io::pipe().map_err(LabError::setup("make a pipe"))?;
        let interface = match plan.interface {
            TapInterface::Facing => Some(host.interface),
            TapInterface::Spare => Some(host.spare),
            TapInterface::All => None,
        };
        let (plan, path) = (plan.clone(), path.to_owned());
        // What is cut anyway needs no room; many small slots are safer than few large ones.
        let slots = if plan.snaplen <= SMALL_SNAPLEN { Slots::Frames } else { slots };
        let (ready, is_ready) = mpsc::channel();
        let work = move || {
            let socket = PacketSocket::open(interface, Purpose::Tap { snaplen: plan.snaplen }, slots)?;
            let format = interface.map_or(LinkType::Cooked, |_| LinkType::Ethernet);
            let writer = PcapWriter::create(&path, plan.snaplen + plan.added(), format)?;
            let _ = ready.send(());
            let recorder = Recorder::new(plan, writer, path, seed);
            capture(socket, recorder, &wake)
        };
        let thread = host.namespace.spawn("tap", work).map_err(LabError::setup("start a tap thread"))?;
        let mut tap = Self { stop: Some(stop), thread: Some(thread) };
        match is_ready.recv() {
            Ok(()) => Ok(tap),
            Err(_) => Err(tap.join().err().unwrap_or(LabError::Panicked("tap"))),
        }
    }

    /// Stops after what the kernel has captured so far is written. What was captured after the true time
    /// `until_ns` is taken out again, if it is not more than the last [`REVOCABLE`] packets.
    pub(crate) fn finish(&mut self, until_ns: i64) -> Result<TapOutcome, LabError> {
        self.join()?.finish(until_ns).map_err(LabError::run("a tap"))
    }

    fn join(&mut self) -> Result<Recorder, LabError> {
        drop(self.stop.take());
        let thread = self.thread.take().ok_or(LabError::Panicked("tap"))?;
        let ended = thread.join().map_err(|_| LabError::Panicked("tap"))?;
        ended.and_then(|inner| inner).map_err(LabError::run("a tap"))
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if self.thread.is_some() {
            // Nobody is left to tell of an error.
            let _ = self.join();
        }
    }
}

fn capture(mut socket: PacketSocket, mut recorder: Recorder, wake: &PipeReader) -> io::Result<Recorder> {
    let mut stopping = false;
    while !stopping {
        readable(&[socket.as_fd(), wake.as_fd()], None)?;
        // Asked before the queue is emptied, so that what came before the stop is still recorded.
        stopping = is_readable(wake.as_fd())?;
        while let Some(taken) = socket.take(|slot| recorder.take(&slot)) {
            taken?;
        }
    }
    recorder.outcome.drops = socket.take_drops()?;
    Ok(recorder)
}

/// Up to this snaplen, in octets, cut super-packets fit a slot for wire frames.
const SMALL_SNAPLEN: usize = 1_600;

/// How many packets can be taken out of a recording again.
const REVOCABLE: usize = 1024;

/// Applies a tap's plan to the frames.
#[derive(Debug)]
struct Recorder {
    plan: TapPlan,
    writer: PcapWriter,
    rng: Rng,
    outcome: TapOutcome,
    /// True stamps of the last packets, and the file's length before each.
    last: VecDeque<(i64, u64)>,
}

impl Recorder {
    fn new(plan: TapPlan, writer: PcapWriter, path: PathBuf, seed: u64) -> Self {
        let clock_origin_ns = now_ns();
        let outcome = TapOutcome { path, recorded: 0, omitted: Vec::new(), drops: 0, clock_origin_ns };
        Self { plan, writer, rng: Rng::new(seed, 0x7461_7000), outcome, last: VecDeque::new() }
    }

    fn take(&mut self, slot: &Slot<'_>) -> io::Result<()> {
        let (at_ns, frame, wire_len) = (slot.at_ns, slot.bytes, slot.wire_len);
        let origin_ns = self.outcome.clock_origin_ns;
        let since = |ms: u64| origin_ns.saturating_add(i64::try_from(ms * 1_000_000).unwrap_or(i64::MAX));
        let in_time = at_ns >= since(self.plan.start_ms) || self.plan.start_ms == 0;
        let in_time = in_time && self.plan.stop_ms.is_none_or(|stop| at_ns < since(stop));
        if !in_time || !is_kept(frame) {
            return Ok(());
        }
        if self.rng.chance(self.plan.miss) {
            let after_packet = self.outcome.recorded;
            self.outcome.omitted.push(Omitted { after_packet, at_ns, wire_len });
            return Ok(());
        }
        self.outcome.recorded += 1;
        if self.last.len() == REVOCABLE {
            self.last.pop_front();
        }
        self.last.push_back((at_ns, self.writer.len()));
        let shown_ns = self.plan.clock.shows(at_ns, origin_ns);
        let (frame, wire_len) = match (self.plan.interface, self.plan.wrap) {
            (TapInterface::All, _) => cooked(frame, wire_len, slot),
            (_, Some(wrap)) => wrapped(frame, wire_len, wrap, number(self.outcome.recorded)),
            (_, None) => (frame.to_vec(), wire_len),
        };
        self.writer.write(shown_ns, &frame, wire_len)
    }

    fn finish(mut self, until_ns: i64) -> io::Result<TapOutcome> {
        let mut len = self.writer.len();
        while let Some((_, before)) = self.last.pop_back().filter(|(at_ns, _)| *at_ns > until_ns) {
            len = before;
            self.outcome.recorded -= 1;
        }
        self.outcome.omitted.retain(|omitted| omitted.at_ns <= until_ns);
        self.writer.finish(len)?;
        Ok(self.outcome)
    }
}

/// Most octets that are written more of a frame than were captured: those of a tunnel.
const MOST_ADDED: usize = 64;

/// An identification from a count.
fn number(count: u64) -> u16 {
    u16::try_from(count & 0xffff).unwrap_or(0)
}

/// A frame with the header of Linux's cooked capture, version 2, in place of its Ethernet header, and its length.
fn cooked(frame: &[u8], wire_len: usize, slot: &Slot<'_>) -> (Vec<u8>, usize) {
    let mut header = frame.get(12..14).unwrap_or_default().to_vec(); // protocol
    header.extend([0, 0]);
    header.extend(slot.interface.to_be_bytes());
    header.extend(1u16.to_be_bytes()); // ARPHRD_ETHER
    header.extend([slot.packet_type, 6]);
    header.extend(frame.get(6..12).unwrap_or_default());
    header.extend([0, 0]);
    let rest = frame.get(14..).unwrap_or_default();
    let wire_len = wire_len + header.len() - 14;
    ([header.as_slice(), rest].concat(), wire_len)
}

/// Whether a frame is ARP, or IP with TCP or ICMP.
fn is_kept(frame: &[u8]) -> bool {
    match frame.get(12..14) {
        Some([0x08, 0x06]) => true,
        Some([0x08, 0x00]) => matches!(frame.get(23), Some(1 | 6)),
        Some([0x86, 0xdd]) => matches!(frame.get(20), Some(6 | 58)),
        _ => false,
    }
}
