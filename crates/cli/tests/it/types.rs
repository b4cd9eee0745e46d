//! Types: search and describe, without running methods.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::{method, model, repo, repo_running, repo_with, run_args};

/// A per-user cache of the test's own, inside its repository.
const CACHE: &str = "own-cache";

const RICH: &str = r#"
  globalArguments: z.object({ region: z.string().describe("where"), dry: z.boolean().default(false) }),
  resources: { server: { description: "a server", schema: z.object({ id: z.string() }), lifetime: "infinite", garbageCollection: 5, tags: { team: "a" } } },
  files: { log: { contentType: "text/plain", lifetime: "7d", garbageCollection: 3, streaming: true } },
  checks: { quota: { description: "enough quota", labels: ["live"], appliesTo: ["create"], execute: async () => ({ pass: true }) } },
  methods: {
    create: {
      description: "Create a server",
      arguments: z.object({
        name: z.string().min(1).describe("its name"),
        size: z.enum(["small", "large"]).default("small"),
        tags: z.array(z.string()).optional(),
        disk: z.object({ gb: z.number().int().positive() }).nullable(),
      }),
      execute: async () => ({}),
    },
    look: { description: "Look", arguments: z.object({}), kind: "read", execute: async () => ({}) },
  },"#;

#[test]
fn describe_gives_json_schema() {
    let repo = repo_with(RICH);
    let json = repo.marsh(&["--json", "model", "type", "describe", "@me/x"]).ok().json();
    assert_eq!(json["type"], json!({ "raw": "@me/x", "normalized": "@me/x" }));
    let arguments = &json["methods"][0]["arguments"];
    assert_eq!(
        *arguments,
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "name": { "type": "string", "minLength": 1, "description": "its name" },
                "size": { "type": "string", "enum": ["small", "large"], "default": "small" },
                "tags": { "type": "array", "items": { "type": "string" } },
                "disk": { "anyOf": [
                    {
                        "type": "object",
                        "properties": { "gb": { "type": "integer", "exclusiveMinimum": 0, "maximum": 9007199254740991_i64 } },
                        "required": ["gb"],
                        "additionalProperties": false,
                    },
                    { "type": "null" },
                ] },
            },
            "required": ["name", "disk"],
            "additionalProperties": false,
        }),
        "what has a default is not required; unknown keys are refused"
    );
    assert_eq!(json["globalArguments"]["required"], json!(["region"]));
    assert_eq!(json["methods"][1]["kind"], "read");
    assert_eq!(
        json["checks"],
        json!([{ "name": "quota", "description": "enough quota", "labels": ["live"], "appliesTo": ["create"] }])
    );
    assert_eq!(json["dataOutputSpecs"][0]["specName"], "server");
    assert_eq!(json["dataOutputSpecs"][1]["contentType"], "text/plain");
}

