//! The command line as scripts meet it: exit status, standard output, standard error.

#[cfg(target_os = "linux")]
mod containers;
#[cfg(target_os = "linux")]
mod live;
mod saved;
mod support;
#[cfg(target_os = "linux")]
mod unprivileged;

use std::fs;
use support::{
    Ran, correlate, correlate_to_closed_pipe, correlate_with_input, lost_syn_ack, pair, pair_a_day_apart,
    stderr_of,
};

#[test]
fn the_version_and_the_help_go_to_standard_output() {
    for args in [["--version"].as_slice(), &["--help"], &["analyze", "--help"], &["explain", "--help"]] {
        let ran = correlate(args);
        assert_eq!(ran.status, Some(0), "{args:?}");
        assert!(ran.stdout.contains("correlate") && ran.stderr.is_empty(), "{ran:?}");
    }
}

#[test]
fn bad_usage_is_a_2_with_the_reason_on_standard_error() {
    for args in [
        ["analyze"].as_slice(),
        &["analyze", "--client", "a.pcap"],
        &["analyze", "--client", "a", "--server", "b", "--format", "xml"],
        &["analyze", "--client", "a", "--server", "b", "--expect", "no-such-code"],
        &["explain", "no-such-code"],
        &["no-such-command"],
    ] {
        let ran = correlate(args);
        assert_eq!(ran.status, Some(2), "{args:?} {ran:?}");
        assert!(ran.stdout.is_empty() && ran.stderr.contains("error:"), "{args:?} {ran:?}");
    }
}

#[test]
fn a_missing_file_is_a_2_that_names_the_file_and_a_remedy() {
    let ran = correlate(&["analyze", "--client", "/nowhere/a.pcap", "--server", "/nowhere/b.pcap"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("/nowhere/a.pcap") && ran.stderr.contains("\nhint: "), "{}", ran.stderr);
}

#[test]
fn what_is_no_capture_is_a_2() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("notes.txt");
    fs::write(&file, "these are notes, not packets, and long enough to be looked at").expect("a file");
    let file = file.to_str().expect("a name");
    let stderr = stderr_of(&["analyze", "--client", file, "--server", file]);
    assert!(stderr.contains("error: ") && stderr.contains("notes.txt"), "{stderr}");
}

#[test]
fn a_filter_that_does_not_compile_shows_the_place() {
    let files = pair();
    let [client, server] = files.paths();
    let stderr =
        stderr_of(&["analyze", "--client", client, "--server", server, "host", "10.0.0.1", "und", "tcp"]);
    let lines: Vec<&str> = stderr.lines().collect();
    let at = lines.iter().position(|line| line.contains("host 10.0.0.1 und tcp")).expect(&stderr);
    let column = lines[at].find("und").expect(&stderr);
    assert_eq!(lines[at + 1].find('^'), Some(column), "{stderr}");
}

#[test]
fn only_one_capture_comes_from_standard_input() {
    let stderr = stderr_of(&["analyze", "--client", "-", "--server", "-"]);
    assert!(stderr.contains("standard input") && stderr.contains("hint: "), "{stderr}");
}

#[test]
fn a_report_without_a_place_is_refused_before_the_work() {
    let stderr = stderr_of(&["analyze", "--client", "x", "--server", "y", "-o", "/nowhere/report.json"]);
    assert!(stderr.contains("/nowhere/report.json") && stderr.contains("directory"), "{stderr}");
}

#[test]
fn explain_lists_every_code_and_shows_each_page() {
    let list = correlate(&["explain"]);
    assert_eq!(list.status, Some(0));
    let codes: Vec<&str> = list.stdout.lines().take_while(|line| !line.is_empty()).collect();
    assert!(codes.len() >= 20, "{}", list.stdout);
    for line in codes {
        let code = line.split_whitespace().next().expect("a code");
        let page = correlate(&["explain", code]);
        assert_eq!(page.status, Some(0), "{code}");
        assert!(page.stdout.starts_with(code) && page.stdout.contains("What to do next"), "{}", page.stdout);
        assert!(!page.stdout.contains('\x1b'), "a pipe gets no colour");
    }
}

