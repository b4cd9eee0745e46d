//! What a workflow run wrote, and what a method run wrote.

use marsh_api::ErrorCode;
use marsh_api::workflow::WorkflowDataList;
use marsh_app::{Session, WorkflowDataRequest};
use marsh_types::Explain as _;
use serde_json::json;

use crate::support::{Repository, code};
use crate::workflow::{main_job, run, scene, step};

/// Steps `a` and `b` on one model, and `c` on another, after one run of them.
fn ran() -> (Repository, Session) {
    let other = step("c", "echo c", "b").replace("modelIdOrName: sh", "modelIdOrName: other");
    let repository = scene(&main_job(&[step("a", "echo a", ""), step("b", "echo b", "a"), other]));
    let text = repository.read("models/command/shell/sh.yaml");
    let text = text.replace("name: sh\n", "name: other\n").replace("000000000001", "000000000002");
    repository.write("models/command/shell/other.yaml", text);
    let session = repository.session();
    run(&session);
    (repository, session)
}

fn of(workflow: Option<&str>, run: Option<&str>) -> WorkflowDataRequest {
    WorkflowDataRequest { workflow: workflow.map(str::to_owned), run: run.map(str::to_owned) }
}

/// Name, version, model and step of all data, by kind.
fn rows(list: &WorkflowDataList, kind: &str) -> Vec<String> {
    let group = list.groups.iter().find(|group| group.kind == kind);
    let items = group.into_iter().flat_map(|group| &group.items);
    items
        .map(|found| {
            let step = found.step_name.as_deref().unwrap_or("-");
            format!("{}@{} {} {step}", found.item.name, found.item.version, found.model_name)
        })
        .collect()
}

#[test]
fn list_of_a_workflow_names_what_its_last_run_wrote() {
    let (_repository, session) = ran();
    let first = session.read().list_workflow_data(&of(Some("w"), None), None).unwrap();
    assert_eq!(rows(&first, "resource"), ["result@1 sh a", "result@2 sh b", "result@1 other c"]);
    run(&session);
    let last = session.read().list_workflow_data(&of(Some("w"), None), None).unwrap();
    assert_eq!(rows(&last, "resource"), ["result@3 sh a", "result@4 sh b", "result@2 other c"]);
    let again = session.read().list_workflow_data(&of(None, Some(&first.run_id)), None).unwrap();
    assert_eq!(rows(&again, "resource"), rows(&first, "resource"));
    let prefix = &first.run_id[..13];
    assert_eq!(session.read().list_workflow_data(&of(Some("w"), Some(prefix)), None).unwrap(), again);
    assert_eq!(session.read().list_workflow_data(&of(Some("w"), None), Some("none")).unwrap().total, 0);
}

#[test]
fn get_of_a_workflow_finds_the_version_of_that_run() {
    let (_repository, session) = ran();
    let first = session.read().list_workflow_data(&of(Some("w"), None), None).unwrap().run_id;
    run(&session);
    let read = session.read();
    let get = |run: Option<&str>, model: Option<&str>, version: Option<u32>| {
        read.get_workflow_data(&of(Some("w"), run), model, "result", version, true)
    };
    let (data, warning) = get(None, None, None).unwrap();
    assert_eq!((data.version, data.owner_definition.step_name.as_deref()), (3, Some("a")));
    let expected =
        "this is the `result` of `sh`; `other` (step `c`) wrote one too: choose with --model".to_owned();
    assert_eq!(warning, Some(expected));
    let (data, warning) = get(Some(&first), Some("other"), None).unwrap();
    assert_eq!((data.version, data.model_name.as_str(), warning), (1, "other", None));
    assert_eq!(get(None, None, Some(4)).unwrap().0.version, 4);
    assert_eq!(code(get(None, None, Some(1))), ErrorCode::NotFound, "the run before wrote it");
    let typo = read.get_workflow_data(&of(Some("w"), None), None, "resutl", None, true).unwrap_err(); // spelling: on purpose
    assert_eq!(typo.hint().as_deref(), Some("did you mean `result`?"));
}

#[test]
fn run_of_another_workflow_is_not_found() {
    let (repository, session) = ran();
    let run_id = session.read().list_workflow_data(&of(Some("w"), None), None).unwrap().run_id;
    let text = repository.read("workflows/workflow-w.yaml").replace("name: w\n", "name: v\n");
    repository.write("workflows/workflow-v.yaml", text.replace("444455556666", "444455557777"));
    let list =
        |workflow: &str, run: Option<&str>| session.read().list_workflow_data(&of(Some(workflow), run), None);
    let error = list("v", Some(&run_id)).unwrap_err();
    assert_eq!(error.to_string(), format!("`v` has no run `{run_id}`: that is a run of `w`"));
    assert!(list("v", None).is_err(), "it never ran");
    assert_eq!(code(list("nothing", None)), code(session.read().workflow("nothing")));
}

#[test]
fn output_data_is_the_content_or_one_field_of_it() {
    let (_repository, session) = ran();
    let read = session.read();
    let data = read.output_data("other", None, None).unwrap();
    assert_eq!((data.data_name.as_str(), data.version, data.field), ("result", 1, None));
    assert_eq!(data.data["stdout"], "c");
    let by_id = read.output_data(&data.output_id[..13], Some("result"), Some("stdout")).unwrap();
    assert_eq!((by_id.data, by_id.field.as_deref()), (json!("c"), Some("stdout")));
    let error = read.output_data("other", None, Some("stdotu")).unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("did you mean `stdout`?"));
    let error = read.output_data("other", Some("resutl"), None).unwrap_err(); // spelling: on purpose
    assert_eq!(error.hint().as_deref(), Some("did you mean `result`?"));
    assert_eq!(code(read.output_data("nothing", None, None)), ErrorCode::NotFound);
}
