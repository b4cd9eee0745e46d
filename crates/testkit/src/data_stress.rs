//! Many real processes that write, read, delete, rename and collect the data of a few models at once, while a watcher reads
//! the disk.
//!
//! A round starts all its processes together. The watcher checks, each time ([`DataReport::violations`]):
//!
//! * every version is whole, and `latest` names an existing one (a file that disappears between two reads was deleted);
//! * a process succeeds, or reports that its datum does not exist, or that a new name is taken;
//! * after a round no half-written file is left, and the catalog has exactly the versions of the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::stress::Random;
use crate::{Run, Running, Scratch, assert_no_half_written};

const MODELS: u64 = 4;
const NAMES: [&str; 4] = ["result", "log", "kept", "moved"];

/// The parameters of the stress.
#[derive(Debug, Clone)]
pub struct DataStress {
    /// The marsh to run.
    pub binary: PathBuf,
    /// How often the processes start.
    pub rounds: usize,
    /// The number of processes in a round.
    pub processes: usize,
    /// Seed of the random choices.
    pub seed: u64,
}

/// The results of the stress.
#[derive(Debug, Default)]
pub struct DataReport {
    /// Promises that did not hold, each a sentence.
    pub violations: Vec<String>,
    /// Processes that ran.
    pub processes: usize,
    /// Looks at the data while processes ran.
    pub looks: usize,
    /// The number of versions that were checked, and that were compared with the catalog.
    pub versions: usize,
    /// Looks that compared the catalog with the files.
    pub compared: usize,
    /// How processes ended: `run: ok`, `get: not_found`, …
    pub endings: BTreeMap<String, usize>,
    /// Wall time of the run.
    pub elapsed: Duration,
}

impl std::fmt::Display for DataReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{} violations; {} processes, {} looks at {} versions, {} compared with the catalog, {:.1} s",
            self.violations.len(),
            self.processes,
            self.looks,
            self.versions,
            self.compared,
            self.elapsed.as_secs_f64()
        )?;
        for (ending, count) in &self.endings {
            writeln!(f, "  {count:6} {ending}")?;
        }
        for violation in self.violations.iter().take(20) {
            writeln!(f, "violation: {violation}")?;
        }
        Ok(())
    }
}

/// One process: its name in the report, its arguments, and the error codes that it may end with.
struct Operation {
    name: &'static str,
    arguments: Vec<String>,
    may_say: &'static [&'static str],
}

const NOT_THERE: &[&str] = &["not_found", "data_not_found"];

impl Operation {
    fn drawn(random: &mut Random) -> Operation {
        let model = format!("m{}", random.below(MODELS));
        let mut name = || NAMES[usize::try_from(random.below(4)).unwrap_or(0)].to_owned();
        let (first, second) = (name(), name());
        let turn = random.below(20);
        let version = (1 + random.below(20)).to_string();
        let text = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let (name, words, may_say): (_, Vec<String>, &[&str]) = match turn {
            0..=7 => ("run", text(&["model", "method", "run", &model, "execute"]), &[]),
            8 => ("delete", text(&["data", "delete", &model, &first, "--yes"]), NOT_THERE),
            9 => (
                "delete version",
                text(&["data", "delete", &model, &first, "--version", &version, "--yes"]),
                NOT_THERE,
            ),
            10 => ("delete many", text(&["data", "delete", &model, "--prefix", "k", "--yes"]), &[]),
            11 | 12 => {
                let may_say: &[&str] = &["not_found", "data_not_found", "data_exists"];
                ("rename", text(&["data", "rename", &model, &first, &second]), may_say)
            }
            13 | 14 => ("gc", text(&["data", "gc", "--yes"]), &[]),
            15 | 16 => ("get", text(&["data", "get", &model, &first]), NOT_THERE),
            17 => ("versions", text(&["data", "versions", &model, &first]), NOT_THERE),
            18 => ("list", text(&["data", "list", &model]), &[]),
            _ => ("search", text(&["data", "search", "--limit", "1000"]), &[]),
        };
        Operation { name, arguments: [text(&["--json"]), words].concat(), may_say }
    }
}

struct Watch<'a> {
    data: PathBuf,
    scratch: &'a Scratch,
    over: AtomicBool,
    violations: Mutex<Vec<String>>,
    looks: AtomicUsize,
    versions: AtomicUsize,
}

impl Watch<'_> {
    fn found(&self, wrong: impl IntoIterator<Item = String>) {
        self.violations.lock().expect("no thread panics while it holds the lock").extend(wrong);
    }

    fn look(&self) {
        for name_dir in name_dirs(&self.data) {
            let (seen, wrong) = look_at_name(&name_dir);
            self.versions.fetch_add(seen, Ordering::Relaxed);
            self.found(wrong);
        }
        self.looks.fetch_add(1, Ordering::Relaxed);
    }

    /// Checks the repository while no process works. Returns the number of compared versions.
    fn rest(&self, round: usize) -> usize {
        let root = self.scratch.root().to_path_buf();
        let sound = std::panic::catch_unwind(|| assert_no_half_written(&root));
        self.found(sound.err().map(|cause| {
            let cause = cause.downcast_ref::<String>().cloned().unwrap_or_default();
            format!("after round {round}: {cause}")
        }));
        let on_disk = tree(&self.data);
        let run = self.scratch.marsh(&["--json", "data", "search", "--limit", "100000"]);
        if run.code != Some(0) {
            self.found([format!("after round {round}: {}", run.snapshot())]);
            return 0;
        }
        let field = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let known: BTreeSet<(String, String, String)> = run.json()["results"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|row| (field(row, "modelId"), field(row, "name"), row["version"].to_string()))
            .collect();
        if known != on_disk {
            let more: Vec<_> = known.difference(&on_disk).collect();
            let less: Vec<_> = on_disk.difference(&known).collect();
            self.found([format!("after round {round} the catalog has also {more:?}, and lacks {less:?}")]);
        }
        on_disk.len()
    }
}

