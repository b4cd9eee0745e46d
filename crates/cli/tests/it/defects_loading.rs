//! Known ways in which code goes stale, is run twice, or is taken for what it is not.

#![expect(clippy::disallowed_methods, reason = "these tests set the scene that marsh then acts on")]

use marsh_testkit::{ExtensionRegistry, Scratch};
use serde_json::Value;

use crate::support::{
    OUTPUTS, V1, active_types, extension, method, model, package, repo, repo_of, repo_running, run_args,
};

fn plain(type_name: &str, version: &str) -> String {
    format!("export const model = {{ type: \"{type_name}\", version: \"{version}\", methods: {{}} }};\n")
}

fn described(repo: &Scratch, type_name: &str) -> Result<Value, Value> {
    let run = repo.marsh(&["--json", "model", "type", "describe", type_name]);
    if run.code == Some(0) { Ok(run.json()["version"].clone()) } else { Err(run.error()["code"].clone()) }
}

/// What the method of `@me/x` wrote.
fn written(repo: &Scratch) -> Value {
    let run = repo.marsh(&[&["--json"], run_args(&[]).as_slice()].concat()).ok().json();
    run["dataArtifacts"][0]["attributes"].clone()
}

/// An edit whose build fails runs no old code; once fixed, it runs as it is then. Edited code of an installed extension does
/// not run (`verified.rs`).
#[test]
fn defect_04_no_fingerprint_stands_for_code_that_was_not_built_from_it() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@s/a"]).ok();
    let installed = ".swamp/pulled-extensions/@s/a/models/main.ts";
    repo.write("extensions/models/x.ts", plain("@me/x", V1));
    let cases = [
        ("extensions/models/x.ts", "@me/x", Err("bundle_failed".into()), Ok("2026.05.05.5".into())),
        (installed, "@s/a", Err("edited".into()), Err("edited".into())),
    ];
    for (path, type_name, broken, mended) in cases {
        assert_eq!(described(&repo, type_name), Ok(V1.into()));
        repo.set_writable(path, true);
        let text = format!("import {{ gone }} from './gone.ts';\nvoid gone;\n{}", plain(type_name, V1));
        repo.write(path, text);
        for _ in 0..2 {
            assert_eq!(described(&repo, type_name), broken, "{path}");
        }
        repo.write(path, plain(type_name, "2026.05.05.5"));
        assert_eq!(described(&repo, type_name), mended, "{path}");
    }
}

