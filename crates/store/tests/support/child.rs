//! Child processes: this test binary, which runs one test that reads its task from the environment.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use marsh_store::{CommitRequest, Facts, GenerationRetention, Installation};
use serde_json::json;

use super::{
    LONG, change, lease, lockfile_in, name, open, publish, pull, remove, rollback, store_error, version,
};

/// A running child process.
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    output: BufReader<std::process::ChildStdout>,
}

/// Starts a process in `root` that runs `script` (commands separated by `;`), with additional variables.
pub fn spawn(root: &Path, script: &str, env: &[(&str, &str)]) -> Running {
    // The output of a process that is killed on purpose is discarded.
    let is_to_die = env.iter().any(|(name, _)| *name == "MARSH_FAILPOINT");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "support::child::child", "--nocapture", "--test-threads=1"])
        .env("MARSH_TEST_ROOT", root)
        .env("MARSH_TEST_SCRIPT", script)
        .envs(env.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(if is_to_die { Stdio::null() } else { Stdio::inherit() });
    let mut child = command.spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    Running { stdin: child.stdin.take(), child, output }
}

#[cfg(feature = "failpoints")]
/// [`spawn`], then waits for the end. Returns whether the process succeeded.
pub fn run(root: &Path, script: &str, env: &[(&str, &str)]) -> bool {
    spawn(root, script, env).ended()
}

impl Running {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the process prints `word`.
    pub fn heard(mut self, word: &str) -> Running {
        let mut line = String::new();
        while line.trim() != word {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the process ended and never said {word}");
        }
        self
    }

    /// Lets the process continue, and waits for its end.
    pub fn ended(mut self) -> bool {
        drop(self.stdin.take());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        self.child.wait().unwrap().success()
    }

    /// Kills the process, as `kill -9`.
    pub fn killed(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Not a test of its own: the body of the processes that [`spawn`] starts.
#[test]
fn child() {
    let Some(root) = std::env::var_os("MARSH_TEST_ROOT") else { return };
    let installation = open(Path::new(&root));
    let script = std::env::var("MARSH_TEST_SCRIPT").unwrap();
    for command in script.split(';').map(str::trim) {
        let words: Vec<&str> = command.split_whitespace().collect();
        act(&installation, Path::new(&root), &words);
    }
}

fn act(installation: &Installation, root: &Path, words: &[&str]) {
    let number = |text: &str| text.parse::<u64>().unwrap();
    match *words {
        ["pull", extension, n] => {
            pull(installation, extension, number(n)).unwrap();
        }
        ["publish", extension, n] => {
            publish(installation, extension, number(n)).unwrap();
        }
        ["rm", extension] => {
            remove(installation, extension).unwrap();
        }
        ["rollback"] => {
            rollback(installation, None).unwrap();
        }
        ["collect", generations] => {
            let retention = GenerationRetention { generations: generations.parse().unwrap() };
            installation.collect(retention, true, "gc", LONG).unwrap();
        }
        ["views"] => {
            installation.derive_views(LONG).unwrap();
        }
        ["count", times] => {
            for _ in 0..number(times) {
                count(installation);
            }
        }
        // Pulls, checks and removes its own extension again and again.
        ["churn", extension, times] => {
            for n in 1..=number(times) {
                pull(installation, extension, n % 3 + 1).unwrap();
                super::assert_sound(installation, "after a pull");
                remove(installation, extension).unwrap();
            }
        }
        ["sweep-often", times] => {
            for _ in 0..number(times) {
                installation.trees().sweep().unwrap();
            }
        }
        ["collect-often", times] => {
            for _ in 0..number(times) {
                installation.collect(GenerationRetention { generations: 1 }, true, "gc", LONG).unwrap();
            }
        }
        ["lease", extension, n] => {
            let _lease = lease(installation, extension, number(n)).unwrap();
            say_and_wait("leased");
        }
        ["stage"] => {
            let _staging = installation.trees().stage().unwrap();
            say_and_wait("staged");
        }
        // Holds the commit lock.
        ["hold", command] => {
            let request = CommitRequest {
                command: command.into(),
                lock_timeout: LONG,
                on_wait: &mut |_| {},
                leases: &[],
            };
            let held = installation.commit::<std::convert::Infallible>(request, |before| {
                say_and_wait("holding");
                Ok(before.lockfile.clone())
            });
            held.map_err(store_error).unwrap();
        }
        ["facts", n] => {
            let digest = super::digest_of("@s/facts", number(n));
            let facts = installation.catalog().facts(&[digest], 1, |_| Some(Facts::default()));
            assert_eq!(facts.get(&digest), Some(&Facts::default()));
        }
        ["occupy-catalog"] => {
            let connection = rusqlite::Connection::open(installation.catalog().path()).unwrap();
            connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
            connection.execute_batch("CREATE TABLE mine (x)").unwrap();
            say_and_wait("occupied");
        }
        // An editor, or version control.
        ["foreign", text] => std::fs::write(lockfile_in(root), text).unwrap(),
        _ => panic!("unknown command {words:?}"),
    }
}

/// One commit that adds one to a counter. A lost commit would be a lost count.
fn count(installation: &Installation) {
    let committed = change(installation, "count", &[], |lockfile| {
        let counter =
            lockfile.entries.entry(name("@s/counter")).or_insert_with(|| super::entry("@s/counter", 1));
        counter.checksum = None;
        let seen =
            counter.rest.get("count").and_then(|count| count.to_string().parse::<u64>().ok()).unwrap_or(0);
        counter.rest.insert("count".into(), json!(seen + 1));
        counter.version = version(seen + 1);
    });
    assert!(committed.unwrap().generation.is_some());
}

fn say_and_wait(word: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "\n{word}").unwrap();
    out.flush().unwrap();
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
