//! A new directory for every test: a repository, a home, an environment.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use tempfile::TempDir;

use crate::process::Process;
use crate::{Filters, Run, Running, assert_no_half_written, kill, processes_with_marker, wait_for};

/// The environment variable that marks every process of one scratch directory, and all their descendants.
const MARKER: &str = "MARSH_TEST_MARKER";

/// Variables that the machine may need to reach the npm registry. Marsh gets no other variable of the environment.
const NETWORK: [&str; 8] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
];

/// A scratch directory with a repository. Dropping it removes the files and kills the processes.
#[derive(Debug)]
pub struct Scratch {
    dir: TempDir,
    root: PathBuf,
    binary: PathBuf,
    cwd: PathBuf,
    env: Vec<(OsString, OsString)>,
    marker: String,
}

/// The times of a file, to restore them later.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    modified: SystemTime,
}

impl Scratch {
    /// A scratch directory with an empty directory `repo`, which is not a repository yet.
    pub fn empty(binary: impl Into<PathBuf>) -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let binary = binary.into();
        let dir = tempfile::Builder::new().prefix("marsh-test-").tempdir().expect("a temporary directory");
        let top = dir.path().canonicalize().expect("it exists");
        let (root, home) = (top.join("repo"), top.join("home"));
        std::fs::create_dir(&root).unwrap();
        std::fs::create_dir(&home).unwrap();
        let marker = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut env: Vec<(OsString, OsString)> = vec![
            ("HOME".into(), home.into()),
            (MARKER.into(), marker.clone().into()),
            ("MARSH_CACHE_DIR".into(), shared_cache(&binary).into()),
        ];
        env.extend(inherited());
        let marker = format!("{MARKER}={marker}");
        Scratch { dir, cwd: root.clone(), root, binary, env, marker }
    }

    /// A scratch directory with an initialized repository.
    pub fn repo(binary: impl Into<PathBuf>) -> Scratch {
        let scratch = Scratch::empty(binary);
        scratch.marsh(&["init", "--quiet", "--tool", "none"]).ok();
        // Without the files of AI tools, but with the default directory of skills.
        let marker = scratch.read(".swamp.yaml").replace("tools: []\n", "");
        scratch.write(".swamp.yaml", marker);
        scratch
    }

    /// Sets a variable for all later runs.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Scratch {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.into(), value.into()));
        self
    }

    /// Uses a new, empty cache in place of the one that all tests share.
    #[must_use]
    pub fn private_cache(self) -> Scratch {
        let dir = self.dir.path().join("cache");
        self.env("MARSH_CACHE_DIR", dir)
    }

    /// Runs later commands in this directory, relative to the repository.
    #[must_use]
    pub fn cwd(mut self, relative: &str) -> Scratch {
        self.cwd = self.root.join(relative);
        std::fs::create_dir_all(&self.cwd).unwrap();
        self
    }

    /// The repository's directory, without links in it.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path in the repository.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Writes a file of the repository, and its directories. Returns its path.
    pub fn write(&self, relative: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().expect("a file has a directory")).unwrap();
        std::fs::write(&path, content)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }

    /// Replaces a file by a rename, as editors do: a reader never sees a part of it.
    pub fn replace(&self, relative: &str, content: impl AsRef<[u8]>) {
        let new = self.write(&format!("{relative}.new"), content);
        std::fs::rename(&new, self.path(relative))
            .unwrap_or_else(|error| panic!("cannot replace {relative}: {error}"));
    }

    /// The text of a file.
    #[track_caller]
    pub fn read(&self, relative: &str) -> String {
        let path = self.path(relative);
        std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
    }

    /// Whether a file or directory exists.
    pub fn exists(&self, relative: &str) -> bool {
        self.path(relative).exists()
    }

    /// Removes a file or a tree of the repository, if it is there.
    pub fn remove(&self, relative: &str) {
        let path = self.path(relative);
        if path.is_dir() {
            std::fs::remove_dir_all(&path).unwrap();
        } else if path.exists() {
            std::fs::remove_file(&path).unwrap();
        }
    }

    /// Sets whether the owner may write to a file or directory of the repository. Root always may.
    pub fn set_writable(&self, relative: &str, writable: bool) {
        let path = self.path(relative);
        let mut permissions = std::fs::metadata(&path).unwrap().permissions();
        use std::os::unix::fs::PermissionsExt as _;
        let mode = permissions.mode();
        permissions.set_mode(if writable { mode | 0o200 } else { mode & !0o222 });
        std::fs::set_permissions(&path, permissions).unwrap();
    }

    /// Remembers a file, to see later whether it changed.
    pub fn see(&self, relative: &str) -> Seen {
        Seen { modified: std::fs::metadata(self.path(relative)).unwrap().modified().unwrap() }
    }

    /// Restores a file's times.
    pub fn restore_mtime(&self, relative: &str, seen: Seen) {
        let file = std::fs::OpenOptions::new().write(true).open(self.path(relative)).unwrap();
        file.set_modified(seen.modified).unwrap();
    }

    /// The names in a directory of the repository, sorted; none if there is no such directory.
    pub fn list(&self, relative: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(relative)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The files below a directory of the repository, as sorted paths relative to it.
    pub fn files(&self, relative: &str) -> Vec<String> {
        let top = self.path(relative);
        let mut found = Vec::new();
        let mut pending = vec![top.clone()];
        while let Some(dir) = pending.pop() {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    pending.push(entry.path());
                } else {
                    let path = entry.path();
                    found.push(path.strip_prefix(&top).unwrap().to_string_lossy().replace('\\', "/"));
                }
            }
        }
        found.sort();
        found
    }

    /// A command of `marsh` in the repository, with this scratch directory's environment only.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).current_dir(&self.cwd).env_clear().envs(self.env.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs `marsh` to its end. See [`Run::of`] for what is checked of every run.
    #[track_caller]
    pub fn marsh(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().expect("marsh starts");
        Run::of(arguments, output, self.filters())
    }

    /// Runs `marsh` with a text as its standard input.
    #[track_caller]
    pub fn marsh_with_stdin(&self, arguments: &[&str], stdin: &str) -> Run {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().expect("marsh starts");
        let mut pipe = child.stdin.take().expect("its input is piped");
        let text = stdin.to_owned();
        // A run that fails early does not read its input, so the write may fail.
        let writer = std::thread::spawn(move || pipe.write_all(text.as_bytes()).ok());
        let run = Running::new(arguments, child, self.filters()).wait();
        writer.join().expect("the writer does not panic");
        run
    }

    /// Starts `marsh` without waiting for its end.
    pub fn spawn(&self, arguments: &[&str]) -> Running {
        Running::new(arguments, self.command(arguments).spawn().expect("marsh starts"), self.filters())
    }

    /// Filters that replace the paths of this directory.
    pub fn filters(&self) -> Filters {
        let top = self.root.parent().expect("the repository is in the scratch directory");
        Filters::default().path(&self.root, "repo").path(top, "scratch")
    }

    /// Every running process that runs of this scratch directory started, directly or not.
    pub fn processes(&self) -> Vec<Process> {
        processes_with_marker(&self.marker)
    }

    /// The host processes among them.
    pub fn hosts(&self) -> Vec<u32> {
        let hosts = self.processes().into_iter().filter(|(_, command)| command.contains("__host"));
        hosts.map(|(pid, _)| pid).collect()
    }

    /// Waits until every process that was started here has ended.
    #[track_caller]
    pub fn assert_no_processes(&self) {
        wait_for("all processes to end", || self.processes().is_empty().then_some(()));
    }

    /// Checks that the repository has no half-written files; see [`assert_no_half_written`].
    #[track_caller]
    pub fn assert_sound(&self) {
        assert_no_half_written(&self.root);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for (pid, _) in self.processes() {
            kill(pid);
        }
    }
}

