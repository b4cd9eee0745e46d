//! Files of AI tools: what is managed is written, what is the user's stays.

#![expect(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

use std::path::Path;

use marsh_repo::tools::{BuiltinTool, custom};
use marsh_repo::upgrade::{UpgradeRequest, upgrade};
use marsh_repo::{InitOptions, InitOutcome, RepoError, ToolSetup, init_with};
use serde_json::{Value, json};

fn write(root: &Path, relative: &str, text: &str) {
    let path = root.join(relative);
    marsh_fs::create_dir_all(path.parent().unwrap()).unwrap();
    marsh_fs::atomic_write(&path, text.as_bytes(), marsh_fs::Durability::Atomic).unwrap();
}

fn read(root: &Path, relative: &str) -> String {
    std::fs::read_to_string(root.join(relative)).unwrap()
}

fn json_of(root: &Path, relative: &str) -> Value {
    serde_json::from_str(&read(root, relative)).unwrap()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn init_for(root: &Path, tools: &[&str], force: bool) -> Result<InitOutcome, RepoError> {
    let names = names(tools);
    let names = (!names.is_empty()).then_some(names.as_slice());
    let tools = Some(ToolSetup { names, program: "marsh" });
    init_with(root, &InitOptions { version: "1", force, tools })
}

fn upgrade_as(root: &Path, program: &str, tools: Option<&[&str]>) -> Vec<String> {
    let request =
        UpgradeRequest { tools: tools.map(names), program: program.to_owned(), ..UpgradeRequest::default() };
    upgrade(root, "1", &request).unwrap().layout.changed
}

const HOOK: &str = "marsh audit record --from-hook";

#[test]
fn init_without_tools_sets_up_claude() {
    let dir = tempfile::tempdir().unwrap();
    let made = init_for(dir.path(), &[], false).unwrap();
    assert_eq!(made.repo.marker.tools(), ["claude"]);
    let text = read(dir.path(), "CLAUDE.md");
    assert!(text.starts_with("<!-- BEGIN swamp managed section - DO NOT EDIT -->\n"), "{text}");
    assert!(text.contains("marsh model type search") && !text.contains("{P}"), "{text}");
    let settings = json_of(dir.path(), ".claude/settings.local.json");
    for event in ["PostToolUse", "PostToolUseFailure"] {
        assert_eq!(
            settings["hooks"][event],
            json!([{ "matcher": "Bash", "hooks": [{ "type": "command", "command": HOOK }] }])
        );
    }
    let allowed = settings["permissions"]["allow"].as_array().unwrap();
    assert!(allowed.contains(&json!("Bash(marsh model search:*)")), "{allowed:?}");
    for never in ["run", "extension", "datastore", "read-secret", "delete", "vault put"] {
        assert!(!allowed.iter().any(|rule| rule.as_str().unwrap().contains(never)), "{never}: {allowed:?}");
    }
    assert!(read(dir.path(), ".gitignore").contains(".claude/settings.local.json"));
    assert!(dir.path().join(".claude/skills/marsh/SKILL.md").is_file());
}

#[test]
fn every_tool_has_its_files_and_a_second_plan_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let all: Vec<&str> = BuiltinTool::ALL.iter().map(|tool| tool.spec().name).collect();
    init_for(dir.path(), &all, false).unwrap();
    for tool in BuiltinTool::ALL {
        let spec = tool.spec();
        let text = read(dir.path(), spec.instructions);
        assert_eq!(text.matches("BEGIN swamp").count(), 1, "{}: {text}", spec.name);
        if let Some(front) = spec.front_matter {
            assert!(text.starts_with(&format!("---\n{front}\n---\n")), "{text}");
        }
        let skill = read(dir.path(), &format!("{}/marsh/SKILL.md", spec.skills));
        let front = skill.split("---\n").nth(1).unwrap();
        let front: Value = marsh_types::yaml::from_str(front).unwrap();
        assert_eq!(front["name"], "marsh");
        match tool.hook_file() {
            Some(file) => assert!(read(dir.path(), file).contains("--from-hook"), "{file}"),
            None => assert_eq!(tool, BuiltinTool::Codex),
        }
    }
    let command = json_of(dir.path(), ".cursor/hooks.json")["hooks"]["postToolUse"][0]["command"].clone();
    assert_eq!(command, format!("{HOOK} --tool cursor"));
    assert_eq!(json_of(dir.path(), ".kiro/settings/cli.json"), json!({ "chat.defaultAgent": "swamp" }));
    assert_eq!(upgrade_as(dir.path(), "marsh", None), [""; 0]);
    let again = init_for(dir.path(), &[], true).unwrap();
    assert_eq!((again.plan.files.len(), again.repo.marker.tools()), (0, names(&all)));
}

