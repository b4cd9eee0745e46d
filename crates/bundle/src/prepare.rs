//! Before rolldown runs: everything that can be said about the local sources is said with exact places, and every
//! package they need is in the cache.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use marsh_types::near;

use crate::config::{Config, Target};
use crate::diagnostic::{BundleError, Diagnostic, DiagnosticCode, shown};
use crate::graph::{FileState, Walk, WalkedFile, config_states, fingerprint, graph_of};
use crate::jsr;
use crate::npm::{self, Closure, NpmError, Store};
use crate::paths::absolute;
use crate::remote::{self, Remote};
use crate::request::BundleRequest;
use crate::scan::ImportSite;
use crate::specifier::NpmRef;
use crate::unresolved::{unknown_name, unsupported};

pub(crate) struct Prepared {
    pub entry: PathBuf,
    pub root: PathBuf,
    pub config: Config,
    pub closure: Closure,
    pub store: Store,
    pub remote: Remote,
    pub warnings: Vec<String>,
    /// Of exactly the files in `texts`, and of the configuration that was used.
    pub fingerprint: String,
    /// The local files as they were read, once: what is bundled is what was fingerprinted.
    pub texts: BTreeMap<PathBuf, String>,
}

pub(crate) fn prepare(request: &BundleRequest) -> Result<Prepared, BundleError> {
    let entry = absolute(&request.entry);
    let root = absolute(&request.root);
    // The configuration is read between two looks at its files, so that the one that was hashed is the one in use.
    let mut states = config_states(&Config::load(&entry, &root));
    let mut config = Config::load(&entry, &root);
    for _ in 0..100 {
        let now = config_states(&config);
        if now == states {
            break;
        }
        states = now;
        config = Config::load(&entry, &root);
    }
    let walk = Walk::new(&entry, &config);
    let fingerprint = fingerprint(&graph_of(&walk, &config, states, &entry, &root));
    let mut faults = std::mem::take(&mut config.problems);
    faults.extend(Faults { walk: &walk, config: &config, root: &root, entry: &entry }.all());
    if !faults.is_empty() {
        return Err(BundleError::Diagnostics(faults));
    }
    let cache = absolute(&request.cache_dir);
    let project = config.dir.clone().unwrap_or_else(|| root.clone());
    let targets: Vec<Target> = imports(&walk).map(|(_, target)| target.clone()).collect();
    let is_jsr = |target: &Target| matches!(target, Target::Npm(one) if jsr::original(&one.name).is_some());
    let any = |test: &dyn Fn(&Target) -> bool| targets.iter().any(test);
    let by_address = |target: &Target| matches!(target, Target::Remote(_));
    let mut remote = Remote::default();
    let mut jsr_by_npm = true;
    if any(&is_jsr) || any(&by_address) {
        jsr_by_npm = npm::names_jsr_registry(&project)?;
        remote = remote::fetch(&targets, &config, jsr_by_npm, &cache, request.offline)
            .map_err(|error| located(*error.diagnostic, Some(&error.root), &walk, &root))?;
    }
    let mut wanted = wanted(&targets, |target| jsr_by_npm || !is_jsr(target));
    for (reference, _) in &remote.npm {
        if !wanted.iter().any(|one| one.requirement() == reference.requirement()) {
            wanted.push(reference.clone());
        }
    }
    let installed = npm::install(&wanted, config.lock.as_ref(), &cache, &project, request.offline);
    let (closure, store, mut warnings) =
        installed.map_err(|NpmError { diagnostic, root: requirement }| {
            let led = |requirement: &String| {
                let mut through = remote.npm.iter();
                through.find(|(one, _)| one.requirement() == *requirement).map(|(_, root)| root.clone())
            };
            let through = requirement.as_ref().and_then(led);
            located(*diagnostic, through.or(requirement).as_deref(), &walk, &root)
        })?;
    warnings.append(&mut remote.warnings);
    let texts = walk.files.into_iter().map(|(path, file)| (path, file.source)).collect();
    Ok(Prepared { entry, root, config, closure, store, remote, warnings, fingerprint, texts })
}

/// Every import of a local file.
fn imports(walk: &Walk) -> impl Iterator<Item = &(ImportSite, Target)> {
    walk.files.values().flat_map(|file| &file.sites)
}

/// The package requirements of the local files, each once, in a fixed order.
fn wanted(targets: &[Target], is_npm: impl Fn(&Target) -> bool) -> Vec<NpmRef> {
    let mut wanted = BTreeMap::new();
    for target in targets.iter().filter(|target| is_npm(target)) {
        if let Target::Npm(reference) = target {
            wanted.entry(reference.requirement()).or_insert_with(|| reference.clone());
        }
    }
    wanted.into_values().collect()
}

