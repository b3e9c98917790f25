//! The fault run: coordinator and agents are killed and cut off at random moments while a session captures healthy
//! traffic; nothing may be lost, nothing invented.

mod audit;
pub mod options;
mod plan;
mod round;

pub use audit::Figures;
pub use round::{Setting, round};
