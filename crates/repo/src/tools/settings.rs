//! Settings of AI tools: commands that they may run without asking, and hooks that record what they run.
//!
//! Settings are JSON that belongs to the user. A change adds to it: items join lists, a hook is added once, a value is set
//! where none is. A hook of ours is recognised by its command, so that another program name replaces it.

use serde_json::{Map, Value, json};

use super::BuiltinTool;

/// The commands that tools may run without asking: they read, or write definitions that Git shows. None runs methods or
/// workflows, installs code, reveals a secret or moves data.
const ALLOWED: &[&str] = &[
    "audit",
    "data get",
    "data list",
    "data query",
    "data search",
    "data versions",
    "doctor audit",
    "doctor secrets",
    "doctor vaults",
    "doctor workflows",
    "model create",
    "model edit",
    "model get",
    "model method describe",
    "model output get",
    "model output logs",
    "model output search",
    "model search",
    "model type describe",
    "model type search",
    "model validate",
    "report describe",
    "report get",
    "report search",
    "report type search",
    "schema",
    "summarise",
    "vault describe",
    "vault get",
    "vault list-keys",
    "vault search",
    "version",
    "workflow create",
    "workflow edit",
    "workflow get",
    "workflow history get",
    "workflow history logs",
    "workflow history search",
    "workflow search",
    "workflow validate",
];

/// What every command of ours that records contains.
const RECORD: &str = "audit record --from-hook";
/// Names under which users run the program.
const PROGRAMS: [&str; 2] = ["marsh", "swamp"];

/// A change to a settings file.
enum Change {
    /// Sets a value where the file has none.
    Default(&'static [&'static str], Value),
    /// Adds the texts that a list lacks.
    Union(&'static [&'static str], Vec<String>),
    /// Adds a hook to a list that has none of ours.
    Hook(&'static [&'static str], Value),
}

enum Content {
    Json(Vec<Change>),
    /// A file that is ours as a whole.
    Text(String),
}

/// A settings file of a tool.
pub struct SettingsFile {
    /// Relative to the repository.
    pub path: &'static str,
    content: Content,
    command: String,
}

/// See [`BuiltinTool::hook_file`].
pub fn hook_file(tool: BuiltinTool) -> Option<&'static str> {
    match tool {
        BuiltinTool::Claude => Some(".claude/settings.local.json"),
        BuiltinTool::Cursor => Some(".cursor/hooks.json"),
        BuiltinTool::OpenCode => Some(".opencode/plugins/swamp-audit.ts"),
        BuiltinTool::Copilot => Some(".github/hooks/swamp-audit.json"),
        BuiltinTool::Kiro => Some(".kiro/agents/swamp.json"),
        BuiltinTool::Codex => None,
    }
}

/// The settings files of a tool.
pub fn files(tool: BuiltinTool, program: &str) -> Vec<SettingsFile> {
    let command = match tool {
        BuiltinTool::Claude => format!("{program} {RECORD}"),
        other => format!("{program} {RECORD} --tool {}", other.spec().name),
    };
    let file = |path: &'static str, changes: Vec<Change>| SettingsFile {
        path,
        content: Content::Json(changes),
        command: command.clone(),
    };
    let Some(path) = hook_file(tool) else { return Vec::new() };
    match tool {
        BuiltinTool::Claude => {
            let hook =
                json!({ "matcher": "Bash", "hooks": [{ "type": "command", "command": command.as_str() }] });
            let allow = ALLOWED.iter().map(|allowed| format!("Bash({program} {allowed}:*)")).collect();
            vec![file(
                path,
                vec![
                    Change::Union(&["permissions", "allow"], allow),
                    Change::Hook(&["hooks", "PostToolUse"], hook.clone()),
                    Change::Hook(&["hooks", "PostToolUseFailure"], hook),
                ],
            )]
        }
        BuiltinTool::Cursor => vec![file(path, both_hooks(json!({ "command": command.as_str() })))],
        BuiltinTool::Copilot => {
            vec![file(path, both_hooks(json!({ "type": "command", "command": command.as_str() })))]
        }
        BuiltinTool::Kiro => kiro(program, &command, file),
        BuiltinTool::OpenCode => {
            vec![SettingsFile { path, content: Content::Text(plugin(program)), command: command.clone() }]
        }
        BuiltinTool::Codex => Vec::new(),
    }
}

fn both_hooks(hook: Value) -> Vec<Change> {
    vec![
        Change::Default(&["version"], json!(1)),
        Change::Hook(&["hooks", "postToolUse"], hook.clone()),
        Change::Hook(&["hooks", "postToolUseFailure"], hook),
    ]
}

