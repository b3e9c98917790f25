//! The reasoning of `correlate`: what two capture points saw goes in, what happened comes out.
//!
//! Pure: no clock, no file, no socket, no thread, no unordered iteration. Everything arrives as an argument, and
//! the same input in the same order gives the same report.

pub mod clock;
mod comparison;
pub mod config;
mod connection;
pub mod correlator;
mod course;
mod delay;
pub mod fate;
pub mod feed;
mod findings;
mod flow;
mod fold;
mod ingest;
mod matching;
mod numbering;
mod pairing;
mod point;
mod readings;
mod report;
pub mod rough;
mod session;
mod sightings;
mod sink;
mod stats;
mod steady;
mod twins;

pub use config::Config;
pub use correlator::{Correlator, Event, Progress};
pub use feed::Feed;
