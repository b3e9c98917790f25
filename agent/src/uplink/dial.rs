//! Ways to reach a coordinator.

use core::future::Future;
use core::pin::Pin;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection: anything that octets go in and out of.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Makes a connection to the coordinator, as often as it is called.
pub type Dial = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = io::Result<Box<dyn Io>>> + Send>> + Send + Sync>;

/// Dials `address`, a host and port, over TCP.
#[must_use]
pub fn dial_tcp(address: String) -> Dial {
    Arc::new(move || {
        let address = address.clone();
        Box::pin(async move {
            let stream = tokio::net::TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Io>)
        })
    })
}

/// Gives `io` the first time, and an error after: for the standard input and output of a child.
#[must_use]
pub fn dial_once(io: impl Io + 'static) -> Dial {
    let slot: Mutex<Option<Box<dyn Io>>> = Mutex::new(Some(Box::new(io)));
    Arc::new(move || {
        let taken = slot.lock().map_or(None, |mut slot| slot.take());
        let gone = || io::Error::new(io::ErrorKind::NotConnected, "the only connection is closed");
        Box::pin(core::future::ready(taken.ok_or_else(gone)))
    })
}
