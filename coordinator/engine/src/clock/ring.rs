//! What is remembered of the packets: per interval and direction, the fastest one.
//!
//! A direction's points are all stored so that *smaller binds more*: forward `y = b − a ≥ o(x)`, reverse
//! `y = a − b ≥ −o(x)`. Every stored point is a true bound whichever were dropped, so the choice below costs
//! tightness at most, never truth.

/// One packet: sent or received at `x` by A's clock, with the bound `y` it sets, both in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) x: i64,
    pub(super) y: i64,
}

/// A direction between the two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// From A to B.
    Forward,
    /// From B to A.
    Reverse,
}

/// Nanoseconds per second.
pub(super) const SECOND: i64 = 1_000_000_000;
/// Finest interval: a capture of five seconds still yields fifty points each way, enough for a slope.
pub(super) const SLOT_NS: i64 = 100_000_000;
/// Slots per second.
pub(super) const SLOTS: usize = 10;
/// Seconds kept slot by slot: twice the longest window of a disciplined clock.
pub(super) const FINE: i64 = 64;
/// Seconds kept at all; older stamps are refused. 512 s cover every window and the step test's history.
pub(super) const COARSE: i64 = 512;

#[derive(Debug, Clone, Default)]
struct Second {
    index: Option<i64>,
    lanes: [[Option<Point>; SLOTS]; 2],
}

#[derive(Debug, Clone, Copy, Default)]
struct Coarse {
    index: Option<i64>,
    lanes: [Option<Point>; 2],
}

/// The slot of the latest packet, so that a burst finds its place without a division.
#[derive(Debug, Clone, Copy, Default)]
struct Cursor {
    start: i64,
    len: i64,
    second: usize,
    slot: usize,
}

/// The last [`COARSE`] seconds around the newest stamp, about 56 KiB whatever the packet rate.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    newest: i64,
    fine: Box<[Second]>,
    coarse: Box<[Coarse]>,
    /// Slope by which points of a slot are compared, in units of 2⁻³⁰; only [`Self::set_slope`] changes it.
    slope_q30: i64,
    cursor: Cursor,
    /// Bit per fine second: a point was stored since [`Self::take_touched`].
    touched: u64,
}

/// The second that an instant falls into.
pub(super) fn second_of(x: i64) -> i64 {
    x.div_euclid(SECOND)
}

fn place(index: i64, size: i64) -> usize {
    usize::try_from(index.rem_euclid(size)).unwrap_or_default()
}

/// Height above the slope through `start`; shifts instead of dividing, it runs for every packet.
fn key(p: Point, start: i64, slope_q30: i64) -> i64 {
    // At most 2^20 · 2^30 within a second; an absurd `y` may wrap, which only chooses another true bound.
    p.y.wrapping_sub(slope_q30.wrapping_mul(p.x.wrapping_sub(start)) >> 30)
}

/// Keeps the lower of the two, of equals the earlier, so that the order of arrival does not matter.
fn keep(slot: &mut Option<Point>, p: Point, start: i64, slope_q30: i64) -> bool {
    let better = slot
        .is_none_or(|old| (key(p, start, slope_q30), p.x, p.y) < (key(old, start, slope_q30), old.x, old.y));
    if better {
        *slot = Some(p);
    }
    better
}

impl Ring {
    /// A ring around the second `newest`.
    pub(super) fn new(newest: i64) -> Self {
        Self {
            newest,
            fine: (0..FINE).map(|_| Second::default()).collect(),
            coarse: (0..COARSE).map(|_| Coarse::default()).collect(),
            slope_q30: 0,
            cursor: Cursor::default(),
            touched: 0,
        }
    }

    /// The newest second seen.
    pub(super) const fn newest(&self) -> i64 {
        self.newest
    }

    /// Whether a stamp belongs here: less than [`COARSE`] seconds from the newest.
    pub(super) fn holds(&self, x: i64) -> bool {
        second_of(x).abs_diff(self.newest) < COARSE.unsigned_abs()
    }

    /// Compares the points of a slot along this slope from now on.
    pub(super) fn set_slope(&mut self, slope: f64) {
        self.slope_q30 = super::num::round_ns(slope * 1_073_741_824.0);
    }

