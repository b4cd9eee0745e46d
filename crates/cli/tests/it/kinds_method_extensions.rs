//! Grafts: methods that a source adds to a model type that another one declares. What a type offers is derived from the
//! sources as they are, so that a method extension or its base can change, come and go in any order. Nothing remembers what was
//! attached, so nothing can be attached twice or lost.

use marsh_testkit::Scratch;
use serde_json::{Value, json};

use crate::support::{BINARY, OUTPUTS, method, model, repo};

/// A method extension onto `target` whose methods store the word that each is given.
fn method_extension(target: &str, methods: &[(&str, &str)]) -> String {
    let methods: Vec<String> =
        methods.iter().map(|(name, word)| format!("{{ {} }}", says(name, word))).collect();
    format!(
        "import {{ z }} from \"npm:zod@4.3.6\";\n\
         export const extension = {{ type: \"{target}\", methods: [{}] }};\n",
        methods.join(", ")
    )
}

fn says(name: &str, word: &str) -> String {
    format!(
        "{name}: {{ description: \"Says {word}\", arguments: z.object({{}}), execute: async (_args, context) => \
         {{ await context.writeResource('out', 'said', {{ word: '{word}' }}); }} }}"
    )
}

fn base(word: &str) -> String {
    let body = format!("await context.writeResource('out', 'said', {{ word: '{word}' }});");
    model("@me/x", &format!("{OUTPUTS} {}", method("run", &body)))
}

fn write_base(repo: &Scratch, word: &str) {
    repo.write("extensions/models/x.ts", base(word));
}

fn write_method_extension(repo: &Scratch, file: &str, methods: &[(&str, &str)]) {
    repo.write(&format!("extensions/models/{file}.ts"), method_extension("@me/x", methods));
}

/// What a method says.
fn said(repo: &Scratch, method: &str) -> Value {
    let run = repo.marsh(&["--json", "model", "method", "run", "@me/x", method, "m"]).ok().json();
    run["dataArtifacts"][0]["attributes"]["word"].clone()
}

fn methods(repo: &Scratch, type_name: &str) -> Vec<String> {
    let described = repo.marsh(&["--json", "model", "type", "describe", type_name]).ok().json();
    let methods = described["methods"].as_array().unwrap();
    methods.iter().map(|method| method["name"].as_str().unwrap().to_owned()).collect()
}

fn failure(repo: &Scratch, arguments: &[&str]) -> Value {
    repo.marsh(&[&["--json"], arguments].concat()).exits(1).error()
}

#[test]
fn methods_of_several_method_extensions_run_and_are_described() {
    let repo = repo();
    write_base(&repo, "base");
    write_method_extension(&repo, "a", &[("one", "1"), ("two", "2")]);
    write_method_extension(&repo, "b", &[("three", "3")]);
    assert_eq!(methods(&repo, "@me/x").len(), 4);
    for (method, word) in [("run", "base"), ("one", "1"), ("two", "2"), ("three", "3")] {
        assert_eq!(said(&repo, method), word);
    }
    let described = repo.marsh(&["--json", "model", "type", "describe", "@me/x"]).ok().json();
    let three = described["methods"].as_array().unwrap().iter().find(|one| one["name"] == "three").unwrap();
    assert!(three["graftedBy"].as_str().unwrap().ends_with("extensions/models/b.ts"), "{three}");
    let found = repo.marsh(&["--json", "model", "type", "search", "@me/x"]).ok().json();
    assert_eq!(found["results"][0]["grafts"].as_array().unwrap().len(), 2);
}

/// What `allExtensionMethodsAttached` guards elsewhere: after a reload of the base its grafted methods are lost, or
/// attached a second time. Here every order of changes ends with exactly the methods that the sources declare.
#[test]
fn base_and_method_extension_change_appear_and_vanish_in_any_order() {
    let repo = repo();
    write_base(&repo, "base 1");
    assert_eq!(methods(&repo, "@me/x"), ["run"]);
    write_method_extension(&repo, "g", &[("more", "graft 1")]);
    assert_eq!(methods(&repo, "@me/x"), ["run", "more"]);
    // The base changes: the method extension's method is still there, once, and the base's code is new.
    write_base(&repo, "base 2");
    assert_eq!((said(&repo, "run"), said(&repo, "more")), (json!("base 2"), json!("graft 1")));
    assert_eq!(methods(&repo, "@me/x"), ["run", "more"]);
    // The method extension changes alone.
    write_method_extension(&repo, "g", &[("more", "graft 2"), ("other", "new")]);
    assert_eq!((said(&repo, "more"), said(&repo, "other")), (json!("graft 2"), json!("new")));
    // The base goes, and comes back after the method extension.
    repo.remove("extensions/models/x.ts");
    let gone = failure(&repo, &["model", "method", "run", "@me/x", "more", "m"]);
    assert_eq!(gone["code"], "unknown_model_type");
    write_method_extension(&repo, "g", &[("more", "graft 3")]);
    write_base(&repo, "base 3");
    assert_eq!((said(&repo, "run"), said(&repo, "more")), (json!("base 3"), json!("graft 3")));
    // The method extension goes.
    repo.remove("extensions/models/g.ts");
    assert_eq!(methods(&repo, "@me/x"), ["run"]);
    let lost = failure(&repo, &["model", "method", "run", "@me/x", "more", "m"]);
    assert_eq!(lost["code"], "unknown_method");
    // And comes back as it was: the same version as before.
    write_method_extension(&repo, "g", &[("more", "graft 3")]);
    assert_eq!(said(&repo, "more"), "graft 3");
}

