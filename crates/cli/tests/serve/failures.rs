//! Sources that cannot be used, in a living process: the version that loaded last serves on, the reason is shown, nothing
//! else suffers, and recovery is automatic.

use marsh_testkit::{Expect, wait_for};
use serde_json::{Value, json};

use super::{model, repo};

#[test]
fn what_loaded_last_serves_on_with_its_reason_shown_and_heals_by_itself() {
    let broken: [(&str, String); 5] = [
        ("nesting too deep", model(&format!("const deep = {};", "(".repeat(60 << 10)), "'two'")),
        ("syntax error", model("", "'two'").replace("methods:", "methods::")),
        ("missing dependency", model("import { word } from './_gone.ts';", "word")),
        ("throwing top level", model("throw new Error('no top');", "'two'")),
        ("contract violation", model("", "'two'").replace("execute: async", "perform: async")),
    ];
    let repo = repo();
    repo.write("extensions/models/x.ts", model("", "'start'"));
    repo.write("extensions/models/b.ts", model("let calls = 0;", "++calls").replace("@me/x", "@me/b"));
    let process = repo.spawn_extension_process(&[]);
    assert_eq!(process.run("@me/x", "run")["word"], "start");
    process.run("@me/b", "run");
    let bystander = process.module_version("@me/b");
    let mut good = "start".to_owned();
    for (what, text) in broken {
        let before = process.module_version("@me/x");
        repo.write("extensions/models/x.ts", &text);
        let reloaded = process.trigger_reload();
        assert_eq!(reloaded["failed"][0]["type"], "@me/x", "{what}: {reloaded:#}");
        assert_eq!(process.run("@me/x", "run")["word"], good, "{what}");
        process.assert_module_version("@me/x", Expect::Same(&before));
        let row = process.type_status("@me/x");
        assert_eq!(row["state"], "failing", "{what}: {row:#}");
        assert!(row["lastError"]["message"].is_string(), "{what}: {row:#}");
        assert_eq!(row["lastError"]["details"]["attempts"], 1, "{what}: {row:#}");
        let doctor = repo.marsh(&["--json", "doctor", "extensions"]).exits(1).json();
        let state = &doctor["loadStates"][0];
        assert_eq!(
            (&state["type"], &state["code"]),
            (&json!("@me/x"), &row["lastError"]["code"]),
            "{what}: {doctor:#}"
        );
        good = format!("after {what}");
        repo.write("extensions/models/x.ts", model("", &format!("'{good}'")));
        assert_eq!(process.run("@me/x", "run")["word"], good);
        let row = process.type_status("@me/x");
        assert_eq!((&row["state"], &row["lastError"]), (&Value::from("serving"), &Value::Null), "{what}");
    }
    // Its second call, by the module that was evaluated at the start.
    assert_eq!(process.run("@me/b", "run")["word"], 2);
    process.assert_module_version("@me/b", Expect::Same(&bystander));
    process.stop().ok();
}

/// What a top level does while it is loaded is bounded; see [`is_tried_once_and_harms_no_other_type`].
#[test]
fn a_top_level_that_never_ends() {
    is_tried_once_and_harms_no_other_type(
        &["--load-timeout", "3s"],
        "while (true) globalThis.rounds = 1;",
        "deadline_exceeded",
    );
}

#[test]
fn a_top_level_that_takes_all_memory() {
    let greedy = "const all = []; while (true) all.push(new Array(10000).fill(all));";
    is_tried_once_and_harms_no_other_type(&[], greedy, "load_failed");
}