fn kiro(
    program: &str,
    command: &str,
    file: impl Fn(&'static str, Vec<Change>) -> SettingsFile,
) -> Vec<SettingsFile> {
    // Kiro reads patterns; a command that goes on with another one does not match.
    let patterns =
        ALLOWED.iter().map(|allowed| format!("{program} {allowed}( [^;&|<>$`\\n]*)?")).collect::<Vec<_>>();
    let trusted = ALLOWED.iter().map(|allowed| format!("{program} {allowed} *")).collect::<Vec<_>>();
    vec![
        file(
            ".kiro/agents/swamp.json",
            vec![
                Change::Default(&["name"], json!("swamp")),
                Change::Default(&["description"], json!("Works in this automation repository")),
                Change::Default(&["tools"], json!(["*"])),
                Change::Default(
                    &["resources"],
                    json!(["file://.kiro/steering/**/*.md", "skill://.kiro/skills/**/SKILL.md"]),
                ),
                Change::Union(&["toolsSettings", "shell", "allowedCommands"], patterns),
                Change::Hook(
                    &["hooks", "postToolUse"],
                    json!({ "matcher": "execute_bash", "command": command }),
                ),
            ],
        ),
        file(
            ".kiro/hooks/swamp-audit.kiro.hook",
            vec![
                Change::Default(&["name"], json!("Audit")),
                Change::Default(
                    &["description"],
                    json!("Records shell commands in the repository's audit log"),
                ),
                Change::Default(&["version"], json!("1")),
                Change::Default(&["when"], json!({ "type": "postToolUse", "toolTypes": ["*"] })),
                Change::Default(&["then"], json!({ "type": "runCommand", "command": command, "timeout": 5 })),
            ],
        ),
        file(".kiro/settings/cli.json", vec![Change::Default(&["chat.defaultAgent"], json!("swamp"))]),
        file(".vscode/settings.local.json", vec![Change::Union(&["kiroAgent.trustedCommands"], trusted)]),
    ]
}

fn plugin(program: &str) -> String {
    format!(
        "\
// Written by marsh, and replaced by every upgrade of the repository.
// Records shell commands in the repository's audit log. A failure to record never disturbs the tool.
import {{ spawn }} from \"node:child_process\";

export const AuditPlugin = async ({{ directory }}) => {{
  const commands = new Map();
  return {{
    \"tool.execute.before\": async (input, output) => {{
      if (input.tool === \"bash\") commands.set(input.callID, output?.args?.command);
    }},
    \"tool.execute.after\": async (input, output) => {{
      if (input.tool !== \"bash\") return;
      const command = commands.get(input.callID);
      commands.delete(input.callID);
      if (typeof command !== \"string\") return;
      const exit = output?.metadata?.exit;
      const event = {{
        tool_name: \"bash\",
        tool_input: {{ command }},
        cwd: directory,
        session_id: input.sessionID,
        ...(typeof exit === \"number\" && exit !== 0 ? {{ error: `Exit code ${{exit}}` }} : {{}}),
      }};
      try {{
        const child = spawn(\"{program}\", [\"audit\", \"record\", \"--from-hook\", \"--tool\", \"opencode\"], {{
          cwd: directory,
          stdio: [\"pipe\", \"ignore\", \"ignore\"],
        }});
        child.on(\"error\", () => {{}});
        child.stdin.on(\"error\", () => {{}});
        child.stdin.end(JSON.stringify(event));
      }} catch {{
        // The program is missing.
      }}
    }},
  }};
}};
"
    )
}

impl SettingsFile {
    /// The file's text after the changes; the text itself if they change nothing.
    ///
    /// # Errors
    /// The text is not a JSON object, or a value has another type than the tool documents.
    pub fn content(&self, text: Option<&str>) -> Result<String, String> {
        let changes = match &self.content {
            Content::Text(own) => return Ok(own.clone()),
            Content::Json(changes) => changes,
        };
        let before: Value = match text.filter(|text| !text.trim().is_empty()) {
            None => json!({}),
            Some(text) => serde_json::from_str(text).map_err(|error| {
                format!("invalid JSON: {error}; correct the file and run the command again")
            })?,
        };
        let mut after = before.clone();
        for change in changes {
            apply(&mut after, change, &self.command)?;
        }
        match text {
            Some(text) if after == before => Ok(text.to_owned()),
            _ => {
                let text = serde_json::to_string_pretty(&after).map_err(|error| error.to_string())?;
                Ok(text + "\n")
            }
        }
    }
}

fn apply(root: &mut Value, change: &Change, command: &str) -> Result<(), String> {
    match change {
        Change::Default(path, value) => {
            let slot = slot(root, path)?;
            match slot {
                Value::Null => *slot = value.clone(),
                // A command of ours follows the program's name.
                other => rename_commands(other, command),
            }
        }
        Change::Union(path, texts) => {
            let list = list(root, path)?;
            for text in texts {
                if !list.iter().any(|item| item.as_str() == Some(text)) {
                    list.push(json!(text));
                }
            }
        }
        Change::Hook(path, hook) => {
            let list = list(root, path)?;
            let ours = list.iter_mut().find(|item| item.to_string().contains(RECORD));
            match ours {
                Some(ours) => rename_commands(ours, command),
                None => list.push(hook.clone()),
            }
        }
    }
    Ok(())
}

/// Replaces the program's name in commands that are ours. A command that names another path stays as it is.
fn rename_commands(value: &mut Value, command: &str) {
    match value {
        Value::String(text) => {
            let is_ours = PROGRAMS.iter().any(|program| {
                text.strip_prefix(program).is_some_and(|rest| rest.trim_start().starts_with(RECORD))
            });
            if is_ours {
                *text = command.to_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename_commands(item, command)),
        Value::Object(map) => map.values_mut().for_each(|item| rename_commands(item, command)),
        _ => {}
    }
}

/// The value at a path; objects on the way are made.
fn slot<'v>(root: &'v mut Value, path: &[&str]) -> Result<&'v mut Value, String> {
    let mut here = root;
    let mut way = String::new();
    for key in path {
        if here.is_null() {
            *here = Value::Object(Map::new());
        }
        let Value::Object(map) = here else {
            let place = if way.is_empty() { "the top".to_owned() } else { format!("`{way}`") };
            return Err(format!("expected an object at {place}"));
        };
        here = map.entry((*key).to_owned()).or_insert(Value::Null);
        way = if way.is_empty() { (*key).to_owned() } else { format!("{way}.{key}") };
    }
    Ok(here)
}

fn list<'v>(root: &'v mut Value, path: &[&str]) -> Result<&'v mut Vec<Value>, String> {
    let here = slot(root, path)?;
    if here.is_null() {
        *here = Value::Array(Vec::new());
    }
    match here {
        Value::Array(items) => Ok(items),
        _ => Err(format!("expected a list at `{}`", path.join("."))),
    }
}
