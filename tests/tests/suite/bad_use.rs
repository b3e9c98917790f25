//! Bad use gets a clear error with a remedy, or a note and the answer all the same.

use crate::support::binary::{PATIENCE, command, correlate};
use crate::support::captures;
use crate::support::expectation::analyze;
use crate::support::report::{Finding, Report};
use crate::support::scratch;
use correlate_tests::process::{Ran, Running};
use std::fs;
use std::path::{Path, PathBuf};

/// The two captures of a seed.
fn seed(name: &str) -> Option<[PathBuf; 2]> {
    let folder = captures::folder("seeds")?.join(name);
    Some(["client.pcap", "server.pcap"].map(|file| folder.join(file)))
}

fn error_of(ran: &Ran) -> &str {
    assert_eq!((ran.status, ran.stdout.as_slice()), (Some(2), [].as_slice()), "{ran:?}");
    for word in ["error: ", "hint: "] {
        assert!(ran.stderr.lines().any(|line| line.starts_with(word)), "no {word}: {}", ran.stderr);
    }
    &ran.stderr
}

fn analyzed(client: &Path, server: &Path, more: &[&str]) -> Ran {
    let mut args = analyze(client, [server]);
    args.extend(more);
    correlate(args)
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let ran = analyzed(Path::new("/nowhere/one.pcap"), Path::new("/nowhere/other.pcap"), &[]);
    assert!(error_of(&ran).contains("/nowhere/one.pcap"), "{}", ran.stderr);
}

#[test]
fn a_file_that_is_no_capture_is_told_by_its_magic() {
    let folder = scratch::folder("no-capture");
    let text = folder.join("notes.txt");
    fs::write(&text, "GET / HTTP/1.1, but in a file").expect("write a file");
    let ran = analyzed(&text, &text, &[]);
    let said = error_of(&ran).to_lowercase();
    assert!(said.contains("notes.txt"), "{said}");
    // "GET " as four octets, in either order.
    let shown = ["47 45 54 20", "47455420", "20544547"].iter().any(|magic| said.contains(magic));
    assert!(shown, "the magic that was found is not shown: {said}");
    let empty = folder.join("empty.pcap");
    fs::write(&empty, "").expect("write a file");
    assert!(error_of(&analyzed(&empty, &empty, &[])).contains("empty.pcap"));
}

#[test]
fn what_a_truncated_file_has_is_analysed_and_its_end_is_told() {
    let Some([client, server]) = seed("connection-refused") else { return };
    let cut = scratch::folder("truncated").join("cut.pcap");
    let mut whole = fs::read(&client).expect("read a capture");
    // A third packet begins and breaks off.
    whole.extend_from_within(24..50);
    fs::write(&cut, whole).expect("write a capture");
    let ran = analyzed(&cut, &server, &[]);
    let report = Report::read(&ran).expect("a report");
    assert!(report.finding("connection-refused").is_some(), "{:?}", report.codes());
    assert_eq!(ran.status, Some(1));
    let said = [ran.stderr.as_str(), &report.at("/verdict/reasons").to_string()].concat();
    assert!(said.contains("not read to its end") && said.contains("packet 3"), "{said}");
}

#[test]
fn a_filter_that_does_not_parse_shows_the_place() {
    let Some([client, server]) = seed("connection-refused") else { return };
    let ran = analyzed(&client, &server, &["port", "80", "and", "prot", "443"]);
    let said = error_of(&ran);
    let lines: Vec<&str> = said.lines().collect();
    let shown =
        lines.iter().position(|line| line.contains("port 80 and prot 443")).expect("the filter is shown");
    let column = lines[shown].find("prot").expect("the word");
    assert_eq!(lines.get(shown + 1).and_then(|line| line.find('^')), Some(column), "{said}");
}

#[test]
fn exchanged_captures_are_told_and_put_right() {
    for name in ["connection-refused", "syn-ack-lost-four-times", "who-sent-the-rst", "large-responses-hang"]
    {
        let Some([client, server]) = seed(name) else { return };
        let vouched = ["--vouch", "both"];
        let right = Report::read(&analyzed(&client, &server, &vouched)).expect("a report");
        let ran = analyzed(&server, &client, &vouched);
        let exchanged = Report::read(&ran).expect("a report");
        assert!(
            ran.stderr.contains("note: ") && ran.stderr.contains("the other way round"),
            "{}",
            ran.stderr
        );
        assert_eq!(exchanged.accusations(), right.accusations(), "{name}");
    }
}

#[test]
fn one_capture_for_both_ends_is_analysed_with_a_note() {
    let Some([client, _]) = seed("nc-over-loopback") else { return };
    let ran = analyzed(&client, &client, &[]);
    let report = Report::read(&ran).expect("a report");
    assert!(ran.stderr.contains("note: ") && ran.stderr.contains("same"), "{}", ran.stderr);
    assert!(!report.findings().any(Finding::accuses), "{:?}", report.codes());
    assert_ne!(ran.status, Some(2));
}

#[test]
fn captures_with_nothing_in_common_are_inconclusive_and_say_why() {
    let pairs = [("connection-refused", "nc-over-loopback"), ("telnet-open-and-close", "who-sent-the-rst")];
    for (one, other) in pairs {
        let (Some([client, _]), Some([_, server])) = (seed(one), seed(other)) else { return };
        let ran = analyzed(&client, &server, &[]);
        let report = Report::read(&ran).expect("a report all the same");
        assert_eq!(ran.status, Some(3), "{one} {other}: {:?}", report.codes());
        assert_eq!(report.at("/verdict/status"), "inconclusive");
        let reasons = report.at("/verdict/reasons").as_array().map_or(0, Vec::len);
        assert!(reasons > 0 && !report.at("/verdict/sentence").as_str().unwrap_or("").is_empty());
        assert!(!report.findings().any(Finding::accuses), "{:?}", report.codes());
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let Some([client, server]) = seed("connection-refused") else { return };
    let (reader, writer) = std::io::pipe().expect("make a pipe");
    drop(reader);
    let mut closed = command();
    closed.args(analyze(&client, [server.as_path()]));
    let ran = Running::start_into(&mut closed, writer.into()).finish(PATIENCE);
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(1), ""), "the verdict's status, and no complaint");
}
