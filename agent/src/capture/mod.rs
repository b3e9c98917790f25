//! Sources of frames: capture files and live interfaces, behind one interface.

pub mod frame;
pub mod live;
