//! Killed at every mutation, and failing at every mutation: whatever a change of the installed set was doing.
//!
//! For each command and n = 1, 2, … the real binary dies at the n-th point at which it changes the disk, until it
//! survives. After each death a reader sees the old set or the new one, whole; the next command works without repair and
//! without waiting; and a collection leaves nothing behind. The same with an error of the disk in place of the death,
//! where the command must end with an error or succeed. Run with `--features failpoints`.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "these tests set the scene that marsh then acts on"
)]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use marsh_testkit::{ExtensionRegistry, Run, Scratch, look_at, stress_packages};
use serde_json::Value;

const LOCKFILE: &str = "extensions/models/upstream_extensions.json";

/// Stands for the number of the oldest generation that there is.
const OLDEST: &str = "(oldest)";

/// Commands that follow a death, each of which must do its work.
const NEXT: [&[&str]; 6] = [
    &["pull", "--lock-timeout", "2s", "@stress/c"],
    &["rm", "--lock-timeout", "2s", "--yes", "@stress/c"],
    &["update", "--lock-timeout", "2s"],
    &["install", "--lock-timeout", "2s"],
    &["rollback", "--lock-timeout", "2s", OLDEST],
    &["gc", "--lock-timeout", "2s", "--apply"],
];

/// A repository that can be put back into its first state, in the same place.
struct Bench {
    scratch: Scratch,
    template: tempfile::TempDir,
    _registry: ExtensionRegistry,
}

impl Bench {
    /// `a` with `d`, and `c`; both can be updated, and there is a past.
    fn new(prepare: impl FnOnce(&Scratch)) -> Bench {
        let registry = ExtensionRegistry::with(&stress_packages());
        let scratch = Scratch::repo(env!("CARGO_BIN_EXE_marsh"))
            .private_cache()
            .env("MARSH_REGISTRY", registry.location());
        for reference in [
            "@stress/c@2026.02.01.1",
            "@stress/c@2026.01.01.1",
            "@stress/d@2026.01.01.1",
            "@stress/a@2026.01.01.1",
        ] {
            extension(&scratch, &["pull", reference]).ok();
        }
        prepare(&scratch);
        let template = tempfile::tempdir().unwrap();
        copy(scratch.root().parent().unwrap(), template.path());
        Bench { scratch, template, _registry: registry }
    }

    fn reset(&self) {
        let top = self.scratch.root().parent().unwrap();
        for name in ["repo", "cache"] {
            if top.join(name).exists() {
                std::fs::remove_dir_all(top.join(name)).unwrap();
            }
        }
        copy(self.template.path(), top);
    }

    fn run(&self, command: &[&str], failpoint: &str) -> Run {
        let arguments = [&["--json", "extension"], command].concat();
        let output = self.scratch.command(&arguments).env("MARSH_FAILPOINT", failpoint).output().unwrap();
        Run::of(&arguments, output, self.scratch.filters())
    }
}

fn extension(scratch: &Scratch, arguments: &[&str]) -> Run {
    scratch.marsh(&[&["--json", "extension"], arguments].concat())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_symlink() {
            link(&std::fs::read_link(&path).unwrap(), &target);
        } else if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

fn link(target: &PathBuf, path: &Path) {
    std::os::unix::fs::symlink(target, path).unwrap();
}

/// Names and versions that the lockfile names; times differ from run to run.
fn locked(scratch: &Scratch) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(scratch.path(LOCKFILE)).unwrap_or_default();
    let value: Value = if text.is_empty() { Value::default() } else { serde_json::from_str(&text).unwrap() };
    let entries = value.as_object().cloned().unwrap_or_default();
    entries.into_iter().map(|(name, entry)| (name, entry["version"].as_str().unwrap().to_owned())).collect()
}

