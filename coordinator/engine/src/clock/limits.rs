//! What may be assumed of a pair of clocks, by what they are.

/// Which clock the stamps of both hosts come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClockInput {
    /// `CLOCK_MONOTONIC_RAW`: free-running oscillators that nothing disciplines.
    Raw,
    /// `CLOCK_REALTIME`: oscillators that NTP slews and steps. If either host has it, the pair has it.
    Realtime,
}

/// Rates are pure numbers: 1e-6 is one part per million, a microsecond per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    /// No instantaneous relative rate exceeds this, ever.
    pub(super) max_rate: f64,
    /// Within a window the rate stays within this of some value.
    pub(super) wander: f64,
    /// Usual size of the skew, to which an undecided slope is drawn.
    pub(super) usual_skew: f64,
    /// Windows in seconds, longest first, if the round trip is a millisecond or more.
    pub(super) wide: &'static [i64],
    /// The same for shorter round trips.
    pub(super) narrow: &'static [i64],
    /// Whether the clock may be set. If not, what looks like a step that contradicts nothing is a change of the path:
    /// one direction longer and the other shorter by the same amount.
    pub(super) steps: bool,
}

/// Round trips below this count as local: there the clock's curvature costs more than more packets gain.
pub(super) const LOCAL_RTT_NS: f64 = 1_000_000.0;

impl ClockInput {
    /// The limits of this kind of clock.
    pub(super) const fn limits(self) -> Limits {
        match self {
            // Two crystals of 100 ppm each. Temperature moves a rate by about 0.2 ppm in minutes, so 1 ppm of
            // wander is ample, and 120 s on a WAN gave p50 1.8 µs; locally 120 s cost 2 µs of curvature where
            // 30 s gave 0.1 µs.
            Self::Raw => Limits {
                max_rate: 200e-6,
                wander: 1e-6,
                usual_skew: 50e-6,
                wide: &[120, 60, 30],
                narrow: &[32, 16],
                steps: false,
            },
            // The kernel slews by at most 500 ppm (adjtimex(2)) on top of the crystals. NTP changes the rate by
            // tens of ppm every minute: with windows of at most 30 s and 25 ppm of wander the truth stayed
            // inside, with 120 s it left the bound in 23 % of the seconds. 16 s is as short as is worth it.
            Self::Realtime => Limits {
                max_rate: 700e-6,
                wander: 25e-6,
                usual_skew: 50e-6,
                wide: &[30, 16],
                narrow: &[32, 16],
                steps: true,
            },
        }
    }
}
