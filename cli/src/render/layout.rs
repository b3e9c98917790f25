//! Lines and columns.

/// Replaces control characters: what a file or a peer wrote must not steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Breaks `text` between words into lines of at most `width` columns behind an indent of `indent` spaces; a word
/// that is longer stands alone. The first line is indented too. No line for an empty text.
pub(crate) fn wrap(text: &str, indent: usize, width: usize) -> String {
    wrap_after(&" ".repeat(indent), text, indent, width)
}

/// As [`wrap`], with `lead` before the first line instead of its indent.
pub(super) fn wrap_after(lead: &str, text: &str, indent: usize, width: usize) -> String {
    let room = width.saturating_sub(indent).max(20);
    let mut out = String::new();
    let mut line = String::new();
    let begin = |line: &mut String, out: &mut String| {
        let first = out.is_empty();
        out.push_str(if first { lead } else { "" });
        out.push_str(&" ".repeat(if first { 0 } else { indent }));
        out.push_str(line);
        out.push('\n');
        line.clear();
    };
    for word in printable(text).split_whitespace() {
        if !line.is_empty() && columns(&line) + 1 + columns(word) > room {
            begin(&mut line, &mut out);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        begin(&mut line, &mut out);
    }
    out
}

/// Columns that text takes. Every character counts as one: addresses, numbers and our own words are no wider.
pub(super) fn columns(text: &str) -> usize {
    text.chars().count()
}

/// Rows of cells in columns as wide as their widest cell, two spaces apart, each line behind `indent` spaces.
/// `right[c]` aligns column `c` to the right. The last column is not padded.
pub(super) fn table(rows: &[Vec<String>], right: &[bool], indent: usize) -> Vec<String> {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| columns(cell)).max().unwrap_or(0)
        })
        .collect();
    rows.iter().map(|row| line(row, &widths, right, indent)).collect()
}

fn line(row: &[String], widths: &[usize], right: &[bool], indent: usize) -> String {
    let mut line = " ".repeat(indent);
    for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
        if column > 0 {
            line.push_str("  ");
        }
        let padding = " ".repeat(width.saturating_sub(columns(cell)));
        if right.get(column).copied().unwrap_or(false) {
            line.push_str(&padding);
            line.push_str(cell);
        } else {
            line.push_str(cell);
            line.push_str(&padding);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_breaks_between_words_and_keeps_its_indent() {
        assert_eq!(wrap("one two three four five six", 2, 22), "  one two three four\n  five six\n");
        assert_eq!(wrap_after("ab: ", "one two", 4, 80), "ab: one two\n");
        assert_eq!(wrap("", 4, 80), "");
    }

    #[test]
    fn columns_line_up_and_end_without_blanks() {
        let rows =
            [vec!["a".to_owned(), "10".into(), "x".into()], vec!["bcd".into(), "7".into(), String::new()]];
        assert_eq!(table(&rows, &[false, true], 1), [" a    10  x", " bcd   7"]);
    }

    #[test]
    fn what_could_steer_a_terminal_is_made_visible() {
        assert_eq!(printable("a\x1b[31m\u{9b}b"), "a\u{fffd}[31m\u{fffd}b");
        assert!(!wrap("x\x07y", 0, 80).contains('\x07'));
    }
}
