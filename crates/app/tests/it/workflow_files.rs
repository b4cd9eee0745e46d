//! Workflow files: create, show, edit, delete, check; and the history of runs.

use marsh_api::ErrorCode;
use marsh_api::workflow::{EditStatus, ValidationCheck, WorkflowValidation};
use marsh_app::{GraphFormat, RunSearch, TriggerChange, workflow_schemas};

use crate::support::{Repository, code, write};
use crate::workflow::{main_job, run, scene, step, with_approval};

#[test]
fn graph_is_drawn_as_text_and_as_mermaid() {
    let ask = "  - name: ask\n    dependsOn: [{step: a, condition: {type: succeeded}}]\n    task: {type: manual_approval, prompt: p}\n";
    let repository = scene(&main_job(&[step("a", "true", ""), ask.into()]));
    let session = repository.session();
    let graph = |format| session.read().workflow_graph("w", format).unwrap().graph;
    assert_eq!(
        graph(GraphFormat::Text).trim_end(),
        "w\n└─ main\n   ├─ a: sh.execute\n   └─ ask: approval  <- a succeeded"
    );
    assert!(graph(GraphFormat::Mermaid).starts_with("flowchart TD\n"));
}

#[test]
fn schemas_of_workflow_files_cover_every_part() {
    let schemas = workflow_schemas();
    let keys: Vec<&String> = schemas.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["workflow", "job", "jobDependency", "step", "stepDependency", "stepTask", "triggerCondition"]
    );
}

#[test]
fn view_of_a_workflow_names_tasks_and_their_order() {
    let repository = with_approval();
    let view = repository.session().read().workflow("w").unwrap();
    assert_eq!(view.document.path, "workflows/workflow-w.yaml");
    let steps: Vec<_> = view.jobs[0]
        .steps
        .iter()
        .map(|step| (step.name.as_str(), step.task.as_str(), step.after.join(" ")))
        .collect();
    assert_eq!(
        steps,
        [
            ("a", "sh execute", String::new()),
            ("ask", "manual_approval", "a".to_owned()),
            ("b", "sh execute", "ask".to_owned())
        ]
    );
}

#[test]
fn created_workflow_is_found_and_its_name_is_taken() {
    let repository = Repository::new();
    let session = repository.session();
    let created = session.read().create_workflow("nightly").unwrap();
    assert_eq!(created.path, "workflows/workflow-nightly.yaml");
    let (list, warnings) = session.read().search_workflows("NIGHT").unwrap();
    assert_eq!((list.results.len(), warnings.len()), (1, 0));
    assert_eq!(code(session.read().create_workflow("nightly")), ErrorCode::AlreadyExists);
}

#[test]
fn file_that_is_not_a_workflow_is_a_warning_of_the_search() {
    let repository = with_approval();
    repository.write("workflows/workflow-bad.yaml", "jobs: 1\n");
    let (list, warnings) = repository.session().read().search_workflows("").unwrap();
    assert_eq!(list.results.len(), 1);
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(warning.starts_with("skipped workflows/workflow-bad.yaml: "), "{warning}");
}

#[test]
fn edit_stores_the_text_as_it_is_or_nothing() {
    let repository = with_approval();
    let session = repository.session();
    let read = session.read();
    let edit = read.begin_workflow_edit("w").unwrap();
    assert_eq!(edit.name, "w");
    let same = read.finish_workflow_edit(&edit, &edit.text, Some("vi".into())).unwrap();
    assert_eq!((same.status, same.editor.as_deref()), (EditStatus::Unchanged, Some("vi")));
    assert_eq!(code(read.finish_workflow_edit(&edit, "name: [\n", None)), ErrorCode::WorkflowLoadFailed);
    assert_eq!(repository.read("workflows/workflow-w.yaml"), edit.text);
    let text = format!("# mine\n{}", edit.text);
    let edited = read.finish_workflow_edit(&edit, &text, None).unwrap();
    assert_eq!((edited.status, edited.path.as_str()), (EditStatus::Updated, "workflows/workflow-w.yaml"));
    assert_eq!(repository.read("workflows/workflow-w.yaml"), text);
}

#[test]
fn deletion_removes_the_file_and_the_runs() {
    let repository = with_approval();
    let session = repository.session();
    run(&session);
    let deleted = write(&session, |write| write.delete_workflow("w")).unwrap();
    assert_eq!((deleted.workflow_path.as_str(), deleted.runs_deleted), ("workflows/workflow-w.yaml", 1));
    assert_eq!(code(session.read().workflow("w")), ErrorCode::WorkflowNotFound);
    assert_eq!(session.read().search_workflow_runs(&RunSearch::default()).unwrap().total, 0);
}

#[test]
fn log_of_a_run_is_shown_from_its_end() {
    let repository = scene(&main_job(&[step("a", "true", "")]));
    let session = repository.session();
    let id = run(&session).document.id;
    let all = session.read().workflow_run_log("w", None).unwrap();
    assert_eq!((all.run_id.as_str(), all.lines.len()), (id.as_str(), all.total_lines));
    assert!(all.total_lines > 1, "{all:?}");
    let last = session.read().workflow_run_log(&id[..8], Some(1)).unwrap();
    assert_eq!((last.showing_lines, last.total_lines), (1, all.total_lines));
    assert_eq!(last.lines[0], all.lines[all.total_lines - 1]);
}