#[test]
fn the_same_parts_are_the_same_version_and_other_parts_another() {
    let repo = repo();
    let version = |repo: &Scratch| {
        let run = repo.marsh(&["--json", "model", "method", "run", "@me/x", "run", "m"]).ok().json();
        run["bundleFingerprint"].as_str().unwrap().to_owned()
    };
    write_base(&repo, "base");
    let alone = version(&repo);
    write_method_extension(&repo, "a", &[("one", "1")]);
    write_method_extension(&repo, "b", &[("two", "2")]);
    let both = version(&repo);
    assert_ne!(both, alone);
    repo.remove("extensions/models/b.ts");
    assert!(![both.clone(), alone.clone()].contains(&version(&repo)));
    write_method_extension(&repo, "b", &[("two", "2")]);
    assert_eq!(version(&repo), both);
    repo.remove("extensions/models/a.ts");
    repo.remove("extensions/models/b.ts");
    assert_eq!(version(&repo), alone);
}

#[test]
fn a_method_of_two_sources_is_an_error_that_names_both() {
    let repo = repo();
    write_base(&repo, "base");
    write_method_extension(&repo, "a", &[("run", "again")]);
    let error = failure(&repo, &["model", "type", "describe", "@me/x"]);
    assert_eq!(error["code"], "graft_conflict");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("models/x.ts") && message.contains("models/a.ts"), "{message}");
    write_method_extension(&repo, "a", &[("one", "1")]);
    write_method_extension(&repo, "b", &[("one", "1 too")]);
    let error = failure(&repo, &["model", "type", "describe", "@me/x"]);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("models/a.ts") && message.contains("models/b.ts"), "{message}");
    repo.remove("extensions/models/b.ts");
    assert_eq!(said(&repo, "one"), "1");
}

#[test]
fn a_method_extension_that_breaks_its_contract_is_named() {
    let repo = repo();
    write_base(&repo, "base");
    let broken = "export const extension = { type: '@me/x', methods: [{ one: { arguments: 1 } }] };\n";
    repo.write("extensions/models/g.ts", broken);
    let error = failure(&repo, &["model", "type", "describe", "@me/x"]);
    assert_eq!(error["code"], "contract_violation");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("models/g.ts"), "{message}");
    assert!(message.contains("`extension.methods.one.description`"), "{message}");
}

#[test]
fn a_built_in_type_takes_method_extensions() {
    let repo = repo();
    repo.write(
        "extensions/models/g.ts",
        method_extension("command/shell", &[("shout", "hey")]).replace("'out'", "'result'"),
    );
    assert_eq!(methods(&repo, "command/shell"), ["execute", "shout"]);
    let run = repo.marsh(&["--json", "model", "@command/shell", "method", "run", "shout", "s"]).ok().json();
    assert_eq!(run["dataArtifacts"][0]["attributes"]["word"], "hey");
    let own =
        ["--json", "model", "@command/shell", "method", "run", "execute", "s", "--input", "run=echo hi"];
    assert_eq!(repo.marsh(&own).ok().json()["dataArtifacts"][0]["attributes"]["stdout"], "hi");
    repo.write("extensions/models/g.ts", method_extension("command/shell", &[("execute", "mine")]));
    assert_eq!(failure(&repo, &["model", "type", "describe", "command/shell"])["code"], "graft_conflict");
}

/// A method extension of the repository's own onto a type that is installed.
#[test]
fn an_installed_type_takes_a_local_method_extension() {
    let registry = marsh_testkit::ExtensionRegistry::new();
    registry.publish(&marsh_testkit::Package::new("@acme/dns", "2026.01.01.1").model("main.ts", "@acme/dns"));
    let repo = Scratch::repo(BINARY).private_cache().env("MARSH_REGISTRY", registry.location());
    repo.marsh(&["extension", "pull", "@acme/dns"]).ok();
    let own = methods(&repo, "@acme/dns");
    repo.write("extensions/models/g.ts", method_extension("@acme/dns", &[("extra", "x")]));
    assert_eq!(methods(&repo, "@acme/dns"), [own, vec!["extra".to_owned()]].concat());
}
