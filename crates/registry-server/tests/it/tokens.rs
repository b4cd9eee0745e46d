//! Tokens authorize changes.

use marsh_registry_server::{TokenError, add_token, list_tokens, remove_token};
use marsh_types::Explain;

use crate::running::{Running, content, name, push};

#[test]
fn change_without_collective_or_scope_is_refused() {
    let running = Running::new();
    let (path, _) = running.archive(b"one");
    let publish = |client: marsh_registry::Registry, extension: &str| {
        client.publish(&push(extension, "2026.01.01.1", None), &content(), &path)
    };
    assert_eq!(publish(running.client(None), "@acme/a").unwrap_err().code().as_str(), "unauthorized");
    assert_eq!(
        publish(running.client(Some("wrong".into())), "@acme/a").unwrap_err().code().as_str(),
        "unauthorized"
    );
    assert_eq!(publish(running.owner(), "@other/a").unwrap_err().code().as_str(), "forbidden");
    let manager = running.client(Some(running.token(&["acme"], &["manage"])));
    let error = publish(manager, "@acme/a").unwrap_err();
    assert_eq!(error.code().as_str(), "forbidden");
    assert!(error.to_string().contains("requires the publish scope"), "{error}");
    publish(running.client(Some(running.token(&["acme"], &["publish"]))), "@acme/a").unwrap();

    let publisher = running.client(Some(running.token(&["@acme"], &["publish"])));
    assert_eq!(publisher.yank(&name("@acme/a"), None, None, "x").unwrap_err().code().as_str(), "forbidden");
    assert_eq!(
        running.client(None).deprecate(&name("@acme/a"), "x", None).unwrap_err().code().as_str(),
        "unauthorized"
    );
    assert_eq!(running.client(None).info(&name("@acme/a")).unwrap().yanked_at, None);
}

#[test]
fn removed_token_stops_working() {
    let running = Running::new();
    let client = running.client(Some(running.token(&["acme", "tools"], &["publish"])));
    let identity = client.whoami().unwrap();
    assert_eq!((identity.authenticated, identity.username.as_str()), (true, "ann"));
    let slugs: Vec<&str> = identity.organizations.iter().map(|one| one.slug.as_str()).collect();
    assert_eq!((slugs, identity.scopes), (vec!["acme", "tools"], Some(vec!["publish".to_owned()])));

    let id = list_tokens(&running.root()).unwrap()[0].id.clone();
    remove_token(&running.root(), &id).unwrap();
    assert_eq!(client.whoami().unwrap_err().code().as_str(), "unauthorized");
    assert!(matches!(remove_token(&running.root(), &id), Err(TokenError::Unknown { .. })));
}

#[test]
fn tokens_are_stored_hashed_and_private() {
    let running = Running::new();
    let token = running.token(&["acme"], &["publish"]);
    let path = running.root().join("private/tokens.json");
    assert!(!std::fs::read_to_string(&path).unwrap().contains(&token));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let bad = |user: &str, collective: &str, scope: &str| {
        add_token(&running.root(), user, &[collective.to_owned()], &[scope.to_owned()]).is_err()
    };
    assert!(bad("", "acme", "publish") && bad("ann", "../x", "publish") && bad("ann", "acme", "everything"));
}
