//! The reasoning of `correlate`: what two capture points saw goes in, what happened comes out.
//!
//! Pure: no clock, no file, no socket, no thread, no unordered iteration. Everything arrives as an argument, and
//! the same input in the same order gives the same report.

pub mod clock;
pub mod config;
pub mod correlator;
pub mod feed;
mod stats;

pub use config::Config;
pub use correlator::{Correlator, Event, Progress};
pub use feed::Feed;
