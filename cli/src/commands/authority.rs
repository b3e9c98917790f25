//! `coordinator init` and `coordinator token`: who may join.

use crate::args::{InitArgs, TokenArgs};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::output;
use correlate_agent::trust::{Address, DEFAULT_PORT};
use correlate_coordinator::peer::PeerRole;
use correlate_coordinator::trust::{Authority, Tokens, TrustError};
use correlate_proto::JoinToken;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long the first tokens are good.
const FIRST_TTL: Duration = Duration::from_secs(900);
/// Under these every coordinator can be dialled from its own host.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Makes the authority, and tokens for the first agent and the first operator.
pub(crate) fn init(args: &InitArgs) -> Result<ExitStatus, CliError> {
    let authority = make(&args.data, &args.name).map_err(failed)?;
    let mut text = format!("authority  sha256:{}\n", hexadecimal(&authority.fingerprint()));
    let _ = writeln!(text, "names      {}", authority.names().join(" "));
    let _ = writeln!(text, "files      {}", authority.directory().display());
    for role in [PeerRole::Agent, PeerRole::Operator] {
        let token = token(&authority, role, None, FIRST_TTL, None).map_err(failed)?;
        let _ = writeln!(text, "{:<9}  {token}", role.word());
    }
    output::data(&text)?;
    output::say("hint: each token is good for one `correlate join TOKEN --name NAME` within 15 minutes;");
    output::say("      `correlate coordinator token` makes more");
    Ok(ExitStatus::Clean)
}

/// Makes one token.
pub(crate) fn make_token(args: &TokenArgs) -> Result<ExitStatus, CliError> {
    let authority = Authority::open(&args.data).map_err(failed)?;
    let token = token(&authority, args.role.into(), args.name.as_deref(), args.ttl, args.url.as_ref());
    output::data(&format!("{}\n", token.map_err(failed)?))?;
    Ok(ExitStatus::Clean)
}

fn make(data: &Path, names: &[String]) -> Result<Authority, TrustError> {
    if names.is_empty() && Authority::open(data).is_ok() {
        return Authority::open(data);
    }
    let mut all = names.to_vec();
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    for name in core::iter::once(own.trim()).chain(LOOPBACK) {
        if !name.is_empty() && !all.iter().any(|known| known == name) {
            all.push(name.to_owned());
        }
    }
    Authority::init(data, &all)
}

fn token(
    authority: &Authority,
    role: PeerRole,
    name: Option<&str>,
    life: Duration,
    url: Option<&Address>,
) -> Result<JoinToken, TrustError> {
    let made = Tokens::open(authority.directory())?.create(role, name, life, SystemTime::now())?;
    let first = || authority.names().first().map(|host| Address { host: host.clone(), port: DEFAULT_PORT });
    let coordinator = url.cloned().or_else(first).map(|address| address.to_string()).unwrap_or_default();
    let expires_at = made.expires_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Ok(JoinToken { expires_at, fingerprint: authority.fingerprint(), secret: made.secret, coordinator })
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn failed(error: TrustError) -> CliError {
    CliError::remedied(&error.to_string(), "see `correlate coordinator init --help`")
}