/// What a reader sees now is `old` or `new`, whole.
#[track_caller]
fn assert_old_or_new(
    bench: &Bench,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
    restoring: bool,
    case: &str,
) {
    let now = locked(&bench.scratch);
    assert!(now == *old || now == *new, "{case}: {now:?} is neither {old:?} nor {new:?}");
    let list = extension(&bench.scratch, &["list"]).ok().json();
    let listed: BTreeMap<String, String> = list["extensions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (entry["name"].as_str().unwrap().to_owned(), entry["version"].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(listed, now, "{case}");
    for entry in list["extensions"].as_array().unwrap() {
        assert!(entry["state"] == "stored" || restoring && entry["state"] == "missing", "{case}: {entry}");
    }
    if !restoring {
        assert_eq!(look_at(bench.scratch.root(), false), [""; 0], "{case}");
        bench.scratch.marsh(&["doctor", "extensions", "--verify"]).ok();
    }
}

/// The next command works, and after a change and a collection nothing tells of what happened.
#[track_caller]
fn assert_life_goes_on(bench: &Bench, turn: usize, case: &str) {
    let history = extension(&bench.scratch, &["history"]).ok().json();
    let oldest = history["generations"].as_array().unwrap().last().map(|one| one["number"].to_string());
    let next = NEXT[turn % NEXT.len()];
    let next: Vec<&str> = match &oldest {
        Some(oldest) => next.iter().map(|word| if *word == OLDEST { oldest } else { *word }).collect(),
        // A fresh clone has no past.
        None => next
            .iter()
            .filter(|word| **word != OLDEST)
            .map(|word| if *word == "rollback" { "update" } else { word })
            .collect(),
    };
    let run = extension(&bench.scratch, &next);
    assert!(run.code == Some(0), "{case}, then {next:?}: {}", run.snapshot());
    assert!(run.json().get("warnings").is_none(), "{case}, then {next:?}: {}", run.snapshot());
    for follow in [&["install"][..], &["pull", "@stress/e"], &["gc", "--apply"]] {
        let run = extension(&bench.scratch, follow);
        assert!(run.code == Some(0), "{case}, then {next:?}, then {follow:?}: {}", run.snapshot());
    }
    assert_eq!(look_at(bench.scratch.root(), true), [""; 0], "{case}, then {next:?}");
}

/// Kills `command` at every mutation, and lets every mutation fail.
fn torment(command: &[&str], restoring: bool, prepare: impl FnOnce(&Scratch)) {
    torment_and_look(command, restoring, prepare, |_, _, _| {});
}

/// [`torment`], with a look of one's own at what each death and each failure left: whether the command said that it had
/// succeeded, and the case for messages.
fn torment_and_look(
    command: &[&str],
    restoring: bool,
    prepare: impl FnOnce(&Scratch),
    look: impl Fn(&Bench, bool, &str),
) {
    let bench = Bench::new(prepare);
    bench.reset();
    let old = locked(&bench.scratch);
    extension(&bench.scratch, command).ok();
    let new = locked(&bench.scratch);
    let mut points = 0;
    loop {
        bench.reset();
        let case = format!("{command:?} killed at {}", points + 1);
        let run = bench.run(command, &format!("*=abort@{}", points + 1));
        let survived = run.code == Some(0);
        assert!(survived || run.code.is_none(), "{case}: {}", run.snapshot());
        assert_old_or_new(&bench, &old, &new, restoring, &case);
        look(&bench, survived, &case);
        assert_life_goes_on(&bench, points, &case);
        if survived {
            break;
        }
        points += 1;
        assert!(points < 1000, "{command:?} never ends");
    }
    assert!(points > 5, "{command:?} changes the disk at {points} points only");
    for point in 1..=points {
        bench.reset();
        let action = ["eio", "enospc", "short", "erofs", "eacces"][point % 5];
        let case = format!("{command:?} with {action} at {point}");
        let run = bench.run(command, &format!("*={action}@{point}"));
        match run.code {
            Some(0) => assert_eq!(locked(&bench.scratch), new, "{case}: {}", run.snapshot()),
            Some(1) => assert!(has_error(&run.json()), "{case}: {}", run.snapshot()),
            _ => panic!("{case}: {}", run.snapshot()),
        }
        assert_old_or_new(&bench, &old, &new, restoring, &case);
        look(&bench, run.code == Some(0), &case);
        assert_life_goes_on(&bench, point, &case);
    }
    // Writes that take a part of what they are given, all of them: nothing is lost.
    bench.reset();
    let case = format!("{command:?} in pieces");
    let run = bench.run(command, "*=trickle");
    assert!(run.code == Some(0), "{case}: {}", run.snapshot());
    assert_eq!(locked(&bench.scratch), new, "{case}");
    assert_old_or_new(&bench, &old, &new, restoring, &case);
    look(&bench, true, &case);
    assert_life_goes_on(&bench, 0, &case);
}

/// Of the whole, or of a part.
fn has_error(document: &Value) -> bool {
    let items =
        ["extensions", "entries"].iter().flat_map(|key| document[key].as_array().into_iter().flatten());
    document["error"]["code"].is_string() || items.into_iter().any(|item| item["error"]["code"].is_string())
}

#[test]
fn pull() {
    torment(&["pull", "@stress/b"], false, |_| {});
}

#[test]
fn rm() {
    torment(&["rm", "--yes", "@stress/a"], false, |_| {});
}

#[test]
fn update() {
    torment(&["update"], false, |_| {});
}

#[test]
fn install() {
    torment(&["install"], true, |scratch| {
        // As in a fresh clone.
        scratch.remove(".swamp");
        scratch.remove(".claude");
        std::fs::remove_dir_all(scratch.root().parent().unwrap().join("cache")).unwrap();
    });
}

#[test]
fn rollback() {
    torment(&["rollback", "1"], false, |_| {});
}

const PUSHED: &str = "2026.03.01.2";

/// An extension of which one version is published, and the next is ready to be.
fn ready_to_push(scratch: &Scratch) {
    scratch.marsh(&["registry", "init", "registry"]).ok();
    for version in ["2026.03.01.1", PUSHED] {
        scratch.write(
            "extensions/models/zone.ts",
            format!("export const model = {{ type: '@acme/zone', version: '{version}', methods: {{}} }};\n"),
        );
        scratch.write(
            "manifest.yaml",
            format!("manifestVersion: 1\nname: '@acme/dns'\nversion: {version}\nmodels: [zone.ts]\n"),
        );
        if version != PUSHED {
            extension(scratch, &["push", "manifest.yaml", "--registry", "registry"]).ok();
        }
    }
}

/// What a dead publisher left in the registry or in his repository.
fn left_of_publishers(scratch: &Scratch) -> Vec<String> {
    let is_left = |path: &String| {
        let dotted = path.split('/').any(|name| name.starts_with('.'));
        dotted || path.starts_with("private/uploads/") || path == "private/pending"
    };
    let mut left: Vec<String> = scratch.files("registry").into_iter().filter(is_left).collect();
    let derived = scratch.files(".swamp").into_iter();
    left.extend(derived.filter(|path| path.contains(".tmp-") || path.contains("/push/")));
    left
}

#[test]
fn push() {
    let push = ["push", "--yes", "manifest.yaml", "--no-bundles", "--registry", "registry"];
    let (published, unpublished) = (Cell::new(0), Cell::new(0));
    torment_and_look(&push, false, ready_to_push, |bench, survived, case| {
        let consumer = Scratch::repo(env!("CARGO_BIN_EXE_marsh"))
            .private_cache()
            .env("MARSH_REGISTRY", bench.scratch.path("registry"));
        // The version that was there is untouched, and the new one is there whole or not at all.
        let reference = format!("@acme/dns@{PUSHED}");
        let pulled = extension(&consumer, &["pull", &reference]);
        let whole = pulled.code == Some(0);
        match whole {
            true => published.set(published.get() + 1),
            false => {
                unpublished.set(unpublished.get() + 1);
                assert_eq!(pulled.error()["code"], "unsatisfiable", "{case}: {}", pulled.snapshot());
            }
        }
        assert!(whole || !survived, "{case}: said to be published");
        let found = extension(&consumer, &["search", "@acme/dns"]).ok().json();
        let latest = if whole { PUSHED } else { "2026.03.01.1" };
        assert_eq!(found["results"][0]["latestVersion"], latest, "{case}: {found}");
        extension(&consumer, &["pull", "--force", "@acme/dns@2026.03.01.1"]).ok();
        // The next push works, or says that the version exists; what the dead one left goes with it.
        let again = extension(&bench.scratch, &push);
        match again.code {
            Some(0) => assert!(!whole, "{case}: published twice"),
            _ => {
                let code = again.error()["code"].clone();
                assert!(whole && code == "already_published", "{case}: {}", again.snapshot());
            }
        }
        bench.scratch.write("manifest.yaml", bench.scratch.read("manifest.yaml").replace("01.2", "01.3"));
        extension(&bench.scratch, &push).ok();
        extension(&bench.scratch, &["gc", "--apply"]).ok();
        assert_eq!(left_of_publishers(&bench.scratch), [""; 0], "{case}");
    });
    assert!(
        published.get() > 2 && unpublished.get() > 10,
        "both ends are seen: {published:?}, {unpublished:?}"
    );
}

#[test]
fn gc() {
    torment(&["gc", "--apply", "--keep", "1"], false, |_| {});
}

const CHAIN: &str = "id: 5f0c8b7e-1111-4222-8333-000000000001
name: chain
jobs:
- name: main
  steps:
  - name: s0
    task: {type: model_method, modelType: command/shell, modelName: sh, methodName: execute, inputs: {run: 'echo s0 >> effects'}}
  - name: s1
    dependsOn: [{step: s0, condition: {type: succeeded}}]
    task: {type: model_method, modelType: command/shell, modelName: sh, methodName: execute, inputs: {run: 'echo s1 >> effects'}}
  - name: s2
    dependsOn: [{step: s1, condition: {type: succeeded}}]
    task: {type: model_method, modelType: command/shell, modelName: sh, methodName: execute, inputs: {run: 'echo s2 >> effects'}}
";

/// The journal that could not be put on disk: which steps it says have ended, and the run that it is of.
fn journal(scratch: &Scratch) -> Option<(String, usize)> {
    let runs = scratch.path(".swamp/workflow-runs/5f0c8b7e-1111-4222-8333-000000000001");
    let mut files = std::fs::read_dir(runs).ok()?.flatten().map(|entry| entry.path());
    let path = files.find(|path| path.extension().is_some_and(|extension| extension == "journal"))?;
    let facts: Vec<Value> = std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["fact"].clone())
        .collect();
    let run = facts.first()?["runId"].as_str()?.to_owned();
    Some((run, facts.iter().filter(|fact| fact["type"] == "step_ended").count()))
}

