//! The per-user package cache: `<cache>/npm/v1/pkg/<name>@<version>-<digest>/node_modules/<name>/…`.
//!
//! * An entry appears by one rename, complete, verified and durable; two processes that fill one entry both succeed.
//!   There is no lock.
//! * Each package sits alone under a `node_modules` of its own, so that a resolver started beside it sees exactly that
//!   package and nothing hoisted.
//! * Only regular files and directories inside the package's directory are unpacked. Type declarations and source maps
//!   are left out: a bundle never holds them, and they are most of the bytes.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;
use marsh_fs::{Durability, NewFile, StagedDir, atomic_write, create_dir_all};
use sha2::{Digest, Sha256};
use tar::{Archive, EntryType};

use super::client::Client;
use super::{Closure, NpmError, Package, flat, home, integrity, is_safe_name};
use crate::diagnostic::DiagnosticCode;
use crate::hex::hex;

const MAX_FILES: usize = 100_000;
const MAX_UNPACKED: u64 = 1 << 30;

#[derive(Debug, Clone)]
pub(crate) struct Store {
    home: PathBuf,
}

impl Store {
    pub(crate) fn new(cache: &Path) -> Self {
        Self { home: home(cache) }
    }

    /// The directory that all packages are in, each in a component of its own.
    pub(crate) fn packages(&self) -> PathBuf {
        self.home.join("pkg")
    }

    /// The name of a package's entry.
    pub(crate) fn key(&self, package: &Package) -> String {
        let digest = hex(&Sha256::digest(package.integrity.as_bytes()));
        format!("{}@{}-{}", flat(&package.name), package.version.replace('/', "+"), &digest[..16])
    }

    pub(crate) fn entry(&self, package: &Package) -> PathBuf {
        self.packages().join(self.key(package))
    }

    pub(crate) fn has(&self, package: &Package) -> bool {
        self.entry(package).is_dir()
    }

    /// A private directory on the same file system.
    pub(crate) fn stage(&self) -> Result<StagedDir, NpmError> {
        Ok(StagedDir::new(&self.home.join("tmp"))?)
    }

    pub(crate) fn externals(&self) -> PathBuf {
        self.home.join("externals")
    }

    pub(crate) fn install(&self, package: &Package, client: &Client) -> Result<(), NpmError> {
        if !is_safe_name(&package.name) {
            return Err(NpmError::new(
                DiagnosticCode::MissingPackage,
                format!("{:?} is not an npm package name", package.name),
            ));
        }
        let bytes = client.tarball(package)?;
        verified(package, &bytes)?;
        let staged = self.stage()?;
        unpack_whole(package, &bytes, &staged.path().join("node_modules").join(&package.name))?;
        create_dir_all(&self.packages())?;
        staged.publish(&self.entry(package))?;
        Ok(())
    }

    fn closure_file(&self, key: &str) -> PathBuf {
        self.home.join("closures").join(format!("{key}.json"))
    }

    /// What an earlier run resolved for the same requirements.
    pub(crate) fn recorded(&self, key: &str) -> Option<Closure> {
        serde_json::from_slice(&marsh_fs::read(self.closure_file(key)).ok()?).ok()
    }

    pub(crate) fn record(&self, key: &str, closure: &Closure) -> Result<(), NpmError> {
        let file = self.closure_file(key);
        create_dir_all(file.parent().unwrap_or(&self.home))?;
        let bytes = serde_json::to_vec(closure).unwrap_or_default();
        Ok(atomic_write(&file, &bytes, Durability::Synced)?)
    }
}

/// Refuses bytes that do not have the digest of the package.
pub(super) fn verified(package: &Package, bytes: &[u8]) -> Result<(), NpmError> {
    integrity::verify(bytes, &package.integrity).map_err(|actual| {
        let message = format!(
            "npm package {} is not what was expected: integrity {}, but the registry sent {actual}",
            package.id(),
            package.integrity
        );
        NpmError::new(DiagnosticCode::IntegrityMismatch, message)
    })
}

/// Unpacks the verified bytes of a package.
pub(super) fn unpack_whole(package: &Package, bytes: &[u8], target: &Path) -> Result<(), NpmError> {
    unpack(bytes, target, MAX_UNPACKED).map_err(|fault| match fault {
        Fault::Archive(reason) => NpmError::new(
            DiagnosticCode::UnsafeArchive,
            format!("npm package {} is refused: {reason}", package.id()),
        ),
        Fault::Fs(error) => error.into(),
    })
}

enum Fault {
    Archive(String),
    Fs(marsh_fs::FsError),
}

impl From<marsh_fs::FsError> for Fault {
    fn from(error: marsh_fs::FsError) -> Self {
        Fault::Fs(error)
    }
}

fn unpack(bytes: &[u8], target: &Path, limit: u64) -> Result<(), Fault> {
    create_dir_all(target)?;
    // One byte over the limit is enough to know, and what is never decompressed costs nothing.
    let mut archive = Archive::new(GzDecoder::new(bytes).take(limit + 1));
    let broken = |error: std::io::Error| Fault::Archive(format!("it is not a readable archive: {error}"));
    let mut total = 0u64;
    let mut files = 0usize;
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.into_owned();
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            other => return Err(Fault::Archive(format!("{} is a {other:?}, not a file", path.display()))),
        }
        files += 1;
        total = total.saturating_add(entry.size());
        if files > MAX_FILES || total > limit {
            return Err(Fault::Archive(format!("it has more than {MAX_FILES} files or {limit} bytes")));
        }
        let Some(inner) = inner_path(&path)
            .map_err(|()| Fault::Archive(format!("{} leaves the package", path.display())))?
        else {
            continue;
        };
        if !is_wanted(&inner) {
            continue;
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(broken)?;
        let file = target.join(&inner);
        create_dir_all(file.parent().unwrap_or(target))?;
        // An archive may hold a path twice; the later one counts, as with npm.
        marsh_fs::remove_file_if_exists(&file)?;
        let mut new = NewFile::create(&file)?;
        new.write(&content)?;
        new.finish(Durability::Synced)?;
    }
    if files == 0 {
        return Err(Fault::Archive("it holds no files".to_owned()));
    }
    Ok(())
}

/// Without the first component, which is `package` mostly. `None` for a file beside it.
fn inner_path(path: &Path) -> Result<Option<PathBuf>, ()> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(()),
        }
    }
    Ok((parts.len() > 1).then(|| parts[1..].iter().collect()))
}

fn is_wanted(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    ![".d.ts", ".d.mts", ".d.cts", ".map"].iter().any(|ending| name.ends_with(ending))
}
