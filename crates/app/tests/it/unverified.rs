//! A registry that states no checksum: refused, unless the user says otherwise, and then never quietly.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

use marsh_app::PullRequest;
use marsh_testkit::ExtensionRegistry;
use serde_json::json;

use crate::installed::{
    LOCKFILE, V1, active_types, assert_sound_set, installed, package, pull, pull_request, request,
};
use crate::support::Repository;

/// Serves one version of `@s/a` until the test process ends. Of its checksum it says `null`, or knows no such place.
fn silent(archive: Vec<u8>, null: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(&stream, &archive, null);
        }
    });
    url
}

fn answer(mut stream: &TcpStream, archive: &[u8], null: bool) {
    let mut lines = BufReader::new(stream).lines();
    let Some(Ok(request)) = lines.next() else { return };
    // A client that hangs up early has its answer.
    while let Some(Ok(line)) = lines.next()
        && !line.is_empty()
    {}
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, body) = if path.contains("/versions") {
        let page = json!({ "versions": [{ "version": V1 }], "meta": { "total": 1, "allChannels": true } });
        ("200 OK", page.to_string().into_bytes())
    } else if path.contains("/checksum") && null {
        ("200 OK", json!({ "checksum": null }).to_string().into_bytes())
    } else if path.contains("/download") {
        ("200 OK", archive.to_vec())
    } else {
        ("404 Not Found", json!({ "error": "not_found" }).to_string().into_bytes())
    };
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).unwrap();
}

#[test]
fn defect_38_unverified_versions_are_installed_on_demand_with_a_warning() {
    let registry = ExtensionRegistry::new();
    let digest = registry.publish(&package("@s/a", V1));
    let archive = std::fs::read(registry.root().join(format!("archives/{digest}.tar.gz"))).unwrap();
    for null in [true, false] {
        let repo = Repository::new().env("MARSH_REGISTRY", silent(archive.clone(), null));
        let refused = pull(&repo, &["@s/a"]).unwrap_err();
        let code = if null { "missing_checksum" } else { "not_found" };
        assert_eq!(refused["code"], code, "{refused}");
        assert!(!repo.exists(LOCKFILE));
        let pulled = pull_request(&repo, &unverified()).unwrap();
        assert!(pulled.to_string().contains("UNVERIFIED"), "{pulled:#}");
        assert_eq!(installed(&repo), [format!("@s/a {V1}")]);
        assert_eq!(active_types(&repo, "@s"), ["@s/a"]);
        // From here on it is pinned like everything else.
        assert!(repo.read(LOCKFILE).contains(&digest));
        assert_sound_set(&repo);
    }
    // A file that is not an archive is refused, with or without a checksum.
    let repo = Repository::new().env("MARSH_REGISTRY", silent(b"nothing".to_vec(), true));
    let refused = pull_request(&repo, &unverified()).unwrap_err();
    assert_eq!(refused["code"], "archive_corrupt", "{refused}");
    assert!(!repo.exists(LOCKFILE));
}

fn unverified() -> PullRequest {
    PullRequest { allow_missing_checksum: true, ..request(&["@s/a"]) }
}
