//! Kills a workflow at random moments, and resumes it each time.
//!
//! The workflow has thirty steps: two parallel jobs, one with a `forEach`, then a job with an approval. Every step appends a
//! line to its own file, so a test counts the runs of each step without marsh.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Scratch;

/// The parameters.
#[derive(Debug, Clone)]
pub struct WorkflowKills {
    /// The marsh to run.
    pub binary: PathBuf,
    /// Kills to make.
    pub kills: u64,
    /// Seed of the random choices.
    pub seed: u64,
}

/// The results.
#[derive(Debug, Default)]
pub struct KillReport {
    /// The number of processes that were killed while they ran.
    pub killed: u64,
    /// The number of processes that ended before they would have been killed.
    pub missed: u64,
    /// The number of runs that were resumed to their end.
    pub runs: u64,
    /// The number of steps that had finished before a kill.
    pub finished: usize,
    /// Promises that did not hold, each a sentence.
    pub violations: Vec<String>,
}

const ID: &str = "5f0c8b7e-1111-4222-8333-444455556666";

/// xorshift64*: the same seed gives the same moments.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end.max(1)
    }
}

fn step(name: &str, after: &[&str], rest: &str) -> String {
    let depends: Vec<String> =
        after.iter().map(|on| format!("{{step: {on}, condition: {{type: succeeded}}}}")).collect();
    format!(
        "  - name: {name}\n    dependsOn: [{}]\n{rest}    task: {{type: model_method, modelIdOrName: sh, methodName: execute, inputs: {{run: 'sleep 0.0$(($$ % 4)); echo x >> \"$COUNTS/{}\"'}}}}\n",
        depends.join(", "),
        if rest.is_empty() { name } else { "each-${{ self.x }}" },
    )
}

/// Thirty steps, the items of the `forEach` counted one by one.
fn workflow() -> String {
    let mut a = vec![step("a1", &[], ""), step("a2", &["a1"], ""), step("a3", &["a2"], "")];
    for at in 4..=9 {
        a.push(step(&format!("a{at}"), &["a1"], ""));
    }
    a.push(step("a10", &["a3", "a4", "a5", "a6", "a7", "a8", "a9"], ""));
    let each = "    concurrency: 3\n    forEach: {item: x, in: '${{ inputs.items }}'}\n";
    let b = [
        step("b1", &[], ""),
        step("each", &["b1"], each),
        step("b2", &["each"], ""),
        step("b3", &["b2"], ""),
        step("b4", &["b2"], ""),
    ];
    let ask = "  - name: ask\n    dependsOn: [{step: c1, condition: {type: succeeded}}]\n    task: {type: manual_approval, prompt: go?}\n";
    let c = [
        step("c1", &[], ""),
        ask.to_owned(),
        step("c2", &["c1"], ""),
        step("c3", &["ask"], ""),
        step("c4", &["ask", "c2"], ""),
        step("c5", &["c3", "c4"], ""),
    ];
    format!(
        "id: {ID}\nname: w\ninputs: {{properties: {{items: {{type: array}}}}}}\njobs:\n- name: a\n  steps:\n{}- name: b\n  steps:\n{}- name: c\n  dependsOn: [{{job: a, condition: {{type: succeeded}}}}, {{job: b, condition: {{type: succeeded}}}}]\n  steps:\n{}",
        a.concat(),
        b.concat(),
        c.concat()
    )
}

/// The steps that write lines: 10 + 4 + 10 items + 5. With the approval there are thirty.
const COUNTED: usize = 29;

/// One repository with the workflow.
struct Scene {
    scratch: Scratch,
    counts: PathBuf,
}

impl Scene {
    fn new(binary: &std::path::Path) -> Scene {
        let scratch = Scratch::repo(binary);
        let counts = scratch.path("counts");
        std::fs::create_dir(&counts).expect("a new directory");
        let scratch = scratch.env("COUNTS", counts.clone());
        let definition = "type: command/shell\nid: 0a6d3c52-8f6e-4c0e-9d9f-000000000001\nname: sh\nmethods: {execute: {arguments: {run: 'true'}}}\n";
        scratch.write("models/command/shell/sh.yaml", definition);
        scratch.write("workflows/workflow-w.yaml", workflow());
        Scene { scratch, counts }
    }

    /// The lines of each step's file.
    fn counts(&self) -> BTreeMap<String, usize> {
        let files = std::fs::read_dir(&self.counts).into_iter().flatten().flatten();
        let counts = files.map(|file| {
            let text = std::fs::read_to_string(file.path()).unwrap_or_default();
            (file.file_name().to_string_lossy().into_owned(), text.lines().count())
        });
        counts.collect()
    }

