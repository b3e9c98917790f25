//! Live captures of hosts whose wall clocks are slewed and set: real packets, agents, sessions and recordings.

use crate::support::scratch::{self, say};
use crate::support::skewed::{Agent, Wrong};
use correlate_coordinator::{Embedded, Outcome, PointSpec, SessionEvent, SessionOptions, replay};
use correlate_lab::{ClockError, ClockStep, Lab, LabError, Slew, find};
use correlate_proto::Role;
use correlate_proto::report::{Code, Details, Report, Severity, Status};
use correlate_tests::permits::Permit;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const MS: i64 = 1_000_000;

/// The client is slewed hard and set forward by two seconds; the server is set back a little, and a lot.
const CLIENT: ClockError = ClockError {
    offset_ns: 0,
    skew_ppb: 12_000,
    slews: &[
        Slew { at_ms: 1_200, ppb: 450_000 },
        Slew { at_ms: 2_600, ppb: -380_000 },
        Slew { at_ms: 3_900, ppb: 5_000 },
    ],
    steps: &[ClockStep { at_ms: 2_300, by_ns: 2_000 * MS }],
};
const SERVER: ClockError = ClockError {
    offset_ns: 0,
    skew_ppb: -30_000,
    slews: &[Slew { at_ms: 900, ppb: 20_000 }],
    steps: &[ClockStep { at_ms: 1_700, by_ns: -MS / 2 }, ClockStep { at_ms: 3_100, by_ns: -3_600_000 * MS }],
};

/// The scenario's traffic runs again and again for so long, that all of this happens in it.
const FOR_NS: i64 = 5_000 * MS;

#[test]
fn what_wall_clocks_do_is_told_and_changes_nothing_else() {
    let scenario = find("clean-many").expect("a scenario");
    let permit = Permit::take();
    let mut lab = match Lab::start(&scenario, 1) {
        Ok(lab) => lab,
        Err(error @ LabError::NoPrivilege { .. }) => return scratch::skip(&error.to_string()),
        Err(error) => panic!("{error}"),
    };
    let saved = scratch::folder("wall-clocks").join("session.correlate");
    let origin_ns = now_ns();
    let clocks = [CLIENT, SERVER].map(|clock| Wrong { clock, origin_ns });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let outcome = runtime.block_on(capture(&mut lab, clocks, &saved));
    drop(permit);
    assert_eq!(lab.stop().expect("the lab ends").middlebox_drops, 0, "the lab lost frames");
    let report = outcome.report;

    assert_eq!(report.verdict.status, Status::Clean, "{:#?}", report.findings);
    let above: Vec<Code> =
        report.findings.iter().filter(|f| f.severity > Severity::Info).map(|f| f.code).collect();
    assert_eq!(above, [Code::ClockStep; 3], "{:#?}", report.findings);
    assert!(report.paths.iter().all(|path| path.segments_lost == 0), "{:#?}", report.paths);
    assert_steps(&report);
    assert_offset(&report, clocks);
    let again = serde_json::to_value(replay(&saved).expect("a replay")).expect("JSON");
    assert_eq!(again, serde_json::to_value(&report).expect("JSON"), "the replay says the same");
}

async fn capture(lab: &mut Lab, clocks: [Wrong; 2], saved: &Path) -> Outcome {
    let coordinator = Embedded::start();
    let server = lab.server(0).expect("a server").clone();
    let hosts = [("client", Role::Client, lab.client().clone()), ("server", Role::Server, server)];
    let points = hosts.iter().map(|(name, role, host)| PointSpec {
        role: *role,
        host: (*name).to_owned(),
        agent: (*name).to_owned(),
        filter: None,
        interfaces: vec![host.interface.to_owned()],
        vouched: false,
    });
    let options = SessionOptions {
        id: "wall-clocks".to_owned(),
        points: points.collect(),
        save: Some(saved.to_owned()),
        ..SessionOptions::default()
    };
    let agents: Vec<Agent> = hosts
        .iter()
        .zip(clocks)
        .map(|((name, _, host), clock)| {
            Agent::start(name, host.namespace.path(), clock, coordinator.connector())
        })
        .collect();
    let mut session = coordinator.start_session(options).await.expect("a session");
    while let Some(event) = session.next_event().await {
        if matches!(event, SessionEvent::Started(_)) {
            break;
        }
    }
    let until = clocks[0].origin_ns + FOR_NS;
    while now_ns() < until {
        tokio::task::block_in_place(|| lab.run_traffic().map(drop)).expect("traffic");
    }
    let outcome = session.finish().await.expect("an outcome");
    agents.into_iter().for_each(Agent::stop);
    outcome
}

/// Every step is told with its size, and when it was by the clock that jumped.
fn assert_steps(report: &Report) {
    let mut told: Vec<i64> = Vec::new();
    for finding in &report.findings {
        if let Details::ClockStep { step_ns, .. } = finding.details {
            told.push(step_ns);
            assert!(finding.sentence.contains("its agent noted"), "{}", finding.sentence);
        }
    }
    told.sort_unstable();
    say(&format!("wall clocks: steps told as {told:?} ns"));
    let true_sizes = [-3_600_000 * MS, -MS / 2, 2_000 * MS];
    assert!(told.iter().zip(true_sizes).all(|(told, by)| (told - by).abs() < MS / 10), "{told:?}");
}

/// The bound of the offset that is shown holds the truth; both hosts have one clock indeed.
fn assert_offset(report: &Report, clocks: [Wrong; 2]) {
    let shown = report.capture_points[0].last_packet_at.expect("packets").0;
    // The true instant of the client's last packet: its clock went on evenly since the last slew.
    let mut at = shown;
    for _ in 0..4 {
        at += shown - clocks[0].shows(at);
    }
    let truth = clocks[1].shows(at) - clocks[0].shows(at);
    let clock = &report.clocks[0];
    let [low, high] = clock.bound_ns.expect("both directions were matched");
    let error = clock.offset_ns.expect("an estimate") - truth;
    say(&format!("wall clocks: bound {} ns wide, estimate off by {error} ns", high - low));
    assert!((low..=high).contains(&truth), "{truth} is not within {low} and {high}");
    assert!(error.abs() < MS, "off by {error} ns on a path of 5 ms each way");
    assert_eq!(clock.steps.len(), 3);
}

fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_nanos()).expect("before 2262")
}
