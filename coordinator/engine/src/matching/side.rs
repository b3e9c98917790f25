//! Pieces of one end that wait for their counterpart at the other.

use super::trust::Trust;
use super::{Kind, Piece};
use std::collections::{BTreeMap, VecDeque};

/// How many pieces of one direction at one end wait at most. Beyond it the oldest is given up: it gets no
/// verdict, and the loss of the direction is no longer claimed to be exact. 64 K pieces are 6 MiB, and half a
/// second of 10 Gb/s in which nothing at all was matched.
const MAX_WAITING: usize = 65_536;

/// How far the pieces in order are searched before all of them are sorted.
const SEARCHED: usize = 64;

/// Where a piece that was overtaken stands: by its first octet, then by what else identifies it.
type StrayKey = (i64, u64, u64);

/// Waiting pieces: those in order, whose turn is next, and those that later ones have overtaken.
#[derive(Debug)]
pub(crate) struct Side {
    recent: VecDeque<Piece>,
    strays: BTreeMap<StrayKey, Piece>,
    serial: u64,
    highest_end: i64,
    longest: i64,
    given_up: u64,
    /// Newest stamp of a piece that was let go before it could be compared with the other end.
    forgotten_to: i64,
}

impl Default for Side {
    fn default() -> Self {
        Self {
            recent: VecDeque::new(),
            strays: BTreeMap::new(),
            serial: 0,
            highest_end: 0,
            longest: 0,
            given_up: 0,
            forgotten_to: i64::MIN,
        }
    }
}

fn stray_key(piece: &Piece) -> StrayKey {
    (piece.start, mark(piece), piece.serial)
}

fn mark(piece: &Piece) -> u64 {
    (u64::from(piece.len) << 32) | u64::from(piece.ack)
}

impl Side {
    /// Numbers `piece` in the order of this side, and tells its number.
    pub(crate) fn number(&mut self, piece: &mut Piece) {
        self.serial += 1;
        piece.serial = self.serial;
    }

    /// The number that was given last.
    pub(crate) const fn last_number(&self) -> u64 {
        self.serial
    }

    /// Lets `piece` wait.
    pub(crate) fn wait(&mut self, piece: Piece) {
        self.make_room(&piece);
        self.recent.push_back(piece);
    }

    /// Puts back what is left of a piece of which a part was matched.
    pub(crate) fn wait_as_stray(&mut self, piece: Piece) {
        self.make_room(&piece);
        self.strays.insert(stray_key(&piece), piece);
    }

    fn make_room(&mut self, piece: &Piece) {
        self.highest_end = self.highest_end.max(piece.end());
        self.longest = self.longest.max(i64::from(piece.len));
        if self.len() >= MAX_WAITING {
            self.given_up += 1;
            if self.strays.pop_first().is_none() {
                self.recent.pop_front();
            }
        }
    }

    /// Pieces that wait.
    pub(crate) fn len(&self) -> usize {
        self.recent.len() + self.strays.len()
    }

