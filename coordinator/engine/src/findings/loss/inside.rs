//! Losses inside a host: segments that one of its interfaces shows, and the one that others go on to does not.
//!
//! On the way out such a segment left no host, so its loss is told where it is counted, as the sending host's. On the
//! way in it arrived, so it is no loss on the path: it has a `packet-loss` of its own, at the receiving host, if its
//! sender repeats it. Pure ACKs that die there are not told: nothing repeats them.

use super::draft::{Draft, Place};
use super::packets::severity;
use super::totals::{Cases, Shown};
use crate::findings::inside_host::{self, Stopped};
use crate::findings::view::host_of;
use crate::findings::{Odds, wording};
use crate::flow::Flow;
use crate::matching::{Piece, wire_segments};
use crate::point::{Point, Window};
use crate::sightings::{Spot, Stray};
use crate::stats::{self, real};
use correlate_proto::report::{
    Code, Confidence, Details, Evidence, EvidenceEvent, Finding, Location, LossCause,
};
use correlate_proto::{Direction, FourTuple};
use std::collections::BTreeMap;

/// How many of the places where packets were seen last a sentence names.
const PLACES_NAMED: usize = 3;

/// Packets, and the wire segments that they stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Stops {
    packets: u64,
    wire: u64,
}

/// What of a direction's losses the hosts' own interfaces show.
#[derive(Debug, Default, Clone)]
pub(crate) struct Inside {
    /// Of the segments lost, by where they were seen last in the sending host.
    sent: BTreeMap<Spot, Stops>,
    last_sent: Option<u64>,
    /// Segments that arrived at the receiving host and were sent again, by where they were seen last.
    arrived: BTreeMap<Spot, Stops>,
    /// How many runs of those there are.
    bursts: u64,
    cases: Cases,
}

impl Inside {
    /// `piece` was lost and seen last at `spot`; pieces of one packet come one after another.
    pub(crate) fn note_lost(&mut self, spot: Spot, piece: &Piece) {
        let stops = self.sent.entry(spot).or_default();
        stops.wire += u64::from(piece.wire);
        stops.packets += u64::from(self.last_sent != Some(piece.packet));
        self.last_sent = Some(piece.packet);
    }

    /// Takes in what connection `number` shows of a direction at its receiver, `point`.
    pub(crate) fn note_arrived(&mut self, number: u64, point: &Point, (flow, direction): (&Flow, Direction)) {
        let (client, server) = (flow.client(), flow.server());
        let tuple = match direction {
            Direction::ClientToServer => FourTuple { src: client, dst: server },
            Direction::ServerToClient => FourTuple { src: server, dst: client },
        };
        let own = flow.first.packet..=flow.last.packet;
        let strays = point.sightings.repeated(&tuple);
        let strays: Vec<&Stray> = strays.filter(|stray| own.contains(&stray.octets.packet)).collect();
        if strays.is_empty() {
            return;
        }
        let mss = flow.halves.iter().filter_map(|half| half.mss).min().map(u32::from);
        let mut next = None;
        for stray in &strays {
            let stops = self.arrived.entry(stray.spot()).or_default();
            stops.packets += 1;
            stops.wire += u64::from(wire_segments(stray.payload_len, mss));
            self.bursts += u64::from(next != Some(stray.octets.seq));
            next = Some(stray.octets.end());
        }
        let shown = strays.iter().map(|stray| Shown {
            sent: None,
            received: Some((stray.octets.packet, stray.octets.at)),
            len: stray.octets.len,
            ip_len: stray.ip_len,
        });
        self.cases.add(number, shown);
    }
}

/// Losses inside one host.
pub(super) struct Losses<'a> {
    place: Place<'a>,
    point: usize,
    host: Location,
    stopped: Vec<Stopped>,
    packets: u64,
    pub(super) wire: u64,
    grade: Confidence,
    /// All that the direction lost.
    all: bool,
    /// When they were there, by the host's clock.
    times: Option<(i64, i64)>,
}

/// What died inside the sending host of the losses of a direction. Nothing unless its own capture is complete and shows
/// where enough others went.
pub(super) fn on_sending<'a>(place: &Place<'a>, cases: &Cases) -> Option<Losses<'a>> {
    let (from, _) = place.ends();
    let (_, lost) = place.totals.delivered_and_lost();
    let losses = Losses::of(place, from, &place.totals.inside.sent, lost)?;
    let all = losses.wire == lost;
    Some(Losses { all, host: host_of(place.direction), times: cases.first_at.zip(cases.last_at), ..losses })
}

/// What arrived at the receiving host and died inside it.
pub(super) fn on_arrival<'a>(place: &Place<'a>) -> Option<Losses<'a>> {
    let inside = &place.totals.inside;
    let losses = Losses::of(place, place.ends().1, &inside.arrived, place.totals.spurious)?;
    let times = inside.cases.first_at.zip(inside.cases.last_at);
    Some(Losses { all: true, host: host_of(place.direction.reversed()), times, ..losses })
}

