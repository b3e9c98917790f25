//! Agents whose captures are scripted.

use crate::Connector;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use correlate_agent::capture::{CaptureError, Frame, FrameSource, LinkType, Next, Reader};
use correlate_agent::uplink::{
    CaptureOpener, CaptureRequest, Dial, HostFacts, HostProbe, Io, OpenCapture, Options, Reconnect, Refusal,
    UplinkError, run,
};
use correlate_proto::{
    CaptureKind, ClockSample, Coverage, Heard, HostCounters, Interface, PointStats, Timestamp,
};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// Stamp of the first scripted frame.
pub(super) const EPOCH_NS: i64 = 1_700_000_000_000_000_000;

/// What a scripted capture gives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Script {
    /// Frames.
    pub(super) frames: u64,
    /// Stamp of the first after [`EPOCH_NS`], and time between two.
    pub(super) first_ns: i64,
    pub(super) every_ns: i64,
    /// A live capture falls silent at its end, a file ends.
    pub(super) live: bool,
}

struct Source {
    script: Script,
    given: u64,
    bytes: [u8; 54],
}

impl FrameSource for Source {
    fn next(&mut self) -> Result<Next<'_>, CaptureError> {
        if self.given == self.script.frames {
            if !self.script.live {
                return Ok(Next::End);
            }
            // The time-out of a live source.
            std::thread::sleep(Duration::from_millis(5));
            return Ok(Next::Idle);
        }
        let seq = u32::try_from(self.given % (1 << 20)).unwrap() * 100;
        self.bytes[38..42].copy_from_slice(&seq.to_be_bytes());
        self.given += 1;
        Ok(Next::Frame(Frame {
            number: self.given,
            at: stamp(&self.script, self.given),
            bytes: &self.bytes,
            wire_len: 154,
            link: LinkType::Ethernet,
            heard: Heard::Out,
            interface: 0,
            gso_size: None,
            checksum_partial: false,
            vlan: None,
        }))
    }

    fn stats(&self) -> PointStats {
        let from = Timestamp::from_ns(EPOCH_NS);
        let to = stamp(&self.script, self.given);
        PointStats {
            frames: self.given,
            bytes: self.given * 154,
            coverage: vec![Coverage { from, to: to.max(from) }],
            ..PointStats::default()
        }
    }

    fn interfaces(&self) -> &[Interface] {
        &[]
    }

    fn link_type_name(&self) -> String {
        "EN10MB".to_owned()
    }
}

fn stamp(script: &Script, number: u64) -> Timestamp<correlate_proto::Local> {
    let before = i64::try_from(number).unwrap() - 1;
    Timestamp::from_ns(EPOCH_NS + script.first_ns + before * script.every_ns)
}

/// Ethernet, IPv4 of 140 octets, TCP with the ACK flag.
fn header() -> [u8; 54] {
    let mut bytes = [0; 54];
    bytes[12..14].copy_from_slice(&[0x08, 0x00]);
    bytes[14..34].copy_from_slice(&[0x45, 0, 0, 140, 0, 7, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    bytes[34..38].copy_from_slice(&[0xAF, 0xC8, 0x01, 0xBB]);
    bytes[46..50].copy_from_slice(&[0x50, 0x10, 0x01, 0xF6]);
    bytes
}

struct Probe(i64);

impl HostProbe for Probe {
    fn clock(&mut self) -> Option<ClockSample> {
        // Of the machine that the test runs on, whose idle time is real; the scripted stamps lie long before.
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let now_ns = i64::try_from(since.as_nanos()).unwrap();
        Some(ClockSample {
            raw_ns: now_ns,
            realtime: Timestamp::from_ns(now_ns),
            width_ns: 50,
            stepped: false,
        })
    }

    fn counters(&mut self) -> Option<HostCounters> {
        self.0 += 1;
        Some(HostCounters { at_ns: self.0, deltas: [("TcpExtListenDrops".to_owned(), 1)].into() })
    }
}

/// Opens the script, or refuses.
struct Opener(Result<Script, Refusal>);

impl CaptureOpener for Opener {
    fn open(&self, _request: &CaptureRequest) -> Result<OpenCapture, Refusal> {
        let script = self.0.clone()?;
        let source: Box<dyn FrameSource> = Box::new(Source { script, given: 0, bytes: header() });
        let kind = if script.live { CaptureKind::Live { all_interfaces: true } } else { CaptureKind::File };
        Ok(OpenCapture {
            reader: Reader::new(source),
            kind,
            interfaces: vec![Interface { name: "eth0".to_owned(), captured: true, ..Interface::default() }],
            probe: Some(Box::new(Probe(0))),
        })
    }

    fn facts(&self) -> HostFacts {
        HostFacts::default()
    }
}

/// An agent on a thread and runtime of its own, as `run` starts them.
pub(super) struct Agent {
    shutdown: watch::Sender<bool>,
    thread: std::thread::JoinHandle<Result<(), UplinkError>>,
    /// How often it has dialled.
    pub(super) dialled: Arc<AtomicUsize>,
}

impl Agent {
    /// An agent that gives a script over connections that never break.
    pub(super) fn start(name: &str, connector: Connector, script: Script) -> Self {
        Self::start_with(name, connector, Ok(script), &[])
    }

    /// An agent whose first connections break after so many octets each.
    pub(super) fn start_with(
        name: &str,
        connector: Connector,
        script: Result<Script, Refusal>,
        cuts: &'static [usize],
    ) -> Self {
        let (shutdown, asked) = watch::channel(false);
        let dialled = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&dialled);
        let dial: Dial = Arc::new(move || {
            let place = count.fetch_add(1, Ordering::Relaxed);
            let left = cuts.get(place).copied().unwrap_or(usize::MAX);
            let io = connector.connect().map(|io| Box::new(Cut { io, left }) as Box<dyn Io>);
            Box::pin(core::future::ready(io))
        });
        let mut options = Options::new(name, "test");
        options.reconnect = Reconnect::Backoff {
            first: Duration::from_millis(1),
            longest: Duration::from_millis(10),
            give_up_after: None,
        };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run(options, Arc::new(Opener(script)), dial, asked))
        });
        Self { shutdown, thread, dialled }
    }

    /// Ends the agent; its uplink must have ended well.
    pub(super) fn stop(self) {
        self.shutdown.send_replace(true);
        self.thread.join().unwrap().unwrap();
    }
}

/// A connection that breaks after so many octets from the agent.
struct Cut<T> {
    io: T,
    left: usize,
}

fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

impl<T: AsyncRead + Unpin> AsyncRead for Cut<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(reset()));
        }
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Cut<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let some = &octets[..octets.len().min(self.left)];
        if some.is_empty() {
            return Poll::Ready(Err(reset()));
        }
        let written = Pin::new(&mut self.io).poll_write(context, some);
        if let Poll::Ready(Ok(written)) = written {
            self.left -= written;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
