//! Executing a method where the run's driver says.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use marsh_extension::LoadedModel;
use marsh_extension::kinds::driver::DriverStatus;
use marsh_extension::kinds::{CallOptions, DriverExtension, DriverOutput};
use marsh_host_client::protocol::{Overrides, Prepare, Run, RunParams};
use marsh_host_client::{Ask, Call, ContainerControl, HostCommand, HostError, HostLocation, Hosts};
use serde_json::{Map, Value, json};

use super::RunRequest;
use super::context::RunContext;
use crate::Models;
use crate::driver::{Container, Driver, RepositoryMount};
use crate::error::ModelError;
use crate::types::TypeCode;

/// How long a container may take to go once its host has ended.
const CONTAINER_GRACE: Duration = Duration::from_secs(10);
/// The version of the request that drivers of extensions get.
const EXECUTION_PROTOCOL: u32 = 1;

impl Models {
    /// Runs a method of a loaded type. Returns the ids of the data that it returned.
    pub(super) fn execute(
        &self,
        loaded: &LoadedModel,
        params: RunParams,
        request: &RunRequest<'_>,
        context: &RunContext<'_>,
    ) -> Result<Vec<String>, ModelError> {
        match &request.driver {
            Driver::Raw => run(self.hosts(), loaded, params, request, context),
            Driver::Container(container) => self.in_container(container, loaded, params, request, context),
            Driver::Extension { .. } => self.by_extension(loaded, params, request, context),
        }
    }

    fn in_container(
        &self,
        container: &Container,
        loaded: &LoadedModel,
        params: RunParams,
        request: &RunRequest<'_>,
        context: &RunContext<'_>,
    ) -> Result<Vec<String>, ModelError> {
        let own = self.hosts().command();
        let (_, base) = loaded.source_of(&request.method);
        let root = self.repo.layout.root();
        let mut visible: Vec<&Path> = loaded.module.path.parent().into_iter().collect();
        // Local sources start from the repository itself, and that is mounted on request only: secrets are in it.
        if !root.starts_with(base) {
            visible.push(base);
        }
        visible.extend(loaded.module.externals.iter().map(|external| external.path.as_path()));
        let mut writable = None;
        match container.repository {
            RepositoryMount::None => {}
            RepositoryMount::ReadOnly => visible.push(root),
            RepositoryMount::ReadWrite => writable = Some(root),
        }
        let name = format!("marsh-{}", uuid::Uuid::new_v4());
        let command = HostCommand {
            program: container.program.clone(),
            args: container.run_arguments(&name, &own.program, &visible, writable, &own.args),
            // Compiled code is kept by paths and owners that are others in there.
            bytecode_cache: None,
            cwd: None,
        };
        let control = ContainerControl {
            program: container.program.clone().into_os_string(),
            end: ["rm", "--force", &name].map(OsString::from).to_vec(),
            grace: CONTAINER_GRACE,
        };
        let hosts = Hosts::new(command).at(HostLocation::Container(control));
        match run(&hosts, loaded, params, request, context) {
            Err(ModelError::Host(HostError::Spawn { program, source })) => {
                Err(ModelError::DriverProgram { program, source })
            }
            other => other,
        }
    }

    /// The type's own schemas and checks have their say here; then the driver gets the request, and what it hands back is
    /// stored as if the method had written it.
    fn by_extension(
        &self,
        loaded: &LoadedModel,
        params: RunParams,
        request: &RunRequest<'_>,
        context: &RunContext<'_>,
    ) -> Result<Vec<String>, ModelError> {
        let Driver::Extension { type_name, config } = &request.driver else { return Ok(Vec::new()) };
        let driver = DriverExtension::open(&self.loader, type_name, config)?;
        let prepared = call(self.hosts(), Prepare(params), loaded, request, context)?;
        let bundle = marsh_fs::read(&loaded.module.path)
            .map_err(|source| ModelError::Io { path: loaded.module.path.clone(), source })?;
        let definition = &context.stored.definition;
        let specs = |outputs: &[(String, marsh_extension::OutputDescription)]| -> Map<String, Value> {
            outputs.iter().map(|(name, spec)| (name.clone(), json!(spec))).collect()
        };
        let execution = json!({
            "protocolVersion": EXECUTION_PROTOCOL,
            "modelType": context.code.description.raw_type,
            "modelId": definition.id,
            "methodName": request.method,
            "globalArgs": prepared.global_arguments,
            "methodArgs": prepared.method_arguments,
            "definitionMeta": {
                "id": definition.id, "name": definition.name, "version": definition.version,
                "tags": definition.tags,
            },
            "resourceSpecs": specs(&context.code.description.resources),
            "fileSpecs": specs(&context.code.description.files),
            "bundle": BASE64.encode(bundle),
        });
        let options = CallOptions { deadline: request.deadline, cancel: context.cancel.clone() };
        let result = driver.execute(execution, &options, context)?;
        if result.status != DriverStatus::Success {
            let message = result.error.unwrap_or_else(|| "it gave no reason".to_owned());
            return Err(ModelError::DriverFailed { driver: type_name.to_string(), message });
        }
        for output in result.outputs {
            context.store_output(type_name.as_str(), output)?;
        }
        Ok(Vec::new())
    }
}

