//! `--fail-on` and `--expect`: what a pipeline hangs on.

use crate::support::binary::correlate;
use crate::support::captures;
use crate::support::expectation::analyze;
use std::path::PathBuf;

/// The two captures of a seed.
fn seed(name: &str) -> Option<[PathBuf; 2]> {
    let folder = captures::folder("seeds")?.join(name);
    Some(["client.pcap", "server.pcap"].map(|file| folder.join(file)))
}

const REFUSED: &str = "connection-refused";
const CLEAN: &str = "telnet-open-and-close";

fn holds(table: &[(&str, &[&str], i32)]) {
    for (name, options, due) in table {
        let Some([client, server]) = seed(name) else { return };
        let mut args = analyze(&client, [server.as_path()]);
        args.extend(*options);
        assert_eq!(correlate(args).status, Some(*due), "{name} {options:?}");
    }
}

#[test]
fn fail_on_sets_from_where_a_finding_fails() {
    holds(&[
        (REFUSED, &[], 1),
        (REFUSED, &["--fail-on", "error"], 1),
        (REFUSED, &["--fail-on", "warning"], 1),
        (REFUSED, &["--fail-on", "never"], 0),
        (CLEAN, &["--fail-on", "warning"], 0),
        (REFUSED, &["--fail-on", "sometimes"], 2),
    ]);
}

#[test]
fn expect_passes_only_with_exactly_the_expected_codes() {
    holds(&[
        (REFUSED, &["--expect", "connection-refused"], 0),
        (REFUSED, &["--expect", "syn-lost"], 1),
        (REFUSED, &["--expect", "connection-refused", "--expect", "syn-lost"], 1),
        (CLEAN, &["--expect", "connection-refused"], 1),
        (REFUSED, &["--expect", "no-such-code"], 2),
    ]);
}

#[test]
fn an_unknown_code_is_told_with_those_that_come_close() {
    let Some([client, server]) = seed(REFUSED) else { return };
    let mut args = analyze(&client, [server.as_path()]);
    args.extend(["--expect", "conection-refused"]);
    let ran = correlate(args);
    assert_eq!(ran.status, Some(2));
    assert!(ran.stderr.contains("connection-refused") && ran.stdout.is_empty(), "{}", ran.stderr);
}
