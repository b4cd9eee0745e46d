//! Operations on data: reading, listing, searching, deleting, renaming, collecting.
//!
//! A deletion that an interface asks about first is two calls: the preview (`Read::preview_…`), which changes nothing and
//! answers with the same document (`dryRun: true`), and the change itself (`tests/it/data.rs`).

use std::ops::ControlFlow;

use marsh_api::data::{
    DataCollected, DataDeleteRequest, DataDeleted, DataDocument, DataGroup, DataItem, DataList, DataOwner,
    DataPruned, DataQuery, DataRecords, DataRenamed, DataSearch, DataSearchRequest, DataSearchRow,
    DataSelection, DataTarget, DataVersionRow, DataVersions, DatumDeleted, DeletionFailure, ExpiredData,
    OrphanedModel, SeveralDeleted,
};
use marsh_data::{Collected, Condition, DataError, Metadata, Operator, Row};
use marsh_model::data::Orphan;
use marsh_model::{ModelError, Models, Stored};
use marsh_types::{TypeName, near};
use serde_json::{Map, Value, json};

use crate::error::AppError;
use crate::session::{Read, Write};

/// The predicate of a query that names none.
const EVERYTHING: &str = "isLatest";
/// How many records a query without a predicate and a limit returns.
const EVERYTHING_LIMIT: usize = 50;

