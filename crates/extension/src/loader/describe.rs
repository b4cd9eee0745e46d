//! What a module version offers: from memory, from disk, or from a host.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use marsh_host::supervisor::NoCallbacks;
use marsh_host::{Call, HostError};
use marsh_types::{Kind, TypeName};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::files::{read_json, write_json};
use super::unit::{Built, Unit};
use super::{Loader, trace};
use crate::description::{KindDescription, ModelDescription};
use crate::error::LoadError;

/// The description that each entry point had last, with its fingerprint. One per entry point, so that a process that
/// lives long does not collect those of versions that are gone.
pub(super) type Described<T> = Mutex<HashMap<(PathBuf, Kind), (String, Arc<T>)>>;

impl Loader {
    pub(super) fn describe_model(
        &self,
        unit: &Unit,
        built: &Built,
    ) -> Result<Arc<ModelDescription>, LoadError> {
        let description = self.described(&self.models, unit, built)?;
        for (index, raw) in description.method_extension_types.iter().enumerate() {
            // Read off the syntax, and then something else when it runs. Built-in types go by both spellings.
            let raw = if unit.builtin.is_some() { raw.strip_prefix('@').unwrap_or(raw) } else { raw };
            expect_type(raw, &unit.type_name, unit.entry(index + 1))?;
        }
        Ok(description)
    }

    pub(super) fn describe_kind(
        &self,
        unit: &Unit,
        built: &Built,
    ) -> Result<Arc<KindDescription>, LoadError> {
        self.described(&self.plugins, unit, built)
    }

    /// The type as the code spells it when it runs.
    pub(super) fn raw_type(&self, unit: &Unit, built: &Built) -> Result<String, LoadError> {
        match unit.kind {
            Kind::Model => Ok(self.describe_model(unit, built)?.raw_type.clone()),
            _ => Ok(self.describe_kind(unit, built)?.raw_type.clone()),
        }
    }

    fn described<T: Serialize + DeserializeOwned>(
        &self,
        known: &Described<T>,
        unit: &Unit,
        built: &Built,
    ) -> Result<Arc<T>, LoadError> {
        let key = (unit.main_entry(), unit.kind);
        if let Some((fingerprint, description)) =
            known.lock().unwrap_or_else(PoisonError::into_inner).get(&key)
            && *fingerprint == built.fingerprint
        {
            return Ok(Arc::clone(description));
        }
        let name = match unit.kind {
            Kind::Model => format!("{}.json", built.fingerprint),
            // One file may export several kinds.
            kind => format!("{}.{kind}.json", built.fingerprint),
        };
        let path = self.repo.layout.derived().join("describe").join(name);
        let (description, asked) = match read_json::<T>(&path) {
            Some(description) => (description, false),
            None => (self.ask_host(unit, built)?, true),
        };
        let description = Arc::new(description);
        let before = known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, (built.fingerprint.clone(), Arc::clone(&description)));
        // Whoever asked at the same moment writes it.
        if asked && before.is_none_or(|(fingerprint, _)| fingerprint != built.fingerprint) {
            write_json(&path, &*description);
        }
        Ok(description)
    }

    fn ask_host<T: DeserializeOwned>(&self, unit: &Unit, built: &Built) -> Result<T, LoadError> {
        let host = self
            .hosts
            .get(&self.host_of(unit))
            .map_err(|source| LoadError::Host { entry: unit.main_entry(), source })?;
        let call = Call {
            op: "describe",
            params: serde_json::json!({ "kind": unit.kind }),
            deadline: self.loading_limit(),
            cancel: &self.options.cancel,
            grace: Duration::ZERO,
        };
        let value = host.call(&built.module, &call, &NoCallbacks).map_err(|source| {
            // What its heap holds serves nobody.
            host.evict(&built.module.url);
            failed(unit, trace::in_sources(source, &built.module))
        })?;
        serde_json::from_value(value)
            .map_err(|source| LoadError::Description { entry: unit.main_entry(), source })
    }
}

pub(super) fn expect_type(raw: &str, expected: &TypeName, path: PathBuf) -> Result<(), LoadError> {
    if TypeName::parse(raw).is_ok_and(|found| found == *expected) {
        return Ok(());
    }
    Err(LoadError::TypeChanged { path, expected: expected.clone(), found: raw.to_owned() })
}

/// The error of a description, with the file that it is about.
fn failed(unit: &Unit, source: HostError) -> LoadError {
    let index = |value: &serde_json::Value| value.as_u64().and_then(|index| usize::try_from(index).ok());
    if let HostError::Call(error) = &source
        && let Some(data) = &error.data
    {
        if error.code.as_deref() == Some("graft_conflict")
            && let (Some(first), Some(second)) = (index(&data["parts"][0]), index(&data["parts"][1]))
        {
            let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
            return LoadError::MethodConflict {
                type_name: unit.type_name.clone(),
                group: text("group"),
                name: text("name"),
                first: unit.entry(first),
                second: unit.entry(second),
            };
        }
        if let Some(part) = index(&data["part"]) {
            return LoadError::Host { entry: unit.entry(part), source };
        }
    }
    LoadError::Host { entry: unit.main_entry(), source }
}