impl Scratch {
    /// A Deno, which the first test that asks installs for all tests of a build.
    pub fn deno(&self) -> PathBuf {
        let home = shared_cache(&self.binary).join("home");
        let mut command = self.command(&["engine", "install", "--json"]);
        let output = command.env("MARSH_HOME", &home).output().expect("marsh starts");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one document");
        let program = document["program"].as_str();
        program.unwrap_or_else(|| panic!("no Deno: {document}")).into()
    }

    /// The same scratch directory, with that Deno on the search path of programs.
    #[must_use]
    pub fn with_deno(self) -> Scratch {
        let deno = self.deno();
        let mut path = OsString::from(deno.parent().expect("a program has a directory"));
        path.push(":");
        path.push(self.plain_path());
        self.env("PATH", path)
    }

    /// The same scratch directory, with no Deno on the search path.
    #[must_use]
    pub fn without_deno(self) -> Scratch {
        let path = self.plain_path();
        self.env("PATH", path)
    }

    /// The search path, without directories that hold a Deno.
    fn plain_path(&self) -> OsString {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let dirs = std::env::split_paths(&path).filter(|dir| !dir.join("deno").exists());
        std::env::join_paths(dirs).expect("they came from a search path")
    }
}

/// The cache that all tests of a build share, so that each package is downloaded once: `MARSH_TEST_CACHE`, else a directory
/// beside the binary's profile directory.
fn shared_cache(binary: &Path) -> PathBuf {
    match std::env::var_os("MARSH_TEST_CACHE") {
        Some(dir) => dir.into(),
        None => {
            let target = binary.parent().and_then(Path::parent).expect("the binary is in target/<profile>");
            target.join("testkit-cache")
        }
    }
}

/// The variables that marsh gets: the search path of programs, and npm's configuration with its registry.
fn inherited() -> Vec<(OsString, OsString)> {
    let is_wanted = |name: &str| {
        name == "PATH" || name.to_ascii_lowercase().starts_with("npm_config_") || NETWORK.contains(&name)
    };
    let mut env: Vec<(OsString, OsString)> =
        std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_wanted)).collect();
    let configured = |(name, _): &(OsString, OsString)| name.eq_ignore_ascii_case("npm_config_userconfig");
    if !env.iter().any(configured)
        && let Some(home) = std::env::var_os("HOME")
    {
        // The scratch home has no `.npmrc`, and the real one may be needed to reach the registry.
        env.push(("NPM_CONFIG_USERCONFIG".into(), Path::new(&home).join(".npmrc").into()));
    }
    env
}
