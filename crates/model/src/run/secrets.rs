//! Secrets within one run: what comes in is tracked, what a model marks as sensitive goes to a vault, and nothing that
//! goes to disk or to people holds a secret in clear.

use std::borrow::Cow;

use marsh_data::RunPending;
use marsh_extension::{OutputDescription, SensitiveField};
use marsh_host_client::CallbackError;
use marsh_host_client::protocol::Overrides;
use marsh_types::Explain as _;
use serde_json::{Map, Value, json};

use super::RunRequest;
use super::context::RunContext;
use super::file_writer::FileWriter;
use crate::Models;
use crate::error::ModelError;
use crate::inputs::InputSchema;
use crate::types::TypeCode;

impl Models {
    /// A method that may store what is sensitive needs a place to keep it.
    pub(super) fn require_vault(&self, code: &TypeCode, method: &str) -> Result<(), ModelError> {
        if !code.method(method)?.is_mutating() {
            return Ok(());
        }
        let secret = code.description.resources.iter().map(|(_, output)| output);
        for output in secret.filter(|output| output.holds_secrets()) {
            let mut named = output.sensitive.iter().map(|field| field.vault_name.as_deref());
            if !output.sensitive_output && named.clone().all(|name| name.is_some()) {
                named.try_for_each(|name| self.vaults.for_output(name).map(drop))?;
                continue;
            }
            match self.vaults.for_output(None) {
                Ok(_) => {}
                Err(marsh_vault::VaultError::NoVaults) => {
                    return Err(ModelError::NoVault {
                        type_name: code.type_name.clone(),
                        method: method.to_owned(),
                    });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes note of the values of arguments that are marked as sensitive, before anything could show them.
    pub(super) fn track_sensitive(&self, code: &TypeCode, method: &str, arguments: &[&Map<String, Value>]) {
        let described = code.description.method(method).map(|method| &method.arguments);
        let globals = code.description.global_arguments.as_ref();
        for field in [described, globals].into_iter().flatten().flat_map(|schema| &schema.sensitive) {
            for values in arguments {
                if let Some(value) = at(values, &field.path) {
                    let mut value = value.clone();
                    self.secrets.reveal_value(&mut value);
                    self.secrets.track_value(&value);
                }
            }
        }
    }

    /// The same for inputs that a schema (of a definition or a workflow) declares with `sensitive: true`.
    pub fn track_sensitive_inputs(&self, schema: Option<&Value>, inputs: &Map<String, Value>) {
        let Some(schema) = schema.and_then(InputSchema::of) else { return };
        for (key, value) in inputs {
            if schema.is_sensitive(key) {
                self.secrets.track_value(value);
            }
        }
    }
}

/// The value at a dotted path.
fn at<'v>(values: &'v Map<String, Value>, path: &str) -> Option<&'v Value> {
    let mut keys = path.split('.');
    let mut value = values.get(keys.next()?)?;
    for key in keys {
        value = value.get(key)?;
    }
    Some(value)
}

fn at_mut<'v>(value: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    path.split('.').try_fold(value, |value, key| value.get_mut(key))
}

/// Text that may be part of the key of a secret.
fn sanitized(text: &str) -> String {
    text.replace('@', "").replace(['/', '\\'], "-").replace("..", ".").replace('\0', "")
}

impl RunContext<'_> {
    pub(super) fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.models.secrets.redact(text)
    }

    pub(super) fn writer(&self, pending: RunPending) -> FileWriter {
        FileWriter { pending, stream: self.models.secrets.stream() }
    }

    /// Publishes a file. What the code wrote there itself, past our masks, must not hold a secret.
    pub(super) fn finalize(&self, mut writer: FileWriter) -> Result<marsh_data::Metadata, ModelError> {
        let rest = writer.stream.finish();
        writer.pending.append(&rest)?;
        if !self.models.secrets.is_empty()
            && let Some(path) = writer.pending.path()
        {
            let file = marsh_fs::open_own(path);
            let found = file.and_then(|mut file| self.models.secrets.find_in(&mut file));
            let found = found.map_err(|source| ModelError::Io { path: path.to_path_buf(), source })?;
            if found {
                let what = writer.pending.name().to_owned();
                return Err(ModelError::SecretExposed { what, place: "a file that the code wrote itself" });
            }
        }
        Ok(writer.pending.finalize()?)
    }

    /// The content of a resource as it may be stored: sensitive fields are references to a vault, and other secrets are
    /// masked. Returns the references too, by path.
    pub(super) fn protected<'c>(
        &self,
        spec_name: &str,
        instance: &str,
        content: &'c str,
        sensitive: &[String],
        overrides: Option<&Overrides>,
    ) -> Result<(Cow<'c, str>, Vec<Value>), ModelError> {
        let secrets = &self.models.secrets;
        let mut replaced = Vec::new();
        let mut stored = Cow::Borrowed(content);
        if !sensitive.is_empty()
            && let Some(spec) = self.code.description.resource(spec_name)
            && let Ok(mut value) = serde_json::from_str::<Value>(content)
        {
            for path in sensitive {
                let Some(slot) = at_mut(&mut value, path) else { continue };
                let reference = self.store_sensitive(spec_name, spec, instance, path, slot, overrides)?;
                replaced.push(json!({ "path": path, "reference": reference }));
                *slot = Value::String(reference);
            }
            stored = Cow::Owned(value.to_string());
        }
        if (secrets.is_in(stored.as_bytes()) || secrets.holds_sentinel(&stored))
            && let Ok(mut value) = serde_json::from_str::<Value>(&stored)
        {
            secrets.redact_value(&mut value);
            stored = Cow::Owned(value.to_string());
        }
        Ok((stored, replaced))
    }

    fn store_sensitive(
        &self,
        spec_name: &str,
        spec: &OutputDescription,
        instance: &str,
        path: &str,
        value: &Value,
        overrides: Option<&Overrides>,
    ) -> Result<String, ModelError> {
        let field: Option<&SensitiveField> = spec.sensitive.iter().find(|field| field.path == path);
        let definition = &self.stored.definition;
        let of_definition = definition
            .resources
            .as_ref()
            .and_then(|resources| resources.get(spec_name)?.get("vaultName")?.as_str());
        let wanted = field
            .and_then(|field| field.vault_name.as_deref())
            .or_else(|| self.output_override(spec_name).and_then(|found| found.vault.as_deref()))
            .or_else(|| overrides.and_then(|overrides| overrides.vault_name.as_deref()))
            .or(of_definition);
        let vault = match self.models.vaults.for_output(wanted) {
            Err(marsh_vault::VaultError::NoVaults) => {
                return Err(ModelError::NoVault {
                    type_name: self.code.type_name.clone(),
                    method: self.request.method.clone(),
                });
            }
            other => other?,
        };
        let key = match field.and_then(|field| field.vault_key.as_deref()) {
            Some(key) => key.to_owned(),
            None => sanitized(&format!(
                "{}/{}/{}/{spec_name}/{instance}/{path}",
                self.code.type_name, definition.id, self.request.method
            )),
        };
        let caller = caller(self.request);
        Ok(self.models.vaults.store_output(&vault, &key, value, &self.models.secrets, &caller)?)
    }

    /// Stored content with its secrets in it, for the code that reads it back.
    pub(super) fn with_secrets(&self, content: Vec<u8>) -> Result<String, CallbackError> {
        let text = String::from_utf8_lossy(&content).into_owned();
        if !text.contains("vault.get(") {
            return Ok(text);
        }
        let Ok(mut value) = serde_json::from_str::<Value>(&text) else { return Ok(text) };
        let caller = caller(self.request);
        match self.models.vaults.resolve_stored(&mut value, &self.models.secrets, &caller) {
            Ok(true) => Ok(value.to_string()),
            Ok(false) => Ok(text),
            Err(error) => Err(CallbackError::new(error.code().as_str(), error.to_string())),
        }
    }

    /// Names and tags are read without being asked for, so no secret may be in one.
    pub(super) fn check_name_holds_no_secret(&self, name: &str) -> Result<(), CallbackError> {
        if self.models.secrets.is_surely_in(name) {
            let error = ModelError::SecretExposed { what: self.redact(name).into_owned(), place: "its name" };
            return Err(CallbackError::new(error.code().as_str(), error.to_string()));
        }
        Ok(())
    }
}

/// Who asks for a secret, for the audit trail.
pub(super) fn caller(request: &RunRequest<'_>) -> String {
    match &request.trigger {
        super::Trigger::Manual => format!("method run {}", request.method),
        super::Trigger::Workflow(workflow) => {
            format!("workflow {} {}", workflow.workflow_name, workflow.step)
        }
    }
}

/// Global and method arguments as the code gets them.
pub(super) fn revealed(secrets: &marsh_vault::Secrets, arguments: &Map<String, Value>) -> Value {
    let mut value = Value::Object(arguments.clone());
    secrets.reveal_value(&mut value);
    value
}

/// Arguments as people may see them.
pub(super) fn redacted(secrets: &marsh_vault::Secrets, arguments: &Map<String, Value>) -> Map<String, Value> {
    let mut arguments = arguments.clone();
    arguments.values_mut().for_each(|value| secrets.redact_value(value));
    arguments
}
