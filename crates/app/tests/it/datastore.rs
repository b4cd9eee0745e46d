//! Operations on the datastore of a repository whose data are in a directory. Those of extensions need a host and are
//! tested through the binary (`crates/cli/tests/it/datastores.rs`).

use marsh_api::ErrorCode;
use marsh_api::datastore::{DatastoreSyncRequest, SyncMode};

use crate::support::{Repository, code, put, resource};

#[test]
fn datastore_status_names_the_directory_of_the_data() {
    let repository = Repository::new();
    let status = repository.session().read().datastore_status().unwrap();
    assert_eq!((status.type_name.as_str(), status.healthy), ("filesystem", true));
    assert_eq!(status.path, repository.path(".swamp").display().to_string());
    assert_eq!((status.directories.len(), status.unpushed_changes), (7, None));
}

#[test]
fn data_in_another_directory_are_read_from_there() {
    let repository = Repository::new();
    let elsewhere = repository.path("../elsewhere").display().to_string();
    let variable = format!("filesystem:{elsewhere}");
    let session = repository.try_session(&[("SWAMP_DATASTORE", &variable)]).unwrap();
    put(&session, resource("said"), "{}");
    assert!(session.read().get_data("m", "said", None, true).is_ok());
    assert!(repository.path("../elsewhere/data").is_dir() && !repository.path(".swamp/data/@me").exists());
    assert_eq!(session.read().datastore_status().unwrap().path, elsewhere);
}

#[test]
fn data_in_a_directory_need_no_synchronization_and_have_no_lock() {
    let repository = Repository::new();
    let mut session = repository.session();
    let request = DatastoreSyncRequest { mode: SyncMode::Sync, timeout_ms: None };
    assert_eq!(code(session.sync_datastore(&request)), ErrorCode::Refused);
    let lock = session.read().datastore_lock().unwrap();
    assert_eq!((lock.held, lock.datastore_type.as_str()), (false, "filesystem"));
    assert!(!session.release_datastore_lock().unwrap().released);
    assert!(session.release_model_lock().reason.is_some());
}

#[test]
fn datastore_without_a_path_is_invalid() {
    let repository = Repository::new();
    let session = repository.try_session(&[("SWAMP_DATASTORE", "filesystem:")]);
    assert_eq!(code(session), ErrorCode::InvalidDatastore);
}
