//! AI tools: the files that teach them a repository's program, allow its harmless commands, and record what they run.
//!
//! [`plan`] computes every file before anything is written, so that a file which cannot be merged stops the command first.
//!
//! Invariants (`tests/tools.rs`):
//! * A user's text and settings stay: text outside the managed section, and every key and list item of a settings file.
//! * A settings file that is not JSON is an error and is not touched. No file outside the repository is written.
//! * Applying a plan twice writes nothing the second time.

pub mod custom;
mod instructions;
mod section;
mod settings;

use std::path::{Path, PathBuf};

use marsh_fs::Durability;
use marsh_types::near::did_you_mean;

use crate::discovery::RepoError;
use crate::layout::Layout;
use custom::{CustomTool, InstructionsMode, SkillReferences};

pub use instructions::SKILLS;

/// An AI tool that marsh knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltinTool {
    /// Claude Code.
    Claude,
    /// Cursor.
    Cursor,
    /// OpenCode.
    OpenCode,
    /// Codex.
    Codex,
    /// GitHub Copilot.
    Copilot,
    /// Kiro.
    Kiro,
}

/// Where an AI tool reads.
#[derive(Debug, Clone, Copy)]
pub struct ToolSpec {
    /// The name in `--tool` and in the marker.
    pub name: &'static str,
    /// The program that must be on the PATH.
    pub program: &'static str,
    /// The instructions, relative to the repository.
    pub instructions: &'static str,
    /// What stands between `---` lines at the top of a new instructions file.
    pub front_matter: Option<&'static str>,
    /// The directory of skills, relative to the repository.
    pub skills: &'static str,
    /// What Git should ignore.
    pub gitignore: &'static [&'static str],
}

const fn tool(
    name: &'static str,
    program: &'static str,
    instructions: &'static str,
    skills: &'static str,
) -> ToolSpec {
    ToolSpec { name, program, instructions, front_matter: None, skills, gitignore: &[] }
}

impl BuiltinTool {
    /// All of them, in the order in which texts list them.
    pub const ALL: [BuiltinTool; 6] = [
        BuiltinTool::Claude,
        BuiltinTool::Cursor,
        BuiltinTool::OpenCode,
        BuiltinTool::Codex,
        BuiltinTool::Copilot,
        BuiltinTool::Kiro,
    ];

    /// The tool's files.
    pub const fn spec(self) -> ToolSpec {
        match self {
            BuiltinTool::Claude => ToolSpec {
                gitignore: &[
                    ".claude/worktrees/",
                    ".claude/settings.local.json",
                    ".claude/scheduled_tasks.lock",
                ],
                ..tool("claude", "claude", "CLAUDE.md", ".claude/skills")
            },
            BuiltinTool::Cursor => ToolSpec {
                front_matter: Some(
                    "description: How to work in this automation repository\nalwaysApply: true",
                ),
                ..tool("cursor", "cursor", ".cursor/rules/swamp.mdc", ".cursor/skills")
            },
            BuiltinTool::OpenCode => tool("opencode", "opencode", "AGENTS.md", ".agents/skills"),
            BuiltinTool::Codex => tool("codex", "codex", "AGENTS.md", ".agents/skills"),
            BuiltinTool::Copilot => tool("copilot", "copilot", "AGENTS.md", ".agents/skills"),
            BuiltinTool::Kiro => ToolSpec {
                front_matter: Some("inclusion: always"),
                ..tool("kiro", "kiro-cli", ".kiro/steering/swamp-rules.md", ".kiro/skills")
            },
        }
    }

    /// The tool with this name.
    pub fn parse(name: &str) -> Option<BuiltinTool> {
        BuiltinTool::ALL.into_iter().find(|tool| tool.spec().name == name)
    }

    /// The settings file that records the tool's commands, relative to the repository. `None`: the tool cannot.
    pub fn hook_file(self) -> Option<&'static str> {
        settings::hook_file(self)
    }
}

/// An AI tool that a repository chose.
#[derive(Debug, Clone, PartialEq)]
pub enum ChosenTool {
    /// One that marsh knows.
    Builtin(BuiltinTool),
    /// One that the repository describes in `.swamp-custom-tools.yaml`.
    Custom(CustomTool),
}

impl ChosenTool {
    /// The name in the marker.
    pub fn name(&self) -> &str {
        match self {
            ChosenTool::Builtin(tool) => tool.spec().name,
            ChosenTool::Custom(tool) => &tool.name,
        }
    }