impl Read<'_> {
    /// A version of a datum, the newest one without `version`; its content too unless `with_content` is false.
    ///
    /// # Errors
    ///
    /// When there is no such model, datum or version, or its files cannot be read.
    pub fn get_data(
        &self,
        model: &str,
        name: &str,
        version: Option<u32>,
        with_content: bool,
    ) -> Result<DataDocument, AppError> {
        let models = self.models();
        let stored = models.definitions.find(model)?;
        let (ty, id) = (&stored.type_name, &stored.definition.id);
        let found = match version {
            Some(version) => models.data.metadata(ty, id, name, version)?,
            None => models.data.latest(ty, id, name)?,
        };
        let metadata = found.ok_or_else(|| no_such(models, &stored, name, version))?;
        let name = stored.definition.name.clone();
        self.data_document(DataOf { type_name: ty.clone(), id: id.clone(), name }, metadata, with_content)
    }

    /// A version and, unless `with_content` is false, its content.
    pub(crate) fn data_document(
        &self,
        of: DataOf,
        metadata: Metadata,
        with_content: bool,
    ) -> Result<DataDocument, AppError> {
        let data = &self.models().data;
        let version = Some(metadata.version);
        let path = data.content_path(&of.type_name, &of.id, &metadata.name, version)?;
        let bytes = match with_content {
            true => data.content(&of.type_name, &of.id, &metadata.name, version)?,
            false => None,
        };
        let content = bytes.map(|bytes| content_value(&metadata, &bytes));
        let path = path.as_deref().map(|path| self.display(path));
        Ok(document(metadata, of, path, content))
    }

    /// The data of a model, grouped by kind; of one kind only with `kind`.
    ///
    /// # Errors
    ///
    /// When there is no such model, or its data cannot be read.
    pub fn list_data(&self, model: &str, kind: Option<&str>) -> Result<DataList, AppError> {
        let models = self.models();
        let stored = models.definitions.find(model)?;
        let mut groups: Vec<DataGroup> = Vec::new();
        let mut total = 0;
        for metadata in models.data.list_model(&stored.type_name, &stored.definition.id)? {
            let item = item(metadata);
            if kind.is_some_and(|kind| kind != item.kind) {
                continue;
            }
            total += 1;
            match groups.iter_mut().find(|group| group.kind == item.kind) {
                Some(group) => group.items.push(item),
                None => groups.push(DataGroup { kind: item.kind.clone(), items: vec![item] }),
            }
        }
        Ok(DataList {
            model_id: stored.definition.id.clone(),
            model_name: stored.definition.name.clone(),
            model_type: stored.type_name.to_string(),
            namespace: String::new(),
            groups,
            total,
        })
    }

    /// The versions of a datum, the newest first.
    ///
    /// # Errors
    ///
    /// When there is no such model or datum, or its files cannot be read.
    pub fn data_versions(&self, model: &str, name: &str) -> Result<DataVersions, AppError> {
        let models = self.models();
        let stored = models.definitions.find(model)?;
        let (ty, id) = (&stored.type_name, &stored.definition.id);
        let versions = models.data.versions(ty, id, name)?;
        if versions.is_empty() {
            return Err(no_such(models, &stored, name, None));
        }
        let latest = models.data.latest(ty, id, name)?.map(|metadata| metadata.version);
        let rows = versions.into_iter().rev().map(|metadata| DataVersionRow {
            is_latest: Some(metadata.version) == latest,
            version: metadata.version,
            created_at: metadata.created_at,
            size: metadata.size,
            checksum: metadata.checksum,
        });
        let versions: Vec<DataVersionRow> = rows.collect();
        Ok(DataVersions {
            data_name: name.to_owned(),
            model_id: id.clone(),
            model_name: stored.definition.name.clone(),
            model_type: ty.to_string(),
            total: versions.len(),
            versions,
        })
    }

    /// The newest versions of data, of all models, that meet conditions.
    ///
    /// # Errors
    ///
    /// When a condition is invalid, or the catalog cannot be read.
    pub fn search_data(&self, request: &DataSearchRequest) -> Result<DataSearch, AppError> {
        let models = self.models();
        let mut conditions = Conditions::default();
        conditions.add(&["isLatest"], Operator::Equal, &Value::Bool(true));
        for (filter, field, value) in [
            ("type", "dataType", &request.kind),
            ("lifetime", "lifetime", &request.lifetime),
            ("ownerType", "ownerType", &request.owner_type),
            ("contentType", "contentType", &request.content_type),
            ("run", "workflowRunId", &request.run),
        ] {
            if let Some(value) = value {
                conditions.want(filter, &[field], Operator::Equal, json!(value));
            }
        }
        if request.streaming {
            conditions.want("streaming", &["streaming"], Operator::Equal, Value::Bool(true));
        }
        if let Some(since) = request.since_ms {
            let from = json!(before_now(since));
            conditions.want("since", &["createdAt"], Operator::GreaterOrEqual, from);
        }
        for (key, value) in &request.tags {
            if key.is_empty() || key.contains(['"', '\\']) {
                return Err(AppError::usage(format!("invalid tag name {key:?}")));
            }
            conditions.want(&format!("tag:{key}"), &["tags", key], Operator::Equal, json!(value));
        }
        if let Some(model) = &request.model {
            // Data can outlive their definition; then they are found by its name.
            match models.definitions.find(model) {
                Ok(stored) => {
                    conditions.want("model", &["modelId"], Operator::Equal, json!(stored.definition.id));
                }
                Err(ModelError::ModelNotFound { .. }) => {
                    conditions.want("model", &["modelName"], Operator::Equal, json!(model));
                }
                Err(error) => return Err(error.into()),
            }
        }
        let Conditions { list: conditions, mut filters } = conditions;
        if let Some(workflow) = &request.workflow {
            filters.insert("workflow".into(), json!(workflow));
        }
        let ids = match &request.output {
            None => None,
            Some(output) => {
                filters.insert("output".into(), json!(output));
                Some(written_by(models, output)?)
            }
        };
        let query = request.query.clone().unwrap_or_default();
        let mut results = Vec::new();
        let mut total = 0;
        let selected = models.catalog()?.select(&conditions, None, &mut |row| {
            let of_workflow = request.workflow.as_deref().is_none_or(|wanted| {
                row.workflow_name == wanted
                    || row.tags["workflow"] == wanted
                    || row.tags["workflowId"] == wanted
            });
            let named = row.name.contains(&query) || row.model_name.contains(&query);
            if of_workflow && named && ids.as_ref().is_none_or(|ids| ids.contains(&row.id)) {
                total += 1;
                if results.len() < request.limit {
                    results.push(search_row(row));
                }
            }
            ControlFlow::Continue(())
        });
        selected.map_err(ModelError::from)?;
        Ok(DataSearch { query, filters, limited: total > results.len(), results, total })
    }

    /// The records of all models that meet a predicate, and what `select` comes to for each.
    ///
    /// # Errors
    ///
    /// When an expression is invalid, or the catalog cannot be read.
    pub fn query_data(
        &self,
        predicate: Option<&str>,
        select: Option<&str>,
        limit: Option<usize>,
    ) -> Result<DataQuery, AppError> {
        let (predicate, limit) = match predicate {
            Some(predicate) => (predicate, limit),
            None => (EVERYTHING, limit.or(Some(EVERYTHING_LIMIT))),
        };
        let answer = self.models().query(predicate, select, limit)?;
        let (total, limited) = (answer.records.len(), answer.limited);
        Ok(match select {
            None => DataQuery::Records(DataRecords {
                predicate: predicate.to_owned(),
                results: answer.records,
                total,
                limited,
            }),
            Some(_) => DataQuery::Selected(DataSelection { results: answer.projected, total, limited }),
        })
    }

    /// What [`Write::delete_data`] would delete.
    ///
    /// # Errors
    ///
    /// When there is no such model, datum or version, or its files cannot be read.
    pub fn preview_delete_data(&self, request: &DataDeleteRequest) -> Result<DataDeleted, AppError> {
        let store = self.models().data.store();
        deletion(self.models(), request, true, |stored, name, version| {
            let versions = store.versions(&stored.type_name, &stored.definition.id, name)?;
            Ok(versions.iter().filter(|found| version.is_none_or(|wanted| found.version == wanted)).count())
        })
    }

    /// What [`Write::collect_data`] would delete.
    ///
    /// # Errors
    ///
    /// When the data cannot be read.
    pub fn preview_collect_data(&self) -> Result<DataCollected, AppError> {
        Ok(collected(self.models().collect(None, true)?, true))
    }

    /// The data whose models have no definition.
    ///
    /// # Errors
    ///
    /// When the data cannot be read.
    pub fn preview_prune_data(&self) -> Result<DataPruned, AppError> {
        Ok(pruned(self.models().orphans()?, true))
    }
}

