//! Reading a column entry by entry, with its name for the error.

use super::error::ConvertError;

/// A column that is being read.
#[derive(Debug)]
pub(super) struct Column<'a, T> {
    name: &'static str,
    rest: core::slice::Iter<'a, T>,
}

impl<'a, T: Copy> Column<'a, T> {
    pub(super) fn new(name: &'static str, entries: &'a [T]) -> Self {
        Self { name, rest: entries.iter() }
    }

    /// The next entry.
    pub(super) fn take(&mut self) -> Result<T, ConvertError> {
        self.rest.next().copied().ok_or(ConvertError::ColumnTooShort { column: self.name })
    }

    /// The next entry if the row has one.
    pub(super) fn take_if(&mut self, present: bool) -> Result<Option<T>, ConvertError> {
        if present { self.take().map(Some) } else { Ok(None) }
    }

    /// All entries must have been taken.
    pub(super) fn end(&self) -> Result<(), ConvertError> {
        if self.rest.len() == 0 { Ok(()) } else { Err(ConvertError::ColumnTooLong { column: self.name }) }
    }
}
