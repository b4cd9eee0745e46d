//! The user's settings.

use marsh_types::{ErrorCode, Explain as _};

use crate::support::{Repository, code};

#[test]
fn settings_have_defaults_and_keep_what_is_set() {
    let repo = Repository::new();
    let app = repo.app();
    assert_eq!(app.preference("update.auto").unwrap().value, "disabled");
    app.set_preference("update.cadence", "weekly").unwrap();
    app.set_preference("update.auto", "enabled").unwrap();
    let all: Vec<(String, String)> = app.preferences().unwrap().all().into_iter().collect();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(all, [pair("update.auto", "enabled"), pair("update.cadence", "weekly")]);
    assert!(repo.outside().join("home/.config/marsh/config.json").is_file());
    let unknown = app.set_preference("update.atuo", "enabled").unwrap_err();
    assert_eq!(unknown.code(), ErrorCode::Usage);
    assert!(unknown.hint().unwrap().contains("update.auto, update.cadence"));
    assert_eq!(code(app.set_preference("update.auto", "yes")), ErrorCode::Usage);
    assert_eq!(code(app.preference("log.level")), ErrorCode::Usage);
}

#[test]
fn directory_of_settings_follows_the_environment() {
    let repo = Repository::new();
    let other = repo.outside().join("other").display().to_string();
    for (name, dir) in [("MARSH_HOME", "config"), ("XDG_CONFIG_HOME", "marsh")] {
        let app = repo.app_at(repo.root(), &[(name, &other)]);
        app.set_preference("update.auto", "enabled").unwrap();
        assert!(repo.outside().join("other").join(dir).join("config.json").is_file(), "{name}");
    }
}

#[test]
fn update_says_that_no_channel_is_configured() {
    let found = Repository::new().app().check_update();
    assert!(found.warning.unwrap().contains("no release channel"), "{}", found.current_version);
}
