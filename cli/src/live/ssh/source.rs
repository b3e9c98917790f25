//! The stream of a tcpdump elsewhere as a source of frames.

use super::beat::{Beat, Said};
use super::process::Process;
use super::stream::Stream;
use super::voice::Voice;
use correlate_agent::capture::{CaptureError, CaptureFile, FrameSource, LinkType, Next, Remote};
use correlate_proto::{Coverage, Interface, Local, PointStats, Span, Timestamp};
use std::collections::BTreeMap;
use std::process::ChildStdin;
use std::time::Duration;

/// Once the stream has ended, tcpdump's counts are there or `ssh` is about to end.
const COUNTS_WITHIN: Duration = Duration::from_secs(2);
/// A beat may have been begun when tcpdump had just ended unasked: what proves that it ran is the beat before.
const BEAT_DOUBT: Span = Span::from_ms(1_500);

/// What is known of a capture that has begun.
#[derive(Debug)]
pub(super) struct Begun {
    /// As the user named it.
    pub(super) host: String,
    /// All interfaces of the host, as far as it tells them.
    pub(super) interfaces: Vec<Interface>,
    /// The captured one; absent for all.
    pub(super) interface: Option<String>,
    /// Its clock less ours.
    pub(super) ahead: Span,
    /// A moment from which on tcpdump listened.
    pub(super) began: Beat,
}

/// Frames from another host.
#[derive(Debug)]
pub(super) struct SshSource {
    file: CaptureFile,
    begun: Begun,
    /// Places of interfaces by the kernel's numbers.
    places: BTreeMap<u32, u16>,
    /// Place of frames that do not name theirs.
    unnamed: u16,
    quiet_through: Option<Timestamp<Local>>,
    /// It was asked to end.
    asked: bool,
    over: bool,
    voice: Voice,
    /// Its end ends the far side; gone before the process is waited for.
    stdin: Option<ChildStdin>,
    _process: Process,
}

impl SshSource {
    /// Reads `stream`, of which the file header is there.
    pub(super) fn new(
        mut begun: Begun,
        stream: Stream,
        (stdin, voice, process): (ChildStdin, Voice, Process),
    ) -> Result<Self, CaptureError> {
        let file = CaptureFile::from_reader(&begun.host, Box::new(stream))?;
        let unnamed = mark(&mut begun.interfaces, begun.interface.as_deref());
        let places =
            (0..).zip(&begun.interfaces).map(|(place, interface)| (interface.index, place)).collect();
        Ok(Self {
            file,
            begun,
            places,
            unnamed,
            quiet_through: None,
            asked: false,
            over: false,
            voice,
            stdin: Some(stdin),
            _process: process,
        })
    }
}

/// Marks what is captured. Gives the place of frames that do not name their interface: the captured one's, or that of
/// an entry for what the host did not tell.
fn mark(interfaces: &mut Vec<Interface>, captured: Option<&str>) -> u16 {
    let place = captured.and_then(|name| interfaces.iter().position(|interface| interface.name == name));
    for interface in interfaces.iter_mut() {
        interface.captured = captured.is_none_or(|name| interface.name == name);
    }
    let place = place.unwrap_or_else(|| {
        let name = captured.unwrap_or_default().to_owned();
        interfaces.push(Interface { name, captured: true, ..Interface::default() });
        interfaces.len() - 1
    });
    u16::try_from(place).unwrap_or(u16::MAX)
}

