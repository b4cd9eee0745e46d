//! Mounting directories of extension sources.

use serde_json::json;

use crate::support::{model, repo};

#[test]
fn a_mounted_directory_offers_its_types_until_it_is_unmounted() {
    let repo = repo();
    repo.write("elsewhere/extensions/models/x.ts", model("@me/far", "methods: {},"));
    let run = |arguments: &[&str]| repo.marsh(&[&["--json", "extension", "source"], arguments].concat());
    assert_eq!(run(&["add", "elsewhere"]).ok().json()["totalSources"], 1);
    let listed = run(&["list"]).ok().json();
    assert_eq!(
        (&listed["sources"][0]["status"], &listed["sources"][0]["resolvedKinds"]),
        (&json!("valid"), &json!(["models"]))
    );
    let types = || repo.marsh(&["model", "type", "search", "far"]).ok().stdout;
    assert!(types().contains("@me/far"));
    repo.remove("elsewhere");
    assert_eq!(run(&["list"]).ok().json()["sources"][0]["status"], "path_not_found");
    run(&["rm", "elsewhere"]).ok();
    assert!(!repo.exists(".swamp-sources.yaml"));
    assert_eq!(run(&["rm", "elsewhere"]).exits(1).error()["code"], "not_found");
}

#[test]
fn what_could_not_work_is_not_mounted() {
    let repo = repo();
    repo.write("extensions/models/x.ts", model("@me/near", "methods: {},"));
    repo.write("bare/x.ts", model("@me/far", "methods: {},"));
    repo.write("empty/readme.md", "");
    let add =
        |arguments: &[&str]| repo.marsh(&[&["--json", "extension", "source", "add"], arguments].concat());
    for (path, code) in [("gone", "not_found"), ("empty", "refused"), ("extensions/models", "refused")] {
        assert_eq!(add(&[path]).exits(1).error()["code"], code, "{path}");
    }
    assert_eq!(add(&["bare", "--only", "vaults"]).exits(1).error()["code"], "refused");
    add(&["bare", "--only", "nothing"]).exits(2);
    add(&[""]).exits(2);
    add(&["bare"]).ok();
    assert_eq!(add(&["bare"]).exits(1).error()["code"], "refused", "once is enough");
}

#[test]
fn a_path_may_be_a_pattern_and_name_variables() {
    let repo = repo().env("TEAM", "red");
    for (dir, name) in [("teams/red", "@me/red"), ("teams/blue", "@me/blue"), ("teams/.hidden", "@me/hidden")]
    {
        repo.write(&format!("{dir}/extensions/models/x.ts"), model(name, "methods: {},"));
    }
    let run = |arguments: &[&str]| repo.marsh(&[&["--json", "extension", "source"], arguments].concat());
    let types = || crate::support::active_types(&repo, "@me");
    run(&["add", "teams/*"]).ok();
    assert_eq!(types(), ["@me/blue", "@me/red"]);
    let listed = run(&["list"]).ok().json();
    assert_eq!(listed["sources"][0]["expandedPaths"].as_array().unwrap().len(), 2, "{listed}");
    // What comes later is found as well.
    repo.write("teams/green/extensions/models/x.ts", model("@me/green", "methods: {},"));
    assert_eq!(types(), ["@me/blue", "@me/green", "@me/red"]);
    run(&["rm", "teams/*"]).ok();
    run(&["add", "teams/{blue,gr?en}"]).ok();
    assert_eq!(types(), ["@me/blue", "@me/green"]);
    // Reached twice is there once.
    run(&["add", "teams/blue"]).ok();
    assert_eq!(types(), ["@me/blue", "@me/green"]);
    run(&["add", "teams/$TEAM"]).ok();
    assert_eq!(types(), ["@me/blue", "@me/green", "@me/red"]);
    let error = run(&["add", "teams/${NO_SUCH_TEAM}"]).exits(1).error();
    assert_eq!(error["code"], "invalid_source", "{error}");
    assert!(run(&["add", "later/*"]).ok().stderr.contains("matches nothing yet"));
    assert_eq!(run(&["add", "extensions/mod*"]).ok().json()["totalSources"], 5, "not there yet");
    assert_eq!(types(), ["@me/blue", "@me/green", "@me/red"]);
}
