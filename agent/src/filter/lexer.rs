//! Cuts a filter expression into tokens.

use super::error::Fault;
use std::net::Ipv6Addr;

/// A token and its place in the expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) offset: usize,
    pub(super) len: usize,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// A keyword, name, number, IPv4 address or range, as written.
    Word(&'a str),
    /// A word behind a backslash: never a keyword.
    Escaped(&'a str),
    /// An IPv6 address.
    V6(Ipv6Addr),
    /// A link-layer address, as written.
    Mac(&'a str),
    /// An operator or a bracket, `and`, `or` and `not` included.
    Symbol(Symbol),
}

/// Operators and brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    Colon,
    Slash,
    Plus,
    Minus,
    Star,
    Percent,
    Amp,
    Pipe,
    Caret,
    ShiftLeft,
    ShiftRight,
    Less,
    Greater,
    LessEqual,
    GreaterEqual,
    Equal,
    NotEqual,
    And,
    Or,
    Not,
}

/// Longer signs first, so that the longest one wins.
const SIGNS: [(&str, Symbol); 28] = [
    ("&&", Symbol::And),
    ("||", Symbol::Or),
    ("<<", Symbol::ShiftLeft),
    (">>", Symbol::ShiftRight),
    ("<=", Symbol::LessEqual),
    (">=", Symbol::GreaterEqual),
    ("==", Symbol::Equal),
    ("!=", Symbol::NotEqual),
    ("<>", Symbol::NotEqual),
    ("=<", Symbol::LessEqual),
    ("=>", Symbol::GreaterEqual),
    ("(", Symbol::Open),
    (")", Symbol::Close),
    ("[", Symbol::OpenBracket),
    ("]", Symbol::CloseBracket),
    (":", Symbol::Colon),
    ("/", Symbol::Slash),
    ("+", Symbol::Plus),
    ("-", Symbol::Minus),
    ("*", Symbol::Star),
    ("%", Symbol::Percent),
    ("&", Symbol::Amp),
    ("|", Symbol::Pipe),
    ("^", Symbol::Caret),
    ("<", Symbol::Less),
    (">", Symbol::Greater),
    ("=", Symbol::Equal),
    ("!", Symbol::Not),
];

/// All tokens of `text`, in order.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, Fault> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (kind, len) = token_at(text, at)?;
        found.push(Token { kind, offset: at, len });
        at += len;
    }
    Ok(found)
}

fn token_at(text: &str, at: usize) -> Result<(Kind<'_>, usize), Fault> {
    let rest = &text[at..];
    if let Some(found) = address(rest) {
        return Ok(found);
    }
    if let Some(escaped) = rest.strip_prefix('\\') {
        let len = word_len(escaped);
        if len == 0 {
            return Err(Fault::new(at, 1, "a backslash with no name behind it"));
        }
        return Ok((Kind::Escaped(&escaped[..len]), len + 1));
    }
    let len = word_len(rest);
    if len > 0 {
        let word = &rest[..len];
        let kind = match word {
            "and" => Kind::Symbol(Symbol::And),
            "or" => Kind::Symbol(Symbol::Or),
            "not" => Kind::Symbol(Symbol::Not),
            _ => Kind::Word(word),
        };
        return Ok((kind, len));
    }
    let sign = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign));
    let Some((sign, symbol)) = sign else {
        let len = rest.chars().next().map_or(1, char::len_utf8);
        return Err(Fault::new(at, len, format!("unexpected character `{}`", &rest[..len])));
    };
    Ok((Kind::Symbol(*symbol), sign.len()))
}

/// An IPv6 or link-layer address at the start of `rest`. `0:2`, the end of `tcp[0:2]`, is neither.
fn address(rest: &str) -> Option<(Kind<'_>, usize)> {
    let len = rest.bytes().take_while(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.')).count();
    let run = &rest[..len];
    if run.bytes().filter(|b| *b == b':').count() < 2
        || rest[len..].starts_with(|c: char| c.is_ascii_alphanumeric())
    {
        return None;
    }
    if let Ok(found) = run.parse::<Ipv6Addr>() {
        return Some((Kind::V6(found), len));
    }
    let is_mac = run.split(':').count() == 6 && run.split(':').all(|part| matches!(part.len(), 1 | 2));
    is_mac.then_some((Kind::Mac(run), len))
}

/// Length of the word at the start of `rest`: letters and digits, with `-`, `_` and `.` between them, as
/// pcap-filter's scanner takes it; so `8000-8100` and `tcp-syn` are one word.
fn word_len(rest: &str) -> usize {
    if !rest.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return 0;
    }
    let run =
        rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')).count();
    rest[..run].trim_end_matches(['-', '_']).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind<'_>> {
        tokens(text).expect("lexes").into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn addresses_ranges_and_accessors_are_told_apart() {
        assert_eq!(kinds("portrange 80-90")[1], Kind::Word("80-90"));
        assert_eq!(kinds("host fe80::1")[1], Kind::V6("fe80::1".parse().expect("address")));
        assert_eq!(kinds("net ::/0")[1], Kind::V6(Ipv6Addr::UNSPECIFIED));
        assert_eq!(kinds("00:11:22:33:44:5")[0], Kind::Mac("00:11:22:33:44:5"));
        let accessor = kinds("tcp[0:2]");
        assert_eq!(accessor[2..5], [Kind::Word("0"), Kind::Symbol(Symbol::Colon), Kind::Word("2")]);
        assert_eq!(kinds("ip proto \\tcp")[2], Kind::Escaped("tcp"));
        assert_eq!(kinds("10.0.0.0/8").len(), 3);
    }

    #[test]
    fn a_strange_character_is_named_with_its_place() {
        let fault = tokens("port 80 ; ls").expect_err("refused");
        assert_eq!((fault.offset, fault.len), (8, 1));
        assert!(fault.message.contains('`'), "{}", fault.message);
        assert_eq!(tokens("tcp \\").expect_err("refused").offset, 4);
    }
}
