//! Reports about runs of workflows: after the run, on demand, and by flags.

use std::collections::BTreeSet;

use marsh_testkit::Scratch;
use serde_json::{Value, json};

use crate::support::{OUTPUTS, method, model, repo};

const ID: &str = "5f0c8b7e-1111-4222-8333-444455556666";

/// Says of each step what it wrote.
const SUMMARY: &str = "
  const lines = [];
  for (const step of context.stepExecutions) {
    const [handle] = step.dataHandles;
    const bytes = handle && await context.dataRepository.getContent(step.modelType, step.modelId, handle.name, handle.version);
    const word = bytes ? JSON.parse(new TextDecoder().decode(bytes)).word : 'nothing';
    lines.push(`${step.jobName}/${step.stepName} ${step.methodName} of ${step.modelName} ${step.status}: ${word}`);
  }
  return { markdown: `# ${context.workflowName} ${context.workflowStatus}\\n${lines.join('\\n')}`, json: { id: context.workflowId, inputs: context.inputs, args: context.stepExecutions[0]?.methodArgs } };";

fn write_report(repo: &Scratch, name: &str, scope: &str, body: &str) {
    let source = format!(
        "export const report = {{ name: '@me/{name}', description: 'About a run', scope: '{scope}', labels: ['short'],\n\
         execute: async (context: any) => {{ {body} }} }};\n"
    );
    repo.write(&format!("extensions/reports/{name}.ts"), source);
}

/// A workflow `w` of one step, with this written in its file, over a type that names these reports.
fn scene(rules: &str, of_type: &str) -> Scratch {
    let repo = repo();
    let body = "if (context.definition.name === 'bad') throw new Error('broken'); await context.writeResource('out', 'said', { word: 'hello' });";
    let members = format!("reports: [{of_type}], {OUTPUTS} {}", method("run", body));
    repo.write("extensions/models/x.ts", model("@me/x", &members));
    write_report(&repo, "sum", "workflow", SUMMARY);
    write_workflow(&repo, rules, "m");
    repo
}

fn write_workflow(repo: &Scratch, rules: &str, on: &str) {
    let step = format!("task: {{type: model_method, modelType: '@me/x', modelName: {on}, methodName: run}}");
    let text = format!(
        "id: {ID}\nname: w\ninputs: {{properties: {{who: {{type: string, default: me}}}}}}\n{rules}jobs:\n- name: main\n  steps:\n  - name: a\n    {step}\n"
    );
    repo.write("workflows/workflow-w.yaml", text);
}

fn run(repo: &Scratch, more: &[&str]) -> Value {
    repo.marsh(&[&["--json", "workflow", "run", "w"], more].concat()).ok().json()
}

const REQUIRED: &str = "reports: {require: ['@me/sum']}\n";