/// Loss inside the receiving host.
pub(super) fn packet_loss(place: &Place<'_>) -> Option<Finding> {
    let losses = on_arrival(place)?;
    let inside = &place.totals.inside;
    let (sent, lost) = (place.totals.arrived().max(losses.wire), losses.wire);
    let ratio = stats::ratio(lost, sent);
    let (low, high) = stats::wilson95(lost, sent);
    let sentence = format!(
        "{lost} of {sent} segments that arrived {} died inside {}: {:.2} % (95 % interval {:.2} to {:.2} %), {}. \
         Their sender repeated them; they were seen last {}; {}.",
        place.way(),
        losses.host_in_words(),
        ratio * 100.0,
        low * 100.0,
        high * 100.0,
        place.share(&inside.cases),
        losses.places(),
        losses.counters(),
    );
    let mean_burst = stats::ratio(losses.packets, inside.bursts);
    let cause = LossCause::Unknown;
    let finding = place.finding(Draft {
        code: Code::PacketLoss,
        severity: severity(lost, ratio),
        confidence: losses.grade,
        location: losses.host,
        cases: &inside.cases,
        count: lost,
        sentence,
        details: Details::Loss { sent, lost, ratio, ci95: [low, high], mean_burst, cause },
        absent: None,
        alternatives: Vec::new(),
    });
    Some(losses.locate(finding))
}

impl<'a> Losses<'a> {
    /// Those at `spots` of `point`, among `all` segments that there were to choose from.
    fn of(place: &Place<'a>, point: usize, spots: &BTreeMap<Spot, Stops>, all: u64) -> Option<Self> {
        let state = &place.session.points[point];
        if !inside_host::shows_all(state) || place.session.path_len > 2 {
            return None;
        }
        let known = spots.iter().filter_map(|(&spot, &stops)| {
            let stopped = |usual| Stopped { last: spot.last, usual, packets: stops.packets };
            state.sightings.usual(spot).map(|usual| (stopped(usual), stops))
        });
        let (stopped, stops): (Vec<Stopped>, Vec<Stops>) = known.unzip();
        let packets: u64 = stops.iter().map(|stops| stops.packets).sum();
        let wire: u64 = stops.iter().map(|stops| stops.wire).sum();
        let odds = stopped.iter().map(Stopped::odds).reduce(Odds::and)?;
        let grade = odds.plus(-choice(packets, all)).grade(1, 1);
        let host = Location::Unknown;
        let losses =
            Self { place: *place, point, host, stopped, packets, wire, grade, all: false, times: None };
        inside_host::is_sure(grade).then_some(losses)
    }

    /// `finding` with where they died, and as the host's own if all did.
    pub(super) fn tell(self, mut finding: Finding) -> Finding {
        let (places, counters) = (self.places(), self.counters());
        let host = self.host_in_words();
        let told = if self.all {
            format!(" All of them died inside {host}: they were seen last {places}; {counters}.")
        } else {
            format!(" {} of them died inside {host}: they were seen last {places}; {counters}.", self.wire)
        };
        finding.sentence.push_str(&told);
        self.locate(finding)
    }

    /// `finding` at the host, if all died there.
    pub(super) fn locate(self, mut finding: Finding) -> Finding {
        let point = &self.place.session.points[self.point];
        if let Some(stopped) = self.stopped.first() {
            finding.evidence.push(Evidence {
                capture_point: point.label.clone(),
                packet: None,
                at: None,
                event: EvidenceEvent::NeverSent,
                summary: format!("none of them {}", inside_host::place(point, stopped.usual.end)),
            });
        }
        if self.all {
            finding.location = self.host;
            finding.confidence = finding.confidence.min(self.grade);
            finding.alternatives = inside_host::alternative(point).into_iter().collect();
            inside_host::NEXT_STEP.clone_into(&mut finding.next_step);
        }
        finding
    }

    fn places(&self) -> String {
        let point = &self.place.session.points[self.point];
        let mut places: Vec<String> = self.stopped.iter().map(|stopped| stopped.words(point)).collect();
        places.truncate(PLACES_NAMED);
        places.join(", or ")
    }

    fn counters(&self) -> String {
        let point = &self.place.session.points[self.point];
        self.times.map_or_else(
            || wording::NO_COUNTERS.to_owned(),
            |(from, to)| inside_host::counters(point, Window { from, to }),
        )
    }

    const fn host_in_words(&self) -> &'static str {
        wording::host(self.host)
    }
}

/// What it costs that these `some` were picked out of `all` that might have been: ln C(all, some) at most.
fn choice(some: u64, all: u64) -> f64 {
    let chosen = some.min(all.saturating_sub(some));
    if chosen == 0 { 0.0 } else { real(chosen) * ((real(all) / real(chosen)).ln() + 1.0) }
}
