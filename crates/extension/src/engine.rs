//! Which engine runs a module version, and where its Deno is.
//!
//! | order | who says it | without a Deno |
//! |---|---|---|
//! | 1 | the command: `--engine`, else `MARSH_ENGINE` | error |
//! | 2 | the entry point: `// marsh-engine: deno` | error |
//! | 3 | the repository: `engine` in its marker | error |
//! | 4 | need: the sources use what the embedded engine lacks, or the embedded engine refused to load them | embedded |
//! | 5 | the embedded engine | |
//!
//! Held by the binary's `tests/it/engines.rs`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use marsh_bundle::EngineWish;
use marsh_fs::Durability;
use marsh_host_client::ModuleEngine;
use marsh_host_client::protocol::DenoProgram;
use marsh_types::{Digest, EngineKind};

use crate::error::LoadError;

/// The oldest Deno that marsh runs code with.
pub const MINIMUM_DENO: &str = "2.5.0";

/// Where a Deno was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenoOrigin {
    /// marsh installed it.
    Installed,
    /// It is on `PATH`.
    Path,
}

/// A Deno on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundDeno {
    /// The program.
    pub program: PathBuf,
    /// Its version; `None` if the program does not say one.
    pub version: Option<String>,
    /// Where it was found.
    pub origin: DenoOrigin,
}

impl FoundDeno {
    /// Whether marsh runs code with it.
    pub fn is_usable(&self) -> bool {
        self.version.as_deref().is_some_and(|version| numbers(version) >= numbers(MINIMUM_DENO))
    }
}

/// Where to look for a Deno.
#[derive(Debug, Clone, Default)]
pub struct DenoPlaces {
    /// The directory of the installed ones: a directory for each version.
    pub installed: Option<PathBuf>,
    /// The value of `PATH`.
    pub path: Option<std::ffi::OsString>,
    /// Where the versions of programs on `PATH` are remembered.
    pub cache: Option<PathBuf>,
}

impl DenoPlaces {
    /// Every Deno, the one that is used first: those that marsh installed, the newest first, then those on `PATH`.
    pub fn all(&self) -> Vec<FoundDeno> {
        let mut found = self.installed_ones();
        for dir in self.path.iter().flat_map(std::env::split_paths) {
            let program = dir.join("deno");
            if is_program(&program) && !found.iter().any(|known| known.program == program) {
                let version = self.version_of(&program);
                found.push(FoundDeno { program, version, origin: DenoOrigin::Path });
            }
        }
        found
    }

    /// The Deno that is used.
    pub fn usable(&self) -> Option<FoundDeno> {
        let installed = self.installed_ones().into_iter().find(FoundDeno::is_usable);
        installed.or_else(|| self.all().into_iter().find(FoundDeno::is_usable))
    }

    fn installed_ones(&self) -> Vec<FoundDeno> {
        let entries = self.installed.as_deref().and_then(|dir| std::fs::read_dir(dir).ok());
        let mut found: Vec<FoundDeno> = entries
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let version = entry.file_name().into_string().ok()?;
                let program = entry.path().join("deno");
                let is_version = version.starts_with(|first: char| first.is_ascii_digit());
                (is_version && is_program(&program)).then_some(FoundDeno {
                    program,
                    version: Some(version),
                    origin: DenoOrigin::Installed,
                })
            })
            .collect();
        found.sort_by_key(|deno| std::cmp::Reverse(deno.version.as_deref().map(numbers)));
        found
    }

    /// What the program says of itself, remembered as long as the file stays the same.
    fn version_of(&self, program: &Path) -> Option<String> {
        let metadata = std::fs::metadata(program).ok()?;
        let stamp = format!("{} {} {:?}", program.display(), metadata.len(), metadata.modified().ok());
        let name = Digest::of(stamp.as_bytes()).to_hex();
        let known = self.cache.as_ref().map(|cache| cache.join("deno").join("versions").join(&name[..32]));
        if let Some(version) = known.as_ref().and_then(|known| std::fs::read_to_string(known).ok()) {
            return Some(version);
        }
        let version = ask_version(program)?;
        if let Some(known) = known
            && let Some(dir) = known.parent()
            && marsh_fs::create_dir_all(dir).is_ok()
        {
            marsh_types::ignore(
                marsh_fs::atomic_write(&known, version.as_bytes(), Durability::Atomic),
                "the next process asks again",
            );
        }
        Some(version)
    }
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// The version of a Deno: the second word of `deno 2.9.6 (stable, …)`.
fn ask_version(program: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.arg("--version").env("DENO_NO_UPDATE_CHECK", "1").stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut words = text.split_whitespace();
    (words.next() == Some("deno")).then_some(())?;
    words.next().map(str::to_owned)
}

