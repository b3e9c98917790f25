//! A report as text, JSON or `JUnit` XML. Nothing here decides anything: what is shown is in the report.

mod connections;
mod finding;
pub(crate) mod json;
pub(crate) mod junit;
mod ladder;
mod layout;
mod number;
mod points;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod style;
pub(crate) mod text;
mod times;
mod words;
mod xml;

#[cfg(target_os = "linux")]
pub(crate) use finding::headline;
pub(crate) use layout::{printable, wrap};
#[cfg(target_os = "linux")]
pub(crate) use number::counted;
pub(crate) use style::Style;

#[cfg(test)]
mod tests;
