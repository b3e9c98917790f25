//! One connection in the report.

use crate::connection::{Connection, PacketRef, SentState, Tally};
use crate::flow::Flow;
use crate::session::Session;
use correlate_proto::report::{
    ClosedBy, ConnectionReport, DirectionReport, HandshakeReport, PerDirection, ReportTime, SeenAs,
};
use correlate_proto::{Direction, Endpoint};
use std::net::{IpAddr, Ipv4Addr};

/// What became of a connection, for the totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Healthy,
    Problem,
    /// One of two that a proxy joins: its own end shows it whole.
    Proxied,
    Unpaired,
}

impl Outcome {
    /// Its name in the report.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Problem => "problem",
            Self::Proxied => "proxied",
            Self::Unpaired => "unpaired",
        }
    }
}

/// Describes `connection`; its findings are entered when all are known.
pub(crate) fn describe_connection(session: &Session, connection: &Connection) -> ConnectionReport {
    let flow = connection.seen_flows().next();
    let nobody = Endpoint { addr: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: 0 };
    let (client, server) = flow.map_or((nobody, nobody), |flow| (flow.client(), flow.server()));
    let times = |pick: fn(&Flow) -> PacketRef| {
        connection.seen_flows().map(move |flow| session.to_reference(flow.point, pick(flow).at))
    };
    ConnectionReport {
        id: format!("c{}", connection.number),
        initiator: connection.initiator(),
        client: client.into(),
        server: server.into(),
        seen_as: seen_as(session, connection),
        state: state(connection).to_owned(),
        closed_by: closed_by(connection),
        started_at: ReportTime(times(|flow| flow.first).min().unwrap_or(0)),
        ended_at: ReportTime(times(|flow| flow.last).max().unwrap_or(0)),
        directions: PerDirection {
            client_to_server: direction_report(session, connection, Direction::ClientToServer),
            server_to_client: direction_report(session, connection, Direction::ServerToClient),
        },
        handshake: handshake(connection),
        exchanges: None,
        findings: Vec::new(),
    }
}

fn seen_as(session: &Session, connection: &Connection) -> Option<Vec<SeenAs>> {
    let mut ends = connection.seen_flows().map(|flow| (flow.client(), flow.server()));
    let first = ends.next()?;
    ends.any(|other| other != first).then(|| {
        connection
            .seen_flows()
            .map(|flow| SeenAs {
                capture_point: session.points[flow.point].label.clone(),
                client: flow.client().into(),
                server: flow.server().into(),
            })
            .collect()
    })
}

fn state(connection: &Connection) -> &'static str {
    let any = |test: &dyn Fn(&Flow) -> bool| connection.seen_flows().any(test);
    let refused = connection.resets.iter().any(|reset| reset.answers_syn);
    if refused {
        return "refused";
    }
    if !connection.resets.is_empty() {
        return "reset";
    }
    let fins = [0, 1].map(|half| any(&|flow: &Flow| flow.halves[half].fin.is_some()));
    match fins {
        [true, true] => return "closed",
        [true, false] | [false, true] => return "half-closed",
        [false, false] => {}
    }
    if connection.handshake.iter().any(|log| log.ack.is_some()) {
        "established"
    } else if connection.handshake.iter().any(|log| log.syn_ack.count() > 0) {
        "syn-received"
    } else if connection.handshake.iter().any(|log| log.syn.count() > 0) {
        "syn-sent"
    } else {
        "mid-stream"
    }
}

fn closed_by(connection: &Connection) -> Option<ClosedBy> {
    if let Some(reset) = connection.resets.iter().min_by_key(|reset| (reset.position, reset.packet.packet))
        && !reset.after_close
    {
        let forged = connection.resets.iter().any(|reset| {
            let sender = connection.sender_position(reset.direction);
            reset.position != sender && reset.state == SentState::OneEnded
        });
        return Some(if forged { ClosedBy::Device } else { ClosedBy::Reset });
    }
    // Who closed first, as each end's capture has it: FINs in packet order at one point cannot deceive.
    let first_here = |flow: &Flow| {
        let fins = Direction::BOTH.map(|direction| flow.half(direction).fin.map(|fin| fin.packet));
        match fins {
            [Some(client), Some(server)] if client < server => Some(ClosedBy::Client),
            [Some(_), None] => Some(ClosedBy::Client),
            [Some(_) | None, Some(_)] => Some(ClosedBy::Server),
            [None, None] => None,
        }
    };
    let mut votes = connection.seen_flows().filter_map(first_here);
    let first = votes.next()?;
    Some(if votes.any(|other| other != first) { ClosedBy::Both } else { first })
}

fn direction_report(session: &Session, connection: &Connection, direction: Direction) -> DirectionReport {
    let (sender, receiver) = (connection.sender(direction), connection.receiver(direction));
    let half = |flow: &Flow| (flow.half(direction).wire_segments, flow.half(direction).payload_bytes);
    let tally = |pick: fn(&Tally) -> u64| {
        connection.hops.iter().map(|hop| pick(&hop.tallies[direction.index()])).sum::<u64>()
    };
    // What rests on the silence of a capture that lacks packets does not count.
    let suspect = |flow: Option<&Flow>| flow.is_some_and(|flow| session.points[flow.point].is_suspect());
    let unproven = if suspect(receiver) { tally(|tally| tally.lost_unconfirmed) } else { 0 };
    let likely = if suspect(sender) { 0 } else { tally(|tally| tally.duplicated_or_missed) };
    DirectionReport {
        segments_sent: sender.map_or(0, |flow| half(flow).0),
        segments_received: receiver.map_or(0, |flow| half(flow).0),
        segments_lost: tally(|tally| tally.lost).saturating_sub(unproven),
        bytes: sender.into_iter().chain(receiver).map(|flow| half(flow).1).max().unwrap_or(0),
        retransmitted: sender.map_or(0, |flow| flow.half(direction).retransmitted),
        spurious: tally(|tally| tally.spurious),
        reordered: tally(|tally| tally.reordered),
        duplicated: tally(|tally| tally.duplicated) + likely,
        one_way_delay_ns: None,
        queueing_ns: None,
    }
}

fn handshake(connection: &Connection) -> HandshakeReport {
    let forward = connection.opened().unwrap_or(Direction::ClientToServer);
    let opener = &connection.handshake[connection.sender_position(forward)];
    let responder = &connection.handshake[connection.sender_position(forward.reversed())];
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let rtt_ns = match (opener.syn.first(), opener.syn_ack.first()) {
        (Some(syn), Some(answer)) if opener.syn.count() == 1 => Some(answer.at - syn.at),
        _ => None,
    };
    HandshakeReport {
        syn_sent: count(opener.syn.count()),
        syn_received: count(responder.syn.count()),
        syn_ack_sent: count(responder.syn_ack.count()),
        syn_ack_received: count(opener.syn_ack.count()),
        ack_sent: u32::from(opener.ack.is_some()),
        ack_received: u32::from(responder.ack.is_some()),
        rtt_ns,
    }
}
