//! Mounting directories of extension sources.

use crate::support::{model, repo};

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
