//! Data that change their place: nothing is lost or out of view, and a command that was cut short is completed.

use marsh_app::DirectorySetupRequest;
use marsh_types::{ErrorCode, Explain as _};

use crate::support::{ID, Repository, code, files, put, resource};

fn to(path: &str) -> DirectorySetupRequest {
    DirectorySetupRequest { path: path.to_owned(), ..DirectorySetupRequest::default() }
}

/// A repository with the datum `said` of the model `m`.
fn repo_with_data() -> Repository {
    let repo = Repository::new();
    put(&repo.session(), resource("said"), "{\"n\": 1}");
    repo
}

fn is_in_view(repo: &Repository, name: &str) -> bool {
    repo.session().read().get_data("m", name, None, true).is_ok()
}

/// The path of the datum's tree below a directory of data.
fn datum(root: &str) -> String {
    format!("{root}/data/@me/x/{ID}/said")
}

#[test]
fn data_move_to_a_directory_and_back() {
    let repo = repo_with_data();
    let moved = repo.app().setup_directory(&to("../store")).unwrap();
    assert_eq!((moved.directories_migrated, moved.warnings), (vec!["data".to_owned()], Vec::new()));
    assert!(moved.files_copied >= 2 && moved.bytes_copied > 0);
    assert_eq!(moved.source_path, repo.path(".swamp").display().to_string());
    assert!(is_in_view(&repo, "said") && repo.exists(&datum("../store")) && !repo.exists(".swamp/data"));
    put(&repo.session(), resource("later"), "{}");
    let back = repo.app().setup_directory(&to(".swamp")).unwrap();
    assert!(back.files_copied >= 4, "{back:?}");
    assert!(is_in_view(&repo, "said") && is_in_view(&repo, "later") && repo.exists(&datum(".swamp")));
    let left = files(&repo.path("../store"));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn some_trees_move_and_the_others_stay() {
    let repo = repo_with_data();
    repo.write(".swamp/outputs/one.yaml", "a: 1\n");
    let request = DirectorySetupRequest { directories: vec!["outputs".into()], ..to("../store") };
    repo.app().setup_directory(&request).unwrap();
    assert!(repo.exists("../store/outputs/one.yaml") && repo.exists(&datum(".swamp")));
    assert!(is_in_view(&repo, "said"));
    let secrets = DirectorySetupRequest { directories: vec!["secrets".into()], ..to("../store") };
    assert_eq!(code(repo.app().setup_directory(&secrets)), ErrorCode::Usage);
}

#[test]
fn directory_that_holds_other_data_is_refused_and_nothing_changes() {
    let repo = repo_with_data();
    let taken = files(&repo.path(&datum(".swamp"))).into_iter().next().unwrap();
    let taken = taken.strip_prefix(repo.path(".swamp")).unwrap().display().to_string();
    repo.write(&format!("../store/{taken}"), "another repository's");
    let marker = repo.read(".swamp.yaml");
    let before = files(&repo.path("../store"));
    let error = repo.app().setup_directory(&to("../store")).unwrap_err();
    assert_eq!(error.code(), ErrorCode::DataExists);
    assert!(
        error.to_string().contains("@me/x") && error.hint().unwrap().contains("namespace set"),
        "{error}"
    );
    assert_eq!((repo.read(".swamp.yaml"), files(&repo.path("../store"))), (marker, before));
    assert!(is_in_view(&repo, "said"));
}

#[test]
fn move_that_was_cut_short_is_completed() {
    let repo = repo_with_data();
    // Cut while it copied: the marker names the old place, and the copy is torn.
    let trees = [("data".to_owned(), repo.path(".swamp/data"), repo.path("../store/data"))];
    let id = repo
        .read(".swamp.yaml")
        .lines()
        .find_map(|line| line.strip_prefix("repoId: ").map(str::to_owned))
        .unwrap();
    let moves = marsh_datastore::TreeMoves::new(&id, trees);
    moves.copy().unwrap();
    let torn = files(&repo.path(&datum("../store"))).into_iter().next_back().unwrap();
    std::fs::write(torn, "torn").unwrap();
    assert!(is_in_view(&repo, "said"));
    repo.app().setup_directory(&to("../store")).unwrap();
    assert!(is_in_view(&repo, "said") && !repo.exists(".swamp/data"));

    // Cut after the switch: the old files are still there, and another process wrote one more meanwhile.
    let trees = [("data".to_owned(), repo.path(".swamp/data"), repo.path("../store/data"))];
    let moves = marsh_datastore::TreeMoves::new(&id, trees);
    repo.write(".swamp/data/@me/x/straggler/said/1/raw", "late");
    let note = serde_json::to_string(&moves).unwrap();
    repo.write(&format!("../store/.marsh-move-{id}.json"), note);
    repo.app().setup_directory(&to("../store")).unwrap();
    assert!(repo.exists("../store/data/@me/x/straggler/said/1/raw") && !repo.exists(".swamp/data"));
    assert!(!repo.exists(&format!("../store/.marsh-move-{id}.json")));
}

#[test]
fn running_workflow_keeps_data_from_moving() {
    let repo = repo_with_data();
    repo.write(".swamp/workflow-runs/w/workflow-run-1.journal", "{}\n");
    let journal = repo.path(".swamp/workflow-runs/w/workflow-run-1.journal");
    let held = marsh_fs::try_lock_existing_exclusive(&journal).unwrap().unwrap();
    assert_eq!(code(repo.app().setup_directory(&to("../store"))), ErrorCode::RunOwned);
    drop(held);
    repo.app().setup_directory(&to("../store")).unwrap();
    assert!(repo.exists("../store/workflow-runs/w/workflow-run-1.journal"));
}

#[test]
fn data_that_are_left_behind_on_request_are_named() {
    let repo = repo_with_data();
    let request = DirectorySetupRequest { skip_migration: true, ..to("../store") };
    let moved = repo.app().setup_directory(&request).unwrap();
    assert!(moved.warnings[0].contains("stay in") && !is_in_view(&repo, "said"), "{:?}", moved.warnings);
    repo.app().setup_directory(&to(".swamp")).unwrap();
    assert!(is_in_view(&repo, "said"));
}

#[test]
fn variable_that_names_the_datastore_is_refused() {
    let repo = repo_with_data();
    let app = repo.app_at(repo.root(), &[("MARSH_DATASTORE", "filesystem:/tmp")]);
    assert_eq!(code(app.setup_directory(&to("../store"))), ErrorCode::Refused);
    assert_eq!(code(repo.app().setup_directory(&to(""))), ErrorCode::InvalidDatastore);
    assert_eq!(code(repo.app().setup_directory(&to(".swamp/data/x"))), ErrorCode::Usage);
}

#[test]
fn namespace_takes_the_data_and_gives_them_back() {
    let repo = repo_with_data();
    repo.app().setup_directory(&to("../store")).unwrap();
    let set = repo.app().set_namespace("team-a").unwrap();
    assert_eq!((set.migrated_directories, set.warning), (vec!["data".to_owned()], None));
    assert!(
        is_in_view(&repo, "said") && repo.exists(&datum("../store/team-a")) && !repo.exists("../store/data")
    );
    let list = repo.app().namespaces().unwrap();
    assert_eq!(list.current_namespace.as_deref(), Some("team-a"));
    assert!(list.namespaces[0].is_current && !list.namespaces[0].repo_id.is_empty());

    let renamed = repo.app().set_namespace("team-b").unwrap();
    assert!(renamed.total_files >= 2 && is_in_view(&repo, "said") && !repo.exists("../store/team-a"));

    repo.write("../store/outputs/beside.yaml", "a: 1\n");
    let migrated = repo.app().migrate_namespace(false).unwrap();
    assert_eq!(migrated.migrated_directories, ["outputs"]);
    assert!(repo.exists("../store/team-b/outputs/beside.yaml"));

    let unset = repo.app().unset_namespace().unwrap();
    assert_eq!(unset.previous_namespace, "team-b");
    assert!(is_in_view(&repo, "said") && repo.exists(&datum("../store")) && !repo.exists("../store/team-b"));
    assert_eq!(code(repo.app().unset_namespace()), ErrorCode::Refused);
}

#[test]
fn namespace_in_the_repository_itself_is_undone_by_migrating_back() {
    let repo = repo_with_data();
    repo.app().set_namespace("mine").unwrap();
    assert!(is_in_view(&repo, "said") && repo.exists(&datum(".swamp/mine")));
    let back = repo.app().migrate_namespace(true).unwrap();
    assert!(back.reverse && is_in_view(&repo, "said") && repo.exists(&datum(".swamp")));
    assert!(!repo.read(".swamp.yaml").contains("namespace") && !repo.exists(".swamp/mine"));
}

#[test]
fn namespace_of_another_repository_is_refused() {
    let repo = repo_with_data();
    repo.write(
        ".swamp/team-a/.namespace.json",
        "{\"repoId\": \"other\", \"registeredAt\": \"2026-01-01T00:00:00.000Z\"}",
    );
    assert_eq!(code(repo.app().set_namespace("team-a")), ErrorCode::Refused);
    for bad in ["Team", "data", "-a", ""] {
        assert_eq!(code(repo.app().set_namespace(bad)), ErrorCode::Usage, "{bad}");
    }
    assert!(is_in_view(&repo, "said") && !repo.read(".swamp.yaml").contains("datastore"));
}

#[test]
fn compacting_keeps_the_catalog() {
    let repo = repo_with_data();
    let compacted = repo.session().compact_datastore().unwrap();
    assert!(!compacted.vacuum_skipped);
    assert!(is_in_view(&repo, "said"));
    assert_eq!(code(repo.session().migrate_datastore_index()), ErrorCode::Refused);
    assert_eq!(code(repo.session().pull_catalogs(&[])), ErrorCode::Refused);
}
