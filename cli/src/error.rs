//! What ends the program with status 2.

use correlate_agent::capture::CaptureError;
use correlate_agent::filter::FilterError;
use std::fmt;

/// An error as the user meets it: what failed, on what, and what mends it.
#[derive(Debug)]
pub(crate) struct CliError {
    what: String,
    hint: Option<String>,
}

impl CliError {
    /// `what` is a lower-case fragment that says what failed and on what.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None }
    }

    /// Adds the remedy.
    pub(crate) fn hint(mut self, remedy: impl Into<String>) -> Self {
        self.hint = Some(remedy.into());
        self
    }

    /// What failed, on what.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// The remedy; empty if none is known.
    pub(crate) fn remedy(&self) -> &str {
        self.hint.as_deref().unwrap_or_default()
    }

    /// An error that says what to do behind its last semicolon; `otherwise` is for one that does not.
    pub(crate) fn remedied(text: &str, otherwise: &str) -> Self {
        let (what, remedy) = text.rsplit_once("; ").unwrap_or((text, otherwise));
        Self::new(what).hint(remedy)
    }

    /// A filter that does not compile, with the place marked.
    pub(crate) fn filter(error: &FilterError) -> Self {
        let text = error.render();
        match text.rsplit_once("\nhelp: ") {
            Some((what, help)) => Self::new(what).hint(help),
            None => Self::new(text).hint("the syntax is that of pcap-filter(7), as tcpdump takes it"),
        }
    }

    /// An output that could not be written.
    pub(crate) fn output(path: &str, source: &std::io::Error) -> Self {
        Self::new(format!("cannot write the report: {path}: {source}"))
            .hint("check the directory, its permissions and the space left on the disk")
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CliError {}

impl From<CaptureError> for CliError {
    fn from(error: CaptureError) -> Self {
        // These say what to do behind their last semicolon.
        let text = error.to_string();
        match text.rsplit_once("; ") {
            Some((what, remedy)) => Self::new(what).hint(remedy),
            None => Self::new(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_remedy_on_a_line_of_its_own() {
        let error = CliError::from(CaptureError::Open {
            path: "a.pcap".into(),
            source: std::io::Error::from(std::io::ErrorKind::NotFound),
        });
        assert_eq!(
            error.to_string(),
            "error: cannot open a.pcap: entity not found\nhint: check the path and that it may be read"
        );
    }
}
