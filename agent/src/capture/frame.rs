//! A frame as it was captured, and the interface of everything that gives frames.

use super::error::CaptureError;
use super::link::LinkType;
use core::num::NonZeroU16;
use correlate_proto::{Heard, Interface, Local, PointStats, Span, Timestamp};

/// One frame. It borrows the source's buffer: nothing is allocated or copied per frame.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Number of the frame in its source, from 1, counted over all frames that the source gave.
    pub number: u64,
    /// When it was captured, by the capture point's own clock.
    pub at: Timestamp<Local>,
    /// The octets captured, from the link-layer header on.
    pub bytes: &'a [u8],
    /// Octets that the frame had on the wire; more than `bytes` holds if the snaplen cut it. Of an offloaded
    /// super-packet: those of the whole of it.
    pub wire_len: u32,
    /// What `bytes` begins with.
    pub link: LinkType,
    /// Which way the frame crossed the interface.
    pub heard: Heard,
    /// Index into the source's [`interfaces`](FrameSource::interfaces).
    pub interface: u16,
    /// Octets of payload in each wire segment of an offloaded super-packet, where the capture tells.
    pub gso_size: Option<NonZeroU16>,
    /// The transport checksum is known to be unfinished: it was left to the hardware.
    pub checksum_partial: bool,
    /// The VLAN tag (TCI) that the kernel took out of the frame; absent if there was none or it stands in `bytes`.
    pub vlan: Option<u16>,
}

impl Frame<'_> {
    /// Whether the capture holds less of the frame than passed on the wire.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        u32::try_from(self.bytes.len()).is_ok_and(|captured| captured < self.wire_len)
    }
}

/// What a source has to give.
#[derive(Debug, Clone, Copy)]
pub enum Next<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// No frame within the source's time-out; only live sources say this.
    Idle,
    /// There is no more.
    End,
}

/// What is particular to a source that captures on another host, as it stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Remote {
    /// The clock that stamps its frames less this host's, to within the time that a message takes between the two.
    pub ahead: Span,
    /// Every frame stamped up to here had been given when the source last said idle; absent while nothing proves
    /// any. That it is idle proves nothing by itself: the connection may be.
    pub quiet_through: Option<Timestamp<Local>>,
}

/// Anything that gives frames: an interface, a file, a stream.
pub trait FrameSource {
    /// The next frame.
    ///
    /// A file that is cut or damaged ends with [`Next::End`] and a reason in [`PointStats::ended_early`]; an
    /// error means that the source itself failed.
    fn next(&mut self) -> Result<Next<'_>, CaptureError>;

    /// Asks the source to end, so that it gives what it still has and then [`Next::End`], with counters that are
    /// whole. False if there is nothing to wait for: its counters are whole at any time.
    fn wind_up(&mut self) -> bool {
        false
    }

    /// What is particular to a source on another host; `None` for one of this host.
    fn remote(&self) -> Option<Remote> {
        None
    }

    /// Counters since the source was opened.
    fn stats(&self) -> PointStats;

    /// The interfaces that frames refer to. A file may name more of them the further it is read.
    fn interfaces(&self) -> &[Interface];

    /// Name of the link type as `pcap-linktype(7)` spells it, without the prefix; several are joined by a comma.
    fn link_type_name(&self) -> String;
}

impl<S: FrameSource + ?Sized> FrameSource for Box<S> {
    fn next(&mut self) -> Result<Next<'_>, CaptureError> {
        (**self).next()
    }

    fn wind_up(&mut self) -> bool {
        (**self).wind_up()
    }

    fn remote(&self) -> Option<Remote> {
        (**self).remote()
    }

    fn stats(&self) -> PointStats {
        (**self).stats()
    }

    fn interfaces(&self) -> &[Interface] {
        (**self).interfaces()
    }

    fn link_type_name(&self) -> String {
        (**self).link_type_name()
    }
}