/// Points a fault at the first import that leads to it, unless the fault has its place in a fetched module.
fn located(diagnostic: Diagnostic, wanted: Option<&str>, walk: &Walk, root: &Path) -> BundleError {
    let Some(wanted) = wanted.filter(|_| diagnostic.file.is_none()) else {
        return BundleError::one(diagnostic);
    };
    for (path, file) in &walk.files {
        let site = file.sites.iter().find(|(_, target)| match target {
            Target::Npm(reference) => reference.requirement() == wanted || reference.to_string() == wanted,
            Target::Remote(url) => url.as_str() == wanted,
            _ => false,
        });
        if let Some((site, _)) = site {
            return BundleError::one(diagnostic.at(shown(path, root), &file.source, site.offset));
        }
    }
    BundleError::one(diagnostic)
}

struct Faults<'w> {
    walk: &'w Walk,
    config: &'w Config,
    root: &'w Path,
    entry: &'w Path,
}

impl Faults<'_> {
    fn all(&self) -> Vec<Diagnostic> {
        let mut faults = Vec::new();
        match self.walk.files.get(self.entry).map(|file| &file.state) {
            Some(FileState::Missing) | None => {
                let message = format!("cannot find the entry point {}", shown(self.entry, self.root));
                faults.push(
                    Diagnostic::new(DiagnosticCode::MissingFile, message)
                        .in_file(shown(self.entry, self.root)),
                );
            }
            Some(FileState::Unreadable(reason)) => {
                let message = format!("cannot read the entry point: {reason}");
                faults.push(
                    Diagnostic::new(DiagnosticCode::UnreadableFile, message)
                        .in_file(shown(self.entry, self.root)),
                );
            }
            Some(FileState::Hashed(_)) => {}
        }
        for (path, file) in &self.walk.files {
            let name = shown(path, self.root);
            faults.extend(file.errors.iter().map(|error| error.diagnostic(name.clone(), &file.source)));
            for (site, target) in &file.sites {
                let fault = self.fault(path, site, target);
                faults.extend(fault.map(|fault| fault.at(name.clone(), &file.source, site.offset)));
            }
        }
        faults
    }

    fn fault(&self, importer: &Path, site: &ImportSite, target: &Target) -> Option<Diagnostic> {
        match target {
            Target::File(path) => self.file_fault(importer, site, path, self.walk.files.get(path)?),
            Target::Unsupported(address) => Some(unsupported(&site.specifier, address)),
            Target::Unknown(name) => Some(unknown_name(name, self.config)),
            Target::Npm(_) | Target::Remote(_) | Target::Node(_) | Target::Inline => None,
        }
    }

    fn file_fault(
        &self,
        importer: &Path,
        site: &ImportSite,
        path: &Path,
        file: &WalkedFile,
    ) -> Option<Diagnostic> {
        let from = shown(importer, self.root);
        match &file.state {
            FileState::Hashed(_) => None,
            FileState::Missing => {
                let message = format!("cannot find {} imported from {from}", site.specifier);
                Some(
                    Diagnostic::new(DiagnosticCode::MissingFile, message)
                        .with_hint(near_files(&site.specifier, path)),
                )
            }
            FileState::Unreadable(reason) => {
                let message = format!("cannot read {} imported from {from}: {reason}", site.specifier);
                Some(
                    Diagnostic::new(DiagnosticCode::UnreadableFile, message)
                        .with_hint(near_files(&site.specifier, path)),
                )
            }
        }
    }
}

/// Specifiers of files that the author may have meant: the same name with an extension, an index file, a similar name.
fn near_files(specifier: &str, path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let before = specifier.rfind('/').map_or("", |slash| &specifier[..=slash]);
    for extension in ["ts", "tsx", "js", "mjs", "json"] {
        if path.is_dir() && path.join(format!("index.{extension}")).is_file() {
            return Some(format!("did you mean `{}/index.{extension}`?", specifier.trim_end_matches('/')));
        }
        let stem = Path::new(&name).with_extension("");
        for candidate in [format!("{name}.{extension}"), format!("{}.{extension}", stem.display())] {
            if path.with_file_name(&candidate).is_file() {
                return Some(format!("did you mean `{before}{candidate}`?"));
            }
        }
    }
    let siblings: Vec<String> = std::fs::read_dir(path.parent()?)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    // Compared without directory and extension, which all of them share.
    let stem = |name: &str| name.split_once('.').map_or(name, |(stem, _)| stem).to_owned();
    let stems: Vec<String> = siblings.iter().map(|name| stem(name)).collect();
    let near = near::nearest(&stem(&name), stems.iter().map(String::as_str));
    let nearest = siblings.iter().find(|sibling| near.first() == Some(&stem(sibling).as_str()))?;
    Some(format!("did you mean `{before}{nearest}`?"))
}
