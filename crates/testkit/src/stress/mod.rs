//! Many real processes that change one installed set at once, while a watcher reads it.
//!
//! A round starts all its processes together; each is one of: pull A, remove A, pull B, update, roll back. The watcher checks
//! the following all the time, not only at the end ([`StressReport::violations`]):
//!
//! * the lockfile parses, and every tree that it names is in the store with every file and digest;
//! * no view dangles; while the views' stamp has the lockfile's digest, the views are exactly its entries;
//! * `model type search` lists the types that the installed trees declare; `doctor extensions` and `extension list` succeed;
//! * every process succeeds, except a removal of an extension that is not installed; none reports a lock, a busy database or
//!   a duplicate type.
//!
//! With `kills`, processes are killed at random moments. The same must hold then, and the next command must work.

mod look;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{ExtensionRegistry, Run, Running, Scratch, stress_packages};
use look::{Places, check_rest, declared_types, look, parse_lockfile, sight};

/// The parameters of the stress.
#[derive(Debug, Clone)]
pub struct Stress {
    /// The marsh to run.
    pub binary: PathBuf,
    /// How often the processes start.
    pub rounds: usize,
    /// The number of processes in a round.
    pub processes: usize,
    /// Seed of the random choices.
    pub seed: u64,
    /// The percentage of processes to kill. A process that ends before its moment is not killed.
    pub kills: u64,
    /// Continue after the last round until this many processes have been killed.
    pub least_killed: usize,
}

/// The results of the stress.
#[derive(Debug, Default)]
pub struct StressReport {
    /// Promises that did not hold, each a sentence.
    pub violations: Vec<String>,
    /// Processes that ran.
    pub processes: usize,
    /// Processes that were killed.
    pub killed: usize,
    /// The number of checks of the disk, and of those that could compare the views.
    pub looks: usize,
    /// Looks that compared the views with the lockfile.
    pub views_compared: usize,
    /// The number of commands that read, and of comparisons of the listed types with the declarations in the installed trees.
    pub questions: usize,
    /// Commands whose types were compared with the lockfile.
    pub types_compared: usize,
    /// How processes ended: `pull a: ok`, `rm a: not_installed`, …
    pub endings: BTreeMap<String, usize>,
    /// Generations that were committed.
    pub generations: u64,
    /// Wall time of the run.
    pub elapsed: Duration,
}

impl std::fmt::Display for StressReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{} violations; {} processes ({} killed), {} generations, {} looks at the disk ({} compared the views), \
             {} commands that looked ({} compared the types), {:.1} s",
            self.violations.len(),
            self.processes,
            self.killed,
            self.generations,
            self.looks,
            self.views_compared,
            self.questions,
            self.types_compared,
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

/// The problems of a repository's installed set, as read from the disk. If `at_rest`, no process works on it and the last
/// command succeeded, so views, skills and history must be up to date and there must be no leftovers.
pub fn look_at(repo: &std::path::Path, at_rest: bool) -> Vec<String> {
    let places = Places::of(repo);
    let mut wrong = look(&places, at_rest).wrong;
    if at_rest {
        wrong.extend(check_rest(&places));
    }
    wrong
}

/// The number of generations before the first round, so that every rollback has an earlier generation.
const PAST: usize = 60;

#[derive(Debug, Clone, Copy)]
enum Operation {
    PullA,
    PullOldA,
    RemoveA,
    PullB,
    PullOldB,
    Update,
    Rollback,
}

impl Operation {
    fn drawn(random: &mut Random) -> Operation {
        match random.below(10) {
            0 => Operation::PullA,
            1 => Operation::PullOldA,
            2 | 3 => Operation::RemoveA,
            4 => Operation::PullB,
            5 => Operation::PullOldB,
            6 | 7 => Operation::Update,
            _ => Operation::Rollback,
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Operation::PullA => &["pull", "@stress/a"],
            Operation::PullOldA => &["pull", "@stress/a@2026.01.01.1"],
            Operation::RemoveA => &["rm", "--yes", "@stress/a"],
            Operation::PullB => &["pull", "@stress/b"],
            Operation::PullOldB => &["pull", "@stress/b@2026.01.01.1"],
            Operation::Update => &["update"],
            Operation::Rollback => &["rollback"],
        }
    }
}