/// No code runs that follows from what is not on disk; the run stays as it was, and goes on when the disk does.
#[test]
fn when_the_journal_cannot_be_synced_no_later_step_runs() {
    let mut stopped_after = Vec::new();
    for point in 1..40 {
        let scratch = Scratch::repo(env!("CARGO_BIN_EXE_marsh"));
        scratch.write("workflows/workflow-chain.yaml", CHAIN);
        let failpoint = format!("fs.growing.sync=error@{point}");
        let command = ["--json", "workflow", "run", "chain"];
        let output = scratch.command(&command).env("MARSH_FAILPOINT", &failpoint).output().unwrap();
        let run = Run::of(&command, output, scratch.filters());
        let effects = || std::fs::read_to_string(scratch.path("effects")).unwrap_or_default();
        if run.code == Some(0) {
            assert_eq!(effects(), "s0\ns1\ns2\n");
            assert!(stopped_after.contains(&1) && stopped_after.contains(&2), "{stopped_after:?}");
            return;
        }
        assert_eq!(run.error()["code"], "io", "{failpoint}: {run:?}");
        let Some((id, ended)) = journal(&scratch) else {
            assert_eq!(effects(), "", "{failpoint}");
            continue;
        };
        assert_eq!(
            effects().lines().count(),
            ended,
            "{failpoint}: a step ran that follows from what is not on disk"
        );
        stopped_after.push(ended);
        // With the last step done, all that may be missing is the end of the run.
        let resumed = scratch.marsh(&["workflow", "resume", "chain", "--run", &id]);
        assert!(resumed.code == Some(0) || ended == 3, "{failpoint}: {}", resumed.snapshot());
        assert_eq!(effects(), "s0\ns1\ns2\n", "{failpoint}");
    }
    panic!("never got through");
}

