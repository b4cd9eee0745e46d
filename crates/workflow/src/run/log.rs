//! The log of one run, written by all its steps.

use std::path::Path;

use marsh_fs::LogFile;
use marsh_types::time::iso_millis;
use marsh_vault::Secrets;

use crate::error::WorkflowError;

/// One line per record: `<time> [LVL] <category>: <message>`.
#[derive(Debug)]
pub(crate) struct WorkflowLog {
    file: LogFile,
    category: String,
    secrets: Secrets,
}

impl WorkflowLog {
    /// A run that is resumed goes on in its log.
    pub fn open(path: &Path, workflow: &str, secrets: Secrets) -> Result<WorkflowLog, WorkflowError> {
        let file = if path.exists() { LogFile::append(path)? } else { LogFile::create(path)? };
        Ok(WorkflowLog { file, category: format!("workflow·run·{workflow}"), secrets })
    }

    pub fn line(&self, level: &str, message: &str) {
        self.write(level, &self.category, message);
    }

    pub fn step_line(&self, level: &str, job: &str, step: &str, message: &str) {
        self.write(level, &format!("{}·{job}·{step}", self.category), message);
    }

    /// A log that cannot be written must not fail the work it describes.
    fn write(&self, level: &str, category: &str, message: &str) {
        let time = iso_millis(jiff::Timestamp::now());
        for line in self.secrets.redact(message).lines() {
            drop(self.file.write_line(&format!("{time} [{level}] {category}: {line}")));
        }
    }
}
