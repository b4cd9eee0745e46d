//! Requests of running code about files that it writes, and about the repository of data.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use marsh_data::{GarbageCollection, Lifetime, Metadata, NewVersion, Owner, Tags};
use marsh_host_client::protocol::{AppendFile, BeginFile, DataQuery, DataSave, OpenedFile};
use marsh_host_client::{CallbackError, ContextAnswer, ContextRequest, unavailable};
use marsh_types::TypeName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::callback_error::{callback_error, data_error};
use super::context::{RunContext, type_name};
use crate::Models;

impl RunContext<'_> {
    pub(super) fn begin_file(&self, begin: BeginFile) -> Result<OpenedFile, CallbackError> {
        let spec = self.code.description.file(&begin.spec).ok_or_else(|| {
            CallbackError::new("unknown_output", format!("the type declares no file `{}`", begin.spec))
        })?;
        let overrides = begin.overrides.unwrap_or_default();
        self.check_name_holds_no_secret(&begin.instance)?;
        let name = self.stored_name(&begin.spec, &begin.instance);
        let new = self.new_version("file", &begin.spec, spec, &name, &overrides).map_err(data_error)?;
        let pending = self.models.data.begin(&new).map_err(data_error)?;
        let writer = self.next_writer.replace(self.next_writer.get() + 1);
        let mut opened = self.writer(pending);
        let (data_id, path) =
            (opened.pending.id().to_owned(), opened.pending.path().map(|path| path.to_owned()));
        // Code elsewhere writes through requests only.
        let path = path.filter(|_| self.request.driver.sees_repository());
        self.writers.borrow_mut().insert(writer, opened);
        Ok(OpenedFile { writer, data_id, path })
    }

    /// Writes a version as the code describes it, secrets masked. Its owner is the model, whatever the code says.
    pub(super) fn save_data(&self, save: &DataSave) -> Result<usize, CallbackError> {
        let invalid =
            |error: String| CallbackError::new("invalid_arguments", format!("invalid data: {error}"));
        let wanted: SavedData =
            serde_json::from_value(save.data.clone()).map_err(|error| invalid(error.to_string()))?;
        let bytes = BASE64.decode(&save.base64).map_err(|error| invalid(error.to_string()))?;
        let ty = save.type_name.as_deref().map_or_else(|| Ok(self.code.type_name.clone()), type_name)?;
        self.check_name_holds_no_secret(&wanted.name)?;
        let is_own = ty == self.code.type_name && save.model_id == self.stored.definition.id;
        let new = NewVersion {
            type_path: &ty,
            model_id: &save.model_id,
            name: &wanted.name,
            content_type: &wanted.content_type,
            lifetime: wanted.lifetime,
            garbage_collection: wanted.garbage_collection,
            streaming: wanted.streaming,
            tags: wanted.tags.iter().map(|(key, value)| (key, self.redact(value).into_owned())).collect(),
            owner: if is_own { self.owner() } else { Owner::model_method(&save.model_id) },
            lifecycle: None,
            renamed_to: None,
        };
        let mut writer = self.writer(self.models.data.begin(&new).map_err(data_error)?);
        writer.append(&bytes).map_err(data_error)?;
        let written = self.finalize(writer).map_err(callback_error)?;
        Ok(written.version as usize)
    }

    pub(super) fn append_file(&self, append: AppendFile) -> Result<(), CallbackError> {
        let bytes = match (append.base64, append.text) {
            (Some(base64), _) => BASE64
                .decode(base64)
                .map_err(|error| CallbackError::new("internal", format!("invalid base64: {error}")))?,
            (None, text) => text.unwrap_or_default().into_bytes(),
        };
        let mut writers = self.writers.borrow_mut();
        let writer = writers.get_mut(&append.writer).ok_or_else(|| no_writer(append.writer))?;
        writer.append(&bytes).map_err(data_error)
    }

    pub(super) fn finalize_file(&self, number: u64) -> Result<Value, CallbackError> {
        let writer = self.writers.borrow_mut().remove(&number).ok_or_else(|| no_writer(number))?;
        Ok(self.saved(self.finalize(writer).map_err(callback_error)?))
    }
}

/// The metadata of [`DataSave`], with the defaults of the format.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SavedData {
    name: String,
    content_type: String,
    lifetime: Lifetime,
    garbage_collection: GarbageCollection,
    #[serde(default)]
    streaming: bool,
    #[serde(default)]
    tags: Tags,
}