impl Write<'_> {
    /// Deletes data of a model. One datum that cannot be deleted is an error; of several, it is listed in the document.
    ///
    /// # Errors
    ///
    /// When there is no such model, datum or version, or its files cannot be changed.
    pub fn delete_data(&self, request: &DataDeleteRequest) -> Result<DataDeleted, AppError> {
        let store = self.models().durable_data();
        deletion(self.models(), request, false, |stored, name, version| {
            store.delete(&stored.type_name, &stored.definition.id, name, version)
        })
    }

    /// Gives a datum another name; the old one leads to it from now on.
    ///
    /// # Errors
    ///
    /// When there is no such model or datum, or the new name is invalid or taken.
    pub fn rename_data(&self, model: &str, old: &str, new: &str) -> Result<DataRenamed, AppError> {
        let models = self.models();
        let stored = models.definitions.find(model)?;
        let (ty, id) = (&stored.type_name, &stored.definition.id);
        let store = models.durable_data();
        let before = store.latest(ty, id, old)?.ok_or_else(|| no_such(models, &stored, old, None))?;
        let copy = store.rename(ty, id, old, new)?;
        Ok(DataRenamed {
            old_name: old.to_owned(),
            new_name: new.to_owned(),
            model_id: id.clone(),
            model_name: stored.definition.name.clone(),
            model_type: ty.to_string(),
            copied_version: before.version,
            new_version: copy.version,
            warning: format!("`{old}` now leads to `{new}`; its older versions stay under the old name"),
        })
    }

    /// Deletes the data that outlived their lifetime, and versions that no policy keeps.
    ///
    /// # Errors
    ///
    /// When the data cannot be read or changed.
    pub fn collect_data(&self) -> Result<DataCollected, AppError> {
        Ok(collected(self.models().collect(None, false)?, false))
    }

    /// Deletes the data that `preview` lists, except those whose definition came back meanwhile.
    ///
    /// # Errors
    ///
    /// When the data cannot be read or changed.
    pub fn prune_data(&self, preview: &DataPruned) -> Result<DataPruned, AppError> {
        let orphans: Vec<Orphan> = preview
            .reclaimed_models
            .iter()
            .map(|model| Orphan {
                type_name: model.type_name.clone(),
                model_id: model.model_id.clone(),
                names: model.data_names.clone(),
                versions: model.versions,
                bytes: model.bytes,
            })
            .collect();
        Ok(pruned(self.models().remove_orphans(&orphans)?, false))
    }
}

