//! The tables.

use rusqlite::Connection;

/// Part of the file's name: binaries of different versions do not meet in one file.
pub const VERSION: u32 = 1;

pub fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE dirs (
           id INTEGER PRIMARY KEY, parent INTEGER NOT NULL, name TEXT NOT NULL,
           inode INTEGER NOT NULL, changed INTEGER NOT NULL, settled INTEGER NOT NULL, holder INTEGER NOT NULL
         );
         CREATE TABLE records (
           dir INTEGER NOT NULL, version INTEGER NOT NULL, inode INTEGER NOT NULL, changed INTEGER NOT NULL,
           is_latest INTEGER NOT NULL, namespace TEXT NOT NULL, type_normalized TEXT NOT NULL,
           model_id TEXT NOT NULL, data_name TEXT NOT NULL, id TEXT NOT NULL, model_name TEXT NOT NULL,
           spec_name TEXT NOT NULL, data_type TEXT NOT NULL, content_type TEXT NOT NULL, lifetime TEXT NOT NULL,
           owner_type TEXT NOT NULL, streaming INTEGER NOT NULL, size INTEGER NOT NULL, created_at TEXT NOT NULL,
           tags TEXT NOT NULL, owner_ref TEXT NOT NULL, workflow_run_id TEXT NOT NULL, workflow_name TEXT NOT NULL,
           job_name TEXT NOT NULL, step_name TEXT NOT NULL, source TEXT NOT NULL, lifecycle TEXT NOT NULL,
           renamed_to TEXT NOT NULL
         );",
    )
}

pub fn create_indexes(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE UNIQUE INDEX by_dir ON records (dir, version);
         CREATE INDEX by_place ON records (type_normalized, model_id, data_name, version);
         CREATE INDEX by_model ON records (model_name, is_latest);
         CREATE INDEX by_name ON records (data_name, is_latest);
         CREATE INDEX by_spec ON records (spec_name, is_latest);
         CREATE INDEX by_id ON records (id);
         CREATE INDEX by_time ON records (created_at);
         CREATE INDEX by_run ON records (workflow_run_id) WHERE workflow_run_id <> '';
         CREATE INDEX by_step ON records (step_name) WHERE step_name <> '';",
    )
}

/// For a catalog that is in use.
pub fn tune(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "DELETE")?;
    // A power failure may cost the newest state of the catalog, not its form.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(())
}
