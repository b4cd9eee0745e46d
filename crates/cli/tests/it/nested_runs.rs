//! `context.runModel`: a method that runs methods of other models.

use marsh_testkit::{ExtensionRegistry, Package, Scratch};
use serde_json::{Value, json};

use crate::support::{OUTPUTS, V1, V2, extension, method, model, repo, repo_of, repo_running, run_args};

/// A type with a method that adds, one that throws, one that calls itself through another model, and a check.
fn callee() -> String {
    model(
        "@me/callee",
        &format!(
            r#"{OUTPUTS}
            globalArguments: z.object({{ base: z.number().default(100) }}),
            checks: {{ positive: {{ description: "d", execute: (context) =>
              context.globalArgs.base > 0 ? {{ pass: true }} : {{ pass: false, errors: ["base is not positive"] }} }} }},
            methods: {{
              add: {{ description: "d", arguments: z.object({{ n: z.number() }}), execute: async ({{ n }}, context) => {{
                const handle = await context.writeResource("out", "sum", {{ sum: context.globalArgs.base + n }});
                return {{ dataHandles: [handle] }};
              }} }},
              fail: {{ description: "d", arguments: z.object({{}}), execute: () => {{ throw new Error("no luck"); }} }},
              again: {{ description: "d", arguments: z.object({{}}), execute: async (_args, context) => {{
                const inner = await context.runModel({{ definition: context.definition.name, method: "again" }});
                await context.writeResource("out", "again", inner);
              }} }},
            }},"#
        ),
    )
}

/// What the method of `m` saw, and the repository afterwards. `sum` is a definition of `@me/callee`.
fn seen(body: &str) -> (Scratch, Value) {
    let repo = repo_running(&format!(
        "const seen = {{}};\n{body}\nawait context.writeResource('out', 'seen', seen);"
    ));
    repo.write("extensions/models/callee.ts", callee());
    repo.marsh(&["model", "create", "@me/callee", "sum", "--global-arg", "base=5"]).ok();
    repo.marsh(&run_args(&["--tag", "team=red"])).ok();
    let value = repo.marsh(&["--json", "data", "get", "m", "seen"]).ok().json()["content"].clone();
    (repo, value)
}

#[test]
fn nested_run_returns_its_handles_and_leaves_a_record_that_names_the_caller() {
    let (repo, seen) = seen(
        r#"
        const ran = await context.runModel({ definition: "sum", method: "add", arguments: { n: 2 } });
        seen.ok = ran.ok;
        seen.resources = ran.resources.map(({ name, kind, specName, attributes }) => ({ name, kind, specName, attributes }));
        "#,
    );
    let expected = json!({
        "ok": true,
        "resources": [{ "name": "sum", "kind": "resource", "specName": "out", "attributes": { "sum": 7 } }],
    });
    assert_eq!(seen, expected);
    let record = repo.marsh(&["--json", "model", "output", "get", "sum"]).ok().json();
    let caller = repo.marsh(&["--json", "model", "output", "get", "m"]).ok().json();
    assert_eq!(record["provenance"]["triggeredBy"], "model", "{record}");
    assert_eq!(record["provenance"]["parentOutputId"], caller["id"], "{record}");
    let stored = repo.marsh(&["--json", "data", "get", "sum", "sum"]).ok().json();
    assert_eq!(stored["tags"]["team"], "red", "the tags of the run go down to nested runs: {stored}");
}

#[test]
fn global_argument_of_a_nested_run_holds_for_that_call_alone() {
    let (repo, seen) = seen(
        r#"
        const sum = async (args) => (await context.runModel({ definition: "sum", method: "add", arguments: args })).resources[0].attributes.sum;
        seen.sums = [await sum({ n: 1, base: 50 }), await sum({ n: 1 })];
        "#,
    );
    assert_eq!(seen, json!({ "sums": [51, 6] }));
    let definition = repo.marsh(&["--json", "model", "get", "sum"]).ok().json();
    assert_eq!(definition["globalArguments"], json!({ "base": 5 }));
}

#[test]
fn nested_run_of_a_type_creates_the_definition_once() {
    let (repo, seen) = seen(
        r#"
        const run = () => context.runModel({ modelType: "@me/callee", name: "made", method: "add", arguments: { n: 1, base: 2 } });
        const ran = [await run(), await run()];
        seen.sums = ran.map(({ resources }) => resources[0].attributes.sum);
        "#,
    );
    assert_eq!(seen, json!({ "sums": [3, 3] }));
    let definition = repo.marsh(&["--json", "model", "get", "made"]).ok().json();
    assert_eq!(definition["globalArguments"], json!({ "base": 2 }));
}

