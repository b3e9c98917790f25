use super::{Style, json, sample, text};
use correlate_proto::report::{Code, CommandReport, Report, Severity, Status};

const CLEAN: &str = "\
CLEAN  No problem was found in 3 connections.

captures
  client  a.pcap  EN10MB  1,204 packets  120.4 kB  2023-11-14 22:13:20.000 for 7.250 s
  server  b.pcap  EN10MB  1,204 packets  120.4 kB  2023-11-14 22:13:20.000 for 7.250 s
clocks
  server = client +12.345 ms ± 10.061 ms  (max-margin, 1,204 matched packets, drift -1.234 ppm)
paths
  client -> server  602 segments  0 lost  0.0 % (95 %: 0.0 % to 0.64 %)  min RTT 20.123 ms
  server -> client  602 segments  0 lost  0.0 % (95 %: 0.0 % to 0.64 %)  min RTT 20.123 ms
connections
  3 in all: 3 healthy
";

const BROKEN: &str = "\
PROBLEM  SYN-ACKs are lost on the way from the server to the client.
  - the clocks are aligned to ± 10 ms only

error  syn-ack-lost  proven  server-to-client-path  1 connection
    The server sent 7 SYN-ACKs and none reached the client.
    c1           client             server
    SYN          3 sent  -------->  3 received
    SYN-ACK  0 received     x-----  7 sent
    at      packet  2023-11-14 UTC, own clock  event           what
    server       2  22:13:20.000012000         sent            SYN-ACK 10.0.0.2:5432 > 10.0.0.1:40000 seq 9 ack 8
    client       -  22:13:20.020012000         never-received  the same SYN-ACK
    could also be: a firewall on the client's host in front of its capture point
    next: Look at what stands on the way back from the server to the client.
";

#[test]
fn a_clean_report_is_a_few_lines() {
    assert_eq!(text::report(&sample::report(), Style::PLAIN), CLEAN);
}

#[test]
fn a_problem_says_its_verdict_first_and_its_evidence_before_everything_else() {
    let text = text::report(&sample::broken(), Style::PLAIN);
    assert!(text.starts_with(BROKEN), "{text}");
    assert!(text.ends_with(
        "connections\n  2 in all: 1 healthy, 1 problem\n  \
         c1  10.0.0.1:40000 -> [2001:db8::2]:5432  syn-received  syn-ack-lost\n"
    ));
}

#[test]
fn what_is_only_worth_knowing_is_shown_without_its_packets() {
    let mut report = sample::report();
    report.findings = vec![sample::finding(Code::ResetByServer, Severity::Info)];
    let text = text::report(&report, Style::PLAIN);
    assert!(text.contains("info  reset-by-server"), "{text}");
    assert!(!text.contains("own clock"), "{text}");
}

#[test]
fn where_the_time_went_is_one_line_for_what_something_dominates() {
    const TIMES: &str = "times
  c1  4 exchanges  2.861 s, slowest 720.000 ms  97 % the server's think time  server 2.800 s, network 61.000 ms (shortest round trip 10.000 ms)
";
    let mut report = sample::broken();
    report.connections[0].exchanges = Some(sample::exchanges(2_800_000_000));
    let text = text::report(&report, Style::PLAIN);
    assert!(text.ends_with(TIMES), "{text}");
    report.connections[0].exchanges = Some(sample::exchanges(30_000_000));
    assert!(!text::report(&report, Style::PLAIN).contains("\ntimes\n"), "nobody waits for 91 ms");
}

#[test]
fn evidence_without_end_is_cut_and_says_so() {
    let mut report = sample::broken();
    let row = report.findings[0].evidence[0].clone();
    report.findings[0].evidence = vec![row; 40];
    let text = text::report(&report, Style::PLAIN);
    assert_eq!(text.matches("seq 9 ack 8").count(), 12);
    assert!(text.contains("… 28 more packets in the JSON report"), "{text}");
}

#[test]
fn hostile_names_reach_neither_the_terminal_nor_break_the_json() {
    let mut report = sample::broken();
    report.capture_points[0].host = "a\x1b]0;pwned\x07.pcap".into();
    report.capture_points[0].skipped.insert("\x1b[2J".into(), 1);
    report.findings[0].sentence = "evil\x1b[2J sentence".into();
    report.session.command = Some(CommandReport { argv: vec!["x\x1b".into()], exit_status: Some(7) });
    let text = text::report(&report, Style::PLAIN);
    assert!(!text.contains(['\x1b', '\x07']), "{text:?}");
    assert!(text.contains("exit status 7"));
    let json: serde_json::Value =
        serde_json::from_str(&json::report(&report).expect("a report is JSON")).expect("JSON parses");
    assert_eq!(json["capture_points"][0]["host"], "a\x1b]0;pwned\x07.pcap");
}

#[test]
fn the_json_has_the_fields_of_the_contract() {
    let json: serde_json::Value =
        serde_json::from_str(&json::report(&sample::broken()).expect("a report is JSON"))
            .expect("JSON parses");
    assert_eq!(json["schema"], "correlate.report/v1");
    assert_eq!(json["verdict"]["status"], "problem");
    assert_eq!(json["findings"][0]["code"], "syn-ack-lost");
    assert_eq!(json["findings"][0]["details"], serde_json::json!({ "sent": 7, "received": 0 }));
    assert_eq!(json["findings"][0]["evidence"][1]["event"], "never-received");
    assert_eq!(json["session"]["started_at"], "2023-11-14T22:13:20.000000000Z");
}

/// Reports of every shape that the samples have.
fn all() -> Vec<Report> {
    let mut inconclusive = sample::report();
    inconclusive.verdict.status = Status::Inconclusive;
    inconclusive.findings = Code::ALL.iter().map(|code| sample::finding(*code, Severity::Info)).collect();
    inconclusive.clocks[0].offset_ns = None;
    inconclusive.connections = sample::broken().connections;
    inconclusive.connections[0].exchanges = Some(sample::exchanges(5));
    inconclusive.capture_points[0].first_packet_at = None;
    vec![sample::report(), sample::broken(), inconclusive]
}

#[test]
fn every_report_is_valid_by_the_schema() {
    let schema = serde_json::to_value(schemars::schema_for!(Report)).expect("a schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
    for report in all() {
        let value = serde_json::to_value(&report).expect("a report is JSON");
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
    let mut wrong = serde_json::to_value(sample::report()).expect("a report is JSON");
    wrong["verdict"]["status"] = "fine".into();
    assert!(!validator.is_valid(&wrong), "a status that does not exist must not pass");
}

#[test]
fn the_committed_schema_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto/schema/correlate.report.v1.json");
    let schema = schemars::schema_for!(Report);
    let fresh = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &fresh).expect("the schema can be written");
    }
    let committed = std::fs::read_to_string(path).expect("the schema is committed");
    assert!(committed == fresh, "{path} is stale: run this test with UPDATE_SCHEMA=1");
}
