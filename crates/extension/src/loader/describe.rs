//! Stage 4: what a version offers, from memory, from disk, or from a host that loads and checks it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use marsh_fs::Durability;
use marsh_host_client::NoCallbacks;
use marsh_host_client::protocol::{Describe, Load};
use marsh_host_client::{Call, CancelToken, ErrorKind, HostError, Hosts, ModuleEngine, ModuleRef};
use marsh_types::{ErrorCode, Kind, TypeName};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::build::Built;
use super::files::{read_json, write_json};
use super::parts::VersionParts;
use super::trace;
use crate::description::{KindDescription, ModelDescription};
use crate::engine::EnginePolicy;
use crate::error::LoadError;

/// The longest time that loading and describing a version may take.
const LOAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Options of one call of the loader, and of everything that this call loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadOptions {
    /// How long loading and describing one version may take; at most 30 s.
    pub timeout: Duration,
}

impl Default for LoadOptions {
    fn default() -> LoadOptions {
        LoadOptions { timeout: LOAD_TIMEOUT }
    }
}

/// A version that was loaded and checked, with its description.
#[derive(Debug)]
pub(super) struct Described<D> {
    pub built: Built,
    pub description: Arc<D>,
}

/// The description that each entry point had last, with its fingerprint. One for each entry point, so that a server does
/// not collect the descriptions of versions that are gone.
type Memory<D> = Mutex<HashMap<(PathBuf, Kind), (String, Arc<D>)>>;

/// A description of the exports of a kind.
pub(super) trait Description: Serialize + DeserializeOwned + Sized {
    /// The type as the code spells it.
    fn raw_type(&self) -> &str;

    /// Whether the code declares the types that its syntax promised.
    ///
    /// # Errors
    ///
    /// It declares another type.
    fn check(&self, parts: &VersionParts) -> Result<(), LoadError>;

    #[doc(hidden)]
    fn memory(describer: &Describer) -> &Memory<Self>;
}

impl Description for ModelDescription {
    fn raw_type(&self) -> &str {
        &self.raw_type
    }

    fn check(&self, parts: &VersionParts) -> Result<(), LoadError> {
        for (index, raw) in self.method_extension_types.iter().enumerate() {
            // Built-in types go by a name with `@` and by one without.
            let raw = if parts.builtin.is_some() { raw.strip_prefix('@').unwrap_or(raw) } else { raw };
            expect_type(raw, &parts.type_name, || parts.entry(index + 1))?;
        }
        match parts.base {
            Some(_) => expect_type(&self.raw_type, &parts.type_name, || parts.main_entry()),
            None => Ok(()),
        }
    }

    fn memory(describer: &Describer) -> &Memory<ModelDescription> {
        &describer.models
    }
}

impl Description for KindDescription {
    fn raw_type(&self) -> &str {
        &self.raw_type
    }

    fn check(&self, parts: &VersionParts) -> Result<(), LoadError> {
        expect_type(&self.raw_type, &parts.type_name, || parts.main_entry())
    }

    fn memory(describer: &Describer) -> &Memory<KindDescription> {
        &describer.others
    }
}

fn expect_type(raw: &str, expected: &TypeName, path: impl FnOnce() -> PathBuf) -> Result<(), LoadError> {
    if TypeName::parse(raw).is_ok_and(|found| found == *expected) {
        return Ok(());
    }
    Err(LoadError::TypeChanged { path: path(), expected: expected.clone(), found: raw.to_owned() })
}

/// Describes versions, with the hosts that load them.
#[derive(Debug)]
pub(super) struct Describer {
    hosts: Arc<Hosts>,
    cache: PathBuf,
    cancel: CancelToken,
    refusals: Refusals,
    models: Memory<ModelDescription>,
    others: Memory<KindDescription>,
}

/// The versions that the embedded engine refused and Deno loaded: the next process starts with Deno. A file beside the
/// description says it.
#[derive(Debug)]
struct Refusals(PathBuf);

impl Refusals {
    fn file(&self, built: &Built) -> PathBuf {
        self.0.join(format!("{}.refused", built.fingerprint))
    }

    fn remembered(&self, built: &Built) -> bool {
        self.file(built).is_file()
    }

    fn remember(&self, built: &Built) {
        marsh_types::ignore(
            marsh_fs::atomic_write(&self.file(built), b"", Durability::Atomic),
            "the next process asks the embedded engine again",
        );
    }
}

/// Whether the embedded engine lacks something that the code uses while it loads, a name that a builtin exports included.
fn is_refusal(error: &LoadError) -> bool {
    let LoadError::Host { source: HostError::Call(error), .. } = error else { return false };
    match error.kind {
        ErrorKind::Unsupported => true,
        ErrorKind::Load => {
            error.message.contains("Could not find export") && error.message.contains("'node:")
        }
        _ => false,
    }
}

impl Describer {
    /// `cache` is a directory of derived files. `cancel` ends a description that is under way.
    pub(super) fn new(hosts: Arc<Hosts>, cache: PathBuf, cancel: CancelToken) -> Describer {
        Describer {
            hosts,
            refusals: Refusals(cache.clone()),
            cache,
            cancel,
            models: Mutex::default(),
            others: Mutex::default(),
        }
    }

    pub(super) fn cancel(&self) -> &CancelToken {
        &self.cancel
    }

    pub(super) fn hosts(&self) -> &Arc<Hosts> {
        &self.hosts
    }

