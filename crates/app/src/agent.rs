//! AI tools that a repository describes itself.

use marsh_api::repository::{
    AgentAdded, AgentList, AgentRemoved, AgentTool, InstructionsMode as Mode, SkillReferenceStyle as Style,
};
use marsh_repo::tools::BuiltinTool;
use marsh_repo::tools::custom::{self, CustomTool, InstructionsMode, SkillReferences};

use crate::error::AppError;
use crate::session::App;

/// What a directory suggests for the description of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSuggestion {
    /// The directory of skills.
    pub skills_dir: String,
    /// The instructions.
    pub instructions_file: String,
}

impl App {
    /// The AI tools that the repository describes itself.
    ///
    /// # Errors
    ///
    /// When there is no repository, or its descriptions are invalid.
    pub fn agents(&self) -> Result<AgentList, AppError> {
        let tools = custom::read(&self.repo()?.layout)?;
        Ok(AgentList { tools: tools.into_iter().map(document).collect() })
    }

    /// The names of the tools that need no description.
    pub fn builtin_agents() -> Vec<&'static str> {
        BuiltinTool::ALL.iter().map(|tool| tool.spec().name).collect()
    }

    /// What the files of the repository suggest for a tool of this name.
    ///
    /// # Errors
    ///
    /// When there is no repository.
    pub fn suggest_agent(&self, name: &str) -> Result<AgentSuggestion, AppError> {
        const INSTRUCTIONS: [&str; 4] = ["AGENTS.md", "AGENT.md", "CONVENTIONS.md", "GEMINI.md"];
        let root = self.repo()?.layout.root().to_path_buf();
        let own = format!(".{name}");
        let skills = match root.join(&own).is_dir() {
            true => format!("{own}/skills"),
            false => ".agents/skills".to_owned(),
        };
        let found = INSTRUCTIONS.into_iter().find(|file| root.join(file).is_file());
        Ok(AgentSuggestion {
            skills_dir: skills,
            instructions_file: found.unwrap_or(INSTRUCTIONS[0]).to_owned(),
        })
    }

    /// Describes a tool, or replaces its description.
    ///
    /// # Errors
    ///
    /// When the description is invalid, or the file cannot be changed.
    pub fn add_agent(&self, tool: AgentTool) -> Result<AgentAdded, AppError> {
        let repo = self.repo()?;
        let _lock = self.lock(&repo, "custom-tools.lock", "agent setup")?;
        let known = custom::read(&repo.layout)?;
        let described = CustomTool {
            name: tool.name.clone(),
            skills_dir: tool.skills_dir.clone(),
            instructions_file: tool.instructions_file.clone(),
            instructions_mode: match tool.instructions_mode {
                Mode::Shared => InstructionsMode::Shared,
                Mode::Owned => InstructionsMode::Owned,
            },
            frontmatter: tool.frontmatter.clone(),
            skill_reference_style: match tool.skill_reference_style {
                Style::Name => SkillReferences::Name,
                Style::Path => SkillReferences::Path,
            },
            gitignore_entries: tool.gitignore_entries.clone(),
        };
        custom::put(&repo.layout, &described)?;
        Ok(AgentAdded {
            path: repo.layout.custom_tools().display().to_string(),
            replaced: known.iter().any(|one| one.name == tool.name),
            tool,
        })
    }

    /// Removes the description of a tool. Its files stay.
    ///
    /// # Errors
    ///
    /// When there is no such description, or the file cannot be changed.
    pub fn remove_agent(&self, name: &str) -> Result<AgentRemoved, AppError> {
        let repo = self.repo()?;
        let _lock = self.lock(&repo, "custom-tools.lock", "agent rm")?;
        if !custom::remove(&repo.layout, name)? {
            let hint = "run `marsh agent list` to see the described tools";
            return Err(AppError::not_found(
                format!("unknown tool `{name}` in .swamp-custom-tools.yaml"),
                hint,
            ));
        }
        Ok(AgentRemoved { name: name.to_owned(), removed: true })
    }
}

fn document(tool: CustomTool) -> AgentTool {
    AgentTool {
        name: tool.name,
        skills_dir: tool.skills_dir,
        instructions_file: tool.instructions_file,
        instructions_mode: match tool.instructions_mode {
            InstructionsMode::Shared => Mode::Shared,
            InstructionsMode::Owned => Mode::Owned,
        },
        frontmatter: tool.frontmatter,
        skill_reference_style: match tool.skill_reference_style {
            SkillReferences::Name => Style::Name,
            SkillReferences::Path => Style::Path,
        },
        gitignore_entries: tool.gitignore_entries,
    }
}
