//! Valid workflow files, and the problems that are reported for invalid ones.

use marsh_workflow::schema::{Condition, ModelTarget, Problem, Severity, Task, parse};
use serde_json::json;

const ID: &str = "5f0c8b7e-1111-4222-8333-444455556666";

const FULL: &str = "id: 5f0c8b7e-1111-4222-8333-444455556666
name: nightly
description: all keys
trigger: {schedule: '0 3 * * *', inputs: {region: eu}}
tags: {team: a}
inputs: {properties: {region: {type: string, default: eu-west-1}}, required: [region]}
version: 2
concurrency: 4
reports: {require: [summary]}
affinity: true
target: box
labels: {os: linux}
platform: linux
queueTimeout: 30
jobs:
  - name: main
    description: d
    weight: -1
    concurrency: 2
    dependsOn:
      - {job: prepare, condition: {type: or, conditions: [{type: succeeded}, {type: not, condition: {type: failed}}]}}
    steps:
      - name: scan
        weight: 1.5
        concurrency: 1
        allowFailure: true
        guard: ${{ inputs.skip }}
        forEach: {item: host, in: '${{ inputs.hosts }}'}
        dataOutputOverrides:
          - {specName: result, lifetime: 7d, garbageCollection: 3, tags: {a: b}, vary: [region], vaultName: main}
        task: {type: model_method, modelIdOrName: scanner, methodName: run, inputs: {region: '${{ inputs.region }}'}}
      - name: direct
        dependsOn: [{step: scan, condition: {type: completed}}]
        task:
          type: model_method
          modelType: command/shell
          modelName: sh
          methodName: execute
          inputs: ${{ inputs.all }}
          globalArgs: {a: 1}
      - name: nested
        task: {type: workflow, workflowIdOrName: other, inputs: {a: 1}}
      - name: ask
        task: {type: manual_approval, prompt: go?, timeout: 60}
      - name: check
        task: {type: assert, expr: 'inputs.n > 1', message: too few, severity: low}
  - name: prepare
    steps:
      - name: x
        task: {type: assert, expr: 'true', message: m}
";

#[test]
fn every_key_of_the_format_reads() {
    let parsed = parse(FULL).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(parsed.warnings, []);
    let workflow = &parsed.workflow;
    assert_eq!((workflow.id.as_str(), workflow.version, workflow.concurrency), (ID, 2, Some(4)));
    assert!(workflow.placement.places());
    let main = &workflow.jobs[0];
    assert_eq!(main.weight, -1.0);
    assert!(matches!(main.depends_on[0].condition, Condition::Or { .. }));
    let scan = &main.steps[0];
    assert!(scan.allow_failure && scan.for_each.is_some() && scan.guard.is_some());
    assert_eq!(scan.data_output_overrides[0].vary, ["region"]);
    let Task::ModelMethod(direct) = &main.steps[1].task else { panic!() };
    assert_eq!(direct.inputs, Some(json!("${{ inputs.all }}")));
    assert!(
        matches!(&direct.target, ModelTarget::Direct { model_type, .. } if model_type == "command/shell")
    );
    assert!(matches!(&main.steps[4].task, Task::Assert { severity: Severity::Low, .. }));
    assert!(matches!(&workflow.jobs[1].steps[0].task, Task::Assert { severity: Severity::High, .. }));
    // The shape in which it is shown.
    let shown = serde_json::to_value(workflow).unwrap();
    assert_eq!(shown["jobs"][0]["steps"][0]["task"]["type"], "model_method");
    assert_eq!(shown["jobs"][0]["steps"][0]["task"]["modelIdOrName"], "scanner");
    assert_eq!(shown["jobs"][0]["dependsOn"][0]["condition"]["type"], "or");
    assert_eq!(shown["jobs"][0]["steps"][0]["forEach"]["in"], "${{ inputs.hosts }}");
}

/// A small workflow with one step whose lines are given; the step starts at line 6.
fn with_step(lines: &str) -> String {
    format!("id: {ID}\nname: w\njobs:\n- name: main\n  steps:\n  - name: s\n{lines}")
}

const TASK: &str = "    task: {type: model_method, modelIdOrName: m, methodName: run}\n";

fn problems(text: &str) -> Vec<Problem> {
    match parse(text) {
        Ok(parsed) => panic!("it parsed: {parsed:?}"),
        Err(problems) => problems,
    }
}

