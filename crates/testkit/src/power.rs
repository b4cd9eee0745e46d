//! Simulated power failures.
//!
//! With `MARSH_FS_TRACE` (feature `failpoints`) a process records its changes to the file system. A [`Disk`] replays the
//! record, and knows which data and which names have been synced. So it can produce the states that a disk may have when the
//! power fails after any change, under the strictest reading of POSIX: data that was not synced is lost, and any of the names
//! that were not synced may be missing. [`Disk::losses`] has the extremes: all of these names are missing, none of them, and
//! for every directory only its names are missing, or only its names are there.
//!
//! ```text
//! let mut disk = Disk::of(root);
//! // … run something with MARSH_FS_TRACE=trace below root …
//! for mutation in Disk::mutations(trace) {
//!     for step in disk.steps(&mutation) {
//!         disk.apply(&step);
//!         for loss in disk.losses() {
//!             disk.restore(&loss);
//!             // … check root, run the next command in it …
//!         }
//!     }
//! }
//! disk.restore(&Loss::Nothing);
//! ```

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

#[derive(Debug, Clone)]
enum Node {
    /// The data that was synced or waited for, if any.
    File {
        now: Vec<u8>,
        synced: Option<Vec<u8>>,
        settled: Option<Vec<u8>>,
    },
    Link(PathBuf),
    Dir {
        now: Names,
        synced: Names,
    },
}

type Names = BTreeMap<OsString, usize>;

/// The directory tree below a root, as processes see it and as it is on disk.
#[derive(Debug, Clone)]
pub struct Disk {
    root: PathBuf,
    nodes: Vec<Node>,
}

/// The loss at a power failure. Paths are relative to the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    /// No loss: the process died, but the machine did not.
    Nothing,
    /// Data that was not synced. All names are there.
    Data,
    /// Data that was not synced, and every creation, removal and rename of a name that was not synced.
    Names,
    /// The same, except for the names in one directory and the directories above it.
    NamesBut(PathBuf),
    /// Data that was not synced, and the names in one directory that were not synced.
    NamesIn(PathBuf),
    /// On a file system whose journal keeps the order: data that no process waited for. All names are there. Names that were
    /// not synced may be lost too, but only the last ones, and that is the state after an earlier change.
    Unsettled,
}

impl Disk {
    /// The files below `root` now, all of them synced.
    ///
    /// # Panics
    /// If a file cannot be read.
    pub fn of(root: &Path) -> Disk {
        let root = root.canonicalize().unwrap();
        let mut disk = Disk { root: root.clone(), nodes: Vec::new() };
        disk.load(&root);
        disk
    }

    fn load(&mut self, path: &Path) -> usize {
        let kind = fs::symlink_metadata(path).unwrap().file_type();
        let id = self.nodes.len();
        if kind.is_dir() {
            self.nodes.push(Node::Dir { now: Names::new(), synced: Names::new() });
            let mut names = Names::new();
            for entry in fs::read_dir(path).unwrap() {
                let entry = entry.unwrap();
                names.insert(entry.file_name(), self.load(&entry.path()));
            }
            self.nodes[id] = Node::Dir { now: names.clone(), synced: names };
        } else if kind.is_symlink() {
            self.nodes.push(Node::Link(fs::read_link(path).unwrap()));
        } else {
            let bytes = fs::read(path).unwrap();
            self.nodes.push(Node::File {
                now: bytes.clone(),
                synced: Some(bytes.clone()),
                settled: Some(bytes),
            });
        }
        id
    }

