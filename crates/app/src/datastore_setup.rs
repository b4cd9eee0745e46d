//! Where the data of a repository are kept: another directory, the datastore of an extension, a namespace.
//!
//! Every change is one move ([`TreeMoves`]): copy, make durable, switch the marker, remove the old files. So data are in view at
//! every moment, and a command that was killed is completed by the next one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_api::datastore::{
    CatalogPulled, DatastoreCompacted, DatastoreMoved, IndexMigrated, NamespaceList, NamespaceMigrated,
    NamespaceRow, NamespaceSet, NamespaceUnset,
};
use marsh_datastore::{Choice, DIRECTORIES, Datastore, Direction, Moved, TreeMoves, check_namespace};
use marsh_extension::OnFailure;
use marsh_fs::Durability;
use marsh_host_client::Retention;
use marsh_repo::{Layout, Repo, env};
use marsh_types::{TypeName, time::iso_millis};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::AppError;
use crate::session::{App, Session};

/// The file that registers a namespace.
const REGISTRATION: &str = ".namespace.json";

/// A directory that takes the data.
#[derive(Debug, Clone, Default)]
pub struct DirectorySetupRequest {
    /// The directory, relative to the repository; `~` and `$NAME` are replaced.
    pub path: String,
    /// The trees that it takes; empty: all.
    pub directories: Vec<String>,
    /// Whether data stay where they are, out of view.
    pub skip_migration: bool,
}

/// An extension that takes the data.
#[derive(Debug, Clone, Default)]
pub struct ExtensionSetupRequest {
    /// The datastore type.
    pub type_name: String,
    /// Its configuration, a JSON object.
    pub config: String,
    /// Whether local data stay where they are, out of view.
    pub skip_migration: bool,
    /// How long a pull or a push may take.
    pub timeout: Option<Duration>,
}

/// A registration in the store.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    repo_id: String,
    #[serde(default)]
    registered_at: String,
}

/// What a move did, and where the data were and are.
struct Relocated {
    moved: Moved,
    pulled: Option<f64>,
    warnings: Vec<String>,
    from: PathBuf,
    to: PathBuf,
    type_name: String,
}

/// The type of a datastore in a directory.
const FILESYSTEM: &str = "filesystem";

/// The key `datastore` of the marker.
#[derive(Default, Serialize)]
struct DatastoreSetting<'a> {
    #[serde(rename = "type")]
    type_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a Path>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    directories: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<&'a Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
}

impl DatastoreSetting<'_> {
    fn value(&self) -> Result<Value, AppError> {
        serde_json::to_value(self).map_err(|error| text_of(&error, "path of the datastore"))
    }
}

impl Relocated {
    fn document(self) -> DatastoreMoved {
        DatastoreMoved {
            type_name: self.type_name,
            path: self.to.display().to_string(),
            files_copied: self.moved.files,
            // Extensions count in JavaScript numbers.
            files_pulled: self.pulled.map_or(0, |count| count as u64),
            bytes_copied: self.moved.bytes,
            directories_migrated: self.moved.directories,
            errors: Vec::new(),
            source_path: self.from.display().to_string(),
            destination_path: self.to.display().to_string(),
            warnings: self.warnings,
        }
    }
}

/// The directory of the data.
fn data_root(layout: &Layout) -> PathBuf {
    let data = layout.data();
    data.parent().map_or_else(|| data.clone(), Path::to_owned)
}

fn text_of(error: &serde_json::Error, what: &str) -> AppError {
    AppError::usage(format!("invalid {what}: {error}"))
}

