//! Sources that nest deeper than any stack, as files, in archives and at publishing: an error with a place, and no process
//! ends.

use marsh_testkit::{ExtensionRegistry, Scratch};
use serde_json::Value;

use crate::support::{V1, active_types, extension, installed, method, model, package, repo, repo_of};

/// What once ended the process, and what is over the limit; each declares a type.
fn sources() -> [(&'static str, String); 4] {
    let declared = |nested: &str| format!("{}\nconst x = {nested};\n", model("@me/deep", &method("run", "")));
    let around = |n: usize, open: &str, close: &str| format!("{}1{}", open.repeat(n), close.repeat(n));
    [
        ("parentheses", declared(&around(5_400, "(", ")"))),
        ("objects", declared(&around(4_600, "{a:", "}"))),
        ("parentheses over the limit", declared(&around(30_000, "(", ")"))),
        ("operators over the limit", declared(&format!("{}1", "!".repeat(60_000)))),
    ]
}

fn problem_of(repo: &Scratch) -> Option<Value> {
    let report = repo.marsh(&["--json", "doctor", "extensions"]).json();
    let text = report.to_string();
    text.contains("nesting_too_deep").then_some(report)
}

#[test]
fn a_source_that_nests_too_deep_leaves_the_others_listed() {
    for (what, source) in sources() {
        let repo = repo();
        repo.write("extensions/models/x.ts", model("@me/x", &method("run", "")));
        repo.write("extensions/models/deep.ts", &source);
        let types = active_types(&repo, "me");
        assert!(types.contains(&"@me/x".to_owned()), "{what}: {types:?}");
        let over = what.ends_with("limit");
        assert_eq!(types.contains(&"@me/deep".to_owned()), !over, "{what}: {types:?}");
        if over {
            let run = repo.marsh(&["model", "type", "describe", "@me/deep"]).exits(1).snapshot();
            assert!(run.contains("nests deeper than") && run.contains("extensions/models/deep.ts:"), "{run}");
            assert!(problem_of(&repo).is_some(), "{what}");
        }
        repo.marsh(&["model", "type", "describe", "@me/x"]).ok();
    }
}

#[test]
fn a_pull_of_a_source_that_nests_too_deep_ends_with_an_answer() {
    for (what, source) in sources() {
        let registry = ExtensionRegistry::with(&[package("@s/a", V1).source("deep.ts", &source)]);
        let repo = repo_of(&registry);
        let run = extension(&repo, &["pull", "@s/a"]);
        assert!(matches!(run.code, Some(0 | 1)), "{what}: {}", run.snapshot());
        repo.marsh(&["--json", "model", "type", "search"]).ok();
        assert!(installed(&repo).len() <= 1);
    }
}
