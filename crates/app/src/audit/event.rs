//! What the hooks of AI tools report: the event that each tool writes to standard input. Pure.

use std::path::PathBuf;

use marsh_repo::tools::BuiltinTool;
use serde_json::Value;

/// A shell command that a tool ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HookEvent {
    pub command: String,
    pub cwd: Option<PathBuf>,
    pub session: Option<String>,
    pub failure: Option<Failure>,
}

/// How the command failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Failure {
    pub exit_code: Option<i64>,
    pub error: Option<String>,
}

/// The longest error text that is kept, in characters.
const ERROR_LIMIT: usize = 2_000;

/// The command of an event. `None`: the event is not about a shell command, or not an event of the tool.
pub(super) fn parse(tool: BuiltinTool, text: &str) -> Option<HookEvent> {
    let event: Value = serde_json::from_str(text).ok()?;
    let named = first(&event, &["tool_name", "toolName"])?.as_str()?;
    let shells: &[&str] = match tool {
        BuiltinTool::Claude => &["Bash"],
        BuiltinTool::Cursor => &["Shell"],
        BuiltinTool::Kiro => &["execute_bash", "shell", "execute_cmd"],
        BuiltinTool::OpenCode | BuiltinTool::Copilot => &["bash"],
        BuiltinTool::Codex => return None,
    };
    if !shells.contains(&named) {
        return None;
    }
    let input = match first(&event, &["tool_input", "toolArgs"])? {
        // Some versions pass the arguments as JSON text.
        Value::String(text) => serde_json::from_str(text).ok()?,
        other => other.clone(),
    };
    let command = input.get("command")?.as_str()?.trim();
    if command.is_empty() {
        return None;
    }
    let session = first(&event, &["session_id", "sessionId"]).and_then(Value::as_str);
    Some(HookEvent {
        command: command.to_owned(),
        cwd: event.get("cwd").and_then(Value::as_str).map(PathBuf::from).filter(|cwd| cwd.is_absolute()),
        session: session.filter(|session| !session.is_empty()).map(str::to_owned),
        failure: failure(tool, &event),
    })
}

fn first<'v>(event: &'v Value, keys: &[&str]) -> Option<&'v Value> {
    keys.iter().find_map(|key| event.get(key)).filter(|value| !value.is_null())
}

fn failure(tool: BuiltinTool, event: &Value) -> Option<Failure> {
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    };
    let named = first(event, &["hook_event_name", "hookEventName", "event"]).and_then(Value::as_str);
    let is_failure_event = named.is_some_and(|name| name.to_lowercase().ends_with("failure"));
    let (failed, error) = match tool {
        BuiltinTool::Claude => (is_failure_event, text(event.get("error"))),
        BuiltinTool::Cursor => {
            let error = text(event.get("error_message"));
            (!error.is_empty(), error)
        }
        BuiltinTool::Kiro => {
            let response = event.get("tool_response");
            let success = response.and_then(|one| one.get("success")).or_else(|| event.get("toolSuccess"));
            let error = response.and_then(|one| one.get("error")).or_else(|| event.get("toolResult"));
            (success == Some(&Value::Bool(false)), text(error))
        }
        BuiltinTool::OpenCode | BuiltinTool::Copilot | BuiltinTool::Codex => {
            let error = text(event.get("error"));
            (is_failure_event || !error.is_empty(), error)
        }
    };
    failed.then(|| described(&error))
}

/// The exit code that the text begins with or names, and the rest on one line.
fn described(text: &str) -> Failure {
    let lower = text.to_ascii_lowercase();
    let found = ["exit code ", "status code "].iter().find_map(|words| {
        let at = lower.find(words)?;
        let digits: String =
            text[at + words.len()..].chars().take_while(|c| c.is_ascii_digit() || *c == '-').collect();
        Some((at, at + words.len() + digits.len(), digits.parse::<i64>().ok()?))
    });
    let rest = match found {
        Some((0, end, _)) => text[end..].trim_start_matches([':', '.', ',', ' ', '\r', '\n']),
        _ => text,
    };
    let line: String =
        rest.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(ERROR_LIMIT).collect();
    Failure { exit_code: found.map(|(_, _, code)| code), error: (!line.is_empty()).then_some(line) }
}

#[cfg(test)]
mod tests {
    use marsh_repo::tools::BuiltinTool;

    use super::{Failure, parse};

    fn failed(tool: BuiltinTool, event: &str) -> Failure {
        parse(tool, event).unwrap().failure.unwrap()
    }

    #[test]
    fn event_of_each_tool_is_its_command() {
        for (tool, event) in [
            (BuiltinTool::Claude, r#"{"tool_name": "Bash", "tool_input": {"command": " ls -l "}}"#),
            (BuiltinTool::Cursor, r#"{"tool_name": "Shell", "tool_input": {"command": "ls -l"}}"#),
            (BuiltinTool::Kiro, r#"{"toolName": "execute_cmd", "toolArgs": {"command": "ls -l"}}"#),
            (BuiltinTool::OpenCode, r#"{"tool_name": "bash", "tool_input": {"command": "ls -l"}}"#),
            (BuiltinTool::Copilot, r#"{"toolName": "bash", "toolArgs": "{\"command\": \"ls -l\"}"}"#),
        ] {
            let event = parse(tool, event).unwrap();
            assert_eq!((&*event.command, event.failure), ("ls -l", None), "{tool:?}");
        }
    }

    #[test]
    fn events_that_are_not_of_a_shell_are_ignored() {
        for event in [
            r#"{"tool_name": "Read", "tool_input": {"command": "x"}}"#,
            r#"{"tool_name": "Bash", "tool_input": {}}"#,
            r#"{"tool_name": "Bash", "tool_input": {"command": " "}}"#,
            r#"{"tool_name": 1}"#,
            r#"[]"#,
        ] {
            assert_eq!(parse(BuiltinTool::Claude, event), None, "{event}");
        }
        assert_eq!(parse(BuiltinTool::Claude, "{"), None);
    }

    #[test]
    fn failure_has_exit_code_and_the_rest_of_the_text_on_one_line() {
        let claude = |error: &str| {
            failed(
                BuiltinTool::Claude,
                &format!(
                    r#"{{"tool_name": "Bash", "tool_input": {{"command": "make"}}, "hook_event_name": "PostToolUseFailure", "error": {error:?}}}"#
                ),
            )
        };
        let failure = |code: Option<i64>, error: Option<&str>| Failure {
            exit_code: code,
            error: error.map(str::to_owned),
        };
        assert_eq!(claude("Exit code 2\nno rule\n  to make"), failure(Some(2), Some("no rule to make")));
        assert_eq!(
            claude("it ended with status code 7"),
            failure(Some(7), Some("it ended with status code 7"))
        );
        assert_eq!(claude("Exit code 1"), failure(Some(1), None));
        assert_eq!(claude("killed"), failure(None, Some("killed")));
        let kiro = r#"{"tool_name": "shell", "tool_input": {"command": "x"}, "tool_response": {"success": false, "error": "no"}}"#;
        assert_eq!(failed(BuiltinTool::Kiro, kiro), failure(None, Some("no")));
        let cursor = r#"{"tool_name": "Shell", "tool_input": {"command": "x"}, "error_message": "no"}"#;
        assert_eq!(failed(BuiltinTool::Cursor, cursor), failure(None, Some("no")));
    }
}
