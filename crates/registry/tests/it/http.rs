//! The client with failing networks and hostile servers.

use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use marsh_registry::{Location, Registry, RegistryError, SearchQuery};
use marsh_types::{Channel, Digest, Explain};
use serde_json::{Value, json};

use crate::rough::{Reply, Rough, part};
use crate::scene::{Scene, content, files, name, options, push, version};

const A: &str = "@acme/net/dns";

fn info(name: &str) -> Value {
    json!({ "id": "1", "name": name, "description": null, "latestVersion": "2026.01.01.1", "score": { "percentage": 87.5 } })
}

fn fetch(scene: &Scene, registry: &Registry, digest: &Digest) -> Result<Vec<u8>, RegistryError> {
    let path = scene.cache().fetch(
        registry,
        &name(A),
        version("2026.01.01.1"),
        Channel::Beta,
        digest,
        &|_, _| {},
    )?;
    Ok(std::fs::read(path).unwrap())
}

#[test]
fn request_has_encoded_name_credentials_and_channel() {
    let server = Rough::new(|heard, _| match heard.path.as_str() {
        path if path.ends_with("checksum?channel=beta") => Reply::json(&json!({ "checksum": null })),
        _ => Reply::json(&info(A)),
    });
    let client = server.client_with(|options| options.api_key = Some("key".into()));
    assert_eq!(client.info(&name(A)).unwrap().score.unwrap().percentage, 87.5);
    let error = client.required_checksum(&name(A), version("2026.01.01.1"), Channel::Beta).unwrap_err();
    assert_eq!(error.code().as_str(), "missing_checksum");
    let heard = server.heard();
    assert_eq!(heard[0].path, "/api/v1/extensions/%40acme%2Fnet%2Fdns");
    assert_eq!(heard[1].path, "/api/v1/extensions/%40acme%2Fnet%2Fdns@2026.01.01.1/checksum?channel=beta");
    for heard in heard {
        assert_eq!(heard.method, "GET");
        assert_eq!(
            (heard.header("authorization"), heard.header("x-api-key")),
            (Some("Bearer key"), Some("key"))
        );
        assert!(heard.header("user-agent").unwrap().starts_with("marsh/"));
    }
}

#[test]
fn interrupted_download_resumes_at_the_last_byte() {
    let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    let (whole, digest) = (bytes.clone(), Digest::of(&bytes));
    let server = Rough::new(move |heard, before| match before {
        _ if heard.path.contains("/download") => Reply::redirect("/archive"),
        // Each try receives more bytes.
        1 => Reply::new(200, whole.clone()).cut(100_000),
        3 => part(&whole, heard.offset()).cut(150_000),
        _ => part(&whole, heard.offset()),
    });
    let scene = Scene::new();
    assert!(fetch(&scene, &server.client(), &digest).unwrap() == bytes);
    let offsets: Vec<usize> =
        server.heard().iter().filter(|heard| heard.path == "/archive").map(|heard| heard.offset()).collect();
    assert_eq!(offsets.len(), 3);
    assert_eq!(offsets[0], 0);
    assert!(offsets[1] > 50_000 && offsets[2] > offsets[1], "{offsets:?}");
    assert_eq!(files(scene.cache().dir()), [format!("{digest}.tar.gz")], "nothing partial is left");
}

#[test]
fn fetch_after_an_interrupted_command_resumes() {
    let bytes = vec![7; 200_000];
    let (whole, digest) = (bytes.clone(), Digest::of(&bytes));
    let server = Rough::new(move |heard, before| match before {
        0 => Reply::new(200, whole.clone()).cut(100_000),
        _ => part(&whole, heard.offset()),
    });
    let scene = Scene::new();
    let hasty = server.client_with(|options| options.retries = 0);
    assert_eq!(fetch(&scene, &hasty, &digest).unwrap_err().code().as_str(), "registry_unreachable");
    assert_eq!(scene.cache().get(&digest), None);
    assert!(fetch(&scene, &hasty, &digest).unwrap() == bytes);
    assert!(server.heard()[1].offset() > 50_000);
}

