//! Sizes of the IP packets that arrived in one direction.

/// How many sizes of delivered packets are told apart. Bulk traffic has two or three; beyond the bound a size
/// is entered under the next smaller one, which keeps "delivered up to" true.
const MAX_SIZES: usize = 48;

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

/// The sizes, smallest first.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    sizes: Vec<SizeSeen>,
    hint: usize,
}

impl Sizes {
    /// All of them.
    pub(super) fn all(&self) -> &[SizeSeen] {
        &self.sizes
    }

    /// A packet of `ip_len` octets, sent at `at`, arrived.
    pub(super) fn note(&mut self, ip_len: u32, at: i64) {
        if let Some(entry) = self.sizes.get_mut(self.hint)
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
        self.hint = place;
        if let Some(entry) = self.sizes.get_mut(place) {
            entry.note(at);
        }
    }
}
