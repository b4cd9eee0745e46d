//! A registry in a directory.

use marsh_registry::{Location, Registry, RegistryError, SearchQuery, SearchSort};
use marsh_types::{Channel, Explain};

use crate::scene::{Scene, content, files, name, options, push, version};

#[test]
fn published_version_is_in_every_answer() {
    let scene = Scene::new();
    let first = scene.publish("@acme/net/dns", "2026.01.01.1", None, b"one");
    scene.publish("@acme/net/dns", "2026.02.01.1", Some(Channel::Beta), b"two");
    scene.publish("@acme/net", "2026.02.01.1", None, b"three");
    let registry = scene.registry();
    let dns = name("@acme/net/dns");

    let info = registry.info(&dns).unwrap();
    assert_eq!((info.latest_version, info.latest_rc), (Some(version("2026.01.01.1")), None));
    assert_eq!(info.latest_beta, Some(version("2026.02.01.1")));
    assert_eq!(
        (info.content_types, info.content_names),
        (vec!["models".into()], vec!["@acme/net/dns".into()])
    );
    assert_eq!(info.content_metadata, Some(content()));

    let versions = registry.versions(&dns).unwrap();
    assert_eq!(versions.len(), 2);
    assert_eq!((versions[0].channel, versions[1].checksum), (Channel::Beta, Some(first)));
    assert_eq!(registry.latest(&dns, Channel::Stable).unwrap().unwrap().version, version("2026.01.01.1"));
    assert_eq!(registry.latest(&dns, Channel::Rc).unwrap(), None);
    assert_eq!(registry.checksum(&dns, version("2026.01.01.1"), Channel::Stable).unwrap(), Some(first));

    let path = scene
        .cache()
        .fetch(&registry, &dns, version("2026.01.01.1"), Channel::Stable, &first, &|_, _| {})
        .unwrap();
    assert_eq!(std::fs::read(path).unwrap(), b"one");
}

#[test]
fn missing_registry_is_not_reported_as_not_found() {
    let scene = Scene::new();
    let unknown = name("@acme/missing");
    let error = scene.registry().info(&unknown).unwrap_err();
    assert_eq!(error.code().as_str(), "not_found");
    scene.publish("@acme/a", "2026.01.01.1", None, b"one");
    let error =
        scene.registry().checksum(&name("@acme/a"), version("2026.01.01.2"), Channel::Stable).unwrap_err();
    assert_eq!(error.code().as_str(), "not_found");
    for missing in [scene.dir.path().join("nowhere"), scene.dir.path().to_path_buf()] {
        let registry = Registry::open(Location::Directory(missing), options());
        let error = registry.info(&unknown).unwrap_err();
        assert_eq!(error.code().as_str(), "registry_unreachable");
        let hint = error.hint().unwrap();
        assert!(hint.contains("MARSH_REGISTRY") && !hint.contains("network"), "{hint}");
        assert_eq!(
            registry.search(&SearchQuery::default()).unwrap_err().code().as_str(),
            "registry_unreachable"
        );
    }
}

#[test]
fn publish_of_an_existing_version_fails() {
    let scene = Scene::new();
    let digest = scene.publish("@acme/a", "2026.01.01.1", Some(Channel::Beta), b"one");
    for (bytes, channel) in [(b"one", Some(Channel::Beta)), (b"two", Some(Channel::Beta)), (b"two", None)] {
        let (path, _) = scene.archive(bytes);
        let error = scene
            .registry()
            .publish(&push("@acme/a", "2026.01.01.1", channel), &content(), &path)
            .unwrap_err();
        assert!(
            matches!(error, RegistryError::AlreadyExists { checksum: Some(found), .. } if found == digest)
        );
        assert!(error.to_string().contains(&digest.to_hex()), "{error}");
    }
    assert_eq!(
        files(&scene.root().join("private")),
        ["registry.lock", "uploads.lock"],
        "nothing is left of the refused"
    );
    assert_eq!(files(&scene.root().join("archives")).len(), 1);
}

#[test]
fn yanked_version_is_listed_and_not_served() {
    let scene = Scene::new();
    let digest = scene.publish("@acme/a", "2026.01.01.1", None, b"one");
    let other = scene.publish("@acme/a", "2026.01.02.1", None, b"two");
    let (registry, a) = (scene.registry(), name("@acme/a"));
    registry.yank(&a, Some(version("2026.01.02.1")), None, "broken").unwrap();
    assert_eq!(registry.latest(&a, Channel::Stable).unwrap().unwrap().version, version("2026.01.01.1"));
    assert!(registry.versions(&a).unwrap()[0].yanked);
    let fetch = |text: &str, digest| {
        scene.cache().fetch(&registry, &a, version(text), Channel::Stable, digest, &|_, _| {}).map(|_| ())
    };
    let error = fetch("2026.01.02.1", &other).unwrap_err();
    assert_eq!(
        (error.code().as_str(), error.to_string()),
        ("extension_yanked", "@acme/a@2026.01.02.1 was yanked: broken".to_owned())
    );
    registry.unyank(&a, Some(version("2026.01.02.1")), None, None).unwrap();
    fetch("2026.01.02.1", &other).unwrap();

    registry.yank(&a, None, None, "all of it").unwrap();
    assert_eq!(registry.info(&a).unwrap().yank_reason.as_deref(), Some("all of it"));
    assert_eq!(registry.latest(&a, Channel::Stable).unwrap(), None);
    assert_eq!(fetch("2026.01.01.1", &digest).unwrap_err().code().as_str(), "extension_yanked");
    assert_eq!(registry.search(&SearchQuery::default()).unwrap().meta.total, 0);
    let error = registry.yank(&a, Some(version("2026.01.09.1")), None, "x").unwrap_err();
    assert_eq!(error.code().as_str(), "not_found");
}

