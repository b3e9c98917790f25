//! What a report has to say and must not say.

use super::report::Report;
use correlate_lab::Scenario;
use correlate_tests::process::Ran;
use std::path::Path;

/// What a right answer has, whoever says so.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expectation {
    /// Codes that must be there.
    pub(crate) must: Vec<String>,
    /// At least one of these, if there are any.
    pub(crate) any: Vec<String>,
    /// Codes that may be there; any other error or warning may not.
    pub(crate) may: Vec<String>,
    /// Codes that must not be there.
    pub(crate) never: Vec<String>,
    /// Exit statuses that are right; any that fits the report if empty.
    pub(crate) exit: Vec<i32>,
}

impl Expectation {
    /// What a scenario of the lab's catalogue expects.
    pub(crate) fn of(scenario: &Scenario) -> Self {
        let own = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
        let expect = &scenario.expect;
        Self {
            must: own(&expect.must),
            any: Vec::new(),
            may: own(&expect.may),
            never: own(&expect.never),
            exit: expect.exit.clone(),
        }
    }

    /// What is wrong with an answer, in sentences.
    pub(crate) fn complaints(&self, ran: &Ran) -> Vec<String> {
        let report = match Report::read(ran) {
            Ok(report) => report,
            Err(error) => return vec![error],
        };
        let found = |code: &String| report.codes().contains(code.as_str());
        let mut wrong = Vec::new();
        wrong.extend(self.must.iter().filter(|code| !found(code)).map(|code| format!("{code} is missing")));
        if !self.any.is_empty() && !self.any.iter().any(found) {
            wrong.push(format!("none of {} is there", self.any.join(", ")));
        }
        let known =
            |code: &str| [&self.must, &self.any, &self.may].into_iter().flatten().any(|name| name == code);
        for finding in report.findings() {
            let forbidden = self.never.iter().any(|code| code == finding.code());
            if forbidden || finding.accuses() && !known(finding.code()) {
                wrong.push(format!("wrongly {}", finding.shown()));
            }
        }
        if ran.status != Some(report.due_status()) {
            let due = report.due_status();
            wrong.push(format!("status {:?} where the report earns {due}", ran.status));
        }
        if !self.exit.is_empty() && !ran.status.is_some_and(|status| self.exit.contains(&status)) {
            let reasons = report.at("/verdict");
            wrong.push(format!("status {:?} where {:?} is right; {reasons}", ran.status, self.exit));
        }
        if ran.stderr.contains("panicked") || ran.was_killed {
            wrong.push(format!("killed: {}; it said: {}", ran.was_killed, ran.stderr));
        }
        wrong
    }
}

/// The arguments that analyse captures: a client's and those of servers.
pub(crate) fn analyze<'a>(client: &'a Path, servers: impl IntoIterator<Item = &'a Path>) -> Vec<&'a str> {
    let text = |path: &'a Path| path.to_str().expect("paths of the tests are text");
    let mut args = vec!["analyze", "--format", "json", "--client", text(client)];
    for server in servers {
        args.extend(["--server", text(server)]);
    }
    args
}
