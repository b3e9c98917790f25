//! Capture files and streams: classic pcap and pcapng, plain or gzipped.
//!
//! Read front to back through one buffer, so a pipe does as well as a file, and memory does not grow with
//! either. A file that is cut or damaged gives everything up to that place and then ends, with the reason in
//! its statistics; `tcpdump` killed in mid-write leaves such files every day.

mod buffer;
mod classic;
mod cooked;
mod coverage;
mod open;
mod pcapng;
mod pcapng_interface;
mod sniff;

#[cfg(test)]
mod tests;

use super::error::CaptureError;
use super::frame::{Frame, FrameSource, Next};
use super::link::LinkType;
use buffer::Buffer;
use cooked::Cooked;
use core::ops::Range;
use correlate_proto::{Heard, Interface, Local, PointStats, Timestamp};
use coverage::Tally;
use std::io;

/// A capture file or stream being read.
#[derive(Debug)]
pub struct CaptureFile {
    name: String,
    input: Buffer,
    format: Format,
    interfaces: Vec<Interface>,
    links: Vec<LinkType>,
    cooked: Cooked,
    tally: Tally,
    /// Found while the file was opened, and not given yet.
    ahead: Option<Result<Found, Stop>>,
    ended: bool,
}

/// The two families of formats.
#[derive(Debug)]
enum Format {
    Classic(classic::Classic),
    Pcapng(pcapng::Pcapng),
}

/// A frame found in the buffer.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// Where its octets stand in the buffer.
    place: (usize, usize),
    /// Absent in blocks that carry no stamp.
    at: Option<Timestamp<Local>>,
    wire_len: u32,
    link: LinkType,
    heard: Heard,
    interface: u16,
    /// Frames that the capture lost just before this one, where the format tells.
    lost_before: u32,
}

/// Why there is no further frame.
#[derive(Debug)]
enum Stop {
    /// The file is at its end.
    End,
    /// It is cut or damaged: the reason.
    Early(String),
    /// The system could not read on.
    Failed(io::Error),
}

impl From<io::Error> for Stop {
    /// A broken compressed stream is damage of the file, not a failure to read it.
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        if [InvalidData, InvalidInput, UnexpectedEof].contains(&error.kind()) {
            Self::Early(format!("the compressed data is damaged or cut off ({error})"))
        } else {
            Self::Failed(error)
        }
    }
}

impl CaptureFile {
    /// Finds the next frame in the buffer.
    #[inline]
    fn locate(&mut self) -> Result<Found, Stop> {
        if let Some(found) = self.ahead.take() {
            return found;
        }
        match &mut self.format {
            Format::Classic(classic) => classic.locate(&mut self.input),
            Format::Pcapng(pcapng) => pcapng.locate(&mut self.input, &mut self.interfaces, &mut self.tally),
        }
    }

    fn note_link(&mut self, link: LinkType) {
        if self.links.last() != Some(&link) && !self.links.contains(&link) {
            self.links.push(link);
        }
    }
}

/// Whether a stream has nothing for now: its next frame may still come.
fn is_time_out(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

impl FrameSource for CaptureFile {
    #[inline]
    fn next(&mut self) -> Result<Next<'_>, CaptureError> {
        if self.ended {
            return Ok(Next::End);
        }
        let mut found = match self.locate() {
            Ok(found) => found,
            Err(Stop::Failed(error)) if is_time_out(&error) => return Ok(Next::Idle),
            Err(stop) => {
                self.ended = true;
                match stop {
                    Stop::End => {}
                    Stop::Early(reason) => self.tally.end_early(reason),
                    Stop::Failed(source) => {
                        return Err(CaptureError::Read { name: self.name.clone(), source });
                    }
                }
                return Ok(Next::End);
            }
        };
        let at = self.tally.frame(&found);
        self.note_link(found.link);
        let range: Range<usize> = found.place.0..found.place.1;
        if matches!(found.link, LinkType::LinuxSll | LinkType::LinuxSll2) {
            let bytes = self.input.at(range.clone());
            self.cooked.refine(bytes, &mut found, &mut self.interfaces);
        }
        Ok(Next::Frame(Frame {
            number: self.tally.frames(),
            at,
            bytes: self.input.at(range),
            wire_len: found.wire_len,
            link: found.link,
            heard: found.heard,
            interface: found.interface,
            gso_size: None,
            checksum_partial: false,
            vlan: None,
        }))
    }

    fn stats(&self) -> PointStats {
        self.tally.stats()
    }

    fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    fn link_type_name(&self) -> String {
        self.links.iter().map(|link| link.name()).collect::<Vec<_>>().join(",")
    }
}