    /// The changes that a trace records, in order.
    ///
    /// # Panics
    /// If the trace cannot be read.
    pub fn mutations(trace: &Path) -> Vec<Value> {
        let text = fs::read_to_string(trace).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The single steps of a change: a tree is removed name by name, its first entry last.
    ///
    /// # Panics
    /// If the value is not a change.
    pub fn steps(&self, mutation: &Value) -> Vec<Value> {
        let path = mutation["path"].as_str().map(Path::new).and_then(|path| self.below(path));
        let mut steps = Vec::new();
        match path.as_ref().and_then(|path| Some((path, self.find(path)?))) {
            Some((path, id)) if mutation["op"] == "rmtree" => self.unlinks(path, id, &mut steps),
            _ => steps.push(mutation.clone()),
        }
        steps
    }

    fn unlinks(&self, path: &Path, id: usize, steps: &mut Vec<Value>) {
        if let Node::Dir { now, .. } = &self.nodes[id] {
            for (name, id) in now.iter().rev() {
                self.unlinks(&path.join(name), *id, steps);
            }
        }
        steps.push(json!({ "op": "unlink", "path": self.root.join(path) }));
    }

    /// Replays one change. Changes outside the root are ignored.
    ///
    /// # Panics
    /// If the change needs a file that does not exist: the record has a gap.
    pub fn apply(&mut self, mutation: &Value) {
        let text = |key: &str| mutation[key].as_str().unwrap_or_else(|| panic!("{mutation} lacks {key}"));
        let Some(path) = self.below(Path::new(text("path"))) else { return };
        match text("op") {
            "mkdir" => {
                self.make_dir(&path);
            }
            "create" => {
                let file = new_file(unhex(text("hex")));
                self.put(&path, file);
            }
            "append" => {
                let more = unhex(text("hex"));
                match self.find(&path).map(|id| &mut self.nodes[id]) {
                    Some(Node::File { now, .. }) => now.extend(more),
                    _ => self.put(&path, new_file(more)),
                }
            }
            "truncate" => match self.find(&path).map(|id| &mut self.nodes[id]) {
                Some(Node::File { now, .. }) => now.clear(),
                _ => self.put(&path, new_file(Vec::new())),
            },
            "symlink" => self.put(&path, Node::Link(PathBuf::from(text("target")))),
            "unlink" | "rmdir" | "rmtree" => {
                let (dir, name) = self.place(&path);
                self.names(dir).remove(&name);
            }
            op @ ("rename" | "link") => {
                let from =
                    self.below(Path::new(text("from"))).expect("names do not move between file systems");
                let id = self.find(&from).unwrap_or_else(|| panic!("{mutation}: nothing to rename"));
                let (dir, name) = self.place(&path);
                self.names(dir).insert(name, id);
                if op == "rename" {
                    let (dir, name) = self.place(&from);
                    self.names(dir).remove(&name);
                }
            }
            "sync_file" | "sync_dir" => {
                let id = self.find(&path).unwrap_or_else(|| panic!("{mutation}: nothing to sync"));
                sync(&mut self.nodes[id]);
            }
            "order_file" => match self.find(&path).map(|id| &mut self.nodes[id]) {
                Some(Node::File { now, settled, .. }) => *settled = Some(now.clone()),
                _ => panic!("{mutation}: no file to wait for"),
            },
            "sync_fs" => self.nodes.iter_mut().for_each(sync),
            other => panic!("unknown mutation {other}"),
        }
    }

    /// The ways in which power may fail now.
    pub fn losses(&self) -> Vec<Loss> {
        let mut losses = vec![Loss::Data, Loss::Names];
        let mut pending = vec![(PathBuf::new(), 0)];
        let mut unsynced = Vec::new();
        while let Some((path, id)) = pending.pop() {
            let Node::Dir { now, synced } = &self.nodes[id] else { continue };
            if now != synced {
                unsynced.push(path.clone());
            }
            pending.extend(now.iter().map(|(name, id)| (path.join(name), *id)));
        }
        // With one directory its extremes are those of all.
        if unsynced.len() > 1 {
            losses.extend(unsynced.iter().cloned().map(Loss::NamesBut));
            losses.extend(unsynced.into_iter().map(Loss::NamesIn));
        }
        losses
    }

    /// Writes the state after the loss to the root.
    ///
    /// # Panics
    /// If a file cannot be written.
    pub fn restore(&self, loss: &Loss) {
        for entry in fs::read_dir(&self.root).unwrap() {
            let path = entry.unwrap().path();
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                fs::remove_dir_all(&path).unwrap();
            } else {
                fs::remove_file(&path).unwrap();
            }
        }
        self.write(0, Path::new(""), loss);
    }