    /// The directory of skills: relative to the repository, or below the home directory (`~/…`).
    pub fn skills(&self) -> &str {
        match self {
            ChosenTool::Builtin(tool) => tool.spec().skills,
            ChosenTool::Custom(tool) => &tool.skills_dir,
        }
    }

    /// What Git should ignore because of the tool.
    pub fn gitignore(&self) -> Vec<String> {
        match self {
            ChosenTool::Builtin(tool) => {
                tool.spec().gitignore.iter().map(|line| (*line).to_owned()).collect()
            }
            ChosenTool::Custom(tool) => tool.gitignore_entries.clone(),
        }
    }
}

/// The tools with these names. `none` alone chooses none; a name that is given twice counts once.
///
/// # Errors
/// [`RepoError::Tool`] if a name is unknown, or `none` stands beside another one.
pub fn choose(names: &[String], custom: &[CustomTool]) -> Result<Vec<ChosenTool>, RepoError> {
    if names.iter().any(|name| name == "none") {
        return match names.iter().all(|name| name == "none") {
            true => Ok(Vec::new()),
            false => Err(RepoError::Tool { message: "`none` excludes every other tool".into(), hint: None }),
        };
    }
    let mut chosen: Vec<ChosenTool> = Vec::new();
    for name in names {
        let found = match BuiltinTool::parse(name) {
            Some(tool) => ChosenTool::Builtin(tool),
            None => match custom.iter().find(|tool| tool.name == *name) {
                Some(tool) => ChosenTool::Custom(tool.clone()),
                None => return Err(unknown(name, custom)),
            },
        };
        if !chosen.iter().any(|tool| tool.name() == found.name()) {
            chosen.push(found);
        }
    }
    Ok(chosen)
}

fn unknown(name: &str, custom: &[CustomTool]) -> RepoError {
    let known = BuiltinTool::ALL.iter().map(|tool| tool.spec().name);
    let all: Vec<&str> = known.chain(custom.iter().map(|tool| tool.name.as_str())).chain(["none"]).collect();
    let near = did_you_mean(name, all.iter().copied()).map(|near| format!("{near} ")).unwrap_or_default();
    RepoError::Tool {
        message: format!("unknown tool `{name}`"),
        hint: Some(format!("{near}tools: {}; `marsh agent setup` describes another one", all.join(", "))),
    }
}

/// What a file of a tool is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Text that the tool reads.
    Instructions,
    /// Permissions and hooks.
    Settings,
    /// A skill.
    Skill,
}

/// A file of a plan that differs from the one on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFile {
    /// The path, relative to the repository.
    pub path: PathBuf,
    /// What it is for.
    pub role: Role,
    /// Whether there is no such file yet.
    pub is_new: bool,
    text: String,
}

/// The files to write, and the remarks for the user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The files, in the order of the tools.
    pub files: Vec<PlannedFile>,
    /// What was left out, and why.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Writes the files, each as a whole.
    ///
    /// # Errors
    /// A file cannot be written. Those before it stay written.
    pub fn apply(&self, layout: &Layout) -> Result<(), RepoError> {
        for file in &self.files {
            let path = layout.root().join(&file.path);
            if let Some(dir) = path.parent() {
                marsh_fs::create_dir_all(dir)?;
            }
            marsh_fs::atomic_write(&path, file.text.as_bytes(), Durability::Atomic)?;
        }
        Ok(())
    }

    /// The paths of the files with this role.
    pub fn paths(&self, role: Role) -> Vec<String> {
        let files = self.files.iter().filter(|file| file.role == role);
        files.map(|file| file.path.display().to_string()).collect()
    }
}

