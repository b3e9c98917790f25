//! From records to sealed batches: pure, the caller gives the time.

mod builder;
mod compress;

pub use builder::{BatchBuilder, MAX_AGE, TARGET_BYTES};
pub use compress::Compressor;