    fn write(&self, id: usize, path: &Path, loss: &Loss) {
        let at = self.root.join(path);
        match &self.nodes[id] {
            Node::File { now, synced, settled } => {
                let bytes = match loss {
                    Loss::Nothing => Some(now),
                    Loss::Unsettled => settled.as_ref(),
                    _ => synced.as_ref(),
                };
                fs::write(at, bytes.map(Vec::as_slice).unwrap_or_default()).unwrap();
            }
            Node::Link(target) => std::os::unix::fs::symlink(target, at).unwrap(),
            Node::Dir { now, synced } => {
                if id != 0 {
                    fs::create_dir(&at).unwrap();
                }
                let mut names = match loss {
                    Loss::Nothing | Loss::Data | Loss::Unsettled => now.clone(),
                    Loss::Names => synced.clone(),
                    Loss::NamesIn(dir) => if dir == path { synced } else { now }.clone(),
                    Loss::NamesBut(dir) => if dir == path { now } else { synced }.clone(),
                };
                // The directories above the one whose names are there.
                if let Loss::NamesBut(dir) = loss
                    && let Ok(below) = dir.strip_prefix(path)
                    && let Some(next) = below.components().next()
                    && let Some(id) = now.get(next.as_os_str())
                {
                    names.insert(next.as_os_str().to_owned(), *id);
                }
                for (name, id) in names {
                    self.write(id, &path.join(name), loss);
                }
            }
        }
    }

    /// The path relative to the root; links in it followed.
    fn below(&self, path: &Path) -> Option<PathBuf> {
        let mut path = path.strip_prefix(&self.root).ok()?.to_path_buf();
        'again: for _ in 0..32 {
            let mut walked = PathBuf::new();
            let parent = path.parent().map(Path::to_path_buf).unwrap_or_default();
            for component in parent.components() {
                let next = walked.join(component);
                if let Some(Node::Link(target)) = self.find(&next).map(|id| &self.nodes[id]) {
                    let rest = path.strip_prefix(&next).unwrap();
                    let led = lexical(&self.root.join(&walked).join(target).join(rest));
                    path = led.strip_prefix(&self.root).ok()?.to_path_buf();
                    continue 'again;
                }
                walked = next;
            }
            return Some(path);
        }
        None
    }

    fn find(&self, path: &Path) -> Option<usize> {
        let mut id = 0;
        for component in path.components() {
            let Node::Dir { now, .. } = &self.nodes[id] else { return None };
            id = *now.get(component.as_os_str())?;
        }
        Some(id)
    }

    fn names(&mut self, id: usize) -> &mut Names {
        match &mut self.nodes[id] {
            Node::Dir { now, .. } => now,
            other => panic!("expected a directory, found {other:?}"),
        }
    }

    /// Creates a directory and those above it. Threads may record changes in another order than they make them, so a path
    /// with a name below it is a directory.
    fn make_dir(&mut self, path: &Path) -> usize {
        let mut id = 0;
        for component in path.components() {
            let next = self.nodes.len();
            id = *self.names(id).entry(component.as_os_str().to_owned()).or_insert(next);
            if id == next {
                self.nodes.push(Node::Dir { now: Names::new(), synced: Names::new() });
            }
        }
        id
    }

    fn place(&mut self, path: &Path) -> (usize, OsString) {
        let name = path.file_name().expect("the root stays").to_owned();
        (self.make_dir(path.parent().unwrap_or(Path::new(""))), name)
    }

    fn put(&mut self, path: &Path, node: Node) {
        let (dir, name) = self.place(path);
        let id = self.nodes.len();
        self.nodes.push(node);
        self.names(dir).insert(name, id);
    }
}

fn new_file(now: Vec<u8>) -> Node {
    Node::File { now, synced: None, settled: None }
}

fn sync(node: &mut Node) {
    match node {
        Node::File { now, synced, settled } => {
            *synced = Some(now.clone());
            *settled = Some(now.clone());
        }
        Node::Dir { now, synced } => *synced = now.clone(),
        Node::Link(_) => {}
    }
}

