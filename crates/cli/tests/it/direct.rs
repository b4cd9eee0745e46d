//! Running a method of a type directly: the definition is made on the way.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{method, model, repo_with};

const TYPE: &str = r#"
  globalArguments: z.object({ region: z.string().optional(), team: z.string().optional() }),
  resources: { out: { description: "anything", schema: z.any(), lifetime: "infinite", garbageCollection: 10 } },
  methods: {
    run: {
      description: "Show globals and arguments",
      arguments: z.object({ n: z.number().optional() }),
      execute: async (args, context) =>
        ({ dataHandles: [await context.writeResource("out", "seen", { args, globals: { ...context.globalArgs } })] }),
    },
  },"#;

#[test]
fn inputs_are_routed_to_arguments_and_global_arguments() {
    let repo = repo_with(TYPE);
    let first = ["model", "@me/x", "method", "run", "run", "m", "--input", "n=1", "--input", "region=eu"];
    assert_snapshot!(repo.marsh(&first).snapshot(), @r"
    success: true
    exit_code: 0
    ----- stdout -----
    m run succeeded in [duration]
      seen v1
        args
          n  1
        globals
          region  eu
    ----- stderr -----
    made the definition m
    ");
    assert_snapshot!(repo.filters().apply(&repo.read(".swamp/auto-definitions/@me/x/m.yaml")), @r#"
    type: "@me/x"
    typeVersion: "2026.01.01.1"
    id: [uuid]
    name: m
    version: 1
    tags: {}
    globalArguments:
      region: eu
    methods: {}
    "#);

    let id = repo.marsh(&["--json", "model", "get", "m"]).ok().json()["id"].clone();
    let second =
        repo.marsh(&["--json", "model", "method", "run", "@me/x", "run", "m", "--input", "n=2"]).ok().json();
    assert_eq!(second["modelId"], id, "the second run uses the same definition");
    assert_eq!(second["dataArtifacts"][0]["attributes"]["globals"], json!({ "region": "eu" }));
    assert_eq!(second["dataArtifacts"][0]["version"], 2);

    let third = repo.marsh(&["model", "method", "run", "@me/x", "run", "m", "--input", "region=us"]).ok();
    assert!(third.stderr.contains("updated the global arguments of m"), "{}", third.stderr);
}

#[test]
fn a_name_of_another_type_is_refused() {
    let repo = repo_with(TYPE);
    repo.write("extensions/models/y.ts", model("@me/y", &method("run", "return {};")));
    repo.marsh(&["model", "method", "run", "@me/x", "run", "m"]).ok();
    assert_snapshot!(repo.marsh(&["model", "method", "run", "@me/y", "run", "m"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: the definition `m` has the type `@me/x`, expected `@me/y`
    ");
}

#[test]
fn a_definition_in_models_is_used_too() {
    let repo = repo_with(TYPE);
    repo.marsh(&["model", "create", "@me/x", "m", "--global-arg", "team=a"]).ok();
    let run = repo.marsh(&["--json", "model", "method", "run", "@me/x", "run", "m"]).ok().json();
    assert_eq!(run["dataArtifacts"][0]["attributes"]["globals"], json!({ "team": "a" }));
    assert!(!repo.exists(".swamp/auto-definitions/@me/x/m.yaml"));
}

#[test]
fn a_type_without_a_name_and_a_name_without_a_type() {
    let repo = repo_with(TYPE);
    assert_snapshot!(repo.marsh(&["model", "method", "run", "@me/x", "run"]).snapshot(), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: `@me/x` is a type: give the name of a definition too

    hint: marsh model method run @me/x run <name>
    ");
    assert_snapshot!(repo.marsh(&["model", "method", "run", "me/x", "run", "m"]).snapshot(), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: unexpected argument `m`: `me/x` is no @type

    hint: to run a type directly: marsh model method run @me/x run m
    ");
}

/// Many processes that run the same new name end up with one definition and complete versions.
#[test]
fn first_runs_at_once_make_one_definition() {
    let repo = repo_with(TYPE);
    repo.marsh(&["model", "type", "describe", "@me/x"]).ok();
    let running: Vec<_> =
        (0..6).map(|_| repo.spawn(&["--json", "model", "method", "run", "@me/x", "run", "m"])).collect();
    let mut ids: Vec<_> = Vec::new();
    let mut versions: Vec<u64> = Vec::new();
    for run in running {
        let json = run.wait().ok().json();
        ids.push(json["modelId"].as_str().unwrap().to_owned());
        versions.push(json["dataArtifacts"][0]["version"].as_u64().unwrap());
    }
    ids.dedup();
    versions.sort_unstable();
    assert_eq!(ids.len(), 1);
    assert_eq!(versions, [1, 2, 3, 4, 5, 6]);
    repo.assert_sound();
}
