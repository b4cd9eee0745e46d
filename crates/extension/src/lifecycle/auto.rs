//! Installs the extension of an unknown type, if the repository trusts its collective.
//!
//! Implicit, so narrow: only trusted collectives, only names that the type's own name begins with, what the lockfile pins
//! before anything newer, and never an extension that turns out not to declare the type. It goes through the same commit
//! as everything else.

use std::sync::Arc;

use jiff::Timestamp;
use marsh_registry::{Location, RegistryError};
use marsh_store::TreeState;
use marsh_types::{Digest, ExtensionName, ExtensionRef, TypeName};

use super::Lifecycle;
use super::error::LifecycleError;
use super::inspect::InstallState;
use super::install::Mode;
use super::misses::Misses;
use super::pick::{Wanted, locked_pick};
use super::report::{Event, Reporter};
use crate::error::LoadError;

/// The extensions that could bring an unknown type, and why none was installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingExtension {
    /// Their names, the most specific first; never empty.
    pub names: Vec<ExtensionName>,
    /// Why none was installed.
    pub cause: MissingCause,
}

/// Why no extension was installed for an unknown type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingCause {
    /// No registry is configured.
    NoRegistry,
    /// The repository does not trust the collective.
    Untrusted,
    /// The registry has none of them.
    NotInRegistry {
        /// The registry.
        registry: String,
    },
    /// An extension of such a name is installed, and does not declare the type.
    NotDeclared {
        /// Its name.
        installed: ExtensionName,
    },
    /// The registry did not answer, or the installation failed.
    Failed,
}

impl MissingExtension {
    /// What would bring the type.
    pub fn hint(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|name| format!("`{name}`")).collect();
        // A type is most often one of several in an extension whose name is a part of its own.
        let Some(likely) = self.names.get(1).or(self.names.first()) else { return String::new() };
        let pull = format!("`marsh extension pull {likely}`");
        match &self.cause {
            MissingCause::NoRegistry => format!(
                "{pull} would install it, but no registry is configured: name one with `--registry`, \
                 MARSH_REGISTRY, or `registry` in `.swamp.yaml`"
            ),
            MissingCause::Untrusted => format!(
                "install the extension that brings it: {pull}; `marsh extension trust add {}` lets marsh do so when a type \
                 is needed",
                likely.collective()
            ),
            MissingCause::NotInRegistry { registry } => format!(
                "the registry {registry} has no extension {}; check the spelling, or mount its source: \
                 `marsh extension source add DIR`",
                names.join(" or ")
            ),
            MissingCause::NotDeclared { installed } => format!(
                "the installed extension `{installed}` does not declare it; `marsh extension update {installed}` \
                 looks for a newer version"
            ),
            MissingCause::Failed => format!("retry with {pull}, which says what is wrong"),
        }
    }
}

/// Installs on demand.
#[derive(Clone)]
pub struct AutoInstall {
    lifecycle: Arc<Lifecycle>,
    misses: Arc<Misses>,
    reporter: Arc<dyn Reporter + Send + Sync>,
}

impl std::fmt::Debug for AutoInstall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AutoInstall").field("lifecycle", &self.lifecycle).finish_non_exhaustive()
    }
}

impl AutoInstall {
    /// Installs through `lifecycle`; `reporter` receives what happens.
    pub fn new(lifecycle: Lifecycle, reporter: Arc<dyn Reporter + Send + Sync>) -> AutoInstall {
        let dir = lifecycle.options.archive_cache.with_file_name("registry-misses");
        let misses = Arc::new(Misses::new(&dir, lifecycle.registry.location()));
        AutoInstall { lifecycle: Arc::new(lifecycle), misses, reporter }
    }

    /// Tries to make a type available. `Err`: nothing changed, and what would bring the type, if an extension could; a
    /// failure was reported as a warning.
    ///
    /// # Errors
    ///
    /// No extension was installed.
    pub fn provide(&self, type_name: &TypeName) -> Result<(), Option<MissingExtension>> {
        let cause = match self.try_provide(type_name) {
            Ok(None) => return Ok(()),
            Ok(Some(cause)) => cause,
            Err(error) => {
                let message = format!("the extension of `{type_name}` could not be installed: {error}");
                self.reporter.event(Event::Warning { message: &message });
                MissingCause::Failed
            }
        };
        let names = candidates(type_name);
        Err((!names.is_empty()).then_some(MissingExtension { names, cause }))
    }

    /// Restores an installed extension whose tree lacks files. `false`: it cannot be restored, or it was changed in other
    /// ways too, which restoring would undo.
    pub(crate) fn restore_missing(&self, error: &LoadError) -> bool {
        let LoadError::TreeChanged { extension, digest, .. } = error else { return false };
        match self.try_restore(extension, digest) {
            Ok(restored) => restored,
            Err(failure) => {
                self.tell(&format!("{extension} could not be restored: {failure}"));
                false
            }
        }
    }

