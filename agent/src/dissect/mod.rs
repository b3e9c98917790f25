//! From the bytes of a frame to the fields of a record.
