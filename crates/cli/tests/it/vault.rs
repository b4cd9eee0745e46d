//! `marsh vault …`.

use marsh_testkit::Scratch;
use serde_json::json;

use crate::support::repo;

/// A repository with a vault `main`.
pub fn repo_with_vault() -> Scratch {
    let repo = repo();
    repo.marsh(&["vault", "create", "local_encryption", "main"]).ok();
    repo
}

/// Stores a secret the way that scripts do.
pub fn put(repo: &Scratch, key: &str, value: &str) {
    repo.marsh_with_stdin(&["vault", "put", "main", key], value).ok();
}

#[test]
fn a_secret_is_stored_read_listed_and_deleted() {
    let repo = repo_with_vault();
    let stored =
        repo.marsh_with_stdin(&["--json", "vault", "put", "main", "key", "--label", "team=a"], "hunter2\n");
    let stored = stored.ok().json();
    assert_eq!((&stored["secretKey"], &stored["overwritten"]), (&json!("key"), &json!(false)));
    // Bytes as they are, so that `$(marsh vault read-secret …)` and pipes get the value itself.
    assert_eq!(repo.marsh(&["vault", "read-secret", "main", "key"]).ok().stdout, "hunter2");
    let read = repo.marsh(&["--json", "vault", "read-secret", "main", "key"]).ok().json();
    assert_eq!(read["value"], "hunter2");
    let keys = repo.marsh(&["--json", "vault", "list-keys", "main"]).ok().json();
    assert_eq!((&keys["secretKeys"], &keys["count"]), (&json!(["key"]), &json!(1)));
    let seen = repo.marsh(&["--json", "vault", "inspect", "main", "key"]).ok();
    assert!(!seen.stdout.contains("hunter2"));
    assert_eq!(seen.json()["sizeBytes"], 7);
    assert_eq!(seen.json()["annotation"]["labels"]["team"], "a");
    repo.marsh(&["vault", "delete", "main", "key", "--yes"]).ok();
    let gone = repo.marsh(&["--json", "vault", "read-secret", "main", "key"]).exits(1).error();
    assert_eq!(gone["code"], "secret_not_found");
    repo.marsh(&["vault", "delete", "main", "key", "--yes"]).exits(1);
    let nothing = repo.marsh(&["--json", "vault", "delete", "main", "key", "--force"]).ok().json();
    assert_eq!(nothing["noOp"], true);
    let trail = repo.marsh(&["--json", "vault", "audit-trail"]).ok().json();
    let actions: Vec<&str> =
        trail["entries"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["delete", "put"]);
}

#[test]
fn a_secret_in_an_argument_works_and_is_warned_of() {
    let repo = repo_with_vault();
    let run = repo.marsh(&["vault", "put", "main", "key", "hunter2"]).ok();
    assert!(run.stderr.contains("warning") && run.stderr.contains("standard input"), "{}", run.stderr);
    assert_eq!(repo.marsh(&["vault", "read-secret", "main", "key"]).ok().stdout, "hunter2");
}

#[test]
fn on_a_terminal_a_secret_is_asked_for_and_not_shown() {
    use std::io::{Read as _, Write as _};
    use std::os::fd::OwnedFd;
    use std::process::Stdio;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let repo = repo_with_vault();
    let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = std::fs::OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut child = repo
        .command(&["vault", "put", "main", "key"])
        .stdin(Stdio::from(slave.try_clone().unwrap()))
        .spawn()
        .unwrap();
    let mut told = child.stderr.take().unwrap();
    let mut question = Vec::new();
    let mut byte = [0];
    while !question.ends_with(b"(not shown): ") {
        assert_eq!(told.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&question));
        question.push(byte[0]);
    }
    let before = rustix::termios::tcgetattr(&slave).unwrap();
    let mut terminal = std::fs::File::from(master);
    // The question is printed before the terminal is made quiet, and what was typed before that does not count.
    marsh_testkit::wait_for("the terminal to be quiet", || {
        let modes = rustix::termios::tcgetattr(&slave).unwrap().local_modes;
        (!modes.contains(rustix::termios::LocalModes::ECHO)).then_some(())
    });
    terminal.write_all(b"hunterX\x7f2\n").unwrap();
    assert!(child.wait().unwrap().success());
    let after = rustix::termios::tcgetattr(&slave).unwrap();
    assert!(after.local_modes.contains(rustix::termios::LocalModes::ECHO), "{:?}", before.local_modes);
    drop(slave);
    let mut shown = Vec::new();
    // The other end is closed: what it wrote comes first, then an error.
    terminal.read_to_end(&mut shown).ok();
    assert!(!String::from_utf8_lossy(&shown).contains("hunter"), "{shown:?}");
    assert_eq!(repo.marsh(&["vault", "read-secret", "main", "key"]).ok().stdout, "hunter2");
}

