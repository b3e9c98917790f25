//! Capture files, read by one thread each and merged into the engine.

mod capture;
mod merge;
mod reader;
mod same;
mod survey;

pub(crate) use capture::Capture;
pub(crate) use merge::merge;
pub(crate) use reader::Reader;
pub(crate) use same::{name, same_file};
pub(crate) use survey::{Survey, survey};
