//! Live capture from the interfaces of this host, or of one of its network namespaces.
#![cfg(target_os = "linux")]

mod drops;
mod error;
mod open;
mod table;
#[cfg(test)]
mod tests;
mod watermark;

pub use open::{DEFAULT_RING_BYTES, LiveOptions, Warning};

use super::addresses::AddressBook;
use super::error::CaptureError;
use super::frame::{Frame, FrameSource, Next};
use super::ring::{Position, RawFrame, Ring, Wait};
use crate::filter::Filter;
use crate::host::sys::{KernelClock, now_ns};
use crate::host::{Table, traffic};
use correlate_proto::{Coverage, Heard, Interface, Local, PointStats, Timestamp};
use drops::Drops;
use std::collections::BTreeMap;
use std::time::Duration;
use table::Interfaces;
use watermark::Watermark;

/// How long [`FrameSource::next`] waits before it says [`Next::Idle`].
const WAIT: Duration = Duration::from_millis(100);

/// `PACKET_OUTGOING` of `linux/if_packet.h`.
const OUTGOING: u8 = 4;
/// `ARPHRD_LOOPBACK` of `linux/if_arp.h`.
const LOOPBACK: u16 = 772;

/// A running capture.
///
/// Direction: what the host sends is [`Heard::Out`]; all else is [`Heard::In`], frames for other hosts included,
/// which an interface hands over only while something else has set it promiscuous. On a loopback interface
/// every packet passes twice, going out and coming in; only the incoming one is given.
#[derive(Debug)]
pub struct Live {
    ring: Ring,
    interfaces: Interfaces,
    dev: Table,
    /// Frames that the captured interfaces had counted when the capture began.
    baseline: BTreeMap<String, u64>,
    drops: Drops,
    watermark: Watermark,
    warnings: Vec<Warning>,
    started: Timestamp<Local>,
    stopped: Option<Timestamp<Local>>,
    stats: PointStats,
    addresses: AddressBook,
    ended: bool,
}

/// What a frame's header told, without its octets.
#[derive(Debug, Clone, Copy)]
struct Kept {
    position: Position,
    interface: u16,
    link: super::LinkType,
}

impl Live {
    /// Begins a capture. When this returns, every matching frame from now on is captured.
    pub fn open(options: &LiveOptions) -> Result<Self, CaptureError> {
        open::open(options)
    }

    /// What could not be had as asked for.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// When the capture began.
    pub fn started(&self) -> Timestamp<Local> {
        self.started
    }

    /// Everything stamped up to here has been given by [`FrameSource::next`]. It goes back only if the clock is
    /// set back.
    ///
    /// While frames come it is the newest stamp less 10 ms, as stamps of different processors overtake each
    /// other by some tens of µs. When nothing comes, the kernel may still hold frames in a block that is not
    /// full, for two block time-outs at most: then it is the time at which the ring was found empty, less those
    /// and less 50 ms for a timer that is late.
    pub fn watermark(&self) -> Timestamp<Local> {
        self.watermark.get()
    }

    /// Stops capturing. What is in the ring is still given; then [`FrameSource::next`] says [`Next::End`].
    pub fn stop(&mut self) -> Result<(), CaptureError> {
        if self.stopped.is_none() {
            self.ring
                .filter(Filter::nothing().instructions())
                .map_err(|e| error::ring(e, "the capture socket"))?;
            self.stopped = Some(now());
        }
        Ok(())
    }