#[test]
fn problems_have_a_line_a_column_and_a_remedy() {
    let cases: Vec<(String, &str, u64, u64)> = vec![
        (
            format!(
                "id: {ID}\nname: w\nconcurency: 1\njobs: [{{name: a, steps: [{{name: s, task: {{type: manual_approval, prompt: p}}}}]}}]\n"
            ),
            "unknown key `concurency` in the workflow; did you mean `concurrency`?",
            3,
            1,
        ),
        (
            String::from(
                "id: ../up\nname: w\njobs: [{name: a, steps: [{name: s, task: {type: manual_approval, prompt: p}}]}]\n",
            ),
            "`id` must be a UUID",
            1,
            5,
        ),
        (
            format!(
                "id: {ID}\nname: ../x\njobs: [{{name: a, steps: [{{name: s, task: {{type: manual_approval, prompt: p}}}}]}}]\n"
            ),
            "cannot be the name",
            2,
            7,
        ),
        (format!("id: {ID}\nname: w\njobs: []\n"), "`jobs` must not be empty", 3, 7),
        (format!("id: {ID}\nname: w\n"), "the workflow needs `jobs`", 1, 1),
        (
            with_step("    dependson: []\n") + TASK,
            "unknown key `dependson` in `jobs[0].steps[0]`; did you mean `dependsOn`?",
            7,
            5,
        ),
        (with_step("    needs: [1]\n") + TASK, "`needs` is a name or a list of names of steps", 7, 13),
        (with_step("    driver: local\n") + TASK, "`driver` was removed", 7, 5),
        (
            with_step("    dependsOn: [scan]\n") + TASK,
            "write `- {step: scan, condition: {type: succeeded}}`",
            7,
            17,
        ),
        (with_step("    dependsOn: [{step: scan}]\n") + TASK, "needs `condition`", 7, 17),
        (
            with_step("    dependsOn: [{step: scan, condition: succeeded}]\n") + TASK,
            "write `condition: {type: succeeded}`",
            7,
            41,
        ),
        (
            with_step("    dependsOn: [{step: a, condition: {type: suceeded}}]\n") + TASK,
            "did you mean `succeeded`?",
            7,
            45,
        ),
        (
            with_step("    dependsOn: [{step: a, condition: {type: and, conditions: [{type: always}]}}]\n")
                + TASK,
            "two or more",
            7,
            50,
        ),
        (with_step("    weight: heavy\n") + TASK, "must be a number, not text", 7, 13),
        (with_step("    concurrency: -1\n") + TASK, "whole number, 0 or more", 7, 18),
        (with_step("    allowFailure: 'yes'\n") + TASK, "must be true or false", 7, 19),
        (with_step(""), "`jobs[0].steps[0]` needs `task`", 6, 5),
        (
            with_step("    task: {type: shell, command: ls}\n"),
            "use `model_method` with `modelType: command/shell`",
            7,
            18,
        ),
        (with_step("    task: {type: model_metod}\n"), "did you mean `model_method`?", 7, 18),
        (with_step("    task: {type: model_method, methodName: run}\n"), "names no model", 7, 11),
        (
            with_step(
                "    task: {type: model_method, modelIdOrName: a, modelType: b, modelName: c, methodName: run}\n",
            ),
            "not by both",
            7,
            11,
        ),
        (
            with_step("    task: {type: model_method, modelType: b, methodName: run}\n"),
            "needs `modelName`",
            7,
            11,
        ),
        (
            with_step("    task: {type: model_method, modelIdOrName: a, methodName: run, globalArgs: {}}\n"),
            "goes with `modelType`",
            7,
            67,
        ),
        (
            with_step("    task: {type: model_method, modelIdOrName: a, methodName: run, arguments: {}}\n"),
            "did you mean `inputs`?",
            7,
            67,
        ),
        (
            with_step("    task: {type: model_method, modelIdOrName: a, methodName: run, inputs: hello}\n"),
            "must be a map, or one",
            7,
            75,
        ),
        (with_step("    task: {type: manual_approval, prompt: p, timeout: 0}\n"), "must be above 0", 7, 55),
        (with_step("    task: {type: assert, expr: x}\n"), "needs `message`", 7, 11),
        (
            with_step("    task: {type: assert, expr: x, message: m, severity: hihg}\n"),
            "did you mean `high`?",
            7,
            57,
        ),
    ];
    for (text, words, line, column) in cases {
        let found = problems(&text);
        assert_eq!(found.len(), 1, "{text}{found:#?}");
        let problem = &found[0];
        assert!(problem.message.contains(words), "{words:?} not in {:?}", problem.message);
        assert_eq!((problem.line, problem.column), (Some(line), Some(column)), "{text}{problem:?}");
        let source = text.lines().nth(usize::try_from(line).unwrap() - 1);
        assert_eq!(problem.source_line.as_deref(), source);
    }
}

#[test]
fn file_with_several_problems_reports_all_in_order() {
    let text = with_step("    wieght: 1\n    dependsOn: [a]\n") + "    task: {type: shell}\n  foo: 1\n";
    let lines: Vec<Option<u64>> = problems(&text).iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [Some(7), Some(8), Some(9), Some(10)]);
}