#[test]
fn download_with_a_wrong_start_restarts() {
    let bytes = vec![7; 1000];
    let digest = Digest::of(&bytes);
    for ranges in [false, true] {
        let scene = Scene::new();
        std::fs::create_dir_all(scene.cache().dir().join("partial")).unwrap();
        let partial = scene.cache().dir().join(format!("partial/{digest}.tar.gz"));
        std::fs::write(&partial, vec![9; 500]).unwrap();
        let whole = bytes.clone();
        let server = Rough::new(move |heard, _| match heard.offset() {
            offset if ranges && offset > 0 => part(&whole, offset),
            _ => Reply::new(200, whole.clone()),
        });
        assert!(fetch(&scene, &server.client(), &digest).unwrap() == bytes);
        assert_eq!(server.heard().len(), if ranges { 2 } else { 1 });
        // The file is longer than the archive: the server answers 416.
        std::fs::remove_file(scene.cache().get(&digest).unwrap()).unwrap();
        std::fs::write(&partial, vec![9; 2000]).unwrap();
        let whole = bytes.clone();
        let server = Rough::new(move |heard, _| match heard.offset() {
            0 => Reply::new(200, whole.clone()),
            _ => Reply::new(416, ""),
        });
        assert!(fetch(&scene, &server.client(), &digest).unwrap() == bytes);
    }
}

#[test]
fn fetch_of_wrong_bytes_fails_and_keeps_nothing() {
    let server = Rough::new(|_, _| Reply::new(200, "something else"));
    let scene = Scene::new();
    let expected = Digest::of(b"the archive");
    let error = fetch(&scene, &server.client(), &expected).unwrap_err();
    assert_eq!(error.code().as_str(), "checksum_mismatch");
    assert!(error.to_string().contains(&Digest::of(b"something else").to_hex()), "{error}");
    assert_eq!(server.heard().len(), 1, "wrong is wrong");
    assert_eq!(scene.cache().get(&expected), None);
    assert!(files(scene.cache().dir()).iter().all(|name| name.ends_with(".tar.gz")));
    let partial = scene.cache().dir().join(format!("partial/{expected}.tar.gz"));
    assert_eq!(std::fs::metadata(partial).unwrap().len(), 0);
}

#[test]
fn download_above_the_limit_stops() {
    for declared in [true, false] {
        let server = Rough::new(move |_, _| {
            let reply = Reply::new(200, vec![0; 300_000]);
            Reply { length: reply.length.filter(|_| declared), ..reply }
        });
        let scene = Scene::new();
        let client = server.client_with(|options| options.max_archive_bytes = 100_000);
        let error = fetch(&scene, &client, &Digest::of(b"x")).unwrap_err();
        assert_eq!(error.code().as_str(), "download_too_large");
        assert_eq!(server.heard().len(), 1);
    }
}

#[test]
fn request_to_a_busy_or_broken_server_is_retried() {
    for (reply, code) in [(429, "rate_limited"), (503, "registry_error"), (500, "registry_error")] {
        let server = Rough::new(move |_, before| match before {
            0 | 1 => Reply::new(reply, "<html>busy</html>").with("retry-after", "0"),
            _ => Reply::json(&info(A)),
        });
        server.client().info(&name(A)).unwrap();
        assert_eq!(server.heard().len(), 3);
        let hasty = Rough::new(move |_, _| Reply::new(reply, "<html>busy</html>"));
        let error = hasty.client_with(|options| options.retries = 1).info(&name(A)).unwrap_err();
        assert_eq!((error.code().as_str(), hasty.heard().len()), (code, 2));
        assert!(!error.to_string().contains('<'), "{error}");
    }
    // The client does not wait for an hour.
    let server = Rough::new(|_, _| Reply::new(429, "").with("retry-after", "3600"));
    let error = server.client().info(&name(A)).unwrap_err();
    assert_eq!(
        (error.code().as_str(), error.details(), server.heard().len()),
        ("rate_limited", Some(json!({ "retryAfter": 3600 })), 1)
    );
}

