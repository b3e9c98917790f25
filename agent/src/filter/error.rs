//! What is wrong with a filter expression, and where.

/// A filter expression that does not compile: the place, the reason and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("filter `{expression}`: {message}")]
pub struct FilterError {
    /// The whole expression as given.
    pub expression: String,
    /// First octet of the offending part within the expression; its length if the fault is at the end.
    pub offset: usize,
    /// Octets of the offending part; 0 at the end of the expression.
    pub len: usize,
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// What to write instead, where that is known.
    pub help: Option<String>,
}

impl FilterError {
    /// The error as several lines: message, expression, a line of carets below the offending part, help.
    /// Ends without a line break.
    #[must_use]
    pub fn render(&self) -> String {
        let line: String = self.expression.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let before = self.expression.get(..self.offset).map_or(0, |part| part.chars().count());
        let marked = self
            .expression
            .get(self.offset..self.offset + self.len)
            .map_or(0, |part| part.chars().count())
            .max(1);
        let mut text = format!("{}\n  {line}\n  {}{}", self.message, " ".repeat(before), "^".repeat(marked));
        if let Some(help) = &self.help {
            text.push_str("\nhelp: ");
            text.push_str(help);
        }
        text
    }
}

/// An error before it knows the expression: what the lexer and the parser return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) offset: usize,
    pub(super) len: usize,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Fault {
    /// A fault at `offset` over `len` octets.
    pub(super) fn new(offset: usize, len: usize, message: impl Into<String>) -> Self {
        Self { offset, len, message: message.into(), help: None }
    }

    /// The same with a remedy.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The error of `expression`.
    pub(super) fn within(self, expression: &str) -> FilterError {
        FilterError {
            expression: expression.to_owned(),
            offset: self.offset,
            len: self.len,
            message: self.message,
            help: self.help,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_carets_stand_below_the_offending_part_counted_in_characters() {
        let error = Fault::new(7, 3, "unknown word").help("leave it out").within("é and\tfoo");
        assert_eq!(error.render(), "unknown word\n  é and foo\n        ^^^\nhelp: leave it out");
        let error = Fault::new(4, 0, "a port is missing").within("port");
        assert_eq!(error.render(), "a port is missing\n  port\n      ^");
    }
}
