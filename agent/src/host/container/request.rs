//! One question to an engine: HTTP/1.1 over its unix socket.

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// An engine answers in milliseconds; one that is asked while it starts a hundred containers, in seconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A container's description has some 10 KiB, and a list 1 KiB for each. What is longer is refused.
pub(super) const LONGEST: usize = 8 << 20;

/// What an engine said.
#[derive(Debug)]
pub(super) struct Answer {
    /// Status of HTTP.
    pub(super) status: u16,
    /// The body as JSON; null if it is none.
    pub(super) body: serde_json::Value,
    /// Process that listens at the socket, in this process's numbers; 0 if it has none there.
    pub(super) listener: Option<i32>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// Nobody listens, or this user may not ask.
    #[error("{0}")]
    Connect(#[source] io::Error),
    /// What listens does not speak HTTP, or breaks off.
    #[error("{0}")]
    Http(#[from] hyper::Error),
    /// The answer breaks off, or is longer than [`LONGEST`].
    #[error("{0}")]
    Body(Box<dyn core::error::Error + Send + Sync>),
    /// It said nothing within [`PATIENCE`].
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Silent,
}

/// Asks for `target` at `socket`, on a runtime and thread of its own: the caller may be inside another runtime.
pub(super) fn get(socket: &Path, target: &str) -> Result<Answer, AskError> {
    let ask = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(AskError::Connect)?.block_on(async {
            tokio::time::timeout(PATIENCE, exchange(socket, target)).await.unwrap_or(Err(AskError::Silent))
        })
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("container engine".to_owned()).spawn_scoped(scope, ask);
        match thread.map_err(AskError::Connect)?.join() {
            Ok(answer) => answer,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

async fn exchange(socket: &Path, target: &str) -> Result<Answer, AskError> {
    let stream = UnixStream::connect(socket).await.map_err(AskError::Connect)?;
    let listener = stream.peer_cred().ok().and_then(|credentials| credentials.pid());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the runtime; its errors reach the request.
    tokio::spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = target.parse().map_err(|error| AskError::Body(Box::from(error)))?;
    request.headers_mut().insert(header::HOST, header::HeaderValue::from_static("localhost"));
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), LONGEST).collect().await.map_err(AskError::Body)?;
    let body = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    Ok(Answer { status, body, listener })
}
