//! Times as the hosts' own clocks showed them.
//!
//! The engine works on steady time ([`crate::steady`]). Whoever looks a packet up in a capture, or in a host's log,
//! needs the time that the host showed: every time that leaves the engine is mapped back here, and nowhere else.

use crate::session::Session;
use correlate_proto::report::{ConnectionReport, Finding, ReportTime};

/// Maps times of a session back to the clocks that its hosts showed.
pub(crate) struct OwnTime<'a> {
    session: &'a Session,
    reference: usize,
    /// Whether any point's times are other than its stamps.
    mapped: bool,
}

impl<'a> OwnTime<'a> {
    /// For the points of `session`.
    pub(crate) fn of(session: &'a Session) -> Self {
        let reference = session.points.iter().position(|point| point.position == 0).unwrap_or(0);
        Self { session, reference, mapped: session.points.iter().any(|point| point.steady.is_some()) }
    }

    /// An instant of the reference clock.
    pub(crate) fn reference(&self, at: ReportTime) -> ReportTime {
        self.at(self.reference, at)
    }

    /// The times of a finding: those of its evidence by each point's clock, the others by the reference clock. What
    /// `clock-step` says was never mapped.
    pub(crate) fn finding(&self, finding: &mut Finding) {
        if !self.mapped {
            return;
        }
        for evidence in &mut finding.evidence {
            let point = self.session.points.iter().position(|point| point.label == evidence.capture_point);
            evidence.at = point.and_then(|point| evidence.at.map(|at| self.at(point, at)));
        }
        for at in [&mut finding.first_at, &mut finding.last_at].into_iter().flatten() {
            *at = self.reference(*at);
        }
    }

    /// The times of a connection.
    pub(crate) fn connection(&self, connection: &mut ConnectionReport) {
        connection.started_at = self.reference(connection.started_at);
        connection.ended_at = self.reference(connection.ended_at);
        if let Some(exchanges) = &mut connection.exchanges {
            exchanges.slowest.started_at = self.reference(exchanges.slowest.started_at);
        }
    }

    fn at(&self, point: usize, at: ReportTime) -> ReportTime {
        self.session.points.get(point).map_or(at, |point| ReportTime(point.own_time(at.0)))
    }
}
