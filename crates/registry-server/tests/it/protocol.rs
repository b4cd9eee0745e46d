//! Every request of the registry protocol.

use std::cell::Cell;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};

use marsh_registry::{PushMetadata, SearchQuery, SearchSort};
use marsh_types::{Channel, Explain};

use crate::running::{Running, content, name, push};

#[test]
fn pushed_version_is_in_every_answer() {
    let running = Running::new();
    let owner = running.owner();
    let dns = name("@acme/net/dns");
    let (path, digest) = running.archive(b"one");
    let published = owner.publish(&push("@acme/net/dns", "2026.01.01.1", None), &content(), &path).unwrap();
    assert_eq!((&published.name, published.checksum), (&dns, Some(digest)));
    for (index, channel) in [Channel::Beta, Channel::Rc].into_iter().enumerate() {
        let (path, _) = running.archive(&[index as u8]);
        let version = format!("2026.02.0{}.1", index + 1);
        owner.publish(&push("@acme/net/dns", &version, Some(channel)), &content(), &path).unwrap();
    }

    let reader = running.client(None);
    let info = reader.info(&dns).unwrap();
    assert_eq!(info.id, published.extension_id);
    assert_eq!(info.author.unwrap().username, "ann");
    assert_eq!(info.latest_version.unwrap().to_string(), "2026.01.01.1");
    assert_eq!(info.latest_beta.unwrap().to_string(), "2026.02.01.1");
    assert_eq!((info.platforms, info.content_metadata), (vec!["linux".to_owned()], Some(content())));

    let versions = reader.versions(&dns).unwrap();
    let listed: Vec<String> =
        versions.iter().map(|version| format!("{} {}", version.version, version.channel)).collect();
    assert_eq!(listed, ["2026.02.02.1 rc", "2026.02.01.1 beta", "2026.01.01.1 stable"]);
    assert_eq!(versions[2].checksum, Some(digest));
    let latest = |channel| reader.latest(&dns, channel).unwrap().map(|version| version.version.to_string());
    assert_eq!(latest(Channel::Stable).as_deref(), Some("2026.01.01.1"));
    assert_eq!(latest(Channel::Rc).as_deref(), Some("2026.02.02.1"));

    let version = "2026.01.01.1".parse().unwrap();
    assert_eq!(reader.checksum(&dns, version, Channel::Stable).unwrap(), Some(digest));
    let last = Cell::new((0, None));
    let fetched = running
        .cache()
        .fetch(&reader, &dns, version, Channel::Stable, &digest, &|done, total| last.set((done, total)))
        .unwrap();
    let bytes = std::fs::read(fetched).unwrap();
    assert_eq!(bytes, std::fs::read(path).unwrap());
    assert_eq!(last.get(), (bytes.len() as u64, Some(bytes.len() as u64)));

    for query in [
        SearchQuery { text: "dns".into(), sort: SearchSort::Updated, ..SearchQuery::default() },
        SearchQuery {
            collective: Some("acme".into()),
            platforms: vec!["darwin".into(), "linux".into()],
            labels: vec!["dns".into()],
            content_types: vec!["models".into()],
            channels: vec![Channel::Beta],
            ..SearchQuery::default()
        },
    ] {
        assert_eq!(reader.search(&query).unwrap().extensions[0].name, dns);
    }
    let none = SearchQuery { labels: vec!["mail".into()], ..SearchQuery::default() };
    assert_eq!(reader.search(&none).unwrap().meta.total, 0);
}

