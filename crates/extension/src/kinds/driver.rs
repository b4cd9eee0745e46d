//! Driver extensions: running a method somewhere else.

use marsh_host_client::Callbacks;
use marsh_host_client::protocol::Nothing;
use marsh_types::{Kind, TypeName};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{CallOptions, Export, KindError};
use crate::loader::{Loaded, Loader};

/// A driver of an extension's type, with its configuration.
#[derive(Debug, Clone)]
pub struct DriverExtension {
    export: Export,
    config: Map<String, Value>,
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
        let config = &self.config;
        self.export.call(DriverInitialize { config: config.clone() }, options, callbacks)?;
        self.export.call(DriverExecute { config: config.clone(), request }, options, callbacks)
    }
}

operations! {
    /// Parameters of `driver.initialize`.
    DriverInitialize {
        /// The configuration, as it is written.
        config: Map<String, Value>,
    } -> Nothing;
    /// Parameters of `driver.execute`.
    DriverExecute {
        /// The configuration, as it is written.
        config: Map<String, Value>,
        /// The execution request, with the bundle as base64.
        request: Value,
    } -> DriverResult;
}

/// What a driver's run ended with.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriverResult {
    /// Success or error.
    pub status: DriverStatus,
    /// The reason of an error.
    #[serde(default)]
    pub error: Option<String>,
    /// Outputs to be stored.
    #[serde(default)]
    pub outputs: Vec<DriverOutput>,
    /// Lines that the driver logged.
    #[serde(default)]
    pub logs: Vec<String>,
    /// Milliseconds that the run took.
    #[serde(default)]
    pub duration_ms: Option<f64>,
}

/// Whether a driver's run succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriverStatus {
    /// The method succeeded.
    Success,
    /// The method failed.
    Error,
}

/// An output of a driver's run.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriverOutput {
    /// `pending` when it is still to be stored.
    pub kind: String,
    /// The output that the type declares; the name when absent.
    pub spec_name: Option<String>,
    /// The name of the result.
    pub name: String,
    /// `resource` or `file`.
    #[serde(rename = "type")]
    pub output_type: String,
    /// Tags of the result.
    #[serde(default)]
    pub tags: Map<String, Value>,
    /// The content as base64.
    pub base64: String,
}
