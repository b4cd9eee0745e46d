//! The vaults of the repository, as running code asks for them.
//!
//! A secret that code reads or stores is masked from then on in everything that the run shows and writes. Each change, and
//! each read of a vault that says so, is in the audit trail.

use marsh_host_client::protocol::VaultKey;
use marsh_host_client::{CallbackError, ContextAnswer, ContextRequest, unavailable};
use marsh_vault::{Action, Reference, Secret, VaultError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::callback_error::callback_error;
use crate::Models;

impl Models {
    /// `caller` is who the audit trail names; `warn` gets the reason why a secret was not refreshed.
    pub(super) fn ask_vault(
        &self,
        request: ContextRequest,
        caller: &str,
        warn: &mut dyn FnMut(String),
    ) -> Result<ContextAnswer, CallbackError> {
        use ContextRequest as Ask;
        let open = |name: &str| self.vaults.open(name).map_err(vault_error);
        match request {
            Ask::VaultGet(VaultKey { vault, key }) => {
                let reference = Reference { vault, key };
                let secret = self.vaults.resolve(&reference, caller, warn).map_err(vault_error)?;
                self.secrets.track(&secret);
                Ok(ContextAnswer::Text(Some(secret.expose().to_owned())))
            }
            Ask::VaultPut(put) => {
                let secret = Secret::new(put.value);
                self.secrets.track(&secret);
                marsh_vault::check_new_key(&put.key).map_err(vault_error)?;
                let vault = open(&put.vault)?;
                let stored = self.vaults.put(vault.as_ref(), &put.key, &secret, &put.tags, caller);
                stored.map(|()| ContextAnswer::Nothing).map_err(vault_error)
            }
            Ask::VaultDelete(VaultKey { vault, key }) => {
                let existed = self.vaults.delete(open(&vault)?.as_ref(), &key, caller);
                existed.map(ContextAnswer::Flag).map_err(vault_error)
            }
            Ask::VaultList(wanted) => document(&open(&wanted.vault)?.list().map_err(vault_error)?),
            Ask::VaultNames(_) => {
                let (configs, _broken) = self.vaults.configs().list();
                let names: Vec<&str> = configs
                    .iter()
                    .filter(|config| !config.is_internal())
                    .map(|config| config.name.as_str())
                    .collect();
                document(&names)
            }
            Ask::VaultDefault(_) => {
                Ok(ContextAnswer::Text(self.vaults.default_name().map(ToOwned::to_owned)))
            }
            Ask::VaultSupport(wanted) => {
                let support = open(&wanted.vault)?.support();
                Ok(ContextAnswer::Document(json!({
                    "delete": support.delete, "annotations": support.annotations, "refresh": support.refresh,
                })))
            }
            Ask::VaultGetAnnotation(VaultKey { vault, key }) => {
                document(&open(&vault)?.annotation(&key).map_err(vault_error)?)
            }
            Ask::VaultSetAnnotation(note) => {
                let vault = open(&note.vault)?;
                let annotation = parsed("annotation", note.value.map(with_time))?;
                vault.set_annotation(&note.key, annotation.as_ref()).map_err(vault_error)?;
                let noted = self.vaults.record(Action::Annotate, vault.as_ref(), &note.key, caller);
                noted.map(|()| ContextAnswer::Nothing).map_err(vault_error)
            }
            Ask::VaultGetRefreshHook(VaultKey { vault, key }) => {
                document(&open(&vault)?.refresh_hook(&key).map_err(vault_error)?)
            }
            Ask::VaultSetRefreshHook(note) => {
                let hook = parsed("refresh hook", note.value)?;
                let set = open(&note.vault)?.set_refresh_hook(&note.key, hook.as_ref());
                set.map(|()| ContextAnswer::Nothing).map_err(vault_error)
            }
            other => Err(unavailable(&other)),
        }
    }
}

fn vault_error(error: VaultError) -> CallbackError {
    callback_error(error.into())
}

fn document(value: &impl Serialize) -> Result<ContextAnswer, CallbackError> {
    let value = serde_json::to_value(value);
    value
        .map(ContextAnswer::Document)
        .map_err(|error| CallbackError::new("internal", format!("the answer has no JSON form: {error}")))
}

fn parsed<T: DeserializeOwned>(what: &str, value: Option<Value>) -> Result<Option<T>, CallbackError> {
    let parsed = value.filter(|value| !value.is_null()).map(serde_json::from_value).transpose();
    parsed.map_err(|error| CallbackError::new("invalid_arguments", format!("invalid {what}: {error}")))
}

/// Code need not say when it annotates.
fn with_time(mut annotation: Value) -> Value {
    if let Value::Object(fields) = &mut annotation {
        let now = marsh_types::time::iso_millis(jiff::Timestamp::now());
        fields.entry("updatedAt").or_insert_with(|| Value::String(now));
    }
    annotation
}