/// The conditions of a search, and the names under which the document lists them.
#[derive(Default)]
struct Conditions {
    list: Vec<Condition>,
    filters: Map<String, Value>,
}

impl Conditions {
    fn want(&mut self, filter: &str, path: &[&str], operator: Operator, literal: Value) {
        self.add(path, operator, &literal);
        self.filters.insert(filter.to_owned(), literal);
    }

    fn add(&mut self, path: &[&str], operator: Operator, literal: &Value) {
        let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
        self.list.extend(Condition::new(&path, operator, literal));
    }
}

/// ISO 8601, this many milliseconds ago.
fn before_now(millis: u64) -> String {
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    let from = jiff::Timestamp::now().as_millisecond().saturating_sub(millis);
    let from = jiff::Timestamp::from_millisecond(from).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    marsh_types::time::iso_millis(from)
}

/// The ids of the versions that a method run wrote.
fn written_by(models: &Models, output: &str) -> Result<Vec<String>, AppError> {
    let found = models.outputs.find(output)?.ok_or_else(|| {
        AppError::not_found(
            format!("there is no method run `{output}`"),
            "`marsh model output search` lists the runs",
        )
    })?;
    let artifacts = found.record.artifacts.unwrap_or_default().data_artifacts;
    Ok(artifacts.into_iter().map(|artifact| artifact.data_id).collect())
}

/// Deletes what a request names, one datum after the other; `delete` returns how many versions went.
fn deletion(
    models: &Models,
    request: &DataDeleteRequest,
    dry_run: bool,
    delete: impl Fn(&Stored, &str, Option<u32>) -> Result<usize, DataError>,
) -> Result<DataDeleted, AppError> {
    let stored = models.definitions.find(&request.model)?;
    let (model_id, model_name) = (stored.definition.id.clone(), stored.definition.name.clone());
    let model_type = stored.type_name.to_string();
    let one = |name: &str, version: Option<u32>| match delete(&stored, name, version)? {
        0 => Err(no_such(models, &stored, name, version)),
        versions_deleted => Ok(DataDeleted::One(DatumDeleted {
            model_id: model_id.clone(),
            model_name: model_name.clone(),
            model_type: model_type.clone(),
            data_name: name.to_owned(),
            versions_deleted,
            dry_run,
            version,
        })),
    };
    let prefix = match &request.target {
        DataTarget::Name(name) => return one(name, None),
        DataTarget::Version { name, version } => return one(name, Some(*version)),
        DataTarget::Prefix(prefix) => prefix.as_str(),
        DataTarget::All => "",
    };
    let (mut total_deleted, mut total_versions_deleted, mut failed) = (0, 0, Vec::new());
    for metadata in models.data.store().list_model(&stored.type_name, &stored.definition.id)? {
        if !metadata.name.starts_with(prefix) {
            continue;
        }
        match delete(&stored, &metadata.name, None) {
            // Another process deleted it first.
            Ok(0) => {}
            Ok(versions) => {
                total_deleted += 1;
                total_versions_deleted += versions;
            }
            Err(error) => failed.push(DeletionFailure {
                data_name: metadata.name.clone(),
                name: metadata.name,
                error: error.to_string(),
            }),
        }
    }
    Ok(DataDeleted::Several(SeveralDeleted {
        model_id,
        model_name,
        model_type,
        total_deleted,
        total_versions_deleted,
        failed,
        dry_run,
    }))
}

fn no_such(models: &Models, stored: &Stored, name: &str, version: Option<u32>) -> AppError {
    let what = version
        .map_or_else(|| format!("no result `{name}`"), |version| format!("no version {version} of `{name}`"));
    let model = &stored.definition.name;
    // Only a hint: without a listing it names none of the data.
    let known = models.data.list_model(&stored.type_name, &stored.definition.id).unwrap_or_default();
    let hint = match version {
        Some(_) => format!("`marsh data versions {model} {name}` lists the versions"),
        None => near::did_you_mean(name, known.iter().map(|metadata| metadata.name.as_str()))
            .unwrap_or_else(|| format!("`marsh data list {model}` lists the results")),
    };
    AppError::not_found(format!("`{model}` has {what}"), hint)
}

/// Whose data they are: a definition, or what is left of one.
pub(crate) struct DataOf {
    pub type_name: TypeName,
    pub id: String,
    pub name: String,
}

