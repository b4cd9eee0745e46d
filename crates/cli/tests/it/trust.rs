//! Whose extensions may be installed without being asked for.

use crate::support::{OUTPUTS, method, model, repo};

#[test]
fn defect_09_of_many_changes_at_once_none_is_lost() {
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

#[test]
fn a_type_of_a_trusted_collective_is_installed_when_it_is_asked_for() {
    let publisher = repo();
    let body = "await context.writeResource('out', 'from', { word: 'hello' });";
    let source = model("@acme/hello", &format!("{OUTPUTS} {}", method("run", body)));
    publisher.write("extensions/models/hello.ts", source);
    publisher.write(
        "manifest.yaml",
        "manifestVersion: 1\nname: \"@acme/hello\"\nversion: 2026.01.01.1\nmodels: [hello.ts]\n",
    );
    publisher.marsh(&["registry", "init", "registry"]).ok();
    publisher.marsh(&["extension", "push", "manifest.yaml", "-y", "--registry", "registry"]).ok();
    let user = repo();
    let marker = format!("{}registry: {}\n", user.read(".swamp.yaml"), publisher.path("registry").display());
    user.write(".swamp.yaml", &marker);
    let run = ["--json", "model", "method", "run", "@acme/hello", "run", "hi"];
    assert_eq!(user.marsh(&run).code, Some(1), "nobody trusts acme yet");
    user.write(".swamp.yaml", format!("{marker}trustedCollectives: [acme]\n"));
    let heard = || {
        let run = user.marsh(&run).ok();
        (run.json()["dataArtifacts"][0]["attributes"]["word"].clone(), run.stderr)
    };
    let (word, told) = heard();
    assert_eq!(word, "hello");
    assert!(told.contains("installed @acme/hello 2026.01.01.1"), "{told}");
    // A clone has the lockfile and nothing else: what it pins is restored.
    user.remove(".swamp/marsh");
    let (word, told) = heard();
    assert_eq!(word, "hello");
    assert!(told.contains("restored @acme/hello 2026.01.01.1"), "{told}");
}
