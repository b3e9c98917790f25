//! Sources of frames: capture files and live interfaces, behind one interface.

pub mod error;
pub mod frame;
pub mod link;
pub mod live;

pub use error::CaptureError;
pub use frame::{Frame, FrameSource, Next};
pub use link::LinkType;