#[test]
fn text_and_settings_of_the_user_stay() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "CLAUDE.md", "# House rules\n\nBe brief.\n");
    let mine = json!({
        "model": "x",
        "permissions": { "allow": ["Bash(make:*)"], "deny": ["Read(.env)"] },
        "hooks": { "PostToolUse": [{ "matcher": "Edit", "hooks": [{ "type": "command", "command": "fmt" }] }] },
    });
    write(dir.path(), ".claude/settings.local.json", &mine.to_string());
    init_for(dir.path(), &["claude"], false).unwrap();
    let text = read(dir.path(), "CLAUDE.md");
    assert!(text.ends_with("\n\n# House rules\n\nBe brief.\n"), "{text}");
    let settings = json_of(dir.path(), ".claude/settings.local.json");
    assert_eq!(
        (&settings["model"], &settings["permissions"]["deny"]),
        (&mine["model"], &mine["permissions"]["deny"])
    );
    assert_eq!(settings["permissions"]["allow"][0], "Bash(make:*)");
    assert_eq!(settings["hooks"]["PostToolUse"][0], mine["hooks"]["PostToolUse"][0]);
    assert_eq!(settings["hooks"]["PostToolUse"][1]["hooks"][0]["command"], HOOK);
}

#[test]
fn hook_follows_the_name_of_the_program_and_stays_one() {
    let dir = tempfile::tempdir().unwrap();
    init_for(dir.path(), &["claude", "kiro"], false).unwrap();
    upgrade_as(dir.path(), "swamp", None);
    let settings = json_of(dir.path(), ".claude/settings.local.json");
    let hooks = settings["hooks"]["PostToolUse"].as_array().unwrap();
    assert_eq!(hooks.len(), 1);
    assert_eq!(hooks[0]["hooks"][0]["command"], "swamp audit record --from-hook");
    let hook = json_of(dir.path(), ".kiro/hooks/swamp-audit.kiro.hook");
    assert_eq!(hook["then"]["command"], "swamp audit record --from-hook --tool kiro");
    assert!(read(dir.path(), "CLAUDE.md").contains("`swamp model type search"));
    // A hook by path is the user's own choice.
    let own = settings.to_string().replace("swamp audit record", "/opt/bin/marsh audit record");
    write(dir.path(), ".claude/settings.local.json", &own);
    upgrade_as(dir.path(), "swamp", None);
    assert_eq!(
        json_of(dir.path(), ".claude/settings.local.json")["hooks"]["PostToolUse"].as_array().unwrap().len(),
        1
    );
}

#[test]
fn file_that_cannot_be_merged_stops_init_before_anything_is_written() {
    for (file, text) in [
        (".claude/settings.local.json", "{ // mine\n}"),
        (".claude/settings.local.json", "[]"),
        (".claude/settings.local.json", "{\"hooks\": []}"),
        (".claude/settings.local.json", "{\"permissions\": {\"allow\": {}}}"),
        (".swamp-custom-tools.yaml", "tools: [{name: x, skillsDir: ../s, instructionsFile: X.md}]"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), file, text);
        let error = init_for(dir.path(), &["cursor", "claude"], false).unwrap_err();
        assert!(matches!(error, RepoError::ToolFile { .. }), "{error}");
        assert!(error.to_string().contains(file), "{error}");
        assert_eq!(read(dir.path(), file), text);
        for none in [".swamp.yaml", ".cursor", "models", ".gitignore"] {
            assert!(!dir.path().join(none).exists(), "{file}: {none}");
        }
    }
}

