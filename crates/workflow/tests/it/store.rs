//! Workflow files on disk.

use crate::common::{ID, Scratch};
use marsh_types::Explain;
use marsh_workflow::{WorkflowError, Workflows};

const JOBS: &str = "jobs: [{name: main, steps: [{name: s, task: {type: manual_approval, prompt: p}}]}]\n";

fn put(scratch: &Scratch, file: &str, id: &str, name: &str) {
    let text = format!("id: {id}\nname: {name}\n{JOBS}");
    scratch.file(&scratch.dir.path().join("workflows").join(file), &text);
}

fn other_id(last: u8) -> String {
    format!("5f0c8b7e-1111-4222-8333-4444555566{last:02x}")
}

#[test]
fn content_decides_and_name_goes_before_id() {
    let scratch = Scratch::new();
    put(&scratch, "workflow-misleading.yaml", ID, "real");
    // Its name is the other's id.
    put(&scratch, "workflow-x.yaml", &other_id(1), ID);
    put(&scratch, "other.yaml", &other_id(2), "unseen");
    let workflows = scratch.workflows();
    let store = workflows.store();
    assert_eq!(store.find("real").unwrap().workflow().id, ID);
    assert_eq!(store.find(ID).unwrap().workflow().id, other_id(1));
    assert_eq!(store.find(&other_id(1)).unwrap().workflow().name, ID);
    for name in ["misleading", "unseen", "../models/x", ""] {
        let error = store.find(name).unwrap_err();
        assert!(matches!(error, WorkflowError::NotFound { .. }), "{name}: {error}");
    }
    let error = store.find("reel").unwrap_err();
    assert_eq!(
        (error.code().as_str(), error.hint().as_deref()),
        ("workflow_not_found", Some("did you mean `real`?"))
    );
}

#[test]
fn invalid_file_is_reported_when_named_and_listed_apart() {
    let scratch = Scratch::new();
    put(&scratch, "workflow-good.yaml", ID, "good");
    scratch.file(&scratch.dir.path().join("workflows/workflow-bad.yaml"), "id: ../x\nname: bad\njobz: []\n");
    let workflows = scratch.workflows();
    let error = workflows.store().find("bad").unwrap_err();
    assert_eq!(error.code().as_str(), "workflow_load_failed");
    let details = error.details().unwrap();
    assert_eq!(
        (details["file"].as_str(), details["line"].as_u64()),
        (Some("workflows/workflow-bad.yaml"), Some(1))
    );
    assert!(workflows.store().find("good").is_ok());
    let listing = workflows.store().list().unwrap();
    assert_eq!(listing.workflows.len(), 1);
    assert_eq!(listing.broken.len(), 1);
    assert_eq!(listing.broken[0].problems.len(), 3);
}

#[test]
fn create_makes_one_and_never_writes_over_another() {
    let scratch = Scratch::new();
    let workflows = scratch.workflows();
    let created = workflows.store().create("nightly").unwrap();
    assert!(created.path.ends_with("workflows/workflow-nightly.yaml"));
    let shown = serde_json::to_value(&created.workflow().jobs[0]).unwrap();
    assert_eq!(shown["name"], "main");
    assert_eq!(shown["steps"][0]["name"], "example");
    assert_eq!(shown["steps"][0]["task"]["modelIdOrName"], "example-model");
    assert_eq!(shown["steps"][0]["task"]["methodName"], "run");
    assert_eq!(workflows.store().create("nightly").unwrap_err().code().as_str(), "already_exists");
    scratch.file(&scratch.dir.path().join("workflows/workflow-broken.yaml"), "nonsense");
    assert_eq!(workflows.store().create("broken").unwrap_err().code().as_str(), "workflow_load_failed");
    assert_eq!(scratch.read("workflows/workflow-broken.yaml"), "nonsense");
    for name in ["", "Nightly", "a_b", "../x"] {
        assert_eq!(workflows.store().create(name).unwrap_err().code().as_str(), "invalid_name", "{name}");
    }
}

fn edit(workflows: &Workflows<'_>, from: &str, text: &str) -> Result<std::path::PathBuf, WorkflowError> {
    let stored = workflows.store().find(from).unwrap();
    workflows.store().save_text(&stored, text).map(|stored| stored.path)
}

#[test]
fn an_edit_keeps_the_text_and_the_id() {
    let scratch = Scratch::new();
    put(&scratch, "workflow-a.yaml", ID, "a");
    put(&scratch, "workflow-b.yaml", &other_id(1), "b");
    let workflows = scratch.workflows();
    let text = format!("# mine\nid: {ID}\nname:   a\n{JOBS}");
    edit(&workflows, "a", &text).unwrap();
    assert_eq!(scratch.read("workflows/workflow-a.yaml"), text);

    let cases = [
        (format!("id: {}\nname: a\n{JOBS}", other_id(9)), "validation_failed"),
        (format!("id: {ID}\nname: a\n"), "workflow_load_failed"),
        (format!("id: {ID}\nname: b\n{JOBS}"), "already_exists"),
    ];
    for (edited, code) in cases {
        assert_eq!(edit(&workflows, "a", &edited).unwrap_err().code().as_str(), code, "{edited}");
        assert_eq!(scratch.read("workflows/workflow-a.yaml"), text);
    }
    let path = edit(&workflows, "a", &format!("id: {ID}\nname: c\n{JOBS}")).unwrap();
    assert!(path.ends_with("workflow-c.yaml"));
    assert!(!scratch.exists("workflows/workflow-a.yaml"));
}

