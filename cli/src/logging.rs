//! The log of the daemons.

use crate::args::{LogArgs, LogFormat};
use std::io;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt, registry};

/// Begins to log to standard error.
pub(crate) fn start(args: &LogArgs) {
    let registry = registry().with(args.log.clone());
    // That somebody set up a log before can only be: within one process this is called once.
    let _ = match args.log_format {
        LogFormat::Text => registry.with(fmt::layer().with_writer(io::stderr).with_ansi(false)).try_init(),
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(io::stderr)).try_init(),
    };
}
