//! Rows of the catalog: versions are read from the tree and written to SQLite.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

use marsh_types::TypeName;
use rusqlite::{Connection, params};

use super::CatalogError;
use super::tree::{Seen, Stamp, Version};
use crate::Metadata;
use crate::read::read_version;

/// Threads that read metadata files: parsing takes most of the time.
pub(super) const READERS: usize = 4;
/// Versions that a reader passes on at once, as each hand-over may wake a thread.
const BATCH: usize = 128;
/// Batches that wait to be written, so that memory stays bounded.
const WAITING: usize = 16;

/// A version in the catalog.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Empty: marsh has no namespaces.
    pub namespace: String,
    /// The type of the model, normalized.
    pub type_normalized: String,
    /// The id of the model.
    pub model_id: String,
    /// The name of the data.
    pub name: String,
    /// The number of the version.
    pub version: u32,
    /// The highest version that its step wrote; where no step wrote, the highest.
    pub is_latest: bool,
    /// The id of the version.
    pub id: String,
    /// The name of the model, by the tag `modelName`.
    pub model_name: String,
    /// The output, by the tag `specName`.
    pub spec_name: String,
    /// `resource`, `file` or `report`, by the tag `type`.
    pub data_type: String,
    /// The media type.
    pub content_type: String,
    /// The lifetime, as text.
    pub lifetime: String,
    /// The type of the owner.
    pub owner_type: String,
    /// Whether the content was appended while the run went on.
    pub streaming: bool,
    /// Bytes of content.
    pub size: u64,
    /// ISO 8601 with milliseconds.
    pub created_at: String,
    /// All tags, as a map.
    pub tags: serde_json::Value,
    /// The id of the owner.
    pub owner_ref: String,
    /// The workflow run; empty without one.
    pub workflow_run_id: String,
    /// The workflow; empty without one.
    pub workflow_name: String,
    /// The job; empty without one.
    pub job_name: String,
    /// The step; empty without one.
    pub step_name: String,
    /// The source; empty without one.
    pub source: String,
    /// `deleted` on a tombstone.
    pub lifecycle: String,
    /// The new name of renamed data; else empty.
    pub renamed_to: String,
}

impl Row {
    /// A version that was found without the catalog.
    pub fn of(type_path: &TypeName, model_id: &str, metadata: &Metadata, is_latest: bool) -> Row {
        let tag = |name: &str| metadata.tags.get(name).unwrap_or_default().to_owned();
        let owner = &metadata.owner_definition;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Row {
            namespace: String::new(),
            type_normalized: type_path.to_string(),
            model_id: model_id.to_owned(),
            name: metadata.name.clone(),
            version: metadata.version,
            is_latest,
            id: metadata.id.clone(),
            model_name: tag("modelName"),
            spec_name: tag("specName"),
            data_type: tag("type"),
            content_type: metadata.content_type.clone(),
            lifetime: metadata.lifetime.to_string(),
            owner_type: owner.owner_type.clone(),
            streaming: metadata.streaming,
            size: metadata.size.unwrap_or(0),
            created_at: metadata.created_at.clone(),
            tags: serde_json::to_value(&metadata.tags).unwrap_or_default(),
            owner_ref: owner.owner_ref.clone(),
            workflow_run_id: text(&owner.workflow_run_id),
            workflow_name: text(&owner.workflow_name),
            job_name: text(&owner.job_name),
            step_name: text(&owner.step_name),
            source: text(&owner.source),
            lifecycle: text(&metadata.lifecycle),
            renamed_to: text(&metadata.renamed_to),
        }
    }

    /// In the order of [`COLUMNS`].
    pub(super) fn from_sql(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
        let tags: String = row.get(15)?;
        let size: i64 = row.get(13)?;
        Ok(Row {
            namespace: row.get(0)?,
            type_normalized: row.get(1)?,
            model_id: row.get(2)?,
            name: row.get(3)?,
            version: row.get(4)?,
            is_latest: row.get(5)?,
            id: row.get(6)?,
            model_name: row.get(7)?,
            spec_name: row.get(8)?,
            data_type: row.get(9)?,
            content_type: row.get(10)?,
            lifetime: row.get(11)?,
            owner_type: row.get(12)?,
            size: size.unsigned_abs(),
            created_at: row.get(14)?,
            tags: serde_json::from_str(&tags).map_err(damaged_tags)?,
            streaming: row.get(16)?,
            owner_ref: row.get(17)?,
            workflow_run_id: row.get(18)?,
            workflow_name: row.get(19)?,
            job_name: row.get(20)?,
            step_name: row.get(21)?,
            source: row.get(22)?,
            lifecycle: row.get(23)?,
            renamed_to: row.get(24)?,
        })
    }
}

/// The query begins anew from the files.
fn damaged_tags(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(15, rusqlite::types::Type::Text, Box::new(error))
}

pub(super) const COLUMNS: &str = "namespace, type_normalized, model_id, data_name, version, is_latest, id, model_name, \
     spec_name, data_type, content_type, lifetime, owner_type, size, created_at, tags, streaming, owner_ref, \
     workflow_run_id, workflow_name, job_name, step_name, source, lifecycle, renamed_to";

