//! Every expression is checked before anything runs, and an error points at the part of the file that is wrong.

use crate::common::{Scratch, job};
use marsh_types::Explain as _;
use marsh_workflow::ValidationReport;
use serde_json::{Value, json};

const INPUTS: &str = "inputs: {region: {type: string}, hosts: {type: array}}\njobs:\n";

/// A workflow with one step, whose lines begin at line 7; it leaves a file if it runs.
fn with_step(lines: &str) -> Scratch {
    let scratch = Scratch::new();
    let mark = scratch.dir.path().join("ran").display().to_string();
    scratch.shell("mark", &format!("touch '{mark}'"));
    scratch.workflow(&format!("{INPUTS}{}", job("main", "", &[format!("  - name: s\n{lines}")])));
    scratch
}

const TASK: &str = "    task: {type: model_method, modelIdOrName: mark, methodName: execute}\n";

fn input(text: &str) -> String {
    format!(
        "    task:\n      type: model_method\n      modelIdOrName: mark\n      methodName: execute\n      inputs:\n        env:\n          A: {text}\n"
    )
}

fn validated(scratch: &Scratch) -> ValidationReport {
    let workflows = scratch.workflows();
    workflows.validate(&workflows.store().find("w").unwrap())
}

#[test]
fn an_expression_that_cannot_have_a_value_keeps_everything_from_running() {
    let cases: Vec<(String, &str, u64, u64)> = vec![
        (input("${{ input.region }}"), "unknown variable `input`", 14, 18),
        (input("\"x ${{ inputs.region }} ${{ inputs.region + }}\""), "ends where a value should be", 14, 57),
        (input("${{ 1 == 1.0 }}"), "== ", 14, 18),
        (input("${{ inputs.region.trimm() }}"), "did you mean `trim`?", 14, 18),
        (input("|\n            first\n            ${{ nosuch }}"), "`nosuch`", 16, 17),
        (input("${{ self.region }}"), "unknown variable `self`", 14, 18),
        (input("${{ run.nmae }}"), "no key `nmae`", 14, 22),
        (input("${{ webhook.body }}"), "`webhook`", 14, 18),
        (input("${{ model.method('a', 'b') }}"), "`model.method()` is not available here", 14, 18),
        (format!("    guard: inputs.region ==\n{TASK}"), "guard: cannot evaluate `inputs.region ==`", 8, 28),
        (format!("    guard: ${{{{ nosuch }}}}\n{TASK}"), "`nosuch`", 8, 16),
        (
            format!("    forEach: {{item: host, in: '${{{{ input.hosts }}}}'}}\n{TASK}"),
            "did you mean `inputs`?",
            8,
            36,
        ),
        (
            format!(
                "    forEach: {{item: host, in: '${{{{ inputs.hosts }}}}'}}\n{}",
                input("${{ self.hots }}")
            ),
            "did you mean `host`?",
            15,
            23,
        ),
        ("    task: {type: assert, expr: 'nosuch > 1', message: m}\n".into(), "`nosuch`", 8, 33),
        ("    task: {type: manual_approval, prompt: '${{ nosuch }}?'}\n".into(), "`nosuch`", 8, 48),
    ];
    for (lines, words, line, column) in cases {
        let scratch = with_step(&lines);
        let error = match scratch.run(json!({"region": "eu", "hosts": ["a"]})) {
            Ok(outcome) => panic!("{lines} ran: {:?}", outcome.record),
            Err(error) => error,
        };
        assert!(!scratch.exists("ran") && error.code().as_str() == "validation_failed", "{error}");
        assert!(error.to_string().contains(words), "{words:?} not in {error}");
        let details = error.details().unwrap();
        assert_eq!(
            (&details["line"], &details["column"]),
            (&json!(line), &json!(column)),
            "{lines}{details}"
        );
        let report = validated(&scratch);
        let check = report.checks.iter().find(|check| check.error.is_some()).unwrap();
        let at = check.at.as_ref().unwrap();
        assert_eq!(
            (check.name.as_str(), at.line, at.column),
            ("main/s", Some(line), Some(column)),
            "{lines}"
        );
    }
}

#[test]
fn what_may_have_a_value_runs_and_is_warned_about() {
    for (lines, words) in [
        (input("${{ inputs.regoin }}"), "did you mean `region`?"),
        (input("${{ inputs.other }}"), "declare it under `inputs`"),
        // Its failure leaves the text.
        ("    task: {type: assert, expr: 'true', message: '${{ nosuch }}'}\n".into(), "`nosuch`"),
    ] {
        let scratch = with_step(&lines);
        let report = validated(&scratch);
        assert!(report.passed(), "{report:?}");
        let warning = report.checks.iter().find_map(|check| check.warning.clone()).unwrap();
        assert!(warning.contains(words), "{warning}");
        // Inputs that are not declared may be given all the same.
        let outcome = scratch.run(json!({"regoin": "eu", "other": "x"})).unwrap();
        assert_eq!(outcome.record.status.as_str(), "succeeded", "{:?}", outcome.record);
    }
}

#[test]
fn an_expression_that_fails_as_it_runs_points_into_the_file_too() {
    let scratch = with_step(&input("\"é ${{ inputs.region }} ${{ inputs.regoin }}\""));
    let outcome = scratch.run(json!({"region": "eu"})).unwrap();
    assert_eq!(
        outcome.record.failure_reason.as_deref(),
        Some(
            "workflows/workflow-w.yaml:14:42: inputs.env.A: cannot evaluate `${{ inputs.regoin }}`: `inputs` has no key \
             `regoin`; did you mean `region`?"
        )
    );
    let scratch = with_step(&format!("    guard: inputs.none\n{TASK}"));
    let outcome = scratch.run(Value::Null).unwrap();
    let reason = outcome.record.failure_reason.unwrap();
    assert!(reason.starts_with("workflows/workflow-w.yaml:8:12: guard: "), "{reason}");
}