#[test]
fn delete_takes_the_runs_along() {
    let scratch = Scratch::new();
    scratch.shell("ok", "true").workflow(&format!(
        "jobs:\n{}",
        crate::common::job("main", "", &[crate::common::step("s", "ok", "")])
    ));
    scratch.run(serde_json::Value::Null).unwrap();
    scratch.run(serde_json::Value::Null).unwrap();
    let workflows = scratch.workflows();
    let stored = workflows.store().find("w").unwrap();
    // A copy with the same id owns the runs as well.
    put(&scratch, "workflow-copy.yaml", ID, "copy");
    assert_eq!(workflows.store().delete(&stored).unwrap().runs, 0);
    assert_eq!(workflows.runs(Some("copy")).unwrap().len(), 2);
    let copy = workflows.store().find("copy").unwrap();
    assert_eq!(workflows.store().delete(&copy).unwrap().runs, 2);
    assert!(workflows.runs(None).unwrap().is_empty());
    assert!(!scratch.exists(&format!(".swamp/workflow-runs/{ID}")));
    assert!(workflows.store().list().unwrap().workflows.is_empty());
}

#[test]
fn workflows_of_extensions_are_found_and_not_changed() {
    let scratch = Scratch::new();
    scratch.shell("ok", "true");
    let text = |name: &str, id: u32| {
        format!(
            "id: 5f0c8b7e-1111-4222-8333-{id:012x}\nname: {name}\njobs:\n{}",
            crate::common::job("main", "", &[crate::common::step("s", "ok", "")])
        )
    };
    let dir = scratch.dir.path();
    scratch.file(&dir.join("extensions/workflows/deep/local.yaml"), &text("of-local", 1));
    scratch.file(&dir.join(".swamp/pulled-extensions/@me/x/workflows/pulled.yaml"), &text("of-pulled", 2));
    scratch.file(&dir.join("extensions/workflows/same.yaml"), &text("mine", 3));
    scratch.file(&dir.join("workflows/workflow-mine.yaml"), &text("mine", 4));
    let workflows = scratch.workflows();
    let store = workflows.store();
    let names: Vec<String> =
        store.list().unwrap().workflows.iter().map(|stored| stored.workflow().name.clone()).collect();
    assert_eq!(names, ["mine", "mine", "of-local", "of-pulled"]);
    assert!(store.find("mine").unwrap().workflow().id.ends_with('4'), "the user's own comes first");
    let supplied = store.find("of-pulled").unwrap();
    assert_eq!(store.save_text(&supplied, &supplied.text).unwrap_err().code().as_str(), "read_only");
    assert_eq!(store.delete(&supplied).unwrap_err().code().as_str(), "read_only");
    let cancel = marsh_host_client::CancelToken::new();
    let mut request = crate::common::request(serde_json::Value::Null, &cancel);
    request.name_or_id = "of-pulled";
    let outcome = workflows.run(&request, &marsh_api::event::NoEvents).unwrap();
    assert_eq!(outcome.status, marsh_workflow::RunStatus::Succeeded);
}

#[test]
fn workflow_in_two_places_is_listed_once_and_its_runs_stay_with_the_copy() {
    let scratch = Scratch::new();
    let text = format!("id: {ID}\nname: w\n{JOBS}");
    for path in ["extensions/workflows/w.yaml", "workflows/workflow-copy.yaml", "workflows/workflow-w.yaml"] {
        scratch.file(&scratch.dir.path().join(path), &text);
    }
    // Another name: another workflow.
    put(&scratch, "workflow-v.yaml", ID, "v");
    let workflows = scratch.workflows();
    let store = workflows.store();
    let listed = || -> Vec<String> {
        let found = store.list().unwrap().workflows;
        found.iter().map(|stored| stored.path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(), ["workflow-v.yaml", "workflow-w.yaml"]);
    scratch.file(&scratch.dir.path().join(format!(".swamp/workflow-runs/{ID}/x.yaml")), "id: x\n");
    store.delete(&store.find("w").unwrap()).unwrap();
    assert_eq!(listed(), ["workflow-v.yaml", "workflow-copy.yaml"].map(|name| name.to_owned()));
    assert!(scratch.exists(&format!(".swamp/workflow-runs/{ID}/x.yaml")));
}

#[test]
fn details_and_records_have_the_names_that_scripts_read() {
    let scratch = Scratch::new();
    scratch.shell("say", "true").workflow(
        "jobs:\n- name: main\n  steps:\n  - {name: a, task: {type: model_method, modelIdOrName: say, methodName: execute}}\n  \
         - name: b\n    dependsOn: [{step: a, condition: {type: succeeded}}]\n    \
         task: {type: assert, expr: 'true', message: m}\n",
    );
    let workflows = scratch.workflows();
    let details = workflows.store().find("w").unwrap().details("w.yaml".into());
    let details = serde_json::to_value(details.unwrap()).unwrap();
    let steps = &details["jobs"][0]["steps"];
    assert_eq!(details["jobs"][0]["dependsOn"], serde_json::json!([]));
    assert_eq!(steps[0]["task"]["modelIdOrName"], "say");
    assert_eq!(steps[0]["task"]["type"], "model_method");
    assert_eq!(
        steps[1]["dependsOn"],
        serde_json::json!([{ "step": "a", "condition": { "type": "succeeded" } }])
    );
    let outcome = scratch.run(serde_json::json!({})).unwrap();
    let record = serde_json::to_value(outcome.record.document()).unwrap();
    assert_eq!((&record["jobs"][0]["name"], &record["jobs"][0]["jobName"]), (&"main".into(), &"main".into()));
    assert_eq!(record["jobs"][0]["steps"][0]["name"], "a");
    for length in
        [&record["duration"], &record["jobs"][0]["duration"], &record["jobs"][0]["steps"][0]["duration"]]
    {
        assert!(length.is_u64(), "{record:#}");
    }
}
