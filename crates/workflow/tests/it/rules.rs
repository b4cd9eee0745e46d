//! The rules of workflows, each as a small file with the record that its run must leave.
//!
//! The record is written as `job status` and below it `step status …`: skip reason, `allowed`, tries, error.

use crate::common::{ID, Scratch};
use marsh_workflow::RunRecord;
use serde_json::{Value, json};

/// `- name: <name>` with a task that runs a definition.
fn run(name: &str, model: &str) -> String {
    format!(
        "  - name: {name}\n    task: {{type: model_method, modelIdOrName: {model}, methodName: execute}}\n"
    )
}

fn after(step: &str, condition: &str) -> String {
    format!("    dependsOn: [{{step: {step}, condition: {{type: {condition}}}}}]\n")
}

fn assert(name: &str, expr: &str, rest: &str) -> String {
    format!(
        "  - name: {name}\n    task: {{type: assert, expr: \"{expr}\", message: 'not ${{{{ inputs.n }}}}'{rest}}}\n"
    )
}

fn job(name: &str, steps: &[String]) -> String {
    format!("- name: {name}\n  steps:\n{}", steps.concat())
}

pub fn shape(record: &RunRecord) -> String {
    let mut text = format!("{}\n", record.status.as_str());
    for job in &record.jobs {
        text.push_str(&format!("{} {}\n", job.job_name, job.status.as_str()));
        for step in &job.steps {
            text.push_str(&format!("  {} {}", step.step_name, step.status.as_str()));
            if let Some(reason) = step.skip_reason {
                text.push_str(&format!(" {}", reason.as_str()));
            }
            if step.allowed_failure == Some(true) {
                text.push_str(" allowed");
            }
            if let Some(attempts) = step.attempts {
                text.push_str(&format!(" x{attempts}"));
            }
            if let Some(error) = &step.error {
                text.push_str(&format!(": {error}"));
            }
            text.push('\n');
        }
    }
    text
}

/// What a step that failed says of its command.
const EXIT_1: &str = "command exited with code 1";

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.shell("ok", "true").shell("bad", "exit 1").shell("slow", "sleep 300");
    scratch.shell("echo", "echo ${{ inputs.word }}");
    let at = scratch.dir.path().display().to_string();
    // Fails until its file has two lines.
    scratch.shell("third", &format!("echo x >> '{at}/tries'; test $(wc -l < '{at}/tries') -ge 3"));
    scratch
}

fn check(name: &str, inputs: Value, rest: &str, expected: &str) {
    let scratch = scratch();
    scratch.workflow(rest);
    let outcome = scratch.run(inputs).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(shape(&outcome.record), expected, "{name}\n{rest}");
    // What is on disk is what was returned, and the journal tells the same.
    let stored = scratch.workflows().run_record(&outcome.record.id).unwrap();
    assert_eq!(stored.record, outcome.record, "{name}");
    let path = format!(".swamp/workflow-runs/{ID}/workflow-run-{}.journal", outcome.record.id);
    assert!(scratch.read(&path).ends_with('\n'));
}

#[test]
fn conditions_and_failures() {
    for (name, steps, expected) in [
        (
            "4.1 conditions",
            vec![
                run("a", "ok"),
                run("b", "ok") + &after("a", "succeeded"),
                run("c", "ok") + &after("a", "failed"),
            ],
            "succeeded\nmain succeeded\n  a succeeded\n  b succeeded\n  c skipped dependency\n".to_owned(),
        ),
        (
            "4.4 a failure stops only what asked for success, and handlers run",
            vec![
                run("a", "bad"),
                run("next", "ok") + &after("a", "succeeded"),
                run("handler", "ok") + &after("a", "failed"),
                run("always", "ok") + &after("a", "always"),
                run("other", "ok"),
            ],
            format!(
                "failed\nmain failed\n  a failed: {EXIT_1}\n  next skipped dependency\n  handler succeeded\n  always succeeded\n  other succeeded\n"
            ),
        ),
        (
            "4.4 allowFailure",
            vec![run("a", "bad") + "    allowFailure: true\n", run("b", "ok") + &after("a", "completed")],
            format!("succeeded\nmain succeeded\n  a failed allowed: {EXIT_1}\n  b succeeded\n"),
        ),
    ] {
        check(name, Value::Null, &format!("jobs:\n{}", job("main", &steps)), &expected);
    }
}

#[test]
fn guards() {
    for (name, guard, expected) in [
        ("truthy skips", "${{ inputs.n }}", "succeeded\nmain succeeded\n  s skipped guarded\n"),
        ("falsy runs", "${{ inputs.zero }}", "succeeded\nmain succeeded\n  s succeeded\n"),
        (
            "an error fails, whatever is allowed",
            "${{ inputs.none }}",
            "failed\nmain failed\n  s failed: workflows/workflow-w.yaml:8:16: guard: cannot evaluate `${{ inputs.none }}`: `inputs` has no key `none`; did you mean `n`?\n",
        ),
    ] {
        let step = run("s", "ok") + &format!("    guard: {guard}\n");
        let rest = format!("jobs:\n{}", job("main", &[step]));
        check(name, json!({"n": 3, "zero": 0}), &rest, expected);
    }
}

