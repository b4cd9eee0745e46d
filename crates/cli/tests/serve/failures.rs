//! Sources that cannot be used, in a living process: the reason is shown, nothing else suffers, and recovery is
//! automatic.

use serde_json::Value;

use super::{model, repo};

/// What was broken is served again as soon as the cause is gone, without anybody asking for a reload.
#[test]
fn every_failure_shows_its_reason_and_heals_by_itself() {
    let broken: [(&str, String); 5] = [
        ("syntax error", model("", "'two'").replace("methods:", "methods::")),
        ("missing dependency", model("import { word } from './_gone.ts';", "word")),
        ("throwing top level", model("throw new Error('no top');", "'two'")),
        ("contract violation", model("", "'two'").replace("description: 'Do it', ", "")),
        ("type that moved away", model("", "'two'").replace("@me/x", "@me/other")),
    ];
    let repo = repo();
    repo.write("extensions/models/x.ts", model("", "'one'"));
    repo.write(
        "extensions/models/bystander.ts",
        model("let calls = 0;", "++calls").replace("@me/x", "@me/b"),
    );
    let process = repo.spawn_extension_process(&[]);
    process.run("@me/x", "run");
    process.run("@me/b", "run");
    let bystander = process.module_version("@me/b");
    for (what, text) in broken {
        repo.write("extensions/models/x.ts", &text);
        let reloaded = process.trigger_reload();
        let failed: Vec<Value> = reloaded["failed"].as_array().unwrap().clone();
        if what != "contract violation" && what != "type that moved away" {
            assert!(failed.iter().any(|one| one["type"] == "@me/x"), "{what}: {reloaded:#}");
            let row = process.type_status("@me/x");
            assert_eq!(row["state"], "failing", "{what}: {row:#}");
            assert!(
                row["last_error"].is_null() && row["lastError"]["message"].is_string(),
                "{what}: {row:#}"
            );
        }
        repo.write("extensions/models/x.ts", model("", &format!("'after {what}'")));
        assert_eq!(process.run("@me/x", "run")["word"], format!("after {what}"));
        assert_eq!(process.type_status("@me/x")["lastError"], Value::Null, "{what}");
    }
    // Two calls: the one at the start, and this; its module was never evaluated again.
    assert_eq!(process.run("@me/b", "run")["word"], 2);
    process.assert_module_version("@me/b", marsh_testkit::Expect::Same(&bystander));
    process.stop().ok();
}
