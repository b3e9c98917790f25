//! What is said of each packet, against what became of it.

use super::order;
use super::score::Counts;
use super::sightings::{Sightings, Spot};
use correlate_engine::fate::{Fate, FateRecord};
use correlate_lab::{Done, Entry, Leg, Protocol};
use correlate_proto::TcpFlags;
use std::collections::BTreeMap;

/// What can be said of packets. Those that carry octets of sequence space, and bare ones (ACKs, resets), are counted
/// apart: nothing acknowledges a bare one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Lost on the path.
    Lost,
    /// A bare one, lost on the path.
    LostBare,
    /// Sent once, arrived twice.
    Duplicated,
    /// A bare one, sent once, arrived twice.
    DuplicatedBare,
    /// Arrived, though the receiver's capture lacks it; or sent, though the sender's does.
    Missed,
    /// A bare one of that kind.
    MissedBare,
    /// Arrived behind one that was sent later.
    Reordered,
    /// Sent again though an earlier copy had arrived.
    Spurious,
}

impl Class {
    /// All.
    pub const ALL: [Self; 8] = [
        Self::Lost,
        Self::LostBare,
        Self::Duplicated,
        Self::DuplicatedBare,
        Self::Missed,
        Self::MissedBare,
        Self::Reordered,
        Self::Spurious,
    ];

    /// Its name in figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::LostBare => "lost-bare",
            Self::Duplicated => "duplicated",
            Self::DuplicatedBare => "duplicated-bare",
            Self::Missed => "capture-miss",
            Self::MissedBare => "capture-miss-bare",
            Self::Reordered => "reordered",
            Self::Spurious => "spurious",
        }
    }

    const fn of(fate: Fate, bare: bool) -> Option<Self> {
        match (fate, bare) {
            (Fate::Lost, false) => Some(Self::Lost),
            (Fate::Lost, true) => Some(Self::LostBare),
            (Fate::Duplicated, false) => Some(Self::Duplicated),
            (Fate::Duplicated, true) => Some(Self::DuplicatedBare),
            (Fate::MissedByReceiver | Fate::MissedBySender, false) => Some(Self::Missed),
            (Fate::MissedByReceiver | Fate::MissedBySender, true) => Some(Self::MissedBare),
            (Fate::Reordered, _) => Some(Self::Reordered),
            (Fate::Spurious, _) => Some(Self::Spurious),
            (Fate::Uncovered | Fate::Ambiguous, _) => None,
        }
    }
}

/// What a recording shows, some of its records being gone.
#[derive(Debug)]
pub struct Shown<'a> {
    /// The ledger.
    pub ledger: &'a [Entry],
    /// Where its packets are.
    pub sightings: &'a Sightings,
    /// By capture: the numbers of the packets that stay, in order.
    pub kept: &'a [Vec<u64>],
}

impl Shown<'_> {
    /// Where an entry's sending is shown.
    pub fn sent(&self, entry: usize) -> Option<Spot> {
        self.sightings.sent[entry].filter(|spot| self.shows(*spot))
    }

    /// Where an entry's arrival is shown: each packet with the place of its wire segments among the entry's, and how
    /// many they are.
    pub fn arrivals(&self, entry: usize) -> impl Iterator<Item = (Spot, u64, u64)> {
        let mut place = 0;
        let placed = self.sightings.arrived[entry].iter().map(move |&(spot, segments)| {
            place += segments;
            (spot, place - segments, segments)
        });
        placed.filter(|(spot, _, _)| self.shows(*spot))
    }

    fn shows(&self, spot: Spot) -> bool {
        self.sightings.shows(spot, self.kept)
    }

    /// Whether a record of an entry's arrival was taken out.
    fn was_removed(&self, entry: usize) -> bool {
        self.sightings.arrived[entry].iter().any(|(spot, _)| !self.shows(*spot))
    }
}

/// What is due to be said of one packet.
#[derive(Debug, Clone, Copy, Default)]
struct Due {
    /// So many of its wire segments have to be called this.
    required: u64,
    /// So many may be.
    allowed: u64,
}

impl Due {
    const fn exactly(count: u64) -> Self {
        Self { required: count, allowed: count }
    }

    const fn at_most(count: u64) -> Self {
        Self { required: 0, allowed: count }
    }
}

/// One packet about which something wrong was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongPacket {
    /// What was said, or not said.
    pub class: Class,
    /// It was said and is not so.
    pub said: bool,
    /// Where it is, as its capture was recorded.
    pub spot: Spot,
    /// How many wire segments.
    pub count: u64,
}

/// Counts by class, and what is wrong.
pub type Compared = (BTreeMap<Class, Counts>, Vec<WrongPacket>);

