//! The clock of a host pair: offset, skew and steps of one host's clock against another's, from packets that
//! both hosts saw, with a certificate that contains the truth.
//!
//! Call order: [`PairClock::forward`] and [`PairClock::reverse`] for every unambiguous match in any order,
//! [`PairClock::advance`] as event time passes, [`PairClock::offset_at`] whenever an offset is needed, and
//! [`PairClock::finish`] once at the end.
//!
//! How it works, one file each:
//!
//! - `ring`: what is remembered of the packets, per 100 ms and per second: the fastest one each way.
//! - `hull`: lower convex hulls, the only points that can touch a bounding line.
//! - `fit`: the line of maximum margin between both directions, and the linear programme's certificate.
//! - `limits`: which windows and rates are assumed, for which kind of clock.
//! - `cone`: contradictions that no clock of a possible rate explains: a step, or a wrongly matched pair.
//! - `envelope`: steps that are smaller than the round trip.
//! - `knots`: fits along the time axis, and the offset between them.
//! - `run`: one contiguous stretch of stamps, fitted second by second.
//! - `step`: where a run is split in two clocks, and by how much they differ.
//! - `witness`: packets that can be named when a clock has stepped.
//! - `pair_clock`: what callers see.
//!
//! Assumptions under which the certificate holds, see [`ClockInput`]: no packet arrives before it was sent;
//! the relative rate of the two clocks is bounded; within a window of tens of seconds it stays within a small
//! band around some value; and a step is either found or none. One that contradicts no packet shows by standing for
//! eight seconds; next to another step, where it may not have had them, only packets within a second bound the offset.
//! Nothing is assumed about delays.

mod cone;
mod envelope;
mod fit;
mod hull;
mod knots;
mod limits;
mod num;
mod pair_clock;
mod ring;
mod run;
mod step;
mod witness;

#[cfg(test)]
mod tests;

pub use knots::{Alignment, Envelopes};
pub use limits::ClockInput;
pub use pair_clock::{ClockSummary, Method, PairClock, Step};
pub use witness::Witness;
