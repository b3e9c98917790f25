//! XML as it is written: elements in order, with nothing in a text that could end it.

use std::fmt::Write as _;

/// A document under construction.
#[derive(Debug)]
pub(super) struct Document {
    text: String,
    /// Names of the elements that are open.
    open: Vec<&'static str>,
}

impl Document {
    /// A document with nothing in it yet.
    pub(super) fn new() -> Self {
        Self { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(), open: Vec::new() }
    }

    /// Opens an element.
    pub(super) fn open(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.begin(name, attributes);
        self.text.push_str(">\n");
        self.open.push(name);
    }

    /// Closes the element that was opened last.
    pub(super) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.indent();
            let _ = writeln!(self.text, "</{name}>");
        }
    }

    /// An element without elements in it.
    pub(super) fn leaf(&mut self, name: &'static str, attributes: &[(&str, &str)], text: &str) {
        self.begin(name, attributes);
        if text.is_empty() {
            self.text.push_str("/>\n");
        } else {
            let _ = writeln!(self.text, ">{}</{name}>", escaped(text, false));
        }
    }

    /// The document, with every element closed.
    pub(super) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }

    fn begin(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.indent();
        let _ = write!(self.text, "<{name}");
        for (attribute, value) in attributes {
            let _ = write!(self.text, " {attribute}=\"{}\"", escaped(value, true));
        }
    }

    fn indent(&mut self) {
        self.text.extend(std::iter::repeat_n("  ", self.open.len()));
    }
}

/// Text that no parser takes for markup. What XML 1.0 (§2.2) has no way to write becomes U+FFFD.
fn escaped(text: &str, attribute: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            // In a text only to end a CDATA section, which this never begins; everywhere, as everybody does.
            '>' => out.push_str("&gt;"),
            '"' if attribute => out.push_str("&quot;"),
            // A parser makes blanks of them in an attribute.
            '\t' | '\n' if attribute => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            // A parser makes a line end of it everywhere.
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "</failure><x a='1'>&amp;]]>\"<![CDATA[ \t\r\n\r é\u{1f600} <!-- --> <?php ?>";

    #[test]
    fn hostile_text_comes_back_as_it_was() {
        let mut document = Document::new();
        document.open("outer", &[("name", HOSTILE)]);
        document.leaf("inner", &[("a", "1"), ("b", HOSTILE)], HOSTILE);
        document.leaf("empty", &[], "");
        let text = document.finish();
        let parsed = roxmltree::Document::parse(&text).expect(&text);
        let outer = parsed.root_element();
        let names: Vec<&str> =
            outer.children().filter(roxmltree::Node::is_element).map(|node| node.tag_name().name()).collect();
        assert_eq!((outer.attribute("name"), names), (Some(HOSTILE), vec!["inner", "empty"]));
        let inner = outer.first_element_child().expect("inner");
        assert_eq!((inner.attribute("b"), inner.text()), (Some(HOSTILE), Some(HOSTILE)));
    }

    #[test]
    fn what_xml_cannot_write_is_replaced() {
        let mut document = Document::new();
        let every: String =
            ('\u{0}'..='\u{20}').chain(['\u{7f}', '\u{85}', '\u{fffe}', '\u{ffff}']).collect();
        document.leaf("x", &[("a", &every)], &every);
        let text = document.finish();
        let parsed = roxmltree::Document::parse(&text).expect(&text);
        let kept = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}' | '\u{7f}' | '\u{85}');
        let expected: String = every.chars().map(|c| if kept(c) { c } else { '\u{fffd}' }).collect();
        assert_eq!(parsed.root_element().text(), Some(expected.as_str()));
        assert_eq!(parsed.root_element().attribute("a"), Some(expected.as_str()));
    }
}
