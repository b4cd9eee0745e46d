//! `marsh vault …`: what each command prints, prompts, and vaults of extensions. What the operations do is tested in
//! `crates/app/tests/it/vault.rs`.

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
fn vault_commands_print_text_and_documents() {
    let repo = repo();
    let json = |arguments: &[&str]| repo.marsh(&[&["--json", "vault"], arguments].concat()).ok().json();
    let made = json(&["create", "local_encryption", "main"]);
    assert_eq!((&made["name"], &made["config"]), (&json!("main"), &json!({"auto_generate": true})));
    assert_eq!(json(&["list"])["results"][0]["name"], "main");
    assert_eq!(json(&["type", "search"])["results"][0]["type"], "local_encryption");

    let put = ["--json", "vault", "put", "main", "key", "--label", "team=a"];
    let stored = repo.marsh_with_stdin(&put, "hunter2\n").ok().json();
    assert_eq!((&stored["overwritten"], &stored["labels"]), (&json!(false), &json!({"team": "a"})));
    // The bytes of the value, so that `$(marsh vault read-secret …)` and pipes get the value itself.
    assert_eq!(repo.marsh(&["vault", "read-secret", "main", "key"]).ok().stdout, "hunter2");
    assert_eq!(json(&["read-secret", "main", "key"])["value"], "hunter2");
    let keys = json(&["list-keys", "main"]);
    assert_eq!((&keys["secretKeys"], &keys["count"]), (&json!(["key"]), &json!(1)));
    let seen = repo.marsh(&["--json", "vault", "inspect", "main", "key"]).ok();
    assert!(!seen.stdout.contains("hunter2"));
    assert_eq!((&seen.json()["sizeBytes"], &seen.json()["refreshHook"]), (&json!(7), &json!(null)));
    let noted = json(&["annotate", "main", "key", "--notes", "n", "--remove-label", "team"]);
    assert_eq!((&noted["annotation"]["notes"], noted["annotation"].get("labels")), (&json!("n"), None));
    let label = repo.marsh(&["vault", "annotate", "main", "key", "--label", "team"]).exits(2);
    assert!(label.stderr.contains("expected KEY=VALUE"), "{}", label.stderr);

    let shown = json(&["get", "main"]);
    let text = repo.read(shown["storagePath"].as_str().unwrap()) + "auditReads: true\n";
    let edited = repo.marsh_with_stdin(&["--json", "vault", "edit", "main"], &text).ok().json();
    assert_eq!((&edited["status"], &edited["editor"]), (&json!("updated"), &json!(null)));
    assert_eq!(json(&["get", "main"])["auditReads"], true);

    let config = r#"{"auto_generate":true,"base_dir":"elsewhere"}"#;
    let migrate = ["vault", "migrate", "main", "--to-type", "local_encryption", "--config", config];
    let refused = repo.marsh(&migrate).exits(1);
    assert!(refused.stderr.contains("`--yes` moves the secrets without asking"), "{}", refused.stderr);
    let moved = repo.marsh(&[&migrate[..], &["--yes"]].concat()).ok();
    assert_eq!(moved.stdout.trim(), "moved 1 secrets of main to local_encryption");
    assert_eq!(repo.marsh(&["vault", "read-secret", "main", "key"]).ok().stdout, "hunter2");
    let broken =
        repo.marsh(&["--json", "vault", "create", "local_encryption", "x", "--config", "["]).exits(2);
    assert!(broken.error()["message"].as_str().unwrap().contains("invalid JSON object in `--config`"));

    repo.marsh(&["vault", "delete", "main", "key", "--yes"]).ok();
    let gone = repo.marsh(&["--json", "vault", "read-secret", "main", "key"]).exits(1).error();
    assert_eq!(gone["code"], "secret_not_found");
    assert_eq!(json(&["delete", "main", "key", "--force"])["noOp"], true);
    let trail = json(&["audit-trail"]);
    let actions: Vec<&str> =
        trail["entries"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["delete", "get", "annotate", "put"]);
}

#[test]
fn a_secret_in_an_argument_works_and_is_warned_of() {
    let repo = repo_with_vault();
    let run = repo.marsh(&["vault", "put", "main", "key", "hunter2"]).ok();
    assert!(run.stderr.contains("warning") && run.stderr.contains("standard input"), "{}", run.stderr);
    assert_eq!(repo.marsh(&["vault", "read-secret", "main", "key"]).ok().stdout, "hunter2");
}

#[test]
fn every_form_of_put_stores_the_value_under_the_key() {
    let repo = repo_with_vault();
    let read = |key: &str| repo.marsh(&["vault", "read-secret", "main", key]).ok().stdout;
    repo.marsh(&["vault", "put", "main", "PAIR=a=b"]).ok();
    repo.marsh(&["vault", "write-secret", "main", "SPLIT", "a=b"]).ok();
    repo.marsh(&["vault", "put", "main", "EMPTY="]).ok();
    repo.marsh_with_stdin(&["vault", "put", "main", "LINES"], "a\nb\n").ok();
    assert_eq!([read("PAIR"), read("SPLIT"), read("EMPTY"), read("LINES")], ["a=b", "a=b", "", "a\nb\n"]);
    let two = repo.marsh(&["--json", "vault", "put", "main", "TWO=hunter2", "hunter3"]).exits(2);
    assert_eq!(two.error()["code"], "usage");
    assert!(!two.snapshot().contains("hunter"), "{}", two.snapshot());
    repo.marsh(&["vault", "put", "main", "TWO", "b", "c"]).exits(2);
    repo.marsh_with_stdin(&["vault", "put", "main", "NONE"], "").exits(2);
    let keys = repo.marsh(&["--json", "vault", "list-keys", "main"]).ok().json();
    assert_eq!(keys["secretKeys"], json!(["EMPTY", "LINES", "PAIR", "SPLIT"]));
}

#[test]
fn put_without_a_terminal_replaces_a_secret_only_with_a_flag_or_as_json() {
    let repo = repo_with_vault();
    put(&repo, "key", "first");
    for arguments in [&["vault", "put", "main", "key"][..], &["vault", "put", "main", "key=second"]] {
        let refused = repo.marsh_with_stdin(arguments, "second").exits(1);
        assert!(refused.stderr.contains("`--yes` replaces it"), "{}", refused.stderr);
    }
    let read = || repo.marsh(&["vault", "read-secret", "main", "key"]).ok().stdout;
    assert_eq!(read(), "first");
    repo.marsh_with_stdin(&["vault", "put", "main", "key", "-f"], "second").ok();
    assert_eq!(read(), "second");
    repo.marsh_with_stdin(&["--json", "vault", "put", "main", "key"], "third").ok();
    assert_eq!(read(), "third");
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
