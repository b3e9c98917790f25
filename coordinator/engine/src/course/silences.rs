//! Times in which nothing that was sent in a direction arrived.

use crate::matching::{Kind, Piece};

/// A shorter time without a delivery is no silence. The least retransmission timeout of Linux: within it a sender that
/// lost a flight has no second say.
pub(crate) const LEAST_NS: i64 = 200_000_000;

/// How many silences are remembered. A quiet direction makes one with each of its packets; at the bound those in which
/// nothing was lost go, then the oldest: its losses count as packet loss.
const MAX_SILENCES: usize = 1024;

/// A silence in which nothing is known to be lost is kept for so long: what was sent in it has been judged by then.
const JUDGED_WITHIN_NS: i64 = 60_000_000_000;

/// Losses at different times within a silence: more than a few of them tell nothing more.
const MAX_OCCASIONS: usize = 32;
const OCCASION_NS: i64 = 50_000_000;

/// How many of its connections and of its packets are named.
const MAX_NAMED: usize = 100;
const MAX_SHOWN: usize = 6;

/// A time in which nothing that was sent in a direction arrived, by the sender's clock.
#[derive(Debug, Clone)]
pub(crate) struct Silence {
    /// When the last one that arrived before it was sent.
    pub(crate) from: i64,
    /// When the first one that arrived after it was sent.
    pub(crate) to: i64,
    /// Segments lost in it: those that are no pure ACKs, and pure ACKs.
    pub(crate) lost: [u64; 2],
    /// Of the former, those whose octets another copy brought.
    pub(crate) confirmed: u64,
    pub(crate) first_lost: i64,
    pub(crate) last_lost: i64,
    /// Octets of the smallest IP packet lost in it, and of the largest that arrived between it and the next one.
    pub(crate) smallest_lost: u32,
    pub(crate) largest_after: u32,
    /// The connections that lost something in it, the first ones by number.
    pub(crate) connections: Vec<u64>,
    /// Of them, those of which something sent later arrived.
    pub(crate) recovered: u64,
    /// Packets lost in it: number, time, octets of sequence space, octets of the IP packet.
    pub(crate) shown: Vec<(u64, i64, u32, u32)>,
    occasions: Vec<i64>,
}

impl Silence {
    const fn between(from: i64, to: i64) -> Self {
        Self {
            from,
            to,
            lost: [0; 2],
            confirmed: 0,
            first_lost: i64::MAX,
            last_lost: i64::MIN,
            smallest_lost: u32::MAX,
            largest_after: 0,
            connections: Vec::new(),
            recovered: 0,
            shown: Vec::new(),
            occasions: Vec::new(),
        }
    }

    /// Segments lost in it.
    pub(crate) const fn lost_in_all(&self) -> u64 {
        self.lost[0] + self.lost[1]
    }

    /// At how many different times something was lost in it, as far as they are counted.
    pub(crate) fn occasions(&self) -> u64 {
        u64::try_from(self.occasions.len()).unwrap_or(u64::MAX)
    }

    fn add(&mut self, piece: &Piece, confirmed: bool, connection: u64) {
        let wire = u64::from(piece.wire);
        self.lost[usize::from(piece.kind == Kind::Ack)] += wire;
        self.confirmed += if confirmed { wire } else { 0 };
        self.first_lost = self.first_lost.min(piece.at);
        self.last_lost = self.last_lost.max(piece.at);
        self.smallest_lost = self.smallest_lost.min(piece.largest_ip_len);
        insert(&mut self.connections, connection, MAX_NAMED);
        insert(&mut self.occasions, piece.at.div_euclid(OCCASION_NS), MAX_OCCASIONS);
        let place = self.shown.partition_point(|&(_, at, _, _)| at <= piece.at);
        self.shown.insert(place, (piece.packet, piece.at, piece.len, piece.ip_len));
        self.shown.truncate(MAX_SHOWN);
    }
}

/// Inserts `item` in order, once; at the bound the largest goes.
fn insert<T: Ord>(list: &mut Vec<T>, item: T, most: usize) {
    if let Err(place) = list.binary_search(&item)
        && place < most
    {
        list.insert(place, item);
        list.truncate(most);
    }
}

/// The silences of a direction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Silences {
    newest: Option<i64>,
    /// Those that are over, in order.
    list: Vec<Silence>,
    /// What was lost since the newest arrival was sent.
    open: Option<Silence>,
    any_lost: bool,
}

impl Silences {
    /// When the newest packet that arrived was sent.
    pub(crate) const fn newest(&self) -> Option<i64> {
        self.newest
    }

    /// A packet of `ip_len` octets, sent at `at`, arrived.
    pub(super) fn deliver(&mut self, at: i64, ip_len: u32) {
        match self.newest {
            Some(newest) if at <= newest => {
                if newest.saturating_sub(at) >= LEAST_NS {
                    self.interrupt(at);
                }
                return;
            }
            Some(newest) if at.saturating_sub(newest) >= LEAST_NS => self.close(newest, at),
            Some(_) | None => self.open = self.open.take().filter(|open| open.last_lost > at),
        }
        self.newest = Some(at);
        if let Some(last) = self.list.last_mut() {
            last.largest_after = last.largest_after.max(ip_len);
        }
    }

    /// `piece` of `connection` was lost; `confirmed` if another copy brought its octets.
    pub(super) fn lose(&mut self, piece: &Piece, confirmed: bool, connection: u64) {
        let Some(newest) = self.newest else { return };
        let silence = if piece.at > newest {
            Some(self.open.get_or_insert_with(|| Silence::between(newest, i64::MAX)))
        } else {
            let place = self.list.partition_point(|silence| silence.from < piece.at);
            let before = place.checked_sub(1).and_then(|place| self.list.get_mut(place));
            before.filter(|silence| piece.at < silence.to)
        };
        if let Some(silence) = silence {
            silence.add(piece, confirmed, connection);
            self.any_lost = true;
        }
    }