/// In one process: a failure to load is asked again, not remembered.
#[test]
fn defect_15_a_type_that_failed_to_load_loads_later_in_the_same_process() {
    let repo = repo_running("await context.writeResource('out', 'said', { word: 'mended' });");
    let good = repo.path("good.ts");
    let definition = |type_name: &str, name: &str, rest: &str| {
        repo.marsh(&["model", "create", type_name, name]).ok();
        let path =
            repo.files("models").into_iter().find(|path| path.ends_with(&format!("/{name}.yaml"))).unwrap();
        let path = format!("models/{path}");
        repo.write(&path, repo.read(&path).replace("methods: {}\n", "") + rest);
    };
    definition("@me/x", "m", "");
    let mend = format!("cp {} extensions/models/x.ts", good.display());
    definition(
        "command/shell",
        "mender",
        &format!("methods:\n  execute:\n    arguments:\n      run: {mend}\n"),
    );
    std::fs::rename(repo.path("extensions/models/x.ts"), &good).unwrap();
    repo.write("extensions/models/x.ts", format!("import './gone.ts';\n{}", plain("@me/x", V1)));
    repo.write(
        "workflows/workflow-11111111-2222-4333-8444-555555555556.yaml",
        "id: 11111111-2222-4333-8444-555555555556\nname: mend\njobs:\n  - name: main\n    steps:\n      \
         - name: broken\n        task: { type: model_method, modelIdOrName: m, methodName: run }\n        allowFailure: true\n      \
         - name: mend\n        task: { type: model_method, modelIdOrName: mender, methodName: execute }\n        \
         dependsOn: [{ step: broken, condition: { type: completed } }]\n      \
         - name: again\n        task: { type: model_method, modelIdOrName: m, methodName: run }\n        \
         dependsOn: [{ step: mend, condition: { type: succeeded } }]\n",
    );
    let run = repo.marsh(&["--json", "workflow", "run", "mend"]);
    let document = run.json();
    let steps = document["jobs"][0]["steps"].as_array().unwrap_or_else(|| panic!("{document:#}"));
    let statuses: Vec<&str> = steps.iter().map(|step| step["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["failed", "succeeded", "succeeded"], "{document:#}");
}

/// A method extension that could not be read at first is one when it can, and never its base type.
#[test]
fn defect_17_a_method_extension_that_failed_first_is_not_a_model() {
    let repo = repo();
    repo.write("extensions/models/base.ts", plain("@me/base", V1));
    let graft = "export const extension = { type: '@me/base', methods: [{ extra: { description: 'x', \
                 arguments: z.object({}), execute: async () => ({}) } }] };\n";
    let graft = &format!("import {{ z }} from 'npm:zod@4.3.6';\n{graft}");
    repo.write("extensions/models/aaa_graft.ts", format!("{graft}const = ;\n"));
    assert_eq!(active_types(&repo, "@me"), ["@me/base"]);
    repo.write("extensions/models/aaa_graft.ts", graft);
    for _ in 0..2 {
        assert_eq!(active_types(&repo, "@me"), ["@me/base"]);
        let found = repo.marsh(&["--json", "model", "type", "search", "@me/base"]).ok().json();
        let path = found["results"][0]["path"].as_str().unwrap();
        assert!(path.ends_with("extensions/models/base.ts"), "{found:#}");
    }
    assert_eq!(described(&repo, "@me/base"), Ok(V1.into()));
    repo.marsh(&["doctor", "extensions"]).ok();
}

#[test]
fn defect_18_sources_in_a_custom_directory_are_not_orphans() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
    let repo = repo_of(&registry);
    repo.write(".swamp.yaml", repo.read(".swamp.yaml") + "modelsDir: code/models\n");
    repo.write("code/models/x.ts", plain("@me/x", V1));
    assert_eq!(active_types(&repo, "@me"), ["@me/x"]);
    extension(&repo, &["pull", "@s/a"]).ok();
    let report = repo.marsh(&["--json", "doctor", "extensions", "--repair"]).ok().json();
    assert_eq!(report["orphanFiles"], serde_json::json!([]), "{report:#}");
    extension(&repo, &["rm", "--yes", "@s/a"]).ok();
    extension(&repo, &["gc", "--apply"]).ok();
    assert_eq!(described(&repo, "@me/x"), Ok(V1.into()));
    assert!(repo.exists("code/models/x.ts") && repo.exists("code/models/upstream_extensions.json"));
}

/// Each of the forms in which one file can need another. (Import maps, JSON and helpers of helpers: `freshness.rs`.)
#[test]
fn defect_42_every_form_of_import_is_part_of_the_fingerprint() {
    for (form, word) in [
        ("import './_side.ts';", "globalThis.word"),
        ("const { word } = await import('./_side.ts');", "word"),
        ("export { word as other } from './_side.ts'; import { word } from './_side.ts';", "word"),
        ("import * as side from './_side.ts';", "side.word"),
    ] {
        let repo = repo();
        let side = |word: &str| {
            format!("export const word = '{word}';\n(globalThis as Record<string, unknown>).word = word;\n")
        };
        let body = format!("await context.writeResource('out', 'said', {{ word: {word} }});");
        repo.write(
            "extensions/models/x.ts",
            format!("{form}\n{}", model("@me/x", &format!("{OUTPUTS} {}", method("run", &body)))),
        );
        for word in ["one", "two"] {
            repo.write("extensions/models/_side.ts", side(word));
            assert_eq!(written(&repo)["word"], word, "{form}");
        }
    }
}

/// Describing a type and running its method is one evaluation of its module, from nothing and later.
#[test]
fn defect_44_a_module_is_evaluated_once_in_a_process() {
    let repo = repo_running("await context.writeResource('out', 'said', { count: globalThis.count });");
    let log = repo.path("evaluated");
    let source = repo.read("extensions/models/x.ts");
    repo.write(
        "extensions/models/x.ts",
        format!(
            "Deno.writeTextFileSync({:?}, 'x', {{ append: true }});\nglobalThis.count = (globalThis.count ?? 0) + 1;\n{source}",
            log.display().to_string()
        ),
    );
    for run in 1..=2 {
        assert_eq!(written(&repo)["count"], 1);
        assert_eq!(repo.read("evaluated").len(), run, "once for each process that runs it");
    }
}

#[test]
fn defect_45_zod_is_one_however_it_is_imported() {
    let repo = repo();
    repo.write("extensions/models/_a.ts", "export { z } from \"npm:zod@4.3.6\";\n");
    repo.write("extensions/models/_b.ts", "import z from \"npm:zod@4.3.6\";\nexport { z };\n");
    repo.write("extensions/models/_c.ts", "import * as z from \"npm:zod@4.3.6/v4\";\nexport { z };\n");
    let body = "const all = [a.string, b.string, c.string].map((one) => one === z.string);
                const instance = a.string() instanceof c.ZodType;
                await context.writeResource('out', 'said', { all, instance });";
    let imports = "import { z as a } from './_a.ts';\nimport { z as b } from './_b.ts';\nimport { z as c } from './_c.ts';\n";
    repo.write(
        "extensions/models/x.ts",
        imports.to_owned() + &model("@me/x", &format!("{OUTPUTS} {}", method("run", body))),
    );
    let said = written(&repo);
    assert_eq!(said["all"], serde_json::json!([true, true, true]), "{said}");
    assert_eq!(said["instance"], true, "{said}");
}

/// What a file declares is read by a parser, the same from nothing and from what is remembered.
#[test]
fn defect_46_visible_is_what_is_declared_cold_and_warm() {
    let repo = repo();
    repo.write(
        "extensions/models/x.ts",
        format!(
            "// export const model = {{ type: '@me/comment' }};\nconst text = `export const model = {{ type: '@me/text' }}`;\nvoid text;\n{}",
            plain("@me/x", V1)
        ),
    );
    repo.write("extensions/models/typed.ts", "const model: { type: string } = { type: '@me/typed', version: '2026.01.01.1', methods: {} } as never;\nexport { model };\n");
    repo.write("extensions/models/x_test.ts", plain("@me/test", V1));
    repo.write("extensions/models/helper.ts", "export const help = 1;\n");
    let cold = active_types(&repo, "@me");
    assert_eq!(cold, ["@me/typed", "@me/x"]);
    assert_eq!(active_types(&repo, "@me"), cold, "warm");
    repo.remove(".swamp/marsh/v1");
    assert_eq!(active_types(&repo, "@me"), cold, "cold again");
    for (type_name, expected) in
        [("@me/x", true), ("@me/typed", true), ("@me/test", false), ("@me/text", false)]
    {
        assert_eq!(described(&repo, type_name).is_ok(), expected, "{type_name}");
    }
}

/// Code runs without unpacking a runtime, so concurrent first runs do not disturb each other.
#[test]
fn defect_64_first_runs_at_once_share_an_empty_cache() {
    let repo = repo().private_cache();
    for index in 0..6 {
        repo.write(&format!("extensions/models/m{index}.ts"), plain(&format!("@me/m{index}"), V1));
    }
    let running: Vec<_> = (0..6)
        .map(|index| repo.spawn(&["--json", "model", "type", "describe", &format!("@me/m{index}")]))
        .collect();
    for run in running {
        assert_eq!(run.wait().ok().json()["version"], V1);
    }
}