impl FrameSource for SshSource {
    fn next(&mut self) -> Result<Next<'_>, CaptureError> {
        // Heard before the wait: what was captured before it was said has come when nothing comes for so long.
        let heard = self.voice.said().beat;
        match self.file.next()? {
            Next::Frame(mut frame) => {
                let named = match (frame.link, frame.bytes) {
                    (LinkType::LinuxSll2, [_, _, _, _, a, b, c, d, ..]) => {
                        u32::from_be_bytes([*a, *b, *c, *d])
                    }
                    _ => 0,
                };
                frame.interface = self.places.get(&named).copied().unwrap_or(self.unnamed);
                Ok(Next::Frame(frame))
            }
            Next::Idle => {
                self.quiet_through = self.quiet_through.max(heard.map(|beat| beat.at));
                Ok(Next::Idle)
            }
            Next::End => {
                self.stdin = None;
                self.voice.wait(COUNTS_WITHIN, |said| said.dropped.is_some() || said.left);
                self.over = true;
                if self.asked {
                    return Ok(Next::End);
                }
                let said = self.voice.said();
                let said = said.last_words().unwrap_or("the connection ended").to_owned();
                Err(CaptureError::Remote { host: self.begun.host.clone(), said })
            }
        }
    }

    fn wind_up(&mut self) -> bool {
        self.asked = true;
        self.stdin = None;
        !self.over
    }

    fn remote(&self) -> Option<Remote> {
        Some(Remote { ahead: self.begun.ahead, quiet_through: self.quiet_through })
    }

    fn stats(&self) -> PointStats {
        let said = self.voice.said();
        let stats = self.file.stats();
        let covered = covered(self.begun.began.at, &said, self.over && !self.asked, &stats);
        let dropped = said.dropped.unwrap_or(0);
        let frames = said.beat.and_then(|beat| beat.frames).zip(self.begun.began.frames);
        PointStats {
            dropped_by_kernel: dropped,
            drop_windows: if dropped > 0 { vec![covered] } else { Vec::new() },
            interface_frames: frames.map(|(now, began)| now.saturating_sub(began)),
            coverage: vec![covered],
            ended_early: stats.ended_early.clone().or_else(|| self.uncounted(&said)),
            ..stats
        }
    }

    fn interfaces(&self) -> &[Interface] {
        &self.begun.interfaces
    }

    fn link_type_name(&self) -> String {
        self.file.link_type_name()
    }
}

impl SshSource {
    /// A capture of which nobody knows what it dropped.
    fn uncounted(&self, said: &Said) -> Option<String> {
        let why = if said.left { ": it runs as root there, and may not be told to end" } else { "" };
        (self.over && said.dropped.is_none()).then(|| format!("tcpdump did not say what it dropped{why}"))
    }
}

/// When the capture is proven to have run: from its beginning, to its end or the last that proves it to have lived.
fn covered(began: Timestamp<Local>, said: &Said, broke: bool, stats: &PointStats) -> Coverage {
    let lived = match (said.ended, said.beat) {
        (Some(end), _) => end.at,
        (None, Some(beat)) if broke => beat.at.plus(Span(-BEAT_DOUBT.0)),
        (None, Some(beat)) => beat.at,
        (None, None) => began,
    };
    let from = stats.first_at.map_or(began, |first| first.min(began));
    let to = stats.last_at.map_or(lived, |last| last.max(lived));
    Coverage { from, to: to.max(from) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(index: u32, name: &str) -> Interface {
        Interface { index, name: name.into(), ..Interface::default() }
    }

    #[test]
    fn frames_are_put_to_the_interface_that_is_captured_or_to_one_that_is_not_known() {
        let mut all = vec![interface(1, "lo"), interface(2, "eth0")];
        assert_eq!(mark(&mut all, Some("eth0")), 1);
        assert_eq!(all.iter().map(|each| each.captured).collect::<Vec<_>>(), [false, true]);
        let mut all = vec![interface(1, "lo")];
        assert_eq!((mark(&mut all, None), all.len()), (1, 2));
        assert!(all.iter().all(|each| each.captured));
        let mut none = Vec::new();
        assert_eq!((mark(&mut none, Some("en0")), none[0].name.as_str()), (0, "en0"));
    }

    #[test]
    fn a_capture_that_broke_covers_less_than_its_last_beat_and_one_that_ended_all_of_it() {
        let at = |seconds: i64| Timestamp::from_ns(seconds * 1_000_000_000);
        let mut said = Said::default();
        said.line("correlate: beat 20.000000000 1");
        let stats = |first, last| PointStats { first_at: first, last_at: last, ..PointStats::default() };
        let none = stats(None, None);
        assert_eq!(covered(at(10), &said, false, &none), Coverage { from: at(10), to: at(20) });
        let doubted = at(20).plus(Span::from_ms(-1_500));
        assert_eq!(covered(at(10), &said, true, &none), Coverage { from: at(10), to: doubted });
        assert_eq!(
            covered(at(10), &said, true, &stats(Some(at(9)), Some(at(19)))),
            Coverage { from: at(9), to: at(19) }
        );
        said.line("correlate: end 21.000000000 1");
        assert_eq!(covered(at(10), &said, false, &none), Coverage { from: at(10), to: at(21) });
    }
}
