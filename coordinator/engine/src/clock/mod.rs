//! Clocks of host pairs.