#[test]
fn asserts() {
    let inputs = || json!({"n": 3, "zero": 0});
    let rest = |steps: &[String]| format!("jobs:\n{}", job("main", steps));
    check(
        "holds",
        inputs(),
        &rest(&[assert("a", "inputs.n", "")]),
        "succeeded\nmain succeeded\n  a succeeded\n",
    );
    check(
        "an expression",
        inputs(),
        &rest(&[assert("a", "inputs.n > 2 && inputs.zero == 0", "")]),
        "succeeded\nmain succeeded\n  a succeeded\n",
    );
    check(
        "fails",
        inputs(),
        &rest(&[assert("a", "inputs.zero", "")]),
        "failed\nmain failed\n  a failed: assert failed: not 3\n",
    );
    check(
        "may fail",
        inputs(),
        &rest(&[assert("a", "inputs.zero", "") + "    allowFailure: true\n"]),
        "succeeded\nmain succeeded\n  a failed allowed: assert failed: not 3\n",
    );
    check(
        "an error fails, whatever is allowed",
        inputs(),
        &rest(&[assert("a", "inputs.none", ", severity: low") + "    allowFailure: true\n"]),
        "failed\nmain failed\n  a failed: workflows/workflow-w.yaml:7:33: expr: cannot evaluate `${{ inputs.none }}`: `inputs` has no key `none`; did you mean `n`?\n",
    );
}

#[test]
fn severities_below_the_limit_do_not_fail_the_run() {
    use marsh_workflow::schema::Severity;
    for (severity, fail_on, status) in [
        ("low", Severity::Low, "failed"),
        ("low", Severity::Medium, "succeeded"),
        ("medium", Severity::High, "succeeded"),
        ("high", Severity::High, "failed"),
    ] {
        let scratch = scratch();
        let step = assert("a", "inputs.zero", &format!(", severity: {severity}"));
        scratch.workflow(&format!("jobs:\n{}", job("main", &[step])));
        let cancel = marsh_host_client::CancelToken::new();
        let mut request = crate::common::request(json!({"zero": 0, "n": 1}), &cancel);
        request.fail_on = fail_on;
        let outcome = scratch.workflows().run(&request, &marsh_api::event::NoEvents).unwrap();
        assert_eq!(outcome.status.as_str(), status, "{severity} {fail_on:?}");
        let result = outcome.record.jobs[0].steps[0].assert_result.clone().unwrap();
        assert!(!result.passed && result.message == "not 1");
        let report = marsh_workflow::junit(&[&outcome.record]);
        let failures = if status == "failed" { 1 } else { 0 };
        assert!(report.contains(&format!("tests=\"1\" failures=\"{failures}\"")), "{report}");
        assert!(report.contains("<testcase name=\"a\" classname=\"w.main\""), "{report}");
    }
}

fn each(name: &str, items: &str, model: &str) -> String {
    format!(
        "  - name: {name}\n    forEach: {{item: x, in: '${{{{ inputs.{items} }}}}'}}\n    task: {{type: model_method, modelIdOrName: {model}, methodName: execute}}\n"
    )
}

#[test]
fn for_each() {
    let inputs = || json!({"list": ["a", "b"], "map": {"k": 1}, "objects": [{"id": 7}], "none": [], "twice": [1, 1], "n": 3});
    let rest = |steps: &[String]| format!("jobs:\n{}", job("main", steps));
    for (name, steps, expected) in [
        (
            "a list of words",
            vec![each("s", "list", "ok")],
            "succeeded\nmain succeeded\n  s-a succeeded\n  s-b succeeded\n".to_owned(),
        ),
        ("a map", vec![each("s", "map", "ok")], "succeeded\nmain succeeded\n  s-k succeeded\n".to_owned()),
        ("objects", vec![each("s", "objects", "ok")], "succeeded\nmain succeeded\n  s-0 succeeded\n".to_owned()),
        (
            "the name is an expression",
            vec![each("'on ${{ self.x.id }}'", "objects", "ok")],
            "succeeded\nmain succeeded\n  on 7 succeeded\n".to_owned(),
        ),
        (
            "nothing vanishes, and counts as success",
            vec![each("s", "none", "ok"), run("then", "ok") + &after("s", "succeeded")],
            "succeeded\nmain succeeded\n  then succeeded\n".to_owned(),
        ),
        (
            "others depend on all items",
            vec![each("s", "list", "bad"), run("no", "ok") + &after("s", "succeeded"), run("yes", "ok") + &after("s", "failed")],
            format!(
                "failed\nmain failed\n  s-a failed: {EXIT_1}\n  s-b failed: {EXIT_1}\n  no skipped dependency\n  yes succeeded\n"
            ),
        ),
        (
            "two of one name",
            vec![each("s", "twice", "ok")],
            "failed\nmain failed\n  s failed: forEach: two items are named `s-1`; put something of `self.x` that differs into the name of the step\n".to_owned(),
        ),
        (
            "no collection",
            vec![each("s", "n", "ok")],
            "failed\nmain failed\n  s failed: forEach.in: expected a list or a map, found 3 from `${{ inputs.n }}`\n".to_owned(),
        ),
    ] {
        check(name, inputs(), &rest(&steps), &expected);
    }
}

