//! Containers of this machine, looked up by name at the API of Docker or Podman.

mod error;
mod lookup;
mod request;
mod sockets;

pub use error::ContainerError;
pub use lookup::Container;

#[cfg(test)]
mod tests;