#[test]
fn promote_to_a_less_finished_channel_fails() {
    let scene = Scene::new();
    scene.publish("@acme/a", "2026.01.01.1", Some(Channel::Beta), b"one");
    let (registry, a, one) = (scene.registry(), name("@acme/a"), version("2026.01.01.1"));
    let promoted = registry.promote(&a, one, Channel::Rc).unwrap();
    assert_eq!((promoted.previous_channel, promoted.channel), (Channel::Beta, Channel::Rc));
    for to in [Channel::Beta, Channel::Rc] {
        assert_eq!(registry.promote(&a, one, to).unwrap_err().code().as_str(), "validation_failed");
    }
    registry.promote(&a, one, Channel::Stable).unwrap();
    assert_eq!(registry.info(&a).unwrap().latest_version, Some(one));
    assert_eq!(
        registry.promote(&a, version("2026.01.01.2"), Channel::Rc).unwrap_err().code().as_str(),
        "not_found"
    );
}

#[test]
fn deprecate_names_a_successor_and_undeprecate_removes_it() {
    let scene = Scene::new();
    scene.publish("@acme/a", "2026.01.01.1", None, b"one");
    let (registry, a) = (scene.registry(), name("@acme/a"));
    registry.deprecate(&a, "use b", Some(&name("@acme/b"))).unwrap();
    let info = registry.info(&a).unwrap();
    assert_eq!(info.superseded_by, Some(name("@acme/b")));
    assert_eq!(info.deprecation_reason.as_deref(), Some("use b"));
    assert!(info.deprecated_at.is_some());
    assert_eq!(registry.deprecate(&a, "x", Some(&a)).unwrap_err().code().as_str(), "validation_failed");
    registry.undeprecate(&a).unwrap();
    assert_eq!(registry.info(&a).unwrap().deprecated_at, None);
}

#[test]
fn search_with_filters_ranks_and_pages_results() {
    let scene = Scene::new();
    for (name, channel) in [
        ("@acme/dns", None),
        ("@acme/net/dns", Some(Channel::Rc)),
        ("@other/zones", None),
        ("@acme/mail", None),
    ] {
        scene.publish(name, "2026.01.01.1", channel, name.as_bytes());
    }
    let registry = scene.registry();
    let find = |query: SearchQuery| {
        let page = registry.search(&query).unwrap();
        let names: Vec<String> = page.extensions.iter().map(|entry| entry.name.to_string()).collect();
        (names, page.meta.total)
    };
    let all = SearchQuery::default;
    assert_eq!(find(SearchQuery { text: "mail".into(), ..all() }).0, ["@acme/mail"]);
    assert_eq!(find(SearchQuery { text: "acme/dns".into(), ..all() }).0[0], "@acme/dns");
    assert_eq!(find(SearchQuery { text: "dns nowhere".into(), ..all() }).1, 0);
    assert_eq!(find(SearchQuery { collective: Some("other".into()), ..all() }).0, ["@other/zones"]);
    assert_eq!(find(SearchQuery { channels: vec![Channel::Rc], ..all() }).0, ["@acme/net/dns"]);
    assert_eq!(find(SearchQuery { content_types: vec!["vaults".into()], ..all() }).1, 0);
    let second = SearchQuery { sort: SearchSort::Name, per_page: 2, page: 2, ..all() };
    assert_eq!(find(second), (vec!["@acme/net/dns".into(), "@other/zones".into()], 4));
}

#[test]
fn init_of_a_registry_does_nothing_and_of_another_format_fails() {
    let scene = Scene::new();
    scene.publish("@acme/a", "2026.01.01.1", None, b"one");
    marsh_registry::init(&scene.root()).unwrap();
    assert!(scene.registry().info(&name("@acme/a")).is_ok());
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(scene.root().join("private")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    std::fs::write(scene.root().join("marsh-registry.json"), r#"{"format":2}"#).unwrap();
    assert_eq!(marsh_registry::init(&scene.root()).unwrap_err().code().as_str(), "bad_response");
    assert_eq!(scene.registry().info(&name("@acme/a")).unwrap_err().code().as_str(), "bad_response");
}

#[test]
fn record_of_another_extension_is_refused() {
    let scene = Scene::new();
    scene.publish("@acme/a", "2026.01.01.1", None, b"one");
    let path = scene.root().join("extensions/@acme/a/index.json");
    let good = std::fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("\"@acme/a\"", "\"@acme/b\""),
        ("\"@acme/a\"", "\"@acme/../../a\""),
        ("2026.01.01.1", "../../x"),
        ("\"stable\"", "\"nightly\""),
        ("{", ""),
    ] {
        std::fs::write(&path, good.replacen(from, to, 1)).unwrap();
        assert_eq!(
            scene.registry().info(&name("@acme/a")).unwrap_err().code().as_str(),
            "bad_response",
            "{to}"
        );
    }
}
