//! What may be wrong with a message.

/// A message that does not say anything in the vocabulary. Always the sender's fault: it is refused, never
/// repaired.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// The octets are no protobuf message.
    #[error("not a message: {0}")]
    Malformed(String),
    /// A part that must be there is absent.
    #[error("{field} is missing")]
    Missing {
        /// Name of the field.
        field: &'static str,
    },
    /// A column has fewer entries than its rows need.
    #[error("column {column} ends before its last row")]
    ColumnTooShort {
        /// Name of the column.
        column: &'static str,
    },
    /// A column has more entries than its rows need.
    #[error("column {column} goes on after its last row")]
    ColumnTooLong {
        /// Name of the column.
        column: &'static str,
    },
    /// A number outside of what its field can mean.
    #[error("{field} is {value}, which is out of range")]
    OutOfRange {
        /// Name of the field.
        field: &'static str,
        /// What it says.
        value: u64,
    },
    /// An address is neither IPv4 nor IPv6.
    #[error("{field} has {len} octets; an address has 4 or 16")]
    Address {
        /// Name of the field.
        field: &'static str,
        /// Octets that it has.
        len: usize,
    },
    /// More than a message may hold.
    #[error("{what}: {count} is more than the limit of {limit}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        count: usize,
        /// How much is taken.
        limit: usize,
    },
    /// An interval that ends before it begins, or intervals out of order.
    #[error("{field} is not in order")]
    Disorder {
        /// Name of the field.
        field: &'static str,
    },
}

/// `value` as a narrower number, or the error that names the field.
pub(super) fn narrow<W: TryFrom<u32>>(field: &'static str, value: u32) -> Result<W, ConvertError> {
    W::try_from(value).map_err(|_| ConvertError::OutOfRange { field, value: value.into() })
}
