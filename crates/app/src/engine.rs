//! The engines that run extension code: which there are, and installing a Deno.

use std::path::Path;
use std::process::{Command, Stdio};

use marsh_api::engine::{
    EngineInstalled, EngineList, EngineOrigin, EngineRow, EngineSelector, EnginesRemoved,
};
use marsh_bundle::choose_package;
use marsh_extension::engine::{DenoOrigin, DenoPlaces, EnginePolicy, MINIMUM_DENO, numbers};
use marsh_fs::{LockFile, StagedDir};
use marsh_registry::RegistryError;
use marsh_repo::{Repo, RepoError, env};
use marsh_types::{EngineKind, ignore};

use crate::error::AppError;
use crate::session::App;

/// The Deno that marsh was tested with.
const TESTED_DENO: &str = "2.9.6";

impl App {
    /// How the engine of a module version is chosen in a repository.
    ///
    /// # Errors
    ///
    /// The environment or the marker names an unknown engine.
    pub(crate) fn engines(&self, repo: &Repo) -> Result<EnginePolicy, AppError> {
        Ok(EnginePolicy::new(self.engine_of_command()?, engine_of_marker(repo)?, self.deno_places()))
    }

    fn engine_of_command(&self) -> Result<Option<EngineKind>, AppError> {
        let command = self.settings().environment.raw(env::ENGINE.name).filter(|name| !name.is_empty());
        command.map(|name| parsed(name, env::ENGINE.name)).transpose()
    }

    fn deno_places(&self) -> DenoPlaces {
        let environment = &self.settings().environment;
        DenoPlaces {
            installed: environment.deno_dir(),
            path: environment.raw("PATH").map(Into::into),
            cache: environment.cache_dir(),
        }
    }

    /// The engines on this machine. Works outside of a repository, too.
    ///
    /// # Errors
    ///
    /// The environment or the marker names an unknown engine.
    pub fn engine_list(&self) -> Result<EngineList, AppError> {
        let repository = match self.repo() {
            Ok(repo) => engine_of_marker(&repo)?,
            Err(AppError::Repo(RepoError::NotFound { .. })) => None,
            Err(error) => return Err(error),
        };
        let command = self.engine_of_command()?.map(|engine| (engine, EngineSelector::Command));
        let selected = command.or(repository.map(|engine| (engine, EngineSelector::Repository)));
        let mut engines = vec![EngineRow {
            engine: EngineKind::Embedded,
            version: Some(self.settings().version.to_owned()),
            origin: EngineOrigin::Embedded,
            program: None,
            usable: true,
            used: true,
        }];
        let mut used = false;
        for deno in self.deno_places().all() {
            let usable = deno.is_usable();
            engines.push(EngineRow {
                engine: EngineKind::Deno,
                version: deno.version,
                origin: match deno.origin {
                    DenoOrigin::Installed => EngineOrigin::Installed,
                    DenoOrigin::Path => EngineOrigin::Path,
                },
                program: Some(deno.program),
                usable,
                used: usable && !used,
            });
            used |= usable;
        }
        Ok(EngineList {
            engines,
            selected: selected.map(|(engine, _)| engine),
            selected_by: selected.map(|(_, by)| by),
            minimum_deno: MINIMUM_DENO.to_owned(),
        })
    }

    /// Installs a Deno from the npm registry into the user's data directory, unless it is there. `version`: an exact one,
    /// or a tag such as `latest`; `None`: the one that marsh was tested with.
    ///
    /// # Errors
    ///
    /// The registry has no such version or cannot be asked, its bytes are not those that it states, or the program does not
    /// run here.
    pub fn install_engine(&self, version: Option<&str>) -> Result<EngineInstalled, AppError> {
        let (dir, _lock) = self.locked_engines("engine install")?;
        let package = platform_package()?;
        let wanted = version.unwrap_or(TESTED_DENO);
        let there = |version: &str| dir.join(version).join("deno");
        let already = |version: &str| EngineInstalled {
            version: version.to_owned(),
            program: there(version),
            installed: false,
            package: package.clone(),
            integrity: None,
        };
        // Versions are never changed once published: an installed one needs no network.
        if is_exact(wanted) && there(wanted).is_file() {
            return Ok(already(wanted));
        }
        let environment = &self.settings().environment;
        let offline = environment.flag(env::OFFLINE);
        let chosen = choose_package(&package, wanted, &self.settings().current_dir, offline)?;
        let exact = chosen.version().to_owned();
        if numbers(&exact) < numbers(MINIMUM_DENO) {
            return Err(AppError::Usage {
                message: format!("Deno {exact} is too old: marsh needs {MINIMUM_DENO} or newer"),
                hint: Some("run `marsh engine install` without a version".to_owned()),
            });
        }
        if there(&exact).is_file() {
            return Ok(already(&exact));
        }
        let staged = StagedDir::new(&dir)?;
        let fetched = chosen.fetch(staged.path())?;
        let program = staged.path().join("deno");
        marsh_fs::set_mode(&program, 0o755)?;
        runs(&program, &exact)?;
        staged.publish(&dir.join(&exact))?;
        marsh_fs::sync_dir(&dir)?;
        Ok(EngineInstalled {
            program: there(&exact),
            version: exact,
            installed: true,
            package,
            integrity: Some(fetched.integrity),
        })
    }

