//! Requests of running code about files that it writes, and about the repository of data.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use marsh_data::Metadata;
use marsh_host_client::protocol::{AppendFile, BeginFile, DataQuery, OpenedFile};
use marsh_host_client::{CallbackError, ContextAnswer, ContextRequest, unavailable};
use marsh_types::TypeName;
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

impl Models {
    /// The repository of data, as code asks for it. `own`: the type that is meant where none is named.
    pub(super) fn query_data(
        &self,
        own: Option<&TypeName>,
        request: ContextRequest,
    ) -> Result<ContextAnswer, CallbackError> {
        use ContextRequest as Ask;
        let data = &self.data;
        let ty = |query: &DataQuery| match &query.type_name {
            Some(raw) => type_name(raw),
            None => own.cloned().ok_or_else(|| {
                CallbackError::new("invalid_arguments", "missing the type whose data are asked for")
            }),
        };
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
