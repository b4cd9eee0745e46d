//! Where a server listens, and how clients find it.
//!
//! `.swamp/marsh/serve/` holds the lock that makes it one server per repository, the socket, and `serve.json`, which
//! names the socket. Only its owner can enter the directory. The lock decides whether the rest is valid: the
//! process that gets it removes the files of a dead server.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use marsh_fs::{Durability, LockFile};
use marsh_repo::Layout;
use serde::{Deserialize, Serialize};

use crate::error::ServeError;

/// What `serve.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The process that holds the socket.
    pub pid: u32,
    /// The path of the socket.
    pub socket: PathBuf,
}

/// A bound socket; when it is dropped, nothing of it is left but the lock file.
#[derive(Debug)]
pub struct Bound {
    pub listener: UnixListener,
    pub socket: PathBuf,
    record: PathBuf,
    _lock: LockFile,
}

fn dir(layout: &Layout) -> PathBuf {
    layout.state().join("marsh").join("serve")
}

fn record(layout: &Layout) -> PathBuf {
    dir(layout).join("serve.json")
}

/// Takes the repository's lock and listens.
pub fn bind(layout: &Layout, socket: Option<&Path>) -> Result<Bound, ServeError> {
    let dir = dir(layout);
    marsh_fs::create_dir_all(&dir)?;
    marsh_fs::set_mode(&dir, 0o700)?;
    let lock_path = dir.join("serve.lock");
    let Some(lock) = marsh_fs::try_lock_exclusive(&lock_path, "marsh serve")? else {
        let holder = find(layout).map(|endpoint| format!("process {}", endpoint.pid));
        return Err(ServeError::AlreadyServed { holder: holder.unwrap_or_else(|| "another process".into()) });
    };
    let socket = socket.map_or_else(|| dir.join("socket"), Path::to_path_buf);
    // A socket of a dead server answers no client; any other file of that name is not ours to remove.
    if is_socket(&socket) && UnixStream::connect(&socket).is_err() {
        marsh_fs::remove_file_if_exists(&socket)?;
    }
    let listener = UnixListener::bind(&socket).map_err(|source| {
        if source.kind() == std::io::ErrorKind::InvalidInput {
            ServeError::PathTooLong { path: socket.clone() }
        } else {
            ServeError::Listen { path: socket.clone(), source }
        }
    })?;
    marsh_fs::set_mode(&socket, 0o600)?;
    let endpoint = Endpoint { pid: std::process::id(), socket: socket.clone() };
    let record = record(layout);
    let text = serde_json::to_vec(&endpoint).unwrap_or_default();
    marsh_fs::atomic_write(&record, &text, Durability::Atomic)?;
    Ok(Bound { listener, socket, record, _lock: lock })
}

impl Drop for Bound {
    fn drop(&mut self) {
        // What stays is swept by the next server.
        marsh_fs::remove_file_if_exists(&self.record).ok();
        marsh_fs::remove_file_if_exists(&self.socket).ok();
    }
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// Where the server of a repository says that it listens.
pub fn find(layout: &Layout) -> Option<Endpoint> {
    serde_json::from_slice(&marsh_fs::read(record(layout)).ok()?).ok()
}
