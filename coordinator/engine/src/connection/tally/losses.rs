//! The lost segments of one direction.

use super::Tally;
use crate::matching::{Kind, Piece};

/// How many lost pieces are remembered as evidence.
const MAX_LOST_KEPT: usize = 16;

/// How many ranges that were lost are watched for being lost again. A range leaves no trace once forgotten, so
/// at the bound the one lost least often goes.
const MAX_LOST_RANGES: usize = 64;

/// How many runs of lost octets are remembered: a copy that was lost after them was needed. What a window holds is sent
/// again within a few round trips; the loss of a copy whose first was forgotten counts as unconfirmed.
const MAX_LOST_OCTETS: usize = 512;

/// A lost transmission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LostPiece {
    pub(crate) packet: u64,
    pub(crate) at: i64,
    pub(crate) start: i64,
    pub(crate) len: u32,
    pub(crate) ip_len: u32,
}

/// Lost transmissions with no delivered one behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) count: u64,
    pub(crate) first_packet: u64,
    /// Octets of the smallest IP packet among them, of those that carry octets of sequence space and of bare ones.
    smallest: [u32; 2],
    /// How many are bare ones.
    bare: u64,
}

/// A bare one that a capture lacks is told from one that was lost only by many others.
const LEAST_BARE: u64 = 3;

impl Run {
    /// Whether none of them carries an octet of sequence space.
    pub(crate) const fn is_bare(&self) -> bool {
        self.bare == self.count
    }

    /// Octets of the smallest IP packet among them. Few bare ones do not count beside others: each may have arrived,
    /// and the capture lack it.
    pub(crate) fn smallest(&self) -> u32 {
        let [carrying, bare] = self.smallest;
        if self.is_bare() || self.bare >= LEAST_BARE { carrying.min(bare) } else { carrying }
    }
}

/// How often a range was lost, and how big its packets were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LostRange {
    pub(crate) times: u64,
    /// Wire segments of all these times.
    pub(crate) wire: u64,
    /// Octets of the smallest IP packet among them that was one on the wire; `u32::MAX` if none was. How large those of a
    /// super-packet were is known at most.
    pub(crate) ip_len: u32,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    /// What identifies the copy that was lost last.
    pub(crate) ip_id: Option<u16>,
    pub(crate) tsval: Option<u32>,
}

impl Tally {
    /// Counts a lost piece; pieces of one direction are given in the order in which they were sent. `confirmed` if
    /// another copy brought its octets.
    pub(crate) fn lose(&mut self, sent: &Piece, confirmed: bool) {
        let wire = u64::from(sent.wire);
        self.lost += wire;
        if !confirmed {
            self.lost_unconfirmed += wire;
        }
        if sent.kind == Kind::Ack {
            self.lost_acks += wire;
        }
        if self.last_lost_serial.is_none_or(|last| last + 1 != sent.serial) {
            self.bursts += 1;
        }
        self.last_lost_serial = Some(sent.serial);
        let lost = LostPiece {
            packet: sent.packet,
            at: sent.at,
            start: sent.start,
            len: sent.len,
            ip_len: sent.ip_len,
        };
        if self.lost_kept.len() < MAX_LOST_KEPT {
            self.lost_kept.push(lost);
        }
        if sent.len > 0 {
            self.note_lost_range(&lost, sent);
            // What rests on silence alone bears nothing out.
            if confirmed || !sent.known() {
                self.note_lost_octets(sent);
            }
        }
        // A host repeats RSTs for whatever still reaches it: they say nothing about a direction that died.
        if sent.kind != Kind::Rst && self.last_delivered_at.is_none_or(|at| at <= sent.at) {
            self.prolong_trailing(sent);
        }
    }

    /// Whether a copy of some octets of `piece` was lost, as far as is remembered.
    pub(crate) fn lost_some_of(&self, piece: &Piece) -> bool {
        self.lost_octets.iter().any(|&(start, end)| start < piece.end() && piece.start < end)
    }

    fn note_lost_octets(&mut self, sent: &Piece) {
        match self.lost_octets.back_mut() {
            Some(last) if last.1 == sent.start => last.1 = sent.end(),
            Some(_) | None => {
                if self.lost_octets.len() >= MAX_LOST_OCTETS {
                    self.lost_octets.pop_front();
                }
                self.lost_octets.push_back((sent.start, sent.end()));
            }
        }
    }

    /// Takes a loss back whose segment arrived after all; false if `piece` is no copy that was given up.
    pub(crate) fn take_back(&mut self, piece: &Piece) -> bool {
        let given_up = self.lost_ranges.get(&piece.start);
        let same = given_up.is_some_and(|range| range.ip_id == piece.ip_id && range.tsval == piece.tsval);
        if same {
            self.lost_ranges.remove(&piece.start);
            self.lost_octets.retain(|&(start, end)| piece.end() <= start || end <= piece.start);
            self.lost = self.lost.saturating_sub(u64::from(piece.wire));
            self.delivered += u64::from(piece.wire);
        }
        same
    }

    fn prolong_trailing(&mut self, sent: &Piece) {
        let run = self.trailing.get_or_insert(Run {
            first_at: sent.at,
            last_at: sent.at,
            count: 0,
            first_packet: sent.packet,
            smallest: [u32::MAX; 2],
            bare: 0,
        });
        let bare = sent.len == 0;
        let smallest = &mut run.smallest[usize::from(bare)];
        *smallest = sent.largest_ip_len.min(*smallest);
        run.bare += u64::from(bare) * u64::from(sent.wire);
        run.first_at = run.first_at.min(sent.at);
        run.last_at = run.last_at.max(sent.at);
        run.count += u64::from(sent.wire);
    }

    fn note_lost_range(&mut self, lost: &LostPiece, sent: &Piece) {
        if self.lost_ranges.len() >= MAX_LOST_RANGES && !self.lost_ranges.contains_key(&lost.start) {
            let rarest =
                self.lost_ranges.iter().min_by_key(|(_, range)| range.times).map(|(&start, _)| start);
            if let Some(start) = rarest {
                self.lost_ranges.remove(&start);
            }
        }
        let range = self.lost_ranges.entry(lost.start).or_insert(LostRange {
            times: 0,
            wire: 0,
            ip_len: u32::MAX,
            first_at: lost.at,
            last_at: lost.at,
            ip_id: sent.ip_id,
            tsval: sent.tsval,
        });
        (range.ip_id, range.tsval) = (sent.ip_id, sent.tsval);
        range.times += 1;
        range.wire += u64::from(sent.wire);
        range.first_at = range.first_at.min(lost.at);
        range.last_at = range.last_at.max(lost.at);
        if sent.largest_ip_len == sent.ip_len {
            range.ip_len = range.ip_len.min(sent.ip_len);
        }
    }
}
