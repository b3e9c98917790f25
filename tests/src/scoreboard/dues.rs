//! What is due to be said of each packet, by the ledger.

use super::class::Class;
use super::order;
use super::shown::{Shown, copies, is_bare_entry, originals, pieces};
use super::sightings::Spot;
use correlate_engine::fate::Fate;
use correlate_lab::{Done, Leg};
use std::collections::BTreeMap;

/// What is due to be said of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Due {
    /// So many of its wire segments have to be called this.
    pub required: u64,
    /// So many may be.
    pub allowed: u64,
}

impl Due {
    const fn exactly(count: u64) -> Self {
        Self { required: count, allowed: count }
    }

    const fn at_most(count: u64) -> Self {
        Self { required: 0, allowed: count }
    }
}

/// What is due to be said, by class and packet.
pub type Dues = BTreeMap<(Class, Spot), Due>;

/// All that is due.
pub fn dues(shown: &Shown<'_>) -> Dues {
    let mut dues = Dues::new();
    for index in originals(shown.ledger) {
        expect(shown, index, &mut dues);
    }
    for (class, spot, segments) in order::due(shown) {
        let due = dues.entry((class, spot)).or_default();
        due.required += segments;
        due.allowed += segments;
    }
    dues
}

fn expect(shown: &Shown<'_>, index: usize, dues: &mut Dues) {
    let entry = &shown.ledger[index];
    let segments = u64::try_from(entry.wire_segments).unwrap_or(0);
    let bare = is_bare_entry(entry);
    let mut say = |fate, spot, what: Due| {
        if let Some(class) = Class::of(fate, bare).filter(|_| what.allowed > 0) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scoreboard::ledger_csv::read;
    use crate::scoreboard::sightings::Sightings;
    use correlate_lab::{Entry, write_csv};

    /// A ledger of packets from the client: what was done, sequence number, payload, and whether it went on.
    fn ledger(lines: &[(Done, u32, usize, bool)]) -> Vec<Entry> {
        let header = {
            let mut text = Vec::new();
            write_csv(&[], &mut text).expect("a vector takes it");
            String::from_utf8(text).expect("text")
        };
        let names: Vec<&str> = header.trim_end().split(',').collect();
        let line = |(number, (done, seq, len, went_on)): (usize, &(Done, u32, usize, bool))| {
            let field = |name: &&str| match *name {
                "t_in_ns" => (number * 10).to_string(),
                "t_out_ns" => {
                    if *went_on {
                        (number * 10 + 5).to_string()
                    } else {
                        String::new()
                    }
                }
                "direction" => "c2s".to_owned(),
                "protocol" => "tcp".to_owned(),
                "leg" => "whole".to_owned(),
                "done" => done.word().to_owned(),
                "flags" | "flags_left" => "0x010".to_owned(),
                "seq" | "seq_left" => seq.to_string(),
                "payload_len" | "payload_len_left" => len.to_string(),
                "wire_segments" => "1".to_owned(),
                "came_src" | "left_src" | "connection_src" => "10.0.0.1:4000".to_owned(),
                "came_dst" | "left_dst" | "connection_dst" => "10.0.0.2:80".to_owned(),
                "rule" | "ip_id" | "tsval" | "ip_id_left" | "tsval_left" => String::new(),
                _ => "0".to_owned(),
            };
            names.iter().map(field).collect::<Vec<_>>().join(",")
        };
        let lines: Vec<String> = lines.iter().enumerate().map(line).collect();
        read(&format!("{header}{}", lines.join("\n"))).expect("a ledger")
    }

    /// What is due where the client's capture shows what it sent as 1, 2, 3 …, the server's what came as 1, 2, 3 … in
    /// the order `came`, and the packets `removed` (capture, number) have been taken out.
    fn due(ledger: &[Entry], came: &[usize], removed: &[(usize, u64)]) -> Vec<(Class, usize, u64, Due)> {
        let mut sightings = Sightings::default();
        sightings.sent = vec![None; ledger.len()];
        sightings.arrived = vec![Vec::new(); ledger.len()];
        sightings.watched = vec![true; ledger.len()];
        let by_host = (0..ledger.len()).filter(|&index| ledger[index].is_by_host());
        for (packet, index) in (1..).zip(by_host) {
            sightings.sent[index] = Some(Spot { tap: 0, packet });
        }
        for (packet, index) in (1..).zip(came) {
            sightings.arrived[*index] = vec![(Spot { tap: 1, packet }, 1)];
        }
        let stays = |tap: usize| (1..20).filter(|number| !removed.contains(&(tap, *number))).collect();
        let kept: Vec<Vec<u64>> = vec![stays(0), stays(1)];
        let dues = dues(&Shown { ledger, sightings: &sightings, kept: &kept });
        dues.into_iter().map(|((class, spot), due)| (class, spot.tap, spot.packet, due)).collect()
    }

    #[test]
    fn what_was_dropped_is_lost_if_the_sending_is_shown() {
        let ledger = ledger(&[
            (Done::Forward, 1, 100, true),
            (Done::Drop, 101, 100, false),
            (Done::Drop, 201, 0, false),
        ]);
        let lost = |packet, class| (class, 0, packet, Due::exactly(1));
        assert_eq!(due(&ledger, &[0], &[]), [lost(2, Class::Lost), lost(3, Class::LostBare)]);
        assert_eq!(due(&ledger, &[0], &[(0, 2)]), [lost(3, Class::LostBare)]);
    }

    #[test]
    fn what_only_one_capture_lacks_is_missed_there() {
        let ledger = ledger(&[(Done::Forward, 1, 100, true), (Done::Forward, 101, 100, true)]);
        assert_eq!(due(&ledger, &[0, 1], &[(1, 1)]), [(Class::Missed, 0, 1, Due::exactly(1))]);
        assert_eq!(due(&ledger, &[0, 1], &[(0, 2)]), [(Class::Missed, 1, 2, Due::exactly(1))]);
        assert_eq!(due(&ledger, &[0, 1], &[(0, 2), (1, 2)]), [], "nothing shows that there was one");
    }

    #[test]
    fn a_copy_that_the_way_made_is_a_duplicate_while_both_are_shown() {
        let ledger = ledger(&[(Done::Forward, 1, 100, true), (Done::Duplicate, 1, 100, true)]);
        assert_eq!(due(&ledger, &[0, 1], &[]), [(Class::Duplicated, 1, 1, Due::exactly(1))]);
        assert_eq!(due(&ledger, &[0, 1], &[(1, 1)]), []);
    }

    #[test]
    fn what_comes_behind_a_later_one_is_reordered_while_both_are_shown() {
        let ledger = ledger(&[(Done::Hold, 1, 100, true), (Done::Forward, 101, 100, true)]);
        assert_eq!(due(&ledger, &[1, 0], &[]), [(Class::Reordered, 1, 2, Due::exactly(1))]);
        assert_eq!(due(&ledger, &[1, 0], &[(1, 1)]), [(Class::Missed, 0, 2, Due::exactly(1))]);
    }

    #[test]
    fn what_brings_nothing_new_is_spurious_and_what_replaces_a_lost_one_is_not() {
        let twice = ledger(&[(Done::Forward, 1, 100, true), (Done::Forward, 1, 100, true)]);
        assert_eq!(due(&twice, &[0, 1], &[]), [(Class::Spurious, 0, 2, Due::exactly(1))]);
        let replaced = ledger(&[(Done::Drop, 1, 100, false), (Done::Forward, 1, 100, true)]);
        assert_eq!(due(&replaced, &[1], &[]), [(Class::Lost, 0, 1, Due::exactly(1))]);
    }

    #[test]
    fn what_the_middlebox_answered_itself_is_due_to_nothing() {
        let ledger = ledger(&[(Done::Absorb, 1, 0, false)]);
        assert_eq!(due(&ledger, &[], &[]), []);
    }
}
