//! Colour: never the only carrier of a meaning.

use crate::args::ColorChoice;
use correlate_proto::report::{Severity, Status};
use std::ffi::OsStr;
use std::io::IsTerminal;

/// How text is decorated and how wide it may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    colored: bool,
    /// Columns that a line should not exceed.
    pub(crate) width: usize,
}

/// Lines longer than this tire the eye, however wide the terminal.
const WIDEST: usize = 110;
/// Narrower than this wrapping does more harm than good.
const NARROWEST: usize = 40;
/// Width where no terminal says otherwise.
const DEFAULT_WIDTH: usize = 100;

impl Style {
    /// Plain text of the default width: what files and pipes get.
    pub(crate) const PLAIN: Self = Self { colored: false, width: DEFAULT_WIDTH };

    /// The style of standard output.
    pub(crate) fn of_stdout(choice: ColorChoice) -> Self {
        Self::of(choice, std::io::stdout().is_terminal(), std::env::var_os("NO_COLOR").as_deref())
    }

    /// The style of standard error.
    pub(crate) fn of_stderr(choice: ColorChoice) -> Self {
        Self::of(choice, std::io::stderr().is_terminal(), std::env::var_os("NO_COLOR").as_deref())
    }

    /// `NO_COLOR` counts when it is set and not empty (no-color.org).
    fn of(choice: ColorChoice, terminal: bool, no_color: Option<&OsStr>) -> Self {
        let colored = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && no_color.is_none_or(OsStr::is_empty),
        };
        let columns = if terminal { terminal_size::terminal_size() } else { None };
        let width = columns.map_or(DEFAULT_WIDTH, |(width, _)| usize::from(width.0));
        Self { colored, width: width.clamp(NARROWEST, WIDEST) }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colored { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A heading or the first words of a block.
    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What is there for completeness.
    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// A word in the colour of a severity.
    pub(crate) fn severity(self, severity: Severity, text: &str) -> String {
        match severity {
            Severity::Error => self.paint("1;31", text),
            Severity::Warning => self.paint("1;33", text),
            Severity::Info => self.paint("36", text),
        }
    }

    /// A word in the colour of a verdict.
    pub(crate) fn status(self, status: Status, text: &str) -> String {
        match status {
            Status::Clean => self.paint("1;32", text),
            Status::Problem => self.paint("1;31", text),
            Status::Inconclusive => self.paint("1;33", text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_follows_the_choice_the_terminal_and_no_color() {
        let table = [
            (ColorChoice::Auto, true, None, true),
            (ColorChoice::Auto, true, Some(""), true),
            (ColorChoice::Auto, true, Some("1"), false),
            (ColorChoice::Auto, false, None, false),
            (ColorChoice::Always, false, Some("1"), true),
            (ColorChoice::Never, true, None, false),
        ];
        for (choice, terminal, no_color, colored) in table {
            let style = Style::of(choice, terminal, no_color.map(OsStr::new));
            assert_eq!(style.colored, colored, "{choice:?} {terminal} {no_color:?}");
            assert_eq!(style.bold("x").contains('\x1b'), colored);
        }
    }
}