/// Holds the fates against the ledger. Numbers of packets in `fates` are those of the recordings as they were judged.
pub fn compare(shown: &Shown<'_>, fates: &[FateRecord]) -> Compared {
    let mut due = Dues::new();
    for index in originals(shown.ledger) {
        expect(shown, index, &mut due);
    }
    for (class, spot, segments) in order::due(shown) {
        let due = due.entry((class, spot)).or_default();
        due.required += segments;
        due.allowed += segments;
    }
    let mut said: BTreeMap<(Class, Spot), u64> = BTreeMap::new();
    let mut open: BTreeMap<Spot, u64> = BTreeMap::new();
    // The order of arrival is compared by connection.
    for fate in fates {
        let Some(spot) = original_spot(shown, fate) else { continue };
        let wire = u64::from(fate.wire);
        match Class::of(fate.fate, is_bare(shown, spot)) {
            Some(class) => *said.entry((class, canonical(shown, class, spot))).or_default() += wire,
            None => *open.entry(spot).or_default() += wire,
        }
    }
    count(&due, &said, &open)
}

fn count(due: &Dues, said: &BTreeMap<(Class, Spot), u64>, open: &BTreeMap<Spot, u64>) -> Compared {
    let mut counts: BTreeMap<Class, Counts> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (&(class, spot), &saying) in said {
        let allowed = due.get(&(class, spot)).map_or(0, |due| due.allowed);
        let extra = saying.saturating_sub(allowed);
        counts.entry(class).or_default().false_positive += extra;
        if extra > 0 {
            wrong.push(WrongPacket { class, said: true, spot, count: extra });
        }
    }
    for (&(class, spot), due) in due {
        let saying = said.get(&(class, spot)).copied().unwrap_or(0);
        let missing = due.required.saturating_sub(saying);
        let honest = missing.min(open.get(&spot).copied().unwrap_or(0));
        let counts = counts.entry(class).or_default();
        counts.true_positive += saying.min(due.required);
        counts.open += honest;
        counts.false_negative += missing - honest;
        if missing > honest {
            wrong.push(WrongPacket { class, said: false, spot, count: missing - honest });
        }
    }
    (counts, wrong)
}

/// Entries of packets that hosts sent, without the copies that the middlebox made.
fn originals(ledger: &[Entry]) -> impl Iterator<Item = usize> {
    let is_segment = |entry: &Entry| entry.is_by_host() && entry.protocol == Protocol::Tcp;
    (0..ledger.len()).filter(move |&index| is_segment(&ledger[index]))
}

/// The copies that the middlebox made of an entry's packet: they follow it in the ledger.
fn copies(ledger: &[Entry], index: usize) -> impl Iterator<Item = usize> {
    (index + 1..ledger.len()).take_while(|&next| ledger[next].done == Done::Duplicate)
}

/// The further pieces that an entry's packet was cut in: they follow it in the ledger.
fn pieces(ledger: &[Entry], index: usize) -> impl Iterator<Item = usize> {
    (index + 1..ledger.len()).take_while(|&next| ledger[next].done == Done::Piece)
}

/// The packet that an entry is, or is a copy or a piece of.
fn original(ledger: &[Entry], mut index: usize) -> usize {
    while index > 0 && matches!(ledger[index].done, Done::Duplicate | Done::Piece) {
        index -= 1;
    }
    index
}

/// What is due to be said, by class and packet.
type Dues = BTreeMap<(Class, Spot), Due>;

