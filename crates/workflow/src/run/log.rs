//! The log of one run, written by all its steps.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use marsh_fs::{FsError, LogFile};
use marsh_types::time::iso_millis;
use marsh_vault::Secrets;

use crate::error::WorkflowError;

/// One line per record: `<time> [LVL] <category>: <message>`.
#[derive(Debug)]
pub(crate) struct WorkflowLog {
    file: LogFile,
    category: String,
    secrets: Secrets,
    failure: Mutex<Failure>,
}

/// Whether a line was lost.
#[derive(Debug, Default)]
struct Failure {
    /// The first error, until it is taken.
    error: Option<FsError>,
    reported: bool,
}

impl WorkflowLog {
    /// A run that is resumed goes on in its log.
    pub fn open(path: &Path, workflow: &str, secrets: Secrets) -> Result<WorkflowLog, WorkflowError> {
        let file = if path.exists() { LogFile::append(path)? } else { LogFile::create(path)? };
        Ok(WorkflowLog {
            file,
            category: format!("workflow·run·{workflow}"),
            secrets,
            failure: Mutex::default(),
        })
    }

    pub fn line(&self, level: &str, message: &str) {
        self.write(level, &self.category, message);
    }

    pub fn step_line(&self, level: &str, job: &str, step: &str, message: &str) {
        self.write(level, &format!("{}·{job}·{step}", self.category), message);
    }

    /// The work goes on without a line that cannot be written; [`WorkflowLog::take_failure`] tells its owner.
    fn write(&self, level: &str, category: &str, message: &str) {
        let time = iso_millis(jiff::Timestamp::now());
        for line in self.secrets.redact(message).lines() {
            if let Err(error) = self.file.write_line(&format!("{time} [{level}] {category}: {line}")) {
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                if !failure.reported {
                    failure.error.get_or_insert(error);
                }
            }
        }
    }

    /// Why a line could not be written: the first error, once.
    pub fn take_failure(&self) -> Option<FsError> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        let error = failure.error.take()?;
        failure.reported = true;
        Some(error)
    }
}
