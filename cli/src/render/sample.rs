//! Reports made by hand, for the tests of everything that reads a report.

use correlate_proto::report::{
    CapturePointReport, ClockReport, Code, Confidence, ConnectionReport, ConnectionTotals, Details,
    DirectionReport, EndpointReport, Evidence, EvidenceEvent, ExchangesReport, Finding, HandshakeReport,
    HostTime, Initiator, Location, NetworkTime, PathReport, PerDirection, Report, ReportTime, SCHEMA,
    Session, Severity, SlowestExchange, Status, TimeSplit, Tool, Verdict, WayTime,
};
use correlate_proto::{Direction, Role};
use std::collections::BTreeMap;

const START: i64 = 1_700_000_000_000_000_000;

fn point(role: Role, id: &str, host: &str) -> CapturePointReport {
    CapturePointReport {
        id: id.into(),
        role,
        host: host.into(),
        interfaces: Vec::new(),
        link_type: "EN10MB".into(),
        first_packet_at: Some(ReportTime(START)),
        last_packet_at: Some(ReportTime(START + 7_250_000_000)),
        packets: 1204,
        bytes: 120_400,
        dropped_by_kernel: 0,
        dropped_by_agent: 0,
        truncated: 0,
        skipped: BTreeMap::new(),
        offloads: None,
    }
}

fn path(direction: Direction) -> PathReport {
    let (from, to) = match direction {
        Direction::ClientToServer => ("client", "server"),
        Direction::ServerToClient => ("server", "client"),
    };
    PathReport {
        from: from.into(),
        to: to.into(),
        direction,
        segments_sent: 602,
        segments_lost: 0,
        loss_ratio: Some(0.0),
        loss_ci95: Some([0.0, 0.006_35]),
        min_rtt_ns: Some(20_123_456),
    }
}

/// A report of two files without findings.
pub(crate) fn report() -> Report {
    Report {
        schema: SCHEMA,
        tool: Tool { name: "correlate".into(), version: "0.1.0".into() },
        session: Session {
            id: "analyze".into(),
            started_at: Some(ReportTime(START)),
            ended_at: Some(ReportTime(START + 7_250_000_000)),
            filter: "port 5432".into(),
            command: None,
        },
        verdict: Verdict {
            status: Status::Clean,
            code: None,
            sentence: "No problem was found in 3 connections.".into(),
            reasons: Vec::new(),
        },
        capture_points: vec![
            point(Role::Client, "client", "a.pcap"),
            point(Role::Server, "server", "b.pcap"),
        ],
        clocks: vec![ClockReport {
            from: "client".into(),
            to: "server".into(),
            offset_ns: Some(12_345_678),
            uncertainty_ns: Some(10_061_728),
            bound_ns: Some([2_283_950, 22_407_406]),
            skew_ppb: Some(-1_234),
            samples: 1204,
            method: "max-margin".into(),
            steps: Vec::new(),
        }],
        connections: Vec::new(),
        paths: Direction::BOTH.map(path).to_vec(),
        connection_totals: ConnectionTotals {
            total: 3,
            by_state: BTreeMap::from([("closed".into(), 3)]),
            by_outcome: BTreeMap::from([("healthy".into(), 3)]),
        },
        findings: Vec::new(),
    }
}

/// A finding of that code and severity, proven, with one packet.
pub(crate) fn finding(code: Code, severity: Severity) -> Finding {
    Finding {
        id: "f1".into(),
        code,
        severity,
        confidence: Confidence::Proven,
        location: Location::ServerToClientPath,
        direction: Some(Direction::ServerToClient),
        toward: None,
        connections: vec!["c1".into()],
        connection_count: 1,
        count: 1,
        first_at: Some(ReportTime(START)),
        last_at: Some(ReportTime(START)),
        sentence: "The server sent 7 SYN-ACKs and none reached the client.".into(),
        details: Details::Counts { sent: 7, received: 0 },
        evidence: vec![Evidence {
            capture_point: "server".into(),
            packet: Some(2),
            at: Some(ReportTime(START + 12_000)),
            event: EvidenceEvent::Sent,
            summary: "SYN-ACK 10.0.0.2:5432 > 10.0.0.1:40000 seq 9 ack 8".into(),
        }],
        alternatives: vec!["a firewall on the client's host in front of its capture point".into()],
        next_step: "Look at what stands on the way back from the server to the client.".into(),
    }
}

/// A report with one lost SYN-ACK in one of two connections.
pub(crate) fn broken() -> Report {
    let mut lost = finding(Code::SynAckLost, Severity::Error);
    lost.evidence.push(Evidence {
        capture_point: "client".into(),
        packet: None,
        at: Some(ReportTime(START + 20_012_000)),
        event: EvidenceEvent::NeverReceived,
        summary: "the same SYN-ACK".into(),
    });
    Report {
        verdict: Verdict {
            status: Status::Problem,
            code: Some(Code::SynAckLost),
            sentence: "SYN-ACKs are lost on the way from the server to the client.".into(),
            reasons: vec!["the clocks are aligned to ± 10 ms only".into()],
        },
        connections: vec![connection()],
        connection_totals: ConnectionTotals {
            total: 2,
            by_state: BTreeMap::from([("closed".into(), 1), ("syn-sent".into(), 1)]),
            by_outcome: BTreeMap::from([("healthy".into(), 1), ("problem".into(), 1)]),
        },
        findings: vec![lost],
        ..report()
    }
}

fn connection() -> ConnectionReport {
    ConnectionReport {
        id: "c1".into(),
        initiator: Initiator::Client,
        client: EndpointReport { address: "10.0.0.1".into(), port: 40_000 },
        server: EndpointReport { address: "2001:db8::2".into(), port: 5432 },
        seen_as: None,
        state: "syn-received".into(),
        closed_by: None,
        started_at: ReportTime(START),
        ended_at: ReportTime(START + 7_000_000_000),
        directions: PerDirection {
            client_to_server: DirectionReport::default(),
            server_to_client: DirectionReport::default(),
        },
        handshake: HandshakeReport {
            syn_sent: 3,
            syn_received: 3,
            syn_ack_sent: 7,
            syn_ack_received: 0,
            ack_sent: 0,
            ack_received: 0,
            rtt_ns: None,
        },
        exchanges: None,
        findings: vec!["f1".into()],
    }
}

/// Four exchanges in which the server thought so long altogether, and the network took 61 ms.
pub(crate) fn exchanges(server_ns: i64) -> ExchangesReport {
    let way = WayTime { queueing_ns: 5_000_000, sending_ns: 1_000_000, ..WayTime::default() };
    let lossy = WayTime { recovery_ns: 15_000_000, ..WayTime::default() };
    let network = NetworkTime {
        total_ns: 61_000_000,
        propagation_ns: 40_000_000,
        client_to_server: way,
        server_to_client: lossy,
    };
    let total = TimeSplit {
        whole_ns: server_ns + 61_000_000 + 900_000_000,
        client: HostTime { think_ns: 900_000_000, pause_ns: 0 },
        server: HostTime { think_ns: server_ns, pause_ns: 0 },
        network,
    };
    let slowest = TimeSplit {
        whole_ns: 720_000_000,
        server: HostTime { think_ns: 710_000_000, pause_ns: 0 },
        network: NetworkTime { total_ns: 10_000_000, propagation_ns: 10_000_000, ..NetworkTime::default() },
        ..TimeSplit::default()
    };
    let slowest = SlowestExchange { started_at: ReportTime(START), time: slowest };
    ExchangesReport { count: 4, incomplete: 0, overlapping: 0, total, slowest }
}
