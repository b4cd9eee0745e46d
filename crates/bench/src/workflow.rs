//! Measures workflows: a run, a step, an item of a `forEach` and a check, beside another workflow runner.
//!
//! The other runner is doit, which pip installs into an environment of the bench. Its tasks are in a Python file; each is a
//! shell command, with dependencies between them. It runs the same three and the same thousand steps. Of a run it records
//! only which tasks succeeded, so it does less than marsh.

use std::path::{Path, PathBuf};
use std::process::Command;

use etcetera::BaseStrategy as _;

use crate::error::BenchError;
use crate::fixture::{Fixture, write};
use crate::measure::{Job, Runner};
use crate::stats::Series;

const STEPS: usize = 1000;
const ITEMS: usize = 10_000;
const FILES: usize = 100;
const MEGABYTE: f64 = 1024.0;

/// The medians of pairs of a job and Deno on an empty script.
struct Beside {
    wall: Series,
    d: Series,
}

impl Beside {
    fn ratio(&self) -> f64 {
        self.wall.median / self.d.median
    }
}

struct Bench<'a> {
    fixture: &'a Fixture,
    runner: &'a Runner,
    text: String,
}

/// Runs all and prints a table in Markdown.
pub fn run(fixture: &Fixture, runner: &Runner, runs: u32) -> Result<String, BenchError> {
    let repo = fixture.trivial();
    write_workflows(&repo)?;
    let mut bench = Bench {
        fixture,
        runner,
        text: String::from("| what | measured | D | in D | target | |\n|---|---|---|---|---|---|\n"),
    };
    let marsh = |arguments: &[&str]| fixture.job(&repo, arguments);
    let few = runs.min(3);
    let three = bench.beside(&marsh(&["workflow", "run", "bench-three"]), "bench-three succeeded", runs)?;
    bench.row("three steps of a trivial method", &three, Some(3.0));
    let thousand =
        bench.beside(&marsh(&["workflow", "run", "bench-thousand"]), "bench-thousand succeeded", few)?;
    bench.row("1,000 steps, one after the other", &thousand, None);
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let step = (thousand.wall.median - three.wall.median) / (STEPS - 3) as f64;
    bench.line(
        &format!("one more step: {step:.2} ms"),
        thousand.d.median,
        step / thousand.d.median,
        Some(0.1),
    );
    let inputs = fixture.top().join("items.json");
    let list: Vec<String> = (0..ITEMS).map(|item| item.to_string()).collect();
    write(&inputs, &format!("{{\"list\": [{}]}}", list.join(",")))?;
    let inputs = inputs.to_string_lossy().into_owned();
    let each = marsh(&["workflow", "run", "bench-each", "--quiet", "--input-file", &inputs]);
    let items = bench.beside(&each, "bench-each succeeded", 1)?;
    bench.row("`forEach` over 10,000 items", &items, Some(1000.0));
    let peak = runner.sampled(&each)?;
    #[expect(clippy::cast_precision_loss, reason = "kilobytes")]
    let megabytes = peak.max_rss_kb as f64 / MEGABYTE;
    let word = if megabytes <= 150.0 { "pass" } else { "above" };
    bench
        .text
        .push_str(&format!("| the same, peak RSS of marsh | {megabytes:.0} MB | | | ≤ 150 MB | {word} |\n"));
    let checked = fixture.top().join("checked");
    let init = checked.to_string_lossy().into_owned();
    runner.timed(&fixture.job(fixture.top(), &["init", "--quiet", &init]))?;
    for file in 0..FILES {
        write(
            &checked.join(format!("workflows/workflow-w{file}.yaml")),
            &shell(&format!("w{file}"), file, 3),
        )?;
    }
    let validate = bench.beside(&fixture.job(&checked, &["workflow", "validate"]), "w99", runs)?;
    bench.row("`workflow validate` of 100 files", &validate, Some(6.0));
    write(&repo.join("workflows/workflow-shell-three.yaml"), &shell("shell-three", 200, 3))?;
    write(&repo.join("workflows/workflow-shell-thousand.yaml"), &shell("shell-thousand", 201, STEPS))?;
    let doit = doit()?;
    for (name, steps, runs) in [("three", 3, runs), ("thousand", STEPS, few)] {
        let workflow = format!("shell-{name}");
        let says = format!("{workflow} succeeded");
        let ours = bench.beside(&marsh(&["workflow", "run", &workflow]), &says, runs)?;
        bench.row(&format!("{steps} shell steps, marsh"), &ours, None);
        let dir = fixture.top().join(format!("doit-{name}"));
        write(&dir.join("dodo.py"), &dodo(steps))?;
        let job = Job { program: doit.clone(), args: Vec::new(), ..fixture.job(&dir, &[]) };
        let theirs = bench.beside(&job, &format!("s{}", steps - 1), runs)?;
        bench.row(&format!("{steps} shell steps, doit"), &theirs, None);
    }
    Ok(bench.text)
}

