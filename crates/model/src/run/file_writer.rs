//! Files that a method writes.

use marsh_data::{DataError, RunPending};
use marsh_vault::RedactedStream;

/// A file on its way in, with masks over the secrets in it.
pub(super) struct FileWriter {
    pub pending: RunPending,
    pub stream: RedactedStream,
}

impl FileWriter {
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        let masked = self.stream.push(bytes);
        self.pending.append(&masked)
    }
}
