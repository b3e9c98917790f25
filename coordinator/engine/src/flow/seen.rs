//! Which octets of a direction a capture point has seen: an edge below which all are seen, and islands above.

/// How many islands are kept. Each hole of a direction's sequence space makes one; a sender with SACK keeps far
/// fewer open. At the bound the lowest hole is taken for seen, so that its octets are never claimed to be
/// missing from the capture.
const MAX_ISLANDS: usize = 256;

/// The set of offsets seen. Everything below the edge counts as seen.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    edge: Option<i64>,
    islands: Vec<(i64, i64)>,
    forgot: bool,
}

impl Seen {
    /// Takes everything below `offset` for seen.
    pub(crate) fn raise(&mut self, offset: i64) {
        if self.edge.is_none_or(|edge| edge < offset) {
            self.edge = Some(offset);
            self.absorb();
        }
    }

    /// Whether holes were forgotten because there were too many: then nothing can be said about what is missing.
    pub(crate) const fn forgot(&self) -> bool {
        self.forgot
    }

    /// Whether nothing has been seen yet.
    pub(crate) const fn is_empty(&self) -> bool {
        self.edge.is_none()
    }

    /// Adds `[start, end)` and gives the octets of it that are new, as a count. The first range ever sets the
    /// edge to its start.
    pub(crate) fn insert(&mut self, start: i64, end: i64) -> i64 {
        let edge = *self.edge.get_or_insert(start);
        if start <= edge && self.islands.is_empty() {
            self.edge = Some(edge.max(end));
            return (end - edge).clamp(0, end - start);
        }
        let new = self.gaps(start, end).map(|(from, to)| to - from).sum();
        if start <= edge {
            self.edge = Some(edge.max(end));
        } else {
            self.add_island(start, end);
        }
        self.absorb();
        new
    }

    /// Whether every octet of `[start, end)` is seen.
    pub(crate) fn contains(&self, start: i64, end: i64) -> bool {
        self.gaps(start, end).next().is_none()
    }

    /// The parts of `[start, end)` that are not seen, in order.
    pub(crate) fn gaps(&self, start: i64, end: i64) -> impl Iterator<Item = (i64, i64)> {
        let mut from = self.edge.map_or(start, |edge| edge.max(start));
        let mut islands = self.islands.iter().copied().filter(move |&(_, to)| to > start);
        core::iter::from_fn(move || {
            while from < end {
                match islands.next() {
                    Some((left, right)) if left < end => {
                        let gap = (from, left);
                        from = from.max(right);
                        if gap.0 < gap.1 {
                            return Some(gap);
                        }
                    }
                    _ => {
                        let gap = (from, end);
                        from = end;
                        return Some(gap);
                    }
                }
            }
            None
        })
    }

    /// From the first to behind the last octet of `[start, end)` that is not seen; `None` if all are.
    pub(crate) fn fresh(&self, start: i64, end: i64) -> Option<(i64, i64)> {
        let mut gaps = self.gaps(start, end);
        let first = gaps.next()?;
        Some((first.0, gaps.last().map_or(first.1, |last| last.1)))
    }

    fn add_island(&mut self, mut start: i64, mut end: i64) {
        let first = self.islands.partition_point(|&(_, to)| to < start);
        let last = self.islands.partition_point(|&(from, _)| from <= end);
        if let (Some(&(left, _)), Some(&(_, right))) =
            (self.islands.get(first), self.islands.get(last.wrapping_sub(1)))
            && first < last
        {
            start = start.min(left);
            end = end.max(right);
        }
        self.islands.splice(first..last, [(start, end)]);
        if self.islands.len() > MAX_ISLANDS {
            let (_, right) = self.islands.remove(0);
            self.edge = Some(right);
            self.forgot = true;
        }
    }

    fn absorb(&mut self) {
        let Some(mut edge) = self.edge else { return };
        let mut taken = 0;
        for &(from, to) in &self.islands {
            if from > edge {
                break;
            }
            edge = edge.max(to);
            taken += 1;
        }
        self.islands.drain(..taken);
        self.edge = Some(edge);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hole_is_a_gap_until_it_is_filled() {
        let mut seen = Seen::default();
        seen.insert(0, 10);
        assert_eq!(seen.insert(20, 30), 10);
        assert_eq!(seen.gaps(0, 40).collect::<Vec<_>>(), [(10, 20), (30, 40)]);
        assert_eq!(seen.insert(5, 25), 10);
        assert!(seen.contains(0, 30));
    }

    #[test]
    fn at_the_bound_the_lowest_hole_counts_as_seen() {
        let mut seen = Seen::default();
        seen.insert(0, 1);
        for hole in 0..=i64::try_from(MAX_ISLANDS).unwrap() {
            seen.insert(10 + hole * 10, 15 + hole * 10);
        }
        assert!(seen.contains(0, 15));
        assert!(!seen.contains(0, 20));
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_set_of_octets(ranges in prop::collection::vec((0i64..200, 1i64..40), 1..40)) {
            let (mut seen, mut truth) = (Seen::default(), vec![false; 300]);
            let origin = ranges[0].0;
            truth[..usize::try_from(origin).unwrap()].fill(true);
            for (start, len) in ranges {
                let span = usize::try_from(start).unwrap()..usize::try_from(start + len).unwrap();
                let new = truth[span.clone()].iter().filter(|&&octet| !octet).count();
                prop_assert_eq!(seen.insert(start, start + len), i64::try_from(new).unwrap());
                truth[span].fill(true);
                for (at, &is_seen) in (0..).zip(&truth) {
                    prop_assert_eq!(seen.contains(at, at + 1), is_seen);
                }
            }
        }
    }
}
