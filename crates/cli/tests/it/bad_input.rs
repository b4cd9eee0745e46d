//! Sources and definitions that are wrong: the message names the file, the line, the field.

use insta::assert_snapshot;
use marsh_testkit::EmptyRegistry;

use crate::support::{ID, definition, method, model, repo, repo_with, run_args};

const GOOD: &str =
    "methods: { run: { description: 'd', arguments: z.object({}), execute: async () => ({}) } },";

/// What a run of `@me/x` says when its source is this.
fn run_of(source: &str) -> String {
    let repo = repo();
    repo.write("extensions/models/x.ts", source);
    let shown = repo.marsh(&run_args(&[])).exits(1).snapshot();
    repo.assert_no_processes();
    repo.assert_sound();
    repo.write("extensions/models/x.ts", model("@me/x", GOOD));
    repo.marsh(&run_args(&[])).ok();
    shown
}

#[test]
fn a_syntax_error_in_typescript() {
    let source = "import { z } from \"npm:zod@4.3.6\";\nexport const model = {\n  type: \"@me/x\",\n  methods: {{\n};\n";
    assert_snapshot!(run_of(source), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: unknown model type `@me/x`
    Unexpected token
     --> [repo]/extensions/models/x.ts:4:13
      |
    4 |   methods: {{
      |             ^

    hint: types in sources with errors are unknown: fix those errors first
    ");
}

#[test]
fn a_syntax_error_in_a_helper() {
    let repo = repo_with("methods: help(),");
    let source = repo.read("extensions/models/x.ts");
    repo.write("extensions/models/x.ts", format!("import {{ help }} from \"./_lib/help.ts\";\n{source}"));
    repo.write("extensions/models/_lib/help.ts", "export const help = () => {\n  let x: = 1;\n};\n");
    assert_snapshot!(repo.marsh(&run_args(&[])).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: cannot bundle [repo]/extensions/models/x.ts
    Unexpected token
     --> extensions/models/_lib/help.ts:2:10
      |
    2 |   let x: = 1;
      |          ^
    ");
    assert_snapshot!(repo.marsh(&[&["--json"], run_args(&[]).as_slice()].concat()).snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----
    {
      "error": {
        "code": "bundle_failed",
        "class": "invalid",
        "message": "cannot bundle [repo]/extensions/models/x.ts",
        "details": {
          "diagnostics": [
            {
              "code": "syntax_error",
              "message": "Unexpected token",
              "file": "extensions/models/_lib/help.ts",
              "line": 2,
              "column": 10,
              "sourceLine": "  let x: = 1;",
              "hint": null
            }
          ]
        }
      }
    }
    ----- stderr -----
    "#);
}

#[test]
fn a_missing_helper() {
    let source = format!("import {{ help }} from \"./help.ts\";\n{}\nhelp();\n", model("@me/x", GOOD));
    assert_snapshot!(run_of(&source), @r#"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: cannot bundle [repo]/extensions/models/x.ts
    cannot find ./help.ts imported from extensions/models/x.ts
     --> extensions/models/x.ts:1:22
      |
    1 | import { help } from "./help.ts";
      |                      ^
    "#);
}

#[test]
fn a_missing_export() {
    let repo = repo();
    repo.write("extensions/models/_lib.ts", "export const other = 1;\n");
    repo.write(
        "extensions/models/x.ts",
        format!("import {{ help }} from \"./_lib.ts\";\n{}\nhelp();\n", model("@me/x", GOOD)),
    );
    assert_snapshot!(repo.marsh(&run_args(&[])).snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: cannot bundle [repo]/extensions/models/x.ts
    "help" is not exported by extensions/models/_lib.ts
     --> extensions/models/x.ts:1:10
      |
    1 | import { help } from "./_lib.ts";
      |          ^

    hint: it exports other
    "#);
}

#[test]
fn a_missing_npm_package() {
    let registry = EmptyRegistry::start();
    let repo = repo().private_cache().env("NO_PROXY", "127.0.0.1");
    repo.write(".npmrc", format!("registry={}\n", registry.url()));
    repo.write(
        "extensions/models/x.ts",
        "import nothing from \"npm:there-is-no-such-package@1.0.0\";\n\
         export const model = { type: \"@me/x\", version: \"2026.01.01.1\", methods: nothing };\n",
    );
    let shown = repo.marsh(&run_args(&[])).exits(1).snapshot().replace(registry.url(), "[registry]/");
    assert_snapshot!(shown, @r#"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: cannot bundle [repo]/extensions/models/x.ts
    the registry has no npm package "there-is-no-such-package"
     --> extensions/models/x.ts:1:21
      |
    1 | import nothing from "npm:there-is-no-such-package@1.0.0";
      |                     ^
    "#);
    let offline = repo.env("MARSH_OFFLINE", "1").marsh(&run_args(&[])).exits(1);
    assert_snapshot!(offline.snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: cannot bundle [repo]/extensions/models/x.ts
    npm package "there-is-no-such-package" is not in the package cache, and marsh is offline
     --> extensions/models/x.ts:1:21
      |
    1 | import nothing from "npm:there-is-no-such-package@1.0.0";
      |                     ^

    hint: run once with the network, so that the package gets into the cache
    "#);
}

#[test]
fn an_import_that_marsh_does_not_know() {
    assert_snapshot!(run_of(&format!("import x from \"http://example.com/x.ts\";\n{}\nx();\n", model("@me/x", GOOD))), @r#"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: cannot bundle [repo]/extensions/models/x.ts
    cannot import "http://example.com/x.ts": modules are fetched over https, without a password in the address
     --> extensions/models/x.ts:1:15
      |
    1 | import x from "http://example.com/x.ts";
      |               ^

    hint: write an address of https, or copy the module beside the extension
    "#);
    assert_snapshot!(run_of(&format!("import x from \"lodash\";\n{}\nx();\n", model("@me/x", GOOD))), @r#"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: cannot bundle [repo]/extensions/models/x.ts
    cannot import "lodash": nothing says which package that is
     --> extensions/models/x.ts:1:15
      |
    1 | import x from "lodash";
      |               ^

    hint: write `npm:lodash@<version>`, or map "lodash" in the `imports` of a deno.json
    "#);
}

/// Every violation of the contract names the field.
#[test]
fn contract_violations_name_the_field() {
    let method = |text: &str| format!("methods: {{ run: {{ {text} }} }},");
    let whole = "description: 'd', arguments: z.object({}), execute: async () => ({})";
    let cases = [
        (
            method("description: 'd', execute: async () => ({})"),
            "`model.methods.run.arguments` must be a zod schema",
        ),
        (
            method("arguments: z.object({}), execute: async () => ({})"),
            "`model.methods.run.description` must be a non-empty string",
        ),
        (
            method("description: 'd', arguments: z.object({})"),
            "`model.methods.run.execute` must be a function",
        ),
        (method(&format!("{whole}, kind: 'make'")), "`model.methods.run.kind` must be one of"),
        ("methods: [],".to_owned(), "`model.methods` must be an object"),
        (
            format!("globalArguments: {{ a: 'string' }}, {GOOD}"),
            "`model.globalArguments` must be a zod schema",
        ),
        (
            format!("resources: {{ r: {{ lifetime: 'infinite', garbageCollection: 1 }} }}, {GOOD}"),
            "`model.resources.r.schema` must be a zod schema",
        ),
        (
            format!(
                "resources: {{ r: {{ schema: z.any(), lifetime: 'infinite', garbageCollection: 0 }} }}, {GOOD}"
            ),
            "`model.resources.r.garbageCollection` must be",
        ),
        (
            format!("files: {{ f: {{ lifetime: 'infinite', garbageCollection: 1 }} }}, {GOOD}"),
            "`model.files.f.contentType` must be",
        ),
        (
            format!("checks: {{ c: {{ description: 'd' }} }}, {GOOD}"),
            "`model.checks.c.execute` must be a function",
        ),
        (
            format!("upgrades: [{{ toVersion: '2025.01.01.1', upgradeAttributes: (a) => a }}], {GOOD}"),
            "`model.upgrades` must end at the model's version 2026.01.01.1, not at 2025.01.01.1",
        ),
        (
            format!(
                "upgrades: ['2026.01.01.1', '2025.01.01.1'].map((toVersion) => ({{ toVersion, upgradeAttributes: (a) => a }})), {GOOD}"
            ),
            "`model.upgrades[1].toVersion` must not be earlier than the one before it (2026.01.01.1)",
        ),
    ];
    let repo = repo();
    for (members, expected) in cases {
        repo.write("extensions/models/x.ts", model("@me/x", &members));
        let run = repo.marsh(&[&["--json"], run_args(&[]).as_slice()].concat()).exits(1);
        let error = run.error();
        assert!(error["message"].as_str().unwrap().contains(expected), "{expected}: {error:#}");
        assert_eq!(error["code"], "contract_violation", "{expected}");
    }
    repo.write("extensions/models/x.ts", model("@me/x", GOOD).replace("2026.01.01.1", "1.0"));
    assert_snapshot!(repo.marsh(&run_args(&[])).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: cannot load [repo]/extensions/models/x.ts: `model.version` must be a version YYYY.MM.DD.MICRO
    ");
    repo.write("extensions/models/x.ts", model("@me/x", GOOD));
    repo.marsh(&run_args(&[])).ok();
}

#[test]
fn a_module_without_a_model() {
    let repo = repo();
    repo.write("extensions/models/x.ts", "export const modle = { type: \"@me/x\" };\n");
    assert_snapshot!(repo.marsh(&run_args(&[])).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: unknown model type `@me/x`

    hint: `marsh extension pull @me/x` would install it, but no registry is configured: name one with `--registry`, MARSH_REGISTRY, or `registry` in `.swamp.yaml`
    ");
}

#[test]
fn one_type_in_two_files() {
    let repo = repo_with(GOOD);
    repo.write("extensions/models/other/y.ts", model("@me/x", GOOD));
    assert_snapshot!(repo.marsh(&run_args(&[])).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: `@me/x` is declared twice: in [repo]/extensions/models/other/y.ts and in [repo]/extensions/models/x.ts

    hint: rename or delete one of the two declarations
    ");
    repo.remove("extensions/models/other");
    repo.marsh(&run_args(&[])).ok();
}

#[test]
fn an_unknown_method() {
    let repo = repo_with(GOOD);
    assert_snapshot!(repo.marsh(&["model", "method", "run", "@me/x", "rnu", "m"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: `@me/x` has no method `rnu`

    hint: did you mean `run`?
    ");
    assert_snapshot!(repo.marsh(&["--json", "model", "method", "run", "@me/x", "destroy", "m"]).snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----
    {
      "error": {
        "code": "unknown_method",
        "class": "not_found",
        "message": "`@me/x` has no method `destroy`",
        "hint": "available: run",
        "details": {
          "available": [
            "run"
          ],
          "near": []
        }
      }
    }
    ----- stderr -----
    "#);
    assert!(
        !repo.exists(".swamp/auto-definitions/@me/x/m.yaml"),
        "a run that cannot start makes no definition"
    );
}

#[test]
fn an_unknown_model() {
    let repo = repo_with(GOOD);
    assert_snapshot!(repo.marsh(&["model", "method", "run", "web", "run"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: unknown model `web`

    hint: create one: `marsh model create <type> <name>`
    ");
    repo.marsh(&["model", "create", "@me/x", "webserver"]).ok();
    assert_snapshot!(repo.marsh(&["model", "method", "run", "websever", "run"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: unknown model `websever`

    hint: did you mean `webserver`?
    ");
    assert_snapshot!(repo.marsh(&["--json", "model", "get", "zzz"]).snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----
    {
      "error": {
        "code": "model_not_found",
        "class": "not_found",
        "message": "unknown model `zzz`",
        "hint": "`marsh model search` lists the models",
        "details": {
          "near": []
        }
      }
    }
    ----- stderr -----
    "#);
}

#[test]
fn a_definition_that_is_not_yaml() {
    let repo = repo_with(GOOD);
    repo.write(
        "models/@me/x/bad.yaml",
        format!("id: {ID}\nname: bad\nglobalArguments:\n  a: [1, 2\n  b: 3\n"),
    );
    assert_snapshot!(repo.marsh(&["model", "method", "run", "bad", "run"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: [repo]/models/@me/x/bad.yaml: illegal placement of ':' indicator
     --> [repo]/models/@me/x/bad.yaml:5:4
      |
    5 |   b: 3
      |    ^
    ");
    assert_snapshot!(repo.marsh(&["--json", "model", "get", "bad"]).snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----
    {
      "error": {
        "code": "invalid_yaml",
        "class": "invalid",
        "message": "[repo]/models/@me/x/bad.yaml: illegal placement of ':' indicator",
        "details": {
          "file": "[repo]/models/@me/x/bad.yaml",
          "line": 5,
          "column": 4,
          "sourceLine": "  b: 3"
        },
        "location": {
          "file": "[repo]/models/@me/x/bad.yaml",
          "line": 5,
          "column": 4,
          "sourceLine": "  b: 3"
        }
      }
    }
    ----- stderr -----
    "#);
}

#[test]
fn an_invalid_definition_is_refused() {
    let repo = repo_with(GOOD);
    repo.write("models/@me/x/a.yaml", definition("@me/x", "a", "").replace(ID, "not-an-id"));
    assert_snapshot!(repo.marsh(&["model", "get", "a"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: [repo]/models/@me/x/a.yaml: invalid `id` `not-an-id`: expected a UUID
    ");
    repo.write("models/@me/x/a.yaml", definition("@me/x", "a", "driver: docker"));
    assert_snapshot!(repo.marsh(&["model", "get", "a"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: [repo]/models/@me/x/a.yaml: `driver` and `driverConfig` are no longer part of the format: delete them
    ");
    repo.write("models/@me/x/a.yaml", "name: a\n");
    assert_snapshot!(repo.marsh(&["model", "get", "a"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: [repo]/models/@me/x/a.yaml: missing field `id`
     --> [repo]/models/@me/x/a.yaml:1:1
      |
    1 | name: a
      | ^
    ");
}

#[test]
fn an_expression_that_cannot_be_evaluated() {
    let repo = repo_with(
        "methods: { run: { description: 'd', arguments: z.object({ a: z.string() }), execute: async () => ({}) } },",
    );
    let with = |expression: &str| {
        let rest = format!("methods:\n  run:\n    arguments:\n      a: \"{expression}\"");
        repo.write("models/@me/x/m.yaml", definition("@me/x", "m", &rest));
        repo.marsh(&["model", "method", "run", "m", "run"]).exits(1).snapshot()
    };
    assert_snapshot!(with("${{ env.NOT_SET_ANYWHERE }}"), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    warning: `m` uses environment variables (env.NOT_SET_ANYWHERE): it may behave differently elsewhere
    error: cannot evaluate `env.NOT_SET_ANYWHERE` in methods.run.arguments.a (models/@me/x/m.yaml:9:15): `env` has no key `NOT_SET_ANYWHERE`
    ");
    assert_snapshot!(with("${{ self.nmae }}"), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: cannot evaluate `self.nmae` in methods.run.arguments.a (models/@me/x/m.yaml:9:15): `self` has no key `nmae`
    ");
    assert_snapshot!(with("${{ self. }}"), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: cannot evaluate `self.` in methods.run.arguments.a (models/@me/x/m.yaml:9:20): the expression ends where a name should be
    ");
}

#[test]
fn an_expression_that_is_wrong_is_pointed_at_before_anything_runs() {
    let repo = repo_with(
        "methods: { run: { description: 'd', arguments: z.object({ a: z.string() }), execute: async () => ({}) } },",
    );
    let rest =
        "methods:\n  run:\n    arguments:\n      a: |\n        first\n        and ${{ inputs.x + nothing }}";
    repo.write("models/@me/x/m.yaml", definition("@me/x", "m", rest));
    assert_snapshot!(repo.marsh(&["model", "validate", "m"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----
    failed m
           expressions: `methods.run.arguments.a`: models/@me/x/m.yaml:11:28: `inputs.x + nothing`: unknown variable `nothing`; known here: env, inputs, model, run, self, workflowRunId, data, file, workers, vault
           warning: `methods.run.arguments.a`: models/@me/x/m.yaml:11:24: `inputs.x + nothing`: `inputs` has no key `x`; a run must pass it, or declare it under `inputs`
    ----- stderr -----
    ");
}

#[test]
fn secrets_without_a_vault() {
    let members = format!(
        "resources: {{ r: {{ description: 'd', schema: z.object({{ key: z.string().meta({{ sensitive: true }}) }}), lifetime: 'infinite', garbageCollection: 1 }} }}, {}",
        method("run", "await context.writeResource('r', 'a', { key: 's3cret' });")
    );
    let repo = repo_with(&members);
    assert_snapshot!(repo.marsh(&run_args(&[])).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: `run` of `@me/x` stores sensitive values, and this repository has no vault for them

    hint: create one: `marsh vault create local_encryption main`
    ");
}