/// SplitMix64: the same seed draws the same operations everywhere.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// The state that the watchers share with the rounds.
struct Watch<'a> {
    scratch: &'a Scratch,
    places: Places,
    over: AtomicBool,
    violations: Mutex<Vec<String>>,
    looks: AtomicUsize,
    views_compared: AtomicUsize,
    questions: AtomicUsize,
    types_compared: AtomicUsize,
}

impl Watch<'_> {
    fn found(&self, wrong: impl IntoIterator<Item = String>) {
        self.violations.lock().expect("no thread panics while it holds the lock").extend(wrong);
    }

    fn look(&self, at_rest: bool) {
        let look = look(&self.places, at_rest);
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.views_compared.fetch_add(usize::from(look.views_compared), Ordering::Relaxed);
        self.found(look.wrong);
    }

    /// One of the commands that read, and the answer that it must give at any moment.
    fn ask(&self, turn: usize) {
        self.questions.fetch_add(1, Ordering::Relaxed);
        match turn % 3 {
            0 => self.ask_types(),
            1 => {
                let run = self.scratch.marsh(&["--json", "doctor", "extensions"]);
                let sound = run.code == Some(0) && run.json()["overallStatus"] == "pass";
                self.found((!sound).then(|| format!("doctor is not content: {}", run.snapshot())));
            }
            _ => {
                let run = self.scratch.marsh(&["--json", "extension", "list"]);
                let stored = |entry: &Value| entry["state"] == "stored";
                let sound = run.code == Some(0)
                    && run.json()["extensions"].as_array().is_some_and(|all| all.iter().all(stored));
                self.found((!sound).then(|| format!("list is not content: {}", run.snapshot())));
            }
        }
    }

    fn ask_types(&self) {
        let before = sight(&self.places.lockfile);
        let run = self.scratch.marsh(&["--json", "model", "type", "search"]);
        if run.code != Some(0) {
            return self.found([format!("type search failed: {}", run.snapshot())]);
        }
        if before != sight(&self.places.lockfile) {
            return;
        }
        let Ok(locked) = parse_lockfile(&before.bytes) else { return };
        let declared = declared_types(&self.places, &locked);
        let active = run.json()["results"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one["normalized"].as_str().map(str::to_owned))
            .filter(|name| name.starts_with("@stress/"))
            .collect();
        self.types_compared.fetch_add(1, Ordering::Relaxed);
        if declared != active {
            self.found([format!("active are {active:?}, and the locked trees declare {declared:?}")]);
        }
    }
}

