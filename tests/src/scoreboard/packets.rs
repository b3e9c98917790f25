//! What is said of each packet, against what became of it.

use super::class::Class;
use super::dues::{Dues, dues};
use super::score::Counts;
use super::shown::{Shown, copies, is_bare_entry, original};
use super::sightings::Spot;
use correlate_engine::fate::FateRecord;
use std::collections::BTreeMap;

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
    let due = dues(shown);
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
