//! Operations on the datastore: status, synchronization, lock, types.

use std::time::Duration;

use marsh_api::datastore::{
    DatastoreLock, DatastoreLockReleased, DatastoreStatus, DatastoreSyncRequest, DatastoreSynced,
    DatastoreTypeRow, DatastoreTypeSearch, SyncMode,
};
use marsh_datastore::{Choice, Datastore, Direction};
use marsh_types::Kind;

use crate::error::AppError;
use crate::session::{Read, Session};

impl Read<'_> {
    /// Where the data are, and whether the datastore works. A datastore that does not work is not an error.
    ///
    /// # Errors
    ///
    /// When the configuration of the datastore is invalid.
    pub fn datastore_status(&self) -> Result<DatastoreStatus, AppError> {
        let models = self.models();
        let choice = Choice::of(&models.repo, &models.env)?;
        let data = models.repo.layout.data();
        let path =
            self.datastore().map_or_else(|| data.parent().unwrap_or(&data), marsh_datastore::Datastore::root);
        let mut status = DatastoreStatus {
            type_name: choice.type_name().to_owned(),
            path: path.display().to_string(),
            directories: choice.directories(),
            unpushed_changes: None,
            latency_ms: None,
            details: None,
            healthy: true,
            message: "all is well".to_owned(),
        };
        let Some(store) = self.datastore() else { return Ok(status) };
        status.unpushed_changes = Some(store.has_changes());
        match store.verify() {
            Ok(health) => {
                status.latency_ms = Some(health.latency_ms);
                status.details = Some(health.details);
                if !health.healthy {
                    (status.healthy, status.message) = (false, health.message);
                }
            }
            Err(error) => {
                status.healthy = false;
                status.message = models.secrets.redact(&error.to_string()).into_owned();
            }
        }
        Ok(status)
    }

    /// Whether the datastore's lock is held, and by whom.
    ///
    /// # Errors
    ///
    /// When the datastore of an extension does not answer. A directory has no such lock, and nothing holds it.
    pub fn datastore_lock(&self) -> Result<DatastoreLock, AppError> {
        let Some(store) = self.datastore() else {
            return Ok(DatastoreLock { held: false, info: None, datastore_type: "filesystem".to_owned() });
        };
        let info = store.lock_holder()?;
        Ok(DatastoreLock { held: info.is_some(), info, datastore_type: store.type_name().to_owned() })
    }

    /// The datastore types of sources and installed extensions whose names contain the text.
    ///
    /// # Errors
    ///
    /// When the sources cannot be listed.
    pub fn search_datastore_types(&self, query: Option<&str>) -> Result<DatastoreTypeSearch, AppError> {
        let query = query.unwrap_or_default();
        let wanted = query.to_lowercase();
        let catalog = self.models().loader.catalog()?;
        let all = catalog.of_kind(Kind::Datastore);
        let found = all.iter().filter(|indexed| indexed.type_name.as_str().contains(&wanted));
        let results = found.map(|indexed| DatastoreTypeRow {
            type_name: indexed.raw.clone(),
            origin: indexed.root.origin,
            path: indexed.path.display().to_string(),
        });
        Ok(DatastoreTypeSearch { query: query.to_owned(), results: results.collect() })
    }
}

impl Session {
    /// Pulls, pushes or both, under the datastore's lock.
    ///
    /// # Errors
    ///
    /// When the data are not in the datastore of an extension, the lock cannot be taken, or the datastore fails.
    pub fn sync_datastore(&mut self, request: &DatastoreSyncRequest) -> Result<DatastoreSynced, AppError> {
        let store = self.datastore_mut().ok_or_else(no_extension)?;
        if let Some(timeout) = request.timeout_ms {
            store.limit_sync(Duration::from_millis(timeout));
        }
        let direction = match request.mode {
            SyncMode::Pull => Direction::Pull,
            SyncMode::Push => Direction::Push,
            SyncMode::Sync => Direction::Both,
        };
        let synced = store.synchronize(direction)?;
        // Extensions count in JavaScript numbers; a fraction or a negative one is their mistake, and is cut off.
        let count = |files: Option<f64>| files.map(|files| files as u64);
        Ok(DatastoreSynced {
            mode: request.mode,
            files_pulled: count(synced.pulled),
            files_pushed: count(synced.pushed),
        })
    }

    /// Takes the datastore's lock from its holder, alive or not.
    ///
    /// # Errors
    ///
    /// When the datastore of an extension does not answer. A directory has no such lock, and nothing is released.
    pub fn release_datastore_lock(&self) -> Result<DatastoreLockReleased, AppError> {
        let Some(store) = self.datastore() else {
            return Ok(not_held("filesystem", "a directory has no lock that a process could leave"));
        };
        let info = store.release_lock()?;
        let datastore_type = store.type_name().to_owned();
        let reason = info.is_none().then(|| "the lock is not held".to_owned());
        Ok(DatastoreLockReleased { released: info.is_some(), info, datastore_type, reason })
    }

    /// The answer about the lock of one model. marsh locks the datastore as a whole, and a model's data only by kernel locks,
    /// which end with their process.
    pub fn release_model_lock(&self) -> DatastoreLockReleased {
        let store = self.datastore().map_or("filesystem", Datastore::type_name);
        not_held(store, "a model has no lock that a process could leave")
    }
}

fn not_held(datastore_type: &str, reason: &str) -> DatastoreLockReleased {
    DatastoreLockReleased {
        released: false,
        info: None,
        datastore_type: datastore_type.to_owned(),
        reason: Some(reason.to_owned()),
    }
}

pub(crate) fn no_extension() -> AppError {
    AppError::Refused {
        message: "the data of this repository are in a directory, which needs no synchronization".into(),
        hint: Some("name the datastore of an extension under `datastore` in `.swamp.yaml`".into()),
    }
}