impl App {
    /// Moves the data to a directory.
    ///
    /// # Errors
    ///
    /// When the directory cannot take them, holds other data of the same names, or a run is in progress. The data stay where
    /// they are then.
    pub fn setup_directory(&self, request: &DirectorySetupRequest) -> Result<DatastoreMoved, AppError> {
        if let Some(other) = request.directories.iter().find(|name| !DIRECTORIES.contains(&name.as_str())) {
            return Err(AppError::Usage {
                message: format!("`{other}` cannot be in a datastore"),
                hint: Some(format!("trees: {}; all others stay in the repository", DIRECTORIES.join(", "))),
            });
        }
        let mut setting = DatastoreSetting {
            type_name: FILESYSTEM,
            path: Some(Path::new(&request.path)),
            directories: &request.directories,
            ..DatastoreSetting::default()
        };
        let repo = self.repo()?;
        let probe = self.changed(&repo, Some(setting.value()?))?;
        let Choice::Directory { path, .. } = Choice::of(&probe, &self.settings().environment)? else {
            return Err(AppError::usage("`--path` is empty"));
        };
        marsh_fs::create_dir_all(&path)?;
        let path = path
            .canonicalize()
            .map_err(|source| AppError::Read { what: path.display().to_string(), source })?;
        setting.path = Some(&path);
        let choice = Choice::of(&repo, &self.settings().environment)?;
        setting.namespace = choice.namespace();
        if let Some(namespace) = setting.namespace {
            register(&path, namespace, &repo_id(&repo))?;
        }
        Ok(self.relocate(Some(setting.value()?), request.skip_migration, None)?.document())
    }

    /// Moves the data to the datastore of an extension.
    ///
    /// # Errors
    ///
    /// When the type is unknown, the configuration is invalid, the datastore is not healthy or does not take the data, or a run
    /// is in progress. The data stay where they are then.
    pub fn setup_extension(&self, request: &ExtensionSetupRequest) -> Result<DatastoreMoved, AppError> {
        let type_name = TypeName::parse(&request.type_name).map_err(marsh_model::ModelError::from)?;
        let config: Map<String, Value> = serde_json::from_str(&request.config)
            .map_err(|error| text_of(&error, "JSON object in `--config`"))?;
        let setting = DatastoreSetting {
            type_name: type_name.as_str(),
            config: Some(&config),
            ..DatastoreSetting::default()
        };
        Ok(self.relocate(Some(setting.value()?), request.skip_migration, request.timeout)?.document())
    }

    /// The repository with another datastore in its marker, which is not written.
    fn changed(&self, repo: &Repo, datastore: Option<Value>) -> Result<Repo, AppError> {
        if self.settings().environment.get(env::DATASTORE).is_some() {
            return Err(AppError::Refused {
                message: format!("the variable {} names the datastore, not the marker", env::DATASTORE.name),
                hint: Some("unset the variable, and set the datastore up in the repository".into()),
            });
        }
        // Without what the environment adds to the marker.
        let mut changed = Repo::open(repo.layout.root())?;
        match datastore {
            Some(value) => changed.marker.set("datastore", value),
            None => changed.marker.remove("datastore"),
        }
        Ok(changed)
    }

    /// Makes `datastore` the place of the data.
    fn relocate(
        &self,
        datastore: Option<Value>,
        skip: bool,
        timeout: Option<Duration>,
    ) -> Result<Relocated, AppError> {
        let settings = self.settings();
        let plain = self.repo()?;
        let _lock = self.lock(&plain, "datastore-setup.lock", "datastore setup")?;
        let id = repo_id(&plain);
        let session = self.session()?;
        let before = &session.models.repo.layout;
        let mut warnings = self.finish_cut_short(before, &id)?;
        let mut changed = self.changed(&plain, datastore)?;
        let marker = changed.marker.to_yaml().map_err(marsh_repo::RepoError::from)?;
        let choice = Choice::of(&changed, &settings.environment)?;
        let loader = self.loader(&plain, Retention::default(), OnFailure::Report)?;
        let mut store = Datastore::open(&choice, &mut changed, &settings.environment, &loader)?;
        if let (Some(store), Some(timeout)) = (store.as_mut(), timeout) {
            store.limit_sync(timeout);
        }
        if let Some(store) = &store {
            let health = store.verify()?;
            if !health.healthy {
                return Err(AppError::Refused {
                    message: format!("the datastore is not healthy: {}", health.message),
                    hint: Some("nothing was changed; check its configuration".into()),
                });
            }
        }
        let after = &changed.layout;
        let trees = DIRECTORIES.map(|name| (name.to_owned(), before.tree(name), after.tree(name)));
        let moves = TreeMoves::new(&id, trees);
        if moves.is_nested() {
            return Err(AppError::usage("the new place of the data is inside the old one"));
        }
        let copy = || match skip {
            true => Ok(Moved::default()),
            false => moves.copy(),
        };
        // The old datastore is pulled first, and its lock keeps others from changing it.
        let mut pulled = None;
        let copied = session.write(|_| match &store {
            None => Ok(copy()),
            Some(store) => {
                let done = store.exclusively(copy)?;
                pulled = done.pulled;
                done.pushed.map(|_| done.value)
            }
        })?;
        let moved = copied.value??;
        switch(&plain.layout, &marker)?;
        if skip {
            let left = moves.count()?;
            if left > 0 {
                warnings.push(format!(
                    "{left} files stay in {}, out of view: run the command without `--skip-migration` to move them",
                    data_root(before).display()
                ));
            }
        } else if session.datastore().is_some() {
            moves.close()?;
            warnings.push("the former datastore keeps its data".to_owned());
        } else {
            warnings.extend(moves.finish()?);
        }
        Ok(Relocated {
            moved,
            pulled,
            warnings,
            from: data_root(before),
            to: data_root(after),
            type_name: choice.type_name().to_owned(),
        })
    }

