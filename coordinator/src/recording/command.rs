//! The command that ran while a session captured: a fact that no packet tells.

use super::error::RecordingError;
use super::open::Recording;
use correlate_proto::report::CommandReport;
use serde_json::{Value, json};

/// Its name among the facts of the session.
const COMMAND: &str = "command";

/// Records the command in place of any before.
pub(super) fn write(
    db: &rusqlite::Connection,
    command: Option<&CommandReport>,
) -> Result<(), RecordingError> {
    db.execute("DELETE FROM meta WHERE key = ?1", [COMMAND])?;
    if let Some(CommandReport { argv, exit_status }) = command {
        let value = json!({ "argv": argv, "exit_status": exit_status }).to_string();
        db.execute("INSERT INTO meta (key, value) VALUES (?1, ?2)", (COMMAND, value))?;
    }
    Ok(())
}

impl Recording {
    /// The command that ran while the session captured; absent if there was none.
    pub fn command(&self) -> Result<Option<CommandReport>, RecordingError> {
        let Some(text) = self.fact(COMMAND)? else { return Ok(None) };
        let damaged =
            |reason: String| RecordingError::Damaged { place: "meta, key command".to_owned(), reason };
        let value: Value = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        let words = value["argv"].as_array().ok_or_else(|| damaged("it has no words".to_owned()))?;
        let argv = words.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let exit_status = value["exit_status"].as_i64().and_then(|status| i32::try_from(status).ok());
        Ok(Some(CommandReport { argv, exit_status }))
    }
}
