//! Checks that load code or need the binary itself.

use serde_json::json;

use crate::support::{OUTPUTS, definition, method, model, repo, repo_with};

const SENSITIVE: &str = "globalArguments: z.object({ url: z.string().optional(), \
                         token: z.string().meta({ sensitive: true }).optional() }), methods: {},";

#[test]
fn secrets_in_definitions_are_found_with_the_way_to_a_vault() {
    let repo = repo();
    repo.write("extensions/models/x.ts", model("@me/x", SENSITIVE));
    repo.write("models/leaks.yaml", definition("@me/x", "leaks", "globalArguments: {token: hunter2}"));
    let safe = "globalArguments: {token: \"${{ vault.get('main', 'key') }}\"}";
    let with_id = |text: String, digit: &str| text.replace("11111111-", &format!("{}-", digit.repeat(8)));
    repo.write("models/safe.yaml", with_id(definition("@me/x", "safe", safe), "2"));
    repo.write("models/lost.yaml", with_id(definition("@me/none", "lost", ""), "3"));
    let run = repo.marsh(&["--json", "doctor", "secrets"]).exits(1);
    let report = run.json();
    assert_eq!((&report["overallStatus"], &report["scanned"]), (&json!("fail"), &json!(3)));
    let findings = report["findings"].as_array().unwrap();
    assert_eq!((findings.len(), &findings[0]["definitionName"]), (1, &json!("leaks")));
    assert_eq!(findings[0]["leakedPaths"], json!(["token"]));
    let expression = "${{ vault.get('my-vault', 'leaks-token') }}";
    assert_eq!(findings[0]["remediations"][0]["expression"], expression);
    assert_eq!(report["unresolved"][0]["definitionName"], "lost");
    assert!(!run.stdout.contains("hunter2"));
    let text = repo.marsh(&["doctor", "secrets"]).exits(1);
    assert!(text.stdout.contains("marsh vault put my-vault leaks-token"), "{}", text.snapshot());
    repo.remove("models/leaks.yaml");
    repo.marsh(&["doctor", "secrets"]).ok();
}

#[test]
fn sensitive_outputs_without_a_vault_are_found() {
    let repo = repo();
    let outputs = "resources: { out: { schema: z.object({ key: z.string().meta({ sensitive: true }) }), \
                   lifetime: 'infinite', garbageCollection: 1 } }, methods: {},";
    repo.write("extensions/models/x.ts", model("@me/x", outputs));
    repo.write("models/keys.yaml", definition("@me/x", "keys", ""));
    let report = repo.marsh(&["--json", "doctor", "vaults"]).exits(1).json();
    assert_eq!(
        (&report["hasVault"], &report["findings"][0]["definitionName"]),
        (&json!(false), &json!("keys"))
    );
    repo.marsh(&["vault", "create", "local_encryption", "main"]).ok();
    let report = repo.marsh(&["--json", "doctor", "vaults"]).ok().json();
    assert_eq!((&report["hasVault"], &report["findings"]), (&json!(true), &json!([])));
}

#[test]
fn workflow_files_that_cannot_be_read_are_found() {
    let repo = repo();
    repo.marsh(&["workflow", "create", "good"]).ok();
    repo.write("workflows/workflow-bad.yaml", "id: x\nname: bad\njobs: 1\n");
    let report = repo.marsh(&["--json", "doctor", "workflows"]).exits(1).json();
    assert_eq!((&report["totalPassed"], &report["totalFailed"]), (&json!(1), &json!(1)));
    let bad = report["workflows"].as_array().unwrap().iter().find(|one| one["status"] == "fail").unwrap();
    assert!(bad["file"].as_str().unwrap().ends_with("/workflows/workflow-bad.yaml"), "{bad}");
    assert!(!bad["error"].as_str().unwrap().is_empty());
}