    /// Stores a point, or sees that a faster one is there. The caller has asked [`Self::holds`], or the stamp
    /// is in the slot of the latest one.
    pub(super) fn push(&mut self, lane: Lane, p: Point) {
        if !self.at_cursor(p.x) {
            self.seek(lane, p);
            return;
        }
        self.store(lane, p);
    }

    /// Whether the stamp is in the slot of the latest one, the common case.
    pub(super) fn at_cursor(&self, x: i64) -> bool {
        (0..self.cursor.len).contains(&x.wrapping_sub(self.cursor.start))
    }

    fn store(&mut self, lane: Lane, p: Point) {
        let Cursor { start, second, slot, .. } = self.cursor;
        let (index, slope) = self.lane(lane);
        if keep(&mut self.fine[second].lanes[index][slot], p, start, slope) {
            self.touched |= 1 << second;
        }
    }

    fn lane(&self, lane: Lane) -> (usize, i64) {
        match lane {
            Lane::Forward => (0, self.slope_q30),
            Lane::Reverse => (1, -self.slope_q30),
        }
    }

    #[cold]
    fn seek(&mut self, lane: Lane, p: Point) {
        let index = second_of(p.x);
        self.newest = self.newest.max(index);
        let second = place(index, FINE);
        if self.fine[second].index != Some(index) {
            if index <= self.newest - FINE {
                self.store_coarse(lane, index, p);
                return;
            }
            self.fold(second);
            self.fine[second].index = Some(index);
        }
        let into = p.x.rem_euclid(SECOND);
        let slot = usize::try_from(into / SLOT_NS).unwrap_or_default();
        self.cursor = Cursor { start: p.x - into % SLOT_NS, len: SLOT_NS, second, slot };
        self.store(lane, p);
    }

    fn store_coarse(&mut self, lane: Lane, index: i64, p: Point) {
        let (which, slope) = self.lane(lane);
        let entry = &mut self.coarse[place(index, COARSE)];
        if entry.index > Some(index) {
            return; // a second left over from before a long silence
        }
        if entry.index != Some(index) {
            *entry = Coarse { index: Some(index), ..Coarse::default() };
        }
        keep(&mut entry.lanes[which], p, index.saturating_mul(SECOND), slope);
    }

    /// Moves a second from slots to its one best point each way, and frees its place.
    fn fold(&mut self, second: usize) {
        let old = core::mem::take(&mut self.fine[second]);
        if let Some(index) = old.index {
            for (slots, lane) in old.lanes.iter().zip([Lane::Forward, Lane::Reverse]) {
                for p in slots.iter().flatten() {
                    self.store_coarse(lane, index, *p);
                }
            }
        }
    }