/// What is marsh's own code runs where marsh runs.
pub(super) fn refuse_driver(code: &TypeCode, request: &RunRequest<'_>) -> Result<(), ModelError> {
    if matches!(request.driver, Driver::Raw) || code.module(&request.method).is_some() {
        return Ok(());
    }
    let reason =
        format!("`{}` of `{}` is marsh's own and runs on this machine only", request.method, code.type_name);
    Err(ModelError::InvalidDriver { driver: request.driver.name(), reason })
}

/// Runs the method in a host. Returns the ids of the data that it returned.
fn run(
    hosts: &Hosts,
    loaded: &LoadedModel,
    params: RunParams,
    request: &RunRequest<'_>,
    context: &RunContext<'_>,
) -> Result<Vec<String>, ModelError> {
    let returned = call(hosts, Run(params), loaded, request, context)?;
    Ok(returned.handles.into_iter().filter_map(|handle| handle.data_id).collect())
}

pub(super) fn call<A: Ask>(
    hosts: &Hosts,
    params: A,
    loaded: &LoadedModel,
    request: &RunRequest<'_>,
    context: &RunContext<'_>,
) -> Result<A::Answer, ModelError> {
    let call = Call {
        operation: params.into(),
        deadline: request.deadline,
        cancel: &context.cancel,
        grace: Duration::from_millis(500),
        trace_parent: None,
    };
    hosts
        .get(&loaded.host_key)
        .and_then(|host| host.call(&loaded.module, &call, context))
        .and_then(|answer| {
            serde_json::from_str(answer.get())
                .map_err(|source| HostError::Answer { operation: A::NAME.as_str(), source })
        })
        .map_err(|error| ModelError::from(marsh_extension::in_sources(error, &loaded.module)))
}

impl RunContext<'_> {
    /// An output that a driver brings back.
    fn store_output(&self, driver: &str, output: DriverOutput) -> Result<(), ModelError> {
        let DriverOutput { kind, spec_name, name, output_type, tags, base64 } = output;
        let broken = |reason: String| ModelError::DriverFailed { driver: driver.to_owned(), message: reason };
        if kind != "pending" {
            return Err(broken(format!(
                "its output `{name}` is `{kind}`, and only `pending` ones can be stored"
            )));
        }
        let spec_name = spec_name.unwrap_or_else(|| name.clone());
        let content = BASE64
            .decode(base64)
            .map_err(|error| broken(format!("the content of its output `{name}` is not base64: {error}")))?;
        self.check_name_holds_no_secret(&name)
            .map_err(|error| broken(format!("its output `{name}`: {}", error.message)))?;
        let overrides = Overrides::with_tags(tags);
        let description = &self.code.description;
        if output_type == "file" {
            if description.file(&spec_name).is_none() {
                return Err(broken(format!("the type declares no file `{spec_name}`")));
            }
            let masked = self.masked(&content);
            self.write_file(&spec_name, &name, &masked, Some(&overrides))?;
            return Ok(());
        }
        let Some(spec) = description.resource(&spec_name) else {
            return Err(broken(format!("the type declares no resource `{spec_name}`")));
        };
        let text = String::from_utf8(content)
            .map_err(|_| broken(format!("the content of its resource `{name}` is not text")))?;
        let value: Value = serde_json::from_str(&text)
            .map_err(|error| broken(format!("the content of its resource `{name}` is not JSON: {error}")))?;
        let sensitive: Vec<String> = match (&value, spec.sensitive_output) {
            (Value::Object(fields), true) => {
                fields.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key.clone()).collect()
            }
            _ => spec.sensitive.iter().map(|field| field.path.clone()).collect(),
        };
        let (content, _) = self.protected(&spec_name, &name, &text, &sensitive, Some(&overrides))?;
        self.write_resource(&spec_name, &name, content.as_bytes(), Some(&overrides))?;
        Ok(())
    }

    fn masked(&self, content: &[u8]) -> Vec<u8> {
        let mut stream = self.models.secrets.stream();
        let mut masked = stream.push(content);
        masked.extend(stream.finish());
        masked
    }
}