#[test]
fn catalog_of_data_is_made_again() {
    let repo = repo_with(&format!(
        "{OUTPUTS} {}",
        method("run", "await context.writeResource('out', 'out', { n: 1 });")
    ));
    repo.marsh(&["model", "method", "run", "@me/x", "run", "m"]).ok();
    let report = repo.marsh(&["--json", "doctor", "datastores"]).ok().json();
    assert_eq!((&report["isCustom"], &report["cataloguedVersions"]), (&json!(false), &json!(null)));
    let report = repo.marsh(&["--json", "doctor", "datastores", "--repair", "--yes"]).ok().json();
    let versions = repo.marsh(&["--json", "data", "search"]).ok().json()["results"].as_array().unwrap().len();
    assert!(report["cataloguedVersions"].as_u64().unwrap() as usize >= versions.max(1), "{report:#}");
    assert_eq!(report["catalogCompletenessFinding"]["passed"], true);
}

#[test]
fn installation_is_described_without_a_repository() {
    let empty = marsh_testkit::Scratch::empty(crate::support::BINARY);
    let report = empty.marsh(&["--json", "doctor", "install"]).ok().json();
    assert_eq!((&report["overallStatus"], &report["writable"]), (&json!("healthy"), &json!("pass")));
    assert!(report["binaryPath"].as_str().unwrap().ends_with("/marsh"), "{report:#}");
}

#[test]
fn hook_records_and_stays_silent_whatever_it_reads() {
    let repo = repo();
    let record = ["audit", "record", "--from-hook"];
    let event = json!({ "tool_name": "Bash", "tool_input": { "command": "make" } }).to_string();
    for text in [event.as_str(), "{", ""] {
        let run = repo.marsh_with_stdin(&record, text).ok();
        assert_eq!((&*run.stdout, &*run.stderr), ("", ""), "{text}");
    }
    let outside = marsh_testkit::Scratch::empty(crate::support::BINARY);
    let run = outside.marsh_with_stdin(&record, &event).ok();
    assert_eq!((&*run.stdout, &*run.stderr, outside.list(".").len()), ("", "", 0));
    outside.marsh(&["audit", "record"]).exits(2);
    let timeline = repo.marsh(&["audit"]).ok().stdout;
    assert!(timeline.contains("make") && timeline.contains("1 other commands in 24 hours"), "{timeline}");
}

#[test]
fn smoke_test_of_the_hook_records_a_command() {
    let repo = repo();
    repo.marsh(&["repo", "upgrade", "--tool", "opencode"]).ok();
    let report = repo.marsh(&["--json", "doctor", "audit"]).json();
    let status = |name: &str| {
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|check| check["name"] == name).unwrap()["status"].clone()
    };
    assert_eq!(status("agent-config-loadable"), "pass", "{report:#}");
    assert_eq!(status("default-agent-set"), "skip");
    assert_eq!(status("recording-smoke-test"), "pass", "{report:#}");
}

#[test]
fn hooks_and_instructions_name_the_program_that_the_user_runs() {
    let scratch = marsh_testkit::Scratch::empty(crate::support::BINARY).env("MARSH_PERSONA", "swamp");
    scratch.marsh(&["init"]).ok();
    assert!(scratch.read(".claude/settings.local.json").contains("\"swamp audit record --from-hook\""));
    assert!(scratch.read("CLAUDE.md").contains("`swamp model search"));
}

#[test]
fn update_checks_and_installs_no_scheduler() {
    let empty = marsh_testkit::Scratch::empty(crate::support::BINARY);
    for arguments in [&["update"][..], &["update", "--check"], &["update", "--setup-auto=status"]] {
        let found = empty.marsh(&[&["--json"], arguments].concat()).ok().json();
        assert_eq!(
            (&found["status"], found["warning"].is_string()),
            (&json!("up_to_date"), true),
            "{arguments:?}"
        );
    }
    assert_eq!(empty.marsh(&["--json", "update", "--setup-auto"]).exits(1).error()["code"], "unsupported");
}