#[test]
fn describe_reads_as_text() {
    let repo = repo_with(RICH);
    assert_snapshot!(repo.marsh(&["model", "type", "describe", "@me/x"]).snapshot(), @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    @me/x 2026.01.01.1

    global arguments
      region  string   required       where
      dry     boolean  default false

    methods
      create  Create a server
        name  string         required         its name
        size  small | large  default "small"
        tags  string[]
        disk  object | null  required
      look  Look

    outputs
      server  resource, infinite  a server
      log     file, 7d
    ----- stderr -----
    "#);
    assert_snapshot!(repo.marsh(&["model", "type", "describe", "@me/x", "--compact"]).snapshot(), @"
    success: true
    exit_code: 0
    ----- stdout -----
    @me/x 2026.01.01.1

    global arguments
      region  string
      dry     boolean

    methods
      create name size tags disk
      look
    ----- stderr -----
    ");
    assert_snapshot!(repo.marsh(&["--json", "model", "type", "describe", "@me/x", "--compact"]).snapshot(), @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "type": {
        "raw": "@me/x",
        "normalized": "@me/x"
      },
      "version": "2026.01.01.1",
      "globalArguments": {
        "region": "string",
        "dry": "boolean"
      },
      "methods": [
        {
          "name": "create",
          "arguments": {
            "name": "string",
            "size": "small | large",
            "tags": "string[]",
            "disk": "object | null"
          }
        },
        {
          "name": "look",
          "arguments": {}
        }
      ]
    }
    ----- stderr -----
    "#);
}

#[test]
fn method_describe_shows_one_method() {
    let repo = repo_with(RICH);
    repo.marsh(&["model", "create", "@me/x", "a", "--global-arg", "region=eu"]).ok();
    assert_snapshot!(repo.marsh(&["model", "method", "describe", "a", "create"]).snapshot(), @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    a create
      Create a server
      name  string         required         its name
      size  small | large  default "small"
      tags  string[]
      disk  object | null  required
    ----- stderr -----
    "#);
    let json = repo.marsh(&["--json", "model", "method", "describe", "a", "look"]).ok().json();
    assert_eq!(json["method"]["name"], "look");
    assert_eq!(json["modelType"], "@me/x");
}

#[test]
fn the_built_in_type_is_described_too() {
    let repo = repo();
    assert_snapshot!(repo.marsh(&["model", "type", "describe", "command/shell"]).snapshot(), @r"
    success: true
    exit_code: 0
    ----- stdout -----
    command/shell 2026.02.09.1

    methods
      execute  Run a command line
        run             string   required  the command line, passed to `sh -c`
        workingDir      string             where it runs; default: the current directory
        timeout         integer            milliseconds
        env             object
        ignoreExitCode  boolean

    outputs
      result  resource, infinite  Exit code and output
      log     file, infinite      What the command printed
    ----- stderr -----
    ");
}

#[test]
fn search_reads_declarations_without_running_them() {
    let repo = repo();
    repo.write(
        "extensions/models/a.ts",
        model("@me/apple", "methods: {},") + "throw new Error('never run');",
    );
    repo.write("extensions/models/deep/b.ts", model("@me/banana", "methods: {},"));
    repo.write("extensions/models/b_test.ts", model("@me/tested", "methods: {},"));
    repo.write("extensions/models/_private.ts", model("@me/private", "methods: {},"));
    repo.write("extensions/models/helper.ts", "export const help = 1;\n");
    assert_snapshot!(repo.marsh(&["model", "type", "search"]).snapshot(), @r"
    success: true
    exit_code: 0
    ----- stdout -----
    @me/apple      2026.01.01.1  local
    @me/banana     2026.01.01.1  local
    command/shell  2026.02.09.1  builtin
    ----- stderr -----
    ");
    assert_snapshot!(repo.marsh(&["--json", "model", "type", "search", "BAN"]).snapshot(), @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "query": "BAN",
      "results": [
        {
          "raw": "@me/banana",
          "normalized": "@me/banana",
          "version": "2026.01.01.1",
          "origin": "local",
          "path": "[repo]/extensions/models/deep/b.ts"
        }
      ]
    }
    ----- stderr -----
    "#);
    let near = repo.marsh(&["--json", "model", "type", "search", "aple"]).ok().json();
    assert_eq!(near["results"][0]["normalized"], "@me/apple", "the near ones when nothing matches");
}

/// A host keeps compiled code in the user's cache as soon as it loads anything, so a cache that stays empty says that
/// none ran.
#[test]
fn reading_starts_no_host() {
    let repo = repo_running("await context.writeResource('out', 'r', { a: 1 });");
    let cache = repo.path(CACHE);
    let repo = repo.env("MARSH_CACHE_DIR", cache.as_os_str());
    let bytecode = format!("{CACHE}/bytecode");
    repo.marsh(&run_args(&[])).ok();
    assert!(repo.exists(&bytecode), "the probe works");
    repo.remove(&bytecode);
    let reads: [&[&str]; 9] = [
        &["model", "type", "search"],
        &["model", "type", "describe", "@me/x"],
        &["model", "search"],
        &["model", "get", "m"],
        &["model", "validate"],
        &["model", "output", "search"],
        &["model", "output", "get", "m"],
        &["data", "list", "m"],
        &["data", "get", "m", "r"],
    ];
    for read in reads {
        repo.marsh(read).ok();
        assert!(!repo.exists(&bytecode), "{read:?} started a host");
    }
    repo.marsh(&run_args(&[])).ok();
    assert!(repo.exists(&bytecode), "the probe still works");
}

#[test]
fn a_source_that_cannot_be_read_is_a_warning_for_the_others() {
    let repo = repo_with(&method("run", "return {};"));
    repo.write(
        "extensions/models/broken.ts",
        "export const model = {\n  type: \"@me/broken\",\n  methods: {{\n};\n",
    );
    let run = repo.marsh(&["--json", "model", "type", "search"]).ok();
    let json = run.json();
    let names: Vec<&str> =
        json["results"].as_array().unwrap().iter().map(|one| one["raw"].as_str().unwrap()).collect();
    assert_eq!(names, ["@me/x", "command/shell"]);
    assert_snapshot!(run.told(), @"warning: extensions/models/broken.ts:3: Unexpected token");
}

/// A type whose name only running the code tells.
#[test]
fn a_computed_type_is_found() {
    let repo = repo();
    let source = model("@me/placeholder", &method("run", "return {};"))
        .replace("\"@me/placeholder\"", "[\"@me\", \"computed\"].join(\"/\")");
    repo.write("extensions/models/c.ts", source);
    repo.marsh(&["model", "method", "run", "@me/computed", "run", "m"]).ok();
}

#[test]
fn an_unknown_type_names_near_ones() {
    let repo = repo_with(&method("run", "return {};"));
    assert_snapshot!(repo.marsh(&["model", "type", "describe", "@me/xx"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: unknown model type `@me/xx`

    hint: did you mean `@me/x`?
    ");
    assert_snapshot!(repo.marsh(&["model", "create", "command/shel", "a"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: unknown model type `command/shel`

    hint: did you mean `command/shell`?
    ");
    assert_snapshot!(repo.marsh(&["--json", "model", "create", "@nobody/nothing", "a"]).snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----
    {
      "error": {
        "code": "unknown_model_type",
        "class": "not_found",
        "message": "unknown model type `@nobody/nothing`",
        "hint": "`marsh extension pull @nobody/nothing` would install it, but no registry is configured: name one with `--registry`, MARSH_REGISTRY, or `registry` in `.swamp.yaml`",
        "details": {
          "near": [],
          "diagnostics": []
        }
      }
    }
    ----- stderr -----
    "#);
}
