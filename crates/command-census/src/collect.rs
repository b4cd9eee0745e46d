//! The command lines in the files of a repository: scripts, CI, hooks, agent files, other Markdown.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::shell::{CommandLine, Word, command_lines};

/// Where a command line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Shell scripts, make files, task files, images.
    Script,
    /// Pipelines of a forge.
    Ci,
    /// Hooks of Git and of coding agents.
    Hook,
    /// Instructions and skills for coding agents.
    Agent,
    /// Other Markdown.
    Document,
    /// Workflows, definitions and other YAML and JSON.
    Data,
}

/// A command line and where it was found.
#[derive(Debug, Clone)]
pub struct Found {
    pub place: Place,
    /// Relative to the repository.
    pub file: PathBuf,
    pub line: usize,
    pub words: Vec<Word>,
}

/// Directories that hold other people's files.
const SKIPPED: &[&str] = &[".git", "node_modules", "target", ".swamp", "vendor", "dist", "site-packages"];

/// Larger files are generated.
const MAX_BYTES: u64 = 2_000_000;

/// All command lines of a repository that call the program.
///
/// # Errors
///
/// When a directory cannot be listed.
pub fn collect(root: &Path) -> std::io::Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(dir) = pending.pop() {
        let mut entries: Vec<_> = std::fs::read_dir(&dir)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() {
                if !SKIPPED.iter().any(|skipped| entry.file_name() == *skipped) {
                    pending.push(path);
                }
                continue;
            }
            let relative = path.strip_prefix(root).unwrap_or(&path).to_owned();
            if !kind.is_file() || entry.metadata()?.len() > MAX_BYTES || is_installed(&relative) {
                continue;
            }
            // Files that are not text have no command lines.
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            if text.contains("swamp") || text.contains("SWAMP") {
                found.extend(in_file(&relative, &text));
            }
        }
    }
    Ok(found)
}

/// Whether the other program wrote the file into the repository: a skill of its own. Such files are not opened.
fn is_installed(relative: &Path) -> bool {
    let path = relative.to_string_lossy();
    path.contains("skills/swamp/") || path.contains("skills/swamp-")
}