    /// The place of the data with another namespace, for the marker.
    fn with_namespace(&self, repo: &Repo, namespace: Option<&str>) -> Result<Option<Value>, AppError> {
        let choice = Choice::of(repo, &self.settings().environment)?;
        if let Choice::Extension { type_name, .. } = &choice {
            return Err(AppError::Refused {
                message: format!("the datastore `{type_name}` of an extension has no namespaces"),
                hint: Some(
                    "give each repository a location of its own in the datastore's configuration".into(),
                ),
            });
        }
        let mut map = match repo.marker.value("datastore") {
            Some(Value::Object(map)) => map.clone(),
            _ => Map::from_iter([("type".to_owned(), Value::from(FILESYSTEM))]),
        };
        match namespace {
            Some(namespace) => drop(map.insert("namespace".to_owned(), Value::from(namespace))),
            None => drop(map.remove("namespace")),
        }
        // A datastore that says nothing is none.
        let is_default = map.len() == 1 && map.get("type") == Some(&Value::from(FILESYSTEM));
        Ok((!is_default).then_some(Value::Object(map)))
    }

    /// The directory that repositories share, and this repository's namespace in it.
    fn shared(&self, repo: &Repo) -> Result<(PathBuf, Option<String>), AppError> {
        let choice = Choice::of(repo, &self.settings().environment)?;
        let store = choice.store(&repo.layout).ok_or_else(|| AppError::Refused {
            message: format!("the datastore `{}` of an extension has no namespaces", choice.type_name()),
            hint: Some("give each repository a location of its own in the datastore's configuration".into()),
        })?;
        Ok((store, choice.namespace().map(str::to_owned)))
    }

    /// Gives the repository a namespace in its store, and moves its data there.
    ///
    /// # Errors
    ///
    /// When the name is invalid or another repository's, or the data cannot be moved; they stay where they are then.
    pub fn set_namespace(&self, namespace: &str) -> Result<NamespaceSet, AppError> {
        check_namespace(namespace).map_err(AppError::usage)?;
        let repo = self.repo()?;
        let (store, before) = self.shared(&repo)?;
        let value = self.with_namespace(&repo, Some(namespace))?;
        register(&store, namespace, &repo_id(&repo))?;
        let done = self.relocate(value, false, None);
        if done.is_err() {
            self.forget_others(&store, before.as_deref().unwrap_or_default(), &repo_id(&repo))?;
        }
        let done = done?;
        self.forget_others(&store, namespace, &repo_id(&repo))?;
        Ok(NamespaceSet {
            namespace: namespace.to_owned(),
            datastore_path: store.display().to_string(),
            warning: (!done.warnings.is_empty()).then(|| done.warnings.join("; ")),
            registration_skipped: false,
            migrated_directories: done.moved.directories,
            total_files: done.moved.files,
        })
    }

