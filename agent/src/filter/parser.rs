//! Turns tokens into an expression: terms, qualifiers, and what they are joined by.
//!
//! As in pcap-filter(7), `and` and `or` have the same precedence and associate to the left, `not` binds
//! tighter, and a value without qualifiers takes those of the value before it (`port 80 or 443`).

use super::arithmetic;
use super::ast::{Expr, Primitive, Way};
use super::error::Fault;
use super::lexer::{Kind, Symbol, Token, tokens};
use super::names::{self, Protocol};
use super::value;

/// Longest expression, in octets: far above what a person writes, and small enough for any list of addresses
/// that still fits the kernel's 4,096 instructions.
pub(super) const MAX_EXPRESSION_LEN: usize = 16 * 1024;
/// Deepest nesting of parentheses and `not`: keeps the recursion of all later steps small.
const MAX_DEPTH: u32 = 64;
/// Most tests in one expression, for the same reason: `a or b or …` nests to the left.
const MAX_TESTS: u32 = 400;

/// The qualifiers of a value: protocol, direction, type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Qualifiers {
    pub(super) protocol: Option<Protocol>,
    pub(super) way: Way,
    pub(super) kind: ValueKind,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    Host,
    Net,
    Port,
    PortRange,
    Proto,
}

/// A position in the tokens of an expression.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    text_len: usize,
    tokens: Vec<Token<'a>>,
    position: usize,
    depth: u32,
    tests: u32,
    /// Qualifiers that a bare value takes; absent behind a term that had none.
    reusable: Option<Qualifiers>,
}

/// Parses a whole expression.
pub(super) fn parse(text: &str) -> Result<Expr, Fault> {
    if text.len() > MAX_EXPRESSION_LEN {
        return Err(Fault::new(0, 0, format!("the filter is longer than {MAX_EXPRESSION_LEN} octets"))
            .help("join addresses to networks and ports to ranges"));
    }
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(Expr::All);
    }
    let mut parser = Parser { text_len: text.len(), tokens, position: 0, depth: 0, tests: 0, reusable: None };
    let found = parser.expression()?;
    match parser.peek() {
        None => Ok(found),
        Some(token) if token.kind == Kind::Symbol(Symbol::Close) => {
            Err(parser.fault("this closes no parenthesis"))
        }
        Some(_) => Err(parser.fault("`and` or `or` is missing before this")),
    }
}

impl<'a> Parser<'a> {
    fn expression(&mut self) -> Result<Expr, Fault> {
        let mut left = self.term()?;
        loop {
            if self.take(Symbol::And) {
                left = Expr::And(Box::new(left), Box::new(self.term()?));
            } else if self.take(Symbol::Or) {
                left = Expr::Or(Box::new(left), Box::new(self.term()?));
            } else {
                return Ok(left);
            }
        }
    }

    fn term(&mut self) -> Result<Expr, Fault> {
        if self.take(Symbol::Not) {
            return Ok(Expr::Not(Box::new(self.deeper(Self::term)?)));
        }
        self.tests += 1;
        if self.tests > MAX_TESTS {
            return Err(self
                .fault(format!("the filter has more than {MAX_TESTS} tests"))
                .help("join addresses to networks and ports to ranges"));
        }
        if arithmetic::begins(self) {
            self.reusable = None;
            return arithmetic::relation(self);
        }
        if self.peek().is_some_and(|token| token.kind == Kind::Symbol(Symbol::Open)) {
            return self.parenthesised();
        }
        match self.word() {
            Some(word @ ("less" | "greater")) => self.length(word),
            Some(word) if names::unsupported(word).is_some() => Err(self.unknown_word(word)),
            Some(word) if is_qualifier(word) => self.qualified(),
            Some(_) | None => match self.reusable {
                Some(qualifiers) if self.at_value() => self.value(qualifiers),
                Some(_) | None => Err(self.no_term()),
            },
        }
    }

