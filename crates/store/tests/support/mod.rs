//! A scratch repository, small trees, and checks of the invariants.

mod child;

use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_fs::Durability;
use marsh_store::{
    CommitError, CommitRequest, Committed, Installation, Lease, StoreError, StoredFile, TreeRecord, TreeState,
};
use marsh_types::lockfile::LockEntry;
use marsh_types::{CalVer, Digest, ExtensionName, Lockfile, RelPath};

#[cfg(feature = "failpoints")]
pub use child::run;
pub use child::{Running, spawn};

/// Longer than any wait without a defect.
pub const LONG: Duration = Duration::from_secs(60);
pub const MARKER: &str = ".swamp.yaml";

/// A new repository, removed on drop.
pub struct Repo {
    dir: tempfile::TempDir,
}

impl Repo {
    pub fn new() -> Repo {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(MARKER), "").unwrap();
        Repo { dir }
    }

    /// The root directory, without links in its path.
    pub fn root(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    pub fn open(&self) -> Installation {
        open(&self.root())
    }

    pub fn lockfile(&self) -> PathBuf {
        lockfile_in(&self.root())
    }
}

pub fn lockfile_in(root: &Path) -> PathBuf {
    root.join("extensions/models").join(Lockfile::FILE_NAME)
}

pub fn open(root: &Path) -> Installation {
    Installation::new(&root.join(".swamp"), &lockfile_in(root), MARKER)
}

pub fn name(name: &str) -> ExtensionName {
    ExtensionName::parse(name).unwrap()
}

/// The n-th version of an extension.
pub fn version(n: u64) -> CalVer {
    format!("2026.01.01.{n}").parse().unwrap()
}

/// The digest of the extension's archive. Each version has another one.
pub fn digest_of(extension: &str, n: u64) -> Digest {
    Digest::of(format!("archive of {extension} {n}").as_bytes())
}

/// The files of an extension, sorted. An extension called `big` has so many that they are synced with the file system.
fn files_of(extension: &str, n: u64) -> Vec<(String, String)> {
    let mut files = vec![
        ("README.md".into(), format!("# {extension}\n")),
        ("manifest.yaml".into(), format!("name: {extension}\nversion: 2026.01.01.{n}\n")),
        ("models/a.ts".into(), format!("export const model = {{ version: {n} }};\n")),
    ];
    if extension.ends_with("/big") {
        files
            .extend((100..170).map(|file| (format!("parts/{file}.ts"), format!("export default {file};\n"))));
    }
    files
}

pub fn record_of(extension: &str, n: u64) -> TreeRecord {
    let files = files_of(extension, n).into_iter().map(|(path, text)| StoredFile {
        path: RelPath::parse(&path).unwrap(),
        bytes: text.len() as u64,
        sha256: Digest::of(text.as_bytes()),
        executable: false,
    });
    TreeRecord {
        format: 1,
        name: name(extension),
        version: version(n),
        checksum: digest_of(extension, n),
        files_checksum: Digest::of(b"tree"),
        archive_bytes: 1,
        files: files.collect(),
    }
}

/// Writes the files of a tree, as unpacking would, and publishes it.
pub fn publish(installation: &Installation, extension: &str, n: u64) -> Result<Digest, StoreError> {
    let staging = installation.trees().stage()?;
    for (path, text) in files_of(extension, n) {
        let path = staging.tree().join(path);
        marsh_fs::create_dir_all(path.parent().unwrap())?;
        let mut file = marsh_fs::NewFile::create(&path)?;
        file.write(text.as_bytes())?;
        file.finish(Durability::Atomic)?;
    }
    installation.trees().publish(vec![(staging, record_of(extension, n))])?;
    Ok(digest_of(extension, n))
}

pub fn entry(extension: &str, n: u64) -> LockEntry {
    LockEntry {
        version: version(n),
        pulled_at: "2026-01-01T00:00:00.000Z".into(),
        files: Vec::new(),
        include: Vec::new(),
        checksum: Some(digest_of(extension, n)),
        files_checksum: None,
        server_url: None,
        channel: None,
        rest: serde_json::Map::new(),
    }
}

/// A commit whose change cannot be refused.
pub fn change(
    installation: &Installation,
    command: &str,
    leases: &[Lease],
    change: impl FnOnce(&mut Lockfile),
) -> Result<Committed, StoreError> {
    let request = CommitRequest { command: command.into(), lock_timeout: LONG, on_wait: &mut |_| {}, leases };
    let committed = installation.commit::<std::convert::Infallible>(request, |before| {
        let mut after = before.lockfile.clone();
        change(&mut after);
        Ok(after)
    });
    committed.map_err(store_error)
}

