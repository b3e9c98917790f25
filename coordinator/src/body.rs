//! Opening sealed batches: decompress, decode, and hold against what the seal says.

use correlate_proto::convert::{BatchContents, ConvertError, MAX_BATCH_BYTES, decode_body};
use correlate_proto::wire;

/// Opens batches with one decompression context that is used again.
pub(crate) struct BatchOpener {
    context: Option<zstd::bulk::Decompressor<'static>>,
}

impl core::fmt::Debug for BatchOpener {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("BatchOpener").finish_non_exhaustive()
    }
}

/// What is wrong with a sealed batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// The body is compressed in a way that is not known, or not so compressed.
    #[error("its body cannot be decompressed")]
    Compression,
    /// The seal is not what the body says.
    #[error("its {0} is not what its body says")]
    Seal(&'static str),
    /// The body is no batch.
    #[error(transparent)]
    Content(#[from] ConvertError),
}

impl BatchOpener {
    pub(crate) fn new() -> Self {
        Self { context: None }
    }

    /// The batch in the vocabulary.
    pub(crate) fn open(&mut self, batch: &wire::SealedBatch) -> Result<BatchContents, BodyError> {
        let contents = match wire::Compression::try_from(batch.compression) {
            Ok(wire::Compression::None) => {
                check_len(batch, batch.body.len())?;
                decode_body(&batch.body)?
            }
            Ok(wire::Compression::Zstd) => decode_body(&self.decompress(batch)?)?,
            Ok(wire::Compression::Unspecified) | Err(_) => return Err(BodyError::Compression),
        };
        check_seal(batch, &contents)?;
        Ok(contents)
    }

    fn decompress(&mut self, batch: &wire::SealedBatch) -> Result<Vec<u8>, BodyError> {
        let len = usize::try_from(batch.body_len).unwrap_or(usize::MAX);
        if len > MAX_BATCH_BYTES {
            let (what, limit) = ("octets of a batch", MAX_BATCH_BYTES);
            return Err(ConvertError::TooMany { what, count: len, limit }.into());
        }
        let context = match &mut self.context {
            Some(context) => context,
            empty @ None => {
                empty.insert(zstd::bulk::Decompressor::new().map_err(|_| BodyError::Compression)?)
            }
        };
        let body = context.decompress(&batch.body, len).map_err(|_| BodyError::Compression)?;
        check_len(batch, body.len())?;
        Ok(body)
    }
}

fn check_len(batch: &wire::SealedBatch, len: usize) -> Result<(), BodyError> {
    if usize::try_from(batch.body_len) == Ok(len) { Ok(()) } else { Err(BodyError::Seal("body_len")) }
}

fn check_seal(batch: &wire::SealedBatch, contents: &BatchContents) -> Result<(), BodyError> {
    let stamps = || contents.records.iter().map(|record| record.at().as_ns());
    if usize::try_from(batch.records) != Ok(contents.records.len()) {
        return Err(BodyError::Seal("records"));
    }
    if batch.first_at_ns != stamps().min() {
        return Err(BodyError::Seal("first_at_ns"));
    }
    if batch.last_at_ns != stamps().max() {
        return Err(BodyError::Seal("last_at_ns"));
    }
    Ok(())
}