    fn parenthesised(&mut self) -> Result<Expr, Fault> {
        let open = self.position;
        self.position += 1;
        let found = self.deeper(Self::expression)?;
        if self.take(Symbol::Close) {
            return Ok(found);
        }
        if self.peek().is_some() {
            return Err(self.fault("`and`, `or` or `)` is missing before this"));
        }
        let token = self.tokens[open];
        Err(Fault::new(token.offset, token.len, "this parenthesis is not closed"))
    }

    /// Runs `parse` one level deeper.
    pub(super) fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fault(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let found = parse(self);
        self.depth -= 1;
        found
    }

    /// `less 100` and `greater 100`, both inclusive.
    fn length(&mut self, word: &str) -> Result<Expr, Fault> {
        self.position += 1;
        let bound = arithmetic::number(self)?;
        self.reusable = None;
        Ok(Expr::Test(arithmetic::length_test(word == "less", bound)))
    }

    /// A term that begins with qualifiers, or is a protocol alone.
    fn qualified(&mut self) -> Result<Expr, Fault> {
        let start = self.position;
        let protocol = self.word().and_then(names::protocol);
        self.position += usize::from(protocol.is_some());
        let way = self.way();
        let kind = self.word().and_then(value_kind);
        self.position += usize::from(kind.is_some());
        if let (Some(protocol), None, None) = (protocol, way, kind) {
            return self.protocol_alone(start, protocol);
        }
        let qualifiers =
            Qualifiers { protocol, way: way.unwrap_or(Way::Either), kind: kind.unwrap_or(ValueKind::Host) };
        if way.is_some() && qualifiers.kind == ValueKind::Proto {
            return Err(self.fault_from(start, "a protocol has no source or destination"));
        }
        self.reusable = Some(qualifiers);
        if self.peek().is_some_and(|token| token.kind == Kind::Symbol(Symbol::Open)) {
            return self.parenthesised();
        }
        self.value(qualifiers)
    }

    fn protocol_alone(&mut self, start: usize, protocol: Protocol) -> Result<Expr, Fault> {
        if self.at_value() {
            let word = self.tokens[start];
            return Err(self
                .fault("`host`, `net`, `port` or `proto` is missing before this")
                .help(format!("write for example `{} port 80`", spelling(word))));
        }
        self.reusable = None;
        match protocol {
            Protocol::Ether => Err(self
                .fault_from(start, "link-layer tests are not supported")
                .help("the filter must mean the same on every link; only `ether proto` is known")),
            Protocol::Type(ethertype) => Ok(Expr::Test(Primitive::EtherType(ethertype))),
            Protocol::Number { v4, v6, number } => Ok(Expr::Test(Primitive::Protocol { v4, v6, number })),
        }
    }

    /// `src`, `dst`, `src or dst`, `src and dst`, if they stand here.
    fn way(&mut self) -> Option<Way> {
        let first = match self.word() {
            Some("src") => Way::Src,
            Some("dst") => Way::Dst,
            Some(_) | None => return None,
        };
        self.position += 1;
        let joined = self.peek().map(|token| token.kind);
        let second = self.tokens.get(self.position + 1).map(|token| token.kind);
        let other = Kind::Word(if first == Way::Src { "dst" } else { "src" });
        if second != Some(other) {
            return Some(first);
        }
        let both = match joined {
            Some(Kind::Symbol(Symbol::Or)) => Way::Either,
            Some(Kind::Symbol(Symbol::And)) => Way::Both,
            Some(_) | None => return Some(first),
        };
        // `src host a or dst host b` has words between; here the second stands right behind the connective,
        // and a value or a type follows.
        self.position += 2;
        Some(both)
    }

    /// A value, with the `not` that may stand before it behind qualifiers.
    fn value(&mut self, qualifiers: Qualifiers) -> Result<Expr, Fault> {
        if self.take(Symbol::Not) {
            return Ok(Expr::Not(Box::new(self.deeper(|parser| parser.value(qualifiers))?)));
        }
        value::parse(self, qualifiers)
    }

