//! Ways to reach a coordinator.

use core::future::Future;
use core::pin::Pin;
use core::time::Duration;
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::transport::{Channel, Endpoint};

/// Between two pings on a connection without traffic, and how long an answer may take: a dead coordinator is
/// noticed within the sum.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

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

/// Dials once and speaks HTTP/2 on the connection. The channel does not dial by itself: when the connection breaks, so
/// does every call on it.
pub async fn channel(dial: &Dial) -> io::Result<Channel> {
    let mut slot = Some(TokioIo::new(dial().await?));
    let connector = tower::service_fn(move |_| {
        core::future::ready(slot.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)))
    });
    Endpoint::from_static("http://coordinator")
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .connect_with_connector(connector)
        .await
        .map_err(io::Error::other)
}
