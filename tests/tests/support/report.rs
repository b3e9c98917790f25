//! Reports as scripts read them.

use correlate_tests::process::Ran;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/schema/correlate.report.v1.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    jsonschema::validator_for(&serde_json::from_str(&text).expect("a schema in JSON")).expect("a schema")
});

/// A report that keeps to its schema.
#[derive(Debug, Clone)]
pub(crate) struct Report(Value);

/// A finding of a report.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finding<'a>(&'a Value);

impl Report {
    /// Reads what the program wrote; an error is a sentence.
    pub(crate) fn read(ran: &Ran) -> Result<Self, String> {
        let value: Value = serde_json::from_slice(&ran.stdout).map_err(|error| {
            let status = ran.status;
            format!("no report (status {status:?}): {error}; it said: {}", ran.stderr.trim_end())
        })?;
        let wrong: Vec<String> = SCHEMA
            .iter_errors(&value)
            .map(|error| format!("{} at {}", error, error.instance_path()))
            .collect();
        if wrong.is_empty() {
            Ok(Self(value))
        } else {
            Err(format!("not by the schema: {}", wrong.join("; ")))
        }
    }

    /// Findings, worst first.
    pub(crate) fn findings(&self) -> impl Iterator<Item = Finding<'_>> {
        self.0["findings"].as_array().into_iter().flatten().map(Finding)
    }

    /// The finding of that code that stands first.
    pub(crate) fn finding(&self, code: &str) -> Option<Finding<'_>> {
        self.findings().find(|finding| finding.code() == code)
    }

    /// Codes of all findings.
    pub(crate) fn codes(&self) -> BTreeSet<&str> {
        self.findings().map(Finding::code).collect()
    }

    /// Codes with the place that they blame.
    pub(crate) fn accusations(&self) -> BTreeSet<(&str, &str)> {
        self.findings().map(|finding| (finding.code(), finding.text("location"))).collect()
    }

    /// The same, as far as another capture of the same packets must agree. Frames that two processors handle at once may
    /// reach one socket in one order and another in the other, and which of them came late is each capture's own.
    pub(crate) fn shared_accusations(&self) -> BTreeSet<(&str, &str)> {
        self.accusations().into_iter().filter(|(code, _)| *code != "reordering").collect()
    }

    /// The value at a JSON pointer (RFC 6901); null if there is none.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// The connections that are listed.
    pub(crate) fn connections(&self) -> &[Value] {
        self.0["connections"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The status that the report earns by the contract, without `--fail-on` and `--expect`: 1 if an error was
    /// found that is more than a suspicion, else 3 if it is inconclusive, else 0.
    pub(crate) fn due_status(&self) -> i32 {
        let error = |finding: Finding<'_>| {
            finding.text("severity") == "error" && finding.text("confidence") != "unconfirmed"
        };
        if self.findings().any(error) {
            return 1;
        }
        let inconclusive = self.at("/verdict/status") == "inconclusive";
        if inconclusive || self.finding("not-captured").is_some() { 3 } else { 0 }
    }
}

impl<'a> Finding<'a> {
    /// Its code.
    pub(crate) fn code(self) -> &'a str {
        self.text("code")
    }

    /// A field that is a word; empty if absent.
    pub(crate) fn text(self, field: &str) -> &'a str {
        self.0[field].as_str().unwrap_or("")
    }

    /// A field.
    pub(crate) fn field(self, field: &str) -> &'a Value {
        &self.0[field]
    }

    /// Whether it says that something is wrong.
    pub(crate) fn accuses(self) -> bool {
        matches!(self.text("severity"), "error" | "warning")
    }

    /// Its code and its sentence.
    pub(crate) fn shown(self) -> String {
        format!(
            "{} ({}, {}): {}",
            self.code(),
            self.text("severity"),
            self.text("confidence"),
            self.text("sentence")
        )
    }
}