    /// The run that has a journal, if there is one.
    fn run_id(&self) -> Option<String> {
        let dir = format!(".swamp/workflow-runs/{ID}");
        let name = self
            .scratch
            .list(&dir)
            .into_iter()
            .find(|name| name.ends_with(".yaml") && name.starts_with("workflow-run-"))?;
        Some(name.trim_start_matches("workflow-run-").trim_end_matches(".yaml").to_owned())
    }

    fn record(&self, run: &str) -> Value {
        self.scratch.marsh(&["--json", "workflow", "history", "get", run]).ok().json()
    }

    /// Waits until no process that the killed one had started is running. Their work until then belongs to the killed run.
    fn settle(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.scratch.processes().is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The steps of a record with this status, by the names of their files.
fn with_status(record: &Value, status: &str) -> Vec<String> {
    let steps = record["jobs"].as_array().into_iter().flatten();
    let steps = steps.flat_map(|job| job["steps"].as_array().into_iter().flatten());
    steps
        .filter(|step| step["status"] == status)
        .filter_map(|step| step["stepName"].as_str().map(str::to_owned))
        .filter(|name| name != "ask")
        .collect()
}

impl WorkflowKills {
    /// Kills until the number of kills is reached.
    pub fn run(&self) -> KillReport {
        let mut report = KillReport::default();
        let mut random = Random(self.seed.max(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        // The time of a whole pass on this machine, so that the moments are spread over all of it.
        let start = Instant::now();
        self.one(&mut random, &mut report, None);
        let whole = u64::try_from(start.elapsed().as_millis()).unwrap_or(1000);
        while report.killed < self.kills && report.violations.len() < 20 {
            self.one(&mut random, &mut report, Some(whole));
        }
        report
    }

    fn one(&self, random: &mut Random, report: &mut KillReport, span: Option<u64>) {
        let scene = Scene::new(&self.binary);
        let mut tell = |message: String| report.violations.push(format!("seed {}: {message}", self.seed));
        let items = "items:json=[0,1,2,3,4,5,6,7,8,9]";
        let mut finished: BTreeMap<String, usize> = BTreeMap::new();
        let mut approved = false;
        // A run is killed up to three times.
        for pass in 0..40 {
            let run = scene.run_id();
            let arguments: Vec<&str> = match &run {
                None => vec!["--quiet", "workflow", "run", "w", "--input", items],
                Some(run) => vec!["--quiet", "workflow", "resume", "w", run],
            };
            let mut process = scene.scratch.spawn(&arguments);
            let doomed = span.filter(|_| pass < 3 && report.killed < self.kills);
            if let Some(span) = doomed {
                let at = Duration::from_millis(random.below(span));
                let start = Instant::now();
                while start.elapsed() < at && !process.has_ended() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                if process.has_ended() {
                    report.missed += 1;
                } else {
                    process.kill();
                    report.killed += 1;
                }
            }
            let ended = process.wait();
            scene.settle();
            let Some(run) = scene.run_id() else { continue };
            let record = scene.record(&run);
            let counts = scene.counts();
            for (name, before) in &finished {
                let now = counts.get(name).copied().unwrap_or(0);
                if now != *before {
                    tell(format!("pass {pass}: {name} had finished and ran again ({before} -> {now})"));
                }
            }
            for name in with_status(&record, "succeeded") {
                let count = counts.get(&name).copied().unwrap_or(0);
                if count == 0 {
                    tell(format!("pass {pass}: {name} is said to have succeeded and did nothing"));
                }
                finished.entry(name).or_insert(count);
            }
            if !with_status(&record, "failed").is_empty() {
                tell(format!("pass {pass}: something failed: {record}"));
            }
            let was_killed = ended.code.is_none();
            match record["status"].as_str() {
                Some("running") if was_killed => {}
                Some("suspended") => {
                    if !approved {
                        scene.scratch.marsh(&["workflow", "approve", "w", "ask"]).ok();
                        approved = true;
                    }
                }
                Some("succeeded") => {
                    report.runs += 1;
                    break;
                }
                status => {
                    tell(format!("pass {pass}: the run is {status:?}\n{}", ended.snapshot()));
                    break;
                }
            }
            report.finished += finished.len();
        }
        let counts = scene.counts();
        if counts.len() != COUNTED {
            tell(format!("{} steps ran, not {COUNTED}: {counts:?}", counts.len()));
        }
        let left = scene.scratch.marsh(&["--json", "workflow", "history", "search"]).ok().json();
        if left["results"].as_array().is_some_and(|runs| runs.iter().any(|run| run["status"] != "succeeded"))
        {
            tell(format!("the list says something else than the record: {left}"));
        }
    }
}

impl std::fmt::Display for KillReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} kills, {} came too late, {} runs brought to their end, {} finished steps looked at, {} violations",
            self.killed,
            self.missed,
            self.runs,
            self.finished,
            self.violations.len()
        )?;
        for violation in &self.violations {
            write!(f, "\n  {violation}")?;
        }
        Ok(())
    }
}
