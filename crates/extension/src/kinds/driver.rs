//! Driver extensions: running a method somewhere else.

use marsh_host::Callbacks;
use marsh_types::{Kind, TypeName};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{CallOptions, Export, KindError};
use crate::loader::{Loaded, Loader};

/// A driver of an extension's type, with its configuration.
#[derive(Debug, Clone)]
pub struct DriverExtension {
    export: Export,
    config: Map<String, Value>,
}

/// What a driver's run ended with.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriverResult {
    /// `success` or `error`.
    pub status: String,
    #[serde(default)]
    pub error: Option<String>,
    #[serde(default)]
    pub outputs: Vec<DriverOutput>,
    #[serde(default)]
    pub logs: Vec<String>,
    #[serde(default)]
    pub duration_ms: Option<f64>,
}

/// An output that is still to be stored.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriverOutput {
    pub kind: String,
    pub spec_name: Option<String>,
    pub name: String,
    /// `resource` or `file`.
    #[serde(rename = "type")]
    pub output_type: String,
    #[serde(default)]
    pub tags: Map<String, Value>,
    pub base64: String,
}

impl DriverExtension {
    pub fn open(
        loader: &Loader,
        type_name: &TypeName,
        config: &Map<String, Value>,
    ) -> Result<DriverExtension, KindError> {
        let loaded = loader.resolve_kind(Kind::Driver, type_name)?;
        Ok(DriverExtension {
            export: Export { loaded, hosts: loader.hosts().clone() },
            config: config.clone(),
        })
    }

    pub fn loaded(&self) -> &Loaded {
        &self.export.loaded
    }

    /// Runs the request, an `ExecutionRequest` whose `bundle` is base64; what the driver logs arrives as `output`.
    pub fn execute(
        &self,
        request: Value,
        options: &CallOptions,
        callbacks: &dyn Callbacks,
    ) -> Result<DriverResult, KindError> {
        self.export
            .call("initialize", json!({ "config": self.config }), options, callbacks)
            .map(|_: Value| ())?;
        let params = json!({ "config": self.config, "request": request });
        self.export.call("execute", params, options, callbacks)
    }
}
