//! One page for each code of a finding.

mod pages;

pub(crate) use pages::{page, summaries};

#[cfg(test)]
mod tests;
