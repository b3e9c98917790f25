//! What the uplink needs of its host: captures opened, clocks and counters read.

use crate::capture::{FrameSource, Reader};
use correlate_proto::{CaptureKind, CapturePointId, ClockSample, HostCounters, Interface, Span};

/// What a coordinator asks to be captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureRequest {
    /// Name of the session.
    pub session: String,
    /// The capture point that this will be.
    pub point: CapturePointId,
    /// pcap-filter(7) expression; empty: all TCP.
    pub filter: String,
    /// Octets of a frame; 0: the headers.
    pub snaplen: u32,
    /// Names of the interfaces; empty: the agent's choice.
    pub interfaces: Vec<String>,
    /// Look inside tunnels and tags.
    pub decapsulate: bool,
    /// Name of the operator who asks; `None`: the coordinator knows of none.
    pub asked_by: Option<String>,
    /// End after so many packets; `None`: no limit.
    pub count: Option<u64>,
    /// End after so long; `None`: no limit.
    pub duration: Option<core::time::Duration>,
}

/// Why a capture cannot begin, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What failed, on what: a lower-case fragment.
    pub reason: String,
    /// What to do; empty if nothing is known.
    pub remedy: String,
}

/// A capture that runs.
pub struct OpenCapture {
    /// Where its records come from. A live source must say [`Idle`](crate::capture::Next::Idle) within a tenth
    /// of a second.
    pub reader: Reader<Box<dyn FrameSource>>,
    /// A live capture loses packets rather than hold up its source; a file waits.
    pub kind: CaptureKind,
    /// All interfaces of the host, the captured ones marked, in the order that records refer to.
    pub interfaces: Vec<Interface>,
    /// The clocks and counters of the host; `None` if the capture is not of this host.
    pub probe: Option<Box<dyn HostProbe>>,
}

impl core::fmt::Debug for OpenCapture {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("OpenCapture").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Reads the clocks and counters of the captured host.
pub trait HostProbe {
    /// Reads both clocks; `None` if they cannot be read.
    fn clock(&mut self) -> Option<ClockSample>;
    /// What moved among the kernel's counters since the call before, possibly nothing; the first call says which
    /// counters there are, with 0. `None` if they cannot be read.
    fn counters(&mut self) -> Option<HostCounters>;
}

/// What an agent says of its host when it introduces itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostFacts {
    /// Operating system, release, machine; for display.
    pub system: String,
    /// Interfaces with their addresses.
    pub interfaces: Vec<Interface>,
    /// The captured host's real-time clock less that of this process, where the agent does not run on that host.
    pub clock_ahead: Span,
}

/// Opens captures on this host.
pub trait CaptureOpener: Send + Sync {
    /// Opens a capture. Called on the thread that will read it, which this may move into another namespace.
    fn open(&self, request: &CaptureRequest) -> Result<OpenCapture, Refusal>;
    /// What is known of the host now.
    fn facts(&self) -> HostFacts;
}