impl DataStress {
    /// Runs all rounds in a new repository.
    pub fn run(&self) -> DataReport {
        let start = Instant::now();
        let scratch = Scratch::repo(&self.binary);
        for model in 0..MODELS {
            let id = format!("{model}a6d3c52-8f6e-4c0e-9d9f-1b1f3a7f0001");
            let text = format!(
                "type: command/shell\nid: {id}\nname: m{model}\nversion: 1\ntags: {{}}\nglobalArguments: {{}}\n\
                 methods:\n  execute:\n    arguments:\n      run: 'echo {}'\n",
                "0123456789".repeat(50)
            );
            scratch.write(&format!("models/command/shell/m{model}.yaml"), text);
        }
        let watch = Watch {
            data: scratch.path(".swamp/data"),
            scratch: &scratch,
            over: AtomicBool::new(false),
            violations: Mutex::default(),
            looks: AtomicUsize::new(0),
            versions: AtomicUsize::new(0),
        };
        let mut report = DataReport::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !watch.over.load(Ordering::Relaxed) {
                    watch.look();
                }
            });
            let mut random = Random(self.seed);
            for round in 0..self.rounds {
                self.round(round, &mut random, &watch, &mut report);
                report.compared += watch.rest(round);
            }
            watch.over.store(true, Ordering::Relaxed);
        });
        report.looks = watch.looks.into_inner();
        report.versions = watch.versions.into_inner();
        report.violations = watch.violations.into_inner().expect("no thread panics while it holds the lock");
        report.elapsed = start.elapsed();
        report
    }

    fn round(&self, round: usize, random: &mut Random, watch: &Watch<'_>, report: &mut DataReport) {
        let mut running: Vec<(Operation, Running)> = Vec::with_capacity(self.processes);
        for _ in 0..self.processes {
            let operation = Operation::drawn(random);
            let arguments: Vec<&str> = operation.arguments.iter().map(String::as_str).collect();
            let process = watch.scratch.spawn(&arguments);
            running.push((operation, process));
        }
        for (operation, process) in running {
            let (ending, wrong) = judge(&operation, &process.wait());
            report.processes += 1;
            *report.endings.entry(format!("{}: {ending}", operation.name)).or_default() += 1;
            watch.found(wrong.map(|wrong| format!("round {round}: {wrong}")));
        }
    }
}

/// How a process ended, and the violation, if it is one.
fn judge(operation: &Operation, run: &Run) -> (String, Option<String>) {
    let Ok(document) = serde_json::from_str::<Value>(&run.stdout) else {
        let wrong = format!("{} printed no document: {}", operation.name, run.snapshot());
        return ("no document".to_owned(), Some(wrong));
    };
    let code = document["error"]["code"].as_str();
    let partial = document["failed"].as_array().is_some_and(|failed| !failed.is_empty());
    let legitimate = match (run.code, code) {
        (Some(0), None) => !partial && run.stderr.is_empty(),
        (Some(1), Some(code)) => operation.may_say.contains(&code),
        _ => false,
    };
    let ending = match (run.code, code) {
        (Some(0), _) => "ok".to_owned(),
        (_, Some(code)) => code.to_owned(),
        (code, None) => format!("exit {code:?}"),
    };
    let words = operation.arguments.join(" ");
    (ending, (!legitimate).then(|| format!("{words}: {}", run.snapshot())))
}

fn directories(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let visible = entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    visible.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// The directories of names: `command/shell/<id>/<name>`.
fn name_dirs(data: &Path) -> Vec<PathBuf> {
    let models = directories(&data.join("command/shell"));
    models.iter().flat_map(|model| directories(model)).collect()
}

/// The latest version of every name, by model id.
fn tree(data: &Path) -> BTreeSet<(String, String, String)> {
    let text = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name_dirs(data)
        .iter()
        .filter_map(|dir| {
            let highest = numbers(dir).into_iter().max()?;
            Some((text(dir.parent()?), text(dir), highest.to_string()))
        })
        .collect()
}

fn numbers(name_dir: &Path) -> Vec<u32> {
    let names = directories(name_dir).into_iter().map(|path| path.file_name().unwrap_or_default().to_owned());
    names.filter_map(|name| name.to_str()?.parse().ok()).collect()
}

/// The number of versions, and the problems with them. A version that disappeared after it was listed was deleted.
fn look_at_name(name_dir: &Path) -> (usize, Vec<String>) {
    let mut wrong = Vec::new();
    let versions = numbers(name_dir);
    for version in &versions {
        let dir = name_dir.join(version.to_string());
        for file in ["metadata.yaml", "raw"] {
            // A version is deleted as a whole: while its directory exists, its files do.
            let is_whole = || dir.join(file).is_file() || !dir.is_dir() || dir.join(file).is_file();
            if !is_whole() {
                wrong.push(format!("{} has no {file}", dir.display()));
            }
        }
    }
    // `latest` is read and then followed, which takes two looks; a deletion between them moves it.
    for _ in 0..100 {
        let Ok(latest) = std::fs::read_to_string(name_dir.join("latest")) else {
            return (versions.len(), wrong);
        };
        if name_dir.join(&latest).join("raw").is_file() {
            return (versions.len(), wrong);
        }
        let again = std::fs::read_to_string(name_dir.join("latest"));
        if again.is_ok_and(|again| again == latest) && !name_dir.join(&latest).join("raw").is_file() {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
    }
    if name_dir.is_dir() {
        wrong.push(format!("`latest` of {} leads nowhere", name_dir.display()));
    }
    (versions.len(), wrong)
}