#[test]
fn a_report_follows_a_workflow_and_is_kept() {
    let repo = scene(REQUIRED, "");
    let report = run(&repo, &[])["reports"]["@me/sum"].clone();
    assert_eq!(report["markdown"], "# w succeeded\nmain/a run of m succeeded: hello");
    assert_eq!(report["json"], json!({ "id": ID, "inputs": { "who": "me" }, "args": {} }));
    let got = repo.marsh(&["--json", "report", "get", "@me/sum", "--workflow", "w"]).ok().json();
    assert_eq!((&got["modelName"], &got["scope"]), (&json!("w"), &json!("workflow")), "{got:#}");
    assert_eq!(got["json"], report["json"]);
    let found = repo.marsh(&["--json", "report", "search", "--workflow", "w"]).ok().json();
    let names: BTreeSet<&str> =
        found["results"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    let own = ["@me/sum", "@swamp/verification-attestation", "@swamp/workflow-summary"];
    assert_eq!(names, BTreeSet::from(own));
    let none = repo.marsh(&["--json", "report", "search", "--model", "w"]).ok().json();
    assert_eq!(none["results"], json!([]));
    assert!(repo.marsh(&["workflow", "run", "w"]).ok().stdout.contains("# w succeeded"));
    assert!(!repo.marsh(&["workflow", "validate"]).ok().stdout.contains("do not run"));
    repo.assert_sound();
}

#[test]
fn a_report_tells_of_a_workflow_that_failed() {
    let repo = scene(REQUIRED, "");
    write_workflow(&repo, REQUIRED, "bad");
    let failed = repo.marsh(&["--json", "workflow", "run", "w"]).exits(1).json();
    assert_eq!(failed["reports"]["@me/sum"]["markdown"], "# w failed\nmain/a run of bad failed: nothing");
}

#[test]
fn a_report_that_fails_is_shown_and_fails_no_workflow() {
    let repo = scene(REQUIRED, "'@me/step'");
    write_report(&repo, "sum", "workflow", "throw new Error('no ink');");
    write_report(&repo, "step", "method", "throw new Error('no paper');");
    let ran = repo.marsh(&["--json", "workflow", "run", "w"]).ok();
    let document = ran.json();
    assert_eq!(document["status"], "succeeded");
    let message = document["reports"]["@me/sum"]["error"]["message"].as_str().unwrap();
    assert!(message.contains("no ink"), "{document:#}");
    let told = repo.marsh(&["workflow", "run", "w"]).ok();
    assert!(told.stderr.contains("no ink") && told.stderr.contains("no paper"), "{}", told.snapshot());
    let kept = repo.marsh(&["report", "get", "@me/sum", "--markdown"]).ok().stdout;
    assert!(kept.contains("This report failed") && kept.contains("no ink"), "{kept}");
    // One that is required and is not there is a failure, too.
    write_workflow(&repo, "reports: {require: ['@me/other']}\n", "m");
    assert_eq!(run(&repo, &[])["reports"]["@me/other"]["success"], false);
}

#[test]
fn flags_choose_among_the_reports_that_types_name() {
    let repo = scene("", "'@me/sum', '@me/step'");
    write_report(&repo, "step", "method", "return { markdown: context.methodName, json: {} };");
    let ran = |more: &[&str]| run(&repo, more)["reports"]["@me/sum"]["success"] == true;
    assert!(ran(&[]) && ran(&["--report", "@me/sum"]) && ran(&["--report-label", "short"]));
    // The reports of the steps ran, too.
    assert_eq!(repo.marsh(&["report", "get", "@me/step", "--markdown"]).ok().stdout.trim_end(), "run");
    for skip in [&["--skip-reports"][..], &["--skip-report", "@me/sum"], &["--skip-report-label", "short"]] {
        assert!(!ran(skip), "{skip:?}");
    }
    assert!(!ran(&["--report", "@me/other"]));
    // What the workflow requires runs whatever the flags say; what it skips never does.
    write_workflow(&repo, REQUIRED, "m");
    assert!(ran(&["--skip-reports"]));
    write_workflow(&repo, "reports: {require: ['@me/sum'], skip: ['@me/sum']}\n", "m");
    assert!(!ran(&[]));
}

#[test]
fn a_report_on_a_workflow_runs_on_demand() {
    let repo = scene("", "");
    let never = repo.marsh(&["--json", "report", "run", "@me/sum", "--workflow", "w"]).exits(1).error();
    assert_eq!(never["code"], "run_not_found");
    let id = run(&repo, &[])["id"].as_str().unwrap().to_owned();
    let made = repo.marsh(&["--json", "report", "run", "@me/sum", "--workflow", "w"]).ok().json();
    assert_eq!(made["markdown"], "# w succeeded\nmain/a run of m succeeded: hello");
    repo.marsh(&["report", "run", "@me/sum", "--workflow", "w", "--run", &id[..8]]).ok();
    write_report(&repo, "sum", "model", "return { markdown: 'm', json: {} };");
    let wrong = repo.marsh(&["--json", "report", "run", "@me/sum", "--workflow", "w"]).exits(1).error();
    assert_eq!(wrong["code"], "wrong_scope");
}