impl Models {
    /// The repository of data, as code asks for it. `own`: the type that is meant where none is named.
    pub(super) fn query_data(
        &self,
        own: Option<&TypeName>,
        request: ContextRequest,
    ) -> Result<ContextAnswer, CallbackError> {
        use ContextRequest as Ask;
        let data = &self.data;
        let named = |raw: Option<&str>| match raw {
            Some(raw) => type_name(raw),
            None => own.cloned().ok_or_else(|| {
                CallbackError::new("invalid_arguments", "missing the type whose data are asked for")
            }),
        };
        let ty = |query: &DataQuery| named(query.type_name.as_deref());
        let one = |found: Option<Metadata>| {
            ContextAnswer::Document(found.map_or(Value::Null, |found| json!(found)))
        };
        if let Some(nothing) = of_no_model(&request) {
            return Ok(nothing);
        }
        match &request {
            Ask::DataGetContent(query) => {
                let content = data.content(&ty(query)?, &query.model_id, &query.name, query.version);
                let content = content.map_err(data_error)?;
                Ok(ContextAnswer::Text(content.map(|bytes| BASE64.encode(bytes))))
            }
            Ask::DataFindByName(query) => match query.version {
                Some(version) => data.metadata(&ty(query)?, &query.model_id, &query.name, version),
                None => data.latest(&ty(query)?, &query.model_id, &query.name),
            }
            .map(one)
            .map_err(data_error),
            Ask::DataFindById(query) => {
                let all = data.list_model(&ty(query)?, &query.model_id).map_err(data_error)?;
                Ok(one(all.into_iter().find(|found| found.id == query.id)))
            }
            Ask::DataFindAllForModel(query) => {
                let all = data.list_model(&ty(query)?, &query.model_id).map_err(data_error)?;
                Ok(ContextAnswer::Document(json!(all)))
            }
            Ask::DataFindAllForType(query) => {
                let wanted = ty(query)?;
                let all = self.data_of_all_models(|found| *found == wanted)?;
                let all: Vec<Metadata> = all.into_iter().map(|(metadata, ..)| metadata).collect();
                Ok(ContextAnswer::Document(json!(all)))
            }
            Ask::DataFindAllGlobal(_) => {
                let all = self.data_of_all_models(|_| true)?;
                let all = all
                    .into_iter()
                    .map(|(data, ty, id)| json!({ "data": data, "modelType": ty, "modelId": id }));
                Ok(ContextAnswer::Document(all.collect()))
            }
            Ask::DataListVersions(query) => {
                let versions =
                    data.versions(&ty(query)?, &query.model_id, &query.name).map_err(data_error)?;
                Ok(ContextAnswer::Versions(versions.iter().map(|found| found.version).collect()))
            }
            Ask::DataGetPath(query) | Ask::DataGetContentPath(query) => {
                let path = data.content_path(&ty(query)?, &query.model_id, &query.name, query.version);
                let path = path.map_err(data_error)?;
                let path = match request {
                    Ask::DataGetPath(_) => path.and_then(|path| path.parent().map(ToOwned::to_owned)),
                    _ => path,
                };
                Ok(ContextAnswer::Path(path))
            }
            Ask::DataRename(wanted) => {
                let ty = named(wanted.type_name.as_deref())?;
                let (old, new) = (&wanted.old_name, &wanted.new_name);
                let before = data.latest(&ty, &wanted.model_id, old).map_err(data_error)?;
                let copy = data.store().rename(&ty, &wanted.model_id, old, new).map_err(data_error)?;
                Ok(ContextAnswer::Document(json!({
                    "oldName": old, "newName": new, "copiedVersion": before.map(|before| before.version),
                    "newVersion": copy.version,
                })))
            }
            Ask::DataCollect(wanted) => {
                let ty = named(wanted.type_name.as_deref())?;
                let collected = self.collect(Some((&ty, &wanted.model_id)), wanted.dry_run);
                let collected = collected.map_err(callback_error)?;
                let expired: Vec<&str> = collected.expired.iter().map(|one| one.name.as_str()).collect();
                Ok(ContextAnswer::Document(json!({
                    "expired": expired, "versionsRemoved": collected.versions, "bytesReclaimed": collected.bytes,
                    "dryRun": wanted.dry_run,
                })))
            }
            Ask::QueryData(wanted) => {
                let answer = self.query(&wanted.predicate, wanted.select.as_deref(), wanted.limit);
                let answer = answer.map_err(callback_error)?;
                let found = if wanted.select.is_some() { answer.projected } else { answer.records };
                let mut found = Value::Array(found);
                self.vaults
                    .resolve_stored(&mut found, &self.secrets, "queryData")
                    .map_err(|error| callback_error(error.into()))?;
                Ok(ContextAnswer::Document(found))
            }
            Ask::DataDelete(query) => {
                let count = data.delete(&ty(query)?, &query.model_id, &query.name, query.version);
                Ok(ContextAnswer::Count(count.map_err(data_error)?))
            }
            other => Err(unavailable(other)),
        }
    }

    fn data_of_all_models(
        &self,
        wanted: impl Fn(&TypeName) -> bool,
    ) -> Result<Vec<(Metadata, TypeName, String)>, CallbackError> {
        let mut all = Vec::new();
        for (ty, id) in self.data.list_models().map_err(data_error)? {
            if wanted(&ty) {
                for metadata in self.data.list_model(&ty, &id).map_err(data_error)? {
                    all.push((metadata, ty.clone(), id.clone()));
                }
            }
        }
        Ok(all)
    }
}

/// What a read answers whose model id is empty. Code asks so for a model that it does not know yet, and expects no data.
fn of_no_model(request: &ContextRequest) -> Option<ContextAnswer> {
    use ContextRequest as Ask;
    let (query, nothing) = match request {
        Ask::DataGetContent(query) => (query, ContextAnswer::Text(None)),
        Ask::DataFindByName(query) | Ask::DataFindById(query) => {
            (query, ContextAnswer::Document(Value::Null))
        }
        Ask::DataFindAllForModel(query) => (query, ContextAnswer::Document(json!([]))),
        Ask::DataListVersions(query) => (query, ContextAnswer::Versions(Vec::new())),
        Ask::DataGetPath(query) | Ask::DataGetContentPath(query) => (query, ContextAnswer::Path(None)),
        _ => return None,
    };
    query.model_id.is_empty().then_some(nothing)
}

fn no_writer(writer: u64) -> CallbackError {
    CallbackError::new("already_finalized", format!("file {writer} is not open"))
}
