//! How bad each finding can be.

use correlate_proto::report::Severity;

/// How bad the finding of that code is at its worst, by the table of findings that the project promises.
pub fn severity_of(code: &str) -> Severity {
    const ERRORS: [&str; 17] = [
        "syn-lost",
        "syn-ack-lost",
        "syn-unanswered",
        "syn-ack-ignored",
        "accept-queue-full",
        "connection-refused",
        "refused-in-path",
        "rst-injected",
        "idle-expiry",
        "packet-loss",
        "asymmetric-loss",
        "one-way-blackhole",
        "outage",
        "path-mtu-blackhole",
        "sack-not-rewritten",
        "window-scale-mismatch",
        "payload-altered",
    ];
    const WARNINGS: [&str; 8] = [
        "handshake-ack-lost",
        "challenge-ack",
        "rst-lost",
        "option-stripped",
        "ecn-bleached",
        "zero-window",
        "window-update-lost",
        "capture-loss",
    ];
    if ERRORS.contains(&code) {
        Severity::Error
    } else if WARNINGS.contains(&code) {
        Severity::Warning
    } else {
        Severity::Info
    }
}