/// `2.9.6` as numbers; what follows a `-` or `+` is left out.
pub fn numbers(version: &str) -> [u64; 3] {
    let plain = version.split(['-', '+']).next().unwrap_or_default();
    let mut parts = plain.split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

/// Who chose an engine, for errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChosenBy {
    /// The command line or its environment.
    Command,
    /// The entry point.
    Source,
    /// The marker of the repository.
    Repository,
}

impl ChosenBy {
    /// The place, as the subject of a sentence.
    pub fn as_str(self) -> &'static str {
        match self {
            ChosenBy::Command => "the command",
            ChosenBy::Source => "the source",
            ChosenBy::Repository => "the repository",
        }
    }
}

/// How engines are chosen in one process.
#[derive(Debug, Clone, Default)]
pub struct EnginePolicy {
    /// What the command says.
    pub command: Option<EngineKind>,
    /// What the repository's marker says.
    pub repository: Option<EngineKind>,
    /// Where to look for a Deno.
    pub places: DenoPlaces,
    found: OnceLock<FoundDeno>,
}

impl EnginePolicy {
    /// A policy.
    pub fn new(
        command: Option<EngineKind>,
        repository: Option<EngineKind>,
        places: DenoPlaces,
    ) -> EnginePolicy {
        EnginePolicy { command, repository, places, found: OnceLock::new() }
    }

    /// The Deno that is used. One that is missing is looked for again, as it can be installed meanwhile.
    fn deno(&self) -> Option<ModuleEngine> {
        let found = match self.found.get() {
            Some(found) if found.program.is_file() => found.clone(),
            _ => {
                let found = self.places.usable()?;
                self.found.get_or_init(|| found.clone());
                found
            }
        };
        let FoundDeno { program, version, .. } = found;
        Some(ModuleEngine::Deno(DenoProgram { program, version: version.unwrap_or_default() }))
    }

    fn explicit(&self, declared: Option<EngineKind>) -> Option<(EngineKind, ChosenBy)> {
        let command = self.command.map(|engine| (engine, ChosenBy::Command));
        let source = declared.map(|engine| (engine, ChosenBy::Source));
        let repository = self.repository.map(|engine| (engine, ChosenBy::Repository));
        command.or(source).or(repository)
    }

    /// The engine of a module version with these wishes of its parts.
    ///
    /// # Errors
    /// Deno was asked for by name, and there is none.
    pub(crate) fn choose(&self, wish: &EngineWish) -> Result<ModuleEngine, LoadError> {
        match self.explicit(wish.declared) {
            Some((EngineKind::Embedded, _)) => Ok(ModuleEngine::Embedded),
            Some((EngineKind::Deno, by)) => self.deno().ok_or_else(|| LoadError::NoDeno {
                by,
                too_old: self.places.all().into_iter().find(|deno| !deno.is_usable()).map(Box::new),
            }),
            None if wish.needs.is_empty() => Ok(ModuleEngine::Embedded),
            None => Ok(self.deno().unwrap_or_default()),
        }
    }

    /// The engine that may load what the embedded engine refused; `None`: the embedded one was asked for, or is the only
    /// one.
    pub(crate) fn fallback(&self, declared: Option<EngineKind>) -> Option<ModuleEngine> {
        if self.explicit(declared).is_some() {
            return None;
        }
        self.deno()
    }
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        assert!(numbers("2.10.0") > numbers("2.9.6"));
        assert_eq!(numbers("2.9.6-rc.1"), [2, 9, 6]);
        assert_eq!(numbers("x"), [0, 0, 0]);
    }
}
