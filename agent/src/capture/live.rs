//! Live capture from the interfaces of this host.
