//! Views: links into the store below `.swamp/pulled-extensions`, which show people the installed trees.
//!
//! The links are derived from the lockfile and the records of the trees alone. They are written after the commit, under
//! their own lock, from the lockfile as it is then. The old stamp is removed first, and a new stamp with the lockfile's
//! digest is written last. A command that finds no stamp with the lockfile's digest derives the links again, so it repairs
//! the links of a process that died in between (`tests/views.rs`). No code is loaded through a view.
//!
//! One extension is one link, `@acme/dns -> ../../marsh/store/v1/<digest>/tree`. If another installed name is below it
//! (`@acme/dns/zones`), the extension is a directory of links to its parts, beside the view of the other one. If the other
//! name equals a part (`@acme/dns/models`), the other extension is shown as `@acme/dns+models`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_fs::Durability;
use marsh_types::{Digest, ExtensionName};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::installation::Installation;
use crate::snapshot::Snapshot;

/// The differences between the views and the lockfile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewReport {
    /// Whether the views show another state of the lockfile.
    pub stale: bool,
    /// Links that are missing or lead elsewhere.
    pub missing: Vec<PathBuf>,
    /// Links into the store that belong to no installed extension.
    pub orphans: Vec<PathBuf>,
    /// Links whose target is missing.
    pub dangling: Vec<PathBuf>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Stamp {
    /// The key of the installation.
    key: String,
    lockfile: Option<Digest>,
}

impl Installation {
    /// The directory of the views. A lockfile that uses the `.swamp` of another repository has its own directory.
    pub fn views_dir(&self) -> PathBuf {
        if self.owns_state {
            return self.state.join("pulled-extensions");
        }
        self.state.join("marsh").join("views").join(&self.key)
    }

    fn stamp_path(&self) -> PathBuf {
        self.state.join("marsh").join("views").join(format!("{}.json", self.key))
    }

