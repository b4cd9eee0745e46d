//! Registries that this machine holds.

use marsh_api::ErrorCode;
use marsh_app::{RegistryDirectory, TokenAddRequest};

use crate::support::code;

#[test]
fn registry_of_a_url_is_not_created() {
    let dir = tempfile::tempdir().unwrap();
    let create = |path: &str| RegistryDirectory::new(path).create(dir.path());
    let made = create("sub/../registry").unwrap();
    assert_eq!(made.path, dir.path().join("registry").display().to_string());
    assert_eq!(made.registry, format!("file://{}", made.path));
    assert_eq!(code(create("https://example.com/registry")), ErrorCode::Usage);
}

#[test]
fn tokens_are_listed_without_secrets_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry");
    let registry = RegistryDirectory::new(&path);
    registry.create(dir.path()).unwrap();
    let request = TokenAddRequest { username: "ann".into(), ..TokenAddRequest::default() };
    let made = registry.add_token(&request).unwrap();
    assert_eq!(
        (made.collectives, made.scopes),
        (vec!["ann".to_owned()], vec!["publish".into(), "manage".into()])
    );
    let secret = made.token.expose().to_owned();
    let listed = registry.tokens().unwrap();
    assert!(!serde_json::to_string(&listed).unwrap().contains(&secret));
    let id = listed.tokens[0].id.clone();
    registry.remove_token(&id).unwrap();
    assert_eq!(code(registry.remove_token(&id)), ErrorCode::NotFound);
    let nowhere = RegistryDirectory::new(dir.path().join("nowhere"));
    assert_eq!(code(nowhere.add_token(&request)), ErrorCode::RegistryUnreachable);
}
