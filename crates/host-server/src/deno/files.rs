//! The files that Deno reads at its start: marsh's own JavaScript, the import map, and code that has no file yet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use marsh_fs::{Durability, FsError, StagedDir};
use marsh_host_protocol::{CallError, ErrorKind, ModuleRef};
use marsh_types::Digest;

use crate::engine::{Bridge, Shim};

const START: &str = include_str!("start.mjs");
const CORE: &str = include_str!("core.mjs");
/// What the shim loads at its first use.
const ON_DEMAND: [&str; 2] = ["marsh:cel", "marsh:cel_js"];
/// A private directory that is older than this was left behind: Deno opens its pipes within seconds.
const LEFT_BEHIND: Duration = Duration::from_secs(3600);

/// The directory that marsh keeps for Deno: `support` (its own JavaScript, by digest), `run` (private directories of
/// processes that start), `cache` (Deno's own).
#[derive(Debug, Clone)]
pub struct Home(PathBuf);

/// What one process is started with.
#[derive(Debug)]
pub struct Prepared {
    /// Goes with this value: once the module is loaded, nothing reads it.
    pub private: StagedDir,
    pub start: PathBuf,
    pub import_map: PathBuf,
    pub shim_url: String,
    /// The names of files in stacks.
    pub names: Vec<(String, String)>,
}

impl Home {
    /// Beside the compiled code of the other engine, or in the directory of temporary files.
    pub fn beside(bytecode_cache: Option<&Path>) -> Home {
        let parent = bytecode_cache.and_then(Path::parent);
        Home(parent.map_or_else(std::env::temp_dir, Path::to_path_buf).join("deno"))
    }

    /// Where Deno keeps what it compiled.
    pub fn deno_dir(&self) -> PathBuf {
        self.0.join("cache")
    }

    /// Removes the private directories of processes that died before they had removed them.
    pub fn sweep(&self) {
        let Ok(entries) = std::fs::read_dir(self.0.join("run")) else { return };
        for entry in entries.flatten() {
            let age = entry.metadata().and_then(|entry| entry.modified());
            let age = age.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
            if age.is_some_and(|age| age > LEFT_BEHIND) {
                marsh_types::ignore(marsh_fs::remove_tree(&entry.path()), "the next host tries again");
            }
        }
    }

    /// Writes what is missing. The code of the module and of its packages is verified by digest.
    pub fn prepare(
        &self,
        module: &ModuleRef,
        shim: Shim,
        bridge: &Arc<dyn Bridge>,
    ) -> Result<Prepared, CallError> {
        let support = self.support(shim).map_err(|error| internal(&error))?;
        let private = StagedDir::new(&self.0.join("run")).map_err(|error| internal(&error))?;
        let shim_url = file_url(&support.join("shim.mjs"));
        let mut imports = BTreeMap::from([("marsh:core".to_owned(), file_url(&support.join("core.mjs")))]);
        for name in ON_DEMAND {
            imports.insert(name.to_owned(), file_url(&support.join(file_name(name))));
        }
        let mut names = vec![
            (shim_url.clone(), shim.name.to_owned()),
            (file_url(&support.join("start.mjs")), "marsh:main".to_owned()),
        ];
        let place = |index: usize, sha256: &str, path: &Path| {
            verified(sha256, path, &private.path().join(format!("module-{index}.js")), bridge)
        };
        if let Some(elsewhere) = place(0, &module.sha256, &module.path)? {
            imports.insert(module.url.clone(), file_url(&elsewhere));
            names.push((file_url(&elsewhere), module.url.clone()));
        }
        for (index, external) in module.externals.iter().enumerate() {
            let moved = place(index + 1, &external.sha256, &external.path)?;
            let url = file_url(moved.as_deref().unwrap_or(&external.path));
            names.push((url.clone(), external.specifier.clone()));
            imports.insert(external.specifier.clone(), url);
        }
        let import_map = private.path().join("imports.json");
        let text = serde_json::to_vec(&ImportMap { imports })
            .map_err(|error| CallError::new(ErrorKind::Internal, error.to_string()))?;
        marsh_fs::atomic_write(&import_map, &text, Durability::Atomic).map_err(|error| internal(&error))?;
        Ok(Prepared { private, start: support.join("start.mjs"), import_map, shim_url, names })
    }

    /// The directory of marsh's own JavaScript, whose name is the digest of its content. Each file is compared before it
    /// is used, so that no other content runs.
    fn support(&self, shim: Shim) -> Result<PathBuf, FsError> {
        let mut files = vec![
            ("start.mjs".to_owned(), START),
            ("core.mjs".to_owned(), CORE),
            ("shim.mjs".to_owned(), shim.code),
        ];
        for name in ON_DEMAND {
            files.push((file_name(name), marsh_engine::surface_module(name).unwrap_or_default()));
        }
        let joined: String = files.iter().map(|(name, code)| format!("{name}\n{code}\n")).collect();
        let dir = self.0.join("support").join(&Digest::of(joined.as_bytes()).to_hex()[..32]);
        for (name, code) in files {
            let path = dir.join(name);
            if std::fs::read(&path).is_ok_and(|there| there == code.as_bytes()) {
                continue;
            }
            marsh_fs::create_dir_all(&dir)?;
            marsh_fs::atomic_write(&path, code.as_bytes(), Durability::Atomic)?;
        }
        Ok(dir)
    }
}

#[derive(serde::Serialize)]
struct ImportMap {
    imports: BTreeMap<String, String>,
}

/// `marsh:cel` as a file.
fn file_name(module: &str) -> String {
    format!("{}.mjs", module.trim_start_matches("marsh:"))
}

/// `None`: the file holds the code of this digest. Else the code comes from the parent, and is put at `elsewhere`.
fn verified(
    sha256: &str,
    path: &Path,
    elsewhere: &Path,
    bridge: &Arc<dyn Bridge>,
) -> Result<Option<PathBuf>, CallError> {
    let matches = |text: &[u8]| Digest::of(text).to_hex() == sha256;
    let reason = match std::fs::read(path) {
        Ok(text) if matches(&text) => return Ok(None),
        Ok(_) => format!("{} does not have the digest of the module", path.display()),
        Err(error) => format!("cannot read {}: {error}", path.display()),
    };
    let failed =
        |error: &dyn std::fmt::Display| CallError::new(ErrorKind::Load, format!("{reason}; {error}"));
    let text = bridge.module(sha256).map_err(|error| failed(&error))?;
    if !matches(&text) {
        return Err(failed(&"the text that was sent does not have the digest of the module"));
    }
    marsh_fs::atomic_write(elsewhere, &text, Durability::Atomic).map_err(|error| failed(&error))?;
    Ok(Some(elsewhere.to_owned()))
}

fn internal(error: &FsError) -> CallError {
    CallError::new(ErrorKind::Internal, format!("cannot prepare the start of Deno: {error}"))
}

/// The URL of a file, as Deno spells it.
pub fn file_url(path: &Path) -> String {
    let mut url = String::from("file://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' | b'@' | b'+' | b':' => url.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => url.push(char::from(*byte)),
            byte => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}
