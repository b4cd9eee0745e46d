//! Import, modify, reload: what a living process runs, and which module version that is.

use marsh_testkit::{Expect, ExtensionRegistry, Package, Scratch};
use serde_json::{Value, json};

use super::{BINARY, model, model_running, repo};

#[test]
fn a_modified_source_is_new_content_in_a_runtime_of_its_own() {
    let repo = repo();
    repo.write("extensions/models/x.ts", model("", "'one'"));
    let process = repo.spawn_extension_process(&[]);
    assert_eq!(process.run("@me/x", "run")["word"], "one");
    let one = process.module_version("@me/x");
    repo.write("extensions/models/x.ts", model("", "'two'"));
    assert_eq!(process.trigger_reload()["changed"], json!(["@me/x"]));
    process.assert_module_version("@me/x", Expect::Other(&one));
    process.assert_one_version_alive("@me/x");
    assert_eq!(process.run("@me/x", "run")["word"], "two");
    process.stop().ok();
}

/// Freshness is asked when a call starts; a reload only makes the answer ready.
#[test]
fn without_a_reload_the_next_call_runs_the_new_code() {
    let repo = repo();
    repo.write("extensions/models/x.ts", model("", "'one'"));
    let process = repo.spawn_extension_process(&[]);
    for word in ["one", "two", "three", "two", "one"] {
        repo.write("extensions/models/x.ts", model("", &format!("'{word}'")));
        assert_eq!(process.run("@me/x", "run")["word"], word);
    }
    assert_eq!(process.type_status("@me/x")["reloads"], 4);
    process.stop().ok();
}

/// The seed's fingerprint collision: the same content shares one instance, however often it is saved or asked for.
#[test]
fn equal_fingerprints_share_one_instance() {
    let repo = repo();
    // The counter lives in the module: a second evaluation would start it again.
    let counting = model("let calls = 0;", "++calls");
    repo.write("extensions/models/x.ts", &counting);
    let process = repo.spawn_extension_process(&[]);
    assert_eq!(process.run("@me/x", "run")["word"], 1);
    let first = process.module_version("@me/x");
    repo.write("extensions/models/x.ts", &counting);
    let reloaded = process.trigger_reload();
    assert_eq!(reloaded["changed"], json!([]), "a new time on the same content is no edit");
    assert_eq!(process.run("@me/x", "run")["word"], 2);
    process.assert_module_version("@me/x", Expect::Same(&first));
    process.stop().ok();
}

/// The seed's fingerprint divergence: of several versions of one path the newest is used.
#[test]
fn of_diverging_fingerprints_the_latest_serves() {
    let repo = repo();
    repo.write("extensions/models/x.ts", model("", "0"));
    let process = repo.spawn_extension_process(&[]);
    let mut before = None;
    for number in 0..6 {
        repo.write("extensions/models/x.ts", model("", &number.to_string()));
        process.trigger_reload();
        assert_eq!(process.run("@me/x", "run")["word"], number);
        if let Some(before) = &before {
            process.assert_module_version("@me/x", Expect::Other(before));
        }
        before = Some(process.module_version("@me/x"));
    }
    process.assert_one_version_alive("@me/x");
    assert_eq!(process.memory().leaked, 0);
    process.stop().ok();
}

