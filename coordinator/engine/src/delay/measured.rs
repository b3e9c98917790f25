//! What was measured of a connection, kept for the report until the clocks are known.

use super::figures::figures;
use super::{Samples, Totals};
use crate::clock::PairClock;
use crate::connection::Connection;
use correlate_proto::report::{ConnectionReport, ExchangesReport, ReportTime, SlowestExchange};
use correlate_proto::{Direction, Timestamp};

/// What was measured of a connection.
#[derive(Debug)]
pub(crate) struct Measured {
    /// The upstream and the downstream capture point.
    pub(crate) points: (usize, usize),
    samples: [Samples; 2],
    exchanges: Option<(Direction, Totals)>,
}

impl Measured {
    /// Takes what was measured out of `connection`; `None` if nothing was, or not between two points.
    pub(crate) fn take(connection: &mut Connection) -> Option<Box<Self>> {
        let exchanges = connection.exchanges();
        let delays = connection.delays.take()?;
        let (up, down) = (connection.flows.first()?.as_ref()?, connection.flows.last()?.as_ref()?);
        Some(Box::new(Self { points: (up.point, down.point), samples: delays.samples, exchanges }))
    }

    /// Enters the figures in the connection's report, now that `clock` is known.
    pub(crate) fn enter(&self, report: &mut ConnectionReport, clock: &PairClock) {
        for direction in Direction::BOTH {
            let way = match direction {
                Direction::ClientToServer => &mut report.directions.client_to_server,
                Direction::ServerToClient => &mut report.directions.server_to_client,
            };
            (way.one_way_delay_ns, way.queueing_ns) =
                figures(&self.samples[direction.index()], clock, direction);
        }
        report.exchanges = self.exchanges.and_then(|(asks, totals)| exchanges(&totals, clock, asks));
    }
}

fn exchanges(totals: &Totals, clock: &PairClock, asks: Direction) -> Option<ExchangesReport> {
    if totals.is_overlapping() {
        return None;
    }
    let slowest = totals.slowest?;
    // The reference clock is the client's.
    let started = match asks {
        Direction::ClientToServer => slowest.asked.at,
        Direction::ServerToClient => {
            let offset = clock.offset_at(Timestamp::from_ns(slowest.answer.received)).estimate?;
            slowest.asked.at.saturating_sub(offset.as_ns())
        }
    };
    Some(ExchangesReport {
        count: totals.count,
        incomplete: totals.incomplete,
        overlapping: totals.overlapping,
        total: totals.split(clock, asks)?,
        slowest: SlowestExchange { started_at: ReportTime(started), time: slowest.split(clock, asks)? },
    })
}
