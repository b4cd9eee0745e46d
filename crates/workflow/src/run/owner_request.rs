//! Requests to the owner of a run: cancel it, approve a step.
//!
//! Only the owner writes the journal. Other processes append requests to the inbox of the run, and the owner reads it
//! several times a second. When a run has no owner, the requesting process takes the lock and becomes the owner for a
//! moment. An owner reads only requests that arrive after it has opened the inbox.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::WorkflowError;
use crate::journal::{ApprovalDecision, StepKey};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(crate) enum OwnerRequest {
    Cancel {
        reason: String,
    },
    Decide {
        #[serde(rename = "place")]
        key: StepKey,
        decision: ApprovalDecision,
    },
}

/// Appends a request.
pub(crate) fn send(path: &Path, mail: &OwnerRequest) -> Result<(), WorkflowError> {
    let mut line =
        serde_json::to_vec(mail).map_err(|error| WorkflowError::io(path, std::io::Error::other(error)))?;
    line.push(b'\n');
    Ok(marsh_fs::append(path, &line)?)
}

/// What arrived in an inbox.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Received {
    pub requests: Vec<OwnerRequest>,
    /// Why a line is not a request. Any process can write to the file, so such a line must not end the run.
    pub invalid: Vec<String>,
}

/// The owner's end.
#[derive(Debug)]
pub(crate) struct OwnerInbox {
    path: PathBuf,
    read: u64,
}

impl OwnerInbox {
    /// From now on.
    pub fn open(path: PathBuf) -> OwnerInbox {
        let read = std::fs::metadata(&path).map_or(0, |data| data.len());
        OwnerInbox { path, read }
    }

    /// The requests that arrived since the last call.
    pub fn read(&mut self) -> Result<Received, WorkflowError> {
        let length = std::fs::metadata(&self.path).map_or(0, |data| data.len());
        if length <= self.read {
            return Ok(Received::default());
        }
        let io = |error| WorkflowError::io(&self.path, error);
        let mut file = std::fs::File::open(&self.path).map_err(io)?;
        file.seek(SeekFrom::Start(self.read)).map_err(io)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.read += whole as u64;
        let mut received = Received::default();
        for line in bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(request) => received.requests.push(request),
                Err(error) => received.invalid.push(error.to_string()),
            }
        }
        Ok(received)
    }
}

#[cfg(test)]
mod tests {
    use super::{OwnerInbox, OwnerRequest, send};

    #[test]
    fn owner_reads_requests_that_arrive_after_it_opened_the_inbox() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mail");
        let mail = |reason: &str| OwnerRequest::Cancel { reason: reason.into() };
        send(&path, &mail("old")).unwrap();
        let mut inbox = OwnerInbox::open(path.clone());
        assert_eq!(inbox.read().unwrap().requests, []);
        send(&path, &mail("a")).unwrap();
        marsh_fs::append(&path, b"nonsense\n{\"type\":\"canc").unwrap();
        let received = inbox.read().unwrap();
        assert_eq!(received.requests, [mail("a")]);
        assert_eq!(received.invalid.len(), 1, "{:?}", received.invalid);
        marsh_fs::append(&path, b"el\",\"reason\":\"b\"}\n").unwrap();
        assert_eq!(inbox.read().unwrap().requests, [mail("b")]);
        assert_eq!(inbox.read().unwrap().requests, []);
    }
}