    /// Whether no piece waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.strays.is_empty()
    }

    /// Pieces that were given up because too many waited.
    pub(crate) const fn given_up(&self) -> u64 {
        self.given_up
    }

    /// A piece captured at `at` was let go before the other end had been seen, or was understood: what the other end
    /// shows of that time and before may be its counterpart.
    pub(crate) fn forget(&mut self, at: i64) {
        self.forgotten_to = self.forgotten_to.max(at);
    }

    /// Whether a piece captured at `at` or later was let go without being compared.
    pub(crate) const fn forgot_since(&self, at: i64) -> bool {
        at <= self.forgotten_to
    }

    /// Moves every offset by `shift`, and makes `change` to every piece.
    pub(crate) fn change(&mut self, shift: i64, change: impl Fn(&mut Piece)) {
        let changed = |piece: &mut Piece| {
            piece.start += shift;
            change(piece);
        };
        self.recent.iter_mut().for_each(changed);
        let strays = core::mem::take(&mut self.strays);
        let moved = strays.into_values().map(|mut piece| {
            changed(&mut piece);
            (stray_key(&piece), piece)
        });
        self.strays = moved.collect();
        self.highest_end += shift;
    }

    /// The pieces that wait, those that have been overtaken first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Piece> {
        self.strays.values().chain(&self.recent)
    }

    /// The pieces that wait, from the newest on; those that have been overtaken last.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &Piece> {
        self.recent.iter().rev().chain(self.strays.values().rev())
    }

    /// Takes out the waiting piece that is the same transmission as `probe`. In order this is the first one; the
    /// ones that it overtook are set aside, so that each search begins where the last one ended.
    pub(crate) fn take(&mut self, probe: &Piece, trust: Trust) -> Option<Piece> {
        self.take_if(probe, |piece| trust.same(piece, probe))
    }

    /// Takes out the first waiting piece of the length and acknowledgement of `probe` that begins where it does and
    /// `suits`.
    pub(crate) fn take_if(&mut self, probe: &Piece, suits: impl Fn(&Piece) -> bool) -> Option<Piece> {
        if self.recent.front().is_some_and(&suits) {
            return self.recent.pop_front();
        }
        if probe.len > 0 && probe.start >= self.highest_end {
            return None;
        }
        match self.recent.iter().take(SEARCHED).position(&suits) {
            Some(found) => {
                self.set_aside(found);
                return self.recent.pop_front();
            }
            None if self.recent.len() > SEARCHED => self.set_aside(self.recent.len()),
            None => {}
        }
        let (from, to) = ((probe.start, mark(probe), 0), (probe.start, mark(probe), u64::MAX));
        let key = self.strays.range(from..=to).find(|(_, piece)| suits(piece)).map(|(&key, _)| key)?;
        self.strays.remove(&key)
    }

    /// Sorts the first `count` pieces in order among those that were overtaken.
    fn set_aside(&mut self, count: usize) {
        self.strays.extend(self.recent.drain(..count).map(|piece| (stray_key(&piece), piece)));
    }

    /// Takes out a waiting data piece that shares octets with `probe` and can be the same transmission cut
    /// differently; the one that begins first.
    pub(crate) fn take_overlap(&mut self, probe: &Piece, trust: Trust) -> Option<Piece> {
        if probe.start >= self.highest_end {
            return None;
        }
        if self.recent.len() > SEARCHED {
            self.set_aside(self.recent.len());
        }
        let suits = |piece: &Piece| trust.recut(piece, probe);
        let overlapping = (probe.start - self.longest, 0, 0)..(probe.end(), 0, 0);
        let key = self.strays.range(overlapping).find(|(_, piece)| suits(piece)).map(|(&key, _)| key);
        let place = self
            .recent
            .iter()
            .enumerate()
            .filter(|(_, piece)| suits(piece))
            .min_by_key(|(_, piece)| (piece.start, piece.serial))
            .map(|(place, piece)| (place, piece.start));
        match (key, place) {
            (Some(key), None) => self.strays.remove(&key),
            (Some(key), Some((_, start))) if key.0 <= start => self.strays.remove(&key),
            (_, Some((place, _))) => self.recent.remove(place),
            (None, None) => None,
        }
    }

    /// Takes out every piece captured at or before `until`, in capture order.
    pub(crate) fn take_due(&mut self, until: i64) -> Vec<Piece> {
        let mut due: Vec<Piece> = Vec::new();
        while self.recent.front().is_some_and(|piece| piece.at <= until) {
            due.extend(self.recent.pop_front());
        }
        if !self.strays.is_empty() {
            let keys: Vec<StrayKey> =
                self.strays.iter().filter(|(_, piece)| piece.at <= until).map(|(&key, _)| key).collect();
            due.extend(keys.iter().filter_map(|key| self.strays.remove(key)));
        }
        due.sort_by_key(|piece| piece.serial);
        due
    }

    /// When the first of the waiting copies of `of` was captured that were captured before it. What was overtaken is
    /// among the strays, where lost copies are; of those in order only the first are looked at.
    pub(crate) fn first_copy(&self, of: &Piece) -> Option<i64> {
        let suits = |piece: &&Piece| {
            piece.kind == of.kind
                && piece.serial < of.serial
                && piece.start < of.end()
                && of.start < piece.end()
        };
        let overlapping = (of.start - self.longest, 0, 0)..(of.end(), 0, 0);
        let strays = self.strays.range(overlapping).map(|(_, piece)| piece);
        strays.chain(self.recent.iter().take(SEARCHED)).filter(suits).map(|piece| piece.at).min()
    }

    /// Whether a piece of the kind of `than`, captured between it and `until`, covers some of its octets.
    pub(crate) fn has_later_copy(&self, than: &Piece, until: i64) -> bool {
        let suits = |piece: &Piece| {
            piece.kind == than.kind
                && piece.serial > than.serial
                && piece.at <= until
                && piece.start < than.end()
                && than.start < piece.end()
        };
        let overlapping = (than.start - self.longest, 0, 0)..(than.end(), 0, 0);
        self.recent.iter().any(suits) || self.strays.range(overlapping).any(|(_, piece)| suits(piece))
    }

    /// Whether a piece waits that shows octets of `than`, or its acknowledgement, for the first time: it can be `than`
    /// in another shape.
    pub(crate) fn resembles(&self, than: &Piece) -> bool {
        let suits = |piece: &Piece| {
            piece.kind == than.kind
                && !piece.repeats
                && match than.kind {
                    Kind::Data => piece.start < than.end() && than.start < piece.end(),
                    Kind::Ack => (piece.start, piece.ack) == (than.start, than.ack),
                    Kind::Syn | Kind::SynAck | Kind::Rst => false,
                }
        };
        let near = (than.start - self.longest, 0, 0)..=(than.end(), u64::MAX, u64::MAX);
        self.recent.iter().any(suits) || self.strays.range(near).any(|(_, piece)| suits(piece))
    }
}
