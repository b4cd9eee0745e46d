//! Measures the lifecycle of extensions: installing, restoring, removing; one at a time, many at once, many in one command.
//! In the same run, npm does the nearest equivalent with packages of the same size.
//!
//! The times are wall times of whole processes, as a user starts them. D is measured between the runs of each row. The
//! condition before a run (an empty repository, an empty cache) is created before the clock starts.

mod npm;
mod scene;

use std::cell::Cell;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::error::BenchError;
use crate::fixture::Fixture;
use crate::lifecycle::npm::Npm;
use crate::lifecycle::scene::{COUNT, Scene};
use crate::measure::Job;
use crate::stats::Series;

struct Row {
    name: String,
    wall: Series,
    deno: Series,
    target: Option<f64>,
    reference: &'static str,
    note: String,
}

impl Row {
    fn line(&self) -> String {
        let ratio = self.wall.median / self.deno.median;
        let target = self.target.map_or(String::new(), |target| format!("≤ {target} D"));
        let verdict = self.target.map_or("", |target| if ratio <= target { "pass" } else { "above" });
        format!(
            "| {} | {:.1} | {:.1}–{:.1} | {ratio:.2} | {target} | {verdict} | {} | {} |\n",
            self.name, self.wall.median, self.wall.min, self.wall.p90, self.reference, self.note
        )
    }
}

/// Runs all and prints a table in Markdown.
pub fn run(fixture: &Fixture, runs: u32) -> Result<String, BenchError> {
    let scene = Scene::make(fixture)?;
    let mut rows = Vec::new();
    let mut row = |name: &str,
                   target,
                   reference,
                   runs: u32,
                   one: &mut dyn FnMut() -> Result<(f64, String), BenchError>| {
        eprint!("{name} ...");
        let row = measure(fixture, name, target, reference, runs, one)?;
        eprintln!(" {:.1} ms, {:.2} D", row.wall.median, row.wall.median / row.deno.median);
        rows.push(row);
        Ok::<(), BenchError>(())
    };
    row("`extension pull` of one, nothing cached", Some(1.5), "53 D", runs, &mut || {
        let repo = scene.fresh_repo()?;
        timed(&scene.job(&repo, &scene.fresh_cache()?, &["extension", "pull", &scene.name(0)]))
    })?;
    let cache = scene.fresh_cache()?;
    let repo = scene.fresh_repo()?;
    let turn = Cell::new(0);
    let held = std::cell::RefCell::new(Vec::new());
    row("`extension pull` and `rm` in turn, warm", None, "", runs.max(100) * 2, &mut || {
        turn.set(turn.get() + 1);
        let command = if turn.get() % 2 == 1 { "pull" } else { "rm" };
        let job = scene.job(&repo, &cache, &["--json", "extension", command, &scene.name(1)]);
        let (wall, said) = timed(&job)?;
        held.borrow_mut().extend(lock_held(&said));
        Ok((wall, said))
    })?;
    let fan = u32::max(runs / 6, 3);
    let concurrent_held = std::cell::RefCell::new(Vec::new());
    row(
        "50 `extension pull` at once, distinct extensions",
        Some(60.0),
        "2,200 to 4,100 D, 1 to 9 failures",
        fan,
        &mut || {
            let repo = scene.fresh_repo()?;
            let cache = scene.fresh_cache()?;
            let jobs: Vec<Job> = (0..50)
                .map(|number| scene.job(&repo, &cache, &["--json", "extension", "pull", &scene.name(number)]))
                .collect();
            let (wall, said) = timed_together(&jobs)?;
            let failures = said.iter().filter(|(ok, _)| !ok).count();
            concurrent_held.borrow_mut().extend(said.iter().flat_map(|(_, said)| lock_held(said)));
            let listed = scene.installed(&repo, &cache)?;
            Ok((wall, format!("{failures} failures, {listed} installed")))
        },
    )?;
    let many = u32::max(runs / 10, 3);
    let all: Vec<String> = (0..COUNT).map(|number| scene.name(number)).collect();
    let mut pull_all = vec!["extension", "pull"];
    pull_all.extend(all.iter().map(String::as_str));
    row("500 extensions in one `extension pull`, nothing cached", Some(300.0), "", many, &mut || {
        let (repo, cache) = (scene.fresh_repo()?, scene.fresh_cache()?);
        let (wall, _) = timed(&scene.job(&repo, &cache, &pull_all))?;
        Ok((wall, format!("{} installed", scene.installed(&repo, &cache)?)))
    })?;
    let (full, warm) = (scene.fresh_repo()?, scene.fresh_cache()?);
    timed(&scene.job(&full, &warm, &pull_all))?;
    // Restores into a new repository, as after a clone. Removing thousands of files just before would be measured too: ext4
    // searches past every inode that was freed within the last seconds.
    row("500 restored by `extension install`, archives cached", Some(60.0), "", many, &mut || {
        let clone = scene.clone_of(&full)?;
        let (wall, _) = timed(&scene.job(&clone, &warm, &["extension", "install"]))?;
        Ok((wall, format!("{} installed", scene.installed(&clone, &warm)?)))
    })?;
    row("`extension list` of 500", Some(0.8), "", runs, &mut || {
        timed(&scene.job(&full, &warm, &["extension", "list"]))
    })?;
    row("`extension install` of 500, all there", None, "", runs, &mut || {
        timed(&scene.job(&full, &warm, &["extension", "install"]))
    })?;
    let back = scene.fresh_repo()?;
    timed(&scene.job(&back, &warm, &["extension", "pull", &scene.name(0)]))?;
    row("`extension rollback`", Some(1.0), "", runs, &mut || {
        timed(&scene.job(&back, &warm, &["extension", "pull", &scene.name(2)]))?;
        timed(&scene.job(&back, &warm, &["extension", "rollback"]))
    })?;
    match Npm::start(&scene) {
        Ok(npm) => {
            row("npm: `npm install` of one, nothing cached", None, "", many, &mut || npm.install_one())?;
            row("npm: `npm install` of 500, nothing cached", None, "", 3, &mut || npm.install_all())?;
            npm.prepare_restore()?;
            row("npm: `npm ci` of 500, cached", None, "", 3, &mut || npm.restore())?;
            row("npm: `npm ls` of 500", None, "", many, &mut || npm.list())?;
        }
        Err(error) => eprintln!("npm is left out: {error}"),
    }
    let mut text = String::from("| what | wall ms | min–p90 | D | target |  | reference | noted |\n");
    text.push_str("| --- | ---: | ---: | ---: | --- | --- | --- | --- |\n");
    for row in &rows {
        text.push_str(&row.line());
    }
    let d = Series::of(rows.iter().map(|row| row.deno.median)).median;
    text.push_str(&format!("\nD is {d:.1} ms.\n\n"));
    for (what, held) in [("in turn", held.into_inner()), ("50 at once", concurrent_held.into_inner())] {
        text.push_str(&quantiles(what, &held, d));
    }
    Ok(text)
}