    /// Of `connection`, which has ended, the last segment that arrived was sent at `last`.
    pub(super) fn note_end(&mut self, connection: u64, last: i64) {
        if !self.any_lost {
            return;
        }
        for silence in &mut self.list {
            let concerned = silence.connections.binary_search(&connection).is_ok();
            silence.recovered += u64::from(concerned && last > silence.last_lost);
        }
    }

    /// The silences that are over and in which something was lost, in order.
    pub(crate) fn lossy(&self) -> impl Iterator<Item = &Silence> {
        self.list.iter().filter(|silence| silence.lost_in_all() > 0)
    }

    fn close(&mut self, from: i64, to: i64) {
        if self.list.len() >= MAX_SILENCES {
            let unjudged = to.saturating_sub(JUDGED_WITHIN_NS);
            self.list.retain(|silence| silence.lost_in_all() > 0 || silence.to > unjudged);
            if self.list.len() >= MAX_SILENCES {
                self.list.remove(0);
            }
        }
        let silence = self.open.take().unwrap_or_else(|| Silence::between(from, to));
        self.list.push(Silence { from, to, ..silence });
    }

    /// Something that was sent at `at` arrived after all: what seemed one silence is two.
    fn interrupt(&mut self, at: i64) {
        let place = self.list.partition_point(|silence| silence.from < at);
        let Some(place) = place.checked_sub(1).filter(|&place| at < self.list[place].to) else { return };
        let whole = self.list.remove(place);
        for (from, to) in [(at, whole.to), (whole.from, at)] {
            if to - from >= LEAST_NS {
                let keeps = from < whole.first_lost && whole.last_lost < to;
                let part = if keeps { whole.clone() } else { Silence::between(from, to) };
                self.list.insert(place, Silence { from, to, ..part });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn piece(at: i64, kind: Kind) -> Piece {
        Piece::sample(kind, at)
    }

    fn steady(silences: &mut Silences, from: i64, to: i64) {
        for at in from..to {
            silences.deliver(at * MS, 1500);
        }
    }

    #[test]
    fn losses_between_deliveries_fall_into_no_silence() {
        let mut silences = Silences::default();
        silences.lose(&piece(-MS, Kind::Data), true, 1);
        steady(&mut silences, 0, 1000);
        silences.lose(&piece(500 * MS + 1, Kind::Data), true, 1);
        silences.lose(&piece(1001 * MS, Kind::Data), true, 1);
        silences.deliver(1100 * MS, 1500);
        assert_eq!(silences.lossy().count(), 0);
    }

    #[test]
    fn what_is_lost_in_a_silence_is_known_whether_it_is_judged_during_it_or_after() {
        for judged_late in [false, true] {
            let mut silences = Silences::default();
            steady(&mut silences, 0, 10);
            let lose = |silences: &mut Silences| {
                silences.lose(&piece(100 * MS, Kind::Data), true, 7);
                silences.lose(&piece(400 * MS, Kind::Data), false, 3);
                silences.lose(&piece(300 * MS, Kind::Ack), false, 7);
            };
            if !judged_late {
                lose(&mut silences);
            }
            silences.deliver(700 * MS, 52);
            silences.deliver(701 * MS, 1500);
            if judged_late {
                lose(&mut silences);
            }
            silences.note_end(7, 800 * MS);
            silences.note_end(3, 5 * MS);
            let found: Vec<&Silence> = silences.lossy().collect();
            let silence = found[0];
            assert_eq!((found.len(), silence.lost, silence.confirmed), (1, [2, 1], 1));
            assert_eq!((silence.from, silence.to), (9 * MS, 700 * MS));
            assert_eq!((silence.first_lost, silence.last_lost), (100 * MS, 400 * MS));
            assert_eq!((silence.connections.clone(), silence.recovered), (vec![3, 7], 1));
            assert_eq!((silence.smallest_lost, silence.largest_after, silence.occasions()), (1500, 1500, 3));
        }
    }

    #[test]
    fn a_late_word_of_a_delivery_splits_a_silence() {
        let mut silences = Silences::default();
        steady(&mut silences, 0, 10);
        silences.deliver(2000 * MS, 1500);
        silences.lose(&piece(100 * MS, Kind::Data), true, 1);
        silences.deliver(1000 * MS, 1500);
        silences.lose(&piece(1500 * MS, Kind::Data), true, 2);
        let found: Vec<(i64, i64)> = silences.lossy().map(|silence| (silence.from, silence.to)).collect();
        assert_eq!(found, [(9 * MS, 1000 * MS), (1000 * MS, 2000 * MS)]);
    }

    #[test]
    fn a_direction_that_is_quiet_for_days_keeps_its_losses_and_little_else() {
        let mut silences = Silences::default();
        for second in 0..100_000 {
            silences.deliver(second * 1000 * MS, 52);
            if second == 50 {
                silences.lose(&piece(second * 1000 * MS + 300 * MS, Kind::Data), true, 1);
            }
        }
        assert!(silences.list.len() <= MAX_SILENCES);
        assert_eq!(silences.lossy().count(), 1);
    }

    #[test]
    fn beyond_the_bound_the_oldest_losses_go() {
        let mut silences = Silences::default();
        for second in 0..3000 {
            silences.deliver(second * 1000 * MS, 52);
            silences.lose(&piece(second * 1000 * MS + 300 * MS, Kind::Data), true, 1);
        }
        assert_eq!(silences.list.len(), MAX_SILENCES);
        assert!(silences.lossy().next().is_some_and(|oldest| oldest.from > 1500 * 1000 * MS));
    }
}