#[test]
fn vaults_are_made_listed_shown_and_edited() {
    let repo = repo();
    let none = repo.marsh(&["--json", "vault", "list-keys", "main"]).exits(1).error();
    assert_eq!(none["code"], "vault_not_found");
    assert!(none["hint"].as_str().unwrap().contains("vault create"));
    let made = repo.marsh(&["--json", "vault", "create", "local_encryption", "main"]).ok().json();
    assert_eq!(made["config"], json!({"auto_generate": true}));
    assert_eq!(repo.list("vaults/local_encryption").len(), 1);
    let twice = repo.marsh(&["--json", "vault", "create", "local_encryption", "main"]).exits(1).error();
    assert_eq!(twice["code"], "already_exists");
    repo.marsh(&["vault", "create", "local_encryption", "other", "--config", "{\"auto_generat\":true}"])
        .exits(1);
    let unknown = repo.marsh(&["--json", "vault", "create", "local_encription"]).exits(1).error();
    assert_eq!(unknown["code"], "unknown_vault_type");
    assert!(unknown["hint"].as_str().unwrap().contains("local_encryption"));
    let list = repo.marsh(&["--json", "vault", "list"]).ok().json();
    assert_eq!(list["results"][0]["name"], "main");
    let types = repo.marsh(&["--json", "vault", "type", "search"]).ok().json();
    assert_eq!(types["results"][0]["type"], "local_encryption");
    let shown = repo.marsh(&["--json", "vault", "get", "main"]).ok().json();
    let path = shown["storagePath"].as_str().unwrap().to_owned();
    let text = repo.read(&path) + "auditReads: true\n";
    repo.marsh_with_stdin(&["vault", "edit", "main"], &text).ok();
    put(&repo, "key", "v");
    repo.marsh(&["vault", "read-secret", "main", "key"]).ok();
    let trail = repo.marsh(&["--json", "vault", "audit-trail", "--action", "get"]).ok().json();
    assert_eq!(trail["returnedCount"], 1);
    let renamed = text.replace("name: main", "name: other");
    assert_eq!(
        repo.marsh_with_stdin(&["--json", "vault", "edit", "main"], &renamed).exits(1).error()["code"],
        "refused"
    );
}

#[test]
fn a_vault_moves_to_another_configuration() {
    let repo = repo_with_vault();
    put(&repo, "a", "1");
    put(&repo, "b", "2");
    let arguments = ["--json", "vault", "migrate", "main", "--to-type", "local_encryption", "--yes"];
    assert_eq!(repo.marsh(&arguments).exits(1).error()["code"], "refused", "it is one already");
    let config = r#"{"auto_generate":true,"base_dir":"elsewhere"}"#;
    let moved = repo.marsh(&[&arguments[..], &["--config", config]].concat()).ok().json();
    assert_eq!(moved["secretsMigrated"], 2);
    assert!(repo.exists("elsewhere/.swamp/secrets/local_encryption/main/a.enc"));
    assert_eq!(repo.marsh(&["vault", "read-secret", "main", "b"]).ok().stdout, "2");
}

/// A vault in TypeScript that keeps its secrets in a file, reversed.
const KEEPER: &str = r#"
export const vault = {
  type: "@me/keeper",
  name: "Keeper",
  description: "keeps secrets in a file",
  createProvider: (name, config) => {
    const read = () => {
      try {
        return JSON.parse(Deno.readTextFileSync(config.file));
      } catch {
        return {};
      }
    };
    const turned = (text) => [...text].reverse().join("");
    return {
      getName: () => name,
      async get(key) {
        const all = read();
        if (!(key in all)) throw new Error(`nothing under ${key}`);
        return turned(all[key]);
      },
      async put(key, value) {
        Deno.writeTextFileSync(config.file, JSON.stringify({ ...read(), [key]: turned(value) }));
      },
      async list() {
        return Object.keys(read());
      },
    };
  },
};
"#;

#[test]
fn a_vault_of_an_extension_is_a_vault_like_others() {
    let repo = crate::support::repo_with(&format!(
        "resources: {{ r: {{ description: 'd', schema: z.object({{ key: z.string().meta({{ sensitive: true }}) }}), \
         lifetime: 'infinite', garbageCollection: 1 }} }}, {}",
        crate::support::method(
            "run",
            "await context.writeResource('r', 'a', { key: ['made', 'here'].join('-') }); \
             const read = await context.readResource('a'); if (read.key !== 'made-here') throw new Error('lost');"
        )
    ));
    repo.write("extensions/vaults/keeper.ts", KEEPER);
    let types = repo.marsh(&["--json", "vault", "type", "search", "keeper"]).ok().json();
    assert_eq!(types["results"][0]["type"], "@me/keeper");
    let file = repo.path("kept.json");
    let config = json!({ "file": file }).to_string();
    repo.marsh(&["vault", "create", "@me/keeper", "main", "--config", &config]).ok();
    put(&repo, "key", "hunter2");
    assert_eq!(repo.marsh(&["vault", "read-secret", "main", "key"]).ok().stdout, "hunter2");
    assert!(repo.read("kept.json").contains("2retnuh"));
    let gone = repo.marsh(&["--json", "vault", "read-secret", "main", "none"]).exits(1).error();
    assert_eq!(gone["code"], "secret_not_found");
    let cannot = repo.marsh(&["--json", "vault", "delete", "main", "key", "--yes"]).exits(1).error();
    assert_eq!(cannot["code"], "vault_unsupported");
    // A sensitive output goes there while the method that wrote it still runs.
    repo.marsh(&crate::support::run_args(&[])).ok();
    assert!(repo.read("kept.json").contains("ereh-edam"));
    let shell = "run=echo ${{ vault.get('main', 'key') }}";
    repo.write(
        "models/command/shell/s.yaml",
        format!(
            "type: command/shell\nid: {}\nname: s\nversion: 1\ntags: {{}}\nglobalArguments: {{}}\n\
             methods:\n  execute:\n    arguments:\n      run: \"{}\"\n",
            crate::support::ID,
            shell.trim_start_matches("run=")
        ),
    );
    let run = repo.marsh(&["model", "method", "run", "s", "execute"]).ok();
    assert!(run.stdout.contains("***") && !run.stdout.contains("hunter2"), "{}", run.snapshot());
}