/// The text without the sections that the other program manages.
fn written_by_users(text: &str) -> String {
    let mut managed = false;
    let lines = text.lines().map(|line| {
        managed |= line.contains("BEGIN swamp managed section");
        let kept = if managed { "" } else { line };
        managed &= !line.contains("END swamp managed section");
        kept
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn in_file(relative: &Path, text: &str) -> Vec<Found> {
    let name = relative.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let path = relative.to_string_lossy();
    let extension = relative.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let shebang = text.lines().next().filter(|line| line.starts_with("#!")).unwrap_or_default();
    let is_ci = path.starts_with(".github/workflows/")
        || path.starts_with(".github/actions/")
        || path.contains(".circleci/")
        || [".gitlab-ci.yml", ".woodpecker.yml", "azure-pipelines.yml", "action.yml"].contains(&name);
    let is_hook = path.contains("hooks/")
        || path.starts_with(".husky/")
        || name == "lefthook.yml"
        || name == ".pre-commit-config.yaml";
    let is_agent = ["CLAUDE.md", "AGENTS.md", "SKILL.md", "GEMINI.md"].contains(&name)
        || [".claude/", ".cursor/", ".kiro/", ".agents/", ".opencode/", ".codex/", "skills/"]
            .iter()
            .any(|dir| path.contains(dir));
    let place = |other: Place| match () {
        () if is_ci => Place::Ci,
        () if is_hook => Place::Hook,
        () if is_agent => Place::Agent,
        () => other,
    };
    let (place, commands) = match extension {
        "md" | "mdc" | "mdx" => (
            place(if is_agent { Place::Agent } else { Place::Document }),
            in_markdown(&written_by_users(text)),
        ),
        "yaml" | "yml" => {
            (place(Place::Data), in_value(marsh_types::yaml::from_str::<Value>(text).ok(), text))
        }
        "json" | "jsonc" => {
            let is_settings = path.contains(".claude/settings") || path.contains("hooks.json");
            let place = if is_settings { Place::Hook } else { place(Place::Data) };
            (place, in_value(serde_json::from_str(text).ok(), text))
        }
        "toml" => (place(Place::Script), in_assignments(text)),
        "service" | "timer" => (Place::Script, in_assignments(text)),
        "sh" | "bash" | "zsh" | "fish" | "bats" => (place(Place::Script), command_lines(text)),
        _ if shebang.ends_with("sh")
            || name == "Makefile"
            || name.eq_ignore_ascii_case("justfile")
            || extension == "mk" =>
        {
            let recipes = text.replace("\n\t@", "\n\t").replace("\n    @", "\n    ").replace("$$", "$");
            (place(Place::Script), command_lines(&recipes))
        }
        _ if name.starts_with("Dockerfile") || name.starts_with("Containerfile") => {
            let lines = ["RUN ", "CMD ", "ENTRYPOINT "]
                .iter()
                .fold(text.to_owned(), |text, word| text.replace(&format!("\n{word}"), "\n"));
            (Place::Script, command_lines(&lines))
        }
        _ => return Vec::new(),
    };
    commands
        .into_iter()
        .filter(|command| is_call(&command.words))
        .map(|CommandLine { line, words }| Found { place, file: relative.to_owned(), line, words })
        .collect()
}

/// Whether the words behind the name are arguments, not a sentence about the program.
fn is_call(words: &[Word]) -> bool {
    words.first().is_none_or(|first| {
        let starts = first.text.chars().next();
        starts.is_some_and(|c| c.is_ascii_lowercase() || matches!(c, '-' | '$' | '@' | '"'))
            && !first.text.ends_with([':', ',', '.', '\''])
    }) && !words
        .iter()
        .any(|word| matches!(word.text.as_str(), "→" | "—" | "–" | "->" | "=" | "is" | "the" | "and" | "CLI"))
}

/// The command lines of fenced blocks that a shell would read.
fn in_markdown(text: &str) -> Vec<CommandLine> {
    const SHELLS: &[&str] =
        &["", "sh", "bash", "shell", "zsh", "console", "terminal", "shell-session", "shellsession", "fish"];
    let mut commands = Vec::new();
    let mut block: Option<(usize, String, bool)> = None;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim_start().trim_start_matches("> ");
        if let Some(fence) = trimmed.strip_prefix("```").or_else(|| trimmed.strip_prefix("~~~")) {
            match block.take() {
                Some((start, text, true)) => commands.extend(at(start, command_lines(&text))),
                Some(_) => {}
                None => {
                    let language = fence
                        .trim_start_matches(['`', '~'])
                        .split([' ', '{', ','])
                        .next()
                        .unwrap_or_default();
                    block =
                        Some((index + 1, String::new(), SHELLS.contains(&language.to_lowercase().as_str())));
                }
            }
        } else if let Some((_, text, _)) = &mut block {
            let command =
                trimmed.strip_prefix("$ ").or_else(|| trimmed.strip_prefix("% ")).unwrap_or(trimmed);
            text.push_str(command);
            text.push('\n');
        }
    }
    for command in &mut commands {
        command.words = command.words.iter().filter_map(synopsis).collect();
    }
    commands
}

/// A word of a synopsis: `[name]` and `[--option]` are given, and dots stand for nothing.
fn synopsis(word: &Word) -> Option<Word> {
    if word.quoted {
        return Some(word.clone());
    }
    let text = word.text.trim_start_matches('[');
    let text = if text.contains('[') { text } else { text.trim_end_matches(']') };
    let text = text.trim_end_matches("...").trim_end_matches('…').trim_end_matches(']');
    (!text.is_empty()).then(|| Word { text: text.to_owned(), quoted: false })
}

fn at(start: usize, commands: Vec<CommandLine>) -> impl Iterator<Item = CommandLine> {
    commands.into_iter().map(move |command| CommandLine { line: command.line + start, ..command })
}

/// `key = "command"` and `ExecStart=command`.
fn in_assignments(text: &str) -> Vec<CommandLine> {
    let mut commands = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some((_, value)) = line.split_once('=') {
            let value = value.trim().trim_matches(['"', '\'', '-']);
            commands.extend(at(index, command_lines(value)));
        }
    }
    commands
}

/// The commands in the values of keys that hold some. A file that cannot be read has none.
fn in_value(value: Option<Value>, text: &str) -> Vec<CommandLine> {
    let mut commands = Vec::new();
    if let Some(value) = value {
        look(&value, false, text, &mut commands);
    }
    commands
}

fn look(value: &Value, runs: bool, text: &str, commands: &mut Vec<CommandLine>) {
    const KEYS: &[&str] = &[
        "run",
        "script",
        "scripts",
        "command",
        "commands",
        "cmd",
        "cmds",
        "before_script",
        "after_script",
        "entry",
        "entrypoint",
        "exec",
        "tasks",
        "shell",
        "bash",
    ];
    match value {
        Value::String(script) if runs => {
            let first = script.lines().find(|line| line.contains("swamp")).unwrap_or_default().trim();
            let line = text.lines().position(|line| line.contains(first)).map_or(1, |index| index + 1);
            commands.extend(command_lines(script).into_iter().map(|command| CommandLine { line, ..command }));
        }
        Value::Array(items) => {
            let words: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            if runs && words.first().is_some_and(|word| *word == "swamp") && words.len() == items.len() {
                let words = words[1..].iter().map(|word| Word { text: (*word).to_owned(), quoted: true });
                commands.push(CommandLine { line: 1, words: words.collect() });
            } else {
                items.iter().for_each(|item| look(item, runs, text, commands));
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                look(value, KEYS.contains(&key.as_str()) || (runs && value.is_string()), text, commands);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Place, in_file};

    fn found(path: &str, text: &str) -> Vec<(Place, usize, String)> {
        let joined =
            |words: &[super::Word]| words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        in_file(Path::new(path), text)
            .iter()
            .map(|found| (found.place, found.line, joined(&found.words)))
            .collect()
    }

    #[test]
    fn fenced_blocks_of_shells_have_commands_and_others_have_none() {
        let text = "# swamp\nswamp model search\n```bash\n$ swamp model get <name> [--verbose]\n```\n```ts\nswamp model x\n```\n";
        assert_eq!(found("AGENTS.md", text), [(Place::Agent, 4, "model get <name> --verbose".into())]);
        assert_eq!(found("README.md", text)[0].0, Place::Document);
    }

    #[test]
    fn texts_of_the_other_program_are_not_read() {
        let managed = "<!-- BEGIN swamp managed section - DO NOT EDIT -->\n```sh\nswamp model search\n```\n\
                       <!-- END swamp managed section -->\n```sh\nswamp model get x\n```\n";
        assert_eq!(found("CLAUDE.md", managed), [(Place::Agent, 7, "model get x".into())]);
        assert!(super::is_installed(Path::new(".claude/skills/swamp-vault/SKILL.md")));
        assert!(!super::is_installed(Path::new(".claude/skills/deploy/SKILL.md")));
    }

    #[test]
    fn values_of_commands_have_commands_and_descriptions_have_none() {
        let text = "description: swamp model search\njobs:\n  a:\n    steps:\n    - run: |\n        cd x\n        swamp workflow run w\n";
        assert_eq!(found(".github/workflows/ci.yml", text), [(Place::Ci, 7, "workflow run w".into())]);
        let json = "{\"scripts\": {\"sync\": \"swamp datastore sync\"}, \"hooks\": [{\"command\": \"swamp audit record --from-hook\"}]}";
        let commands: Vec<String> =
            found("package.json", json).into_iter().map(|(_, _, words)| words).collect();
        assert_eq!(commands, ["datastore sync", "audit record --from-hook"]);
    }

    #[test]
    fn sentence_about_the_program_is_not_a_call() {
        assert_eq!(found("README.md", "```\nswamp CLI and more\nSwamp x\nswamp → y\n```\n"), []);
    }
}
