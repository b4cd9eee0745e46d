//! The log of one run.

use std::path::Path;

use marsh_fs::LogFile;
use marsh_types::time::iso_millis;
use marsh_vault::Secrets;

use crate::error::ModelError;

/// One line per record: `<time> [LVL] <category>: <message>`.
#[derive(Debug)]
pub struct RunLog {
    file: LogFile,
    category: String,
    secrets: Secrets,
}

impl RunLog {
    pub fn create(
        path: &Path,
        definition: &str,
        method: &str,
        secrets: Secrets,
    ) -> Result<RunLog, ModelError> {
        let file = LogFile::create(path)?;
        Ok(RunLog { file, category: format!("model·method·run·{definition}·{method}"), secrets })
    }

    /// A log that cannot be written must not fail the work it describes.
    pub fn line(&self, level: &str, message: &str) {
        let time = iso_millis(jiff::Timestamp::now());
        for line in self.secrets.redact(message).lines() {
            drop(self.file.write_line(&format!("{time} [{level}] {}: {line}", self.category)));
        }
    }
}
