//! The verdict: problem, clean or inconclusive, and why.

use crate::session::Session;
use correlate_proto::report::{Code, Confidence, Finding, Severity, Status, Verdict};

/// Decides from the findings, worst first, and from what the captures could show.
pub(super) fn decide(session: &Session, findings: &[Finding]) -> Verdict {
    let mut reasons = reasons(session, findings);
    let worst = findings.iter().find(|finding| {
        finding.severity > Severity::Info
            && finding.confidence > Confidence::Unconfirmed
            && finding.code != Code::CaptureLoss
            // A clock that was set is no fault of any connection.
            && finding.code != Code::ClockStep
    });
    if let Some(worst) = worst {
        let others = findings.iter().filter(|finding| finding.severity > Severity::Info).count() - 1;
        let more = match others {
            0 => String::new(),
            1 => " One more finding stands beside it.".to_owned(),
            _ => format!(" {others} more findings stand beside it."),
        };
        return Verdict {
            status: Status::Problem,
            code: Some(worst.code),
            sentence: format!("{}{more}", worst.sentence),
            reasons,
        };
    }
    if let Some(why) = why_inconclusive(session, findings) {
        if !findings.iter().any(|finding| finding.code == Code::NotCaptured) {
            reasons.insert(0, why.clone());
        }
        return Verdict {
            status: Status::Inconclusive,
            code: findings
                .iter()
                .find(|finding| finding.code == Code::NotCaptured)
                .map(|finding| finding.code),
            sentence: format!("The evidence carries no verdict: {why}."),
            reasons,
        };
    }
    let totals = &session.ended.totals;
    let healthy = totals.by_outcome.get("healthy").copied().unwrap_or(0);
    let sentence = if healthy == totals.total {
        format!("Nothing is wrong: {healthy} of {} seen at both ends and healthy.", plural(totals.total))
    } else {
        format!("Nothing is wrong with the {healthy} of {} that both ends saw.", plural(totals.total))
    };
    Verdict { status: Status::Clean, code: None, sentence, reasons }
}

fn plural(connections: u64) -> String {
    if connections == 1 { "1 connection".to_owned() } else { format!("{connections} connections") }
}

fn why_inconclusive(session: &Session, findings: &[Finding]) -> Option<String> {
    let silent = session.points.iter().filter(|point| point.records == 0).map(|point| point.label.clone());
    let silent: Vec<String> = silent.collect();
    if silent.len() == session.points.len() {
        return Some("no capture point saw any TCP packet that matches".to_owned());
    }
    for position in 0..session.path_len {
        let mut here = session.points.iter().filter(|point| point.position == position);
        if here.clone().all(|point| point.records == 0)
            && let Some(point) = here.next()
        {
            return Some(format!("nothing that matches was captured at {}", point.label));
        }
    }
    let suspected = findings
        .iter()
        .find(|finding| finding.severity > Severity::Info && finding.confidence == Confidence::Unconfirmed);
    if let Some(suspected) = suspected {
        return Some(format!("{} is suspected, and the captures are too weak to confirm it", suspected.code));
    }
    let totals = &session.ended.totals;
    if ["healthy", "proxied"].iter().all(|outcome| !totals.by_outcome.contains_key(*outcome)) {
        return Some(no_common_connection(session));
    }
    let ambiguous: u64 = session.paths.values().map(|path| path.ambiguous).sum();
    if ambiguous > 0 && session.points.iter().any(|point| point.counted_drops() > 0) {
        return Some(format!("the captures dropped packets and the fate of {ambiguous} segments is unknown"));
    }
    None
}

fn no_common_connection(session: &Session) -> String {
    let spans: Vec<(i64, i64)> = session.points.iter().filter_map(|point| point.span).collect();
    let apart = spans.iter().enumerate().any(|(index, &(first, _))| {
        spans.iter().enumerate().any(|(other, &(_, last))| index != other && last < first)
    });
    if apart {
        "the two ends have no connection in common, and by their clocks the captures do not overlap in time"
            .to_owned()
    } else {
        "the two ends have no connection in common".to_owned()
    }
}

/// Why the evidence is weaker than it could be.
fn reasons(session: &Session, findings: &[Finding]) -> Vec<String> {
    let mut reasons = Vec::new();
    if session.config.swapped {
        reasons.push(
            "the captures of client and server were given the other way round and were swapped".to_owned(),
        );
    }
    for point in &session.points {
        if let Some(why) = &point.stats.ended_early {
            reasons.push(format!("the capture at {} was not read to its end: {why}", point.label));
        }
    }
    if session.no_room > 0 {
        reasons.push(format!(
            "{} packets belong to connections beyond the {} that are held at once, and were left out",
            session.no_room,
            crate::session::MAX_CONNECTIONS
        ));
    }
    let telling = [Code::CaptureLoss, Code::NotCaptured, Code::UnpairedConnection, Code::ClockStep];
    reasons.extend(
        findings
            .iter()
            .filter(|finding| telling.contains(&finding.code))
            .map(|finding| finding.sentence.clone()),
    );
    reasons
}