pub fn store_error(error: CommitError<std::convert::Infallible>) -> StoreError {
    match error {
        CommitError::Store(error) => error,
        CommitError::Refused(never) => match never {},
    }
}

/// Publishes a missing tree, leases it and commits, as a pull does. A collection may delete the tree before the lease.
pub fn pull(installation: &Installation, extension: &str, n: u64) -> Result<Committed, StoreError> {
    let lease = lease(installation, extension, n)?;
    change(installation, &format!("pull {extension}"), &[lease], |lockfile| {
        lockfile.entries.insert(name(extension), entry(extension, n));
    })
}

pub fn lease(installation: &Installation, extension: &str, n: u64) -> Result<Lease, StoreError> {
    loop {
        if let Some(lease) = installation.trees().lease(&digest_of(extension, n))? {
            return Ok(lease);
        }
        publish(installation, extension, n)?;
    }
}

pub fn remove(installation: &Installation, extension: &str) -> Result<Committed, StoreError> {
    change(installation, &format!("rm {extension}"), &[], |lockfile| {
        lockfile.entries.remove(&name(extension));
    })
}

/// Finds the target, publishes its missing trees and commits, as the command does.
pub fn rollback(installation: &Installation, to: Option<u64>) -> Result<Committed, StoreError> {
    let (number, target) = installation.target_of_rollback(to)?;
    let leases: Vec<Lease> = target
        .entries
        .iter()
        .filter(|(_, entry)| entry.checksum.is_some())
        .map(|(name, entry)| {
            let n = entry.version.to_string().rsplit('.').next().unwrap().parse().unwrap();
            lease(installation, name.as_str(), n)
        })
        .collect::<Result<_, _>>()?;
    let request = CommitRequest {
        command: "rollback".into(),
        lock_timeout: LONG,
        on_wait: &mut |_| {},
        leases: &leases,
    };
    installation
        .commit_rollback::<std::convert::Infallible>(request, number, |_, _| Ok(()))
        .map_err(store_error)
}

/// The installed set as text: `@s/a 1, @s/b 2`.
pub fn installed(installation: &Installation) -> String {
    shown(&installation.snapshot().unwrap().lockfile)
}

pub fn shown(lockfile: &Lockfile) -> String {
    let micro = |version: CalVer| version.to_string().rsplit('.').next().unwrap().to_owned();
    let entries = lockfile.entries.iter().map(|(name, entry)| format!("{name} {}", micro(entry.version)));
    entries.collect::<Vec<_>>().join(", ")
}

/// Checks what every reader may rely on at any time: the lockfile is whole, and so is every tree that it names.
pub fn assert_sound(installation: &Installation, when: &str) {
    let snapshot = installation.snapshot().unwrap_or_else(|error| panic!("{when}: {error}"));
    assert_eq!(snapshot.lockfile.refused, [], "{when}");
    for digest in snapshot.lockfile.digests() {
        let state = installation.trees().check(&digest, true).unwrap();
        assert_eq!(state, TreeState::Whole, "{when}: {} of {}", digest.short(), shown(&snapshot.lockfile));
    }
    let numbers: Vec<u64> =
        installation.history().unwrap().iter().map(|generation| generation.number).collect();
    let first = numbers.first().copied().unwrap_or(1);
    let expected: Vec<u64> = (first..).take(numbers.len()).collect();
    assert_eq!(numbers, expected, "{when}: a gap in the history");
}

/// Checks that every directory with the name of a tree is that tree.
pub fn assert_store_is_whole(installation: &Installation, when: &str) {
    for digest in installation.trees().list().unwrap() {
        let state = installation.trees().check(&digest, true).unwrap();
        assert_eq!(state, TreeState::Whole, "{when}: {}", digest.short());
    }
}

/// Checks what also holds after a commit has confirmed or removed pending records.
pub fn assert_settled(installation: &Installation, when: &str) {
    assert_sound(installation, when);
    let snapshot = installation.snapshot().unwrap();
    match installation.history().unwrap().last() {
        Some(last) => assert_eq!(last.lockfile, snapshot.digest, "{when}: the history is behind"),
        None => assert_eq!(snapshot.lockfile, Lockfile::default(), "{when}"),
    }
}

/// The paths below `dir` whose names satisfy `keep`.
pub fn find(dir: &Path, keep: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let (mut found, mut pending) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten() {
            let entry = entry.unwrap();
            if keep(&entry.file_name().to_string_lossy()) {
                found.push(entry.path());
            }
            if entry.file_type().unwrap().is_dir() {
                pending.push(entry.path());
            }
        }
    }
    found.sort();
    found
}
