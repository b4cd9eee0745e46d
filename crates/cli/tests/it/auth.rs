//! Credentials of registries and servers.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Child;

use marsh_testkit::{Scratch, wait_for};
use serde_json::{Value, json};

use crate::support::{V1, model, repo};

/// A registry server, which ends with this value.
pub struct Server {
    pub url: String,
    child: Child,
}

impl Server {
    /// Serves a directory of the repository.
    pub fn start(repo: &Scratch, dir: &str) -> Server {
        let arguments = ["--json", "registry", "serve", dir, "--listen", "127.0.0.1:0"];
        let mut child = repo.command(&arguments).spawn().unwrap();
        let mut text = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let started: Value = wait_for("the registry's address", || {
            text += &lines.next().unwrap().unwrap();
            serde_json::from_str(&text).ok()
        });
        Server { url: started["url"].as_str().unwrap().to_owned(), child }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A repository with a served registry, and a token of `ada` for `acme`.
fn scene() -> (Scratch, Server, String) {
    let repo = repo();
    repo.marsh(&["registry", "init", "registry"]).ok();
    let add = ["--json", "registry", "token", "add", "registry", "ada", "--collective", "acme"];
    let token = repo.marsh(&add).ok().json()["token"].as_str().unwrap().to_owned();
    let server = Server::start(&repo, "registry");
    (repo, server, token)
}

/// The path of a file in the user's configuration directory.
fn config(repo: &Scratch, name: &str) -> std::path::PathBuf {
    repo.root().parent().unwrap().join("home/.config/marsh").join(name)
}

#[test]
fn login_is_kept_privately_and_used_for_its_registry_alone() {
    let (repo, server, token) = scene();
    let missing = repo.marsh(&["--json", "auth", "whoami"]).exits(1).error();
    assert_eq!(
        (&missing["code"], missing["hint"].as_str().unwrap().contains("auth login")),
        (&json!("unauthorized"), true)
    );
    let wrong =
        repo.marsh(&["--json", "auth", "login", "--server", &server.url, "--password", "wrong"]).exits(1);
    assert_eq!(wrong.error()["code"], "unauthorized");
    assert!(!config(&repo, "auth.json").exists());
    let login = ["--json", "auth", "login", "--server", &server.url];
    let other = repo.marsh(&[&login[..], &["--username", "bob", "--password", &token]].concat()).exits(1);
    assert!(other.error()["message"].as_str().unwrap().contains("`ada`"));
    let done = repo.marsh_with_stdin(&login, &format!("ada\n{token}\n")).ok().json();
    assert_eq!(done, json!({ "authenticated": true, "serverUrl": server.url, "username": "ada" }));
    let mode = std::fs::metadata(config(&repo, "auth.json")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let user = repo.marsh(&["--json", "auth", "status"]).ok();
    assert_eq!((&user.json()["username"], &user.json()["collectives"]), (&json!("ada"), &json!(["acme"])));
    assert!(!user.stdout.contains(&token));

    // The token goes with a push to its registry, and to no other one.
    repo.write("extensions/models/a.ts", model("@acme/a", "methods: {},"));
    repo.write(
        "manifest.yaml",
        format!("manifestVersion: 1\nname: \"@acme/a\"\nversion: {V1}\nmodels: [a.ts]\n"),
    );
    let push = |registry: &str| {
        repo.marsh(&["--json", "extension", "push", "manifest.yaml", "--yes", "--registry", registry])
    };
    let second = Server::start(&repo, "registry");
    assert_eq!(push(&second.url).exits(1).error()["code"], "unauthorized");
    push(&server.url).ok();

    let out = repo.marsh(&["--json", "auth", "logout"]).ok().json();
    assert_eq!((&out["loggedOut"], &out["username"]), (&json!(true), &json!("ada")));
    let out = repo.marsh(&["--json", "auth", "logout"]).ok().json();
    assert_eq!((&out["loggedOut"], out["reason"].is_string()), (&json!(false), true));
}

#[test]
fn token_of_a_collective_can_do_no_more_than_its_maker() {
    let (repo, server, token) = scene();
    repo.marsh(&["auth", "login", "--server", &server.url, "--password", &token]).ok();
    let create = |repo: &Scratch, collective: &str, scopes: &str| {
        repo.marsh(&["--json", "auth", "token", "create", "--collective", collective, "--scopes", scopes])
    };
    let made = create(&repo, "@acme", "publish").ok().json()["token"].as_str().unwrap().to_owned();
    assert_eq!(create(&repo, "other", "publish").exits(1).error()["code"], "forbidden");
    let weak = repo.env("MARSH_API_KEY", &made).env("MARSH_REGISTRY", &server.url);
    let user = weak.marsh(&["--json", "auth", "whoami"]).ok().json();
    assert_eq!((&user["username"], &user["scopes"]), (&json!("ada"), &json!(["publish"])));
    assert_eq!(create(&weak, "acme", "manage").exits(1).error()["code"], "forbidden");
    let refused = weak.marsh(&["--json", "auth", "login", "--password", &made]).exits(1).error();
    assert!(refused["message"].as_str().unwrap().contains("MARSH_API_KEY"));
}

#[test]
fn unreachable_registry_and_directory_are_named() {
    let repo = repo();
    let login = |server: &str| {
        repo.marsh(&["--json", "auth", "login", "--server", server, "--password", "x"]).error()
    };
    assert_eq!(login("http://127.0.0.1:9")["code"], "registry_unreachable");
    assert_eq!(login("registry")["class"], "usage");
    repo.marsh_with_stdin(&["auth", "login", "--server", "http://127.0.0.1:9"], "").exits(2);
}

#[test]
fn login_with_an_illegible_marker_sends_the_token_to_no_other_registry() {
    let (repo, _server, token) = scene();
    repo.write(".swamp.yaml", "registry: [");
    let failed = repo.marsh_with_stdin(&["--json", "auth", "login"], &token).exits(1).error();
    assert!(failed["message"].as_str().unwrap().contains(".swamp.yaml"), "{failed}");
}

#[test]
fn server_token_is_kept_under_one_form_of_its_address() {
    let repo = repo();
    let login = |server: &str, token: &str| {
        repo.marsh(&["--json", "auth", "server-login", "--server", server, "--token", token])
    };
    let stored = login("wss://Host.example:9090/", "ci.secret").ok().json();
    assert_eq!(
        stored,
        json!({ "serverUrl": "https://host.example:9090", "tokenName": "ci", "stored": true })
    );
    let file = config(&repo, "server-credentials.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    for (server, token) in [("wss://h", "nodot"), ("wss://h", ".x"), ("h", "a.b")] {
        login(server, token).exits(2);
    }
    repo.marsh(&["auth", "server-login", "--server", "wss://h"]).exits(2);
}
