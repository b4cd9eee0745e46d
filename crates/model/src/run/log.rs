//! The log of one run.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use marsh_fs::{FsError, LogFile};
use marsh_types::time::iso_millis;
use marsh_vault::Secrets;

/// One line per record: `<time> [LVL] <category>: <message>`. A run without messages leaves no file.
#[derive(Debug)]
pub struct RunLog {
    path: PathBuf,
    /// The file, or why it cannot be created.
    file: OnceLock<Result<LogFile, String>>,
    category: String,
    secrets: Secrets,
}

impl RunLog {
    pub fn new(path: PathBuf, definition: &str, method: &str, secrets: Secrets) -> RunLog {
        let category = format!("model·method·run·{definition}·{method}");
        RunLog { path, file: OnceLock::new(), category, secrets }
    }

    /// Writes a message.
    ///
    /// # Errors
    /// Why the message is lost. A log that cannot be written must not fail the work that it describes: the caller
    /// reports the loss and goes on.
    pub fn line(&self, level: &str, message: &str) -> Result<(), String> {
        let create = || LogFile::create(&self.path).map_err(|error: FsError| error.to_string());
        let file = self.file.get_or_init(create).as_ref().map_err(Clone::clone)?;
        let time = iso_millis(jiff::Timestamp::now());
        for line in self.secrets.redact(message).lines() {
            file.write_line(&format!("{time} [{level}] {}: {line}", self.category))
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Where the log is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file, if there is one.
    pub fn written(&self) -> Option<&Path> {
        self.file.get().and_then(|file| file.as_ref().ok()).map(LogFile::path)
    }
}

#[cfg(test)]
mod tests {
    use super::RunLog;

    #[test]
    fn line_of_a_log_that_cannot_be_created_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        // The directory of the log is a file.
        let blocked = dir.path().join("blocked");
        marsh_fs::atomic_write(&blocked, b"", marsh_fs::Durability::Atomic).unwrap();
        let log = RunLog::new(blocked.join("run.log"), "m", "run", marsh_vault::Secrets::default());
        assert!(log.line("INF", "hello").is_err());
        assert!(log.line("INF", "again").is_err());
        assert_eq!(log.written(), None);
    }
}
