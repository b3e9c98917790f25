//! Options of the SYNs: an MSS that was changed, options that were removed, flags that agree on ECN.

use super::{Way, both_ends, name_of};
use crate::connection::{Offer, Terms};
use crate::findings::Symptom;
use correlate_proto::report::{Code, Confidence, Details, Severity};

/// An option by name, and whether terms have it.
type Named = (&'static str, fn(&Terms) -> bool);

const WINDOW_SCALE: &str = "window scale";

/// The options of a handshake that are compared; of others (Fast Open, multipath) no record is kept.
const OPTIONS: [Named; 4] = [
    ("maximum segment size", |terms| terms.mss.is_some()),
    (WINDOW_SCALE, |terms| terms.window_scale.is_some()),
    ("SACK-permitted", |terms| terms.sack_permitted),
    ("timestamps", |terms| terms.timestamps),
];

/// Compares the SYNs and SYN-ACKs of a direction. A missing window scale is not told again where it is a finding of
/// its own.
pub(super) fn check(way: &Way<'_>, scale_is_told: bool, symptoms: &mut Vec<Symptom>) {
    let mut found: [Option<Symptom>; 3] = [None, None, None];
    for (sent, received) in way.openings() {
        let (Some(before), Some(after)) = (sent.terms, received.terms) else { continue };
        let pair = Pair { way, sent, received, before, after };
        let symptoms = [pair.mss_clamped(), pair.stripped(scale_is_told), pair.ecn_flags_cleared()];
        for (kept, new) in found.iter_mut().zip(symptoms) {
            if let Some(new) = new {
                kept.get_or_insert(new);
            }
        }
    }
    symptoms.extend(found.into_iter().flatten());
}

/// A SYN or SYN-ACK as it was sent and as it arrived.
struct Pair<'a> {
    way: &'a Way<'a>,
    sent: &'a Offer,
    received: &'a Offer,
    before: Terms,
    after: Terms,
}

impl Pair<'_> {
    /// Whether a field of the terms changed on the way, and what that is worth. A stack that repeats a SYN may
    /// leave options out: where the copies cannot be told apart for sure, the value that arrived must be in none
    /// of those that were sent.
    fn changed<T: PartialEq>(&self, field: impl Fn(&Terms) -> T) -> Option<Confidence> {
        if field(&self.before) == field(&self.after) {
            return None;
        }
        if self.sent.is_surely(self.received) {
            return Some(Confidence::Proven);
        }
        let (sent, _) = self.way.offers();
        let mut copies = sent.of_kind(self.sent.answers).filter_map(|offer| offer.terms);
        (!copies.any(|copy| field(&copy) == field(&self.after))).then_some(Confidence::Strong)
    }

    fn symptom(&self, code: Code, severity: Severity, confidence: Confidence, note: String) -> Symptom {
        let mut symptom = self.way.symptom(code, severity, |told| {
            format!("A device changed the handshake {}: {}, in {}.", told.way(), told.worst.note, told.of)
        });
        symptom.confidence = confidence;
        symptom.with_note(note)
    }

    fn shown(&self, before: &str, after: &str) -> Vec<crate::findings::Sighting> {
        let what = name_of(self.sent);
        let (before, after) = (format!("{what}, {before}"), format!("{what}, {after}"));
        both_ends(self.sent.packet, self.received.packet, before, after).into()
    }

    fn mss_clamped(&self) -> Option<Symptom> {
        let after = self.after.mss?;
        let confidence = self.changed(|terms| terms.mss)?;
        let describe = |mss: Option<u16>| mss.map_or_else(|| "no MSS".to_owned(), |mss| format!("MSS {mss}"));
        let (was, is) = (describe(self.before.mss), describe(self.after.mss));
        let note = format!("{was} became {is}");
        let details = Details::Changed { before: self.before.mss.map(u32::from), after: Some(after.into()) };
        let symptom = self.symptom(Code::MssClamped, Severity::Info, confidence, note);
        Some(symptom.with_details(details).with_evidence(self.shown(&was, &is)))
    }

    fn stripped(&self, scale_is_told: bool) -> Option<Symptom> {
        let mut gone: Vec<&'static str> = Vec::new();
        let mut worst = Confidence::Proven;
        for (name, has) in OPTIONS {
            if scale_is_told && name == WINDOW_SCALE {
                continue;
            }
            if has(&self.before)
                && let Some(confidence) = self.changed(has)
            {
                gone.push(name);
                worst = worst.min(confidence);
            }
        }
        if gone.is_empty() {
            return None;
        }
        let names = gone.join(" and ");
        let note = format!("it took out {names}");
        let details = Details::Stripped { options: gone.into_iter().map(str::to_owned).collect() };
        let symptom = self.symptom(Code::OptionStripped, Severity::Warning, worst, note);
        let evidence = self.shown(&format!("with {names}"), &format!("without {names}"));
        Some(symptom.with_details(details).with_evidence(evidence))
    }

    fn ecn_flags_cleared(&self) -> Option<Symptom> {
        let confidence = self.changed(|terms| terms.ecn)?;
        let details =
            Details::Changed { before: Some(self.before.ecn.into()), after: Some(self.after.ecn.into()) };
        let note = "its flags for agreeing on ECN are not those that were sent".to_owned();
        let describe = |flags: u16| format!("ECN flags {flags:#05x}");
        let evidence = self.shown(&describe(self.before.ecn), &describe(self.after.ecn));
        let symptom = self.symptom(Code::EcnBleached, Severity::Warning, confidence, note);
        Some(symptom.with_details(details).with_evidence(evidence))
    }
}
