//! Which code the steps of a long run see while its sources change: the newest as each starts (`follow`), or what the run
//! started with (`pinned`). The changes are steps of the run itself: they edit, or install, and then have the server
//! reload. Two jobs do so side by side; an approval in the middle splits the run, and it is resumed by the server or by a
//! process of its own.

use std::collections::BTreeMap;

use marsh_testkit::{ExtensionProcess, ExtensionRegistry, Package, Scratch};
use serde_json::{Value, json};

use super::{BINARY, model};

const STEPS: usize = 20;
/// The step after which an approval is asked for. Odd, so that an update has not been rolled back then.
const ASK_AFTER: usize = 11;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resumed {
    ByTheServer,
    ByACommand,
}

/// A job of [`STEPS`] changes, each followed by a step that runs a method of this type.
fn job(name: &str, type_name: &str, asks: bool, change: impl Fn(usize) -> String) -> String {
    let after = |step: &str| format!("    dependsOn: [{{step: {step}, condition: {{type: succeeded}}}}]\n");
    let mut steps = String::new();
    let mut last = String::new();
    for n in 1..=STEPS {
        let depends = if last.is_empty() { String::new() } else { after(&last) };
        steps.push_str(&format!(
            "  - name: change-{name}-{n}\n{depends}    task: {{type: model_method, modelType: command/shell, \
             modelName: change-{name}, methodName: execute, inputs: {{run: '{}'}}}}\n",
            change(n)
        ));
        last = format!("say-{name}-{n}");
        steps.push_str(&format!(
            "  - name: {last}\n{}    task: {{type: model_method, modelType: '{type_name}', modelName: m-{last}, methodName: run}}\n",
            after(&format!("change-{name}-{n}"))
        ));
        if asks && n == ASK_AFTER {
            steps.push_str(&format!(
                "  - name: ask\n{}    task: {{type: manual_approval, prompt: go on}}\n",
                after(&last)
            ));
            last = "ask".to_owned();
        }
    }
    format!("- name: {name}\n  steps:\n{steps}")
}

fn write_workflow(repo: &Scratch, policy: &str, jobs: &[String]) {
    let text = format!(
        "id: 5f0c8b7e-1111-4222-8333-444455556666\nname: w\ncode: {policy}\njobs:\n{}",
        jobs.concat()
    );
    repo.write("workflows/workflow-w.yaml", text);
}

/// Runs the workflow in the server up to the approval, gives it, and resumes. What each step that runs a method of the
/// type wrote, and the run's id.
#[track_caller]
fn ran(repo: &Scratch, process: &ExtensionProcess, resumed: Resumed) -> (BTreeMap<String, Value>, String) {
    let first = process.connect().ask("workflow", json!({ "workflow": "w" }));
    let first = first.unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(first["status"], "suspended", "{first:#}");
    repo.marsh(&["workflow", "approve", "w", "ask"]).ok();
    let second = match resumed {
        Resumed::ByACommand => repo.marsh(&["--json", "workflow", "resume", "w"]).ok().json(),
        Resumed::ByTheServer => {
            let answer = process.connect().ask("resume", json!({ "workflow": "w" }));
            answer.unwrap_or_else(|error| panic!("{error:#}"))
        }
    };
    assert_eq!((&second["status"], &second["id"]), (&json!("succeeded"), &first["id"]), "{second:#}");
    let mut said = BTreeMap::new();
    for document in [&first, &second] {
        let jobs = document["jobs"].as_array().into_iter().flatten();
        for step in jobs.flat_map(|job| job["steps"].as_array().into_iter().flatten()) {
            let word = &step["dataArtifacts"][0]["attributes"]["word"];
            if let Some(name) = step["name"].as_str().filter(|name| name.starts_with("say-"))
                && !word.is_null()
            {
                said.insert(name.to_owned(), word.clone());
            }
        }
    }
    (said, first["id"].as_str().unwrap_or_default().to_owned())
}

/// How many different codes the record of a run says that the steps of a job ran.
fn fingerprints(repo: &Scratch, run: &str, job: &str) -> usize {
    let record = repo.marsh(&["--json", "workflow", "history", "get", run]).ok().json();
    let prefix = format!("say-{job}-");
    let jobs = record["jobs"].as_array().into_iter().flatten();
    let steps = jobs.flat_map(|job| job["steps"].as_array().into_iter().flatten());
    let of_job = steps.filter(|step| step["stepName"].as_str().is_some_and(|name| name.starts_with(&prefix)));
    let codes: Vec<&str> = of_job.filter_map(|step| step["code"]["fingerprint"].as_str()).collect();
    assert_eq!(codes.len(), STEPS, "every step records its code: {record:#}");
    codes.into_iter().collect::<std::collections::BTreeSet<_>>().len()
}

