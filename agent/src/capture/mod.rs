//! Sources of frames: capture files and live interfaces, behind one interface.

pub mod addresses;
pub mod error;
pub mod file;
pub mod frame;
pub mod link;
pub mod live;
pub mod reader;
mod ring;

pub use addresses::AddressBook;
pub use error::CaptureError;
pub use file::CaptureFile;
pub use frame::{Frame, FrameSource, Next, Remote};
pub use link::LinkType;
pub use reader::{Fill, Reader};
