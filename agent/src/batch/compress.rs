//! Compression of batches.

use correlate_proto::wire;

/// The level that costs a capturing host least; headers shrink by two thirds even so.
const LEVEL: i32 = 1;

/// Compresses bodies with one context that is used again: a new one per batch costs more than the work itself.
pub struct Compressor(Option<zstd::bulk::Compressor<'static>>);

impl core::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Compressor").field(&self.0.is_some()).finish()
    }
}

impl Compressor {
    /// Compresses with zstd; without, should there be no memory for a context.
    #[must_use]
    pub fn zstd() -> Self {
        Self(zstd::bulk::Compressor::new(LEVEL).ok())
    }

    /// Leaves bodies as they are.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// The body to send and how it is compressed. Uncompressed if that is no larger.
    pub fn compress(&mut self, body: &[u8]) -> (wire::Compression, Vec<u8>) {
        let compressed = self.0.as_mut().and_then(|context| context.compress(body).ok());
        match compressed {
            Some(small) if small.len() < body.len() => (wire::Compression::Zstd, small),
            Some(_) | None => (wire::Compression::None, body.to_vec()),
        }
    }
}