#[test]
fn a_changed_helper_reloads_its_importers_and_nothing_else() {
    let repo = repo();
    let importing = |type_name: &str, helper: &str| {
        model(&format!("import {{ word }} from './_lib/{helper}.ts';"), "word").replace("@me/x", type_name)
    };
    repo.write("extensions/models/a.ts", importing("@me/a", "shared"));
    repo.write("extensions/models/b.ts", importing("@me/b", "shared"));
    repo.write("extensions/models/c.ts", importing("@me/c", "other"));
    repo.write("extensions/models/_lib/shared.ts", "export const word = 'one';\n");
    repo.write("extensions/models/_lib/other.ts", "export const word = 'still';\n");
    let process = repo.spawn_extension_process(&[]);
    for type_name in ["@me/a", "@me/b", "@me/c"] {
        process.run(type_name, "run");
    }
    let (a, c) = (process.module_version("@me/a"), process.module_version("@me/c"));
    repo.write("extensions/models/_lib/shared.ts", "export const word = 'two';\n");
    assert_eq!(process.trigger_reload()["changed"], json!(["@me/a", "@me/b"]));
    process.assert_module_version("@me/a", Expect::Other(&a));
    process.assert_module_version("@me/c", Expect::Same(&c));
    assert_eq!(process.run("@me/a", "run")["word"], "two");
    assert_eq!(process.run("@me/b", "run")["word"], "two");
    assert_eq!(process.run("@me/c", "run")["word"], "still");
    process.stop().ok();
}

/// What a flag had to guard elsewhere: after a reload a type has each of its methods once, the new ones and not the old.
#[test]
fn after_a_reload_methods_are_neither_twice_nor_lost() {
    let repo = repo();
    let with = |names: &[&str]| {
        let one = |name: &&str| {
            format!(
                "{name}: {{ description: '{name}', arguments: z.object({{}}), execute: async (_a, context) => {{ \
                 await context.writeResource('out', 'said', {{ word: '{name}', names: Object.keys(model.methods) }}); }} }}"
            )
        };
        let methods: Vec<String> = names.iter().map(one).collect();
        let whole = model_running("", "");
        let (head, _) = whole.split_once("methods:").unwrap();
        format!("{head}methods: {{ {} }},\n}};\n", methods.join(", "))
    };
    repo.write("extensions/models/x.ts", with(&["first", "second"]));
    let process = repo.spawn_extension_process(&[]);
    assert_eq!(process.run("@me/x", "first")["names"], json!(["first", "second"]));
    repo.write("extensions/models/x.ts", with(&["second", "third"]));
    process.trigger_reload();
    assert_eq!(process.run("@me/x", "third")["names"], json!(["second", "third"]));
    assert_eq!(process.run("@me/x", "second")["word"], "second");
    assert_eq!(process.try_run("@me/x", "first").unwrap_err()["data"]["code"], "unknown_method");
    repo.write("extensions/models/x.ts", with(&["first", "second"]));
    assert_eq!(process.run("@me/x", "first")["names"], json!(["first", "second"]));
    process.stop().ok();
}

#[test]
fn a_call_in_flight_finishes_on_the_version_it_started_with() {
    let repo = repo();
    let waiting = "for (;;) { try { await Deno.readTextFile(context.repoDir + '/go'); break; } catch { \
                   await new Promise((next) => setTimeout(next, 5)); } }\n\
                   await context.writeResource('out', 'said', { word: 'old' });";
    repo.write("extensions/models/x.ts", model_running("", waiting));
    let process = repo.spawn_extension_process(&[]);
    let mut connection = process.connect();
    let params = json!({ "target": "@me/x", "name": "m", "method": "run" });
    connection.send("call", params);
    marsh_testkit::wait_for("the call to run", || {
        let status = process.status();
        (status["types"][0]["inFlight"] == 1).then_some(())
    });
    repo.write("extensions/models/x.ts", model("", "'new'"));
    process.trigger_reload();
    assert_eq!(process.run("@me/x", "run")["word"], "new");
    assert_eq!(process.type_status("@me/x")["versionsAlive"], 2);
    repo.write("go", "");
    let (_, old) = connection.receive(&mut |_| {});
    assert_eq!(old.unwrap()["dataArtifacts"][0]["attributes"]["word"], "old");
    process.assert_one_version_alive("@me/x");
    assert_eq!(process.memory().leaked, 0);
    process.stop().ok();
}