    /// Whether a value stands here: an address, a number or a name that is no keyword.
    fn at_value(&self) -> bool {
        match self.peek().map(|token| token.kind) {
            Some(Kind::V6(_) | Kind::Escaped(_) | Kind::Mac(_)) => true,
            Some(Kind::Word(word)) => {
                !is_qualifier(word)
                    && !matches!(word, "less" | "greater" | "len")
                    && names::unsupported(word).is_none()
            }
            Some(Kind::Symbol(_)) | None => false,
        }
    }

    fn no_term(&self) -> Fault {
        match self.peek().map(|token| token.kind) {
            None => self.fault("the filter ends where a test is expected"),
            Some(Kind::Word(word)) if value::looks_like_address(word) => {
                self.fault("an address alone is no test").help(format!("write `host {word}`"))
            }
            Some(Kind::Word(word)) if word.parse::<u16>().is_ok() => {
                self.fault("a number alone is no test").help(format!("write `port {word}`"))
            }
            Some(Kind::V6(address)) => {
                self.fault("an address alone is no test").help(format!("write `host {address}`"))
            }
            Some(Kind::Word(word)) => self.unknown_word(word),
            Some(Kind::Escaped(_) | Kind::Mac(_) | Kind::Symbol(_)) => {
                self.fault("a test is expected here").help("for example `port 5432` or `host 10.0.4.12`")
            }
        }
    }

    fn unknown_word(&self, word: &str) -> Fault {
        match names::unsupported(word) {
            Some(help) => self.fault(format!("`{word}` is not supported")).help(help),
            None => self
                .fault(format!("unknown word `{word}`"))
                .help("tests are host, net, port, portrange, proto, tcp, ip, ip6, less, greater, tcp[…]"),
        }
    }

    /// The token here.
    pub(super) fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.position).copied()
    }

    /// The token `ahead` tokens further on.
    pub(super) fn peek_at(&self, ahead: usize) -> Option<Kind<'a>> {
        self.tokens.get(self.position + ahead).map(|token| token.kind)
    }

    /// The word here, if it is one.
    pub(super) fn word(&self) -> Option<&'a str> {
        match self.peek()?.kind {
            Kind::Word(word) => Some(word),
            Kind::Escaped(_) | Kind::V6(_) | Kind::Mac(_) | Kind::Symbol(_) => None,
        }
    }

    /// Whether a bare value here would take the qualifiers of the one before it.
    pub(super) fn can_reuse(&self) -> bool {
        self.reusable.is_some()
    }

    /// Steps over the token here.
    pub(super) fn advance(&mut self) {
        self.position += 1;
    }

    /// Steps over `symbol` if it stands here.
    pub(super) fn take(&mut self, symbol: Symbol) -> bool {
        let here = self.peek().is_some_and(|token| token.kind == Kind::Symbol(symbol));
        self.position += usize::from(here);
        here
    }

    /// A fault at the token here, or at the end of the expression.
    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        let (offset, len) = self.peek().map_or((self.text_len, 0), |token| (token.offset, token.len));
        Fault::new(offset, len, message)
    }

    /// A fault that spans from token `start` to the token before the one here.
    fn fault_from(&self, start: usize, message: &str) -> Fault {
        let first = self.tokens[start];
        let last = self.tokens[self.position.clamp(start + 1, self.tokens.len()) - 1];
        Fault::new(first.offset, last.offset + last.len - first.offset, message)
    }
}

fn spelling(token: Token<'_>) -> &str {
    match token.kind {
        Kind::Word(word) | Kind::Escaped(word) | Kind::Mac(word) => word,
        Kind::V6(_) | Kind::Symbol(_) => "tcp",
    }
}

fn value_kind(word: &str) -> Option<ValueKind> {
    match word {
        "host" => Some(ValueKind::Host),
        "net" => Some(ValueKind::Net),
        "port" => Some(ValueKind::Port),
        "portrange" => Some(ValueKind::PortRange),
        "proto" => Some(ValueKind::Proto),
        _ => None,
    }
}

fn is_qualifier(word: &str) -> bool {
    matches!(word, "src" | "dst") || value_kind(word).is_some() || names::protocol(word).is_some()
}
