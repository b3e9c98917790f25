//! What matched packets of one direction show of a device that changes them on the way.

use super::{Few, PacketRef};
use crate::matching::{Kind, Match, Piece};
use correlate_proto::SeqNum;

/// Congestion experienced: what a router may make of either codepoint of an ECN-capable packet (RFC 3168 §5).
const CE: u8 = 3;

/// How many different changes of the class of service are told apart in a direction. A remarking device makes one
/// or two; beyond the bound further ones are not noticed.
const MAX_CLASSES: usize = 8;

/// How many ranges with differing sums are remembered, each to be forgotten if it is sent again.
const MAX_ALTERED: usize = 8;

/// Changes in one direction between two adjacent capture points.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    rare: Option<Box<Rare>>,
    /// Matched packets that were sent as capable of ECN.
    pub(crate) ecn_capable: u32,
    /// Matched packets whose sums of payload are known at both ends and equal: of those cut alike, and of those
    /// that the ends show cut differently.
    pub(crate) equal_sums: [u32; 2],
}

/// What most connections have none of.
#[derive(Debug, Default)]
struct Rare {
    classes: Vec<ClassChange>,
    openings: Vec<(u64, u64)>,
    altered: Vec<Altered>,
    altered_count: u64,
    sacks: Sacks,
}

/// What became of SACK blocks where a device shifts the sequence numbers that they speak of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sacks {
    /// Packets whose blocks were shifted like their acknowledgement.
    pub(crate) shifted: u64,
    /// Packets whose first block lies where the shift was forgotten, with its left edge as it arrived.
    pub(crate) forgotten: Few<(PacketRef, SeqNum)>,
}

/// Packets whose class of service was changed in the same way.
#[derive(Debug, Clone)]
pub(crate) struct ClassChange {
    /// DSCP and ECN, as sent.
    pub(crate) before: u8,
    /// And as received.
    pub(crate) after: u8,
    /// One of them was a SYN or SYN-ACK.
    pub(crate) opening: bool,
    /// The packets, as sent and as received.
    pub(crate) pairs: Few<(PacketRef, PacketRef)>,
}

/// A stretch of payload that arrived with another sum.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Altered {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) sent: PacketRef,
    pub(crate) received: PacketRef,
    /// The ends show its packets cut differently.
    pub(crate) recut: bool,
    /// The sender sent these octets again: the receiver's stack may have found the packet damaged.
    pub(crate) repeated: bool,
}

impl Changes {
    /// Compares a transmission with its arrival; `ends` are the capture points that sent and received it.
    pub(crate) fn compare(&mut self, found: &Match, ends: (usize, usize)) {
        let (sent, received) = (&found.sent, &found.received);
        self.ecn_capable += u32::from(sent.tos & CE != 0);
        if sent.tos != received.tos {
            self.note_class(found, ends);
        }
        if sent.repeats
            && let Some(rare) = &mut self.rare
        {
            rare.note_repeat(sent);
        }
        if sent.kind == Kind::Data
            && let (Some(a), Some(b)) = (sent.sum, received.sum)
            && (sent.start, sent.len) == (received.start, received.len)
        {
            if a == b {
                self.equal_sums[usize::from(found.recut)] += 1;
            } else {
                self.note_altered(found, ends);
            }
        }
    }

    /// Notes that packet `sent`, a SYN or SYN-ACK, arrived as `received` and offers other terms.
    pub(crate) fn note_opening(&mut self, sent: u64, received: u64) {
        let openings = &mut self.rare.get_or_insert_default().openings;
        if openings.len() < MAX_CLASSES {
            openings.push((sent, received));
        }
    }

    /// Notes a packet that arrived with SACK blocks through a device that shifts the numbers which they speak of.
    pub(crate) fn note_sack(&mut self, packet: PacketRef, left: SeqNum, forgotten: bool) {
        let sacks = &mut self.rare.get_or_insert_default().sacks;
        if forgotten {
            sacks.forgotten.push((packet, left));
        } else {
            sacks.shifted += 1;
        }
    }

    fn note_class(&mut self, found: &Match, ends: (usize, usize)) {
        let (sent, received) = (&found.sent, &found.received);
        let opening = matches!(sent.kind, Kind::Syn | Kind::SynAck);
        let marked = (sent.tos ^ received.tos) & !CE == 0 && sent.tos & CE != 0 && received.tos & CE == CE;
        // Which copy of a repeated segment arrived may be in doubt, and Linux sends repetitions without ECN.
        let repeated = (sent.repeats || received.repeats) && !opening;
        if marked || !found.certain || repeated {
            return;
        }
        let classes = &mut self.rare.get_or_insert_default().classes;
        let (before, after) = (sent.tos, received.tos);
        let known = classes.iter().position(|class| (class.before, class.after) == (before, after));
        let place = known.unwrap_or_else(|| {
            if classes.len() < MAX_CLASSES {
                classes.push(ClassChange { before, after, opening: false, pairs: Few::default() });
            }
            classes.len() - 1
        });
        let class = &mut classes[place];
        if (class.before, class.after) == (before, after) {
            class.opening |= opening;
            class.pairs.push((reference(sent, ends.0), reference(received, ends.1)));
        }
    }

    #[cold]
    fn note_altered(&mut self, found: &Match, ends: (usize, usize)) {
        let (sent, received) = (&found.sent, &found.received);
        // An old stack's keep-alive carries an octet of anything.
        if sent.repeats || received.repeats {
            return;
        }
        let rare = self.rare.get_or_insert_default();
        rare.altered_count += 1;
        if rare.altered.len() < MAX_ALTERED {
            rare.altered.push(Altered {
                start: sent.start,
                end: sent.end(),
                sent: reference(sent, ends.0),
                received: reference(received, ends.1),
                recut: found.recut,
                repeated: false,
            });
        }
    }

    /// Changes of the class of service.
    pub(crate) fn classes(&self) -> &[ClassChange] {
        self.rare.as_ref().map_or(&[], |rare| &rare.classes)
    }

    /// SYNs and SYN-ACKs whose terms changed: their packet numbers where they were sent and received.
    pub(crate) fn openings(&self) -> &[(u64, u64)] {
        self.rare.as_ref().map_or(&[], |rare| &rare.openings)
    }

    /// What became of SACK blocks, if there were any on a path that shifts numbers.
    pub(crate) fn sacks(&self) -> Option<&Sacks> {
        self.rare.as_ref().map(|rare| &rare.sacks)
    }

    /// The first stretches of payload that arrived with another sum, and how many there were.
    pub(crate) fn altered(&self) -> (&[Altered], u64) {
        self.rare.as_ref().map_or((&[], 0), |rare| (rare.altered.as_slice(), rare.altered_count))
    }
}

impl Rare {
    fn note_repeat(&mut self, sent: &Piece) {
        for altered in &mut self.altered {
            altered.repeated |= altered.start < sent.end() && sent.start < altered.end;
        }
    }
}

fn reference(piece: &Piece, point: usize) -> PacketRef {
    PacketRef { at: piece.at, packet: piece.packet, point }
}