#[test]
fn colour_is_given_to_whom_asks() {
    let ran = correlate(&["explain", "syn-lost", "--color", "always"]);
    assert!(ran.stdout.contains("\x1b[1msyn-lost\x1b[0m"), "{}", ran.stdout);
}

#[test]
fn completions_and_the_manual_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = correlate(&["completions", shell]);
        assert_eq!(ran.status, Some(0), "{shell}");
        assert!(ran.stdout.contains("analyze") && ran.stdout.contains("explain"), "{shell}");
    }
    let man = correlate(&["man"]);
    assert_eq!(man.status, Some(0));
    for part in [".TH", "COMMAND ANALYZE", "COMMAND EXPLAIN", "fail\\-on"] {
        assert!(man.stdout.contains(part), "{part}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    for args in [["explain", "syn-lost"].as_slice(), &["man"]] {
        let Ran { status, stderr, .. } = correlate_to_closed_pipe(args);
        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn a_report_that_nobody_reads_to_its_end_keeps_its_status() {
    let files = lost_syn_ack();
    let [client, server] = files.paths();
    let Ran { status, stderr, .. } =
        correlate_to_closed_pipe(&["analyze", "--client", client, "--server", server]);
    assert_eq!((status, stderr.as_str()), (Some(1), ""));
}

#[test]
fn a_name_with_a_wrong_letter_is_understood() {
    for (args, meant) in [
        (["explain", "synack-lost"].as_slice(), "did you mean syn-ack-lost?"),
        (&["explain", "packetloss"], "did you mean packet-loss?"),
        (&["explain", "no-such-code"], "lists them all"),
        #[cfg(target_os = "linux")]
        (&["demo", "syn-ack-los"], "did you mean syn-ack-lost?"),
        #[cfg(target_os = "linux")]
        (&["run", "--client", "eth0", "--server", "local"], "local:eth0"),
    ] {
        let stderr = stderr_of(args);
        assert!(stderr.contains(meant), "{stderr}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_scenarios_are_listed_and_an_unknown_one_is_refused() {
    let list = correlate(&["demo", "--list"]);
    assert_eq!(list.status, Some(0));
    assert!(list.stdout.contains("syn-ack-lost") && list.stderr.is_empty(), "{list:?}");
    let stderr = stderr_of(&["demo", "no-such-scenario"]);
    assert!(stderr.contains("no-such-scenario") && stderr.contains("demo --list"), "{stderr}");
    stderr_of(&["demo"]);
}

#[test]
fn a_healthy_pair_is_clean_in_a_few_lines() {
    let files = pair();
    let [client, server] = files.paths();
    let ran = correlate(&["analyze", "--client", client, "--server", server]);
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stdout.starts_with("CLEAN  ") && ran.stdout.lines().count() < 16, "{}", ran.stdout);
}

#[test]
fn a_lost_syn_ack_is_found_and_an_expectation_turns_it_into_success() {
    let files = lost_syn_ack();
    let [client, server] = files.paths();
    let base = ["analyze", "--client", client, "--server", server];
    for (options, status) in [
        ([].as_slice(), 1),
        (&["--fail-on", "warning"], 1),
        (&["--fail-on", "never"], 0),
        (&["--expect", "syn-ack-lost"], 0),
        (&["--expect", "syn-lost"], 1),
    ] {
        let ran = correlate(&[&base, options].concat());
        assert_eq!(ran.status, Some(status), "{options:?} {ran:?}");
        assert!(ran.stdout.contains("syn-ack-lost"), "{ran:?}");
    }
}

#[test]
fn the_json_report_goes_where_it_is_asked_to_and_is_valid() {
    let files = lost_syn_ack();
    let [client, server] = files.paths();
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("report.json");
    let out = path.to_str().expect("a name");
    let ran = correlate(&["analyze", "--client", client, "--server", server, "--format", "json", "-o", out]);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).expect("a report")).expect("JSON");
    let schema = include_str!("../../../proto/schema/correlate.report.v1.json");
    let schema = serde_json::from_str(schema).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(report["findings"][0]["code"], "syn-ack-lost");
    let again = correlate(&["analyze", "--client", client, "--server", server, "--format", "json"]);
    assert_eq!(again.stdout, fs::read_to_string(&path).expect("a report"), "the same input, the same bytes");
}

#[test]
fn the_report_of_a_pipeline_fails_where_the_status_is_1() {
    let files = lost_syn_ack();
    let [client, server] = files.paths();
    let base = ["analyze", "--client", client, "--server", server, "--format", "junit"];
    for (options, status, failures) in
        [([].as_slice(), 1, "2"), (&["--fail-on", "never"], 0, "0"), (&["--expect", "syn-ack-lost"], 0, "0")]
    {
        let ran = correlate(&[&base, options].concat());
        assert_eq!(ran.status, Some(status), "{options:?} {ran:?}");
        let parsed = roxmltree::Document::parse(&ran.stdout).expect(&ran.stdout);
        assert_eq!(parsed.root_element().attribute("failures"), Some(failures), "{}", ran.stdout);
    }
    let ran = correlate(&["analyze", "--client", "/nowhere/a.pcap", "--server", server, "--format", "junit"]);
    assert_eq!(ran.status, Some(2), "{ran:?}");
    let parsed = roxmltree::Document::parse(&ran.stdout).expect(&ran.stdout);
    assert_eq!(parsed.root_element().attribute("errors"), Some("1"), "{}", ran.stdout);
}

#[test]
fn a_capture_may_come_from_standard_input() {
    let files = pair();
    let [client, server] = files.paths();
    let piped = correlate_with_input(&["analyze", "--client", client, "--server", "-"], server);
    assert_eq!(piped.status, Some(0), "{piped:?}");
    assert!(piped.stdout.contains("standard input"), "{}", piped.stdout);
}

#[test]
fn clocks_a_day_apart_change_nothing() {
    let files = pair_a_day_apart();
    let [client, server] = files.paths();
    let ran = correlate(&["analyze", "--client", client, "--server", server]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("server = client +86,4"), "{}", ran.stdout);
}

#[test]
fn one_file_for_both_ends_is_analysed_with_a_note() {
    let files = pair();
    let [client, _] = files.paths();
    let ran = correlate(&["analyze", "--client", client, "--server", client]);
    assert!(ran.status.is_some_and(|status| status != 2), "{ran:?}");
    assert!(ran.stderr.contains("one and the same capture"), "{ran:?}");
}

#[test]
fn captures_without_a_common_packet_are_inconclusive_and_still_reported() {
    let files = pair();
    let [client, server] = files.paths();
    let ran = correlate(&[
        "analyze",
        "--client",
        client,
        "--server",
        server,
        "--client-filter",
        "port 1",
        "--server-filter",
        "port 1",
    ]);
    assert_eq!(ran.status, Some(3), "{ran:?}");
    assert!(ran.stdout.starts_with("INCONCLUSIVE  "), "{}", ran.stdout);
}

#[test]
fn exchanged_captures_are_pointed_out() {
    let files = pair();
    let [client, server] = files.paths();
    let ran = correlate(&["analyze", "--client", server, "--server", client]);
    assert!(ran.stderr.contains("the other way round"), "{ran:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_doctor_looks_at_this_host() {
    let ran = correlate(&["doctor"]);
    assert!(matches!(ran.status, Some(0 | 1)), "{ran:?}");
    assert!(ran.stdout.contains("kernel") && ran.stdout.contains("CAP_NET_RAW"), "{ran:?}");
    assert_eq!(ran.status == Some(1), ran.stdout.lines().any(|line| line.starts_with("missing")));
}

#[test]
fn what_is_no_form_of_a_host_says_what_to_do_instead() {
    for (host, remedy) in
        [("ssh://db/", "leave it out for all"), ("container:", "name or id"), ("db:7", "ssh://[USER@]HOST")]
    {
        let stderr = stderr_of(&["run", "--client", host, "--server", "local"]);
        assert!(stderr.contains(remedy), "{stderr}");
    }
}

#[test]
fn what_is_no_session_is_not_shown() {
    let files = pair();
    let [client, _] = files.paths();
    for file in [client, "/nowhere/x.correlate"] {
        let stderr = stderr_of(&["show", file]);
        assert!(stderr.contains(file) && stderr.contains("hint: "), "{stderr}");
    }
}