    /// The version with its description. The types in it are not checked yet ([`Description::check`]).
    ///
    /// # Errors
    ///
    /// The module cannot be loaded, breaks its contract, or does not answer in time.
    pub(super) fn describe<D: Description>(
        &self,
        built: Built,
        engines: &EnginePolicy,
        options: &LoadOptions,
    ) -> Result<Described<D>, LoadError> {
        let chosen = match self.refusals.remembered(&built) {
            true => engines.fallback(built.wish.declared),
            false => None,
        };
        let engine = match chosen {
            Some(engine) => engine,
            None => engines.choose(&built.wish)?,
        };
        let embedded = engine.is_embedded();
        let built = built.run_by(engine);
        match self.description(&built, options) {
            Ok(description) => Ok(Described { built, description }),
            // Loading has no effects that a second attempt would repeat.
            Err(error) if embedded && is_refusal(&error) => {
                let Some(engine) = engines.fallback(built.wish.declared) else { return Err(error) };
                let built = built.run_by(engine);
                let description = self.description(&built, options)?;
                self.refusals.remember(&built);
                Ok(Described { built, description })
            }
            Err(error) => Err(error),
        }
    }

    /// The type of a version as its code spells it.
    ///
    /// # Errors
    ///
    /// See [`describe`](Self::describe).
    pub(super) fn type_of(
        &self,
        built: Built,
        engines: &EnginePolicy,
        options: &LoadOptions,
    ) -> Result<TypeName, LoadError> {
        let parse = |raw: &str| TypeName::parse(raw).map_err(|source| LoadError::Name { source });
        match built.parts.kind {
            Kind::Model => {
                parse(self.describe::<ModelDescription>(built, engines, options)?.description.raw_type())
            }
            _ => parse(self.describe::<KindDescription>(built, engines, options)?.description.raw_type()),
        }
    }

    /// Has a host load a module version now, so that the next call does not wait for it.
    ///
    /// # Errors
    ///
    /// No host starts, or the module cannot be loaded.
    pub(super) fn load(
        &self,
        host_key: &str,
        module: &ModuleRef,
        options: &LoadOptions,
    ) -> Result<(), LoadError> {
        let host_error = |source| LoadError::Host { entry: module.path.clone(), source };
        let host = self.hosts.get(host_key).map_err(host_error)?;
        if host.versions().holds(&module.url) {
            return Ok(());
        }
        let call = Call {
            operation: Load {}.into(),
            deadline: options.timeout,
            cancel: &self.cancel,
            grace: Duration::ZERO,
            trace_parent: None,
        };
        host.call(module, &call, &NoCallbacks).map(|_| ()).map_err(host_error)
    }

    fn description<D: Description>(&self, built: &Built, options: &LoadOptions) -> Result<Arc<D>, LoadError> {
        let kind = built.parts.kind;
        let key = (built.parts.main_entry(), kind);
        let memory = D::memory(self);
        // Another engine may describe the same code differently.
        let version = match &built.module.engine {
            ModuleEngine::Embedded => built.fingerprint.clone(),
            ModuleEngine::Deno(_) => format!("{}.deno", built.fingerprint),
        };
        if let Some((known, description)) = memory.lock().unwrap_or_else(PoisonError::into_inner).get(&key)
            && *known == version
        {
            return Ok(Arc::clone(description));
        }
        let name = match kind {
            Kind::Model => format!("{version}.json"),
            // One file may export several kinds.
            kind => format!("{version}.{kind}.json"),
        };
        let path = self.cache.join(name);
        let (description, is_new) = match read_json::<D>(&path) {
            Some(description) => (description, false),
            None => (self.ask_host(built, options)?, true),
        };
        let description = Arc::new(description);
        let before = memory
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, (version.clone(), Arc::clone(&description)));
        // Of several threads that asked at the same moment, the first writes.
        if is_new && before.is_none_or(|(known, _)| known != version) {
            write_json(&path, &*description);
        }
        Ok(description)
    }

    fn ask_host<D: DeserializeOwned>(&self, built: &Built, options: &LoadOptions) -> Result<D, LoadError> {
        let parts = &built.parts;
        let host = self
            .hosts
            .get(&parts.host_key())
            .map_err(|source| LoadError::Host { entry: parts.main_entry(), source })?;
        let call = Call {
            operation: Describe { kind: parts.kind }.into(),
            deadline: options.timeout,
            cancel: &self.cancel,
            grace: Duration::ZERO,
            trace_parent: None,
        };
        let description = host.call(&built.module, &call, &NoCallbacks).map_err(|source| {
            // No call will use the heap of a version that failed.
            host.evict(&built.module.url);
            failed(parts, trace::in_sources(source, &built.module))
        })?;
        serde_json::from_str(description.get())
            .map_err(|source| LoadError::Description { entry: parts.main_entry(), source })
    }
}

/// The error of a description, with the file that it is about.
fn failed(parts: &VersionParts, source: HostError) -> LoadError {
    let index = |value: &serde_json::Value| value.as_u64().and_then(|index| usize::try_from(index).ok());
    if let HostError::Call(error) = &source
        && let Some(data) = &error.data
    {
        if error.code.as_deref().and_then(ErrorCode::parse) == Some(ErrorCode::GraftConflict)
            && let (Some(first), Some(second)) = (index(&data["parts"][0]), index(&data["parts"][1]))
        {
            let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
            return LoadError::MethodConflict {
                type_name: parts.type_name.clone(),
                group: text("group"),
                name: text("name"),
                first: parts.entry(first),
                second: parts.entry(second),
            };
        }
        if let Some(part) = index(&data["part"]) {
            return LoadError::Host { entry: parts.entry(part), source };
        }
    }
    LoadError::Host { entry: parts.main_entry(), source }
}
