//! Sessions in files: what was printed is shown again.

use super::support::{Pair, correlate, lost_syn_ack, pair, pair_a_day_apart, stderr_of};
use std::fs;

/// Analyses with `--save` and holds what `show` gives to the octet against it.
fn saved_and_shown(files: &Pair, exchanged: bool, options: &[&str]) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("session.correlate");
    let path = path.to_str().expect("a name");
    let [client, server] = files.paths();
    let [client, server] = if exchanged { [server, client] } else { [client, server] };
    let base = ["analyze", "--client", client, "--server", server];
    for format in ["json", "text"] {
        let asked = [&base, options, &["--format", format]].concat();
        let plain = correlate(&asked);
        let saved = correlate(&[&asked[..], &["--save", path]].concat());
        assert_eq!((plain.status, &plain.stdout), (saved.status, &saved.stdout), "{}", saved.stderr);
        assert!(saved.stderr.contains(path), "{}", saved.stderr);
        let shown = correlate(&["show", path, "--format", format]);
        assert_eq!((shown.status, shown.stdout), (saved.status, saved.stdout), "{options:?}");
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 1, "one plain file");
        fs::remove_file(path).expect("the session");
    }
}

#[test]
fn a_saved_analysis_is_shown_with_the_same_octets() {
    saved_and_shown(&pair(), false, &[]);
    saved_and_shown(&lost_syn_ack(), false, &[]);
    saved_and_shown(&lost_syn_ack(), false, &["--vouch", "both"]);
    saved_and_shown(&lost_syn_ack(), false, &["port", "40001"]);
    saved_and_shown(&pair_a_day_apart(), false, &["--client-filter", "port 5432", "tcp"]);
}

#[test]
fn exchanged_captures_stay_exchanged() {
    saved_and_shown(&lost_syn_ack(), true, &[]);
}

#[test]
fn a_session_never_replaces_a_file() {
    let files = pair();
    let [client, server] = files.paths();
    let before = fs::read(client).expect("a capture");
    for run in [
        ["analyze", "--client", client, "--server", server, "--save", client].as_slice(),
        &["run", "--client", "local:lo", "--server", "local:lo", "--duration", "1s", "--save", client],
    ] {
        let stderr = stderr_of(run);
        assert!(stderr.contains("exists") && stderr.contains(client), "{stderr}");
        assert!(stderr.contains("\nhint: name another file"), "{stderr}");
    }
    assert_eq!(fs::read(client).expect("a capture"), before);
}

#[test]
fn an_analysis_that_fails_leaves_no_session() {
    let files = pair();
    let [client, _] = files.paths();
    let dir = tempfile::tempdir().expect("a directory");
    let session = dir.path().join("session.correlate");
    let session = session.to_str().expect("a name");
    stderr_of(&["analyze", "--client", client, "--server", "/nowhere", "--save", session]);
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0);
}
