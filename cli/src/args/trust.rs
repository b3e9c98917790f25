//! Arguments of what gives and takes trust: `coordinator init`, `coordinator token`, `join`, `validate`.

use super::limits;
use crate::config::Kind;
use crate::remote::CREDENTIALS;
use clap::{Args, Subcommand, ValueEnum};
use correlate_agent::policy::EXAMPLE;
use correlate_agent::trust::Address;
use correlate_coordinator::peer::PeerRole;
use correlate_proto::JoinToken;
use std::path::PathBuf;
use std::time::Duration;

/// The environment variable that names the coordinator's directory.
pub(crate) const DATA: &str = "CORRELATE_DATA";

/// What the coordinator's authority is told.
#[derive(Debug, Subcommand)]
pub(crate) enum CoordinatorCommand {
    /// Make the certificate authority, and the first join tokens
    Init(InitArgs),
    /// Make a join token
    Token(TokenArgs),
}

/// Arguments of `coordinator init`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  correlate coordinator init --data /var/lib/correlate --name collector.example --name 10.0.0.5

An authority that is there is kept; names replace those before, and take effect when the coordinator is started \
again. Whoever has the files in DIR/trust can make certificates: keep them as you keep keys.")]
pub(crate) struct InitArgs {
    /// Directory of the coordinator
    #[arg(long, value_name = "DIR", default_value = "correlate-data", env = DATA)]
    pub(crate) data: PathBuf,
    /// A name or address under which the coordinator is dialled, besides its own and loopback (repeatable)
    #[arg(long, value_name = "HOST")]
    pub(crate) name: Vec<String>,
}

/// Arguments of `coordinator token`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  correlate coordinator token --role agent --data /var/lib/correlate
  correlate coordinator token --role operator --name anna --ttl 2h

The token is written to standard output. It is good for one join, and only until it expires. With --name it gives \
that name and no other, and replaces whoever had it.")]
pub(crate) struct TokenArgs {
    /// What the joiner may do
    #[arg(long, value_enum)]
    pub(crate) role: Role,
    /// The name that the joiner gets; without it the joiner says one
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// How long the token is good: 90s, 15m, 2h
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = limits::duration)]
    pub(crate) ttl: Duration,
    /// Where the joiner finds the coordinator; the default is the first of its names
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) url: Option<Address>,
    /// Directory of the coordinator
    #[arg(long, value_name = "DIR", default_value = "correlate-data", env = DATA)]
    pub(crate) data: PathBuf,
}

/// A role as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Captures on its host
    Agent,
    /// Starts and stops sessions, and looks
    Operator,
    /// Looks
    Viewer,
}

impl From<Role> for PeerRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Agent => Self::Agent,
            Role::Operator => Self::Operator,
            Role::Viewer => Self::Viewer,
        }
    }
}

/// Arguments of `join`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  correlate join https://collector.example:4747 cjt1_AAAA... --name db-1
  correlate join cjt1_AAAA...                    the token says where

The key is made here and stays here. Certificates last 30 days and are renewed while the agent runs, or when a \
command is used that asks the coordinator.")]
pub(crate) struct JoinArgs {
    /// The coordinator, and the token that `correlate coordinator token` printed
    #[arg(value_name = "URL> <TOKEN", required = true, num_args = 1..=2)]
    pub(crate) words: Vec<String>,
    /// The name to join under, where the token gives none
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) credentials: CredentialsArgs,
}

impl JoinArgs {
    /// Where to join, and the token.
    pub(crate) fn read(&self) -> Result<(Address, JoinToken), String> {
        let (url, token) = match self.words.as_slice() {
            [token] => (None, token),
            [url, token] => (Some(url), token),
            _ => return Err("give a URL and a token".to_owned()),
        };
        let token: JoinToken = token.parse().map_err(|error| format!("{error}"))?;
        let url = match url {
            Some(url) => url.as_str(),
            None if token.coordinator.is_empty() => {
                return Err(
                    "the token does not say where the coordinator is; give its URL before it".to_owned()
                );
            }
            None => &token.coordinator,
        };
        let address = url.parse().map_err(|error| format!("{error}"))?;
        Ok((address, token))
    }
}

/// Where credentials are.
#[derive(Debug, Clone, Args)]
pub(crate) struct CredentialsArgs {
    /// Directory of key and certificates; the default is /etc/correlate for root, ~/.config/correlate for others
    #[arg(long, value_name = "DIR", env = CREDENTIALS)]
    pub(crate) credentials: Option<PathBuf>,
}

/// Whether who asked for what is written down.
#[derive(Debug, Clone, Args)]
pub(crate) struct AuditArgs {
    /// Write who asked for what, when, and the answer to this file, one JSON object per line; at 64 MiB it becomes
    /// FILE.1 and another begins
    #[arg(long, value_name = "FILE", env = "CORRELATE_AUDIT")]
    pub(crate) audit: Option<PathBuf>,
}

/// Where a daemon's settings are.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigArgs {
    /// A file of settings: a flag stands over the environment, that over the file, and that over the default
    #[arg(long, value_name = "FILE", env = "CORRELATE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// What `validate --help` ends with: the example of a policy is the one that the agent's own tests read.
fn validate_examples() -> String {
    let keys: Vec<&str> = EXAMPLE.lines().filter(|line| !line.starts_with('#')).collect();
    let keys = keys.join("\n  ");
    format!(
        "\
Examples:
  correlate validate /etc/correlate/policy.toml /etc/correlate/agent.toml
  correlate validate --kind coordinator /etc/correlate/coordinator.toml

The keys of a daemon's configuration are its long flags; see `correlate agent --help` and
`correlate coordinator --help`. A policy with every key:

  {keys}

A key that is left out limits nothing."
    )
}

/// Arguments of `validate`.
#[derive(Debug, Args)]
#[command(after_help = validate_examples())]
pub(crate) struct ValidateArgs {
    /// What the files are, where their keys alone do not tell
    #[arg(long, value_enum)]
    pub(crate) kind: Option<Kind>,
    /// Policies, and configuration files of `correlate agent` and `correlate coordinator`
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<String, String> {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let args = JoinArgs { words, name: None, credentials: CredentialsArgs { credentials: None } };
        args.read().map(|(address, _)| address.to_string())
    }

    #[test]
    fn the_url_may_stand_in_the_token() {
        let token = |coordinator: &str| {
            let coordinator = coordinator.to_owned();
            JoinToken { expires_at: 0, fingerprint: [0; 32], secret: [0; 24], coordinator }.to_string()
        };
        assert_eq!(read(&["https://a:1", &token("b:2")]), Ok("a:1".to_owned()));
        assert_eq!(read(&[&token("b:2")]), Ok("b:2".to_owned()));
        assert!(read(&[&token("")]).unwrap_err().contains("give its URL"));
        assert!(read(&["https://a:1", "x"]).unwrap_err().contains("no join token"));
        assert!(read(&["", &token("")]).unwrap_err().contains("no address"));
    }
}