    /// Removes the repository's namespace, and moves its data out of it.
    ///
    /// # Errors
    ///
    /// When there is none, or the data cannot be moved; they stay where they are then.
    pub fn unset_namespace(&self) -> Result<NamespaceUnset, AppError> {
        let repo = self.repo()?;
        let (store, namespace) = self.shared(&repo)?;
        let Some(previous_namespace) = namespace else { return self.complete_unset(&repo, &store) };
        let value = self.with_namespace(&repo, None)?;
        let done = self.relocate(value, false, None)?;
        self.forget_others(&store, "", &repo_id(&repo))?;
        Ok(NamespaceUnset {
            previous_namespace,
            migrated_directories: done.moved.directories,
            total_files: done.moved.files,
            warnings: done.warnings,
        })
    }

    /// Completes the removal of a namespace that was cut short after the switch: its registration goes last.
    fn complete_unset(&self, repo: &Repo, store: &Path) -> Result<NamespaceUnset, AppError> {
        let _lock = self.lock(repo, "datastore-setup.lock", "datastore namespace unset")?;
        let id = repo_id(repo);
        let left = registrations(store)?.into_iter().find(|(_, registration)| registration.repo_id == id);
        let Some((previous_namespace, _)) = left else { return Err(no_namespace()) };
        let warnings = self.finish_cut_short(&self.session()?.models.repo.layout, &id)?;
        self.forget_others(store, "", &id)?;
        Ok(NamespaceUnset { previous_namespace, migrated_directories: Vec::new(), total_files: 0, warnings })
    }

    /// Ends a move whose process died after the switch.
    fn finish_cut_short(&self, layout: &Layout, id: &str) -> Result<Vec<String>, AppError> {
        let trees = DIRECTORIES.iter();
        let mut dirs: Vec<PathBuf> =
            trees.filter_map(|name| layout.tree(name).parent().map(Path::to_owned)).collect();
        dirs.dedup();
        match TreeMoves::unfinished(id, &dirs)? {
            Some(unfinished) => Ok(unfinished.finish()?),
            None => Ok(Vec::new()),
        }
    }

    /// Moves data that another program left beside the namespace into it; with `reverse`, removes the namespace.
    ///
    /// # Errors
    ///
    /// Those of [`App::set_namespace`] and [`App::unset_namespace`].
    pub fn migrate_namespace(&self, reverse: bool) -> Result<NamespaceMigrated, AppError> {
        let repo = self.repo()?;
        let (store, namespace) = self.shared(&repo)?;
        let Some(namespace) = namespace else { return Err(no_namespace()) };
        let datastore_path = store.display().to_string();
        let (directories, files, bytes, warnings) = if reverse {
            let done = self.unset_namespace()?;
            (done.migrated_directories, done.total_files, 0, done.warnings)
        } else {
            let _lock = self.lock(&repo, "datastore-setup.lock", "datastore namespace migrate")?;
            register(&store, &namespace, &repo_id(&repo))?;
            let choice = Choice::of(&repo, &self.settings().environment)?;
            let inside = |name: &String| (name.clone(), store.join(name), store.join(&namespace).join(name));
            let moves = TreeMoves::new(&repo_id(&repo), choice.directories().iter().map(inside));
            let moved = moves.copy()?;
            (moved.directories, moved.files, moved.bytes, moves.finish()?)
        };
        Ok(NamespaceMigrated {
            namespace,
            datastore_path,
            reverse,
            migrated_directories: directories,
            total_files: files,
            total_bytes: bytes,
            is_extension_datastore: false,
            warnings,
        })
    }

    /// The namespaces of the store.
    ///
    /// # Errors
    ///
    /// When the data are in the datastore of an extension, or the store cannot be read.
    pub fn namespaces(&self) -> Result<NamespaceList, AppError> {
        let repo = self.repo()?;
        let (store, current) = self.shared(&repo)?;
        let rows = registrations(&store)?.into_iter().map(|(namespace, registration)| NamespaceRow {
            is_current: current.as_deref() == Some(&namespace),
            namespace,
            repo_id: registration.repo_id,
            registered_at: registration.registered_at,
        });
        Ok(NamespaceList { namespaces: rows.collect(), current_namespace: current })
    }

    /// Removes registrations of this repository under other names, whose directories are empty.
    fn forget_others(&self, store: &Path, namespace: &str, id: &str) -> Result<(), AppError> {
        for (other, registration) in registrations(store)? {
            if other != namespace && registration.repo_id == id {
                let dir = store.join(&other);
                marsh_fs::remove_file_if_exists(&dir.join(REGISTRATION))?;
                if !marsh_fs::remove_dir_if_empty(&dir)? {
                    register(store, &other, id)?;
                }
            }
        }
        Ok(())
    }
}