#[test]
fn unreachable_registry_is_not_reported_as_not_found() {
    let mut running = Running::new();
    let owner = running.owner();
    let (path, _) = running.archive(b"one");
    owner.publish(&push("@acme/a", "2026.01.01.1", None), &content(), &path).unwrap();
    let (missing, a) = (name("@acme/missing"), name("@acme/a"));
    assert_eq!(owner.info(&missing).unwrap_err().code().as_str(), "not_found");
    assert_eq!(owner.versions(&missing).unwrap_err().code().as_str(), "not_found");
    assert_eq!(owner.latest(&missing, Channel::Stable).unwrap_err().code().as_str(), "not_found");
    assert_eq!(owner.latest(&a, Channel::Beta).unwrap(), None, "the extension is there");
    let version = "2026.01.01.2".parse().unwrap();
    assert_eq!(owner.checksum(&a, version, Channel::Stable).unwrap_err().code().as_str(), "not_found");
    running.stop();
    assert_eq!(owner.info(&missing).unwrap_err().code().as_str(), "registry_unreachable");
    assert_eq!(owner.info(&a).unwrap_err().code().as_str(), "registry_unreachable");
}

#[test]
fn curation_over_http_changes_the_registry() {
    let running = Running::new();
    let owner = running.owner();
    let (a, version) = (name("@acme/a"), "2026.01.01.1".parse().unwrap());
    let (path, digest) = running.archive(b"one");
    owner.publish(&push("@acme/a", "2026.01.01.1", Some(Channel::Beta)), &content(), &path).unwrap();

    let promoted = owner.promote(&a, version, Channel::Stable).unwrap();
    assert_eq!((promoted.previous_channel, promoted.channel), (Channel::Beta, Channel::Stable));
    assert_eq!(owner.promote(&a, version, Channel::Rc).unwrap_err().code().as_str(), "validation_failed");

    owner.yank(&a, Some(version), None, "broken").unwrap();
    let fetch = |cache: &str| {
        let cache = marsh_registry::ArchiveCache::new(running.dir.path().join(cache));
        // A lockfile from before the promotion names the old channel.
        cache.fetch(&owner, &a, version, Channel::Beta, &digest, &|_, _| {}).map(|_| ())
    };
    let error = fetch("one").unwrap_err();
    assert_eq!(error.code().as_str(), "extension_yanked");
    assert!(error.to_string().contains("broken"), "{error}");
    assert!(owner.versions(&a).unwrap()[0].yanked);
    assert_eq!(owner.latest(&a, Channel::Stable).unwrap(), None);
    owner.unyank(&a, Some(version), None, None).unwrap();
    fetch("two").unwrap();

    owner.deprecate(&a, "old", Some(&name("@acme/b"))).unwrap();
    assert_eq!(owner.info(&a).unwrap().superseded_by, Some(name("@acme/b")));
    owner.undeprecate(&a).unwrap();
    assert_eq!(owner.info(&a).unwrap().deprecation_reason, None);
}

#[test]
fn versions_beyond_one_page_are_all_listed() {
    let running = Running::new();
    let directory = marsh_registry::directory::Directory::new(&running.root());
    let (path, _) = running.archive(b"one");
    for micro in 1..=101 {
        let metadata = push("@acme/a", &format!("2026.01.01.{micro}"), None);
        directory.publish(&metadata, &content(), &path, 1 << 20).unwrap();
    }
    assert_eq!(running.client(None).versions(&name("@acme/a")).unwrap().len(), 101);
}

#[test]
fn shutdown_waits_for_requests_in_progress() {
    let (entered, is_entered) = mpsc::channel();
    let (release, is_released) = mpsc::channel();
    let (entered, is_released) = (Mutex::new(entered), Mutex::new(is_released));
    let mut running = Running::with(|options| {
        options.validate = Arc::new(move |_: &Path, _: &PushMetadata| {
            entered.lock().unwrap().send(()).unwrap();
            is_released.lock().unwrap().recv().unwrap();
            Ok(())
        });
    });
    let owner = running.owner();
    let (path, digest) = running.archive(b"one");
    let publisher =
        std::thread::spawn(move || owner.publish(&push("@acme/a", "2026.01.01.1", None), &content(), &path));
    is_entered.recv().unwrap();
    running.begin_stop();
    release.send(()).unwrap();
    assert_eq!(publisher.join().unwrap().unwrap().checksum, Some(digest));
    running.stop();
    let reader = marsh_registry::directory::Directory::new(&running.root());
    assert_eq!(reader.record(&name("@acme/a")).unwrap().versions.len(), 1);
}
