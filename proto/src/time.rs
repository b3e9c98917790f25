//! Instants that know which clock they were read on.
//!
//! Every capture point has its own clock. Subtracting an instant of one clock from an instant of another is
//! the classic mistake of two-ended analysis, so here it does not compile: convert first, with an offset that
//! carries its uncertainty.

use core::marker::PhantomData;

/// A clock that instants are read on.
pub trait Clock: Copy {}

/// The clock of one capture point, as its kernel stamped the frame (Linux: `CLOCK_REALTIME`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Local;

/// The clock of the session's reference capture point, to which the others are aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Aligned;

impl Clock for Local {}
impl Clock for Aligned {}

/// An instant: nanoseconds since 1970-01-01T00:00:00Z by the clock `C`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp<C: Clock>(i64, PhantomData<C>);

/// A signed span in nanoseconds between two instants of one clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub i64);

impl<C: Clock> Timestamp<C> {
    /// The instant `ns` nanoseconds after the epoch.
    #[must_use]
    pub const fn from_ns(ns: i64) -> Self {
        Self(ns, PhantomData)
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_ns(self) -> i64 {
        self.0
    }

    /// Span from `earlier` to this instant; negative if this is the earlier one. Saturates.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// This instant moved by `span`. Saturates.
    #[must_use]
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0), PhantomData)
    }
}

impl Timestamp<Local> {
    /// This instant on the reference clock, given the estimated `offset` (aligned minus local).
    #[must_use]
    pub const fn align(self, offset: Span) -> Timestamp<Aligned> {
        Timestamp(self.0.saturating_add(offset.0), PhantomData)
    }
}

impl Span {
    /// A span of `ms` milliseconds.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms * 1_000_000)
    }

    /// A span of `secs` seconds.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs * 1_000_000_000)
    }

    /// Length in nanoseconds, signed.
    #[must_use]
    pub const fn as_ns(self) -> i64 {
        self.0
    }
}
