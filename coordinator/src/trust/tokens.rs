//! Join tokens, of which only digests are kept, and the names that certificates were made out to.

use super::{TrustError, identity};
use crate::peer::PeerRole;
use core::time::Duration;
use correlate_proto::join_token::SECRET_BYTES;
use ring::rand::{SecureRandom as _, SystemRandom};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tokens that are over are kept for so long, so that whoever comes with one hears why it does not work.
const REMEMBERED: Duration = Duration::from_secs(7 * 86_400);
/// How long another process may hold the database.
const PATIENCE: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS tokens (
    digest     BLOB PRIMARY KEY,
    role       TEXT NOT NULL,
    name       TEXT,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER,
    used_by    TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (
    name       TEXT PRIMARY KEY,
    role       TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;";

/// The tokens of one coordinator. Several processes may use the same file.
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    database: Mutex<Connection>,
}

/// A token that was made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The secret, which is kept nowhere else.
    pub secret: [u8; SECRET_BYTES],
    /// When it expires.
    pub expires_at: SystemTime,
}

/// The secret stays out of logs.
impl core::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("NewToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Why a token is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenRefusal {
    /// No such token was made here, or so long ago that it is forgotten.
    #[error("the join token is unknown here; make one with `correlate coordinator token`")]
    Unknown,
    /// Too late.
    #[error("the join token expired {0} ago; make another with `correlate coordinator token`")]
    Expired(String),
    /// A token is good for one join.
    #[error("the join token was used already, by {0}; make another with `correlate coordinator token`")]
    Used(String),
    /// The token is for another name.
    #[error(
        "the join token is for {token}, not for {asked}; leave --name out, or make a token with --name {asked}"
    )]
    OtherName {
        /// The token's name.
        token: String,
        /// The name that was asked for.
        asked: String,
    },
    /// The token names nobody, and neither does the joiner.
    #[error("the join token is for no particular name; say one with --name")]
    NoName,
    /// Somebody else has that name.
    #[error("the name {0} is taken; choose another, or make a token with --name {0} to replace its holder")]
    Taken(String),
    /// The names or tokens themselves.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

impl Tokens {
    /// Opens the tokens in `directory`, which is the authority's.
    pub fn open(directory: &Path) -> Result<Self, TrustError> {
        let path = directory.join("tokens.sqlite");
        let opened = Connection::open(&path).and_then(|database| {
            database.busy_timeout(PATIENCE)?;
            database.execute_batch(SCHEMA)?;
            Ok(database)
        });
        match opened {
            Ok(database) => Ok(Self { path, database: Mutex::new(database) }),
            Err(source) => Err(TrustError::Tokens { path, source }),
        }
    }

    /// Makes a token for a `role`, and for that name alone if one is given.
    pub fn create(
        &self,
        role: PeerRole,
        name: Option<&str>,
        life: Duration,
        now: SystemTime,
    ) -> Result<NewToken, TrustError> {
        name.map_or(Ok(()), identity::check_name)?;
        let mut secret = [0; SECRET_BYTES];
        let failed = |_| TrustError::Certificate("the system gives no random numbers".to_owned());
        SystemRandom::new().fill(&mut secret).map_err(failed)?;
        let expires_at = now + life;
        let database = self.lock();
        let forgotten = seconds(now).saturating_sub(REMEMBERED.as_secs().cast_signed());
        let made = database.execute("DELETE FROM tokens WHERE expires_at < ?1", [forgotten]).and_then(|_| {
            database.execute(
                "INSERT INTO tokens (digest, role, name, expires_at) VALUES (?1, ?2, ?3, ?4)",
                params![digest(&secret), role.word(), name, seconds(expires_at)],
            )
        });
        made.map_err(|source| self.failed(source))?;
        Ok(NewToken { secret, expires_at })
    }

