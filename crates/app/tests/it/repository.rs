//! The repository itself.

use marsh_api::ErrorCode;
use marsh_api::repository::GitignoreAction;
use marsh_app::InitRequest;

use crate::support::{Repository, code};

#[test]
fn directory_is_initialized_once_unless_forced() {
    let repo = Repository::new();
    let app = repo.app_at(repo.path("deep/er"), &[]);
    assert_eq!(code(app.session()), ErrorCode::NotFound);
    let made = app.initialize(&InitRequest::default()).unwrap();
    assert_eq!(
        (made.path.as_str(), made.version.as_str()),
        (&*repo.path("deep/er").display().to_string(), "0.0.0")
    );
    assert_eq!(made.gitignore_action, GitignoreAction::Created);
    assert_eq!(code(app.initialize(&InitRequest::default())), ErrorCode::AlreadyExists);
    let again = app.initialize(&InitRequest { force: true, ..InitRequest::default() }).unwrap();
    assert_eq!((again.repo_id, again.gitignore_action), (made.repo_id, GitignoreAction::Unchanged));
    app.session().unwrap();
}

#[test]
fn path_of_the_request_wins_and_is_read_against_the_callers_directory() {
    let repo = Repository::new();
    let request = InitRequest { path: Some("other".into()), force: false };
    let made = repo.app().initialize(&request).unwrap();
    assert_eq!(made.path, repo.path("other").display().to_string());
}