#[test]
fn change_that_may_have_reached_the_server_is_not_retried() {
    let server = Rough::new(|_, _| Reply::new(500, r#"{"error":"oops","message":"other"}"#));
    let error = server.client().yank(&name(A), None, None, "x").unwrap_err();
    assert_eq!((error.code().as_str(), server.heard().len()), ("registry_error", 1));
    assert!(error.to_string().contains("oops"), "{error}");
}

#[test]
fn unreachable_registry_is_not_reported_as_not_found() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let location = Location::parse(&format!("http://{free}"), Path::new("/")).unwrap();
    let client = Registry::open(location, marsh_registry::ClientOptions { retries: 0, ..options() });
    assert_eq!(client.info(&name(A)).unwrap_err().code().as_str(), "registry_unreachable");
    assert_eq!(client.versions(&name(A)).unwrap_err().code().as_str(), "registry_unreachable");
    assert_eq!(client.latest(&name(A), Channel::Stable).unwrap_err().code().as_str(), "registry_unreachable");

    let server = Rough::new(|_, _| Reply::new(404, r#"{"error":"no such extension"}"#));
    let client = server.client();
    assert_eq!(client.info(&name(A)).unwrap_err().code().as_str(), "not_found");
    assert_eq!(client.versions(&name(A)).unwrap_err().code().as_str(), "not_found");
    let marker = server.paths().iter().filter(|path| *path == "/marsh-registry.json").count();
    assert_eq!(marker, 1, "whether this is a static host is asked once");

    let gone = Rough::new(|_, _| Reply::new(410, r#"{"error":"broken"}"#));
    let error = fetch(&Scene::new(), &gone.client(), &Digest::of(b"x")).unwrap_err();
    assert_eq!(error.code().as_str(), "extension_yanked");
}

#[test]
fn redirects_are_limited_and_drop_credentials() {
    let other = Rough::new(|_, _| Reply::new(200, "the archive"));
    let target = format!("{}/elsewhere", other.url());
    let server = Rough::new(move |heard, _| match heard.path.contains("/download") {
        true => Reply::redirect("/step"),
        false => Reply::redirect(target.clone()),
    });
    let client = server.client_with(|options| options.api_key = Some("key".into()));
    let scene = Scene::new();
    assert_eq!(fetch(&scene, &client, &Digest::of(b"the archive")).unwrap(), b"the archive");
    assert!(server.heard().iter().all(|heard| heard.header("x-api-key") == Some("key")));
    let heard = &other.heard()[0];
    assert_eq!((heard.header("authorization"), heard.header("x-api-key")), (None, None));

    let circle = Rough::new(|_, _| Reply::redirect("/again"));
    assert_eq!(circle.client().info(&name(A)).unwrap_err().code().as_str(), "unsafe_redirect");
    assert_eq!(circle.heard().len(), 6);
    for target in ["file:///etc/passwd", "ftp://example.org/x", "http://me:secret@127.0.0.1/"] {
        let server = Rough::new(move |_, _| Reply::redirect(target));
        assert_eq!(
            server.client().info(&name(A)).unwrap_err().code().as_str(),
            "unsafe_redirect",
            "{target}"
        );
    }
    let server = Rough::new(|_, _| Reply::redirect("/elsewhere"));
    let error = server.client().deprecate(&name(A), "x", None).unwrap_err();
    assert_eq!((error.code().as_str(), server.heard().len()), ("unsafe_redirect", 1));
}

/// Defects 38 and 61: a text of a registry becomes a name, a version or a path only after it was checked.
#[test]
fn hostile_answers_are_refused() {
    let hostile = [
        info("@a/../../x"),
        info("@acme/other"),
        json!({ "name": A, "latestVersion": "../../x" }),
        json!({ "name": A, "dependencies": ["@a/../../x"] }),
        json!({ "name": A, "supersededBy": "../x" }),
        json!({ "name": [] }),
        json!("text"),
    ];
    for answer in hostile {
        let shown = answer.to_string();
        let server = Rough::new(move |_, _| Reply::json(&answer));
        assert_eq!(server.client().info(&name(A)).unwrap_err().code().as_str(), "bad_response", "{shown}");
    }
    for versions in [
        json!([{ "version": "../..", "channel": "stable" }]),
        json!([{ "version": "2026.01.01.1", "channel": "nightly" }]),
        json!([{ "version": "2026.01.01.1", "checksum": "../.." }]),
        json!([{ "version": "2026.01.01.1", "dependencies": ["@a/b@../x"] }]),
    ] {
        let shown = versions.to_string();
        let server =
            Rough::new(move |_, _| Reply::json(&json!({ "versions": versions, "meta": { "total": 1 } })));
        assert_eq!(
            server.client().versions(&name(A)).unwrap_err().code().as_str(),
            "bad_response",
            "{shown}"
        );
    }
    for checksum in ["../..", "", "zz"] {
        let server = Rough::new(move |_, _| Reply::json(&json!({ "checksum": checksum })));
        let error = server.client().checksum(&name(A), version("2026.01.01.1"), Channel::Stable).unwrap_err();
        assert_eq!(error.code().as_str(), "bad_response");
    }
    let server = Rough::new(|_, _| Reply::json(&json!({ "extensions": [{ "name": "@a/../../x" }] })));
    assert_eq!(server.client().search(&SearchQuery::default()).unwrap_err().code().as_str(), "bad_response");
    let page = Rough::new(|_, _| Reply::new(200, "<!doctype html><title>Welcome</title>"));
    let error = page.client().info(&name(A)).unwrap_err();
    assert_eq!(error.code().as_str(), "bad_response");
    assert!(!error.to_string().contains('<'), "{error}");
}

#[test]
fn endless_answer_is_refused_at_the_limit() {
    let pages = Rough::new(|_, _| {
        Reply::json(&json!({ "versions": [{ "version": "2026.01.01.1" }], "meta": { "total": 1_000_000 } }))
    });
    assert_eq!(pages.client().versions(&name(A)).unwrap_err().code().as_str(), "bad_response");
    let large = Rough::new(|_, _| Reply::new(200, vec![b' '; 17 << 20]));
    assert_eq!(large.client().info(&name(A)).unwrap_err().code().as_str(), "bad_response");
}

#[test]
fn versions_of_a_registry_that_lists_one_channel_are_all_listed() {
    let server = Rough::new(|heard, _| {
        let version = match heard.path.as_str() {
            path if path.contains("channel=beta") => {
                json!([{ "version": "2026.03.01.1", "channel": "beta" }])
            }
            path if path.contains("channel=rc") => json!([]),
            _ => json!([{ "version": "2026.01.01.1", "channel": "stable" }]),
        };
        Reply::json(&json!({ "meta": { "total": version.as_array().unwrap().len() }, "versions": version }))
    });
    let versions = server.client().versions(&name(A)).unwrap();
    let listed: Vec<String> = versions.iter().map(|version| version.version.to_string()).collect();
    assert_eq!(listed, ["2026.03.01.1", "2026.01.01.1"]);
    assert_eq!(versions[0].checksum, None, "not said");
}

#[test]
fn static_host_answers_every_request() {
    for ranges in [false, true] {
        let scene = Scene::new();
        let digest = scene.publish(A, "2026.01.01.1", None, b"one");
        scene.publish(A, "2026.01.02.1", Some(Channel::Rc), b"two");
        let server = Rough::files(scene.root(), ranges);
        let (client, a) = (server.client(), name(A));
        assert_eq!(client.info(&a).unwrap().latest_version, Some(version("2026.01.01.1")));
        assert_eq!(client.versions(&a).unwrap(), scene.registry().versions(&a).unwrap());
        assert_eq!(client.latest(&a, Channel::Rc).unwrap().unwrap().version, version("2026.01.02.1"));
        assert_eq!(client.checksum(&a, version("2026.01.01.1"), Channel::Stable).unwrap(), Some(digest));
        assert_eq!(
            client.search(&SearchQuery::default()).unwrap(),
            scene.registry().search(&SearchQuery::default()).unwrap()
        );
        assert_eq!(fetch(&scene, &client, &digest).unwrap(), b"one");
        assert_eq!(client.info(&name("@acme/missing")).unwrap_err().code().as_str(), "not_found");
        let asked = server.paths().iter().filter(|path| path.starts_with("/api/")).count();
        assert_eq!(asked, 1, "after the first answer the API is not tried again");
        // Each client finds out again that the host is static.
        assert_eq!(server.client().versions(&a).unwrap().len(), 2);
        std::fs::remove_file(scene.cache().get(&digest).unwrap()).unwrap();
        assert_eq!(fetch(&scene, &server.client(), &digest).unwrap(), b"one");
        scene.registry().yank(&a, None, None, "gone").unwrap();
        std::fs::remove_file(scene.cache().get(&digest).unwrap()).unwrap();
        assert_eq!(fetch(&scene, &client, &digest).unwrap_err().code().as_str(), "extension_yanked");
    }
}

#[test]
fn offline_client_uses_cache_and_directories() {
    let scene = Scene::new();
    let digest = scene.publish(A, "2026.01.01.1", None, b"one");
    let server = Rough::files(scene.root(), true);
    let offline = server.client_with(|options| options.offline = true);
    assert_eq!(offline.info(&name(A)).unwrap_err().code().as_str(), "offline");
    assert_eq!(fetch(&scene, &offline, &digest).unwrap_err().code().as_str(), "offline");
    let directory = Registry::open(
        Location::Directory(scene.root()),
        marsh_registry::ClientOptions { offline: true, ..options() },
    );
    assert!(directory.info(&name(A)).is_ok());
    fetch(&scene, &directory, &digest).unwrap();
    assert_eq!(fetch(&scene, &offline, &digest).unwrap(), b"one");
    assert_eq!(server.heard().len(), 0);
}

#[test]
fn upload_to_the_ticket_url_has_no_credentials() {
    let store = Rough::new(|_, _| Reply::new(200, ""));
    let target = Arc::new(Mutex::new(format!("{}/bucket/key?signature=1", store.url())));
    let ticket = Arc::clone(&target);
    let server = Rough::new(move |heard, _| match heard.path.as_str() {
        "/api/v1/extensions/push" => {
            Reply::json(&json!({ "uploadUrl": *ticket.lock().unwrap(), "s3Key": "k", "extensionId": "1" }))
        }
        _ => Reply::json(&json!({ "extensionId": "1", "name": A, "version": "2026.01.01.1" })),
    });
    let scene = Scene::new();
    let (path, digest) = scene.archive(b"one");
    let client = server.client_with(|options| options.api_key = Some("key".into()));
    let published = client.publish(&push(A, "2026.01.01.1", None), &content(), &path).unwrap();
    assert_eq!(published.checksum, Some(digest));
    let heard = &store.heard()[0];
    assert_eq!((heard.method.as_str(), heard.header("content-type")), ("PUT", Some("application/gzip")));
    assert_eq!((heard.header("x-api-key"), heard.header("content-length")), (None, Some("3")));
    *target.lock().unwrap() = "file:///tmp/x".into();
    let error = client.publish(&push(A, "2026.01.01.1", None), &content(), &path).unwrap_err();
    assert_eq!(error.code().as_str(), "unsafe_redirect");
}
