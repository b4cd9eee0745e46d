//! The log of one run, written by all its steps.

use std::path::Path;

use marsh_fs::LogFile;
use marsh_types::time::iso_millis;

use crate::error::WorkflowError;

/// One line per record: `<time> [LVL] <category>: <message>`.
#[derive(Debug)]
pub(crate) struct WorkflowLog {
    file: LogFile,
    category: String,
}

impl WorkflowLog {
    pub fn create(path: &Path, workflow: &str) -> Result<WorkflowLog, WorkflowError> {
        Ok(WorkflowLog { file: LogFile::create(path)?, category: format!("workflow·run·{workflow}") })
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
        for line in message.lines() {
            drop(self.file.write_line(&format!("{time} [{level}] {category}: {line}")));
        }
    }
}
