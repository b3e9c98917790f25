//! Where packets of a kind usually end up inside a host.

use correlate_proto::Heard;
use rustc_hash::FxHashMap;
use std::net::IpAddr;

/// Kinds that are told apart, and places where one of them ends. Of further kinds nothing is learnt; packets that end
/// at further places count as not having come where the others do.
const MAX_WAYS: usize = 1024;
const MAX_ENDS: usize = 8;

/// So many packets must have come to a place, and so many times those that did not and yet were not lost, before it is
/// known where the kind goes.
const LEAST_WENT: u64 = 20;
const LEAST_TIMES: u64 = 9;

/// An interface, and which way a packet crossed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) interface: u16,
    pub(crate) heard: Heard,
}

impl Place {
    /// For an order that depends on neither addresses nor time.
    pub(crate) const fn order(self) -> (u16, u8) {
        let heard = match self.heard {
            Heard::Unknown => 0,
            Heard::Out => 1,
            Heard::In => 2,
        };
        (self.interface, heard)
    }
}

/// Which kind a packet is of: a number of [`Ways`].
pub(crate) type WayId = u16;

/// The kinds of packets of one capture point: where they are first seen, and to whom they go.
#[derive(Debug, Default)]
pub(super) struct Ways {
    ids: FxHashMap<(Place, IpAddr), WayId>,
    ways: Vec<Way>,
}

/// Packets of one kind.
#[derive(Debug)]
struct Way {
    first: Place,
    /// How many were seen last at each place, in the order in which the places were met.
    ends: Vec<(Place, u64)>,
    elsewhere: u64,
    /// Of those that did not come where most do, how many are known to have been lost.
    lost: u64,
}

/// Where packets of a kind go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usual {
    pub(crate) first: Place,
    pub(crate) end: Place,
    /// How many came there.
    pub(crate) went: u64,
    /// How many did not and were not lost: the capture lacks what they were seen as there, or they went another way.
    pub(crate) missed: u64,
}

impl Ways {
    /// The kind of packets that are first seen at `first` and go to `to`; `None` if there are too many kinds.
    pub(super) fn id(&mut self, first: Place, to: IpAddr) -> Option<WayId> {
        if let Some(&id) = self.ids.get(&(first, to)) {
            return Some(id);
        }
        let id = WayId::try_from(self.ways.len()).ok().filter(|_| self.ways.len() < MAX_WAYS)?;
        self.ids.insert((first, to), id);
        self.ways.push(Way { first, ends: Vec::new(), elsewhere: 0, lost: 0 });
        Some(id)
    }

    /// A packet of the kind was seen last at `end`.
    pub(super) fn note_end(&mut self, way: WayId, end: Place) {
        let Some(way) = self.ways.get_mut(usize::from(way)) else { return };
        if let Some((_, count)) = way.ends.iter_mut().find(|(place, _)| *place == end) {
            *count += 1;
        } else if way.ends.len() < MAX_ENDS {
            way.ends.push((end, 1));
        } else {
            way.elsewhere += 1;
        }
    }

    /// A packet of the kind that did not come where most do was lost.
    pub(super) fn note_lost(&mut self, way: WayId) {
        if let Some(way) = self.ways.get_mut(usize::from(way)) {
            way.lost += 1;
        }
    }

    /// Where most of the kind have ended so far.
    pub(super) fn common_end(&self, way: WayId) -> Option<Place> {
        self.ways.get(usize::from(way))?.common().map(|(place, _)| place)
    }

    /// Where packets of the kind go on to, if enough of them do.
    pub(super) fn usual(&self, way: WayId) -> Option<Usual> {
        let way = self.ways.get(usize::from(way))?;
        let (end, went) = way.common()?;
        let all: u64 = way.ends.iter().map(|(_, count)| count).sum::<u64>() + way.elsewhere;
        let missed = (all - went).saturating_sub(way.lost);
        let known = end != way.first && went >= LEAST_WENT && went >= missed.saturating_mul(LEAST_TIMES);
        known.then_some(Usual { first: way.first, end, went, missed })
    }
}

impl Way {
    /// Of equals the one that was met first.
    fn common(&self) -> Option<(Place, u64)> {
        let mut ends = self.ends.iter().copied();
        let first = ends.next()?;
        Some(ends.fold(first, |most, next| if next.1 > most.1 { next } else { most }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const INNER: Place = Place { interface: 0, heard: Heard::In };
    const OUTER: Place = Place { interface: 1, heard: Heard::Out };

    fn to(last: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, last).into()
    }

    fn learnt(went: u64, stayed: u64, lost: u64) -> Option<Usual> {
        let mut ways = Ways::default();
        let way = ways.id(INNER, to(1)).unwrap();
        (0..stayed).for_each(|_| ways.note_end(way, INNER));
        (0..went).for_each(|_| ways.note_end(way, OUTER));
        (0..lost).for_each(|_| ways.note_lost(way));
        ways.usual(way)
    }

    #[test]
    fn a_way_is_known_only_from_enough_packets_that_nearly_all_took() {
        assert_eq!(learnt(19, 0, 0), None);
        assert_eq!(learnt(20, 0, 0).map(|usual| (usual.end, usual.went, usual.missed)), Some((OUTER, 20, 0)));
        assert!(learnt(90, 10, 0).is_some());
        assert_eq!(learnt(89, 10, 0), None);
        assert_eq!(
            learnt(60, 40, 40).map(|usual| usual.missed),
            Some(0),
            "what was lost speaks not against it"
        );
        assert_eq!(learnt(10, 60, 0), None, "most stay where they are first seen");
    }

    #[test]
    fn kinds_and_ends_are_bounded() {
        let mut ways = Ways::default();
        for number in 0..2000u16 {
            let place = Place { interface: number, heard: Heard::In };
            assert_eq!(ways.id(place, to(1)).is_some(), usize::from(number) < MAX_WAYS);
        }
        let way = ways.id(Place { interface: 3, heard: Heard::In }, to(1)).unwrap();
        for interface in 0..100 {
            ways.note_end(way, Place { interface, heard: Heard::Out });
        }
        assert_eq!((ways.ways[3].ends.len(), ways.ways[3].elsewhere), (MAX_ENDS, 92));
    }
}