    /// The next frame that is to be given, or why there is none.
    fn find(&mut self) -> Result<Result<Kept, Next<'static>>, CaptureError> {
        let mut waited = false;
        loop {
            let checked_at = now();
            while let Some(position) = self.ring.advance() {
                if position.opens_block {
                    self.read_drops()?;
                }
                let raw = self.ring.frame(position);
                self.watermark.frame(Timestamp::from_ns(raw.at_ns));
                if raw.hardware == LOOPBACK && raw.packet_type == OUTGOING {
                    continue;
                }
                match self.interfaces.find(raw.interface, raw.hardware, &self.ring) {
                    Some((interface, link)) => return Ok(Ok(Kept { position, interface, link })),
                    None => self.stats.dropped_by_agent += 1,
                }
            }
            self.watermark.empty(checked_at);
            if self.stopped.is_some_and(|at| self.watermark.get() > at) || self.ended {
                self.read_drops()?;
                return Ok(Err(Next::End));
            }
            if waited {
                self.read_drops()?;
                return Ok(Err(Next::Idle));
            }
            waited = self.wait()?;
        }
    }

    /// Whether the time-out passed.
    fn wait(&mut self) -> Result<bool, CaptureError> {
        match self.ring.wait(WAIT).map_err(error::wait)? {
            Wait::Ready => Ok(false),
            Wait::TimedOut => Ok(true),
            Wait::Down(reason) => {
                // An interface that is down comes up again with the same index; one that is gone does not.
                if self.interfaces.are_gone(&self.ring) {
                    self.ended = true;
                    self.stats.ended_early = Some(format!("the captured interface is gone: {reason}"));
                }
                Ok(true)
            }
        }
    }

    /// Once per block, and whenever the ring is found empty.
    fn read_drops(&mut self) -> Result<(), CaptureError> {
        let dropped = self.ring.take_drops().map_err(error::statistics)?;
        self.drops.read(dropped, now());
        Ok(())
    }

    /// Frames that passed the captured interfaces since the capture began.
    fn interface_frames(&self) -> Option<u64> {
        let counted = self.interfaces.frames(&traffic(&self.dev.read().ok()?));
        let moved =
            |(name, now): (String, u64)| now.saturating_sub(self.baseline.get(&name).copied().unwrap_or(0));
        Some(counted.into_iter().map(moved).sum())
    }
}

impl FrameSource for Live {
    fn next(&mut self) -> Result<Next<'_>, CaptureError> {
        let kept = match self.find()? {
            Ok(kept) => kept,
            Err(none) => return Ok(none),
        };
        let raw = self.ring.frame(kept.position);
        let at = Timestamp::from_ns(raw.at_ns);
        count(&mut self.stats, &raw, at);
        let number = self.stats.frames;
        let frame = Frame {
            number,
            at,
            bytes: raw.bytes,
            wire_len: raw.wire_len,
            link: kept.link,
            heard: if raw.packet_type == OUTGOING { Heard::Out } else { Heard::In },
            interface: kept.interface,
            gso_size: raw.gso_size,
            checksum_partial: raw.checksum_partial,
            vlan: raw.vlan,
        };
        self.addresses.note_frame(&frame);
        Ok(Next::Frame(frame))
    }

    fn stats(&self) -> PointStats {
        let until = self.stopped.unwrap_or_else(now);
        // A clock that was set back while capturing must not make an interval that ends before it begins.
        let coverage = Coverage { from: self.started.min(until), to: self.started.max(until) };
        PointStats {
            dropped_by_kernel: self.drops.total(),
            drop_windows: self.drops.windows(),
            interface_frames: self.interface_frames(),
            coverage: vec![coverage],
            addresses_seen: self.addresses.to_vec(),
            ..self.stats.clone()
        }
    }

    fn interfaces(&self) -> &[Interface] {
        self.interfaces.list()
    }

    fn link_type_name(&self) -> String {
        self.interfaces.link_type_name()
    }
}

fn count(stats: &mut PointStats, raw: &RawFrame<'_>, at: Timestamp<Local>) {
    stats.frames += 1;
    stats.bytes += u64::from(raw.wire_len);
    stats.truncated += u64::from(raw.bytes.len() < raw.wire_len as usize);
    stats.first_at.get_or_insert(at);
    stats.last_at = Some(at);
}

fn now() -> Timestamp<Local> {
    Timestamp::from_ns(now_ns(KernelClock::Realtime))
}