    /// Uses a token up for a joiner that asks for a name (or none: the empty string). Gives the role and the name
    /// that the certificate is to be made out to. A token that is refused is not used up.
    pub fn redeem(
        &self,
        secret: &[u8],
        asked: &str,
        now: SystemTime,
    ) -> Result<(PeerRole, String), TokenRefusal> {
        let digest = digest(secret);
        let mut database = self.lock();
        // Nobody else may use the token between the look at it and its use.
        let transaction = database
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(|source| self.failed(source))?;
        let token = Token::find(&transaction, &digest).map_err(|source| self.failed(source))?;
        let (role, name) = token.ok_or(TokenRefusal::Unknown)?.grant(asked, now)?;
        if let Asked::Free(name) = &name {
            let held = is_taken(&transaction, name, now).map_err(|source| self.failed(source))?;
            if held {
                return Err(TokenRefusal::Taken(name.clone()));
            }
        }
        let (Asked::Free(name) | Asked::Named(name)) = name;
        transaction
            .execute(
                "UPDATE tokens SET used_at = ?2, used_by = ?3 WHERE digest = ?1",
                params![digest, seconds(now), name],
            )
            .and_then(|_| transaction.commit())
            .map_err(|source| self.failed(source))?;
        Ok((role, name))
    }

    /// Remembers until when a name is held.
    pub(super) fn hold(&self, name: &str, role: PeerRole, expires_at: SystemTime) -> Result<(), TrustError> {
        let held = self.lock().execute(
            "INSERT OR REPLACE INTO names (name, role, expires_at) VALUES (?1, ?2, ?3)",
            params![name, role.word(), seconds(expires_at)],
        );
        held.map(drop).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: rusqlite::Error) -> TrustError {
        TrustError::Tokens { path: self.path.clone(), source }
    }

    /// Statements are whole or not done at all, so the database is sound even if the lock is poisoned.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name that a joiner gets.
enum Asked {
    /// Its own choice, which must not be taken.
    Free(String),
    /// The one that the token was made for.
    Named(String),
}

/// A token as it is kept.
struct Token {
    role: String,
    name: Option<String>,
    expires_at: i64,
    used_by: Option<String>,
}

impl Token {
    fn find(database: &Connection, digest: &[u8]) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT role, name, expires_at, used_by FROM tokens WHERE digest = ?1";
        let token = |row: &rusqlite::Row<'_>| {
            Ok(Self { role: row.get(0)?, name: row.get(1)?, expires_at: row.get(2)?, used_by: row.get(3)? })
        };
        database.query_row(sql, [digest], token).optional()
    }

    fn grant(self, asked: &str, now: SystemTime) -> Result<(PeerRole, Asked), TokenRefusal> {
        if let Some(name) = self.used_by {
            return Err(TokenRefusal::Used(name));
        }
        let late = seconds(now).saturating_sub(self.expires_at);
        if late >= 0 {
            return Err(TokenRefusal::Expired(rough(late)));
        }
        let role = PeerRole::of_word(&self.role).ok_or(TokenRefusal::Unknown)?;
        match self.name {
            Some(token) if asked.is_empty() || asked == token => Ok((role, Asked::Named(token))),
            Some(token) => Err(TokenRefusal::OtherName { token, asked: asked.to_owned() }),
            None if asked.is_empty() => Err(TokenRefusal::NoName),
            None => {
                identity::check_name(asked)?;
                Ok((role, Asked::Free(asked.to_owned())))
            }
        }
    }
}

fn is_taken(database: &Connection, name: &str, now: SystemTime) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM names WHERE name = ?1 AND expires_at > ?2)";
    database.query_row(sql, params![name, seconds(now)], |row| row.get(0))
}

fn digest(secret: &[u8]) -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA256, secret).as_ref().to_vec()
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}

