//! Capture files, read by one thread each and merged into the engine.

mod analysis;
mod capture;
mod merge;
mod reader;
mod same;
mod saving;
mod survey;

pub(crate) use analysis::{Analysis, Given};
pub(crate) use same::same_file;

use capture::Capture;
use merge::merge;
use reader::Reader;
use same::name;
use survey::survey;
