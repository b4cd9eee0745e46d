//! Definitions: create, get, search, edit, validate, delete.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{ID, definition, method, model, repo, repo_with};

const GREET: &str = r#"
  globalArguments: z.object({ who: z.string().default("world"), loud: z.boolean().optional(), level: z.number().optional() }),
  resources: { greeting: { description: "the greeting", schema: z.object({ text: z.string() }), lifetime: "infinite", garbageCollection: 10 } },
  methods: {
    greet: {
      description: "Greet somebody",
      arguments: z.object({ times: z.number().int().default(1).describe("how often") }),
      execute: async (args, context) => {
        const text = `hello ${context.globalArgs.who} `.repeat(args.times).trim();
        return { dataHandles: [await context.writeResource("greeting", "main", { text })] };
      },
    },
  },"#;

#[test]
fn create_makes_a_definition_and_shows_what_it_takes() {
    let repo = repo_with(GREET);
    assert_snapshot!(repo.marsh(&["model", "create", "@me/x", "first", "--global-arg", "who=you"]).snapshot(), @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    created first in models/@me/x/first.yaml

    global arguments
      who    string   default "world"
      loud   boolean
      level  number

    methods
      greet  Greet somebody
    ----- stderr -----
    "#);
    assert_snapshot!(repo.filters().apply(&repo.read("models/@me/x/first.yaml")), @r#"
    type: "@me/x"
    typeVersion: "2026.01.01.1"
    id: [uuid]
    name: first
    version: 1
    tags: {}
    globalArguments:
      who: you
    methods: {}
    "#);

    let json = repo.marsh(&["--json", "model", "create", "@me/x", "second"]).ok().json();
    assert_eq!(json["type"], "@me/x");
    assert_eq!(json["name"], "second");
    assert_eq!(json["path"], "models/@me/x/second.yaml");
    assert_eq!(json["version"], "2026.01.01.1");
    assert_eq!(json["globalArguments"]["properties"]["who"]["type"], "string");
    assert_eq!(json["methods"][0]["name"], "greet");
}

#[test]
fn create_refuses_a_taken_name_and_bad_arguments() {
    let repo = repo_with(GREET);
    repo.marsh(&["model", "create", "@me/x", "first"]).ok();
    let before = repo.read("models/@me/x/first.yaml");
    assert_snapshot!(repo.marsh(&["model", "create", "@me/x", "first"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: model `first` exists already: [repo]/models/@me/x/first.yaml
    ");
    assert_eq!(repo.read("models/@me/x/first.yaml"), before);
    assert_snapshot!(repo.marsh(&["model", "create", "@me/x", "b", "--global-arg", "whom=x"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: global arguments: `whom`: unknown argument; did you mean `who`?
    ");
    assert_snapshot!(repo.marsh(&["model", "create", "@me/x", "b", "--global-arg", "level=high"]).snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: global arguments: `level`: "high" is not of type "number"
    "#);
    assert_snapshot!(repo.marsh(&["model", "create", "@me/x", "../b"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: invalid definition name `../b`: expected at most 64 of a-z, 0-9, `-` and `_`, starting with a letter or digit, or `@scope/name`
    ");
    assert_eq!(repo.list("models/@me/x"), ["first.yaml"]);
}

#[test]
fn global_arguments_of_create_are_typed_by_the_schema() {
    let repo = repo_with(GREET);
    repo.marsh(&["model", "create", "@me/x", "a", "--global-arg", "loud=true", "--global-arg", "level=3"])
        .ok();
    let shown = repo.marsh(&["--json", "model", "get", "a"]).ok().json();
    assert_eq!(shown["globalArguments"], json!({ "loud": true, "level": 3 }));
}

#[test]
fn get_shows_a_definition_by_name_or_id() {
    let repo = repo_with(GREET);
    repo.write("models/@me/x/a.yaml", definition("@me/x", "a", "globalArguments: { who: you }"));
    assert_snapshot!(repo.marsh(&["model", "get", "a"]).snapshot(), @r"
    success: true
    exit_code: 0
    ----- stdout -----
    a (@me/x)
      id    [uuid]
      file  models/@me/x/a.yaml

    global arguments
      who  you
    ----- stderr -----
    ");
    assert_snapshot!(repo.marsh(&["--json", "model", "get", ID]).snapshot(), @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "id": "[uuid]",
      "name": "a",
      "type": "@me/x",
      "version": 1,
      "tags": {},
      "globalArguments": {
        "who": "you"
      },
      "path": "models/@me/x/a.yaml",
      "globalArgumentsSchema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
          "who": {
            "default": "world",
            "type": "string"
          },
          "loud": {
            "type": "boolean"
          },
          "level": {
            "type": "number"
          }
        },
        "additionalProperties": false
      },
      "methods": [
        {
          "name": "greet",
          "description": "Greet somebody",
          "arguments": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
              "times": {
                "default": 1,
                "description": "how often",
                "type": "integer",
                "minimum": -9007199254740991,
                "maximum": 9007199254740991
              }
            },
            "additionalProperties": false
          }
        }
      ]
    }
    ----- stderr -----
    "#);
}

#[test]
fn get_works_without_the_type() {
    let repo = repo();
    repo.write("models/@you/gone/a.yaml", definition("@you/gone", "a", ""));
    assert_snapshot!(repo.marsh(&["--json", "model", "get", "a"]).snapshot(), @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "id": "[uuid]",
      "name": "a",
      "type": "@you/gone",
      "version": 1,
      "tags": {},
      "globalArguments": {},
      "path": "models/@you/gone/a.yaml"
    }
    ----- stderr -----
    warning: cannot describe the type `@you/gone`: unknown model type `@you/gone`
    "#);
}

/// Two generations of file names: after the name, and after the id when the name cannot be a file name. The content decides.
#[test]
fn definitions_are_found_whatever_their_file_is_called() {
    let repo = repo_with(GREET);
    repo.write(&format!("models/@me/x/{ID}.yaml"), definition("@me/x", "My Thing", ""));
    repo.write(
        "models/@me/x/other.yaml",
        "id: 21111111-2222-4333-8444-555555555555\nname: misnamed\nversion: 1\ntags: {}\n",
    );
    let found = repo.marsh(&["--json", "model", "search"]).ok().json();
    let names: Vec<&str> =
        found["results"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["My Thing", "misnamed"]);
    assert_eq!(found["results"][1]["type"], "@me/x", "without a type key the path says it");
    repo.marsh(&["model", "method", "run", "My Thing", "greet"]).ok();
    repo.marsh(&["model", "method", "run", "misnamed", "greet"]).ok();
    assert!(repo.exists(&format!("models/@me/x/{ID}.yaml")), "the file keeps its name");
}

#[test]
fn a_scoped_name_is_a_path() {
    let repo = repo_with(GREET);
    let created = repo.marsh(&["--json", "model", "create", "@me/x", "@team/a"]).ok().json();
    assert_eq!(created["path"], "models/@me/x/@team/a.yaml");
    assert_eq!(repo.marsh(&["--json", "model", "get", "@team/a"]).ok().json()["id"], created["id"]);
    repo.marsh(&["model", "method", "run", "@team/a", "greet"]).ok();
}

#[test]
fn search_lists_and_filters() {
    let repo = repo_with(GREET);
    assert_eq!(repo.marsh(&["model", "search"]).ok().stdout, "no models yet\n");
    repo.marsh(&["model", "create", "@me/x", "apple"]).ok();
    repo.marsh(&["model", "create", "command/shell", "banana"]).ok();
    assert_snapshot!(repo.marsh(&["model", "search"]).snapshot(), @r"
    success: true
    exit_code: 0
    ----- stdout -----
    apple   @me/x          [uuid]
    banana  command/shell  [uuid]
    ----- stderr -----
    ");
    assert_snapshot!(repo.marsh(&["--json", "model", "search", "APP"]).snapshot(), @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "query": "APP",
      "results": [
        {
          "id": "[uuid]",
          "name": "apple",
          "type": "@me/x"
        }
      ]
    }
    ----- stderr -----
    "#);
    assert_eq!(repo.marsh(&["model", "search", "zzz"]).ok().stdout, "no model matches `zzz`\n");
}

#[test]
fn a_broken_definition_is_skipped_with_a_warning() {
    let repo = repo_with(GREET);
    repo.marsh(&["model", "create", "@me/x", "good"]).ok();
    repo.write("models/@me/x/bad.yaml", "id: 1\nname: [\n");
    let run = repo.marsh(&["--json", "model", "search"]).ok();
    assert_eq!(run.json()["results"].as_array().unwrap().len(), 1);
    assert_snapshot!(run.told(), @"warning: skipped models/@me/x/bad.yaml:2:7: expected string scalar");
}

#[test]
fn edit_replaces_a_definition_by_standard_input() {
    let repo = repo_with(GREET);
    let path = "models/@me/x/a.yaml";
    let before = definition("@me/x", "a", "globalArguments: { who: you }");
    repo.write(path, &before);
    let edit = |text: &str| repo.marsh_with_stdin(&["model", "edit", "a"], text);

    assert_snapshot!(edit(&before).snapshot(), @r"
    success: true
    exit_code: 0
    ----- stdout -----
    unchanged models/@me/x/a.yaml
    ----- stderr -----
    ");
    let after = definition("@me/x", "a", "# why\nglobalArguments: { who: them }");
    assert_snapshot!(edit(&after).snapshot(), @r"
    success: true
    exit_code: 0
    ----- stdout -----
    updated models/@me/x/a.yaml
    ----- stderr -----
    ");
    assert_eq!(repo.read(path), after, "as the user wrote it, comments and all");

    assert_snapshot!(edit("id: [\n").snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: [repo]/models/@me/x/a.yaml: expected string scalar
     --> [repo]/models/@me/x/a.yaml:1:5
      |
    1 | id: [
      |     ^
    ");
    assert_snapshot!(edit(&after.replace(ID, "21111111-2222-4333-8444-555555555555")).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: [repo]/models/@me/x/a.yaml: `id` must not change: stored data belong to it
    ");
    assert_eq!(repo.read(path), after, "an edit that is refused changes nothing");
}

#[test]
fn validate_runs_the_pre_flight_checks_that_are_selected() {
    let check = |name: &str, rest: &str, execute: &str| {
        format!("{name}: {{ description: 'd', {rest} execute: async (context) => {{ {execute} }} }}, ")
    };
    let checks = [
        check(
            "online",
            "labels: ['live'],",
            "return { pass: false, errors: ['no route', context.globalArgs.who] };",
        ),
        check("quiet", "appliesTo: ['other'],", "context.logger.info('said'); return { pass: true };"),
        check("broken", "labels: ['live', 'slow'],", "throw new Error('thrown');"),
        check("off", "", "return { pass: false };"),
    ]
    .concat();
    let members = format!(
        "globalArguments: z.object({{ who: z.string() }}), checks: {{ {checks} }}, {}",
        crate::support::method("run", "")
    );
    let repo = repo_with(&members);
    let rest = "globalArguments: { who: \"${{ 'a' + 'b' }}\" }\nchecks: { skip: [off] }";
    repo.write("models/@me/x/m.yaml", definition("@me/x", "m", rest));
    let checks = |arguments: &[&str]| -> Vec<(String, String)> {
        let run = repo.marsh(&[&["--json", "model", "validate", "m"], arguments].concat());
        let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let rows = document["validations"].as_array().unwrap().iter();
        let error = |row: &serde_json::Value| row["error"].as_str().unwrap_or("passed").to_owned();
        let found: Vec<_> = rows
            .filter_map(|row| Some((row["name"].as_str()?.strip_prefix("Check: ")?.to_owned(), error(row))))
            .collect();
        let all_pass = found.iter().all(|(_, error)| error == "passed");
        assert_eq!(document["passed"], all_pass, "{document}");
        run.exits(i32::from(!all_pass));
        found
    };
    let pair = |name: &str, error: &str| (name.to_owned(), error.to_owned());
    let (online, quiet, broken) =
        (pair("online", "no route; ab"), pair("quiet", "passed"), pair("broken", "thrown"));
    assert_eq!(checks(&[]), [online.clone(), quiet.clone(), broken.clone()]);
    assert_eq!(checks(&["--label", "slow"]), std::slice::from_ref(&broken));
    assert_eq!(checks(&["--label", "slow", "--label", "live"]), [online.clone(), broken.clone()]);
    assert_eq!(checks(&["--method", "run"]), [online, broken]);
    assert_eq!(checks(&["--method", "other", "--label", "none"]), []);
    assert!(!repo.path(".swamp/outputs").join("@me").exists(), "no run is recorded");
    let rest = "checks: { skip: [onlin] }";
    repo.write("models/@me/x/m.yaml", definition("@me/x", "m", rest));
    let unknown = repo.marsh(&["model", "validate", "m", "--label", "none"]).exits(1);
    assert!(unknown.stdout.contains("unknown check `onlin`; did you mean `online`?"), "{}", unknown.stdout);
}

#[test]
fn validate_names_what_is_wrong() {
    let repo = repo_with(GREET);
    repo.write(
        "models/@me/x/good.yaml",
        definition("@me/x", "good", "globalArguments: { who: \"${{ env.USER }}\" }"),
    );
    assert_snapshot!(repo.marsh(&["--json", "model", "validate", "good"]).snapshot(), @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "modelId": "[uuid]",
      "modelName": "good",
      "type": "@me/x",
      "validations": [
        {
          "name": "definition",
          "passed": true
        },
        {
          "name": "type",
          "passed": true
        },
        {
          "name": "globalArguments",
          "passed": true
        },
        {
          "name": "expressions",
          "passed": true
        }
      ],
      "warnings": [],
      "passed": true
    }
    ----- stderr -----
    "#);
    repo.write(
        "models/@me/x/bad.yaml",
        definition(
            "@me/x",
            "bad",
            "globalArguments: { whom: you, level: high }\nmethods:\n  greet: { arguments: { times: often } }\n  gret: {}",
        )
        .replace("1111", "3111"),
    );
    repo.write("models/@me/x/ugly.yaml", "id: [\n");
    assert_snapshot!(repo.marsh(&["model", "validate"]).snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----
    failed bad
           globalArguments: `whom`: unknown argument; did you mean `who`?; `level`: "high" is not of type "number"
           methods.greet.arguments: `times`: "often" is not of type "integer"
           methods.gret.arguments: `gret`: `@me/x` has no method `gret`
    ok     good
    failed models/@me/x/ugly.yaml
           [repo]/models/@me/x/ugly.yaml: expected string scalar
    ----- stderr -----
    "#);
}

#[test]
fn delete_asks_for_force_when_there_are_results() {
    let repo = repo_with(GREET);
    repo.marsh(&["model", "create", "@me/x", "a"]).ok();
    repo.marsh(&["model", "method", "run", "a", "greet"]).ok();
    assert_snapshot!(repo.marsh(&["model", "delete", "a", "--yes"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: `a` still has 1 result

    hint: `marsh model delete a --force` deletes them too
    ");
    assert!(repo.exists("models/@me/x/a.yaml"));
    assert_snapshot!(repo.marsh(&["--json", "model", "delete", "a", "--force"]).snapshot(), @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "id": "[uuid]",
      "name": "a",
      "type": "@me/x",
      "inputPath": "models/@me/x/a.yaml",
      "resourceDeleted": true,
      "outputsDeleted": 1,
      "evaluatedInputDeleted": false,
      "dataDeleted": 3,
      "expiredDataAutoCollected": 0
    }
    ----- stderr -----
    "#);
    assert!(!repo.exists("models/@me/x/a.yaml"));
    assert_eq!(repo.files(".swamp/data").iter().filter(|path| path.ends_with("/raw")).count(), 0);
    repo.assert_sound();
    repo.marsh(&["model", "get", "a"]).exits(1);
}

#[test]
fn delete_refuses_what_a_workflow_uses() {
    let repo = repo_with(GREET);
    repo.marsh(&["model", "create", "@me/x", "a"]).ok();
    repo.write(
        "workflows/w.yaml",
        "id: 31111111-2222-4333-8444-555555555555\nname: nightly\njobs:\n  - name: j\n    steps:\n      \
         - name: s\n        task: { type: model_method, modelIdOrName: a, methodName: greet }\n",
    );
    assert_snapshot!(repo.marsh(&["model", "delete", "a", "--yes"]).snapshot(), @"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: the workflow `nightly` uses `a`

    hint: remove it from the workflow first: `marsh workflow edit nightly`
    ");
}

#[test]
fn a_literal_secret_is_refused_wherever_it_could_be_written() {
    let repo = repo();
    let members = format!(
        "globalArguments: z.object({{ token: z.string().meta({{ sensitive: true }}) }}), {}",
        method("run", "return {};")
    );
    repo.write("extensions/models/x.ts", model("@me/x", &members));
    assert_snapshot!(repo.marsh(&["model", "create", "@me/x", "a", "--global-arg", "token=s3cret"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: `token` of `a` is sensitive: a definition must not hold its value

    hint: write an expression, for example `${{ vault.get('main', 'name') }}`
    ");
    let direct =
        repo.marsh(&["model", "method", "run", "@me/x", "run", "b", "--input", "token=s3cret"]).exits(1);
    assert!(direct.stderr.contains("`token` of `b` is sensitive"), "{}", direct.stderr);
    let expression = "token=${{ env.TOKEN }}";
    repo.marsh(&["model", "create", "@me/x", "a", "--global-arg", expression]).ok();
    let text = repo.read("models/@me/x/a.yaml");
    let edited = repo.marsh_with_stdin(&["model", "edit", "a"], &text.replace("${{ env.TOKEN }}", "s3cret"));
    assert!(edited.exits(1).stderr.contains("is sensitive"));
    assert!(
        !repo.files(".").iter().any(|path| repo.path(path).is_file() && repo_contains(&repo, path, "s3cret"))
    );
}

fn repo_contains(repo: &marsh_testkit::Scratch, path: &str, needle: &str) -> bool {
    let bytes = std::fs::read(repo.path(path)).unwrap();
    String::from_utf8_lossy(&bytes).contains(needle)
}

/// zod describes what comes out of a schema; a definition holds what goes in.
#[test]
fn inside_a_global_argument_defaults_may_be_left_out() {
    let repo = repo_with(
        r#"
        globalArguments: z.object({ hosts: z.array(z.object({ name: z.string(), port: z.number().default(22) })) }),
        methods: { run: { description: "d", arguments: z.object({}), execute: async () => ({ dataHandles: [] }) } },"#,
    );
    let create = |name: &str, hosts: &str| {
        repo.marsh(&["model", "create", "@me/x", name, "--global-arg", &format!("hosts:json={hosts}")])
    };
    create("short", r#"[{ "name": "a" }]"#).ok();
    create("loose", r#"[{ "name": "a", "later": true }]"#).ok();
    let refused = create("nameless", r#"[{ "port": 1 }]"#).snapshot();
    assert!(refused.contains(r#"`hosts.0`: "name" is a required property"#), "{refused}");
    let refused = create("wrong", r#"[{ "name": "a", "port": "x" }]"#).snapshot();
    assert!(refused.contains("`hosts.0.port`"), "{refused}");
}
