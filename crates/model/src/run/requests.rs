//! What a method asks of files it writes and of the repository of data.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use marsh_data::Metadata;
use marsh_host_client::CallbackError;
use marsh_types::TypeName;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Models;

use super::context::{Overrides, RunContext, data_error, read, to_json, unknown};
use super::secrets::callback_error;

impl RunContext<'_> {
    pub(super) fn file_request(&self, method: &str, params: Value) -> Result<Value, CallbackError> {
        match method {
            "begin" => {
                #[derive(Deserialize)]
                struct Begin {
                    spec: String,
                    instance: String,
                    overrides: Option<Overrides>,
                }
                let begin: Begin = read(params)?;
                let spec = self.code.description.file(&begin.spec).ok_or_else(|| {
                    CallbackError::new("unknown_output", format!("no file output `{}`", begin.spec))
                })?;
                let overrides = begin.overrides.unwrap_or_default();
                self.check_name_holds_no_secret(&begin.instance)?;
                let name = self.stored_name(&begin.spec, &begin.instance);
                let new =
                    self.new_version("file", &begin.spec, spec, &name, &overrides).map_err(data_error)?;
                let mut pending = self.models.data.begin(&new).map_err(data_error)?;
                let writer = self.next_writer.replace(self.next_writer.get() + 1);
                let answer = json!({ "writer": writer, "dataId": pending.id(), "path": pending.path() });
                self.writers.borrow_mut().insert(writer, self.writer(pending));
                Ok(answer)
            }
            "append" => {
                #[derive(Deserialize)]
                struct Append {
                    writer: u64,
                    base64: Option<String>,
                    text: Option<String>,
                }
                let append: Append = read(params)?;
                let bytes = match (append.base64, append.text) {
                    (Some(base64), _) => BASE64
                        .decode(base64)
                        .map_err(|error| CallbackError::new("internal", format!("not base64: {error}")))?,
                    (None, text) => text.unwrap_or_default().into_bytes(),
                };
                let mut writers = self.writers.borrow_mut();
                let writer = writers.get_mut(&append.writer).ok_or_else(|| no_writer(append.writer))?;
                writer.append(&bytes).map_err(data_error)?;
                Ok(Value::Null)
            }
            "finalize" => {
                #[derive(Deserialize)]
                struct Finalize {
                    writer: u64,
                }
                let finalize: Finalize = read(params)?;
                let writer = self.writers.borrow_mut().remove(&finalize.writer);
                let writer = writer.ok_or_else(|| no_writer(finalize.writer))?;
                Ok(self.saved(self.finalize(writer).map_err(callback_error)?))
            }
            _ => Err(unknown(method)),
        }
    }

    pub(super) fn data_request(&self, method: &str, params: Value) -> Result<Value, CallbackError> {
        self.models.query_data(Some(&self.code.type_name), method, params)
    }
}

impl Models {
    /// The repository of data, as code asks for it. `own`: the type that is meant where none is named.
    pub(super) fn query_data(
        &self,
        own: Option<&TypeName>,
        method: &str,
        params: Value,
    ) -> Result<Value, CallbackError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Query {
            #[serde(rename = "type", default)]
            type_name: Option<String>,
            #[serde(default)]
            model_id: String,
            #[serde(default)]
            name: String,
            #[serde(default)]
            id: String,
            #[serde(default)]
            version: Option<u32>,
        }
        let query: Query = read(params)?;
        let data = &self.data;
        let ty = match &query.type_name {
            Some(raw) => {
                TypeName::parse(raw).map_err(|error| CallbackError::new("invalid_name", error.to_string()))?
            }
            None if method == "findAllGlobal" => TypeName::parse("any")
                .map_err(|error| CallbackError::new("invalid_name", error.to_string()))?,
            None => own
                .cloned()
                .ok_or_else(|| CallbackError::new("invalid_arguments", "say which type's data are meant"))?,
        };
        let metadata = |found: Option<Metadata>| found.map_or(Value::Null, |found| to_json(&found));
        match method {
            "getContent" => {
                let content =
                    data.content(&ty, &query.model_id, &query.name, query.version).map_err(data_error)?;
                Ok(content.map_or(Value::Null, |bytes| json!(BASE64.encode(bytes))))
            }
            "findByName" => match query.version {
                Some(version) => data.metadata(&ty, &query.model_id, &query.name, version),
                None => data.latest(&ty, &query.model_id, &query.name),
            }
            .map(metadata)
            .map_err(data_error),
            "findById" => {
                let all = data.list_model(&ty, &query.model_id).map_err(data_error)?;
                Ok(metadata(all.into_iter().find(|found| found.id == query.id)))
            }
            "findAllForModel" => {
                let all = data.list_model(&ty, &query.model_id).map_err(data_error)?;
                Ok(Value::Array(all.iter().map(to_json).collect()))
            }
            "findAllForType" | "findAllGlobal" => {
                let mut all = Vec::new();
                for (found, model_id) in data.list_models().map_err(data_error)? {
                    if method == "findAllGlobal" || found == ty {
                        for metadata in data.list_model(&found, &model_id).map_err(data_error)? {
                            all.push(json!({ "data": metadata, "modelType": found, "modelId": model_id }));
                        }
                    }
                }
                if method == "findAllForType" {
                    all = all.into_iter().map(|mut item| item["data"].take()).collect();
                }
                Ok(Value::Array(all))
            }
            "listVersions" => {
                let versions = data.versions(&ty, &query.model_id, &query.name).map_err(data_error)?;
                Ok(json!(versions.iter().map(|found| found.version).collect::<Vec<_>>()))
            }
            "getPath" | "getContentPath" => {
                let path: Option<PathBuf> = data
                    .content_path(&ty, &query.model_id, &query.name, query.version)
                    .map_err(data_error)?;
                let path = match method {
                    "getPath" => path.and_then(|path| path.parent().map(PathBuf::from)),
                    _ => path,
                };
                Ok(json!(path))
            }
            "delete" => {
                let count =
                    data.delete(&ty, &query.model_id, &query.name, query.version).map_err(data_error)?;
                Ok(json!(count))
            }
            _ => Err(unknown(method)),
        }
    }
}

fn no_writer(writer: u64) -> CallbackError {
    CallbackError::new("already_finalized", format!("there is no open writer {writer}"))
}
