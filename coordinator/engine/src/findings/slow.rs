//! Hosts that take their time: think time dominates the exchanges, the network's time does not (ALGORITHMS §6.2).

use super::view::host_of;
use super::{Sighting, Symptom, Told, View, wording};
use crate::delay::{Mark, Slow, Totals};
use crate::flow::Flow;
use correlate_proto::Direction;
use correlate_proto::report::{Code, Confidence, Details, EvidenceEvent, Severity};

/// Think time dominates if it is so many times the network's.
const DOMINATES: i64 = 5;

/// An end that asks is slow only if it was so twice: one silence is a pause between two dialogues.
const LEAST_SILENCES: u64 = 2;

/// What one host took for itself.
struct Taken {
    ns: i64,
    /// What it could as well have taken time for: what the rest of the exchanges took.
    beside: i64,
    longest: Option<(Mark, Mark)>,
    /// What the first packet of `longest` was at the host.
    since: EvidenceEvent,
    alternative: &'static str,
}

/// Checks the exchanges of a connection.
pub(super) fn check(view: &View<'_>, symptoms: &mut Vec<Symptom>) {
    let Some((asks, totals)) = view.connection.exchanges() else { return };
    if totals.is_overlapping() {
        return;
    }
    symptoms.extend(slow_to_answer(&totals).and_then(|taken| told(view, asks.reversed(), &totals, &taken)));
    symptoms.extend(slow_to_ask(&totals).and_then(|taken| told(view, asks, &totals, &taken)));
}

fn slow_to_answer(totals: &Totals) -> Option<Taken> {
    let Slow { times, longest, .. } = totals.slow_answers;
    let [_, ns] = totals.think();
    let taken = Taken {
        ns,
        beside: totals.network,
        longest,
        since: EvidenceEvent::Received,
        alternative: "an application that holds answers back by design: long polling, a queue, a lock",
    };
    (times > 0 && taken.dominates()).then_some(taken)
}

/// The end that asks held the dialogue up: within requests, or again and again between an answer and what it said to
/// that. A long silence is no part of a dialogue.
fn slow_to_ask(totals: &Totals) -> Option<Taken> {
    let (silences, pauses) = (totals.slow_requests, totals.slow_pauses);
    let repeated = silences.times >= LEAST_SILENCES;
    let ns = pauses.ns.saturating_add(if repeated { silences.ns } else { 0 });
    let [_, served] = totals.think();
    let taken = Taken {
        ns,
        beside: totals.network.saturating_add(served),
        longest: if repeated { silences.longest } else { pauses.longest },
        since: if repeated { EvidenceEvent::Received } else { EvidenceEvent::Sent },
        alternative: "an application, or a person, that had nothing to ask",
    };
    ((repeated || pauses.times > 0) && taken.dominates()).then_some(taken)
}

impl Taken {
    const fn dominates(&self) -> bool {
        self.ns >= self.beside.saturating_mul(DOMINATES)
    }
}

/// The host where `direction` begins took its time.
fn told(view: &View<'_>, direction: Direction, totals: &Totals, taken: &Taken) -> Option<Symptom> {
    let flow = view.connection.sender(direction)?;
    let code = match direction {
        Direction::ClientToServer => Code::SlowClient,
        Direction::ServerToClient => Code::SlowServer,
    };
    let confidence = if view.point(flow).is_suspect() { Confidence::Strong } else { Confidence::Proven };
    let details = Details::Think { think_ns: taken.ns, network_ns: totals.network, exchanges: totals.count };
    let symptom = Symptom::new(code, Severity::Info, confidence, host_of(direction), say)
        .with_details(details)
        .with_evidence(taken.longest.map_or_else(Vec::new, |marks| evidence(flow, marks, taken.since)));
    Some(symptom.or_else(taken.alternative))
}

fn evidence(flow: &Flow, (from, to): (Mark, Mark), since: EvidenceEvent) -> Vec<Sighting> {
    let sighting = |mark: Mark, event, summary: String| Sighting {
        point: flow.point,
        packet: Some(mark.packet),
        at: Some(mark.at),
        event,
        summary,
    };
    let after = wording::span(to.at.saturating_sub(from.at));
    vec![
        sighting(from, since, "data before the pause".to_owned()),
        sighting(to, EvidenceEvent::Sent, format!("the next data, {after} later")),
    ]
}

fn say(told: &Told<'_>) -> String {
    let host = if told.worst.code == Code::SlowClient { "client" } else { "server" };
    let Details::Think { think_ns, network_ns, exchanges } = told.worst.details else {
        return format!("The {host} took its time, in {}.", told.of);
    };
    format!(
        "The {host} took {} to think over {}, in which the network took {}, in {}.",
        wording::span(think_ns),
        wording::count(exchanges, "exchange", "exchanges"),
        wording::span(network_ns),
        told.of
    )
}
