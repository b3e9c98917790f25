//! The standard output of `ssh`, read on a thread of its own so that waiting for it can have a limit.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Octets read at once.
const CHUNK: usize = 64 << 10;
/// Chunks that wait to be taken: 4 MiB. Then ssh has to wait, and in the end tcpdump, whose kernel counts what it drops.
const CHUNKS: usize = 64;
/// A source says within this that it is idle.
const IDLE_AFTER: Duration = Duration::from_millis(100);
/// Longest line.
const LINE: usize = 64 << 10;

/// What has come, and what comes. Reading fails with `WouldBlock` when nothing does for a tenth of a second.
#[derive(Debug)]
pub(super) struct Stream {
    chunks: Receiver<Vec<u8>>,
    rest: Vec<u8>,
    at: usize,
}

impl Stream {
    /// Reads `source` to its end, or until this value is dropped.
    pub(super) fn start(mut source: impl Read + Send + 'static) -> io::Result<Self> {
        let (give, chunks) = sync_channel(CHUNKS);
        std::thread::Builder::new().name("ssh stream".to_owned()).spawn(move || {
            let mut buffer = vec![0; CHUNK];
            loop {
                match source.read(&mut buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(read) if read > 0 => {
                        if give.send(buffer[..read].to_vec()).is_err() {
                            return;
                        }
                    }
                    // Why a pipe broke, ssh says elsewhere.
                    Ok(_) | Err(_) => return,
                }
            }
        })?;
        Ok(Self { chunks, rest: Vec::new(), at: 0 })
    }

    /// The next line without its end; `None` if the stream ends before.
    pub(super) fn line(&mut self, until: Instant) -> io::Result<Option<String>> {
        loop {
            let there = &self.rest[self.at..];
            if let Some(len) = there.iter().position(|octet| *octet == b'\n') {
                let line = String::from_utf8_lossy(&there[..len]).into_owned();
                self.at += len + 1;
                return Ok(Some(line));
            }
            if there.len() > LINE {
                return Err(io::Error::other("a line without end"));
            }
            if !self.more(until)? {
                return Ok(None);
            }
        }
    }

    /// Waits until `count` octets are there; false if the stream ends before.
    pub(super) fn have(&mut self, count: usize, until: Instant) -> io::Result<bool> {
        while self.rest.len() - self.at < count {
            if !self.more(until)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes in a chunk; false at the end of the stream.
    fn more(&mut self, until: Instant) -> io::Result<bool> {
        match self.chunks.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(chunk) => {
                self.rest.drain(..self.at);
                self.at = 0;
                self.rest.extend(chunk);
                Ok(true)
            }
            Err(RecvTimeoutError::Timeout) => Err(io::ErrorKind::TimedOut.into()),
            Err(RecvTimeoutError::Disconnected) => Ok(false),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.rest.len() {
            match self.chunks.recv_timeout(IDLE_AFTER) {
                Ok(chunk) => (self.rest, self.at) = (chunk, 0),
                Err(RecvTimeoutError::Timeout) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
        let count = buffer.len().min(self.rest.len() - self.at);
        buffer[..count].copy_from_slice(&self.rest[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn lines_come_first_and_octets_behind_them_and_silence_is_no_end() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let mut stream = Stream::start(reader).expect("a thread");
        io::Write::write_all(&mut writer, b"capturing\n\x01\x02").expect("writes");
        assert_eq!(stream.line(soon()).expect("a line").as_deref(), Some("capturing"));
        assert!(stream.have(2, soon()).expect("octets"));
        let mut buffer = [0; 8];
        assert_eq!(stream.read(&mut buffer).expect("octets"), 2);
        assert_eq!(stream.read(&mut buffer).expect_err("silence").kind(), io::ErrorKind::WouldBlock);
        assert_eq!(stream.line(Instant::now()).expect_err("silence").kind(), io::ErrorKind::TimedOut);
        drop(writer);
        assert!(!stream.have(1, soon()).expect("the end"));
        assert_eq!(stream.read(&mut buffer).expect("the end"), 0);
        assert_eq!(stream.line(soon()).expect("the end"), None);
    }
}
