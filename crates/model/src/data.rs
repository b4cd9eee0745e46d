//! Stored data of all models: collection, orphans, and the catalog.

use std::collections::HashSet;

use marsh_data::{CollectRequest, Collected, DataCatalog, DataStore};
use marsh_repo::Layout;
use marsh_types::TypeName;

use crate::Models;
use crate::definition::DefinitionStore;
use crate::error::ModelError;

/// Data of a model whose definition is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orphan {
    /// The model's type.
    pub type_name: String,
    /// The model's id.
    pub model_id: String,
    /// The names of its data.
    pub names: Vec<String>,
    /// How many versions there are.
    pub versions: usize,
    /// The size of their content.
    pub bytes: u64,
}

/// Collects stored data of all models, and finds those of models that are gone.
#[derive(Debug, Clone)]
pub struct DataMaintenance {
    layout: Layout,
    definitions: DefinitionStore,
    store: DataStore,
}

impl DataMaintenance {
    /// The data of `store`; definitions and run records are below the directories of `layout`.
    pub fn new(layout: Layout, store: DataStore) -> DataMaintenance {
        DataMaintenance { definitions: DefinitionStore::new(layout.clone()), layout, store }
    }

    /// Whether the record of a workflow run exists.
    pub fn run_exists(&self, workflow_id: &str, run_id: &str) -> bool {
        let is_plain = |text: &str| !text.is_empty() && !text.contains(['/', '\\']) && !text.contains("..");
        let dir = self.layout.workflow_runs().join(workflow_id);
        is_plain(workflow_id) && is_plain(run_id) && dir.join(format!("workflow-run-{run_id}.yaml")).is_file()
    }

    /// Deletes expired data and surplus versions, of one model or of all.
    ///
    /// # Errors
    ///
    /// The data cannot be read or removed.
    pub fn collect(&self, model: Option<(&TypeName, &str)>, dry_run: bool) -> Result<Collected, ModelError> {
        let request = CollectRequest {
            now: jiff::Timestamp::now(),
            run_exists: &|workflow, run| self.run_exists(workflow, run),
            model,
            dry_run,
        };
        Ok(self.store.collect(&request)?)
    }

    /// Data whose model has no definition.
    ///
    /// # Errors
    ///
    /// The data cannot be read, or the id of some definition is illegible, so that its data look like orphans.
    pub fn orphans(&self) -> Result<Vec<Orphan>, ModelError> {
        let (definitions, broken) = self.definitions.list();
        let mut living: HashSet<String> =
            definitions.into_iter().map(|stored| stored.definition.id.to_ascii_lowercase()).collect();
        // A definition that does not parse still owns its data, and its id is most likely still legible. Where it is not,
        // nothing may be called an orphan: it could be deleted.
        for broken in &broken {
            let text = marsh_fs::read_to_string(&broken.path)
                .map_err(|source| ModelError::Io { path: broken.path.clone(), source })?;
            let ids = text.lines().filter_map(|line| line.trim().strip_prefix("id:"));
            let ids: Vec<String> =
                ids.map(|id| id.trim().trim_matches(['"', '\'']).to_ascii_lowercase()).collect();
            let is_illegible = ids.is_empty();
            living.extend(ids);
            if is_illegible {
                let reason =
                    format!("its data cannot be told from orphans, as it names no `id`: {}", broken.message);
                return Err(ModelError::InvalidDefinition { path: broken.path.clone(), reason });
            }
        }
        let store = &self.store;
        let mut orphans = Vec::new();
        for (type_name, model_id) in store.list_models()? {
            // Data of the server and of workflows never have a definition.
            let internal = type_name.as_str().starts_with("swamp/") || type_name.as_str() == "workflow";
            if internal || living.contains(&model_id.to_ascii_lowercase()) {
                continue;
            }
            let mut orphan =
                Orphan { type_name: type_name.to_string(), model_id: model_id.clone(), ..Orphan::default() };
            for latest in store.list_model(&type_name, &model_id)? {
                let versions = store.versions(&type_name, &model_id, &latest.name)?;
                orphan.versions += versions.len();
                orphan.bytes += versions.iter().filter_map(|version| version.size).sum::<u64>();
                orphan.names.push(latest.name);
            }
            orphans.push(orphan);
        }
        Ok(orphans)
    }

    /// Deletes the data that [`orphans`](Self::orphans) found, unless they have a definition by now. Returns what was deleted.
    ///
    /// # Errors
    ///
    /// The data cannot be read or removed.
    pub fn remove_orphans(&self, found: &[Orphan]) -> Result<Vec<Orphan>, ModelError> {
        let still = self.orphans()?;
        let mut removed = Vec::new();
        for orphan in found {
            let Some(now) =
                still.iter().find(|now| now.model_id == orphan.model_id && now.type_name == orphan.type_name)
            else {
                continue;
            };
            let type_name = TypeName::parse(&now.type_name)?;
            for name in &now.names {
                self.store.delete(&type_name, &now.model_id, name, None)?;
            }
            removed.push(now.clone());
        }
        Ok(removed)
    }
}

impl Models {
    /// The store, for changes that must survive a power failure as soon as they are reported.
    pub fn durable_data(&self) -> DataStore {
        DataStore::new(self.repo.layout.data())
    }

    /// The catalog, brought up to date.
    ///
    /// # Errors
    ///
    /// The data cannot be read, or SQLite fails.
    pub fn catalog(&self) -> Result<DataCatalog, ModelError> {
        self.stored_data().catalog()
    }

    /// [`DataMaintenance::run_exists`].
    pub fn run_exists(&self, workflow_id: &str, run_id: &str) -> bool {
        self.maintenance.run_exists(workflow_id, run_id)
    }

    /// [`DataMaintenance::collect`].
    ///
    /// # Errors
    ///
    /// The data cannot be read or removed.
    pub fn collect(&self, model: Option<(&TypeName, &str)>, dry_run: bool) -> Result<Collected, ModelError> {
        self.maintenance.collect(model, dry_run)
    }

    /// [`DataMaintenance::orphans`].
    ///
    /// # Errors
    ///
    /// The data cannot be read, or the id of some definition is illegible.
    pub fn orphans(&self) -> Result<Vec<Orphan>, ModelError> {
        self.maintenance.orphans()
    }

    /// [`DataMaintenance::remove_orphans`].
    ///
    /// # Errors
    ///
    /// The data cannot be read or removed.
    pub fn remove_orphans(&self, found: &[Orphan]) -> Result<Vec<Orphan>, ModelError> {
        self.maintenance.remove_orphans(found)
    }

    /// Collects after a method run, if the marker's `autoGc` is set.
    pub(crate) fn collect_after_run(
        &self,
        type_name: &TypeName,
        model_id: &str,
        written: &[marsh_data::Metadata],
    ) -> Result<(), ModelError> {
        if self.repo.marker.flag("autoGc") != Some(true) {
            return Ok(());
        }
        for metadata in written {
            self.data.store().prune(type_name, model_id, &metadata.name, jiff::Timestamp::now())?;
        }
        self.collect(Some((type_name, model_id)), false)?;
        Ok(())
    }
}
