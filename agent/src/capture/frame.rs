//! A frame as it was captured, and the interface of everything that gives frames.
