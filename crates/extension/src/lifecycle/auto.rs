//! Installs the extension of an unknown type, if the repository trusts its collective.
//!
//! Implicit, so narrow: only trusted collectives, only names that the type's own name begins with, what the lockfile pins
//! before anything newer, and never an extension that turns out not to declare the type. It goes through the same commit
//! as everything else.

use std::sync::Arc;

use marsh_registry::Location;
use marsh_types::{ExtensionName, ExtensionRef, TypeName};

use super::Lifecycle;
use super::error::LifecycleError;
use super::inspect::InstallState;
use super::install::Mode;
use super::pick::{Wanted, locked_pick};
use super::report::{Event, Reporter};

/// Installs on demand.
#[derive(Clone)]
pub struct AutoInstall {
    lifecycle: Arc<Lifecycle>,
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
        AutoInstall { lifecycle: Arc::new(lifecycle), reporter }
    }

    /// Tries to make a type available. `false`: nothing changed; a failure was reported as a warning.
    pub fn provide(&self, type_name: &TypeName) -> bool {
        match self.try_provide(type_name) {
            Ok(provided) => provided,
            Err(error) => {
                let message = format!("the extension of `{type_name}` could not be installed: {error}");
                self.reporter.event(Event::Warning { message: &message });
                false
            }
        }
    }

    fn try_provide(&self, type_name: &TypeName) -> Result<bool, LifecycleError> {
        let lifecycle = &self.lifecycle;
        let trusted = lifecycle.repo.marker.trusted_collectives();
        if !type_name.collective().is_some_and(|collective| trusted.iter().any(|one| one == collective)) {
            return Ok(false);
        }
        let snapshot = lifecycle.installation.snapshot()?;
        for name in candidates(type_name) {
            if let Some(entry) = snapshot.lockfile.get(&name) {
                // The extension is installed, and does not declare the type.
                let Some(checksum) = entry.checksum else { return Ok(false) };
                if lifecycle.install_state(&name, entry)? != InstallState::Missing {
                    return Ok(false);
                }
                let picks = [locked_pick(&name, entry, checksum)];
                lifecycle
                    .acquire(&picks, false, &*self.reporter)?
                    .into_iter()
                    .collect::<Result<Vec<_>, _>>()?;
                self.tell(&format!("restored {name} {}, which the lockfile names", entry.version));
                return Ok(true);
            }
        }
        // Without a registry no extension can be found.
        if matches!(lifecycle.registry.location(), Location::Directory(dir) if !dir.is_dir()) {
            return Ok(false);
        }
        for name in candidates(type_name) {
            let versions = match lifecycle.registry.versions(&name) {
                Ok(versions) => versions,
                Err(error) if error.is_not_found() => continue,
                Err(source) => return Err(LifecycleError::Registry { name, source }),
            };
            if versions.is_empty() {
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
            return Ok(true);
        }
        Ok(false)
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
    use marsh_types::TypeName;

    use super::candidates;

    #[test]
    fn a_type_may_be_in_an_extension_of_its_own_or_of_a_shorter_name() {
        let of = |name: &str| {
            let names = candidates(&TypeName::parse(name).unwrap());
            names.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of("@swamp/aws/ec2/vpc"), ["@swamp/aws/ec2/vpc", "@swamp/aws/ec2", "@swamp/aws"]);
        assert!(of("command/shell").is_empty());
    }
}
