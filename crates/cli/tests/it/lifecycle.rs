//! What happens around a method: upgrades, checks, expressions, deletion, handles.

use insta::assert_snapshot;
use marsh_testkit::{Run, Scratch};
use serde_json::json;

use crate::support::{OUTPUTS, definition, method, model, repo, repo_running, repo_with, run_args};

const UPGRADED: &str = r#"
  globalArguments: z.object({ host: z.string(), port: z.number() }),
  resources: { out: { description: "anything", schema: z.any(), lifetime: "infinite", garbageCollection: 10 } },
  upgrades: [
    { toVersion: "2025.06.01.1", description: "address became host", upgradeAttributes: ({ address, ...rest }) => ({ ...rest, host: address }) },
    { toVersion: "2026.01.01.1", description: "port has a number", upgradeAttributes: (old) => ({ ...old, port: Number(old.port ?? 80) }) },
  ],
  methods: { run: { description: "Show", arguments: z.object({}), execute: async (_args, context) => {
    await context.writeResource("out", "globals", { ...context.globalArgs });
  } } },"#;

#[test]
fn an_older_definition_is_upgraded_and_keeps_its_expressions() {
    let repo = repo_with(UPGRADED).env("ADDRESS", "db.example");
    let text = "typeVersion: 2025.01.01.1\nglobalArguments: { address: \"${{ env.ADDRESS }}\" }";
    repo.write("models/@me/x/a.yaml", definition("@me/x", "a", text));
    let run = repo.marsh(&["model", "method", "run", "a", "run"]).ok();
    assert_snapshot!(run.snapshot(), @r"
    success: true
    exit_code: 0
    ----- stdout -----
    a run succeeded in [duration]
      globals v1
        host  db.example
        port  80
    ----- stderr -----
    warning: `a` uses environment variables (env.ADDRESS): it may behave differently elsewhere
    upgraded a to 2026.01.01.1
    ");
    assert_snapshot!(repo.read("models/@me/x/a.yaml"), @r#"
    type: "@me/x"
    typeVersion: "2026.01.01.1"
    id: 11111111-2222-4333-8444-555555555555
    name: a
    version: 1
    tags: {}
    globalArguments:
      host: ${{ env.ADDRESS }}
      port: 80
    methods: {}
    "#);
    let again = repo.marsh(&["model", "method", "run", "a", "run"]).ok();
    assert!(!again.stderr.contains("upgraded"), "{}", again.stderr);
}

#[test]
fn two_upgrades_to_one_version_are_applied_in_their_order() {
    let second = "{ toVersion: \"2026.01.01.1\", description: \"and is a high one\", \
                  upgradeAttributes: (old) => ({ ...old, port: old.port + 8000 }) },\n  ],\n  methods";
    let repo = repo_with(&UPGRADED.replace("],\n  methods", second));
    let text = "typeVersion: 2025.06.01.1\nglobalArguments: { host: a, port: \"80\" }";
    repo.write("models/@me/x/a.yaml", definition("@me/x", "a", text));
    for _ in 0..2 {
        let run = repo.marsh(&["--json", "model", "method", "run", "a", "run"]).ok().json();
        assert_eq!(run["dataArtifacts"][0]["attributes"], json!({ "host": "a", "port": 8080 }));
    }
}

#[test]
fn only_the_missing_part_of_the_chain_is_applied() {
    let repo = repo_with(UPGRADED);
    let text = "typeVersion: 2025.06.01.1\nglobalArguments: { host: a, port: \"8080\" }";
    repo.write("models/@me/x/a.yaml", definition("@me/x", "a", text));
    let run = repo.marsh(&["--json", "model", "method", "run", "a", "run"]).ok().json();
    assert_eq!(run["dataArtifacts"][0]["attributes"], json!({ "host": "a", "port": 8080 }));
}

#[test]
fn an_upgrade_that_throws_changes_nothing() {
    let repo = repo_with(
        &UPGRADED.replace("({ ...old, port: Number(old.port ?? 80) })", "{ throw new Error('no way') }"),
    );
    let path = "models/@me/x/a.yaml";
    let before = definition("@me/x", "a", "typeVersion: 2025.06.01.1\nglobalArguments: { host: a }");
    repo.write(path, &before);
    assert_snapshot!(repo.marsh(&["model", "method", "run", "a", "run"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----
    a run failed in [duration]
    ----- stderr -----
    error: the upgrade to 2026.01.01.1 failed: no way
    ");
    assert_eq!(repo.read(path), before);
}

const CHECKED: &str = r#"
  checks: {
    quota: { description: "enough quota", labels: ["live"], execute: async () => ({ pass: false, errors: ["0 of 5 left", "ask for more"] }) },
    login: { description: "logged in", labels: ["live"], appliesTo: ["create"], execute: async () => { throw new Error("not logged in"); } },
    name: { description: "a name", execute: async (context) => ({ pass: context.definition.name === "m" }) },
  },
  methods: {
    create: { description: "c", arguments: z.object({}), execute: async () => ({}) },
    change: { description: "u", arguments: z.object({}), execute: async () => ({}) },
    get: { description: "r", arguments: z.object({}), execute: async () => ({}) },
  },"#;

fn checked(repo: &Scratch, method: &str, more: &[&str]) -> Run {
    repo.marsh(&[&["model", "method", "run", "@me/x", method, "m"], more].concat())
}

#[test]
fn checks_run_before_what_changes_something() {
    let repo = repo_with(CHECKED);
    assert_snapshot!(checked(&repo, "create", &[]).snapshot(), @"
    success: false
    exit_code: 1
    ----- stdout -----
    m create failed in [duration]
    ----- stderr -----
    created the definition m
    error: pre-flight checks failed
      quota: 0 of 5 left; ask for more
      login: not logged in
    ");
    assert_snapshot!(checked(&repo, "change", &[]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----
    m change failed in [duration]
    ----- stderr -----
    error: pre-flight check failed
      quota: 0 of 5 left; ask for more
    ");
    checked(&repo, "get", &[]).ok();
}

#[test]
fn checks_can_be_skipped_by_name_label_or_all() {
    let repo = repo_with(CHECKED);
    checked(&repo, "create", &["--skip-checks"]).ok();
    checked(&repo, "create", &["--skip-check", "quota", "--skip-check", "login"]).ok();
    checked(&repo, "create", &["--skip-check-label", "live"]).ok();
    let one = checked(&repo, "create", &["--skip-check", "quota"]).exits(1);
    assert!(one.stderr.contains("not logged in") && !one.stderr.contains("quota"), "{}", one.stderr);
    assert_snapshot!(checked(&repo, "change", &["--skip-check-label", "live", "--verbose"]).snapshot(), @"
    success: true
    exit_code: 0
    ----- stdout -----
    m change succeeded in [duration]
      record  [uuid]
    ----- stderr -----
    checks passed: name
    ");
}

#[test]
fn a_definition_requires_and_skips_checks() {
    let repo = repo_with(CHECKED);
    repo.write(
        "models/@me/x/m.yaml",
        definition("@me/x", "m", "checks: { require: [quota], skip: [login] }"),
    );
    let required = checked(&repo, "create", &["--skip-checks"]).exits(1);
    assert!(required.stderr.contains("quota") && !required.stderr.contains("login"), "{}", required.stderr);
    repo.write("models/@me/x/m.yaml", definition("@me/x", "m", "checks: { skip: [login, quota] }"));
    checked(&repo, "create", &[]).ok();
}

#[test]
fn global_arguments_are_evaluated() {
    let members = format!(
        "globalArguments: z.object({{ a: z.string(), b: z.string(), c: z.string() }}), {OUTPUTS} {}",
        method("run", "await context.writeResource('out', 'globals', { ...context.globalArgs });")
    );
    let repo = repo_with(&members).env("REGION", "eu");
    repo.write(
        "models/@me/x/m.yaml",
        definition(
            "@me/x",
            "m",
            "inputs: { properties: { who: { type: string } } }\nglobalArguments:\n  a: \"in ${{ env.REGION }}\"\n  \
             b: \"${{ inputs.who }}\"\n  c: \"${{ self.name }}-${{ self.globalArguments.b }}\"",
        ),
    );
    let run = repo.marsh(&["--json", "model", "method", "run", "m", "run", "--input", "who=you"]).ok();
    let globals = &run.json()["dataArtifacts"][0]["attributes"];
    assert_eq!((&globals["a"], &globals["b"]), (&json!("in eu"), &json!("you")));
    assert!(globals["c"].as_str().unwrap().starts_with("m-"), "{globals}");
    assert_snapshot!(run.told(), @"warning: `m` uses environment variables (env.REGION): it may behave differently elsewhere");
}

/// An expression that cannot be evaluated hurts only the method that needs it.
#[test]
fn an_unresolved_global_argument_is_an_error_only_when_it_is_read() {
    let members = format!(
        "globalArguments: z.object({{ a: z.string().optional(), b: z.string().optional() }}), {OUTPUTS}
        methods: {{
          careful: {{ description: 'd', arguments: z.object({{}}), execute: async (_a, context) => {{ await context.writeResource('out', 'x', {{ b: context.globalArgs.b }}); }} }},
          curious: {{ description: 'd', arguments: z.object({{}}), execute: async (_a, context) => {{ context.globalArgs.a; }} }},
        }},"
    );
    let repo = repo_with(&members);
    repo.write(
        "models/@me/x/m.yaml",
        definition("@me/x", "m", "globalArguments: { a: \"${{ env.NOT_SET_ANYWHERE }}\", b: ok }"),
    );
    repo.marsh(&["model", "method", "run", "m", "careful"]).ok();
    assert_snapshot!(repo.marsh(&["model", "method", "run", "m", "curious"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----
    m curious failed in [duration]
    ----- stderr -----
    warning: `m` uses environment variables (env.NOT_SET_ANYWHERE): it may behave differently elsewhere
    error: the global argument `a` could not be evaluated: `env` has no key `NOT_SET_ANYWHERE` (models/@me/x/m.yaml:8:10)
      --> extensions/models/x.ts:10:99
       |
    10 |           curious: { description: 'd', arguments: z.object({}), execute: async (_a, context) => { context.globalArgs.a; } },
       |                                                                                                   ^
    ");
}

#[test]
fn deletion_leaves_tombstones_that_reading_and_updating_respect() {
    let one = |name: &str, body: &str| {
        format!(
            "{name}: {{ description: 'd', arguments: z.object({{}}), execute: async (_a, context) => {{ {body} }} }},"
        )
    };
    let members = format!(
        "{OUTPUTS} methods: {{ {} {} {} {} }},",
        one("create", "await context.writeResource('out', 'server', { id: 7 });"),
        one("get", "await context.readResource('server');"),
        one("update", "await context.writeResource('out', 'server', { id: 8 });"),
        one("delete", "")
    );
    let repo = repo_with(&members);
    let run = |method: &str| repo.marsh(&["model", "method", "run", "@me/x", method, "m"]);
    run("get").ok();
    run("create").ok();
    run("delete").ok();
    let tombstone = repo.marsh(&["--json", "data", "get", "m", "server"]).ok().json();
    assert_eq!(tombstone["version"], 2);
    assert_eq!(tombstone["lifecycle"], "deleted");
    assert_eq!(
        (&tombstone["content"]["id"], &tombstone["content"]["deletedByMethod"]),
        (&json!(7), &json!("delete"))
    );
    assert!(tombstone["content"]["deletedAt"].is_string());
    assert_snapshot!(run("get").snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: every result of `m` was deleted (at [time])
    ");
    run("update").exits(1);
    run("create").ok();
    run("get").ok();
}

#[test]
fn ephemeral_results_are_shown_and_not_stored() {
    let repo = repo_running(
        r#"
        await context.writeResource("out", "secretive", { token: 1 }, { lifetime: "ephemeral" });
        const seen = await context.readResource("secretive");
        await context.writeResource("out", "kept", { seen });
        "#,
    );
    let run = repo.marsh(&[&["--json"], run_args(&[]).as_slice()].concat()).ok().json();
    assert_eq!(run["dataArtifacts"][0]["name"], "secretive");
    assert_eq!(run["dataArtifacts"][0]["attributes"], json!({ "token": 1 }));
    assert_eq!(run["dataArtifacts"][0]["path"], json!(null));
    assert_eq!(run["dataArtifacts"][1]["attributes"], json!({ "seen": { "token": 1 } }));
    assert_eq!(repo.marsh(&["--json", "data", "list", "m", "--type", "resource"]).ok().json()["total"], 1);
    repo.marsh(&["data", "get", "m", "secretive"]).exits(1);
}

#[test]
fn returned_handles_decide_what_the_run_shows_and_in_which_order() {
    let repo = repo_running(
        r#"
        const a = await context.writeResource("out", "a", { n: 1 });
        const b = await context.writeResource("out", "b", { n: 2 });
        await context.writeResource("out", "c", { n: 3 });
        return { dataHandles: [b, a] };
        "#,
    );
    let run = repo.marsh(&[&["--json"], run_args(&[]).as_slice()].concat()).ok().json();
    let names: Vec<&str> =
        run["dataArtifacts"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!(
        repo.marsh(&["--json", "data", "list", "m", "--type", "resource"]).ok().json()["total"],
        3,
        "all of it is stored"
    );
}

#[test]
fn two_returned_handles_of_one_name_are_an_error() {
    let repo = repo_running(
        r#"
        const first = await context.writeResource("out", "same", { n: 1 });
        const second = await context.writeResource("out", "same", { n: 2 });
        return { dataHandles: [first, second] };
        "#,
    );
    assert_snapshot!(repo.marsh(&run_args(&[])).snapshot(), @"
    success: false
    exit_code: 1
    ----- stdout -----
    m run failed in [duration]
      same v1
        n  1
      same v2
        n  2
    ----- stderr -----
    created the definition m
    error: the method returned two results named `same`
    ");
}

#[test]
fn a_method_may_take_back_what_it_wrote_when_it_fails() {
    let members = format!(
        "{OUTPUTS} methods: {{ run: {{ description: 'd', arguments: z.object({{}}), rollbackOnFailure: true, execute: async (_a, context) => {{
          await context.writeResource('out', 'a', {{ n: 1 }});
          throw new Error('too late');
        }} }} }},"
    );
    let repo = repo_with(&members);
    repo.marsh(&run_args(&[])).exits(1);
    assert_eq!(repo.marsh(&["--json", "data", "list", "m", "--type", "resource"]).ok().json()["total"], 0);
    repo.assert_sound();
}

/// An extension may bring zod 3, whose schemas look different.
#[test]
fn zod_3_schemas_work_like_those_of_zod_4() {
    let repo = repo();
    let source = model(
        "@me/x",
        &format!(
            "{OUTPUTS} methods: {{ run: {{ description: 'd', arguments: z.object({{ n: z.number().default(2), yes: z.boolean().optional() }}), \
             execute: async (args, context) => {{ await context.writeResource('out', 'args', args); }} }} }},"
        ),
    );
    repo.write("extensions/models/x.ts", source.replace("npm:zod@4.3.6", "npm:zod@3.25.76/v3"));
    let run = repo.marsh(&[&["--json"], run_args(&["--input", "yes=true"]).as_slice()].concat()).ok().json();
    assert_eq!(run["dataArtifacts"][0]["attributes"], json!({ "n": 2, "yes": true }));
    repo.marsh(&run_args(&["--input", "n=x"])).exits(1);
}
