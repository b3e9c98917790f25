//! The report as JSON: `correlate.report/v1`.

use correlate_proto::report::Report;

/// The report as indented JSON with a newline at the end.
pub(crate) fn report(report: &Report) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(report).map(|text| text + "\n")
}