#[test]
fn text_that_is_not_a_yaml_map_is_reported_with_its_position() {
    let found = problems("id: [1\nname: w\n");
    assert!(found[0].line.is_some() && found[0].column.is_some(), "{found:?}");
    for text in ["", "- a\n", "hello\n"] {
        assert!(problems(text)[0].message.contains("must be a map"), "{text}");
    }
    assert!(!problems("id: 1\nid: 2\n").is_empty());
}

#[test]
fn keys_that_a_task_ignores_are_warned_about() {
    let parsed =
        parse(&with_step("    task: {type: model_method, modelIdOrName: m, methodName: run, input: {}}\n"))
            .unwrap();
    assert!(parsed.warnings[0].message.contains("did you mean `inputs`?"), "{:?}", parsed.warnings);
    assert_eq!(parsed.warnings[0].line, Some(7));
}

/// Published files are written so. What they mean is plain, and to leave `needs` out would run at once what has to wait.
#[test]
fn what_other_systems_write_is_read_as_it_is_meant() {
    let id = format!("id: {ID}");
    for needs in ["needs: [s]", "needs: s"] {
        let text = with_step(TASK).replace(&id, "id: scaffold-story-001")
            + "  - name: after\n    "
            + needs
            + "\n"
            + TASK;
        let parsed = parse(&text).unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert_eq!(parsed.workflow.id, "scaffold-story-001");
        let depends = &parsed.workflow.jobs[0].steps[1].depends_on;
        assert_eq!((depends[0].step.as_str(), &depends[0].condition), ("s", &Condition::Succeeded));
        let warnings: Vec<String> = parsed.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            warnings,
            [
                "line 1, column 5: `id` is `scaffold-story-001` and should be a UUID: another workflow with this id \
                 would share the runs of this one",
                "line 9, column 5: unknown key `needs` is read as `dependsOn: [{step: s, condition: \
                 {type: succeeded}}]`; write that",
            ]
        );
        let schemas = marsh_workflow::schema::json_schemas();
        let validator = jsonschema::validator_for(&schemas["workflow"]).unwrap();
        assert!(validator.is_valid(&marsh_types::yaml::from_str::<serde_json::Value>(&text).unwrap()));
    }
    for id in ["../up", ".hidden", "a/b", "dot.", "\u{e9}", &"x".repeat(129)] {
        let text = with_step(TASK).replace(&format!("id: {ID}"), &format!("id: \"{id}\""));
        assert!(problems(&text)[0].message.contains("must be a UUID"), "{id}");
    }
}

/// The JSON Schemas take what the parser takes and refuse what it refuses, as far as a schema can say it.
#[test]
fn json_schemas_agree_with_the_parser() {
    let schemas = marsh_workflow::schema::json_schemas();
    let validator = jsonschema::validator_for(&schemas["workflow"]).unwrap();
    let value = |text: &str| marsh_types::yaml::from_str::<serde_json::Value>(text).unwrap();
    let retry =
        with_step("    retry: {attempts: 2, backoff: 1s, on: [crash]}\n    timeout: 5m\n    code: pinned\n")
            + TASK;
    for text in [FULL.to_owned(), with_step(TASK), retry] {
        assert!(parse(&text).is_ok());
        let errors: Vec<String> =
            validator.iter_errors(&value(&text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{text}{errors:?}");
    }
    for lines in [
        "    dependson: []\n",
        "    dependsOn: [scan]\n",
        "    dependsOn: [{step: scan}]\n",
        "    dependsOn: [{step: a, condition: {type: suceeded}}]\n",
        "    dependsOn: [{step: a, condition: {type: and, conditions: [{type: always}]}}]\n",
        "    weight: heavy\n",
        "    concurrency: -1\n",
        "    allowFailure: 'yes'\n",
        "    retry: 0\n",
        "    retry: {backoff: 1s}\n",
        "    retry: {attempts: 2, on: [invalid]}\n",
        "    timeout: soon\n",
        "    code: latest\n",
        "    forEach: {item: x}\n",
    ] {
        let text = with_step(lines) + TASK;
        assert!(parse(&text).is_err(), "{lines}");
        assert!(!validator.is_valid(&value(&text)), "{lines}");
    }
    for task in [
        "{type: shell, command: ls}",
        "{type: model_method, methodName: run}",
        "{type: model_method, modelIdOrName: a, modelType: b, modelName: c, methodName: run}",
        "{type: model_method, modelIdOrName: a, methodName: run, globalArgs: {}}",
        "{type: model_method, modelIdOrName: a, methodName: run, arguments: {}}",
        "{type: manual_approval, prompt: p, timeout: 0}",
        "{type: assert, expr: x}",
        "{type: assert, expr: x, message: m, severity: hihg}",
        "{type: workflow}",
    ] {
        let text = with_step(&format!("    task: {task}\n"));
        assert!(parse(&text).is_err(), "{task}");
        assert!(!validator.is_valid(&value(&text)), "{task}");
    }
}
