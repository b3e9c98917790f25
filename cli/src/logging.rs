//! The log of the daemons.

use crate::args::{AuditArgs, LogArgs, LogFormat};
use crate::audit::AuditLog;
use crate::error::CliError;
use std::io;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

/// Begins to log to standard error, and to the audit log if there is one; that has every event of its own, whatever
/// is logged.
pub(crate) fn start(args: &LogArgs, audit: &AuditArgs) -> Result<(), CliError> {
    let audit = audit.audit.as_deref().map(AuditLog::open).transpose()?;
    let registry = registry().with(audit);
    let layer = fmt::layer().with_writer(io::stderr);
    // That somebody set up a log before can only be: within one process this is called once.
    let _ = match args.log_format {
        LogFormat::Text => registry.with(layer.with_ansi(false).with_filter(args.log.clone())).try_init(),
        LogFormat::Json => registry.with(layer.json().with_filter(args.log.clone())).try_init(),
    };
    Ok(())
}
