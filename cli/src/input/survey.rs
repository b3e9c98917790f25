//! A first look at the captures: how far apart are their clocks, roughly, and which is which.

use correlate_proto::Span;

/// What the first look gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Added to the stamps of each capture they give a common time, to within a second or so.
    pub(crate) offsets: Vec<Span>,
    /// The captures given as the client's are the server's.
    pub(crate) swapped: bool,
}

/// Without a look the clocks are taken to agree; a wrong offset costs memory, not correctness.
pub(crate) fn survey(captures: usize) -> Survey {
    Survey { offsets: vec![Span(0); captures], swapped: false }
}
