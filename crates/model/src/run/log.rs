//! The log of one run.
//!
//! A log that cannot be written does not fail the work that it describes. The run says so once with a warning, and the
//! lines that are missing are counted (`lines_that_cannot_be_written_are_counted_with_the_reason`).

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use marsh_fs::LogFile;
use marsh_types::time::iso_millis;
use marsh_vault::Secrets;

/// One line per record: `<time> [LVL] <category>: <message>`. A run that logs nothing leaves no file.
#[derive(Debug)]
pub struct RunLog {
    path: PathBuf,
    file: OnceLock<Option<LogFile>>,
    /// Why lines are missing: the first failure.
    failure: OnceLock<String>,
    lost: AtomicU64,
    /// Nothing is written, and nothing counts as lost.
    is_silent: bool,
    category: String,
    secrets: Secrets,
}

impl RunLog {
    pub fn new(path: PathBuf, definition: &str, method: &str, secrets: Secrets) -> RunLog {
        let category = format!("model·method·run·{definition}·{method}");
        RunLog {
            path,
            file: OnceLock::new(),
            failure: OnceLock::new(),
            lost: AtomicU64::new(0),
            is_silent: false,
            category,
            secrets,
        }
    }

    /// A log that keeps nothing.
    pub fn silent(secrets: Secrets) -> RunLog {
        RunLog { is_silent: true, ..RunLog::new(PathBuf::new(), "", "", secrets) }
    }

    /// Appends the lines of a message.
    pub fn line(&self, level: &str, message: &str) {
        if self.is_silent {
            return;
        }
        let file = self.file.get_or_init(|| match LogFile::create(&self.path) {
            Ok(file) => Some(file),
            Err(error) => {
                self.failure.get_or_init(|| error.to_string());
                None
            }
        });
        let time = iso_millis(jiff::Timestamp::now());
        for line in self.secrets.redact(message).lines() {
            let Some(file) = file else {
                self.lost.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            if let Err(error) = file.write_line(&format!("{time} [{level}] {}: {line}", self.category)) {
                self.failure.get_or_init(|| error.to_string());
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The file, if there is one.
    pub fn written(&self) -> Option<&Path> {
        self.file.get().and_then(Option::as_ref).map(LogFile::path)
    }

    /// The missing lines, in words; `None`: none are missing.
    pub fn missing(&self) -> Option<String> {
        let failure = self.failure.get()?;
        let lost = self.lost.load(Ordering::Relaxed);
        Some(format!("{lost} lines of the log of this run are lost: {failure}"))
    }
}

#[cfg(test)]
mod tests {
    use marsh_vault::Secrets;

    use super::RunLog;

    #[test]
    fn lines_that_cannot_be_written_are_counted_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        // A file is where the directory of the log should be.
        marsh_fs::atomic_write(&dir.path().join("outputs"), b"", marsh_fs::Durability::Atomic).unwrap();
        let log = RunLog::new(dir.path().join("outputs/run.log"), "d", "m", Secrets::new());
        assert_eq!(log.missing(), None);
        log.line("INF", "one\ntwo");
        log.line("INF", "three");
        let missing = log.missing().unwrap();
        assert!(missing.starts_with("3 lines of the log of this run are lost: "), "{missing}");
        assert_eq!(log.written(), None);
    }
}
