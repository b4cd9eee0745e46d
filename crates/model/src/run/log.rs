//! The log of one run.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use marsh_fs::LogFile;
use marsh_types::time::iso_millis;
use marsh_vault::Secrets;

/// One line per record: `<time> [LVL] <category>: <message>`. A run that says nothing leaves no file.
#[derive(Debug)]
pub struct RunLog {
    path: PathBuf,
    /// `None` inside: it could not be created.
    file: OnceLock<Option<LogFile>>,
    category: String,
    secrets: Secrets,
}

impl RunLog {
    pub fn new(path: PathBuf, definition: &str, method: &str, secrets: Secrets) -> RunLog {
        let category = format!("model·method·run·{definition}·{method}");
        RunLog { path, file: OnceLock::new(), category, secrets }
    }

    /// A log that cannot be written must not fail the work it describes.
    pub fn line(&self, level: &str, message: &str) {
        let Some(file) = self.file.get_or_init(|| LogFile::create(&self.path).ok()) else { return };
        let time = iso_millis(jiff::Timestamp::now());
        for line in self.secrets.redact(message).lines() {
            drop(file.write_line(&format!("{time} [{level}] {}: {line}", self.category)));
        }
    }

    /// The file, if there is one.
    pub fn written(&self) -> Option<&Path> {
        self.file.get().and_then(Option::as_ref).map(LogFile::path)
    }
}
