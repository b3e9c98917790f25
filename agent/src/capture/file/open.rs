//! Opening: from a path or a stream to a file that is ready to be read.

use super::buffer::Buffer;
use super::classic::FILE_HEADER;
use super::cooked::Cooked;
use super::coverage::Tally;
use super::pcapng::Pcapng;
use super::sniff::{Kind, recognise};
use super::{CaptureFile, Format};
use crate::capture::error::CaptureError;
use correlate_proto::Interface;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::Read;
use std::path::Path;

impl CaptureFile {
    /// Opens a file; `-` is the standard input.
    ///
    /// An error if it cannot be read, or is no capture; a capture that is cut behind its file header is opened.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let name = path.display().to_string();
        if path == Path::new("-") {
            return Self::from_reader("the standard input", Box::new(std::io::stdin()));
        }
        let opened = File::open(path).and_then(|file| {
            let is_directory = file.metadata()?.is_dir();
            if is_directory { Err(std::io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
        });
        match opened {
            Ok(file) => Self::from_reader(&name, Box::new(file)).map(Self::look_ahead),
            Err(source) => Err(CaptureError::Open { path: name, source }),
        }
    }

    /// Reads a capture from a stream, such as the output of a `tcpdump` elsewhere. `name` stands in messages.
    /// Frames are given as soon as they have arrived; in between, reading blocks. Once it is open, a source whose reads
    /// fail with `WouldBlock` or `TimedOut` has it say [`Next::Idle`](crate::capture::Next::Idle), and is asked again.
    pub fn from_reader(name: &str, source: Box<dyn Read + Send>) -> Result<Self, CaptureError> {
        let failed = |source| CaptureError::Read { name: name.to_owned(), source };
        let mut input = Buffer::new(source);
        let mut kind = start(&mut input).map_err(failed)?;
        if matches!(kind, Kind::Gzip) {
            input = Buffer::new(Box::new(MultiGzDecoder::new(input.into_reader())));
            kind = match start(&mut input) {
                Ok(Kind::Gzip) => {
                    Kind::Foreign("gzip inside gzip".to_owned(), "decompress it once, as with: gzip -d FILE")
                }
                Ok(Kind::Foreign(found, remedy)) => Kind::Foreign(format!("inside gzip, {found}"), remedy),
                Ok(kind) => kind,
                Err(error) => Kind::Foreign(format!("its gzip data is damaged ({error})"), "copy it again"),
            };
        }
        let format = match kind {
            Kind::Classic(classic) => {
                input.consume(FILE_HEADER);
                Format::Classic(classic)
            }
            Kind::Pcapng => Format::Pcapng(Pcapng::default()),
            Kind::Gzip => return Err(foreign(name, "gzip inside gzip".to_owned(), "decompress it once")),
            Kind::Foreign(found, remedy) => return Err(foreign(name, found, remedy)),
        };
        Ok(Self::ready(name, input, format))
    }

    /// Reads up to the first frame, so that the interfaces described before it are known. Not on a stream,
    /// where the first frame may be long in coming.
    fn look_ahead(mut self) -> Self {
        let found = self.locate();
        if let Ok(found) = &found {
            self.note_link(found.link);
        }
        self.ahead = Some(found);
        self
    }

    fn ready(name: &str, input: Buffer, format: Format) -> Self {
        let (interfaces, links) = match &format {
            // A classic file has one interface and does not name it.
            Format::Classic(classic) => {
                (vec![Interface { captured: true, ..Interface::default() }], vec![classic.link()])
            }
            Format::Pcapng(_) => (Vec::new(), Vec::new()),
        };
        Self {
            name: name.to_owned(),
            input,
            format,
            interfaces,
            links,
            cooked: Cooked::default(),
            tally: Tally::default(),
            ahead: None,
            ended: false,
        }
    }
}

fn foreign(name: &str, found: String, remedy: &'static str) -> CaptureError {
    CaptureError::NotACapture { name: name.to_owned(), found, remedy }
}

fn start(input: &mut Buffer) -> std::io::Result<Kind> {
    input.ensure(FILE_HEADER)?;
    let start = input.peek();
    Ok(recognise(&start[..start.len().min(FILE_HEADER)]))
}
