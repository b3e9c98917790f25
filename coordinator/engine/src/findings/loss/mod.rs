//! Loss on a path, over all its connections, and what else happens to segments there.
//!
//! How `packet-loss` and `ack-loss` share the losses of a direction:
//!
//! * The path's own counts in the report are wire segments, pure ACKs included: each lost copy counts.
//! * If a direction lost nothing but pure ACKs, that is `ack-loss`, a note, and no `packet-loss`: later ACKs make up
//!   for lost ones.
//! * If it lost other segments too and ACKs no more often than them, as far as chance can tell, it is one loss:
//!   `packet-loss` counts all of it, and there is no `ack-loss` beside it.
//! * If it lost ACKs more often than other segments beyond chance, `packet-loss` counts the others, `ack-loss` the
//!   ACKs.
//!
//! So every lost segment is told once. What other findings explain is no part of either: a dead direction, a size that
//! does not pass, a forgotten connection, an `outage`.

mod acks;
mod cause;
mod draft;
mod inside;
mod odd;
mod outage;
mod packets;
mod totals;

pub(crate) use totals::PathTotals;

use crate::session::Session;
use correlate_proto::Direction;
use correlate_proto::report::{Finding, PathReport};
use draft::Place;
use outage::Outages;
use std::collections::BTreeMap;
use totals::Completeness;

/// Totals by upstream point, downstream point and direction.
type Paths = BTreeMap<(usize, usize, Direction), PathTotals>;

/// The loss findings of all paths, and the paths for the report.
pub(crate) fn loss_findings(session: &Session) -> (Vec<Finding>, Vec<PathReport>) {
    let completeness = Completeness::of(session);
    let mut findings = Vec::new();
    let unexplained: Paths = session
        .paths
        .iter()
        .map(|(&(up, down, direction), totals)| {
            let place = Place { session, up, down, direction, totals };
            let mut rest = totals.clone();
            if let Some(outages) = Outages::of(&place) {
                findings.extend(outage::outage(&place, &outages));
                outages.explain(&mut rest, place.receiver_is_suspect());
            }
            ((up, down, direction), rest)
        })
        .collect();
    let mut reports = Vec::new();
    for (&(up, down, direction), totals) in &unexplained {
        let place = Place { session, up, down, direction, totals };
        let back = unexplained.get(&(up, down, direction.reversed()));
        reports.push(packets::path_report(&place));
        findings.extend(packets::packet_loss(&place));
        findings.extend(inside::packet_loss(&place));
        findings.extend(
            back.and_then(|back| packets::asymmetric_loss(&place, &place.reversed(back), &completeness)),
        );
        findings.extend(acks::ack_loss(&place, &completeness));
        findings.extend(odd::reordering(&place));
        findings.extend(odd::duplication(&place));
        findings.extend(odd::spurious(&place));
    }
    (findings, reports)
}
