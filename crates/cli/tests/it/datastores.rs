//! Data in the store of an extension. The store is a directory that the extension mirrors, with a lock that renews
//! itself; it goes away, stalls and is left by processes that die.

use marsh_testkit::{Running, Scratch, wait_for};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{OUTPUTS, method, model, repo, run_args};

const MIRROR: &str = r#"
const run = async (script: string, ...args: string[]) => {
  const done = await new Deno.Command("sh", { args: ["-c", script, "sh", ...args], stderr: "piped" }).output();
  if (!done.success) throw new Error(new TextDecoder().decode(done.stderr).trim());
};
const exists = async (path: string) => { try { await Deno.stat(path); return true; } catch { return false; } };
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export const datastore = {
  type: "@me/mirror", name: "Mirror", description: "A directory that is kept equal",
  createProvider: (config: { root: string }) => {
    const lockFile = `${config.root}/lock`;
    const reachable = async () => { if (!await exists(config.root)) throw new Error("the mirror is not reachable"); };
    return {
      createLock: (_path: string, options: any) => {
        const nonce = crypto.randomUUID();
        let beat: number | undefined;
        const inspect = async () => { try { return JSON.parse(await Deno.readTextFile(lockFile)); } catch { return null; } };
        const say = () => JSON.stringify({ holder: "someone", nonce, acquiredAt: Date.now(), ttlMs: options.ttlMs });
        return {
          inspect,
          acquire: async () => {
            await reachable();
            const until = Date.now() + options.maxWaitMs;
            for (;;) {
              try { await Deno.writeTextFile(lockFile, say(), { createNew: true }); break; } catch { /* taken */ }
              if (Date.now() >= until) throw new Error("somebody else holds the lock");
              await pause(20);
            }
            beat = setInterval(() => Deno.writeTextFileSync(lockFile, say()), options.ttlMs / 3);
          },
          release: async () => { clearInterval(beat); if ((await inspect())?.nonce === nonce) await Deno.remove(lockFile); },
          forceRelease: async (known: string) => { if ((await inspect())?.nonce === known) await Deno.remove(lockFile); return true; },
        };
      },
      createVerifier: () => ({
        verify: async () => ({ healthy: await exists(config.root), message: "the mirror is not reachable", latencyMs: 1, datastoreType: "@me/mirror" }),
      }),
      resolveDatastorePath: () => config.root,
      createSyncService: (_repoDir: string, cache: string) => ({
        markDirty: async () => { await Deno.mkdir(cache, { recursive: true }); },
        pullChanged: async () => {
          await reachable();
          await run('rm -rf "$2"; mkdir -p "$1/files" "$2"; cp -a "$1/files/." "$2/"', config.root, cache);
          return 1;
        },
        pushChanged: async () => {
          await reachable();
          await run('mkdir -p "$1/files"', config.root);
          if (await exists(`${config.root}/stall`)) { await Deno.writeTextFile(`${config.root}/stalled`, ""); await pause(60_000); }
          await run('rm -rf "$1/new"; cp -a "$2" "$1/new"; rm -rf "$1/files"; mv "$1/new" "$1/files"', config.root, cache);
          return 2;
        },
      }),
    };
  },
};
"#;

/// A mirror, and repositories whose data are in it.
pub struct Scene {
    dir: TempDir,
}

impl Scene {
    pub fn new() -> Scene {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("mirror")).unwrap();
        Scene { dir }
    }

    fn mirror(&self) -> std::path::PathBuf {
        self.dir.path().join("mirror")
    }

    fn touch(&self, name: &str) {
        std::fs::write(self.mirror().join(name), "").unwrap();
    }

    fn has(&self, name: &str) -> bool {
        self.mirror().join(name).exists()
    }

    /// Takes the lock, as a process does that dies with it.
    pub fn hold_lock(&self) {
        let lock = json!({ "holder": "someone", "nonce": "n", "acquiredAt": 0, "ttlMs": 60_000 });
        std::fs::write(self.mirror().join("lock"), lock.to_string()).unwrap();
    }

    /// Unreachable, and reachable again.
    fn hide(&self) {
        std::fs::rename(self.mirror(), self.dir.path().join("away")).unwrap();
    }

    fn show(&self) {
        std::fs::rename(self.dir.path().join("away"), self.mirror()).unwrap();
    }

    /// The configuration of the mirror.
    pub fn config(&self) -> String {
        json!({ "root": self.mirror() }).to_string()
    }

    /// A repository with a model `@me/x` whose method writes `said`, after this.
    pub fn repo(&self, body: &str) -> Scratch {
        let repo = repo();
        repo.write("extensions/datastores/mirror.ts", MIRROR);
        let body = format!("{body}\nawait context.writeResource('out', 'said', {{ word: 'hello' }});");
        repo.write("extensions/models/x.ts", model("@me/x", &format!("{OUTPUTS} {}", method("run", &body))));
        let config = json!({ "type": "@me/mirror", "config": { "root": self.mirror() } });
        let marker = format!("{}\ndatastore: {config}\n", repo.read(".swamp.yaml"));
        repo.write(".swamp.yaml", marker);
        repo
    }
}

