//! The one buffer that a file passes through.

use core::fmt;
use core::ops::Range;
use std::io::{self, Read};

/// Octets read at once: large enough that system calls do not show, small enough for the second-level cache.
const START_BYTES: usize = 1 << 20;

/// A window on a stream. It grows only as data really arrives, whatever a header claims.
pub(super) struct Buffer {
    source: Box<dyn Read + Send>,
    data: Vec<u8>,
    start: usize,
    end: usize,
    finished: bool,
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("start", &self.start).field("end", &self.end).finish_non_exhaustive()
    }
}

impl Buffer {
    pub(super) fn new(source: Box<dyn Read + Send>) -> Self {
        Self { source, data: vec![0; START_BYTES], start: 0, end: 0, finished: false }
    }

    /// What is left of this buffer, and then its source: for looking at the start of a stream.
    pub(super) fn into_reader(self) -> impl Read + Send {
        let Self { source, data, start, end, .. } = self;
        io::Cursor::new(data[start..end].to_vec()).chain(source)
    }

    /// Whether `count` octets are there; reads on as far as needed, and no further than what arrives at once.
    #[inline]
    pub(super) fn ensure(&mut self, count: usize) -> io::Result<bool> {
        if self.end - self.start >= count { Ok(true) } else { self.read_on(count) }
    }

    #[cold]
    fn read_on(&mut self, count: usize) -> io::Result<bool> {
        if self.start > 0 {
            self.data.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end < count && !self.finished {
            if self.end == self.data.len() {
                let doubled = self.data.len() * 2;
                self.data.resize(doubled, 0);
            }
            match self.source.read(&mut self.data[self.end..]) {
                Ok(0) => self.finished = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.end >= count)
    }

    /// The octets that are there.
    #[inline]
    pub(super) fn peek(&self) -> &[u8] {
        &self.data[self.start..self.end]
    }

    /// The first `N` octets, if they are there.
    #[inline]
    pub(super) fn head<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        Ok(if self.ensure(N)? { self.peek().first_chunk().copied() } else { None })
    }

    /// Moves behind `count` octets that are there.
    #[inline]
    pub(super) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// The place of `count` octets, `offset` from here; good until the next [`ensure`](Self::ensure).
    #[inline]
    pub(super) fn place(&self, offset: usize, count: usize) -> (usize, usize) {
        let from = (self.start + offset).min(self.end);
        (from, (from + count).min(self.end))
    }

    /// The octets at a place.
    #[inline]
    pub(super) fn at(&self, place: Range<usize>) -> &[u8] {
        &self.data[place]
    }

    /// Moves behind `count` octets without keeping them; false if the stream ends before.
    pub(super) fn skip(&mut self, mut count: u64) -> io::Result<bool> {
        while count > 0 {
            if !self.ensure(1)? {
                return Ok(false);
            }
            let there = self.end - self.start;
            let step = usize::try_from(count).unwrap_or(usize::MAX).min(there);
            self.start += step;
            count -= step as u64;
        }
        Ok(true)
    }
}