#[test]
fn a_reload_without_an_edit_loads_nothing() {
    let repo = repo();
    repo.write("extensions/models/x.ts", model("", "'one'"));
    let process = repo.spawn_extension_process(&[]);
    process.run("@me/x", "run");
    let before = process.module_version("@me/x");
    let started = process.status()["hosts"][0]["runtimesStarted"].clone();
    for _ in 0..5 {
        let reloaded = process.trigger_reload();
        assert_eq!((&reloaded["changed"], &reloaded["failed"]), (&json!([]), &json!([])));
    }
    process.assert_module_version("@me/x", Expect::Same(&before));
    assert_eq!(process.status()["hosts"][0]["runtimesStarted"], started);
    process.stop().ok();
}

/// A thousand types: a reload looks at the files, and starts no host.
#[test]
fn a_reload_of_a_thousand_types_imports_nothing() {
    let repo = repo();
    write_many(&repo, 1000);
    let process = repo.spawn_extension_process(&[]);
    let reloaded = process.trigger_reload();
    assert_eq!(reloaded["types"], 1000);
    assert_eq!(process.status()["hosts"], json!([]));
    assert_eq!(repo.hosts(), [] as [u32; 0]);
    assert_eq!(repo.list(".swamp/marsh/v1/bundles"), [] as [String; 0]);
    process.stop().ok();
}

/// Of many types that were called only so many stay loaded. A reload loads none of the others again.
#[test]
fn nor_does_it_when_more_were_called_than_stay_loaded() {
    const CALLED: usize = 70;
    let repo = repo();
    write_many(&repo, 1000);
    let process = repo.spawn_extension_process(&[]);
    for i in 0..CALLED {
        process.try_run(&format!("@many/t{i}"), "run").unwrap_or_else(|error| panic!("{error:#}"));
    }
    let counters = || {
        let host = process.status()["hosts"][0].clone();
        (host["runtimesStarted"].clone(), host["versionsAlive"].clone())
    };
    marsh_testkit::wait_for("the least recently used to go", || {
        (counters().1.as_u64()? < CALLED as u64).then_some(())
    });
    let before = counters();
    assert_eq!(before.0, CALLED);
    for _ in 0..3 {
        let reloaded = process.trigger_reload();
        assert_eq!((&reloaded["types"], &reloaded["changed"]), (&json!(1000), &json!([])));
    }
    assert_eq!(counters(), before);
    process.stop().ok();
}

fn write_many(repo: &Scratch, count: usize) {
    for i in 0..count {
        let any =
            "{ _def: { type: 'any' }, parse: (x) => x, safeParse: (x) => ({ success: true, data: x }) }";
        let run = format!("run: {{ description: 'r', kind: 'read', arguments: {any}, execute: () => {{}} }}");
        let text = format!(
            "export const model = {{ type: '@many/t{i}', version: '2026.01.01.1', methods: {{ {run} }} }};\n"
        );
        repo.write(&format!("extensions/models/t{i}.ts"), text);
    }
}

#[test]
fn an_evicted_type_is_loaded_anew_by_its_next_call() {
    let repo = repo();
    repo.write("extensions/models/x.ts", model("let calls = 0;", "++calls"));
    let process = repo.spawn_extension_process(&[]);
    process.run("@me/x", "run");
    assert_eq!(process.run("@me/x", "run")["word"], 2);
    let evicted = process.connect().ask("evict", json!({ "type": "@me/x" })).unwrap();
    assert_eq!(evicted, json!({ "evicted": 1 }));
    marsh_testkit::wait_for("it to go", || (process.memory().versions_alive == 0).then_some(()));
    assert_eq!(process.run("@me/x", "run")["word"], 1);
    process.stop().ok();
}

