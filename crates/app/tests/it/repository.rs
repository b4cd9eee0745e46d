//! The repository itself.

use marsh_api::ErrorCode;
use marsh_api::event::NoEvents;
use marsh_api::repository::{AgentTool, GitignoreAction, InstructionsMode, SkillReferenceStyle};
use marsh_app::InitRequest;
use marsh_repo::upgrade::UpgradeRequest;
use marsh_types::Explain as _;

use crate::support::{Repository, code};

#[test]
fn directory_is_initialized_once_unless_forced() {
    let repo = Repository::new();
    let app = repo.app_at(repo.path("deep/er"), &[]);
    assert_eq!(code(app.session()), ErrorCode::NotFound);
    let made = app.initialize(&InitRequest::default()).unwrap();
    assert_eq!(
        (made.path.as_str(), made.version.as_str()),
        (&*repo.path("deep/er").display().to_string(), "0.0.0")
    );
    assert_eq!(made.gitignore_action, GitignoreAction::Created);
    assert_eq!(code(app.initialize(&InitRequest::default())), ErrorCode::AlreadyExists);
    let again = app.initialize(&InitRequest { force: true, ..InitRequest::default() }).unwrap();
    assert_eq!((again.repo_id, again.gitignore_action), (made.repo_id, GitignoreAction::Unchanged));
    app.session().unwrap();
}

#[test]
fn path_of_the_request_wins_and_is_read_against_the_callers_directory() {
    let repo = Repository::new();
    let request = InitRequest { path: Some("other".into()), ..InitRequest::default() };
    let made = repo.app().initialize(&request).unwrap();
    assert_eq!(made.path, repo.path("other").display().to_string());
}

#[test]
fn former_layout_is_upgraded_and_its_models_workflows_and_vaults_are_read() {
    let repo = Repository::new();
    repo.remove(crate::support::MODEL);
    let id = "0a6d3c52-8f6e-4c0e-9d9f-1b1f3a7f0001";
    let definition = format!("id: {id}\nname: old\ntypeVersion: 1\nattributes: {{ a: 1 }}\n");
    repo.write(&format!(".swamp/definitions/command/shell/{id}.yaml"), definition);
    repo.write(&format!(".swamp/vault/local_encryption/{id}.yaml"), format!(
        "id: {id}\nname: safe\ntype: local_encryption\nconfig: {{ auto_generate: true }}\ncreatedAt: 2025-01-01T00:00:00.000Z\n"
    ));
    let marker = repo.read(".swamp.yaml") + "tool: claude\n";
    repo.write(".swamp.yaml", marker);
    let missing = code(repo.session().read().model("old"));
    assert_eq!(missing, ErrorCode::ModelNotFound);
    let upgrade = || repo.app().upgrade(None, &UpgradeRequest::default(), &NoEvents).unwrap();
    let done = upgrade();
    assert_eq!(done.previous_version.as_deref(), Some("0.0.0"));
    assert_eq!((done.tool.as_str(), &done.previous_tools), ("claude", &done.tools));
    assert_eq!(done.changed_files[0], ".swamp.yaml");
    assert!(done.changed_files.contains(&format!("models/command/shell/{id}.yaml")), "{done:?}");
    assert!(repo.read(".swamp.yaml").contains("tools:"));
    let session = repo.session();
    assert_eq!(session.read().model("old").unwrap().0.name, "old");
    assert_eq!(session.read().get_vault("safe", None).unwrap().vault_type, "local_encryption");
    let again = upgrade();
    assert!(again.changed_files.is_empty(), "{again:?}");
}

#[test]
fn upgrade_needs_a_marker() {
    let repo = Repository::new();
    repo.remove(".swamp.yaml");
    let upgrade = || repo.app().upgrade(Some(&repo.root()), &UpgradeRequest::default(), &NoEvents);
    let lost = upgrade().unwrap_err();
    assert_eq!(lost.code(), ErrorCode::NotARepository);
    assert!(lost.hint().unwrap().contains("restore"), "{lost}");
    repo.remove(".swamp");
    assert!(upgrade().unwrap_err().hint().unwrap().contains("marsh init"));
}

#[test]
fn tools_are_set_up_listed_and_removed() {
    let repo = Repository::new();
    let app = repo.app_at(repo.path("fresh"), &[]);
    let made = app.initialize(&InitRequest { tools: vec!["kiro".into()], ..InitRequest::default() }).unwrap();
    assert_eq!(
        (made.tool.as_str(), made.instructions_file_created, made.settings_created),
        ("kiro", true, true)
    );
    assert_eq!(made.skills_copied[0], ".kiro/skills/marsh/SKILL.md");
    assert_eq!(app.suggest_agent("acme").unwrap().skills_dir, ".agents/skills");
    repo.write("fresh/.acme/config", "");
    repo.write("fresh/GEMINI.md", "");
    let suggested = app.suggest_agent("acme").unwrap();
    assert_eq!((&*suggested.skills_dir, &*suggested.instructions_file), (".acme/skills", "GEMINI.md"));
    let tool = AgentTool {
        name: "acme".into(),
        skills_dir: suggested.skills_dir,
        instructions_file: suggested.instructions_file,
        instructions_mode: InstructionsMode::Shared,
        frontmatter: None,
        skill_reference_style: SkillReferenceStyle::Name,
        gitignore_entries: Vec::new(),
    };
    assert!(!app.add_agent(tool.clone()).unwrap().replaced);
    assert!(app.add_agent(tool.clone()).unwrap().replaced);
    assert_eq!(app.agents().unwrap().tools, std::slice::from_ref(&tool));
    let request = UpgradeRequest { tools: Some(vec!["acme".into()]), ..UpgradeRequest::default() };
    let done = app.upgrade(None, &request, &NoEvents).unwrap();
    assert_eq!((done.added_tools, done.removed_tools), (vec!["acme".to_owned()], vec!["kiro".to_owned()]));
    assert!(repo.read("fresh/GEMINI.md").contains("BEGIN swamp"));
    assert!(app.remove_agent("acme").unwrap().removed);
    assert_eq!(code(app.remove_agent("acme")), ErrorCode::NotFound);
    let wrong = app.add_agent(AgentTool { name: "claude".into(), ..tool });
    assert_eq!(code(wrong), ErrorCode::Usage);
}

#[test]
fn skills_of_another_implementation_are_named_and_stay() {
    let repo = Repository::new();
    repo.write(".claude/skills/swamp/SKILL.md", "theirs");
    let request = UpgradeRequest { tools: Some(vec!["claude".into()]), ..UpgradeRequest::default() };
    let done = repo.app().upgrade(None, &request, &NoEvents).unwrap();
    assert_eq!(done.local_skill_copies[0].names, ["swamp"]);
    assert_eq!(repo.read(".claude/skills/swamp/SKILL.md"), "theirs");
}