#[test]
fn failure_of_a_nested_run_is_a_result_with_its_reason() {
    let (repo, seen) = seen(
        r#"
        const said = async (options) => {
          const ran = await context.runModel(options);
          return [ran.ok, ran.error?.message];
        };
        seen.threw = await said({ definition: "sum", method: "fail" });
        seen.nobody = await said({ definition: "nobody", method: "add" });
        seen.noDefinition = await said({ method: "add" });
        seen.noType = await said({ modelType: "@me/none", name: "x", method: "add" });
        seen.noMethod = await said({ definition: "sum", method: "none" });
        seen.unknown = await said({ definition: "sum", method: "add", arguments: { n: 1, m: 2 } });
        seen.wrong = (await said({ definition: "sum", method: "add", arguments: { n: "x" } }))[0];
        seen.check = await said({ definition: "sum", method: "add", arguments: { n: 1, base: -1 } });
        try { await context.runModel("sum"); } catch (error) { seen.text = error instanceof TypeError; }
        "#,
    );
    let text = |key: &str| {
        assert_eq!(seen[key][0], false, "{key}: {seen}");
        seen[key][1].as_str().unwrap().to_owned()
    };
    assert_eq!(text("threw"), "no luck");
    assert_eq!(text("nobody"), "unknown model `nobody`");
    assert_eq!(text("noDefinition"), "unknown model `undefined`");
    assert!(text("noType").contains("@me/none"), "{seen}");
    assert_eq!(text("noMethod"), "`@me/callee` has no method `none`");
    assert!(text("unknown").contains("inputs of `add`"), "{seen}");
    assert_eq!(seen["wrong"], false);
    assert!(text("check").contains("base is not positive"), "{seen}");
    assert_eq!(seen["text"], true);
    let failed = repo.marsh(&["--json", "model", "output", "search", "sum"]).ok().json();
    let failed: Vec<&str> = failed["results"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|run| run["status"] == "failed")
        .map(|run| run["methodName"].as_str().unwrap())
        .collect();
    assert!(failed.contains(&"fail"), "a nested run that failed has its record: {failed:?}");
}

#[test]
fn method_that_runs_itself_is_refused_at_the_second_level() {
    let repo = repo();
    repo.write("extensions/models/callee.ts", callee());
    repo.marsh(&["model", "create", "@me/callee", "sum"]).ok();
    repo.marsh(&["model", "method", "run", "sum", "again"]).ok();
    let read = |version: &str| {
        repo.marsh(&["--json", "data", "get", "sum", "again", "--version", version]).ok().json()["content"]
            .clone()
    };
    let refused = read("1");
    assert_eq!(refused["ok"], false);
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("it is running already: @me/callee::again → @me/callee::again"), "{message}");
    assert_eq!(read("2")["ok"], true);
}

#[test]
fn nested_runs_of_one_run_are_bounded() {
    let (_repo, seen) = seen(
        r#"
        seen.ran = 0;
        for (let n = 0; n < 120; n++) {
          const ran = await context.runModel({ definition: "sum", method: "add", arguments: { n } });
          if (ran.ok) seen.ran += 1; else seen.error = ran.error.message;
        }
        "#,
    );
    assert_eq!(seen["ran"], 100);
    assert!(seen["error"].as_str().unwrap().ends_with("a run has at most 100 nested runs"), "{seen}");
}

/// An installed extension reaches only extensions that its manifest names.
#[test]
fn installed_extension_runs_only_what_its_manifest_names() {
    let caller = method(
        "run",
        r#"const ran = await context.runModel({ modelType: "@two/callee", name: "callee", method: "run" });
        if (!ran.ok) throw new Error(ran.error.message);"#,
    );
    let (caller, callee) = (model("@one/caller", &caller), model("@two/callee", &method("run", "")));
    let package = |version| Package::new("@one/caller", version).source("caller.ts", &caller);
    let registry =
        ExtensionRegistry::with(&[package(V1), Package::new("@two/callee", V1).source("callee.ts", &callee)]);
    let repo = repo_of(&registry);
    for name in ["@one/caller", "@two/callee"] {
        extension(&repo, &["pull", name]).ok();
    }
    let run = || repo.marsh(&["model", "method", "run", "@one/caller", "run", "m"]);
    let refused = run().exits(1).stderr;
    let reason =
        "`@two/callee` is not a dependency of `@one/caller`; add it to `dependencies` in its manifest";
    assert!(refused.contains(reason), "{refused}");
    registry.publish(&package(V2).needs("@two/callee"));
    extension(&repo, &["update"]).ok();
    run().ok();
}