impl Session {
    /// Makes the file of the data catalog as small as it can be.
    ///
    /// # Errors
    ///
    /// When the data cannot be read.
    pub fn compact_datastore(&self) -> Result<DatastoreCompacted, AppError> {
        let compacted = self.models.stored_data().compact_catalog()?;
        Ok(DatastoreCompacted {
            wal_pages_total: 0,
            wal_pages_checkpointed: 0,
            db_bytes_reclaimed: compacted.unwrap_or(0),
            vacuum_skipped: compacted.is_none(),
        })
    }

    /// Says that the datastore needs no other index.
    ///
    /// # Errors
    ///
    /// When the data are in a directory.
    pub fn migrate_datastore_index(&self) -> Result<IndexMigrated, AppError> {
        let store = self.datastore().ok_or_else(crate::datastore::no_extension)?;
        Ok(IndexMigrated {
            datastore_type: store.type_name().to_owned(),
            migrated: false,
            message: "marsh keeps no index in a datastore: there is nothing to migrate".to_owned(),
        })
    }

    /// Pulls the datastore, with the data of all namespaces.
    ///
    /// # Errors
    ///
    /// When the data are in a directory, or the datastore fails.
    pub fn pull_catalogs(&self, namespaces: &[String]) -> Result<CatalogPulled, AppError> {
        let store = self.datastore().ok_or_else(crate::datastore::no_extension)?;
        let pulled = store.synchronize(Direction::Pull)?.pulled;
        Ok(CatalogPulled {
            namespaces: namespaces.to_vec(),
            files_pulled: pulled.map_or(0, |count| count as u64),
        })
    }
}

fn no_namespace() -> AppError {
    AppError::Refused {
        message: "the repository has no namespace".into(),
        hint: Some("set one with `marsh datastore namespace set <name>`".into()),
    }
}

/// Names the repository in shared places: its id, else its directory.
fn repo_id(repo: &Repo) -> String {
    let root = repo.layout.root().as_os_str().as_encoded_bytes();
    repo.marker.repo_id().map_or_else(|| marsh_types::Digest::of(root).to_hex(), str::to_owned)
}

fn switch(layout: &Layout, marker: &str) -> Result<(), AppError> {
    marsh_fs::atomic_write(&layout.marker(), marker.as_bytes(), Durability::Synced)?;
    Ok(marsh_fs::sync_dir(layout.root())?)
}

/// Registers a namespace for a repository. A second time changes nothing.
fn register(store: &Path, namespace: &str, id: &str) -> Result<(), AppError> {
    let known = registrations(store)?.into_iter().find(|(name, _)| name == namespace);
    if let Some((_, registration)) = &known {
        return match registration.repo_id == id {
            true => Ok(()),
            false => Err(AppError::Refused {
                message: format!("the namespace `{namespace}` is of the repository {}", registration.repo_id),
                hint: Some("run `marsh datastore namespace list`, and choose another name".into()),
            }),
        };
    }
    let dir = store.join(namespace);
    let registration =
        Registration { repo_id: id.to_owned(), registered_at: iso_millis(jiff::Timestamp::now()) };
    let text =
        serde_json::to_string_pretty(&registration).map_err(|error| text_of(&error, "registration"))?;
    marsh_fs::create_dir_all(&dir)?;
    marsh_fs::atomic_write(&dir.join(REGISTRATION), (text + "\n").as_bytes(), Durability::Synced)?;
    Ok(marsh_fs::sync_dir(&dir)?)
}

/// The registered namespaces of a store, by name. A file that is not a registration is left out.
fn registrations(store: &Path) -> Result<Vec<(String, Registration)>, AppError> {
    let failed = |source| AppError::Read { what: store.display().to_string(), source };
    let entries = match std::fs::read_dir(store) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let Ok(bytes) = marsh_fs::read(path.join(REGISTRATION)) else { continue };
        match serde_json::from_slice::<Registration>(&bytes) {
            Ok(registration) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                found.push((name, registration));
            }
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "damaged registration of a namespace")
            }
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}
