//! The class of service: six bits of DSCP (RFC 2474) and two of ECN (RFC 3168).

use super::{LEAST_CHANGED, Way, both_ends};
use crate::connection::ClassChange;
use crate::findings::{Sighting, Symptom};
use correlate_proto::report::{Code, Details, Severity};

/// The bits of ECN in the octet that IPv4 calls TOS and IPv6 traffic class.
const ECN: u8 = 3;

/// Looks at the class of service of a direction's packets.
pub(super) fn check(way: &Way<'_>, symptoms: &mut Vec<Symptom>) {
    symptoms.extend(dscp(way));
    // A SYN's flags and a packet's bits are one finding: the device does not want ECN.
    let told = symptoms.iter().any(|s| s.code == Code::EcnBleached && s.direction == Some(way.direction));
    if !told {
        symptoms.extend(ecn(way));
    }
}

/// Changes that agree in what `part` keeps of the octet, the most frequent kind.
fn most_frequent<'a>(way: &Way<'a>, part: impl Fn(u8) -> u8 + Copy) -> Option<Kind<'a>> {
    let changes = way.changes.classes().iter();
    let kinds = changes.filter(|change| part(change.before) != part(change.after)).map(|first| {
        let (before, after) = (part(first.before), part(first.after));
        let same = |change: &&ClassChange| (part(change.before), part(change.after)) == (before, after);
        let count = way.changes.classes().iter().filter(same).map(|change| change.pairs.count()).sum();
        let opening = way.changes.classes().iter().filter(same).any(|change| change.opening);
        Kind { before, after, count, opening, first }
    });
    // Of equally frequent ones the first.
    kinds.reduce(|best, other| if other.count > best.count { other } else { best })
}

/// Packets of which the same was made.
struct Kind<'a> {
    before: u8,
    after: u8,
    count: u64,
    /// A SYN was among them.
    opening: bool,
    first: &'a ClassChange,
}

impl Kind<'_> {
    fn details(&self) -> Details {
        Details::Changed { before: Some(self.before.into()), after: Some(self.after.into()) }
    }

    fn evidence(&self, describe: impl Fn(u8) -> String) -> Vec<Sighting> {
        let pairs = self.first.pairs.iter().take(3);
        let shown = pairs.flat_map(|&(sent, received)| {
            both_ends(sent, received, describe(self.first.before), describe(self.first.after))
        });
        shown.collect()
    }
}

fn dscp(way: &Way<'_>) -> Option<Symptom> {
    let found = most_frequent(way, |class| class >> 2)?;
    if found.count < LEAST_CHANGED && !found.opening {
        return None;
    }
    let note = format!("{} became {}", dscp_name(found.before), dscp_name(found.after));
    let evidence = found.evidence(|class| format!("DSCP {}", dscp_name(class >> 2)));
    let symptom = way.symptom(Code::DscpRewritten, Severity::Info, |told| {
        format!(
            "A device changed the class of service {}: DSCP {}, in {}.",
            told.way(),
            told.worst.note,
            told.of
        )
    });
    let mut symptom = symptom.with_details(found.details()).with_note(note).with_evidence(evidence);
    symptom.count = found.count;
    Some(symptom)
}

/// A device that takes ECN from packets takes it from all; a few that differ have been mistaken for their copies.
fn ecn(way: &Way<'_>) -> Option<Symptom> {
    let found = most_frequent(way, |class| class & ECN)?;
    let was_capable = found.before != 0;
    let most = !was_capable || found.count.saturating_mul(2) > u64::from(way.changes.ecn_capable);
    if (found.count < LEAST_CHANGED && !found.opening) || !most {
        return None;
    }
    let note = format!("{} became {}", ecn_name(found.before), ecn_name(found.after));
    let evidence = found.evidence(|class| ecn_name(class & ECN).to_owned());
    let symptom = way.symptom(Code::EcnBleached, Severity::Warning, |told| {
        format!("A device changed the ECN bits {}: {}, in {}.", told.way(), told.worst.note, told.of)
    });
    let mut symptom = symptom.with_details(found.details()).with_note(note).with_evidence(evidence);
    symptom.count = found.count;
    Some(symptom)
}

/// The number, and its name where it has one (RFC 2474, RFC 2597, RFC 3246, RFC 8622).
fn dscp_name(dscp: u8) -> String {
    match (dscp >> 3, dscp & 7) {
        (class, 0) => format!("{dscp} (CS{class})"),
        (class @ 1..=4, drop @ (2 | 4 | 6)) => format!("{dscp} (AF{class}{})", drop / 2),
        (5, 6) => format!("{dscp} (EF)"),
        (0, 1) => format!("{dscp} (LE)"),
        _ => dscp.to_string(),
    }
}

const fn ecn_name(bits: u8) -> &'static str {
    match bits {
        0 => "not-ECT",
        1 => "ECT(1)",
        2 => "ECT(0)",
        _ => "CE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_the_names_of_their_rfcs() {
        let names: Vec<String> = [0, 1, 8, 10, 26, 38, 46, 48, 47].map(dscp_name).into();
        let expected = [
            "0 (CS0)",
            "1 (LE)",
            "8 (CS1)",
            "10 (AF11)",
            "26 (AF31)",
            "38 (AF43)",
            "46 (EF)",
            "48 (CS6)",
            "47",
        ];
        assert_eq!(names, expected);
    }
}
