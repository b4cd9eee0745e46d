//! Commands of AI tools: recorded by hooks, read as a timeline.

use marsh_api::audit::{AuditCheckStatus, CommandSource, CommandStatus};
use marsh_app::AuditTimelineRequest;
use marsh_types::ErrorCode;
use serde_json::{Value, json};

use crate::support::{Repository, code};

fn request() -> AuditTimelineRequest {
    AuditTimelineRequest { hours: 24, all: false, session: None, include_diagnostic: false }
}

fn bash(repo: &Repository, command: &str, more: Value) -> bool {
    let mut event = json!({
        "tool_name": "Bash", "tool_input": { "command": command }, "cwd": repo.root(), "session_id": "s1",
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    repo.app().record_command("claude", &event.to_string()).unwrap()
}

fn summaries(repo: &Repository, request: &AuditTimelineRequest) -> Vec<String> {
    let timeline = repo.app().audit_timeline(request).unwrap();
    timeline.entries.into_iter().map(|entry| entry.summary).collect()
}

#[test]
fn recorded_commands_are_a_timeline_without_those_that_only_look() {
    let repo = Repository::new();
    let empty = repo.app().audit_timeline(&request()).unwrap();
    assert!(empty.message.unwrap().contains("marsh repo upgrade --tool"));
    assert!(bash(&repo, "marsh model search", json!({})));
    assert!(bash(&repo, "ls -l", json!({ "session_id": "s2" })));
    let failure = json!({ "hook_event_name": "PostToolUseFailure", "error": "Exit code 2\nno rule" });
    assert!(bash(&repo, "make", failure));
    assert!(bash(&repo, "echo swamp-doctor-smoke-test 1", json!({})));
    let timeline = repo.app().audit_timeline(&request()).unwrap();
    assert_eq!((timeline.total_swamp, timeline.total_direct, timeline.message), (1, 2, None));
    let [swamp, make] = timeline.entries.as_slice() else { panic!("two entries: {:?}", timeline.entries) };
    assert_eq!(
        (swamp.source, swamp.status, &swamp.session_id),
        (CommandSource::Swamp, CommandStatus::Success, &None)
    );
    assert_eq!(
        (make.source, make.status, make.exit_code),
        (CommandSource::Direct, CommandStatus::Error, Some(2))
    );
    assert_eq!((make.error.as_deref(), make.session_id.as_deref()), (Some("no rule"), Some("s1")));
    assert_eq!(summaries(&repo, &AuditTimelineRequest { all: true, ..request() }).len(), 3);
    let diagnostic = AuditTimelineRequest { include_diagnostic: true, all: true, ..request() };
    assert_eq!(summaries(&repo, &diagnostic).len(), 4);
    let session = AuditTimelineRequest { session: Some("s2".into()), all: true, ..request() };
    assert_eq!(summaries(&repo, &session), ["ls -l"]);
}

#[test]
fn command_in_a_subdirectory_is_recorded_in_its_repository_and_outside_nowhere() {
    let repo = Repository::new();
    std::fs::create_dir_all(repo.path("deep/er")).unwrap();
    let event = |cwd: &std::path::Path| {
        json!({ "tool_name": "Bash", "tool_input": { "command": "make" }, "cwd": cwd }).to_string()
    };
    let app = repo.app_anywhere();
    assert!(app.record_command("claude", &event(&repo.path("deep/er"))).unwrap());
    assert!(!repo.exists("deep/er/.swamp"));
    assert_eq!(summaries(&repo, &request()), ["make"]);
    let outside = repo.outside().join("elsewhere");
    std::fs::create_dir_all(&outside).unwrap();
    assert_eq!(code(app.record_command("claude", &event(&outside))), ErrorCode::NotARepository);
    assert!(!outside.join(".swamp").exists());
    for (tool, text) in [("claude", "{"), ("unknown", "{}"), ("codex", "{}")] {
        assert!(!app.record_command(tool, text).unwrap(), "{tool}");
    }
}

#[test]
fn old_records_are_deleted_and_lines_that_are_damaged_are_left_out() {
    let repo = Repository::new();
    repo.write(".swamp/audit/commands-2020-01-01.jsonl", "{}\n");
    repo.write(".swamp/audit/notes.txt", "mine");
    bash(&repo, "make", json!({}));
    let log = repo.list(".swamp/audit");
    assert_eq!(log.len(), 2, "{log:?}");
    let today = format!(".swamp/audit/{}", log[0]);
    repo.write(&today, "not json\n".to_owned() + &repo.read(&today));
    assert_eq!(summaries(&repo, &request()), ["make"]);
}

#[test]
fn commands_are_recorded_in_the_directory_of_the_datastore() {
    let repo = Repository::new();
    bash(&repo, "make before", json!({}));
    repo.write(".swamp.yaml", repo.read(".swamp.yaml") + "datastore: {type: filesystem, path: store}\n");
    bash(&repo, "make after", json!({}));
    assert_eq!(repo.list("store/audit").len(), 1);
    assert_eq!(summaries(&repo, &request()), ["make before", "make after"]);
}

#[test]
fn commands_of_one_millisecond_keep_their_order_across_both_logs() {
    let repo = Repository::new();
    bash(&repo, "make before", json!({}));
    let file = repo.list(".swamp/audit").remove(0);
    let (local, moved) = (format!(".swamp/audit/{file}"), format!("store/audit/{file}"));
    repo.write(".swamp.yaml", repo.read(".swamp.yaml") + "datastore: {type: filesystem, path: store}\n");
    repo.write(&moved, repo.read(&local).replace("make before", "make after"));
    assert_eq!(summaries(&repo, &request()), ["make before", "make after"]);
}

#[test]
fn checkup_names_what_keeps_commands_from_being_recorded() {
    let repo = Repository::new();
    assert_eq!(code(repo.app().check_audit(None)), ErrorCode::Usage);
    assert_eq!(code(repo.app().check_audit(Some("cluade"))), ErrorCode::Usage);
    let codex = repo.app().check_audit(Some("codex")).unwrap();
    assert_eq!((codex.overall_status, codex.checks.len()), (AuditCheckStatus::Skip, 1));
    repo.write(".kiro/settings/cli.json", "{\"chat.defaultAgent\": \"mine\"}");
    let kiro = repo.app().check_audit(Some("kiro")).unwrap();
    let names: Vec<&str> = kiro.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "binary-on-path",
            "swamp-binary-on-path",
            "agent-config-loadable",
            "default-agent-set",
            "recording-smoke-test"
        ]
    );
    assert!(kiro.checks.iter().all(|check| check.status == AuditCheckStatus::Fail && check.hint.is_some()));
    for (text, message) in [
        ("{\"chat.defaultAgent\": ", "invalid JSON in .kiro/settings/cli.json: "),
        ("{}", "there is no default agent"),
    ] {
        repo.write(".kiro/settings/cli.json", text);
        let kiro = repo.app().check_audit(Some("kiro")).unwrap();
        assert!(kiro.checks[3].message.starts_with(message), "{:?}", kiro.checks[3]);
    }
}