fn has_said(repo: &Scratch) -> bool {
    repo.marsh(&["--json", "data", "get", "m", "said"]).code == Some(0)
}

fn unpushed(repo: &Scratch) -> bool {
    repo.marsh(&["--json", "datastore", "status"]).json()["unpushedChanges"] == true
}

#[test]
fn what_one_repository_wrote_is_read_in_another() {
    let scene = Scene::new();
    let (one, other) = (scene.repo(""), scene.repo(""));
    one.marsh(&run_args(&[])).ok();
    assert!(has_said(&one) && one.files(".swamp/data").is_empty() && one.files(".swamp/outputs").is_empty());
    assert!(scene.has("files/data") && scene.has("files/outputs") && !scene.has("lock"));
    assert!(!has_said(&other), "reading brings nothing");
    let brought = other.marsh(&["--json", "datastore", "sync", "--pull"]).ok().json();
    assert_eq!(brought, json!({ "mode": "pull", "filesPulled": 1 }));
    assert!(has_said(&other));
    assert_eq!(other.marsh(&["--json", "model", "output", "get", "m"]).ok().json()["status"], "succeeded");
    // A change begins with what the others did, and its result is the next version.
    other.marsh(&run_args(&[])).ok();
    one.marsh(&["datastore", "sync"]).ok();
    assert_eq!(one.marsh(&["--json", "data", "get", "m", "said"]).ok().json()["version"], 2);
    one.assert_sound();
}

#[test]
fn the_state_of_a_datastore_is_reported() {
    let scene = Scene::new();
    let repo = scene.repo("");
    for command in [["--json", "datastore", "status"], ["--json", "doctor", "datastores"]] {
        let status = repo.marsh(&command).ok().json();
        assert_eq!((&status["type"], &status["healthy"]), (&json!("@me/mirror"), &json!(true)), "{status:#}");
        assert_eq!(status["directories"].as_array().unwrap().len(), 7);
    }
    let types = repo.marsh(&["--json", "datastore", "type", "search"]).ok().json();
    assert_eq!(types["results"][0]["type"], "@me/mirror");
    assert_eq!(repo.marsh(&["--json", "datastore", "lock", "status"]).ok().json()["held"], false);
    assert_eq!(repo.marsh(&["--json", "serve"]).exits(1).error()["code"], "refused");
    scene.hide();
    let status = repo.marsh(&["--json", "datastore", "status"]).exits(1).json();
    assert_eq!(
        (&status["healthy"], &status["message"]),
        (&json!(false), &json!("the mirror is not reachable"))
    );
    scene.show();
}

#[test]
fn a_datastore_that_cannot_be_reached_stops_a_change_before_it_begins() {
    let scene = Scene::new();
    let ran = scene.dir.path().join("ran");
    let repo = scene.repo(&format!("await Deno.writeTextFile({:?}, '');", ran.display().to_string()));
    repo.marsh(&run_args(&[])).ok();
    std::fs::remove_file(&ran).unwrap();
    scene.hide();
    let failed = repo.marsh(&[&["--json"], run_args(&[]).as_slice()].concat()).exits(1).error();
    assert_eq!(failed["code"], "datastore_lock_failed", "{failed:#}");
    assert!(failed["message"].as_str().unwrap().contains("not reachable"), "{failed:#}");
    assert!(!ran.exists(), "the method ran");
    assert!(has_said(&repo), "reading needs no datastore");
    scene.show();
    repo.marsh(&run_args(&[])).ok();
}

#[test]
fn results_that_could_not_be_pushed_stay_and_go_with_the_next_change() {
    let scene = Scene::new();
    let (from, to) =
        (scene.mirror().display().to_string(), scene.dir.path().join("away").display().to_string());
    let body = format!(
        "if (context.repoDir && !(await Deno.stat('{to}').catch(() => null))) await Deno.rename('{from}', '{to}');"
    );
    let repo = scene.repo(&body);
    let failed = repo.marsh(&[&["--json"], run_args(&[]).as_slice()].concat()).exits(1);
    assert_eq!(failed.json()["status"], "succeeded", "the run itself did its work");
    assert!(failed.stderr.contains("kept here and were not pushed"), "{}", failed.stderr);
    assert!(has_said(&repo) && unpushed(&repo));
    scene.show();
    // The lock of the process that could not release it.
    repo.marsh(&["datastore", "lock", "release", "--force"]).ok();
    let other = scene.repo("");
    repo.marsh(&["datastore", "sync"]).ok();
    assert!(!unpushed(&repo) && has_said(&repo));
    other.marsh(&["datastore", "sync", "--pull"]).ok();
    assert!(has_said(&other));
}