/// Each job edits a type of its own before each of its steps, and has the server reload.
fn edits(policy: &str, resumed: Resumed) {
    let repo = Scratch::repo(BINARY).env("MARSH_BINARY", BINARY);
    let jobs = ["main", "beside"];
    let version = |job: &str, n: usize| model("", &n.to_string()).replace("@me/x", &format!("@me/{job}"));
    for job in jobs {
        for n in 0..=STEPS {
            repo.write(&format!("versions/{job}-{n}.ts"), version(job, n));
        }
        repo.write(&format!("extensions/models/{job}.ts"), version(job, 0));
    }
    let edit = |job: &'static str| {
        move |n: usize| {
            format!(
                "cp versions/{job}-{n}.ts versions/{job}.next && mv versions/{job}.next extensions/models/{job}.ts && \
                 \"$MARSH_BINARY\" serve reload"
            )
        }
    };
    let jobs = jobs.map(|name| (name, job(name, &format!("@me/{name}"), name == "main", edit(name))));
    write_workflow(&repo, policy, &jobs.each_ref().map(|(_, text)| text.clone()));
    let process = repo.spawn_extension_process(&[]);
    let (said, run) = ran(&repo, &process, resumed);
    for (job, _) in &jobs {
        for n in 1..=STEPS {
            let expected = if policy == "pinned" { 0 } else { n };
            assert_eq!(said[&format!("say-{job}-{n}")], expected, "step {n} of {job}, {policy}: {said:?}");
        }
        let expected = if policy == "pinned" { 1 } else { STEPS };
        assert_eq!(fingerprints(&repo, &run, job), expected, "{job}, {policy}");
    }
    // What a run was pinned to is held by the run alone.
    assert_eq!(process.run("@me/main", "run")["word"], STEPS);
    process.assert_one_version_alive("@me/main");
    assert_eq!(process.memory().leaked, 0);
    process.stop().ok();
}

#[test]
fn twenty_edits_and_reloads_are_followed_across_a_resume_by_the_server() {
    edits("follow", Resumed::ByTheServer);
}

#[test]
fn twenty_edits_and_reloads_are_followed_across_a_resume_by_a_command() {
    edits("follow", Resumed::ByACommand);
}

#[test]
fn twenty_edits_and_reloads_change_nothing_in_a_pinned_run_resumed_by_the_server() {
    edits("pinned", Resumed::ByTheServer);
}

#[test]
fn twenty_edits_and_reloads_change_nothing_in_a_pinned_run_resumed_by_a_command() {
    edits("pinned", Resumed::ByACommand);
}

fn tool(version: &str, word: &str) -> Package {
    let text =
        model("", &format!("'{word}'")).replace("@me/x", "@acme/tool").replace("2026.01.01.1", version);
    Package::new("@acme/tool", version).source("main.ts", &text)
}

/// The extension is updated and rolled back in turn, by the commands that people use.
fn updates(policy: &str) {
    let registry = ExtensionRegistry::with(&[tool("2026.01.01.1", "one")]);
    let repo = Scratch::repo(BINARY).env("MARSH_REGISTRY", registry.location()).env("MARSH_BINARY", BINARY);
    repo.marsh(&["extension", "pull", "@acme/tool"]).ok();
    registry.publish(&tool("2026.02.01.1", "two"));
    let change = |n: usize| {
        let command = if n % 2 == 1 { "update" } else { "rollback" };
        format!("\"$MARSH_BINARY\" extension {command} && \"$MARSH_BINARY\" serve reload")
    };
    // Beside it the same type runs all the while.
    let jobs =
        [job("main", "@acme/tool", true, change), job("beside", "@acme/tool", false, |_| "true".to_owned())];
    write_workflow(&repo, policy, &jobs);
    let process = repo.spawn_extension_process(&[]);
    let (said, run) = ran(&repo, &process, Resumed::ByTheServer);
    for n in 1..=STEPS {
        let expected = if policy == "follow" && n % 2 == 1 { "two" } else { "one" };
        assert_eq!(said[&format!("say-main-{n}")], expected, "step {n}, {policy}: {said:?}");
        let beside = &said[&format!("say-beside-{n}")];
        assert!(*beside == "one" || (policy == "follow" && *beside == "two"), "step {n}, {policy}: {said:?}");
    }
    assert_eq!(fingerprints(&repo, &run, "main"), if policy == "pinned" { 1 } else { 2 }, "{policy}");
    process.stop().ok();
}

#[test]
fn updates_and_rollbacks_between_steps_are_followed() {
    updates("follow");
}

#[test]
fn updates_and_rollbacks_between_steps_change_nothing_in_a_pinned_run() {
    updates("pinned");
}
