//! Brings the recording of a session here.

use super::client::{Client, told};
use crate::error::CliError;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

/// Writes the recording of a session that is over to `path`, which is made anew.
pub(crate) async fn fetch(client: &mut Client, session: &str, path: &Path) -> Result<(), CliError> {
    let failed = |error: &std::io::Error| {
        CliError::new(format!("cannot write the recording: {}: {error}", path.display()))
            .hint("check the directory, its permissions and the space left on the disk")
    };
    let mut chunks = client.recording(session).await?;
    let mut file = File::create(path).map_err(|error| failed(&error))?;
    while let Some(chunk) = chunks.message().await.map_err(|status| told(&status))? {
        file.write_all(&chunk.octets).map_err(|error| failed(&error))?;
    }
    file.flush().map_err(|error| failed(&error))
}