fn stalled(scene: &Scene, repo: &Scratch) -> Running {
    scene.touch("stall");
    let running = repo.spawn(&run_args(&[]));
    wait_for("the push to begin", || scene.has("stalled").then_some(()));
    running
}

#[test]
fn one_that_is_killed_half_way_loses_nothing() {
    let scene = Scene::new();
    let repo = scene.repo("");
    let mut running = stalled(&scene, &repo);
    running.kill();
    drop(running);
    repo.assert_no_processes();
    std::fs::remove_file(scene.mirror().join("stall")).unwrap();
    assert!(unpushed(&repo) && has_said(&repo) && !scene.has("files/data"));
    let held = repo.marsh(&["--json", "datastore", "lock", "status"]).ok().json();
    assert_eq!((&held["held"], &held["info"]["holder"]), (&json!(true), &json!("someone")));
    repo.marsh(&["datastore", "lock", "release", "--force"]).ok();
    // Bringing would overwrite what was not taken; that goes first.
    repo.marsh(&["datastore", "sync", "--pull"]).ok();
    assert!(has_said(&repo) && !unpushed(&repo) && scene.has("files/data"));
    repo.assert_sound();
}

#[test]
fn those_who_change_data_wait_for_each_other() {
    let scene = Scene::new();
    let (one, other) = (scene.repo(""), scene.repo("").env("MARSH_LOCK_TIMEOUT_MS", "300"));
    let running = stalled(&scene, &one);
    let busy = other.marsh(&[&["--json"], run_args(&[]).as_slice()].concat()).exits(75).error();
    assert_eq!(busy["code"], "lock_timeout", "{busy:#}");
    drop(running);
    one.assert_no_processes();
}

/// The audit trail is one of the trees in the datastore.
#[test]
fn audit_entries_of_vault_commands_reach_the_datastore() {
    let scene = Scene::new();
    let repo = scene.repo("");
    repo.marsh(&["vault", "create", "local_encryption", "main", "--audit-reads"]).ok();
    repo.marsh_with_stdin(&["vault", "put", "main", "key"], "v").ok();
    repo.marsh(&["vault", "read-secret", "main", "key"]).ok();
    // A change begins with a fresh copy, in which entries that were not pushed would be missing.
    repo.marsh(&run_args(&[])).ok();
    let trail = repo.marsh(&["--json", "vault", "audit-trail"]).ok().json();
    let entries = trail["entries"].as_array().unwrap();
    let actions: Vec<&str> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["get", "put"], "{trail:#}");
    assert!(scene.has("files/audit"));
}

#[test]
fn local_data_move_to_an_extension_and_on_to_a_directory() {
    let scene = Scene::new();
    let repo = scene.repo("");
    let marker = repo.read(".swamp.yaml");
    let local: Vec<&str> = marker.lines().filter(|line| !line.starts_with("datastore:")).collect();
    repo.write(".swamp.yaml", local.join("\n") + "\n");
    repo.marsh(&run_args(&[])).ok();
    let config = scene.config();
    let setup = ["--json", "datastore", "setup", "extension", "@me/mirror", "--config", &config];
    scene.hide();
    assert_eq!(repo.marsh(&setup).exits(1).error()["code"], "refused");
    assert!(has_said(&repo) && repo.exists(".swamp/data") && !repo.read(".swamp.yaml").contains("mirror"));
    scene.show();
    let moved = repo.marsh(&setup).ok().json();
    assert_eq!((&moved["type"], &moved["warnings"]), (&json!("@me/mirror"), &json!([])), "{moved:#}");
    assert!(has_said(&repo) && !repo.exists(".swamp/data") && !unpushed(&repo));
    assert!(scene.has("files/data"));
    let moved = repo.marsh(&["--json", "datastore", "setup", "filesystem", "--path", "here"]).ok().json();
    assert_eq!(moved["warnings"], json!(["the former datastore keeps its data"]));
    assert!(has_said(&repo) && repo.exists("here/data") && scene.has("files/data"));
    let unknown = ["--json", "datastore", "setup", "extension", "@me/none", "--config", "{}"];
    assert_eq!(repo.marsh(&unknown).exits(1).error()["class"], "not_found");
    repo.marsh(&["datastore", "setup", "extension", "@me/mirror", "--config", "{"]).exits(2);
    repo.marsh(&["datastore", "setup", "s3", "--bucket", "x"]).exits(2);
    repo.marsh(&["datastore", "namespace", "migrate"]).exits(1);
}