fn lexical(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(root: &Path) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut pending = vec![root.to_owned()];
        while let Some(dir) = pending.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                if path.is_dir() {
                    pending.push(path);
                } else {
                    found.push((name, fs::read_to_string(path).unwrap()));
                }
            }
        }
        found.sort();
        found
    }

    fn after(disk: &Disk, loss: &Loss) -> Vec<(String, String)> {
        disk.restore(loss);
        look(&disk.root)
    }

    fn files(files: &[(&str, &str)]) -> Vec<(String, String)> {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn loss_keeps_synced_files_only() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f"), "old").unwrap();
        let mut disk = Disk::of(dir.path());
        let at = |name: &str| disk.root.join(name);
        let (f, temp, root) = (at("f"), at(".tmp"), at(""));
        let hex = "6e6577";
        disk.apply(&json!({ "op": "create", "path": temp, "hex": hex }));
        disk.apply(&json!({ "op": "rename", "path": f, "from": temp }));
        assert_eq!(after(&disk, &Loss::Nothing), files(&[("f", "new")]));
        assert_eq!(after(&disk, &Loss::Data), files(&[("f", "")]), "renamed and never synced: torn");
        assert_eq!(after(&disk, &Loss::Names), files(&[("f", "old")]));
        disk.apply(&json!({ "op": "sync_file", "path": f }));
        assert_eq!(after(&disk, &Loss::Data), files(&[("f", "new")]));
        assert_eq!(after(&disk, &Loss::Names), files(&[("f", "old")]), "the name is not on disk yet");
        disk.apply(&json!({ "op": "sync_dir", "path": root }));
        assert_eq!(after(&disk, &Loss::Names), files(&[("f", "new")]));
        disk.apply(&json!({ "op": "unlink", "path": f }));
        assert_eq!(after(&disk, &Loss::Names), files(&[("f", "new")]), "nor is a removal");
        assert_eq!(after(&disk, &Loss::Data), []);
    }

    #[test]
    fn loss_with_kept_order_keeps_ordered_files_whole() {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = Disk::of(dir.path());
        let f = disk.root.join("f");
        disk.apply(&json!({ "op": "create", "path": f, "hex": "6e6577" }));
        assert_eq!(after(&disk, &Loss::Unsettled), files(&[("f", "")]));
        disk.apply(&json!({ "op": "order_file", "path": f }));
        assert_eq!(after(&disk, &Loss::Unsettled), files(&[("f", "new")]));
        assert_eq!(after(&disk, &Loss::Data), files(&[("f", "")]), "it was not synced");
    }

    #[test]
    fn loss_of_a_new_directory_loses_the_file_below_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = Disk::of(dir.path());
        let (d, f, root) = (disk.root.join("d"), disk.root.join("d/f"), disk.root.clone());
        disk.apply(&json!({ "op": "mkdir", "path": d }));
        disk.apply(&json!({ "op": "create", "path": f, "hex": "78" }));
        disk.apply(&json!({ "op": "sync_file", "path": f }));
        disk.apply(&json!({ "op": "sync_dir", "path": d }));
        assert_eq!(after(&disk, &Loss::Names), []);
        disk.apply(&json!({ "op": "sync_dir", "path": root }));
        assert_eq!(after(&disk, &Loss::Names), files(&[("d/f", "x")]));
    }

    #[test]
    fn steps_of_a_removed_tree_remove_name_by_name() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("d/sub")).unwrap();
        for name in ["d/a", "d/sub/b"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let mut disk = Disk::of(dir.path());
        let steps = disk.steps(&json!({ "op": "rmtree", "path": disk.root.join("d") }));
        let paths: Vec<&str> = steps.iter().map(|step| step["path"].as_str().unwrap()).collect();
        let expected = ["d/sub/b", "d/sub", "d/a", "d"].map(|name| disk.root.join(name));
        assert_eq!(paths.iter().map(PathBuf::from).collect::<Vec<_>>(), expected);
        for step in &steps {
            disk.apply(step);
        }
        assert_eq!(after(&disk, &Loss::Nothing), []);
        let back = after(&disk, &Loss::NamesIn(PathBuf::new()));
        assert_eq!(back, [], "the directory is back, and nothing in it");
        assert!(disk.root.join("d").is_dir());
        assert_eq!(after(&disk, &Loss::Names).len(), 2);
    }

    #[test]
    fn losses_include_each_directory_alone() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let mut disk = Disk::of(dir.path());
        for name in ["a/f", "b/f"] {
            let path = disk.root.join(name);
            disk.apply(&json!({ "op": "append", "path": path, "hex": "78" }));
            disk.apply(&json!({ "op": "sync_file", "path": path }));
        }
        assert_eq!(disk.losses().len(), 6);
        assert_eq!(after(&disk, &Loss::NamesBut("a".into())), files(&[("a/f", "x")]));
        assert_eq!(after(&disk, &Loss::NamesIn("a".into())), files(&[("b/f", "x")]));
        disk.apply(&json!({ "op": "sync_fs", "path": disk.root.clone() }));
        assert_eq!(after(&disk, &Loss::Names), files(&[("a/f", "x"), ("b/f", "x")]));
        assert_eq!(disk.losses(), [Loss::Data, Loss::Names]);
    }
}
