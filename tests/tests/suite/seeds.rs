//! The traces that printed documents show, as pairs, with what the documents say happened.

use crate::support::binary::correlate;
use crate::support::captures;
use crate::support::expectation::{Expectation, analyze};
use crate::support::report::Report;
use serde_json::Value;
use std::path::Path;

/// Every word that an expectation may have; one that is not here would go unheeded.
const KNOWN: [&str; 21] = [
    "any",
    "args",
    "closed_by",
    "connection",
    "connections",
    "direction",
    "exit",
    "idle_seconds",
    "largest_delivered_ip_bytes",
    "location",
    "must",
    "never",
    "never_problem",
    "note",
    "payload_bytes",
    "received",
    "says",
    "sent",
    "smallest_lost_ip_bytes",
    "spurious_retransmissions",
    "toward",
];

fn words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[test]
fn every_pair_is_read_as_its_document_reads_it() {
    let Some(seeds) = captures::folder("seeds") else { return };
    let mut folders: Vec<_> = std::fs::read_dir(seeds)
        .expect("read the seeds")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "no pair was compared");
    let mut wrong = Vec::new();
    for folder in folders {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        wrong.extend(complaints(&folder).into_iter().map(|complaint| format!("{name}: {complaint}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn complaints(folder: &Path) -> Vec<String> {
    let text = std::fs::read(folder.join("expected.json")).expect("read what is expected");
    let expected: Value = serde_json::from_slice(&text).expect("JSON");
    let mut wrong: Vec<String> = expected
        .as_object()
        .expect("an object")
        .keys()
        .filter(|key| !KNOWN.contains(&key.as_str()))
        .map(|key| format!("nobody looks at {key}"))
        .collect();
    let (client, server) = (folder.join("client.pcap"), folder.join("server.pcap"));
    let args = words(&expected["args"]);
    let mut line = analyze(&client, [server.as_path()]);
    line.extend(args.iter().map(String::as_str));
    let ran = correlate(line);
    let expectation = Expectation {
        must: words(&expected["must"]),
        any: words(&expected["any"]),
        may: Vec::new(),
        never: words(&expected["never"]),
        exit: statuses(&expected),
    };
    wrong.extend(expectation.complaints(&ran));
    if let Ok(report) = Report::read(&ran) {
        wrong.extend(facts(&expected, &report));
    }
    wrong
}

/// Statuses that are right: those that are given; 0 where there is nothing to find; 1 where there is an error to
/// find.
fn statuses(expected: &Value) -> Vec<i32> {
    let given = expected["exit"].as_array().into_iter().flatten();
    let given: Vec<i32> =
        given.filter_map(Value::as_i64).filter_map(|status| status.try_into().ok()).collect();
    if !given.is_empty() {
        return given;
    }
    let all_are_errors = !words(&expected["must"]).is_empty();
    match (expected["never_problem"] == true, all_are_errors) {
        (true, _) => vec![0],
        (false, true) => vec![1],
        (false, false) => Vec::new(),
    }
}

/// Compares every fact that is given with where the report has it.
fn facts(expected: &Value, report: &Report) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, seen: Value| {
        if !expected[what].is_null() && expected[what] != seen {
            wrong.push(format!("{what} should be {} and is {seen}", expected[what]));
        }
    };
    let pick = [words(&expected["must"]), words(&expected["any"])].concat();
    let main = pick.iter().find_map(|code| report.finding(code));
    let field = |name: &str| main.map_or(Value::Null, |finding| finding.field(name).clone());
    let detail = |name: &str| main.map_or(Value::Null, |finding| finding.field("details")[name].clone());
    compare("connections", report.at("/connection_totals/total").clone());
    compare("closed_by", report.at("/connections/0/closed_by").clone());
    for name in ["location", "direction", "toward"] {
        compare(name, field(name));
    }
    for name in ["sent", "received", "largest_delivered_ip_bytes", "smallest_lost_ip_bytes"] {
        compare(name, detail(name));
    }
    compare("idle_seconds", detail("idle_ms").as_i64().map_or(Value::Null, |ms| ((ms + 500) / 1000).into()));
    compare("spurious_retransmissions", spurious(report).into());
    compare("connection", concerned(report, &field("connections")));
    for way in ["client_to_server", "server_to_client"] {
        let due = &expected["payload_bytes"][way];
        let seen = report.at(&format!("/connections/0/directions/{way}/bytes"));
        if !due.is_null() && due != seen {
            wrong.push(format!("payload_bytes.{way} should be {due} and is {seen}"));
        }
    }
    wrong
}

fn spurious(report: &Report) -> u64 {
    let ways = ["client_to_server", "server_to_client"];
    let each = report.connections().iter().flat_map(|connection| {
        ways.map(|way| connection["directions"][way]["spurious"].as_u64().unwrap_or(0))
    });
    each.sum()
}

/// The client's end of the one connection that a finding concerns.
fn concerned(report: &Report, ids: &Value) -> Value {
    let [id] = ids.as_array().map_or(&[] as &[Value], Vec::as_slice) else { return Value::Null };
    let connection = report.connections().iter().find(|connection| connection["id"] == *id);
    connection.map_or(Value::Null, |connection| {
        let end = &connection["client"];
        format!("{}:{}", end["address"].as_str().unwrap_or(""), end["port"]).into()
    })
}
