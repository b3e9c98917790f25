//! A set of octets of one direction of a connection.

/// Octets by their sequence numbers, as ranges of offsets from where the direction began. Directions of the lab are
/// far shorter than the 2 GiB at which offsets would become ambiguous.
#[derive(Debug, Clone, Default)]
pub(crate) struct Octets {
    origin: Option<u32>,
    /// Disjoint, not adjacent, in order.
    ranges: Vec<(i32, i32)>,
}

impl Octets {
    /// The first octet's sequence number, from a SYN; a new one begins the set anew.
    pub(crate) fn begin(&mut self, origin: u32) {
        if self.origin != Some(origin) {
            *self = Self { origin: Some(origin), ranges: Vec::new() };
        }
    }

    /// Whether all of these octets are in the set.
    pub(crate) fn has(&self, seq: u32, len: usize) -> bool {
        let Some((start, end)) = self.origin.map(|origin| range(origin, seq, len)) else { return false };
        self.ranges.iter().any(|(from, to)| *from <= start && end <= *to)
    }

    /// Adds octets.
    pub(crate) fn add(&mut self, seq: u32, len: usize) {
        let (mut start, mut end) = range(*self.origin.get_or_insert(seq), seq, len);
        if start == end {
            return;
        }
        self.ranges.retain(|(from, to)| {
            let touches = *from <= end && start <= *to;
            if touches {
                (start, end) = (start.min(*from), end.max(*to));
            }
            !touches
        });
        let at = self.ranges.partition_point(|(from, _)| *from < start);
        self.ranges.insert(at, (start, end));
    }
}

fn range(origin: u32, seq: u32, len: usize) -> (i32, i32) {
    let start = seq.wrapping_sub(origin).cast_signed();
    (start, start.saturating_add(i32::try_from(len).unwrap_or(i32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::Octets;

    #[test]
    fn octets_are_in_the_set_only_if_all_were_added_also_across_the_wrap() {
        let mut octets = Octets::default();
        octets.begin(u32::MAX - 4);
        octets.add(u32::MAX - 4, 3);
        octets.add(3, 10);
        assert!(!octets.has(u32::MAX - 4, 8));
        octets.add(u32::MAX - 1, 5);
        assert!(octets.has(u32::MAX - 4, 18) && !octets.has(u32::MAX - 4, 19));
        octets.begin(u32::MAX - 4);
        assert!(octets.has(0, 1), "the same beginning changes nothing");
        octets.begin(7);
        assert!(!octets.has(7, 1));
    }
}
