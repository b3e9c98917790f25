//! Small statistics.