fn expect(shown: &Shown<'_>, index: usize, dues: &mut Dues) {
    let entry = &shown.ledger[index];
    let segments = u64::try_from(entry.wire_segments).unwrap_or(0);
    let bare = is_bare_entry(entry);
    let mut say = |fate, spot, what: Due| {
        if let Some(class) = Class::of(fate, bare) {
            let due = dues.entry((class, spot)).or_default();
            due.required += what.required;
            due.allowed += what.allowed;
        }
    };
    let all = || std::iter::once(index).chain(copies(shown.ledger, index));
    // What the middlebox took and answered itself went nowhere, and nothing of it is lost.
    let passed = entry.done == Done::Absorb || all().any(|copy| shown.ledger[copy].at_out_ns.is_some());
    let is_sent = shown.sent(index);
    if !passed {
        let watched = shown.sightings.watched[index] && entry.leg == Leg::Whole;
        if let Some(sent) = is_sent {
            say(Fate::Lost, sent, if watched { Due::exactly(segments) } else { Due::at_most(segments) });
        }
        return;
    }
    if entry.leg != Leg::Whole {
        // It goes to or comes from a relay, which no capture shows.
        return;
    }
    let further: Vec<usize> = pieces(shown.ledger, index).collect();
    let lacks_part = |spot: Spot| shown.sightings.lacks_part(spot, shown.kept);
    let piece_removed = further.iter().any(|&piece| shown.was_removed(piece));
    for unit in units(shown, index) {
        let visible: Vec<Spot> = unit.spots.iter().copied().filter(|spot| shown.shows(*spot)).collect();
        let extra = unit.segments * u64::try_from(visible.len().saturating_sub(1)).unwrap_or(0);
        match (is_sent, visible.first()) {
            (Some(sent), None) => {
                let removed = !unit.spots.is_empty() && (further.is_empty() || piece_removed);
                let nowhere = entry.done == Done::Absorb && unit.spots.is_empty();
                let what = if removed { Due::exactly(unit.segments) } else { Due::at_most(unit.segments) };
                if !nowhere {
                    say(Fate::MissedByReceiver, sent, what);
                }
            }
            // A part of it is missing.
            (Some(sent), Some(first)) if piece_removed || lacks_part(*first) => {
                say(Fate::MissedByReceiver, sent, Due::at_most(unit.segments));
            }
            (Some(_), Some(first)) if extra > 0 => say(Fate::Duplicated, *first, Due::exactly(extra)),
            (Some(_), Some(_)) | (None, None) => {}
            (None, Some(first)) => {
                let was_recorded = shown.sightings.sent[index].is_some();
                for (place, arrival) in visible.iter().enumerate() {
                    let exact = was_recorded && place == 0 && entry.done != Done::Absorb;
                    let what = if exact { Due::exactly(unit.segments) } else { Due::at_most(unit.segments) };
                    say(Fate::MissedBySender, *arrival, what);
                }
                say(Fate::Duplicated, *first, Due::at_most(extra));
            }
        }
    }
    if is_sent.is_none() {
        for (part, _, _) in further.into_iter().flat_map(|piece| shown.arrivals(piece)) {
            say(Fate::MissedBySender, part, Due::at_most(segments));
        }
    }
}

/// Wire segments of an entry that share their arrivals.
struct Unit {
    segments: u64,
    /// Where its copies were recorded as arriving.
    spots: Vec<Spot>,
}

/// An entry's wire segments: each by itself where the way cut a super-packet, else all together.
fn units(shown: &Shown<'_>, index: usize) -> Vec<Unit> {
    let all: Vec<usize> = std::iter::once(index).chain(copies(shown.ledger, index)).collect();
    let recorded = |copy: usize| &shown.sightings.arrived[copy];
    let most = all.iter().map(|&copy| recorded(copy).len()).max().unwrap_or(0);
    if most <= 1 {
        let segments = u64::try_from(shown.ledger[index].wire_segments).unwrap_or(0);
        let spots = all.iter().filter_map(|&copy| recorded(copy).first()).map(|(spot, _)| *spot).collect();
        return vec![Unit { segments, spots }];
    }
    let unit = |place: usize| {
        let spots = all.iter().filter_map(|&copy| recorded(copy).get(place));
        Unit {
            segments: spots.clone().map(|(_, segments)| *segments).max().unwrap_or(1),
            spots: spots.map(|(spot, _)| *spot).collect(),
        }
    };
    (0..most).map(unit).collect()
}

/// Where a fate's packet was in the capture as it was recorded.
fn original_spot(shown: &Shown<'_>, fate: &FateRecord) -> Option<Spot> {
    let tap = usize::from(fate.point.0);
    let place = usize::try_from(fate.packet).ok()?.checked_sub(1)?;
    Some(shown.sightings.packet(Spot { tap, packet: *shown.kept[tap].get(place)? }))
}

/// Of copies nobody can say which is the copy: what is said of any counts for the first that is shown.
fn canonical(shown: &Shown<'_>, class: Class, spot: Spot) -> Spot {
    if !matches!(class, Class::Duplicated | Class::DuplicatedBare) {
        return spot;
    }
    let Some(&entry) = shown.sightings.entries(spot).first() else { return spot };
    let first = original(shown.ledger, entry);
    std::iter::once(first)
        .chain(copies(shown.ledger, first))
        .find_map(|copy| shown.arrivals(copy).next().map(|(spot, _, _)| spot))
        .unwrap_or(spot)
}

fn is_bare(shown: &Shown<'_>, spot: Spot) -> bool {
    shown.sightings.entries(spot).first().is_some_and(|&entry| is_bare_entry(&shown.ledger[entry]))
}

fn is_bare_entry(entry: &Entry) -> bool {
    entry.payload_len == 0 && entry.flags.0 & (TcpFlags::SYN.0 | TcpFlags::FIN.0) == 0
}
