//! Driver extensions: running a method somewhere else.

use marsh_host_client::Callbacks;
use marsh_host_client::protocol::{DriverExecute, DriverInitialize};
use marsh_types::{Kind, TypeName};
use serde_json::{Map, Value};

use super::{CallOptions, Export, KindError};
use crate::loader::{Loaded, Loader};

pub use marsh_host_client::protocol::{DriverOutput, DriverResult, DriverStatus};

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