/// The record of many steps is written beside the run; however late one of its writes is, the last one is the run's end.
#[test]
fn a_late_write_of_the_record_does_not_come_after_its_last() {
    let items: Vec<String> = (0..200).map(|item| item.to_string()).collect();
    let workflow = format!(
        "id: 5f0c8b7e-1111-4222-8333-0000000000aa\nname: large\njobs:\n- name: main\n  steps:\n  - name: each\n    \
         forEach: {{item: x, in: '${{{{ [{}] }}}}'}}\n    task: {{type: assert, expr: 'self.x >= 0', message: no}}\n",
        items.join(", ")
    );
    for point in 1..8 {
        let scratch = Scratch::repo(env!("CARGO_BIN_EXE_marsh"));
        scratch.write("workflows/workflow-large.yaml", workflow.as_str());
        let failpoint = format!("fs.atomic_write.rename=sleep:700@{point}");
        let command = ["workflow", "run", "large", "--quiet"];
        let output = scratch.command(&command).env("MARSH_FAILPOINT", &failpoint).output().unwrap();
        Run::from_output(output, scratch.filters()).ok();
        let dir = scratch.path(".swamp/workflow-runs/5f0c8b7e-1111-4222-8333-0000000000aa");
        let mut files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let path = files.find(|path| path.extension().is_some_and(|extension| extension == "yaml")).unwrap();
        let record = std::fs::read_to_string(path).unwrap();
        // The run, its job and its steps.
        assert_eq!(record.matches("status: succeeded").count(), 202, "{failpoint}");
    }
}