    fn try_restore(&self, name: &ExtensionName, digest: &Digest) -> Result<bool, LifecycleError> {
        let lifecycle = &self.lifecycle;
        let trees = lifecycle.installation.trees();
        let snapshot = lifecycle.installation.snapshot()?;
        let Some(entry) = snapshot.lockfile.get(name) else { return Ok(false) };
        let files = match trees.check(digest, true)? {
            TreeState::Damaged { files } if !files.is_empty() => files,
            TreeState::Damaged { .. } | TreeState::Missing => return Ok(false),
            // Another process was quicker.
            TreeState::Whole => return Ok(true),
        };
        let tree = trees.tree(digest);
        if entry.checksum != Some(*digest) || files.iter().any(|file| file.below(&tree).exists()) {
            return Ok(false);
        }
        let picks = [locked_pick(name, entry, *digest)];
        lifecycle.acquire(&picks, true, &*self.reporter)?.into_iter().collect::<Result<Vec<_>, _>>()?;
        let paths: Vec<&str> = files.iter().take(5).map(|file| file.as_str()).collect();
        self.tell(&format!("restored missing files of {name} {}: {}", entry.version, paths.join(", ")));
        Ok(true)
    }

    /// `None`: an extension was installed.
    fn try_provide(&self, type_name: &TypeName) -> Result<Option<MissingCause>, LifecycleError> {
        let lifecycle = &self.lifecycle;
        let trusted = lifecycle.repo.marker.trusted_collectives();
        let is_trusted = trusted.iter().any(|one| Some(one.as_str()) == type_name.collective());
        let snapshot = lifecycle.installation.snapshot()?;
        for name in candidates(type_name) {
            if let Some(entry) = snapshot.lockfile.get(&name) {
                let not_declared = MissingCause::NotDeclared { installed: name.clone() };
                let Some(checksum) = entry.checksum else { return Ok(Some(not_declared)) };
                if lifecycle.install_state(&name, entry)? != InstallState::Missing {
                    return Ok(Some(not_declared));
                }
                if !is_trusted {
                    return Ok(Some(MissingCause::Untrusted));
                }
                let picks = [locked_pick(&name, entry, checksum)];
                lifecycle
                    .acquire(&picks, false, &*self.reporter)?
                    .into_iter()
                    .collect::<Result<Vec<_>, _>>()?;
                self.tell(&format!("restored {name} {}, which the lockfile names", entry.version));
                return Ok(None);
            }
        }
        // Without a registry no extension can be found.
        if matches!(lifecycle.registry.location(), Location::Directory(dir) if !dir.is_dir()) {
            return Ok(Some(MissingCause::NoRegistry));
        }
        if !is_trusted {
            return Ok(Some(MissingCause::Untrusted));
        }
        let now = Timestamp::now();
        for name in candidates(type_name) {
            if self.misses.contains(&name, now) {
                continue;
            }
            if self.misses.is_silent(now) {
                return Ok(Some(MissingCause::Failed));
            }
            let versions = match lifecycle.registry.versions(&name) {
                Ok(versions) => versions,
                Err(error) if error.is_not_found() => Vec::new(),
                Err(source) => {
                    if matches!(source, RegistryError::Unreachable { .. }) {
                        self.misses.remember_silence(now);
                    }
                    return Err(LifecycleError::Registry { name, source });
                }
            };
            if versions.is_empty() {
                self.misses.remember(&name, now);
                continue;
            }
            let wanted = Wanted {
                reference: ExtensionRef::any(name.clone()),
                channel: None,
                provides: Some(type_name.clone()),
            };
            let mut outcome = lifecycle.change(&[wanted], Mode::Pull, false, &*self.reporter)?;
            lifecycle.derive(&mut outcome);
            for item in &outcome.items {
                let version = item.version.map(|version| version.to_string()).unwrap_or_default();
                self.tell(&format!("installed {} {version} for the type `{type_name}`", item.name));
            }
            return Ok(None);
        }
        let registry = lifecycle.registry.location().to_string();
        Ok(Some(MissingCause::NotInRegistry { registry }))
    }

    fn tell(&self, message: &str) {
        self.reporter.event(Event::Warning { message });
    }
}