#[track_caller]
fn failed_check(validation: &WorkflowValidation) -> &ValidationCheck {
    assert!(!validation.passed);
    validation.validations.iter().find(|check| !check.passed).unwrap()
}

/// A workflow `w` with an input `region` and a step `s`.
fn with_region(rest: &str) -> Repository {
    scene(&format!(
        "inputs: {{region: {{type: string}}}}\njobs:\n- name: main\n  steps:\n  - name: s\n{rest}"
    ))
}

#[test]
fn invalid_expression_is_located_in_the_file() {
    let repository = with_region(
        "    guard: inputs.regoin == 'eu'
    task:
      type: model_method
      modelIdOrName: sh
      methodName: execute
      inputs:
        env:
          WHERE: \"at ${{ inputs.region.trimm() }}\"
",
    );
    let session = repository.session();
    let validation = session.read().validate_workflow("w").unwrap();
    let wrong = failed_check(&validation);
    let at = wrong.position.as_ref().unwrap();
    assert_eq!(
        (wrong.name.as_str(), at.file.as_str(), at.line, at.column),
        ("main/s", "workflows/workflow-w.yaml", 15, Some(26))
    );
}

#[test]
fn failure_of_a_run_is_located_in_the_file() {
    let repository = with_region("    task: {type: assert, expr: inputs.region == 'eu', message: m}\n");
    let document = run(&repository.session()).document;
    assert_eq!(
        document.failure_reason.as_deref(),
        Some(
            "workflows/workflow-w.yaml:8:32: expr: cannot evaluate `${{ inputs.region == 'eu' }}`: `inputs` has no key `region`"
        )
    );
}

#[test]
fn invalid_schedule_fails_the_validation() {
    let scheduled = |schedule: &str| {
        format!(
            "trigger:\n  schedule: '{schedule}'\n  inputs: {{a: '${{{{ webhok.body }}}}'}}\njobs:\n- name: main\n  steps:\n  - name: s\n    task: {{type: assert, expr: 'true', message: m}}\n"
        )
    };
    let repository = scene(&scheduled("0 25 * * *"));
    let validation = repository.session().read().validate_workflow("w").unwrap();
    let wrong = failed_check(&validation);
    assert_eq!((wrong.name.as_str(), wrong.position.as_ref().map(|at| at.line)), ("trigger", Some(4)));
    assert!(wrong.error.as_ref().unwrap().contains("five fields"), "{wrong:?}");

    let repository = scene(&scheduled("0 3 * * MON"));
    let all = repository.session().read().validate_workflows().unwrap();
    assert!(all.passed, "{all:?}");
    let warning = all.workflows[0].validations.iter().find_map(|check| check.warning.as_ref());
    assert!(warning.unwrap().contains("did you mean `webhook`?"), "{all:?}");
}

#[test]
fn schedule_in_the_servers_settings_replaces_that_of_the_workflow() {
    let repository = scene(&format!(
        "trigger: {{schedule: '0 1 * * *', inputs: {{region: eu, size: '1'}}}}\n{}",
        main_job(&[step("a", "true", "")])
    ));
    let session = repository.session();
    let read = session.read();
    repository.write(".swamp/serve.yaml", "# ours\nport: 9090\n");
    let inputs = serde_json::json!({ "region": "us" }).as_object().unwrap().clone();
    let change = |workflow: &str, schedule: &str| TriggerChange {
        workflow: workflow.into(),
        schedule: schedule.into(),
        inputs: inputs.clone(),
    };
    let set = read.set_trigger(&change("w", "0 3 * * *")).unwrap();
    assert_eq!(set.entry.schedule.as_deref(), Some("0 3 * * *"));
    let shown = serde_json::to_value(read.trigger("w").unwrap()).unwrap();
    let expected = serde_json::json!({
        "workflowName": "w",
        "builtIn": {"schedule": "0 1 * * *", "inputs": {"region": "eu", "size": "1"}},
        "override": {"schedule": "0 3 * * *", "inputs": {"region": "us"}},
        "effective": {"schedule": "0 3 * * *", "inputs": {"region": "us", "size": "1"}},
    });
    assert_eq!(shown, expected);
    // A schedule needs no workflow yet, and has to be one.
    read.set_trigger(&change("later", "0 4 * * *")).unwrap();
    assert_eq!(code(read.set_trigger(&change("w", "soon"))), ErrorCode::InvalidSchedule);
    assert_eq!(read.trigger("later").unwrap().built_in, None);
    for workflow in ["w", "later"] {
        assert_eq!(read.remove_trigger(workflow).unwrap().workflow_name, workflow);
        assert_eq!(code(read.remove_trigger(workflow)), ErrorCode::NotFound);
    }
    assert_eq!(repository.read(".swamp/serve.yaml"), "# ours\nport: 9090\n");
    let none = read.trigger("nothing").unwrap();
    assert_eq!((none.built_in, none.overriding, none.effective.schedule), (None, None, None));
}