/// The files of these tools as they should be, where they differ from those on disk. `program` is the name under which the
/// user runs marsh; instructions and hooks use it.
///
/// # Errors
/// [`RepoError::ToolFile`] if a file cannot be merged or leads outside the repository; [`RepoError::Read`].
pub fn plan(layout: &Layout, tools: &[ChosenTool], program: &str) -> Result<Plan, RepoError> {
    let mut draft = Draft { layout, files: Vec::new(), warnings: Vec::new() };
    for tool in tools {
        match tool {
            ChosenTool::Builtin(builtin) => {
                let spec = builtin.spec();
                let text = instructions::text(program, spec.skills, SkillReferences::Name);
                let with = |file: Option<&str>| section::with_section(file, spec.front_matter, &text);
                draft.change(Path::new(spec.instructions), Role::Instructions, |file| Ok(with(file)))?;
                for file in settings::files(*builtin, program) {
                    draft.change(Path::new(file.path), Role::Settings, |text| file.content(text))?;
                }
            }
            ChosenTool::Custom(custom) => custom_instructions(&mut draft, custom, program)?,
        }
        if tool.skills().starts_with("~/") {
            draft.warnings.push(format!(
                "the skills of {} are not written to {}: marsh writes inside the repository only",
                tool.name(),
                tool.skills()
            ));
            continue;
        }
        for (name, text) in instructions::skills(program) {
            let path = Path::new(tool.skills()).join(name).join("SKILL.md");
            draft.change(&path, Role::Skill, |_| Ok(text.clone()))?;
        }
    }
    let mut files = draft.files;
    files.retain(|file| file.before.as_deref() != Some(&*file.text));
    let planned = files.into_iter().map(|file| PlannedFile {
        is_new: file.before.is_none(),
        path: file.path,
        role: file.role,
        text: file.text,
    });
    Ok(Plan { files: planned.collect(), warnings: draft.warnings })
}

fn custom_instructions(draft: &mut Draft<'_>, tool: &CustomTool, program: &str) -> Result<(), RepoError> {
    let text = instructions::text(program, &tool.skills_dir, tool.skill_reference_style);
    let front_matter = tool.front_matter_text();
    draft.change(Path::new(&tool.instructions_file), Role::Instructions, |file| {
        match (tool.instructions_mode, file) {
            (InstructionsMode::Owned, Some(file))
                if !file.trim().is_empty() && !section::has_section(file) =>
            {
                Err(format!(
                    "the file exists and marsh did not write it; delete it, or set `instructionsMode: shared` for {}",
                    tool.name
                ))
            }
            (InstructionsMode::Owned, _) => Ok(section::with_section(None, front_matter.as_deref(), &text)),
            (InstructionsMode::Shared, file) => Ok(section::with_section(file, front_matter.as_deref(), &text)),
        }
    })
}

/// The files while tools add to them: two tools may share one.
struct Draft<'a> {
    layout: &'a Layout,
    files: Vec<DraftFile>,
    warnings: Vec<String>,
}

struct DraftFile {
    path: PathBuf,
    role: Role,
    before: Option<String>,
    text: String,
}

impl Draft<'_> {
    /// Changes a file. `change` gets its text, `None` if there is no such file.
    fn change(
        &mut self,
        path: &Path,
        role: Role,
        change: impl FnOnce(Option<&str>) -> Result<String, String>,
    ) -> Result<(), RepoError> {
        let path = self.target(path)?;
        let failed = |problem: String| RepoError::ToolFile { path: path.clone(), problem };
        if let Some(known) = self.files.iter_mut().find(|file| file.path == path) {
            known.text = change(Some(&known.text)).map_err(failed)?;
            return Ok(());
        }
        let full = self.layout.root().join(&path);
        let before = match marsh_fs::read_to_string(&full) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(source) => return Err(RepoError::Read { path: full, source }),
        };
        let text = change(before.as_deref()).map_err(failed)?;
        self.files.push(DraftFile { path, role, before, text });
        Ok(())
    }

    /// The file that a path leads to, relative to the repository: a link such as `CLAUDE.md -> AGENTS.md` is followed.
    fn target(&self, path: &Path) -> Result<PathBuf, RepoError> {
        let root = self.layout.root();
        let outside = || RepoError::ToolFile {
            path: path.to_owned(),
            problem: "the path leads outside the repository through a link".to_owned(),
        };
        let full = root.join(path);
        // The longest part that exists decides where a new file would be.
        for existing in full.ancestors() {
            if existing.symlink_metadata().is_err() {
                continue;
            }
            let real = existing
                .canonicalize()
                .map_err(|source| RepoError::Read { path: existing.to_owned(), source })?;
            let rest = full.strip_prefix(existing).unwrap_or(Path::new(""));
            let joined = if rest.as_os_str().is_empty() { real } else { real.join(rest) };
            return joined.strip_prefix(root).map(Path::to_owned).map_err(|_| outside());
        }
        Err(outside())
    }
}
