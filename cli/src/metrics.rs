//! The figures of a daemon, as Prometheus scrapes them: text over HTTP, without TLS and for whoever reaches it.

use crate::args::MetricsArgs;
use crate::error::CliError;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Connections at once. Further ones wait until one is over: a scrape takes milliseconds.
const AT_ONCE: usize = 8;
/// How long a connection may last. A scraper that is slower is cut off.
const WITHIN: Duration = Duration::from_secs(10);
/// Wait before the next attempt when a connection cannot be accepted, which is for want of file descriptors.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// What `encode` writes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Where a daemon is scraped. Nothing is answered before [`Exporter::start`].
#[derive(Debug)]
pub(crate) struct Exporter(TcpListener);

impl Exporter {
    /// Listens, if that was asked for.
    pub(crate) fn bind(args: &MetricsArgs) -> Result<Option<Self>, CliError> {
        let Some(address) = args.metrics else { return Ok(None) };
        let bound = TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(Self(listener))
        });
        bound.map(Some).map_err(|error| {
            CliError::new(format!("cannot serve metrics on {address}: {error}"))
                .hint("give another address with --metrics")
        })
    }

    /// Where it listens; `None` if the system does not tell.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.0.local_addr().ok()
    }

    /// Answers scrapes of `registry` from now on, on the present runtime.
    pub(crate) fn start(self, mut registry: Registry) {
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("correlate_build", "The program", version);
        let address = self.address();
        match tokio::net::TcpListener::from_std(self.0) {
            Ok(listener) => drop(tokio::spawn(serve(listener, Arc::new(registry)))),
            Err(error) => return tracing::error!(%error, "metrics cannot be served"),
        }
        if let Some(address) = address {
            tracing::info!(url = %format_args!("http://{address}/metrics"), "metrics are served");
        }
    }
}

async fn serve(listener: tokio::net::TcpListener, registry: Arc<Registry>) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    // It is never closed.
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let registry = Arc::clone(&registry);
                tokio::spawn(async move {
                    converse(stream, registry).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a scrape was not accepted");
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    }
}

/// One request and its answer.
async fn converse(stream: TcpStream, registry: Arc<Registry>) {
    let service = service_fn(move |request| {
        let answer = answer(&request, &registry);
        async move { Ok::<_, Infallible>(answer) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(WITHIN, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a scrape failed"),
        Err(_) => tracing::debug!("a scrape took too long"),
    }
}

fn answer(request: &Request<Incoming>, registry: &Registry) -> Response<Full<Bytes>> {
    let mut response = Response::default();
    if request.uri().path() != "/metrics" {
        *response.status_mut() = StatusCode::NOT_FOUND;
        *response.body_mut() = Full::from("metrics are at /metrics\n");
    } else if request.method() != Method::GET && request.method() != Method::HEAD {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
    } else {
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = encode(&mut text, registry);
        response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(OPEN_METRICS));
        *response.body_mut() = Full::from(text);
    }
    response
}
