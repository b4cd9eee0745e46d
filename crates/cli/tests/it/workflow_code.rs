//! Which code a step of a workflow runs: the newest as it starts (`follow`), or what the run started with (`pinned`).

use marsh_testkit::Scratch;
use serde_json::Value;

use crate::support::{OUTPUTS, method, model, repo};

const SOURCE: &str = "extensions/models/x.ts";

/// Version `n` of a model that stores its own number.
fn version(n: usize) -> String {
    let body = format!("await context.writeResource('out', 'said', {{ n: {n} }});");
    model("@me/x", &format!("{OUTPUTS} {}", method("run", &body)))
}

fn after(steps: &[String]) -> String {
    let entries: Vec<String> =
        steps.iter().map(|step| format!("{{step: {step}, condition: {{type: succeeded}}}}")).collect();
    format!("    dependsOn: [{}]\n", entries.join(", "))
}

/// Puts the next version in place of the source, by a rename as editors do.
fn edit(n: usize, depends: &[String]) -> String {
    format!(
        "  - name: edit{n}\n{}    task: {{type: model_method, modelType: command/shell, modelName: edit, methodName: execute, inputs: {{run: 'cp versions/{n}.ts versions/next && mv versions/next {SOURCE}'}}}}\n",
        after(depends)
    )
}

fn say(name: &str, depends: &[String], rest: &str) -> String {
    format!(
        "  - name: {name}\n{}{rest}    task: {{type: model_method, modelType: '@me/x', modelName: m-{name}, methodName: run}}\n",
        after(depends)
    )
}

fn scene(versions: usize, workflow: &str) -> Scratch {
    let repo = repo();
    for n in 0..=versions {
        repo.write(&format!("versions/{n}.ts"), version(n));
    }
    repo.write(SOURCE, version(0));
    repo.write(
        "workflows/workflow-w.yaml",
        format!("id: 5f0c8b7e-1111-4222-8333-444455556666\nname: w\n{workflow}"),
    );
    repo
}

/// What each step called `say…` stored, and the code that the record says it ran.
fn said(document: &Value) -> Vec<(String, u64)> {
    let jobs = document["jobs"].as_array().unwrap().iter();
    let steps = jobs.flat_map(|job| job["steps"].as_array().unwrap());
    let said = steps.filter(|step| step["name"].as_str().unwrap().starts_with("say")).map(|step| {
        let n = step["dataArtifacts"][0]["attributes"]["n"].as_u64();
        (step["name"].as_str().unwrap().to_owned(), n.unwrap_or_else(|| panic!("{step}")))
    });
    said.collect()
}

fn fingerprints(repo: &Scratch, run: &str) -> Vec<String> {
    let record = repo.marsh(&["--json", "workflow", "history", "get", run]).ok().json();
    let jobs = record["jobs"].as_array().unwrap().clone();
    let steps = jobs.iter().flat_map(|job| job["steps"].as_array().unwrap());
    let said = steps.filter(|step| step["stepName"].as_str().unwrap().starts_with("say")).map(|step| {
        let code = &step["code"];
        assert_eq!(
            (code["type"].as_str(), code["typeVersion"].as_str()),
            (Some("@me/x"), Some("2026.01.01.1"))
        );
        assert!(code["sha256"].as_str().is_some_and(|digest| digest.len() == 64), "{code}");
        code["fingerprint"].as_str().unwrap().to_owned()
    });
    said.collect()
}

/// Twenty steps that run the model, an edit before each, in two jobs side by side that take turns by files.
fn twenty(policy: &str, each: &str) -> String {
    let mut steps = String::new();
    let mut last: Vec<String> = Vec::new();
    for n in 1..=20 {
        steps.push_str(&edit(n, &last));
        steps.push_str(&say(&format!("say{n}"), &[format!("edit{n}")], each));
        last = vec![format!("say{n}")];
    }
    format!(
        "{policy}jobs:\n- name: main\n  steps:\n{steps}- name: beside\n  steps:\n{}",
        say("say-beside", &[], "")
    )
}

#[test]
fn twenty_edits_are_followed_by_twenty_steps() {
    let repo = scene(20, &twenty("", ""));
    let document = repo.marsh(&["--json", "workflow", "run", "w"]).ok().json();
    for n in 1..=20 {
        let name = format!("say{n}");
        let found = said(&document).into_iter().find(|(step, _)| *step == name).unwrap();
        assert_eq!(found.1, n, "{name}");
    }
    let mut fingerprints = fingerprints(&repo, document["id"].as_str().unwrap());
    fingerprints.truncate(20);
    fingerprints.sort();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 20);
}

#[test]
fn twenty_edits_change_nothing_in_a_pinned_run() {
    let repo = scene(20, &twenty("code: pinned\n", ""));
    let document = repo.marsh(&["--json", "workflow", "run", "w"]).ok().json();
    let found = said(&document);
    assert_eq!(found.len(), 21);
    assert!(found.iter().all(|(_, n)| *n == 0), "{found:?}");
    let mut fingerprints = fingerprints(&repo, document["id"].as_str().unwrap());
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 1);
    // The next run starts with the current code.
    let next = repo.marsh(&["--json", "workflow", "run", "w"]).ok().json();
    assert!(said(&next).iter().all(|(_, n)| *n == 20), "{next}");
}

#[test]
fn a_step_may_be_pinned_alone() {
    let steps = [
        say("say-first", &[], ""),
        edit(1, &["say-first".into()]),
        say("say-pinned", &["edit1".into()], "    code: pinned\n"),
        say("say-follow", &["edit1".into()], ""),
    ];
    let repo = scene(1, &format!("jobs:\n- name: main\n  steps:\n{}", steps.concat()));
    let document = repo.marsh(&["--json", "workflow", "run", "w"]).ok().json();
    let expected = [("say-first", 0), ("say-pinned", 0), ("say-follow", 1)];
    assert_eq!(said(&document), expected.map(|(name, n)| (name.to_owned(), n)));
}

#[test]
fn pins_outlast_a_suspension_even_when_the_source_is_gone() {
    let steps = [
        say("say-before", &[], ""),
        "  - name: ask\n    dependsOn: [{step: say-before, condition: {type: succeeded}}]\n    task: {type: manual_approval, prompt: p}\n".to_owned(),
        say("say-after", &["ask".into()], ""),
    ];
    for (policy, expected) in [("code: pinned\n", Some(0)), ("", Some(1)), ("code: pinned\n", None)] {
        let repo = scene(1, &format!("{policy}jobs:\n- name: main\n  steps:\n{}", steps.concat()));
        repo.marsh(&["workflow", "run", "w"]).ok();
        match expected {
            Some(_) => drop(repo.write(SOURCE, version(1))),
            None => repo.remove(SOURCE),
        }
        repo.marsh(&["workflow", "approve", "w", "ask"]).ok();
        let document = repo.marsh(&["--json", "workflow", "resume", "w"]).ok().json();
        let found = said_after(&document);
        assert_eq!(found, expected.unwrap_or(0), "{policy}{document}");
    }
}

fn said_after(document: &Value) -> u64 {
    let steps = document["jobs"][0]["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == "say-after").unwrap();
    step["dataArtifacts"][0]["attributes"]["n"].as_u64().unwrap()
}
