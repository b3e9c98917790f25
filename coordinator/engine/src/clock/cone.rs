//! Contradictions: packets that no clock of a possible rate explains together.
//!
//! A cone of all offsets that the packets so far allow widens with time at the largest possible rate. A packet
//! outside it proves a step of the clock or a wrong match; no change of the path can do that, because a path
//! only ever delays. Sweeping once from the oldest packet on and once from the newest back finds the longest
//! stretch at either end that is free of contradiction.

use super::num::real;
use super::ring::{Lane, Point};

/// A stored packet and its direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) lane: Lane,
    pub(super) point: Point,
}

/// So many packets on each side, in each direction, prove a step; fewer may be wrong matches. Packets of one
/// slot count as one.
pub(super) const PROOF: usize = 8;

/// What a stretch of packets shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// One clock explains all of it.
    Sound,
    /// These are wrong matches: the packets around them agree without them.
    Wrong(Vec<Item>),
    /// The clock stepped after the packet at `before` and not later than the one at `after`.
    Stepped { before: i64, after: i64 },
    /// Something contradicts, too few packets say what. From this instant on nothing is certain yet; `fewer`
    /// are the packets of the smaller side.
    Open { from: i64, fewer: Vec<Item> },
}

/// All offsets possible at an instant, relative to a base.
#[derive(Debug, Clone, Copy)]
struct Cone {
    at: i64,
    lower: f64,
    upper: f64,
}

impl Cone {
    const EVERYTHING: Self = Self { at: 0, lower: f64::NEG_INFINITY, upper: f64::INFINITY };

    fn widened(self, at: i64, rate: f64) -> Self {
        let by = rate * real(at.saturating_sub(self.at).saturating_abs());
        Self { at, lower: self.lower - by, upper: self.upper + by }
    }

    /// Narrowed by a packet; absent if it contradicts.
    fn with(self, item: Item, base: i64, rate: f64) -> Option<Self> {
        let mut cone = self.widened(item.point.x, rate);
        match item.lane {
            Lane::Forward => cone.upper = cone.upper.min(real(item.point.y.saturating_sub(base))),
            Lane::Reverse => cone.lower = cone.lower.max(-real(item.point.y.saturating_add(base))),
        }
        // One nanosecond of slack for the rounding of stamps.
        (cone.lower <= cone.upper + 1.0).then_some(cone)
    }
}

/// Sweeps until the first contradiction: how many items agree, and what they allow at the last of them.
fn sweep(items: impl Iterator<Item = Item>, base: i64, rate: f64) -> (usize, Cone) {
    let mut cone = Cone::EVERYTHING;
    let mut agreed = 0;
    for item in items {
        let Some(next) = cone.with(item, base, rate) else { break };
        cone = next;
        agreed += 1;
    }
    (agreed, cone)
}

/// Items per direction.
fn both(items: impl Iterator<Item = Item>) -> (usize, usize) {
    items.fold((0, 0), |(f, r), item| match item.lane {
        Lane::Forward => (f + 1, r),
        Lane::Reverse => (f, r + 1),
    })
}

/// Whether so many packets suffice as proof in both directions.
fn proven((forward, reverse): (usize, usize)) -> bool {
    forward >= PROOF && reverse >= PROOF
}

/// Judges packets ordered by time, given the largest possible rate.
pub(super) fn examine(items: &[Item], rate: f64) -> Finding {
    let Some(first) = items.first() else { return Finding::Sound };
    let base = match first.lane {
        Lane::Forward => first.point.y,
        Lane::Reverse => first.point.y.saturating_neg(),
    };
    let (head, past) = sweep(items.iter().copied(), base, rate);
    if head == items.len() {
        return Finding::Sound;
    }
    let (tail, future) = sweep(items.iter().rev().copied(), base, rate);
    let tail_from = items.len() - tail;
    // What contradicts the past among the later ones, and the future among the earlier ones.
    let against = |cone: Cone, range: &[Item]| -> (Vec<Item>, Vec<Item>) {
        range.iter().partition(|item| cone.with(**item, base, rate).is_none())
    };
    let (late, fitting_past) = against(past, &items[head..]);
    let (early, _) = against(future, &items[..tail_from]);
    let after = both(items[tail_from..].iter().copied());
    // 1. Many packets on both sides deny each other: a step, once both directions of the new clock are shown.
    if late.len() >= PROOF && early.len() >= PROOF && proven(after) {
        let edge = items[tail_from.min(head).saturating_sub(1)].point.x;
        return Finding::Stepped { before: edge, after: items[head.max(tail_from)].point.x };
    }
    // 2. The clock went on as before for many packets in both directions: the few late ones are wrong.
    if proven(both(fitting_past.iter().copied())) && fitting_past.len() > 4 * late.len() {
        return Finding::Wrong(late);
    }
    // 3. Many later packets agree with each other and only a few early ones deny them.
    if early.len() < PROOF && late.len() >= PROOF && proven(after) {
        return Finding::Wrong(early);
    }
    let fewer = if early.len() < late.len() { early } else { late };
    Finding::Open { from: items[head].point.x, fewer }
}
