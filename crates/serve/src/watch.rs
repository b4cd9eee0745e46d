//! Watching sources, so that the next call finds its code ready.
//!
//! A hint and nothing more. Events may be late, merged, or lost; whatever they say, what is loaded is decided by asking
//! the files when a call starts. So after an event the server only does early what the next call would do: it reloads.
//! A burst of events is waited out for [`QUIET`], at most [`LONGEST`], because an editor writes a file in steps;
//! status and clients see the change after the reload that follows.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use marsh_types::Kind;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::connection::Hub;
use crate::error::ServeError;
use crate::reload::Cause;

const QUIET: Duration = Duration::from_millis(8);
const LONGEST: Duration = Duration::from_millis(100);

/// Ends the watching when it is dropped.
pub struct Watch {
    _watcher: RecommendedWatcher,
}

pub fn start(hub: &Arc<Hub>) -> Result<Watch, ServeError> {
    let repo = hub.service.server.repo();
    let repo =
        repo.map_err(|error| ServeError::Watch { path: PathBuf::new(), message: error.to_string() })?;
    let layout = repo.layout.clone();
    let (sender, events) = channel();
    let state = layout.state();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // What this server writes itself is below `.swamp`; the lockfile is not.
        let concerns = event.as_ref().map_or(true, |event| {
            !event.kind.is_access() && event.paths.iter().any(|path| !path.starts_with(&state))
        });
        if concerns {
            // The receiver is gone when the server ends.
            sender.send(()).ok();
        }
    })
    .map_err(|error| ServeError::Watch { path: layout.root().to_owned(), message: error.to_string() })?;
    let failed = |path: &Path, error: notify::Error| ServeError::Watch {
        path: path.to_owned(),
        message: error.to_string(),
    };
    // Configuration and the file of mounted sources stand in the root itself.
    let root = layout.root();
    watcher.watch(root, RecursiveMode::NonRecursive).map_err(|error| failed(root, error))?;
    for dir in source_dirs(&repo) {
        watcher.watch(&dir, RecursiveMode::Recursive).map_err(|error| failed(&dir, error))?;
    }
    let reloading = Arc::clone(hub);
    // The state at the start is what later looks are compared with.
    hub.service
        .reload(Cause::Seen)
        .map_err(|failure| ServeError::Watch { path: root.to_owned(), message: failure.message })?;
    hub.service.watching.store(true, Ordering::Relaxed);
    hub.service.loader().expect_edits();
    std::thread::spawn(move || follow(&reloading, &events));
    Ok(Watch { _watcher: watcher })
}

/// The directories that hold sources, where they exist; `extensions` as a whole, so that one which comes later is seen.
fn source_dirs(repo: &marsh_repo::Repo) -> Vec<PathBuf> {
    let layout = &repo.layout;
    let mut dirs: Vec<PathBuf> = vec![layout.root().join("extensions")];
    dirs.extend(Kind::ALL.iter().map(|kind| layout.extension_sources(&repo.marker, *kind)));
    if let Ok(roots) = marsh_extension::source_roots(repo, Kind::Model) {
        dirs.extend(roots.into_iter().map(|root| root.base).filter(|base| base != layout.root()));
    }
    dirs.retain(|dir| dir.is_dir());
    dirs.sort();
    dirs.dedup();
    // What is below another one of them is watched with it.
    let all = dirs.clone();
    dirs.retain(|dir| !all.iter().any(|other| dir != other && dir.starts_with(other)));
    dirs
}

fn follow(hub: &Arc<Hub>, events: &Receiver<()>) {
    while events.recv().is_ok() {
        let first = Instant::now();
        loop {
            let left = LONGEST.saturating_sub(first.elapsed());
            match events.recv_timeout(QUIET.min(left)) {
                Ok(()) if first.elapsed() < LONGEST => {}
                Ok(()) | Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        // A failure as a whole (an unreadable lockfile, say) is what the next call will say.
        drop(hub.service.reload(Cause::Seen));
        hub.service.loader().expect_edits();
        hub.heap_trimmer.schedule();
    }
}
