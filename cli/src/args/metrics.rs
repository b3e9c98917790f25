//! Where a daemon's metrics are served.

use clap::Args;
use std::net::{Ipv4Addr, SocketAddr};

/// Where metrics are served, if they are.
#[derive(Debug, Clone, Args)]
pub(crate) struct MetricsArgs {
    /// Serve metrics for Prometheus at http://ADDRESS:PORT/metrics, in the clear and to whoever reaches it; a port
    /// alone is one of 127.0.0.1
    #[arg(long, value_name = "[ADDRESS:]PORT", env = "CORRELATE_METRICS", value_parser = address)]
    pub(crate) metrics: Option<SocketAddr>,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse().map_err(|_| "write a port, or ADDRESS:PORT as 127.0.0.1:9464 or [::]:9464".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_one_of_loopback() {
        for (text, meant) in
            [("9464", "127.0.0.1:9464"), ("0.0.0.0:1", "0.0.0.0:1"), ("[::1]:9464", "[::1]:9464")]
        {
            assert_eq!(address(text).map(|address| address.to_string()), Ok(meant.to_owned()));
        }
        for text in ["", "70000", ":9464", "localhost:9464", "10.0.0.1"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
