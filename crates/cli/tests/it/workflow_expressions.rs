//! Where an expression of a workflow is wrong, the command says file, line, column and expression. The documents are tested in
//! `crates/app/tests/it/workflow_files.rs`.

use insta::assert_snapshot;
use marsh_testkit::Scratch;

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
