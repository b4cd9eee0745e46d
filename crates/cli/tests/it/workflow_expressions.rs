//! Where an expression of a workflow is wrong, the command says file, line, column and expression.

use insta::assert_snapshot;
use marsh_testkit::Scratch;
use serde_json::json;

use crate::support::repo;

fn scene(rest: &str) -> Scratch {
    let repo = repo();
    repo.write(
        "models/command/shell/sh.yaml",
        "type: command/shell\nid: 0a6d3c52-8f6e-4c0e-9d9f-000000000001\nname: sh\nmethods: {execute: {arguments: {run: 'true'}}}\n",
    );
    repo.write(
        "workflows/workflow-w.yaml",
        format!(
            "id: 5f0c8b7e-1111-4222-8333-444455556666\nname: w\ninputs: {{region: {{type: string}}}}\njobs:\n- name: main\n  steps:\n  - name: s\n{rest}"
        ),
    );
    repo
}

const WRONG: &str = "    guard: inputs.regoin == 'eu'
    task:
      type: model_method
      modelIdOrName: sh
      methodName: execute
      inputs:
        env:
          WHERE: \"at ${{ inputs.region.trimm() }}\"
";

#[test]
fn validate_points_at_every_expression_that_is_wrong() {
    let repo = scene(WRONG);
    assert_snapshot!(repo.marsh(&["workflow", "validate", "w"]).exits(1).snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----
    failed w
           warning: guard: `inputs.regoin == 'eu'` names no input that the workflow declares; did you mean `region`?
            --> workflows/workflow-w.yaml:8:19
             |
           8 |     guard: inputs.regoin == 'eu'
             |                   ^
           main/s: inputs.env.WHERE: cannot evaluate `${{ inputs.region.trimm() }}`: unknown function `trimm`; did you mean `trim`?
             --> workflows/workflow-w.yaml:15:26
              |
           15 |           WHERE: "at ${{ inputs.region.trimm() }}"
              |                          ^
    ----- stderr -----
    "#);
    let document = repo.marsh(&["--json", "workflow", "validate", "w"]).exits(1).json();
    let validations = document["validations"].as_array().unwrap();
    let wrong = validations.iter().find(|item| item["passed"] == false).unwrap();
    assert_eq!(
        (&wrong["name"], &wrong["file"], &wrong["line"], &wrong["column"]),
        (&json!("main/s"), &json!("workflows/workflow-w.yaml"), &json!(15), &json!(26))
    );
}

#[test]
fn run_refuses_it_before_anything_runs() {
    let repo = scene(WRONG);
    assert_snapshot!(repo.marsh(&["workflow", "run", "w"]).exits(1).snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: invalid workflow `w`: line 15, column 26: inputs.env.WHERE: cannot evaluate `${{ inputs.region.trimm() }}`: unknown function `trimm`; did you mean `trim`?
      --> [repo]/workflows/workflow-w.yaml:15:26
       |
    15 |           WHERE: "at ${{ inputs.region.trimm() }}"
       |                          ^
    "#);
    assert_eq!(repo.marsh(&["--json", "workflow", "history", "search"]).ok().json()["total"], 0);
}

#[test]
fn what_fails_as_it_runs_is_pointed_at_too() {
    let repo = scene("    task: {type: assert, expr: inputs.region == 'eu', message: m}\n");
    let run = repo.marsh(&["--json", "workflow", "run", "w"]).exits(1).json();
    assert_eq!(
        run["failureReason"],
        "workflows/workflow-w.yaml:8:32: expr: cannot evaluate `${{ inputs.region == 'eu' }}`: `inputs` has no key `region`"
    );
}

#[test]
fn validate_knows_what_a_schedule_is() {
    let repo = repo();
    let workflow = |schedule: &str| {
        format!(
            "id: 5f0c8b7e-1111-4222-8333-444455556666\nname: w\ntrigger:\n  schedule: '{schedule}'\n  inputs: {{a: '${{{{ webhok.body }}}}'}}\njobs:\n- name: main\n  steps:\n  - name: s\n    task: {{type: assert, expr: 'true', message: m}}\n"
        )
    };
    repo.write("workflows/workflow-w.yaml", workflow("0 25 * * *"));
    let document = repo.marsh(&["--json", "workflow", "validate", "w"]).exits(1).json();
    let validations = document["validations"].as_array().unwrap();
    let wrong = validations.iter().find(|item| item["passed"] == false).unwrap();
    assert_eq!((&wrong["name"], &wrong["line"]), (&json!("trigger"), &json!(4)), "{wrong}");
    assert!(wrong["error"].as_str().unwrap().contains("five fields"), "{wrong}");
    repo.write("workflows/workflow-w.yaml", workflow("0 3 * * MON"));
    let document = repo.marsh(&["--json", "workflow", "validate", "w"]).ok().json();
    let warning =
        document["validations"].as_array().unwrap().iter().find_map(|item| item["warning"].as_str());
    assert!(warning.unwrap().contains("did you mean `webhook`?"), "{document:#}");
}
