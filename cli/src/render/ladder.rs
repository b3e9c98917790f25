//! The handshake of the first connection of a finding, drawn between the two ends.

use super::layout::table;
use correlate_proto::report::{Code, ConnectionReport, Finding, Initiator, Report};

/// How many packets of one kind one end saw leave and the other saw come.
struct Leg {
    name: &'static str,
    sent: u32,
    received: u32,
    from_client: bool,
}

/// The drawing, or nothing for a finding that is not about the handshake.
pub(super) fn lines(finding: &Finding, report: &Report) -> Vec<String> {
    if !about_the_handshake(finding.code) {
        return Vec::new();
    }
    let connection = finding
        .connections
        .first()
        .and_then(|id| report.connections.iter().find(|connection| connection.id == *id));
    connection.map(draw).unwrap_or_default()
}

const fn about_the_handshake(code: Code) -> bool {
    matches!(
        code,
        Code::SynLost
            | Code::SynAckLost
            | Code::HandshakeAckLost
            | Code::SynUnanswered
            | Code::SynAckIgnored
            | Code::ConnectionRefused
            | Code::RefusedInPath
    )
}

fn draw(connection: &ConnectionReport) -> Vec<String> {
    let seen = &connection.handshake;
    let opens = connection.initiator == Initiator::Client;
    let legs = [
        Leg { name: "SYN", sent: seen.syn_sent, received: seen.syn_received, from_client: opens },
        Leg {
            name: "SYN-ACK",
            sent: seen.syn_ack_sent,
            received: seen.syn_ack_received,
            from_client: !opens,
        },
        Leg { name: "ACK", sent: seen.ack_sent, received: seen.ack_received, from_client: opens },
    ];
    let mut rows = vec![vec![connection.id.clone(), "client".to_owned(), String::new(), "server".to_owned()]];
    rows.extend(legs.iter().filter(|leg| leg.sent > 0 || leg.received > 0).map(row));
    if rows.len() == 1 {
        return Vec::new();
    }
    table(&rows, &[false, true], 4)
}

fn row(leg: &Leg) -> Vec<String> {
    let arrow = match (leg.sent > 0, leg.received > 0, leg.from_client) {
        (true, true, true) => "-------->",
        (true, true, false) => "<--------",
        (true, false, true) => "-----x   ",
        (true, false, false) => "   x-----",
        // It came, and the other end never sent it.
        (false, _, true) => "   ?---->",
        (false, _, false) => "<----?   ",
    };
    let sent = format!("{} sent", leg.sent);
    let received = format!("{} received", leg.received);
    let (client, server) = if leg.from_client { (sent, received) } else { (received, sent) };
    vec![leg.name.to_owned(), client, arrow.to_owned(), server]
}