/// The type's own name, then shorter ones, as long as they can be extensions.
fn candidates(type_name: &TypeName) -> Vec<ExtensionName> {
    let segments: Vec<&str> = type_name.segments().collect();
    (2..=segments.len())
        .rev()
        .filter_map(|length| ExtensionName::parse(&segments[..length].join("/")).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use marsh_registry::{ClientOptions, Location};
    use marsh_repo::{Environment, Repo};
    use marsh_types::TypeName;

    use super::{AutoInstall, MissingCause, candidates};
    use crate::lifecycle::{Lifecycle, LifecycleOptions, Silent};

    #[test]
    fn a_type_may_be_in_an_extension_of_its_own_or_of_a_shorter_name() {
        let of = |name: &str| {
            let names = candidates(&TypeName::parse(name).unwrap());
            names.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of("@swamp/aws/ec2/vpc"), ["@swamp/aws/ec2/vpc", "@swamp/aws/ec2", "@swamp/aws"]);
        assert!(of("command/shell").is_empty());
    }

    /// The paths that a registry without extensions was asked for.
    type Asked = Arc<Mutex<Vec<String>>>;

    /// A registry that has nothing.
    fn empty_registry() -> (String, Asked) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let asked = Asked::default();
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let first = lines.next().unwrap().unwrap();
                for line in lines.by_ref() {
                    if line.unwrap().is_empty() {
                        break;
                    }
                }
                seen.lock().unwrap().push(first);
                let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        (url, asked)
    }

    fn auto(dir: &std::path::Path, registry: &str) -> AutoInstall {
        let none = Environment::from_pairs(std::iter::empty::<(&str, &str)>());
        let repo = Repo::find(Some(dir), &none, dir).unwrap();
        let options = LifecycleOptions {
            command: "test".to_owned(),
            lock_timeout: Duration::from_secs(60),
            offline: false,
            archive_cache: dir.join("cache/archives"),
            registry: Location::parse(registry, dir).unwrap(),
            client: ClientOptions { retries: 0, ..ClientOptions::default() },
            jobs: 1,
            allow_missing_checksum: false,
        };
        AutoInstall::new(Lifecycle::new(repo, options), Arc::new(Silent))
    }

    fn cause(auto: &AutoInstall, name: &str) -> MissingCause {
        auto.provide(&TypeName::parse(name).unwrap()).unwrap_err().unwrap().cause
    }

    #[test]
    fn unknown_type_is_looked_up_once_and_remembered_by_the_next_commands() {
        let dir = tempfile::tempdir().unwrap();
        marsh_repo::init(dir.path(), "0.0.0", false).unwrap();
        let (url, asked) = empty_registry();
        let first = auto(dir.path(), &url);
        assert!(matches!(cause(&first, "@swamp/nothing/here"), MissingCause::NotInRegistry { .. }));
        let count = asked.lock().unwrap().len();
        assert!(count >= 2, "{:?}", asked.lock().unwrap());
        assert!(matches!(cause(&first, "@swamp/nothing/here"), MissingCause::NotInRegistry { .. }));
        // Another command.
        let hint = auto(dir.path(), &url).provide(&TypeName::parse("@swamp/nothing/here").unwrap());
        let hint = hint.unwrap_err().unwrap().hint();
        assert!(hint.contains("`@swamp/nothing/here` or `@swamp/nothing`"), "{hint}");
        assert_eq!(asked.lock().unwrap().len(), count, "{:?}", asked.lock().unwrap());
        // A name that was not asked for.
        cause(&first, "@swamp/other");
        assert!(asked.lock().unwrap().len() > count);
    }

    #[test]
    fn registry_that_does_not_answer_is_asked_once_by_a_command() {
        let dir = tempfile::tempdir().unwrap();
        marsh_repo::init(dir.path(), "0.0.0", false).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let counted = Arc::new(Mutex::new(0));
        let count = Arc::clone(&counted);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                *count.lock().unwrap() += 1;
                drop(stream);
            }
        });
        let auto = auto(dir.path(), &url);
        assert_eq!(cause(&auto, "@swamp/a"), MissingCause::Failed);
        let before = *counted.lock().unwrap();
        assert!(before > 0);
        assert_eq!(cause(&auto, "@swamp/b/c"), MissingCause::Failed);
        assert_eq!(*counted.lock().unwrap(), before);
    }

    #[test]
    fn hint_names_what_would_bring_the_type() {
        let dir = tempfile::tempdir().unwrap();
        marsh_repo::init(dir.path(), "0.0.0", false).unwrap();
        let hint = |registry: &str, name: &str| {
            let auto = auto(dir.path(), registry);
            auto.provide(&TypeName::parse(name).unwrap()).unwrap_err().unwrap().hint()
        };
        let none = hint("nowhere", "@swamp/aws/ec2/vpc");
        for word in [
            "marsh extension pull @swamp/aws/ec2`",
            "--registry",
            "MARSH_REGISTRY",
            "`registry` in `.swamp.yaml`",
        ] {
            assert!(none.contains(word), "{none}");
        }
        let untrusted = hint("http://127.0.0.1:9/", "@acme/x");
        assert!(untrusted.contains("marsh extension pull @acme/x`"), "{untrusted}");
        assert!(untrusted.contains("marsh extension trust add acme`"), "{untrusted}");
        let builtin = auto(dir.path(), "nowhere").provide(&TypeName::parse("command/x").unwrap());
        assert_eq!(builtin, Err(None));
    }
}
