//! Webhook requests that were accepted and whose runs have not started, on disk: an answer 202 survives the server.
//!
//! `.swamp/marsh/serve/queue/` has one file for each. Its name is the order and the id of the run that it starts, so that a
//! server that dies between the start of the run and the removal of the file starts nothing twice.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use marsh_fs::{Durability, FsError};
use marsh_repo::Layout;
use marsh_trigger::Called;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The requests that wait.
#[derive(Debug)]
pub(crate) struct Spool {
    dir: PathBuf,
    next: AtomicU64,
}

/// A request that waits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    /// The id of the run that it starts.
    pub run_id: String,
    pub called: Called,
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    workflow: String,
    webhook: Value,
}

impl Spool {
    pub fn new(layout: &Layout) -> Spool {
        let dir = layout.state().join("marsh").join("serve").join("queue");
        Spool { dir, next: AtomicU64::new(0) }
    }

    /// Keeps a request. When this returns, a power failure does not lose it.
    pub fn keep(&self, called: Called) -> Result<Kept, FsError> {
        let run_id = uuid::Uuid::new_v4().to_string();
        let order = self.next.fetch_add(1, Ordering::SeqCst);
        let name = format!("{:020}-{order:06}_{run_id}.json", Timestamp::now().as_microsecond());
        let path = self.dir.join(name);
        let Called { workflow, webhook } = called;
        let entry = Entry { workflow, webhook };
        let text = serde_json::to_vec(&entry)
            .map_err(|error| FsError::new("write", &path, std::io::Error::other(error)))?;
        marsh_fs::create_dir_all(&self.dir)?;
        marsh_fs::set_mode(&self.dir, 0o700)?;
        marsh_fs::atomic_write_private(&path, &text, Durability::Synced)?;
        marsh_fs::sync_dir(&self.dir)?;
        let Entry { workflow, webhook } = entry;
        Ok(Kept { run_id, called: Called { workflow, webhook }, path })
    }

    /// The requests that an earlier server accepted, oldest first, and sentences about files that cannot be read.
    pub fn kept(&self) -> (Vec<Kept>, Vec<String>) {
        let (mut kept, mut warnings) = (Vec::new(), Vec::new());
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return (kept, warnings) };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().and_then(|name| name.to_str());
            let run_id = name.and_then(|name| name.strip_suffix(".json")?.split_once('_'));
            // A file that was being written when its server died was not answered for.
            let Some((_, run_id)) = run_id else { continue };
            let read = marsh_fs::read_own(&path).map_err(|error| error.to_string());
            match read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string())) {
                Ok(Entry { workflow, webhook }) => {
                    let called = Called { workflow, webhook };
                    kept.push(Kept { run_id: run_id.to_owned(), called, path });
                }
                Err(error) => {
                    warnings.push(format!("cannot read the accepted request {}: {error}", path.display()))
                }
            }
        }
        (kept, warnings)
    }
}

impl Kept {
    /// Its run has started, or cannot.
    pub fn forget(&self) {
        if let Err(error) = marsh_fs::remove_file_if_exists(&self.path) {
            tracing::warn!(%error, "cannot remove a request whose run has started");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Spool;
    use marsh_fs::Durability;
    use marsh_repo::Layout;
    use marsh_trigger::Called;
    use serde_json::json;

    #[test]
    fn requests_are_kept_in_their_order_until_they_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(&Layout::new(dir.path()));
        assert_eq!(spool.kept(), (vec![], vec![]));
        let called = |n: u32| Called { workflow: "w".into(), webhook: json!({ "body": n }) };
        let kept: Vec<_> = (0..20).map(|n| spool.keep(called(n)).unwrap()).collect();
        let next = Spool::new(&Layout::new(dir.path()));
        assert_eq!(next.kept().0, kept);
        kept[0].forget();
        marsh_fs::atomic_write(&next.dir.join("1_x.json"), b"{", Durability::Atomic).unwrap();
        let (left, warnings) = next.kept();
        assert_eq!((left.len(), left[0].called.clone(), warnings.len()), (19, called(1), 1));
    }
}