/// Calls wait for the load and are served by the version before; other types are served meanwhile, by the module
/// version that was there; nothing tries again until the source changes, and then no request is needed.
#[track_caller]
fn is_tried_once_and_harms_no_other_type(arguments: &[&str], top: &str, code: &str) {
    let repo = repo();
    repo.write("extensions/models/x.ts", model("", "'start'"));
    repo.write("extensions/models/b.ts", model("let calls = 0;", "++calls").replace("@me/x", "@me/b"));
    let process = repo.spawn_extension_process(arguments);
    assert_eq!(
        (process.run("@me/x", "run")["word"].clone(), process.run("@me/b", "run")["word"].clone()),
        (json!("start"), json!(1))
    );
    let (good, bystander) = (process.module_version("@me/x"), process.module_version("@me/b"));

    let tries = repo.path("tries");
    let top = format!("Deno.writeTextFileSync({tries:?}, 'x', {{ append: true }});\n{top}");
    repo.replace("extensions/models/x.ts", model(&top, "'bad'"));
    std::thread::scope(|scope| {
        let call = scope.spawn(|| process.run("@me/x", "run")["word"].clone());
        wait_for("the new top level to run", || repo.exists("tries").then_some(()));
        assert_eq!(process.run("@me/b", "run")["word"], 2);
        assert_eq!(call.join().ok(), Some(json!("start")));
    });
    let runtimes = || process.status()["hosts"][0]["runtimesStarted"].clone();
    let started = runtimes();
    for _ in 0..5 {
        assert_eq!(process.run("@me/x", "run")["word"], "start");
        let reloaded = process.trigger_reload();
        assert_eq!(reloaded["failed"][0]["type"], "@me/x", "{reloaded:#}");
        assert_eq!(reloaded["failed"][0]["error"]["code"], code, "{reloaded:#}");
    }
    assert_eq!((repo.read("tries").as_str(), runtimes()), ("x", started), "it was tried again");

    let status = repo.marsh(&["serve", "status", "--json"]).ok().json();
    let mut rows = status["types"].as_array().into_iter().flatten();
    let row = rows.find(|row| row["type"] == "@me/x").cloned().unwrap_or_default();
    assert_eq!((&row["state"], &row["lastError"]["code"]), (&json!("failing"), &json!(code)), "{row:#}");
    assert_eq!(row["lastError"]["details"]["attempts"], 1, "{row:#}");
    let doctor = repo.marsh(&["--json", "doctor", "extensions"]).exits(1).json();
    let state = &doctor["loadStates"][0];
    assert_eq!((&state["type"], &state["code"]), (&json!("@me/x"), &json!(code)), "{doctor:#}");
    assert_eq!(state["serving"], json!(good.fingerprint), "{doctor:#}");
    process.assert_module_version("@me/x", Expect::Same(&good));
    process.assert_module_version("@me/b", Expect::Same(&bystander));

    repo.replace("extensions/models/x.ts", model("", "'mended'"));
    assert_eq!(process.run("@me/x", "run")["word"], "mended");
    let row = process.type_status("@me/x");
    assert_eq!((&row["state"], &row["lastError"]), (&json!("serving"), &Value::Null), "{row:#}");
    repo.marsh(&["doctor", "extensions"]).ok();
    process.assert_one_version_alive("@me/x");
    process.stop().ok();
}

/// A file that is gone may come back; a request to reload confirms that it was removed.
#[test]
fn a_file_that_vanished_is_served_on_until_its_removal_is_accepted() {
    let repo = repo();
    repo.write("extensions/models/x.ts", model("", "'one'"));
    let process = repo.spawn_extension_process(&[]);
    process.run("@me/x", "run");
    repo.remove("extensions/models/x.ts");
    assert_eq!(process.run("@me/x", "run")["word"], "one");
    assert_eq!(process.type_status("@me/x")["state"], "failing");
    repo.write("extensions/models/x.ts", model("", "'two'"));
    assert_eq!(process.run("@me/x", "run")["word"], "two");
    // A directory in its place cannot be read.
    repo.remove("extensions/models/x.ts");
    repo.write("extensions/models/x.ts/in-the-way", "");
    assert_eq!(process.run("@me/x", "run")["word"], "two");
    assert_eq!(process.type_status("@me/x")["state"], "failing");
    repo.remove("extensions/models/x.ts");
    assert_eq!(process.trigger_reload()["removed"][0], "@me/x");
    assert_eq!(process.try_run("@me/x", "run").unwrap_err()["data"]["code"], "unknown_model_type");
    process.stop().ok();
}

/// A source that can be read and declares something else was changed on purpose.
#[test]
fn a_type_that_moved_away_is_gone() {
    let repo = repo();
    repo.write("extensions/models/x.ts", model("", "'one'"));
    let process = repo.spawn_extension_process(&[]);
    process.run("@me/x", "run");
    repo.write("extensions/models/x.ts", model("", "'two'").replace("@me/x", "@me/y"));
    assert_eq!(process.try_run("@me/x", "run").unwrap_err()["data"]["code"], "unknown_model_type");
    assert_eq!(process.run("@me/y", "run")["word"], "two");
    process.stop().ok();
}
