//! What became of the segments of one direction between two capture points.

use crate::matching::{Kind, Piece};
use std::collections::BTreeMap;

/// How many lost pieces are remembered as evidence.
const MAX_LOST_KEPT: usize = 16;

/// How many ranges that were lost are watched for being lost again. A range leaves no trace once forgotten, so
/// at the bound the one lost least often goes.
const MAX_LOST_RANGES: usize = 64;

/// How many sizes of delivered packets are told apart. Bulk traffic has two or three; beyond the bound a size
/// is entered under the next smaller one, which keeps "delivered up to" true.
const MAX_SIZES: usize = 48;

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
    /// Octets of the smallest IP packet among them.
    pub(crate) smallest: u32,
}

/// How often a range was lost, and how big its packets were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LostRange {
    pub(crate) times: u64,
    pub(crate) ip_len: u32,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    /// What identifies the copy that was lost last.
    pub(crate) ip_id: Option<u16>,
    pub(crate) tsval: Option<u32>,
}

/// Fates of the segments of one direction, counted in wire segments.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) delivered: u64,
    pub(crate) lost: u64,
    /// Of the lost, those whose octets no other copy brought: only the receiver's silence speaks for the loss.
    pub(crate) lost_unconfirmed: u64,
    pub(crate) delivered_acks: u64,
    /// Sent while nothing proves that the other end's capture ran.
    pub(crate) uncovered: u64,
    /// Not in the receiver's capture, and proven to have been received all the same.
    pub(crate) missed_by_receiver: u64,
    /// Not in the sender's capture, and received all the same.
    pub(crate) missed_by_sender: u64,
    /// The evidence carries no verdict.
    pub(crate) ambiguous: u64,
    pub(crate) duplicated: u64,
    /// Sent again though the octets had arrived before this copy did.
    pub(crate) spurious: u64,
    pub(crate) reordered: u64,
    /// Losses in a row count as one burst.
    pub(crate) bursts: u64,
    last_lost_serial: Option<u64>,
    pub(crate) lost_kept: Vec<LostPiece>,
    pub(crate) trailing: Option<Run>,
    pub(crate) last_delivered_at: Option<i64>,
    pub(crate) lost_ranges: BTreeMap<i64, LostRange>,
    sizes: Vec<SizeSeen>,
    size_hint: usize,
    newest: Option<(u64, u64)>,
}

impl Tally {
    /// Counts a delivered piece.
    pub(crate) fn deliver(&mut self, sent: &Piece, received: &Piece) {
        self.delivered += u64::from(sent.wire.max(received.wire));
        if sent.len == 0 {
            self.delivered_acks += 1;
        }
        if sent.repeats && received.known {
            self.spurious += u64::from(sent.wire);
        }
        match self.newest {
            Some((serial, packet)) if sent.serial < serial => {
                if received.packet > packet {
                    self.reordered += 1;
                }
            }
            _ => self.newest = Some((sent.serial, received.packet)),
        }
        if self.last_delivered_at.is_none_or(|at| at < sent.at) {
            self.last_delivered_at = Some(sent.at);
        }
        if self.trailing.is_some_and(|run| run.first_at < sent.at) {
            self.trailing = None;
        }
        if sent.kind != Kind::Rst {
            self.note_size(sent.ip_len, sent.at);
        }
    }

    /// Counts a lost piece; pieces of one direction are given in the order in which they were sent.
    pub(crate) fn lose(&mut self, sent: &Piece, confirmed: bool) {
        let wire = u64::from(sent.wire);
        self.lost += wire;
        if !confirmed {
            self.lost_unconfirmed += wire;
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
        }
        // A host repeats RSTs for whatever still reaches it: they say nothing about a direction that died.
        if sent.kind != Kind::Rst && self.last_delivered_at.is_none_or(|at| at <= sent.at) {
            let run = self.trailing.get_or_insert(Run {
                first_at: sent.at,
                last_at: sent.at,
                count: 0,
                first_packet: sent.packet,
                smallest: sent.ip_len,
            });
            run.smallest = run.smallest.min(sent.ip_len);
            run.first_at = run.first_at.min(sent.at);
            run.last_at = run.last_at.max(sent.at);
            run.count += wire;
        }
    }

    /// Whether a piece sent as number `serial` or later, at `at` or later, was delivered.
    pub(crate) fn delivered_beyond(&self, serial: u64, at: i64) -> bool {
        self.newest.is_some_and(|(newest, _)| newest >= serial)
            && self.last_delivered_at.is_some_and(|last| last >= at)
    }

    /// Whether anything is known of the direction.
    pub(crate) const fn is_empty(&self) -> bool {
        self.delivered == 0 && self.lost == 0
    }

    /// Sizes of delivered IP packets, and when some of that size were sent.
    pub(crate) fn sizes(&self) -> &[SizeSeen] {
        &self.sizes
    }

    /// Takes a loss back whose segment arrived after all; false if `piece` is no copy that was given up.
    pub(crate) fn take_back(&mut self, piece: &Piece) -> bool {
        let given_up = self.lost_ranges.get(&piece.start);
        let same = given_up.is_some_and(|range| range.ip_id == piece.ip_id && range.tsval == piece.tsval);
        if same {
            self.lost_ranges.remove(&piece.start);
            self.lost = self.lost.saturating_sub(u64::from(piece.wire));
            self.delivered += u64::from(piece.wire);
        }
        same
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
            ip_len: lost.ip_len,
            first_at: lost.at,
            last_at: lost.at,
            ip_id: sent.ip_id,
            tsval: sent.tsval,
        });
        (range.ip_id, range.tsval) = (sent.ip_id, sent.tsval);
        range.times += 1;
        range.first_at = range.first_at.min(lost.at);
        range.last_at = range.last_at.max(lost.at);
        range.ip_len = range.ip_len.min(lost.ip_len);
    }

    fn note_size(&mut self, ip_len: u32, at: i64) {
        if let Some(entry) = self.sizes.get_mut(self.size_hint)
            && entry.ip_len == ip_len
        {
            entry.note(at);
            return;
        }
        let mut place = self.sizes.partition_point(|seen| seen.ip_len < ip_len);
        if self.sizes.get(place).is_none_or(|seen| seen.ip_len != ip_len) {
            if self.sizes.len() < MAX_SIZES {
                self.sizes.insert(place, SizeSeen { ip_len, at: [at; TIMES_KEPT], next: 0 });
            } else if place > 0 {
                place -= 1;
            } else {
                return;
            }
        }
        self.size_hint = place;
        if let Some(entry) = self.sizes.get_mut(place) {
            entry.note(at);
        }
    }
}

/// How many times of delivery are kept of each size, and how far apart they are at least. With eight a connection
/// that dies keeps what passed while it was dying.
const TIMES_KEPT: usize = 8;
const TIMES_APART_NS: i64 = 50_000_000;

/// A size of delivered IP packets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SizeSeen {
    pub(crate) ip_len: u32,
    at: [i64; TIMES_KEPT],
    next: usize,
}

impl SizeSeen {
    fn note(&mut self, at: i64) {
        if at.saturating_sub(self.at[self.next]) < TIMES_APART_NS {
            self.at[self.next] = self.at[self.next].max(at);
        } else {
            self.next = (self.next + 1) % TIMES_KEPT;
            self.at[self.next] = at;
        }
    }

    /// Whether one is known to have been sent at or after `from` and before `to`.
    pub(crate) fn sent_within(&self, from: i64, to: i64) -> bool {
        self.at.iter().any(|&at| from <= at && at < to)
    }
}