fn quantiles(what: &str, held: &[f64], d: f64) -> String {
    let mut sorted = held.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |part: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index into a short list"
        )]
        let index = ((sorted.len() as f64 * part) as usize).min(sorted.len().saturating_sub(1));
        sorted.get(index).copied().unwrap_or(0.0)
    };
    format!(
        "* Time under the lock per commit, {what}, {} commits: median {:.2} ms, p99 {:.2} ms = {:.2} D (target ≤ 0.5 D).\n",
        sorted.len(),
        at(0.5),
        at(0.99),
        at(0.99) / d
    )
}

fn lock_held(said: &str) -> Option<f64> {
    let document: serde_json::Value = serde_json::from_str(said).ok()?;
    document.get("lockHeldMs")?.as_f64()
}

fn measure(
    fixture: &Fixture,
    name: &str,
    target: Option<f64>,
    reference: &'static str,
    runs: u32,
    one: &mut dyn FnMut() -> Result<(f64, String), BenchError>,
) -> Result<Row, BenchError> {
    let deno = fixture.deno_job();
    timed(&deno)?;
    one()?;
    let (mut walls, mut denos, mut note) = (Vec::new(), Vec::new(), String::new());
    for _ in 0..runs {
        denos.push(timed(&deno)?.0);
        let (wall, said) = one()?;
        walls.push(wall);
        // A short remark is for the table; the output of a command is not.
        if said.len() < 60 && !said.contains('\n') {
            note = said;
        }
    }
    Ok(Row {
        name: name.to_owned(),
        wall: Series::of(walls.into_iter()),
        deno: Series::of(denos.into_iter()),
        target,
        reference,
        note,
    })
}

fn command(job: &Job) -> Command {
    let mut command = Command::new(&job.program);
    command
        .args(&job.args)
        .current_dir(&job.cwd)
        .env_clear()
        .envs(job.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// One run: its wall time in milliseconds and its standard output. A failure is an error.
pub(crate) fn timed(job: &Job) -> Result<(f64, String), BenchError> {
    let start = Instant::now();
    let output = command(job)
        .output()
        .map_err(|source| BenchError::io(format!("start {}", job.program.display()), source))?;
    let wall = start.elapsed().as_secs_f64() * 1e3;
    if !output.status.success() {
        let words: Vec<String> =
            job.args.iter().take(4).map(|word| word.to_string_lossy().into_owned()).collect();
        let said = [output.stdout, output.stderr].concat();
        return Err(BenchError::Command {
            what: words.join(" "),
            said: String::from_utf8_lossy(&said).trim().to_owned(),
        });
    }
    Ok((wall, String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// Runs all jobs at once. Returns the time until the last has ended, and how each ended.
fn timed_together(jobs: &[Job]) -> Result<(f64, Vec<(bool, String)>), BenchError> {
    let start = Instant::now();
    let children: Vec<std::process::Child> = jobs
        .iter()
        .map(|job| command(job).spawn().map_err(|source| BenchError::io("start marsh", source)))
        .collect::<Result<_, _>>()?;
    let mut ended = Vec::new();
    for child in children {
        let output = child.wait_with_output().map_err(|source| BenchError::io("wait for marsh", source))?;
        if !output.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&output.stdout));
        }
        ended.push((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()));
    }
    Ok((start.elapsed().as_secs_f64() * 1e3, ended))
}
