//! Whose extensions may be installed without being asked for.

use serde_json::json;

use crate::support::repo;

#[test]
fn collectives_are_trusted_and_no_longer_trusted() {
    let repo = repo();
    let run = |arguments: &[&str]| repo.marsh(&[&["--json", "extension", "trust"], arguments].concat());
    assert_eq!(run(&["list"]).ok().json()["explicit"], json!(["swamp"]));
    let added = run(&["add", "@acme"]).ok().json();
    assert_eq!(added["trustedCollectives"], json!(["swamp", "acme"]));
    run(&["add", "acme"]).ok();
    run(&["rm", "swamp"]).ok();
    run(&["rm", "acme"]).ok();
    assert_eq!(run(&["list"]).ok().json()["explicit"], json!([]), "an empty list trusts nobody");
    assert_eq!(run(&["rm", "acme"]).exits(1).error()["code"], "not_found");
    run(&["add", "a/b"]).exits(2);
    run(&["auto-trust", "on"]).ok();
    assert_eq!(run(&["list"]).ok().json()["trustMemberCollectives"], true);
}

#[test]
fn of_many_changes_at_once_none_is_lost() {
    let repo = repo();
    let names: Vec<String> = (0..8).map(|number| format!("c{number}")).collect();
    let running: Vec<_> = names
        .iter()
        .map(|name| repo.command(&["extension", "trust", "add", name]).spawn().unwrap())
        .collect();
    for mut child in running {
        assert!(child.wait().unwrap().success());
    }
    let listed = repo.marsh(&["--json", "extension", "trust", "list"]).ok().json();
    let mut trusted: Vec<&str> =
        listed["explicit"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    trusted.sort_unstable();
    assert_eq!(trusted, ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "swamp"]);
}