#[test]
fn added_and_removed_sources_take_effect() {
    let repo = repo();
    let process = repo.spawn_extension_process(&[]);
    assert_eq!(process.try_run("@me/x", "run").unwrap_err()["data"]["code"], "unknown_model_type");
    repo.write("extensions/models/x.ts", model("", "'there'"));
    assert_eq!(process.run("@me/x", "run")["word"], "there");
    repo.remove("extensions/models/x.ts");
    assert_eq!(process.trigger_reload()["removed"], json!(["@me/x"]));
    assert_eq!(process.status()["types"], json!([]));
    assert_eq!(process.status()["hosts"], json!([]), "nothing of it is left, its host neither");
    assert_eq!(process.try_run("@me/x", "run").unwrap_err()["data"]["code"], "unknown_model_type");
    process.stop().ok();
}

fn pulled(version: &str, word: &str) -> Package {
    let text = format!(
        "const any = {{ _def: {{ type: 'any' }}, parse: (x) => x, safeParse: (x) => ({{ success: true, data: x }}) }};\n\
         export const model = {{ type: '@acme/tool', version: '{version}', \
         resources: {{ out: {{ description: 'o', schema: any, lifetime: 'infinite', garbageCollection: 3 }} }},\n\
         methods: {{ run: {{ description: 'r', arguments: any, \
         execute: async (_a, context) => {{ await context.writeResource('out', 'said', {{ word: '{word}' }}); }} }} }} }};\n"
    );
    Package::new("@acme/tool", version).source("main.ts", &text)
}

#[test]
fn pulled_updates_and_rollbacks_take_effect_in_a_living_process() {
    let registry = ExtensionRegistry::with(&[pulled("2026.01.01.1", "one")]);
    let repo = Scratch::repo(BINARY).private_cache().env("MARSH_REGISTRY", registry.location());
    repo.marsh(&["extension", "pull", "@acme/tool"]).ok();
    let process = repo.spawn_extension_process(&[]);
    assert_eq!(process.run("@acme/tool", "run")["word"], "one");
    let one = process.module_version("@acme/tool");
    registry.publish(&pulled("2026.02.01.1", "two"));
    repo.marsh(&["extension", "update"]).ok();
    assert_eq!(process.run("@acme/tool", "run")["word"], "two");
    process.assert_module_version("@acme/tool", Expect::Other(&one));
    repo.marsh(&["extension", "rollback"]).ok();
    assert_eq!(process.run("@acme/tool", "run")["word"], "one");
    process.assert_one_version_alive("@acme/tool");
    repo.marsh(&["extension", "rm", "@acme/tool"]).ok();
    assert_eq!(process.try_run("@acme/tool", "run").unwrap_err()["data"]["code"], "unknown_model_type");
    process.trigger_reload();
    assert_eq!(process.status()["hosts"], json!([]));
    process.stop().ok();
}

/// With `--watch` an edit is built and loaded before anybody calls.
#[test]
fn a_watched_edit_is_ready_before_the_next_call() {
    let repo = repo();
    repo.write("extensions/models/x.ts", model("", "'one'"));
    let process = repo.spawn_extension_process(&["--watch"]);
    assert_eq!(process.status()["watching"], true);
    process.run("@me/x", "run");
    let one = process.module_version("@me/x");
    repo.write("extensions/models/x.ts", model("", "'two'"));
    marsh_testkit::wait_for("the edit to be loaded", || {
        let row = process.type_status("@me/x");
        (row["fingerprint"] != one.fingerprint && row["instance"].is_u64()).then_some(())
    });
    let two = process.module_version("@me/x");
    assert_eq!(process.run("@me/x", "run")["word"], "two");
    process.assert_module_version("@me/x", Expect::Same(&two));
    // A source that is added is built and described as well.
    repo.write("extensions/models/y.ts", model("", "'new'").replace("@me/x", "@me/y"));
    marsh_testkit::wait_for("the new source to be loaded", || {
        let status = process.status();
        let rows: Vec<Value> = status["types"].as_array().unwrap().clone();
        rows.iter().any(|row| row["type"] == "@me/y" && row["state"] == "serving").then_some(())
    });
    assert_eq!(process.run("@me/y", "run")["word"], "new");
    process.stop().ok();
}