    fn stamp(&self) -> Stamp {
        let bytes = marsh_fs::read(self.stamp_path()).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Whether the views show this state of the lockfile.
    pub fn views_are_current(&self, snapshot: &Snapshot) -> bool {
        self.stamp().lockfile == Some(snapshot.digest)
    }

    /// Writes the links for the current lockfile. Directories in their place, such as trees that another implementation
    /// unpacked, may contain edits, so they are moved. Returns the old and the new path of each.
    ///
    /// # Errors
    /// The views lock cannot be taken within `timeout`, the lockfile is invalid, or a file cannot be read or written.
    pub fn derive_views(&self, timeout: Duration) -> Result<Vec<(PathBuf, PathBuf)>, StoreError> {
        let lock = self.state.join("marsh").join("locks").join(format!("views-{}.lock", self.key));
        let _lock = marsh_fs::lock_exclusive(&lock, timeout, "derive views", &mut |_| {})?;
        let snapshot = self.snapshot()?;
        if self.views_are_current(&snapshot) {
            return Ok(Vec::new());
        }
        let root = self.views_dir();
        let wanted = self.wanted(&snapshot)?;
        let mut set_aside = Vec::new();
        // There is no stamp while links change. The lockfile may return to the state that the old stamp names before this
        // ends, or after this process died half-way, and the stamp would then be wrong.
        let stamp_path = self.stamp_path();
        marsh_fs::remove_file_if_exists(&stamp_path)?;
        for link in self.links_below(&root) {
            if !wanted.contains_key(&link) {
                marsh_fs::remove_file_if_exists(&root.join(&link))?;
                remove_empty_parents(&root, &link)?;
            }
        }
        for (link, target) in &wanted {
            let path = root.join(link);
            if std::fs::read_link(&path).is_ok_and(|found| found == *target) {
                continue;
            }
            if let Some(parent) = path.parent() {
                self.clear_way(&root, parent, &mut set_aside)?;
                marsh_fs::create_dir_all(parent)?;
            }
            if std::fs::symlink_metadata(&path).is_ok() && !self.is_view(&path) {
                set_aside.push(self.set_aside(&path)?);
            }
            marsh_fs::symlink_atomic(target, &path)?;
        }
        // While trees are missing, the views are not current.
        let is_whole = snapshot.lockfile.digests().all(|digest| self.trees.contains(&digest));
        let stamp = Stamp { key: self.key.clone(), lockfile: is_whole.then_some(snapshot.digest) };
        if let Some(dir) = stamp_path.parent() {
            marsh_fs::create_dir_all(dir)?;
        }
        let bytes = serde_json::to_vec(&stamp)
            .map_err(|error| StoreError::Record { path: stamp_path.clone(), message: error.to_string() })?;
        marsh_fs::atomic_write_locked(&stamp_path, &bytes, Durability::Atomic)?;
        Ok(set_aside)
    }

    /// Removes links into the store, and moves files and other links, where a directory must be created.
    fn clear_way(
        &self,
        root: &Path,
        parent: &Path,
        set_aside: &mut Vec<(PathBuf, PathBuf)>,
    ) -> Result<(), StoreError> {
        let below: Vec<&Path> = parent.ancestors().take_while(|dir| *dir != root).collect();
        for dir in below.into_iter().rev() {
            match std::fs::symlink_metadata(dir) {
                Ok(_) if self.is_view(dir) => {
                    marsh_fs::remove_file_if_exists(dir)?;
                }
                Ok(metadata) if !metadata.is_dir() => set_aside.push(self.set_aside(dir)?),
                _ => {}
            }
        }
        Ok(())
    }

    fn set_aside(&self, path: &Path) -> Result<(PathBuf, PathBuf), StoreError> {
        let dir = self.state.join("marsh").join("set-aside");
        marsh_fs::create_dir_all(&dir)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let to = dir.join(format!("{name}-{}", uuid::Uuid::new_v4()));
        marsh_fs::rename(path, &to)?;
        Ok((path.to_owned(), to))
    }

    /// Compares the views with the lockfile. Reads only.
    ///
    /// # Errors
    /// A record cannot be read.
    pub fn check_views(&self, snapshot: &Snapshot) -> Result<ViewReport, StoreError> {
        let root = self.views_dir();
        let wanted = self.wanted(snapshot)?;
        let found: BTreeSet<PathBuf> = self.links_below(&root).into_iter().collect();
        let is_right = |link: &PathBuf| {
            wanted
                .get(link)
                .is_some_and(|target| std::fs::read_link(root.join(link)).ok().as_ref() == Some(target))
        };
        Ok(ViewReport {
            stale: !(self.views_are_current(snapshot) || wanted.is_empty() && found.is_empty()),
            missing: wanted.keys().filter(|link| !is_right(link)).cloned().collect(),
            orphans: found.iter().filter(|link| !wanted.contains_key(*link)).cloned().collect(),
            dangling: found.iter().filter(|link| !root.join(link).exists()).cloned().collect(),
        })
    }

    /// Every link that the lockfile requires, relative to the views' directory, with its target as written.
    fn wanted(&self, snapshot: &Snapshot) -> Result<BTreeMap<PathBuf, PathBuf>, StoreError> {
        let mut held: BTreeMap<&ExtensionName, Digest> = BTreeMap::new();
        for (name, entry) in &snapshot.lockfile.entries {
            if let Some(digest) = entry.checksum
                && self.trees.contains(&digest)
            {
                held.insert(name, digest);
            }
        }
        let mut parts: BTreeMap<&ExtensionName, BTreeSet<String>> = BTreeMap::new();
        let names: Vec<&ExtensionName> = held.keys().copied().collect();
        for (name, digest) in &held {
            let prefix = format!("{name}/");
            if names.iter().any(|other| other.as_str().starts_with(&prefix)) {
                let files = self.trees.record(digest)?.map(|record| record.files).unwrap_or_default();
                let tops = files.iter().filter_map(|file| file.path.segments().next().map(str::to_owned));
                parts.insert(name, tops.collect());
            }
        }
        let mut wanted = BTreeMap::new();
        for (name, digest) in &held {
            let link = shown_as(name, &parts);
            match parts.get(name) {
                None => {
                    wanted.insert(link.clone(), self.target(&link, digest, None));
                }
                Some(tops) => {
                    for top in tops {
                        let part = link.join(top);
                        let target = self.target(&part, digest, Some(top));
                        wanted.insert(part, target);
                    }
                }
            }
        }
        Ok(wanted)
    }

    /// The target of a link, relative to the link, so that a repository can be moved.
    fn target(&self, link: &Path, digest: &Digest, part: Option<&str>) -> PathBuf {
        let up = link.components().count() - 1;
        let mut target = PathBuf::new();
        let to_marsh = if self.owns_state { "../marsh/store/v1" } else { "../../store/v1" };
        for _ in 0..up {
            target.push("..");
        }
        target.push(to_marsh);
        target.push(digest.to_hex());
        target.push("tree");
        if let Some(part) = part {
            target.push(part);
        }
        target
    }

    /// Whether a path is a link whose text leads into the store. Marsh does not change other links.
    fn is_view(&self, path: &Path) -> bool {
        let (Ok(target), Some(dir)) = (std::fs::read_link(path), path.parent()) else { return false };
        let mut end = PathBuf::new();
        for component in dir.join(target).components() {
            match component {
                std::path::Component::ParentDir => {
                    end.pop();
                }
                other => end.push(other),
            }
        }
        end.starts_with(self.trees.root())
    }

    /// All links below the views' directory that lead into the store.
    fn links_below(&self, root: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut pending = vec![root.to_owned()];
        while let Some(dir) = pending.pop() {
            for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
                let path = entry.path();
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_symlink() {
                    if self.is_view(&path)
                        && let Ok(below) = path.strip_prefix(root)
                    {
                        found.push(below.to_owned());
                    }
                } else if kind.is_dir()
                    && path.strip_prefix(root).is_ok_and(|below| below.components().count() < 8)
                {
                    pending.push(path);
                }
            }
        }
        found
    }
}

fn shown_as(name: &ExtensionName, parts: &BTreeMap<&ExtensionName, BTreeSet<String>>) -> PathBuf {
    let segments: Vec<&str> = name.segments().collect();
    for length in 2..segments.len() {
        let above = segments[..length].join("/");
        let collides =
            parts.iter().any(|(parent, tops)| parent.as_str() == above && tops.contains(segments[length]));
        if collides {
            return PathBuf::from(format!("{above}+{}", segments[length..].join("+")));
        }
    }
    segments.iter().collect()
}

fn remove_empty_parents(root: &Path, link: &Path) -> Result<(), StoreError> {
    for dir in link.ancestors().skip(1).take_while(|dir| !dir.as_os_str().is_empty()) {
        if !marsh_fs::remove_dir_if_empty(&root.join(dir))? {
            break;
        }
    }
    Ok(())
}
