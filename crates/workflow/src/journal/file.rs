//! The journal's file: JSON lines that only grow.

use std::path::{Path, PathBuf};

use marsh_fs::GrowingFile;
use marsh_model::Gate as _;
use marsh_vault::Secrets;

use super::fact::{Fact, Line};
use super::sync::{OnDisk, Syncer};
use crate::error::WorkflowError;

/// The journal of one run, open for its only writer.
#[derive(Debug)]
pub(crate) struct Journal {
    file: GrowingFile,
    path: PathBuf,
    pending: Vec<u8>,
    synced: bool,
    /// Once something was to be synced while the writer goes on.
    syncer: Option<Syncer>,
    /// What was to be on disk last.
    asked: OnDisk,
    secrets: Secrets,
}

impl Journal {
    /// Goes on where the last whole line ends. The caller holds the lock of the run.
    pub fn open(path: &Path) -> Result<(Journal, Vec<Line>), WorkflowError> {
        let mut file = GrowingFile::open(path)?;
        let mut bytes = Vec::new();
        file.replay(&mut |piece| bytes.extend_from_slice(piece))?;
        let (lines, whole) = parse(path, &bytes)?;
        if whole < bytes.len() {
            file.cut(whole as u64)?;
        }
        Ok((
            Journal {
                file,
                path: path.to_owned(),
                pending: Vec::new(),
                synced: true,
                syncer: None,
                asked: OnDisk::default(),
                secrets: Secrets::new(),
            },
            lines,
        ))
    }

    /// Masks these in every fact: the journal is a file like others.
    #[must_use]
    pub fn with_secrets(mut self, secrets: Secrets) -> Journal {
        self.secrets = secrets;
        self
    }

    /// Remembers a fact for the next [`Journal::write`].
    pub fn add(&mut self, line: &Line) -> Result<(), WorkflowError> {
        let failed = |error| WorkflowError::io(&self.path, std::io::Error::other(error));
        if self.secrets.is_empty() {
            serde_json::to_writer(&mut self.pending, line).map_err(failed)?;
        } else {
            let mut masked = serde_json::to_value(line).map_err(failed)?;
            self.secrets.redact_fields(&mut masked, &crate::masked::MASKED);
            serde_json::to_writer(&mut self.pending, &masked).map_err(failed)?;
        }
        self.pending.push(b'\n');
        Ok(())
    }

    /// Writes all that was added, in one piece.
    pub fn write(&mut self) -> Result<(), WorkflowError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.pending);
        self.synced = false;
        if let Err(error) = self.file.write(&bytes) {
            // The next try starts where this one did: the file knows how far it was whole.
            self.pending = bytes;
            return Err(error.into());
        }
        Ok(())
    }

    /// [`Journal::write`], and on disk.
    pub fn commit(&mut self) -> Result<(), WorkflowError> {
        self.write()?;
        if self.syncer.is_some() {
            self.ask();
            if let Err(message) = self.asked.pass() {
                self.check()?;
                return Err(WorkflowError::io(&self.path, std::io::Error::other(message)));
            }
        } else if !self.synced {
            self.file.sync()?;
            self.synced = true;
        }
        Ok(())
    }

    /// [`Journal::write`], and on its way to the disk.
    pub fn commit_soon(&mut self) -> Result<(), WorkflowError> {
        self.write()?;
        if self.syncer.is_none() && !self.synced {
            match Syncer::start(self.file.syncing()?) {
                Ok(syncer) => self.syncer = Some(syncer),
                // No more threads: slower.
                Err(_) => return self.commit(),
            }
        }
        self.ask();
        self.check()
    }

    fn ask(&mut self) {
        if !self.synced
            && let Some(syncer) = &self.syncer
        {
            self.asked = syncer.ask();
            // Whether that went well, the next check tells.
            self.synced = true;
        }
    }

    /// What code of later steps has to wait for.
    pub fn on_disk(&self) -> OnDisk {
        self.asked.clone()
    }

    /// Fails if something that was to be on disk will never be. To be asked before what a step reports is believed.
    pub fn check(&self) -> Result<(), WorkflowError> {
        match self.syncer.as_ref().and_then(Syncer::failure) {
            None => Ok(()),
            Some(Ok(error)) => Err(error.into()),
            Some(Err(message)) => Err(WorkflowError::io(&self.path, std::io::Error::other(message))),
        }
    }
}