/// A time span as people say it.
fn rough(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(900);

    fn tokens() -> (tempfile::TempDir, Tokens) {
        let directory = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(directory.path()).unwrap();
        (directory, tokens)
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000_000 + seconds)
    }

    fn reason(refused: Result<(PeerRole, String), TokenRefusal>) -> String {
        refused.unwrap_err().to_string()
    }

    #[test]
    fn a_token_is_good_once() {
        let (_directory, tokens) = tokens();
        let token = tokens.create(PeerRole::Agent, None, LIFE, at(0)).unwrap();
        let granted = tokens.redeem(&token.secret, "web-1", at(899)).unwrap();
        assert_eq!(granted, (PeerRole::Agent, "web-1".to_owned()));
        let again = reason(tokens.redeem(&token.secret, "web-2", at(899)));
        assert!(again.contains("used already, by web-1"), "{again}");
    }

    #[test]
    fn a_token_expires_to_the_second_and_says_so() {
        let (_directory, tokens) = tokens();
        let token = tokens.create(PeerRole::Viewer, None, LIFE, at(0)).unwrap();
        let late = reason(tokens.redeem(&token.secret, "anna", at(900)));
        assert!(late.contains("expired 0 s ago"), "{late}");
        let later = reason(tokens.redeem(&token.secret, "anna", at(900 + 3_600)));
        assert!(later.contains("expired 60 min ago"), "{later}");
        assert!(tokens.redeem(&token.secret, "anna", at(899)).is_ok(), "a refusal does not use it up");
    }

    #[test]
    fn what_was_never_made_is_unknown_and_what_is_long_over_is_forgotten() {
        let (_directory, tokens) = tokens();
        assert!(matches!(tokens.redeem(&[7; SECRET_BYTES], "x", at(0)), Err(TokenRefusal::Unknown)));
        let old = tokens.create(PeerRole::Agent, None, LIFE, at(0)).unwrap();
        let later = at(901 + REMEMBERED.as_secs());
        tokens.create(PeerRole::Agent, None, LIFE, later).unwrap();
        assert!(matches!(tokens.redeem(&old.secret, "x", later), Err(TokenRefusal::Unknown)));
    }

    #[test]
    fn a_token_with_a_name_gives_no_other() {
        let (_directory, tokens) = tokens();
        let token = tokens.create(PeerRole::Operator, Some("anna"), LIFE, at(0)).unwrap();
        let other = reason(tokens.redeem(&token.secret, "bert", at(1)));
        assert!(other.contains("is for anna, not for bert"), "{other}");
        assert_eq!(tokens.redeem(&token.secret, "", at(1)).unwrap(), (PeerRole::Operator, "anna".to_owned()));
    }

    #[test]
    fn a_name_that_is_held_takes_a_token_for_that_name() {
        let (_directory, tokens) = tokens();
        tokens.hold("web-1", PeerRole::Agent, at(100)).unwrap();
        let free = tokens.create(PeerRole::Agent, None, LIFE, at(0)).unwrap();
        assert!(matches!(tokens.redeem(&free.secret, "web-1", at(99)), Err(TokenRefusal::Taken(_))));
        assert!(matches!(tokens.redeem(&free.secret, "", at(99)), Err(TokenRefusal::NoName)));
        assert!(matches!(tokens.redeem(&free.secret, "a b", at(99)), Err(TokenRefusal::Trust(_))));
        let named = tokens.create(PeerRole::Agent, Some("web-1"), LIFE, at(0)).unwrap();
        assert!(tokens.redeem(&named.secret, "web-1", at(99)).is_ok());
        assert!(tokens.redeem(&free.secret, "web-1", at(100)).is_ok(), "its certificate is over");
    }

    #[test]
    fn two_processes_do_not_both_use_a_token() {
        let (directory, first) = tokens();
        let second = Tokens::open(directory.path()).unwrap();
        let token = first.create(PeerRole::Agent, None, LIFE, at(0)).unwrap();
        assert!(second.redeem(&token.secret, "x", at(1)).is_ok());
        assert!(matches!(first.redeem(&token.secret, "y", at(1)), Err(TokenRefusal::Used(_))));
    }

    #[test]
    fn the_secret_is_not_in_the_file() {
        let (directory, tokens) = tokens();
        let token = tokens.create(PeerRole::Agent, None, LIFE, at(0)).unwrap();
        let file = std::fs::read(directory.path().join("tokens.sqlite")).unwrap();
        assert!(!file.windows(SECRET_BYTES).any(|window| window == token.secret));
    }
}