impl Bench<'_> {
    fn beside(&self, job: &Job, says: &str, runs: u32) -> Result<Beside, BenchError> {
        let deno = self.fixture.deno_job();
        eprint!("{says} ...");
        // The first run warms up.
        self.runner.check(job, says)?;
        self.runner.timed(&deno)?;
        let (mut walls, mut denos) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            denos.push(self.runner.timed(&deno)?.wall_ms);
            walls.push(self.runner.timed(job)?.wall_ms);
        }
        let beside = Beside { wall: Series::of(walls.into_iter()), d: Series::of(denos.into_iter()) };
        eprintln!(" {:.1} ms, {:.2} D", beside.wall.median, beside.ratio());
        Ok(beside)
    }

    fn row(&mut self, what: &str, beside: &Beside, target: Option<f64>) {
        let what = format!("{what}: {:.1} ms", beside.wall.median);
        self.line(&what, beside.d.median, beside.ratio(), target);
    }

    fn line(&mut self, what: &str, d: f64, ratio: f64, target: Option<f64>) {
        let (what, measured) = what.rsplit_once(": ").unwrap_or((what, ""));
        let target_text = target.map_or_else(String::new, |target| format!("≤ {target} D"));
        let word = target.map_or("", |target| if ratio <= target { "pass" } else { "above" });
        self.text.push_str(&format!(
            "| {what} | {measured} | {d:.1} ms | {ratio:.2} | {target_text} | {word} |\n"
        ));
    }
}

fn head(name: &str, number: usize) -> String {
    format!("id: 5f0c8b7e-1111-4222-8333-{number:012x}\nname: {name}\n")
}

fn chain(task: &str, steps: usize) -> String {
    let mut text = String::from("jobs:\n- name: main\n  steps:\n");
    for step in 0..steps {
        let after = match step.checked_sub(1) {
            Some(before) => format!("    dependsOn: [{{step: s{before}, condition: {{type: succeeded}}}}]\n"),
            None => String::new(),
        };
        text.push_str(&format!("  - name: s{step}\n{after}    task: {task}\n"));
    }
    text
}

const TRIVIAL: &str = "{type: model_method, modelIdOrName: trivial, methodName: greet}";

fn write_workflows(repo: &Path) -> Result<(), BenchError> {
    let put = |name: &str, text: String| write(&repo.join(format!("workflows/workflow-{name}.yaml")), &text);
    put("bench-three", head("bench-three", 100) + &chain(TRIVIAL, 3))?;
    put("bench-thousand", head("bench-thousand", 101) + &chain(TRIVIAL, STEPS))?;
    let each = format!(
        "inputs: {{list: {{type: array}}}}\njobs:\n- name: main\n  steps:\n  - name: e\n    forEach: {{item: x, in: '${{{{ inputs.list }}}}'}}\n    task: {TRIVIAL}\n"
    );
    put("bench-each", head("bench-each", 102) + &each)
}

/// A chain of shell commands that do nothing.
fn shell(name: &str, number: usize, steps: usize) -> String {
    let task = "{type: model_method, modelType: command/shell, modelName: bench-sh, methodName: execute, inputs: {run: 'true'}}";
    head(name, number) + &chain(task, steps)
}

fn dodo(steps: usize) -> String {
    format!(
        "def task_chain():\n    for step in range({steps}):\n        after = ['chain:s%d' % (step - 1)] if step else []\n        \
         yield {{'name': 's%d' % step, 'actions': ['true'], 'task_dep': after}}\n"
    )
}

/// Installs doit into a separate environment. pip chooses the index.
fn doit() -> Result<PathBuf, BenchError> {
    let failed = |said: String| BenchError::Command { what: "pip install doit".into(), said };
    let cache = etcetera::choose_base_strategy().map_err(|error| failed(error.to_string()))?;
    let dir = cache.cache_dir().join("marsh-bench").join("doit");
    let program = dir.join("bin").join("doit");
    if program.is_file() {
        return Ok(program);
    }
    marsh_fs::create_dir_all(&dir)?;
    eprintln!("installing doit with pip into {}", dir.display());
    let pip = dir.join("bin").join("pip");
    let steps: [(&Path, Vec<&std::ffi::OsStr>); 2] = [
        (Path::new("python3"), vec!["-m".as_ref(), "venv".as_ref(), dir.as_os_str()]),
        (&pip, vec!["install".as_ref(), "--quiet".as_ref(), "doit".as_ref()]),
    ];
    for (command, arguments) in steps {
        let output =
            Command::new(command).args(arguments).output().map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
    }
    Ok(program)
}