/// Writes what was seen. Called within a transaction.
pub(super) fn apply(connection: &Connection, seen: &mut Seen) -> Result<(), CatalogError> {
    forget(connection, seen)?;
    let unfinished = read_all(connection, seen)?;
    let mut put =
        connection.prepare_cached("INSERT OR REPLACE INTO dirs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for dir in &seen.dirs {
        let settled = dir.settled && !unfinished.contains(&dir.id);
        let (inode, changed) = (dir.stamp.inode, dir.stamp.changed);
        put.execute(params![dir.id, dir.parent, dir.name, inode, changed, settled, dir.holder])?;
    }
    let mut mark = connection.prepare_cached(
        "UPDATE records SET is_latest = (version = (SELECT max(other.version) FROM records other \
         WHERE other.dir = records.dir AND other.step_name = records.step_name)) WHERE dir = ?1",
    )?;
    let rebuilding = seen.dirs.iter().any(|dir| dir.id == 0) && seen.stale.is_empty() && seen.gone.is_empty();
    let has_index =
        connection.query_row("SELECT count(*) FROM sqlite_master WHERE name = 'by_dir'", [], |row| {
            row.get::<_, i64>(0)
        })? > 0;
    if rebuilding && !has_index {
        // All at once; without an index, one name at a time would look at all rows each time.
        connection.execute_batch(
            "CREATE INDEX for_latest ON records (dir, step_name, version);
             UPDATE records SET is_latest = 1 WHERE rowid IN (
               SELECT rowid FROM (SELECT rowid, max(version) FROM records GROUP BY dir, step_name));
             DROP INDEX for_latest;",
        )?;
    } else {
        for dir in &seen.touched {
            mark.execute([dir])?;
        }
    }
    Ok(())
}

fn forget(connection: &Connection, seen: &Seen) -> Result<(), CatalogError> {
    let mut below = connection.prepare_cached("SELECT id FROM dirs WHERE parent = ?1 AND id <> 0")?;
    let mut pending = seen.gone.clone();
    while let Some(dir) = pending.pop() {
        for child in below.query_map([dir], |row| row.get(0))? {
            pending.push(child?);
        }
        connection.prepare_cached("DELETE FROM records WHERE dir = ?1")?.execute([dir])?;
        connection.prepare_cached("DELETE FROM dirs WHERE id = ?1")?.execute([dir])?;
    }
    let mut stale = connection.prepare_cached("DELETE FROM records WHERE dir = ?1 AND version = ?2")?;
    for (dir, version) in &seen.stale {
        stale.execute(params![dir, version])?;
    }
    Ok(())
}

enum Found {
    Version(usize, Stamp, Box<Metadata>),
    /// Gone, or not whole.
    Nothing(usize),
    Damaged(usize),
}

/// Reads and inserts the versions. Returns the directories whose listing was not the last word.
fn read_all(connection: &Connection, seen: &mut Seen) -> Result<HashSet<i64>, CatalogError> {
    let mut unfinished = HashSet::new();
    let versions = std::mem::take(&mut seen.versions);
    let next = AtomicUsize::new(0);
    let read = |at: usize| -> Option<Found> {
        let version = versions.get(at)?;
        // Its stamp first: whatever changes later makes it another one.
        let stamp = match version.stamp {
            Some(stamp) => Ok(Some(stamp)),
            None => Stamp::of(&version.place.path.join(version.number.to_string())),
        };
        Some(match (stamp, read_version(&version.place.path, version.number)) {
            (Ok(Some(stamp)), Ok(Some(metadata))) => Found::Version(at, stamp, Box::new(metadata)),
            (Ok(_), Ok(_)) => Found::Nothing(at),
            (Err(_), _) | (_, Err(_)) => Found::Damaged(at),
        })
    };
    let mut write = |found: Found| -> Result<(), CatalogError> {
        match found {
            Found::Version(at, stamp, metadata) => {
                let Some(version) = versions.get(at) else { return Ok(()) };
                insert(connection, version, stamp, &metadata)?;
                seen.read += 1;
            }
            Found::Nothing(at) | Found::Damaged(at) => {
                if matches!(found, Found::Damaged(_)) {
                    seen.damaged += 1;
                }
                unfinished.extend(versions.get(at).map(|version| version.place.dir));
            }
        }
        Ok(())
    };
    if versions.len() < 64 {
        (0..versions.len()).filter_map(read).try_for_each(&mut write)?;
        return Ok(unfinished);
    }
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        for _ in 0..READERS {
            let (sender, next, read) = (sender.clone(), &next, &read);
            scope.spawn(move || {
                loop {
                    let first = next.fetch_add(BATCH, Ordering::Relaxed);
                    let batch: Vec<Found> = (first..first.saturating_add(BATCH)).map_while(read).collect();
                    // All is read, or the writer has given up.
                    if batch.is_empty() || sender.send(batch).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        receiver.iter().flatten().try_for_each(&mut write)
    })?;
    Ok(unfinished)
}

fn insert(
    connection: &Connection,
    version: &Version,
    stamp: Stamp,
    metadata: &Metadata,
) -> Result<(), CatalogError> {
    let tag = |name: &str| metadata.tags.get(name).unwrap_or_default();
    let owner = &metadata.owner_definition;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let mut statement = connection.prepare_cached(
        "INSERT INTO records VALUES (?1, ?2, ?3, ?4, 0, '', ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
         ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)",
    )?;
    let tags = serde_json::to_string(&metadata.tags).unwrap_or_else(|_| "{}".to_owned());
    statement.execute(params![
        version.place.dir,
        version.number,
        stamp.inode,
        stamp.changed,
        version.place.type_path,
        version.place.model_id,
        version.place.name,
        metadata.id,
        tag("modelName"),
        tag("specName"),
        tag("type"),
        metadata.content_type,
        metadata.lifetime.to_string(),
        owner.owner_type,
        metadata.streaming,
        i64::try_from(metadata.size.unwrap_or(0)).unwrap_or(i64::MAX),
        metadata.created_at,
        tags,
        owner.owner_ref,
        text(&owner.workflow_run_id),
        text(&owner.workflow_name),
        text(&owner.job_name),
        text(&owner.step_name),
        text(&owner.source),
        text(&metadata.lifecycle),
        text(&metadata.renamed_to),
    ])?;
    Ok(())
}