    /// The stored points of a second in order; one if it is old.
    pub(super) fn points(&self, index: i64, lane: Lane) -> impl Iterator<Item = Point> + '_ {
        let which = self.lane(lane).0;
        let second = &self.fine[place(index, FINE)];
        let fine: &[Option<Point>] = if second.index == Some(index) { &second.lanes[which] } else { &[] };
        let old = &self.coarse[place(index, COARSE)];
        let coarse = if fine.is_empty() && old.index == Some(index) { old.lanes[which] } else { None };
        fine.iter().copied().flatten().chain(coarse)
    }

    /// The point of a second that binds most along the slope.
    pub(super) fn best(&self, index: i64, lane: Lane) -> Option<Point> {
        let (_, slope) = self.lane(lane);
        let start = index.saturating_mul(SECOND);
        self.points(index, lane).min_by_key(|p| (key(*p, start, slope), p.x))
    }

    /// The points of both directions of a fine second, ordered by time.
    pub(super) fn merged(&self, index: i64) -> impl Iterator<Item = (Lane, Point)> + '_ {
        let second = &self.fine[place(index, FINE)];
        let slots = if second.index == Some(index) { 0..SLOTS } else { 0..0 };
        slots.flat_map(|slot| {
            let forward = second.lanes[0][slot].map(|p| (Lane::Forward, p));
            let reverse = second.lanes[1][slot].map(|p| (Lane::Reverse, p));
            let turned = matches!((forward, reverse), (Some((_, f)), Some((_, r))) if r.x < f.x);
            let pair = if turned { [reverse, forward] } else { [forward, reverse] };
            pair.into_iter().flatten()
        })
    }

    /// The stored points around `x` each way, of its slot and the two beside it, if that is still known.
    pub(super) fn near(&self, x: i64, lane: Lane) -> impl Iterator<Item = Point> + '_ {
        let which = self.lane(lane).0;
        (-1..=1).filter_map(move |step| {
            let at = x.checked_add(step * SLOT_NS)?;
            let second = &self.fine[place(second_of(at), FINE)];
            let slot = usize::try_from(at.rem_euclid(SECOND) / SLOT_NS).ok()?;
            if second.index == Some(second_of(at)) { second.lanes[which][slot] } else { None }
        })
    }

    /// Forgets a point, as wrongly matched. Whatever it displaced in its slot stays forgotten.
    pub(super) fn discard(&mut self, lane: Lane, p: Point) {
        let which = self.lane(lane).0;
        let index = second_of(p.x);
        let second = &mut self.fine[place(index, FINE)];
        if second.index == Some(index) {
            second.lanes[which].iter_mut().filter(|slot| **slot == Some(p)).for_each(|slot| *slot = None);
        }
    }

    /// The middle of what a second holds; absent if it holds nothing.
    pub(super) fn middle(&self, index: i64) -> Option<i64> {
        let all = || self.points(index, Lane::Forward).chain(self.points(index, Lane::Reverse)).map(|p| p.x);
        let (first, last) = (all().min()?, all().max()?);
        Some(first + (last - first) / 2)
    }

    /// The fine seconds that gained a point since this was last asked, in order.
    pub(super) fn take_touched(&mut self) -> Vec<i64> {
        let touched = core::mem::take(&mut self.touched);
        let mut seconds: Vec<i64> = self
            .fine
            .iter()
            .enumerate()
            .filter(|(bit, _)| touched >> bit & 1 == 1)
            .filter_map(|(_, second)| second.index)
            .collect();
        seconds.sort_unstable();
        seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(ring: &Ring, index: i64) -> Vec<Point> {
        ring.points(index, Lane::Forward).collect()
    }

    #[test]
    fn a_slot_keeps_its_fastest_packet() {
        let mut ring = Ring::new(0);
        for (x, y) in [(10, 50), (20, 40), (30, 60), (SLOT_NS + 1, 90)] {
            ring.push(Lane::Forward, Point { x, y });
        }
        assert_eq!(all(&ring, 0), [Point { x: 20, y: 40 }, Point { x: SLOT_NS + 1, y: 90 }]);
        assert_eq!(ring.points(0, Lane::Reverse).count(), 0);
    }

    #[test]
    fn the_slope_decides_which_is_fastest() {
        let mut ring = Ring::new(0);
        ring.set_slope(100e-6);
        let (early, late) = (Point { x: 0, y: 1000 }, Point { x: 50_000_000, y: 5000 });
        ring.push(Lane::Forward, early);
        ring.push(Lane::Forward, late);
        assert_eq!(all(&ring, 0), [late], "it is 1000 ns below the line through the early one");
    }

    #[test]
    fn an_old_second_keeps_one_point_and_late_ones_still_find_it() {
        let mut ring = Ring::new(0);
        ring.push(Lane::Forward, Point { x: 10, y: 50 });
        ring.push(Lane::Forward, Point { x: SLOT_NS, y: 40 });
        ring.push(Lane::Forward, Point { x: FINE * SECOND, y: 7 });
        assert_eq!(all(&ring, 0), [Point { x: SLOT_NS, y: 40 }]);
        ring.push(Lane::Forward, Point { x: 99, y: 30 });
        assert_eq!(all(&ring, 0), [Point { x: 99, y: 30 }]);
        assert_eq!(all(&ring, FINE), [Point { x: FINE * SECOND, y: 7 }]);
    }

    #[test]
    fn a_stamp_too_far_away_is_not_held() {
        let ring = Ring::new(1000);
        assert!(ring.holds((1000 + COARSE - 1) * SECOND));
        assert!(!ring.holds((1000 + COARSE) * SECOND));
        assert!(!ring.holds((1000 - COARSE) * SECOND));
        assert!(!ring.holds(i64::MAX) && !ring.holds(i64::MIN));
    }
}
