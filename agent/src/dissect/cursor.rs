//! A place in a frame: what was captured from here on, and what was on the wire.

use super::outcome::SkipReason;

/// The rest of a frame. Captured and wire length run side by side, because a snaplen cuts the one and not the
/// other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    /// Octets captured.
    pub(super) bytes: &'a [u8],
    /// Octets that follow on the wire; never fewer than are captured.
    pub(super) wire: u32,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], wire: u32) -> Self {
        let captured = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        // A capture program that writes less than it captured contradicts itself; what is there was there.
        Self { bytes, wire: wire.max(captured) }
    }

    /// The next `N` octets, without moving on.
    #[inline]
    pub(super) fn peek<const N: usize>(&self) -> Result<&'a [u8; N], SkipReason> {
        self.bytes.first_chunk().ok_or_else(|| self.missing(N))
    }

    /// The next `N` octets; moves behind them.
    #[inline]
    pub(super) fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], SkipReason> {
        let (head, rest) = self.bytes.split_first_chunk().ok_or_else(|| self.missing(N))?;
        self.bytes = rest;
        self.wire = self.wire.saturating_sub(size(N));
        Ok(head)
    }

    /// Moves on by `count` octets.
    #[inline]
    pub(super) fn skip(&mut self, count: usize) -> Result<(), SkipReason> {
        self.bytes = self.bytes.get(count..).ok_or_else(|| self.missing(count))?;
        self.wire = self.wire.saturating_sub(size(count));
        Ok(())
    }

    /// Sets the wire length to that which a header states; captured octets behind it are padding.
    ///
    /// The statement is believed even where it exceeds the frame: programs that cut captures afterwards lose
    /// the frame's true length far more often than a host sends a packet shorter than it says, which every
    /// receiver would discard.
    #[inline]
    pub(super) fn limit(&mut self, stated: u32) {
        let kept = self.bytes.len().min(usize::try_from(stated).unwrap_or(usize::MAX));
        self.bytes = &self.bytes[..kept];
        self.wire = stated;
    }

    /// Why `count` octets are not there: cut by the capture, or never on the wire.
    #[cold]
    pub(super) fn missing(&self, count: usize) -> SkipReason {
        if self.wire < size(count) { SkipReason::Malformed } else { SkipReason::Truncated }
    }
}

fn size(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