/// The whole lines of a journal; none if there is no such file. Takes no lock.
pub(crate) fn read(path: &Path) -> Result<Vec<Line>, WorkflowError> {
    match marsh_fs::read(path) {
        Ok(bytes) => Ok(parse(path, &bytes)?.0),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(WorkflowError::io(path, error)),
    }
}

/// The lines, and where the last whole one ends.
fn parse(path: &Path, bytes: &[u8]) -> Result<(Vec<Line>, usize), WorkflowError> {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut lines = Vec::new();
    for (index, text) in bytes[..whole].split(|byte| *byte == b'\n').enumerate() {
        if text.is_empty() {
            continue;
        }
        let line: Line = serde_json::from_slice(text).map_err(|error| WorkflowError::DamagedRun {
            path: path.to_owned(),
            message: format!("line {}: {error}", index + 1),
        })?;
        lines.push(line);
    }
    if lines.first().is_some_and(|line| !matches!(line.fact, Fact::Started(_))) {
        let message = "it does not begin with the start of a run".to_owned();
        return Err(WorkflowError::DamagedRun { path: path.to_owned(), message });
    }
    Ok((lines, whole))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Journal, read};
    use crate::journal::{Fact, Line, Started};
    use crate::schema::Severity;
    use marsh_types::Explain as _;

    pub(crate) fn started() -> Fact {
        Fact::Started(Box::new(Started {
            run_id: "r".into(),
            workflow_id: "w".into(),
            workflow_name: "n".into(),
            workflow_sha256: String::new(),
            inputs: serde_json::Map::new(),
            tags: marsh_data::Tags::new(),
            run_tags: Vec::new(),
            pid: 1,
            log_file: String::new(),
            trigger_source: "manual".into(),
            initiated_by: None,
            fail_on: Severity::Low,
            ancestors: Vec::new(),
            evaluated: false,
            outline: Vec::new(),
        }))
    }

    fn line(fact: Fact) -> Line {
        Line { at: "2026-01-01T00:00:00.000Z".into(), fact }
    }

    #[test]
    fn line_without_its_end_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        let (mut journal, lines) = Journal::open(&path).unwrap();
        assert!(lines.is_empty());
        journal.add(&line(started())).unwrap();
        journal.add(&line(Fact::JobStarted { job: "main".into() })).unwrap();
        journal.commit().unwrap();
        drop(journal);
        let whole = marsh_fs::read(&path).unwrap();
        let second = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for cut in second..whole.len() {
            marsh_fs::atomic_write(&path, &whole[..cut], marsh_fs::Durability::Atomic).unwrap();
            assert_eq!(read(&path).unwrap().len(), 1);
            let (mut journal, lines) = Journal::open(&path).unwrap();
            assert_eq!(lines.len(), 1);
            journal.add(&line(Fact::JobStarted { job: "other".into() })).unwrap();
            journal.commit().unwrap();
            drop(journal);
            assert_eq!(read(&path).unwrap()[1].fact, Fact::JobStarted { job: "other".into() });
        }
    }

    #[test]
    fn file_that_does_not_start_with_a_run_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        for text in ["{}\n", "[1]\n{}\n", "{\"at\":\"x\",\"fact\":{\"type\":\"suspended\"}}\n"] {
            marsh_fs::atomic_write(&path, text.as_bytes(), marsh_fs::Durability::Atomic).unwrap();
            assert_eq!(read(&path).unwrap_err().code().as_str(), "damaged", "{text}");
            assert_eq!(Journal::open(&path).unwrap_err().code().as_str(), "damaged");
        }
    }
}
