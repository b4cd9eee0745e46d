//! A load as a transaction: find, build, load and check, and only then commit.
//!
//! * A command ([`OnFailure::Report`]) gets the error.
//! * A server ([`OnFailure::LastGood`]) goes on with the version that loaded last. The same inputs are not tried again,
//!   unless the cause can disappear by itself; then at most once per waiting time, which doubles up to a minute.
//!
//! Tests: the binary's `tests/it/kinds_failures.rs` and `tests/serve/failures.rs`.

use marsh_repo::Repo;

use super::describe::{Described, Description, LoadOptions};
use super::discover::Target;
use super::history::TypeHistory;
use super::parts::VersionParts;
use super::removal::Removals;
use super::stages::Stages;
use crate::catalog::TypeCatalog;
use crate::error::LoadError;
use crate::load_failure::LoadFailure;

/// What a load that fails leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The error. Right for commands, which run once and whose output people read.
    Report,
    /// The version that loaded last, and the failure beside it. Right for servers.
    LastGood,
}

/// One load of one type.
pub(super) struct Transaction<'a> {
    pub repo: &'a Repo,
    pub stages: &'a Stages,
    pub history: TypeHistory<'a>,
    pub target: Target<'a>,
    pub options: &'a LoadOptions,
}

/// A version, and why it is not the newest, if it is not. `None`: the target has no code.
pub(super) type Committed<D> = Option<(Described<D>, Option<LoadFailure>)>;

impl Transaction<'_> {
    /// Runs the transaction on the catalog as it is now.
    ///
    /// # Errors
    ///
    /// The load's own; under [`OnFailure::LastGood`] only if no version that loaded before serves.
    pub(super) fn run<D: Description>(
        &self,
        policy: OnFailure,
        catalog: Result<TypeCatalog, LoadError>,
    ) -> Result<Committed<D>, LoadError> {
        let good = self.history.good();
        let (catalog, found) = match catalog {
            Ok(catalog) => {
                let found = self.stages.find(&self.target, &catalog, self.options);
                (Some(catalog), found)
            }
            Err(error) => (None, Err(error)),
        };
        let removals = Removals { repo: self.repo, catalog: catalog.as_ref() };
        match policy {
            OnFailure::Report => self.load_or_report(good.as_ref(), found, &removals),
            OnFailure::LastGood => self.load_or_last_good(good, found, &removals),
        }
    }

    fn load_or_report<D: Description>(
        &self,
        good: Option<&VersionParts>,
        found: Result<Option<VersionParts>, LoadError>,
        removals: &Removals<'_>,
    ) -> Result<Committed<D>, LoadError> {
        let parts = match found {
            Ok(Some(parts)) => parts,
            Ok(None) => return Ok(None),
            Err(error) => {
                self.record_missing(good, &error, removals);
                return Err(error);
            }
        };
        match self.stages.load(parts.clone(), self.options) {
            Ok(described) => Ok(Some(self.commit(good, described))),
            Err(error) => {
                if !error.is_cancelled() {
                    self.history.record_failure(&error, Some(&parts));
                }
                Err(error)
            }
        }
    }

    /// Records why a type cannot be found, or forgets a type that was removed on purpose.
    fn record_missing(&self, good: Option<&VersionParts>, error: &LoadError, removals: &Removals<'_>) {
        if !matches!(error, LoadError::UnknownType { .. }) {
            self.history.record_failure(error, None);
            return;
        }
        match good.and_then(|good| removals.broken_base(good)) {
            // The file may come back.
            Some(LoadError::Vanished { .. }) => {}
            Some(broken) => {
                self.history.record_failure(&broken, None);
            }
            None => self.history.forget(),
        }
    }

    fn load_or_last_good<D: Description>(
        &self,
        good: Option<VersionParts>,
        found: Result<Option<VersionParts>, LoadError>,
        removals: &Removals<'_>,
    ) -> Result<Committed<D>, LoadError> {
        let found = match (found, &good) {
            // Either the type was removed, or its source is broken.
            (Err(error @ LoadError::UnknownType { .. }), good) => {
                match good.as_ref().and_then(|good| removals.broken_base(good)) {
                    Some(broken) => Err(broken),
                    None => {
                        self.history.forget();
                        return Err(error);
                    }
                }
            }
            (Ok(parts), Some(good)) => match removals.lost_extension(good, parts.as_ref()) {
                Some(lost) => Err(lost),
                None => Ok(parts),
            },
            (found, _) => found,
        };
        let (error, failure) = match found {
            Ok(None) => return Ok(None),
            Ok(Some(parts)) => match self.failed_before(&parts) {
                Some(failure) => (LoadError::StillFailing { failure: Box::new(failure.clone()) }, failure),
                None => match self.stages.load(parts.clone(), self.options) {
                    Ok(described) => return Ok(Some(self.commit(good.as_ref(), described))),
                    Err(error) if error.is_cancelled() => return Err(error),
                    Err(error) => {
                        let failure = self.history.record_failure(&error, Some(&parts));
                        (error, failure)
                    }
                },
            },
            Err(error) => {
                let failure = self.history.record_failure(&error, None);
                (error, failure)
            }
        };
        match good.map(|good| self.stages.load_stored(good, self.options)) {
            Some(Ok(described)) => Ok(Some((described, Some(failure)))),
            _ => Err(error),
        }
    }

    /// The failure of these very parts, unless they may be tried again.
    fn failed_before(&self, parts: &VersionParts) -> Option<LoadFailure> {
        self.history.failure().filter(|failure| !failure.may_be_tried(&parts.fingerprint()))
    }

    fn commit<D>(
        &self,
        good: Option<&VersionParts>,
        described: Described<D>,
    ) -> (Described<D>, Option<LoadFailure>) {
        self.history.commit(good, &described.built.parts);
        (described, None)
    }
}
