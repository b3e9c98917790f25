//! What became of the SYNs of a connection that one end alone saw.
//!
//! There is no other end to hold them against, so the findings decide: they have cleared the far end's capture.

use super::{Fate, FateRecord, Pending};
use crate::connection::{Connection, PacketRef};
use crate::findings::Symptom;
use crate::session::Session;
use correlate_proto::Direction;
use correlate_proto::report::{Code, Confidence};

impl Session {
    /// Traces the fates of the SYNs of `connection`, if it is one that only its opener's end saw: lost, or stopped by
    /// whoever refused, where a finding says so.
    pub(crate) fn trace_unanswered(&mut self, connection: &Connection, symptoms: &[Symptom]) {
        let (Some(forward), true) = (connection.opened(), self.config.trace_fates) else { return };
        let (sender, receiver) =
            (connection.sender_position(forward), connection.sender_position(forward.reversed()));
        if connection.flows[sender].is_none() || connection.flows[receiver].is_some() {
            return;
        }
        let told =
            symptoms.iter().find(|symptom| matches!(symptom.code, Code::SynLost | Code::RefusedInPath));
        let lost = told.is_some_and(|symptom| symptom.confidence > Confidence::Unconfirmed);
        let far = self.points.iter().position(|point| point.position == receiver);
        for syn in connection.handshake[sender].syn.iter() {
            let covered = far.is_some_and(|far| self.covers_arrival(syn.at, syn.point, far));
            let fate = match (lost, covered) {
                (true, true) => Fate::Lost,
                (false, true) => Fate::Ambiguous,
                (_, false) => Fate::Uncovered,
            };
            let record = self.record_of_syn(*syn, forward, fate);
            match far.filter(|_| fate == Fate::Lost) {
                Some(far) => {
                    self.pending_fates.push(Pending { record, point: far, otherwise: Fate::Ambiguous });
                }
                None => self.fates.push(record),
            }
        }
    }

    fn record_of_syn(&self, syn: PacketRef, direction: Direction, fate: Fate) -> FateRecord {
        let point = self.points[syn.point].info.id;
        FateRecord { point, packet: syn.packet, direction, len: 1, wire: 1, ip_id: None, fate }
    }
}