impl Stress {
    /// Runs all rounds in a new repository.
    pub fn run(&self) -> StressReport {
        let start = Instant::now();
        let registry = ExtensionRegistry::with(&stress_packages());
        let scratch = Scratch::repo(&self.binary).private_cache().env("MARSH_REGISTRY", registry.location());
        prepare(&scratch);
        let watch = Watch {
            places: Places::of(scratch.root()),
            scratch: &scratch,
            over: AtomicBool::new(false),
            violations: Mutex::default(),
            looks: AtomicUsize::new(0),
            views_compared: AtomicUsize::new(0),
            questions: AtomicUsize::new(0),
            types_compared: AtomicUsize::new(0),
        };
        let mut report = StressReport::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !watch.over.load(Ordering::Relaxed) {
                    watch.look(false);
                }
            });
            scope.spawn(|| {
                for turn in 0.. {
                    if watch.over.load(Ordering::Relaxed) {
                        break;
                    }
                    watch.ask(turn);
                }
            });
            let mut random = Random(self.seed);
            let mut pace = Duration::from_secs(2);
            let mut round = 0;
            while round < self.rounds || report.killed < self.least_killed && round < self.rounds * 10 {
                pace = self.round(round, pace, &mut random, &watch, &mut report);
                round += 1;
            }
            watch.over.store(true, Ordering::Relaxed);
        });
        let history = scratch.marsh(&["--json", "extension", "history", "--limit", "1"]).ok().json();
        report.generations = history["generations"][0]["number"].as_u64().unwrap_or(0);
        report.looks = watch.looks.into_inner();
        report.views_compared = watch.views_compared.into_inner();
        report.questions = watch.questions.into_inner();
        report.types_compared = watch.types_compared.into_inner();
        report
            .violations
            .extend(watch.violations.into_inner().expect("no thread panics while it holds the lock"));
        report.elapsed = start.elapsed();
        report
    }

    /// Runs a round. `pace` is the duration of the round before; processes are killed at random moments within it. Returns
    /// the duration of this round.
    fn round(
        &self,
        round: usize,
        pace: Duration,
        random: &mut Random,
        watch: &Watch<'_>,
        report: &mut StressReport,
    ) -> Duration {
        let mut running: Vec<(Operation, Running)> = Vec::with_capacity(self.processes);
        let mut doomed: Vec<(Duration, usize)> = Vec::new();
        let start = Instant::now();
        for index in 0..self.processes {
            let operation = Operation::drawn(random);
            let arguments = [&["--json", "extension"], operation.arguments()].concat();
            if random.below(100) < self.kills {
                let share = u32::try_from(random.below(1000)).unwrap_or(0);
                doomed.push((pace * share / 1000, index));
            }
            running.push((operation, watch.scratch.spawn(&arguments)));
        }
        doomed.sort();
        for (when, index) in doomed {
            std::thread::sleep(when.saturating_sub(start.elapsed()));
            if !running[index].1.has_ended() {
                running[index].1.kill();
            }
        }
        for (operation, process) in running {
            let run = process.wait();
            report.processes += 1;
            let (ending, wrong) = judge(operation, &run, self.kills > 0);
            report.killed += usize::from(ending == "killed");
            *report.endings.entry(format!("{}: {ending}", operation.arguments().join(" "))).or_default() += 1;
            watch.found(wrong.map(|wrong| format!("round {round}: {wrong}")));
        }
        let took = start.elapsed();
        // No process works now. After kills the next command removes leftovers.
        if self.kills > 0 {
            let run = watch.scratch.marsh(&["--json", "extension", "pull", "@stress/c"]);
            watch.found((run.code != Some(0)).then(|| format!("after kills: {}", run.snapshot())));
            if round % 10 == 9 {
                let run = watch.scratch.marsh(&["--json", "extension", "gc", "--apply", "--keep", "100000"]);
                watch.found((run.code != Some(0)).then(|| format!("after kills: {}", run.snapshot())));
            }
        }
        watch.look(true);
        if self.kills == 0 || round % 10 == 9 {
            watch.found(
                check_rest(&watch.places).into_iter().map(|wrong| format!("after round {round}: {wrong}")),
            );
        }
        took
    }
}

/// Creates generations to roll back to. Their trees may be in the store or not.
fn prepare(scratch: &Scratch) {
    scratch.marsh(&["--json", "extension", "pull", "@stress/c@2026.01.01.1"]).ok();
    scratch.marsh(&["--json", "extension", "pull", "@stress/b@2026.01.01.1"]).ok();
    for index in 2..PAST {
        let version = if index % 2 == 0 { "2026.02.01.1" } else { "2026.01.01.1" };
        scratch.marsh(&["--json", "extension", "pull", &format!("@stress/c@{version}")]).ok();
    }
}

/// How a process ended, and the violation, if it is one.
fn judge(operation: Operation, run: &Run, may_be_killed: bool) -> (String, Option<String>) {
    if run.code.is_none() && may_be_killed {
        return ("killed".to_owned(), None);
    }
    let Ok(document) = serde_json::from_str::<Value>(&run.stdout) else {
        return (
            "no document".to_owned(),
            Some(format!("{operation:?} printed no document: {}", run.snapshot())),
        );
    };
    let code = document["error"]["code"].as_str();
    let legitimate = match (run.code, code) {
        (Some(0), None) => document.get("warnings").is_none(),
        (Some(1), Some("not_installed")) => matches!(operation, Operation::RemoveA),
        _ => false,
    };
    let ending = match (run.code, code) {
        (Some(0), _) => "ok".to_owned(),
        (_, Some(code)) => code.to_owned(),
        (code, None) => format!("exit {code:?}"),
    };
    // Output beside the document is a violation.
    let quiet = run.stderr.lines().all(|line| line.is_empty() || line.contains("waiting"));
    (ending, (!(legitimate && quiet)).then(|| format!("{operation:?}: {}", run.snapshot())))
}