    /// Removes a Deno that marsh installed, or all of them. Processes that run it go on.
    ///
    /// # Errors
    ///
    /// No Deno of this version is installed, or its files cannot be removed.
    pub fn remove_engine(&self, version: Option<&str>) -> Result<EnginesRemoved, AppError> {
        let (dir, _lock) = self.locked_engines("engine remove")?;
        let places = DenoPlaces { installed: Some(dir.clone()), ..DenoPlaces::default() };
        let installed: Vec<String> = places.all().into_iter().filter_map(|deno| deno.version).collect();
        let removed = match version {
            None => installed,
            Some(version) if installed.iter().any(|known| known == version) => vec![version.to_owned()],
            Some(version) => {
                let message = format!("marsh has installed no Deno {version}");
                return Err(AppError::not_found(message, "`marsh engine list` shows every Deno"));
            }
        };
        for version in &removed {
            // Out of sight first, so that nothing starts a program that is half removed.
            let gone = dir.join(format!("{}{version}", StagedDir::PREFIX));
            ignore(marsh_fs::remove_tree(&gone), "it is there only after a crash");
            marsh_fs::rename(&dir.join(version), &gone)?;
            marsh_fs::remove_tree(&gone)?;
        }
        Ok(EnginesRemoved { removed })
    }

    /// The directory of installed Denos, whose changes exclude each other. What a killed process left there is removed.
    fn locked_engines(&self, command: &str) -> Result<(std::path::PathBuf, LockFile), AppError> {
        let environment = &self.settings().environment;
        let dir = environment
            .deno_dir()
            .ok_or_else(|| AppError::usage("there is no directory for engines: set MARSH_HOME or HOME"))?;
        marsh_fs::create_dir_all(&dir)?;
        let timeout = environment.lock_timeout();
        let lock = marsh_fs::lock_exclusive(&dir.join(".lock"), timeout, command, &mut |_| {})
            .map_err(RegistryError::from)?;
        let entries = std::fs::read_dir(&dir)
            .map_err(|source| AppError::Read { what: dir.display().to_string(), source })?;
        for entry in entries.flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(StagedDir::PREFIX)) {
                marsh_fs::remove_tree(&entry.path())?;
            }
        }
        Ok((dir, lock))
    }
}

fn engine_of_marker(repo: &Repo) -> Result<Option<EngineKind>, AppError> {
    let value = repo.marker.value("engine");
    value
        .map(|value| match value.as_str() {
            Some(name) => parsed(name, "`engine` in the marker"),
            None => Err(AppError::usage("invalid `engine` in the marker: expected embedded or deno")),
        })
        .transpose()
}

fn parsed(name: &str, place: &str) -> Result<EngineKind, AppError> {
    name.parse().map_err(|error| AppError::usage(format!("{place}: {error}")))
}

fn is_exact(version: &str) -> bool {
    version.split('.').count() == 3 && version.starts_with(|first: char| first.is_ascii_digit())
}

/// The npm package that holds Deno for this system.
fn platform_package() -> Result<String, AppError> {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => return Err(AppError::usage(format!("there is no Deno for processors of the kind {other}"))),
    };
    let name = match std::env::consts::OS {
        "macos" => format!("@deno/darwin-{arch}"),
        _ => format!("@deno/linux-{arch}-glibc"),
    };
    Ok(name)
}

/// Refuses a program that does not start here, or is another version than its package says.
fn runs(program: &Path, version: &str) -> Result<(), AppError> {
    let output = Command::new(program)
        .arg("--version")
        .env("DENO_NO_UPDATE_CHECK", "1")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| AppError::Read {
            what: "the version of the Deno that was fetched".into(),
            source,
        })?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.split_whitespace().nth(1) == Some(version) {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(AppError::Refused {
        message: format!("the Deno {version} of the npm registry does not run here: {}", stderr.trim()),
        hint: Some("put a Deno for this system on PATH".to_owned()),
    })
}