#[test]
fn link_between_instructions_is_followed_and_a_link_outside_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (repo, home) = (dir.path().join("repo"), dir.path().join("home"));
    write(&repo, "AGENTS.md", "mine\n");
    marsh_fs::symlink_atomic(Path::new("AGENTS.md"), &repo.join("CLAUDE.md")).unwrap();
    init_for(&repo, &["claude", "codex"], false).unwrap();
    assert!(repo.join("CLAUDE.md").is_symlink());
    let text = read(&repo, "AGENTS.md");
    assert!(text.matches("BEGIN swamp").count() == 1 && text.ends_with("\nmine\n"), "{text}");

    write(&home, "skills/keep", "");
    let other = dir.path().join("other");
    marsh_fs::create_dir_all(&other).unwrap();
    marsh_fs::symlink_atomic(&home, &other.join(".claude")).unwrap();
    let error = init_for(&other, &["claude"], false).unwrap_err();
    assert!(error.to_string().contains("outside the repository"), "{error}");
    assert!(!home.join("settings.local.json").exists() && !other.join(".swamp.yaml").exists());
}

#[test]
fn unknown_tools_and_none_beside_others_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (tools, word) in
        [(&["cluade"][..], "unknown tool `cluade`"), (&["none", "claude"], "`none` excludes")]
    {
        let error = init_for(dir.path(), tools, false).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
    let unknown = init_for(dir.path(), &["cluade"], false).unwrap_err();
    let hint = marsh_types::Explain::hint(&unknown).unwrap();
    assert!(hint.contains("`claude`?") && hint.contains("kiro, none"), "{hint}");
    let made = init_for(dir.path(), &["none"], false).unwrap();
    assert_eq!((made.repo.marker.tools(), made.plan.files.len()), (Vec::new(), 0));
    assert!(matches!(init_for(dir.path(), &[], false), Err(RepoError::AlreadyThere { .. })));
}

const ACME: &str = "tools:
- name: acme
  skillsDir: .acme/skills
  instructionsFile: docs/ACME.md
  instructionsMode: owned
  frontmatter: { mode: always }
  skillReferenceStyle: path
  gitignoreEntries: [.acme/cache/]
  future: 1
";

#[test]
fn custom_tool_is_set_up_as_its_description_says() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), ".swamp-custom-tools.yaml", ACME);
    let made = init_for(dir.path(), &["acme"], false).unwrap();
    let text = read(dir.path(), "docs/ACME.md");
    assert!(
        text.starts_with("---\nmode: always\n---\n") && text.contains("`.acme/skills/marsh/SKILL.md`"),
        "{text}"
    );
    assert!(read(dir.path(), ".gitignore").contains(".acme/cache/"));
    assert!(dir.path().join(".acme/skills/marsh-getting-started/SKILL.md").is_file());
    let layout = &made.repo.layout;
    let tools = custom::read(layout).unwrap();
    assert_eq!(made.repo.marker.skill_dirs(&tools), [".acme/skills"]);
    assert!(custom::remove(layout, "acme").unwrap() && !custom::remove(layout, "acme").unwrap());
    let changed = upgrade_as(dir.path(), "marsh", None);
    assert_eq!(changed, [".swamp.yaml", ".gitignore"], "a tool without a description stops no upgrade");
    custom::put(layout, &tools[0]).unwrap();
    assert_eq!(custom::read(layout).unwrap(), tools);
}

#[test]
fn owned_file_that_marsh_did_not_write_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), ".swamp-custom-tools.yaml", ACME);
    write(dir.path(), "docs/ACME.md", "mine\n");
    let error = init_for(dir.path(), &["acme"], false).unwrap_err();
    assert!(error.to_string().contains("instructionsMode: shared"), "{error}");
    assert_eq!(read(dir.path(), "docs/ACME.md"), "mine\n");
}

#[test]
fn skills_of_a_custom_tool_in_the_home_directory_are_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let text = ACME.replace(".acme/skills", "~/.acme/skills");
    write(dir.path(), ".swamp-custom-tools.yaml", &text);
    let made = init_for(dir.path(), &["acme"], false).unwrap();
    assert!(made.plan.warnings[0].contains("~/.acme/skills"), "{:?}", made.plan.warnings);
    assert!(!dir.path().join("~").exists());
}

#[test]
fn upgrade_changes_the_tools_and_keeps_the_files_of_former_ones() {
    let dir = tempfile::tempdir().unwrap();
    init_for(dir.path(), &["claude"], false).unwrap();
    let changed = upgrade_as(dir.path(), "marsh", Some(&["cursor"]));
    assert_eq!(changed[0], ".swamp.yaml");
    assert!(changed.iter().any(|file| file == ".cursor/hooks.json"), "{changed:?}");
    assert!(dir.path().join("CLAUDE.md").is_file());
    let marker = marsh_repo::Repo::open(dir.path()).unwrap().marker;
    assert_eq!(marker.tools(), ["cursor"]);
}
