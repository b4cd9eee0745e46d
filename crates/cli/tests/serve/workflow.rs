//! Long workflows in a living process: every step runs what its sources are when it starts.

use serde_json::{Value, json};

use super::{model, repo};

/// Twenty steps, one after the other.
fn twenty_steps() -> String {
    let mut steps = String::new();
    for i in 0..20 {
        let after = if i == 0 {
            String::new()
        } else {
            format!(
                "        dependsOn:\n          - step: step-{}\n            condition: {{ type: succeeded }}\n",
                i - 1
            )
        };
        steps.push_str(&format!(
            "      - name: step-{i}\n{after}        task:\n          type: model_method\n          modelType: \"@me/x\"\n          \
             modelName: m\n          methodName: run\n          inputs: {{}}\n"
        ));
    }
    format!(
        "id: 3f0c8a52-7d5e-4a43-9a05-6f4b8f0e1d77\nname: long\nversion: 1\njobs:\n  - name: main\n    steps:\n{steps}"
    )
}

/// The seed's workflow runner test: twenty steps with an edit before each of them, made while the run goes on.
#[test]
fn each_of_twenty_steps_sees_the_edit_before_it() {
    let repo = repo();
    repo.write("workflows/workflow-long.yaml", twenty_steps());
    repo.write("extensions/models/x.ts", model("", "'version 0'"));
    let process = repo.spawn_extension_process(&[]);
    let mut connection = process.connect();
    // The step that has been completed makes room for the next edit; the file of the next version is in place when the
    // next step may go on. A step waits for its turn, so that no edit comes late.
    let waiting = |version: usize| {
        model("", &format!("'version {version}'")).replace(
            "await context.writeResource",
            &format!(
                "for (;;) {{ try {{ await Deno.readTextFile(context.repoDir + '/go-{version}'); break; }} catch {{ \
                 await new Promise((next) => setTimeout(next, 2)); }} }}\nawait context.writeResource"
            ),
        )
    };
    repo.write("extensions/models/x.ts", waiting(0));
    let mut started = 0;
    let run =
        connection.ask_telling("workflow", json!({ "workflow": "long", "events": true }), &mut |event| {
            if event["kind"] == "method_executing" {
                // The step runs version `started`. The next one must see the next version.
                repo.write("extensions/models/x.ts", waiting(started + 1));
                repo.write(&format!("go-{started}"), "");
                started += 1;
            }
        });
    let run = run.unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(run["status"], "succeeded", "{run:#}");
    let steps = run["jobs"][0]["steps"].as_array().unwrap();
    let said: Vec<&Value> =
        steps.iter().map(|step| &step["dataArtifacts"][0]["attributes"]["word"]).collect();
    let expected: Vec<Value> = (0..20).map(|i| json!(format!("version {i}"))).collect();
    assert_eq!(said, expected.iter().collect::<Vec<_>>(), "{run:#}");
    process.assert_one_version_alive("@me/x");
    assert_eq!(process.memory().leaked, 0);
    process.stop().ok();
}