#[test]
fn items_reach_the_method_and_vary_names_apart() {
    let scratch = scratch();
    scratch.workflow(
        "jobs:\n- name: main\n  steps:\n  - name: s\n    forEach: {item: x, in: '${{ inputs.list }}'}\n    dataOutputOverrides: [{specName: result, vary: [run], tags: {kind: '${{ self.x.id }}'}, lifetime: 7d}]\n    task: {type: model_method, modelIdOrName: ok, methodName: execute, inputs: {run: 'echo ${{ self.x.id }}'}}\n",
    );
    let outcome = scratch.run(json!({"list": [{"id": "one"}, {"id": "two"}]})).unwrap();
    let names: Vec<(String, String)> = outcome.record.jobs[0]
        .steps
        .iter()
        .flat_map(|step| &step.data_artifacts)
        .filter(|artifact| artifact.tags.get("specName") == Some("result"))
        .map(|artifact| (artifact.name.clone(), artifact.tags.get("kind").unwrap().to_owned()))
        .collect();
    let expected = [("result-echo one", "one"), ("result-echo two", "two")];
    assert_eq!(names, expected.map(|(name, kind)| (name.to_owned(), kind.to_owned())));
    let missing = "jobs:\n- name: main\n  steps:\n  - name: s\n    dataOutputOverrides: [{specName: result, vary: [nope]}]\n    task: {type: model_method, modelIdOrName: ok, methodName: execute}\n";
    check(
        "4.4 a missing key of vary",
        Value::Null,
        missing,
        "failed\nmain failed\n  s failed: dataOutputOverrides[0].vary: there is no input `nope`\n",
    );
}

#[test]
fn retry_and_timeout() {
    let retry = |on: &str| format!("    retry: {{attempts: 3, backoff: 1ms{on}}}\n");
    for (name, step, expected) in [
        ("tried until it succeeds", run("s", "third") + &retry(""), "succeeded\nmain succeeded\n  s succeeded x3\n".to_owned()),
        (
            "given up",
            run("s", "bad") + &retry(""),
            format!("failed\nmain failed\n  s failed x3: {EXIT_1}\n"),
        ),
        (
            "another kind of failure",
            run("s", "bad") + &retry(", on: [timeout]"),
            format!("failed\nmain failed\n  s failed: {EXIT_1}\n"),
        ),
        (
            "what cannot change is not tried again",
            run("s", "nobody") + &retry(""),
            "failed\nmain failed\n  s failed: unknown model `nobody`; `marsh model search` lists the models\n".to_owned(),
        ),
        (
            "out of time",
            run("s", "slow") + "    timeout: 100ms\n",
            "failed\nmain failed\n  s failed: it did not end within 100 ms\n".to_owned(),
        ),
        (
            "out of time, twice",
            run("s", "slow") + "    timeout: 100ms\n    retry: {attempts: 2, backoff: 1ms, on: [timeout]}\n",
            "failed\nmain failed\n  s failed x2: it did not end within 100 ms\n".to_owned(),
        ),
        (
            "out of time and allowed to",
            run("s", "slow") + "    timeout: 100ms\n    allowFailure: true\n",
            "succeeded\nmain succeeded\n  s failed allowed: it did not end within 100 ms\n".to_owned(),
        ),
    ] {
        check(name, Value::Null, &format!("jobs:\n{}", job("main", &[step])), &expected);
    }
    let rest = format!(
        "jobs:\n- name: main\n  timeout: 300ms\n  steps:\n{}{}- name: then\n  dependsOn: [{{job: main, condition: {{type: failed}}}}]\n  steps:\n{}",
        run("s", "slow"),
        run("t", "ok") + &after("s", "always"),
        run("u", "ok")
    );
    let expected = "failed\nmain failed\n  s failed: job `main` did not end within 300 ms\n  t skipped timeout\nthen succeeded\n  u succeeded\n";
    check("the time of a job", Value::Null, &rest, expected);
}

#[test]
fn inputs_are_coerced_defaulted_and_checked() {
    let scratch = scratch();
    scratch.workflow(&format!(
        "inputs: {{properties: {{n: {{type: integer}}, word: {{type: string, default: hi}}}}, required: [n]}}\njobs:\n{}",
        job("main", &[run("s", "ok")])
    ));
    let outcome = scratch.run(json!({"n": "3"})).unwrap();
    assert_eq!(Value::Object(outcome.record.inputs.unwrap()), json!({"n": 3, "word": "hi"}));
    assert!(scratch.run(json!({"n": "three"})).is_err());
}