/// JSON as JSON, text as text, `null` for other bytes, which stay in the file that `contentPath` names.
pub(crate) fn content_value(metadata: &Metadata, bytes: &[u8]) -> Value {
    if metadata.content_type == "application/json"
        && let Ok(value) = serde_json::from_slice(bytes)
    {
        return value;
    }
    std::str::from_utf8(bytes).map_or(Value::Null, |text| json!(text))
}

fn document(
    metadata: Metadata,
    of: DataOf,
    content_path: Option<String>,
    content: Option<Value>,
) -> DataDocument {
    let owner = metadata.owner_definition;
    DataDocument {
        id: metadata.id,
        name: metadata.name,
        model_id: of.id,
        model_name: of.name,
        model_type: of.type_name.to_string(),
        version: metadata.version,
        content_type: metadata.content_type,
        lifetime: metadata.lifetime.to_string(),
        garbage_collection: json!(metadata.garbage_collection),
        streaming: metadata.streaming,
        tags: metadata.tags.iter().map(|(key, value)| (key.to_owned(), json!(value))).collect(),
        owner_definition: DataOwner {
            owner_type: owner.owner_type,
            owner_ref: owner.owner_ref,
            definition_hash: owner.definition_hash,
            workflow_id: owner.workflow_id,
            workflow_run_id: owner.workflow_run_id,
            workflow_name: owner.workflow_name,
            job_name: owner.job_name,
            step_name: owner.step_name,
            source: owner.source,
        },
        created_at: metadata.created_at,
        size: metadata.size,
        checksum: metadata.checksum,
        lifecycle: metadata.lifecycle,
        renamed_to: metadata.renamed_to,
        content_path,
        content,
    }
}

fn item(metadata: Metadata) -> DataItem {
    DataItem {
        kind: metadata.tags.get("type").unwrap_or("data").to_owned(),
        id: metadata.id,
        name: metadata.name,
        version: metadata.version,
        content_type: metadata.content_type,
        streaming: metadata.streaming,
        size: metadata.size,
        created_at: metadata.created_at,
    }
}

fn search_row(row: Row) -> DataSearchRow {
    let tag = |name: &str| row.tags.get(name).cloned();
    DataSearchRow {
        workflow_tag: tag("workflow"),
        job_tag: tag("job"),
        step_tag: tag("step"),
        id: row.id,
        name: row.name,
        version: row.version,
        content_type: row.content_type,
        kind: row.data_type,
        lifetime: row.lifetime,
        owner_type: row.owner_type,
        owner_ref: row.owner_ref,
        model_id: row.model_id,
        model_name: row.model_name,
        model_type: row.type_normalized,
        streaming: row.streaming,
        size: row.size,
        created_at: row.created_at,
        tags: row.tags,
    }
}

fn collected(collected: Collected, dry_run: bool) -> DataCollected {
    let expired = collected.expired.into_iter().map(|expired| ExpiredData {
        type_name: expired.type_path.to_string(),
        model_id: expired.model_id,
        data_name: expired.name,
        reason: expired.reason,
        versions: expired.versions,
    });
    let expired_entries: Vec<ExpiredData> = expired.collect();
    DataCollected {
        data_entries_expired: expired_entries.len(),
        versions_deleted: collected.versions,
        wal_pages_total: 0,
        wal_pages_checkpointed: 0,
        bytes_reclaimed: collected.bytes,
        dry_run,
        expired_entries,
    }
}

fn pruned(orphans: Vec<Orphan>, dry_run: bool) -> DataPruned {
    let models = orphans.into_iter().map(|orphan| OrphanedModel {
        type_name: orphan.type_name,
        model_id: orphan.model_id,
        data_names: orphan.names,
        versions: orphan.versions,
        bytes: orphan.bytes,
    });
    let models: Vec<OrphanedModel> = models.collect();
    DataPruned {
        models_reclaimed: models.len(),
        data_entries_reclaimed: models.iter().map(|model| model.data_names.len()).sum(),
        versions_deleted: models.iter().map(|model| model.versions).sum(),
        bytes_reclaimed: models.iter().map(|model| model.bytes).sum(),
        dry_run,
        reclaimed_models: models,
        wal_pages_total: 0,
        wal_pages_checkpointed: 0,
    }
}
