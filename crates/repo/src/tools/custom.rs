//! AI tools that a repository describes itself, in `.swamp-custom-tools.yaml`.

use std::path::{Component, Path};

use marsh_fs::Durability;
use marsh_types::yaml;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::BuiltinTool;
use crate::discovery::RepoError;
use crate::layout::Layout;

/// How instructions share their file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InstructionsMode {
    /// A managed section of a file that is the user's.
    #[default]
    Shared,
    /// The whole file is written by marsh.
    Owned,
}

/// How instructions name skills.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SkillReferences {
    /// By name; the tool finds them.
    #[default]
    Name,
    /// By the path of the file.
    Path,
}

/// A tool that a repository describes itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomTool {
    /// The name in `--tool` and in the marker.
    pub name: String,
    /// The directory of skills: relative to the repository, or below the home directory (`~/…`).
    pub skills_dir: String,
    /// The instructions, relative to the repository.
    pub instructions_file: String,
    /// How the instructions share their file.
    #[serde(default)]
    pub instructions_mode: InstructionsMode,
    /// What stands between `---` lines at the top of a new instructions file: a text or a map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontmatter: Option<Value>,
    /// How the instructions name skills.
    #[serde(default)]
    pub skill_reference_style: SkillReferences,
    /// What Git should ignore.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gitignore_entries: Vec<String>,
}

impl CustomTool {
    /// The front matter without its `---` lines.
    pub fn front_matter_text(&self) -> Option<String> {
        match self.frontmatter.as_ref()? {
            Value::String(text) => {
                let text = text.trim().trim_start_matches("---").trim_end_matches("---").trim();
                Some(text.to_owned())
            }
            other => yaml::to_string(other).ok().map(|text| text.trim_end().to_owned()),
        }
    }

    /// Why the description is invalid.
    fn problem(&self) -> Option<String> {
        let is_name = |name: &str| {
            !name.is_empty()
                && name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        if !is_name(&self.name) {
            return Some(format!("invalid name `{}`: use letters, digits and `-`", self.name));
        }
        if self.name == "none" || BuiltinTool::parse(&self.name).is_some() {
            return Some(format!("`{}` is the name of a built-in tool", self.name));
        }
        let inside = |path: &str| {
            let parts = Path::new(path).components();
            !path.is_empty() && parts.into_iter().all(|part| matches!(part, Component::Normal(_)))
        };
        let skills = self.skills_dir.strip_prefix("~/").unwrap_or(&self.skills_dir);
        if !inside(skills) {
            return Some(format!("skillsDir `{}` leads outside the repository", self.skills_dir));
        }
        if !inside(&self.instructions_file) {
            return Some(format!(
                "instructionsFile `{}` leads outside the repository",
                self.instructions_file
            ));
        }
        let broken = self.gitignore_entries.iter().find(|line| line.contains('\n') || line.trim().is_empty());
        broken.map(|line| format!("invalid entry {line:?} in gitignoreEntries"))
    }
}

/// Reads the custom tools of a repository; none if it has no such file.
///
/// # Errors
/// [`RepoError::ToolFile`] if the file is invalid; [`RepoError::Read`].
pub fn read(layout: &Layout) -> Result<Vec<CustomTool>, RepoError> {
    let (_, tools) = load(layout)?;
    Ok(tools)
}

/// The whole file, and its tools.
fn load(layout: &Layout) -> Result<(Map<String, Value>, Vec<CustomTool>), RepoError> {
    let path = layout.custom_tools();
    let text = match marsh_fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(RepoError::Read { path, source }),
    };
    let failed = |problem: String| RepoError::ToolFile { path: layout.display(&path).to_owned(), problem };
    if text.trim().is_empty() {
        return Ok((Map::new(), Vec::new()));
    }
    let value: Value = yaml::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let Value::Object(file) = value else { return Err(failed("expected a map with `tools`".into())) };
    let tools: Vec<CustomTool> = match file.get("tools") {
        None | Some(Value::Null) => Vec::new(),
        Some(list) => serde_json::from_value(list.clone()).map_err(|error| failed(error.to_string()))?,
    };
    for (index, tool) in tools.iter().enumerate() {
        let twice = tools[..index].iter().any(|other| other.name == tool.name);
        let problem = tool.problem().or_else(|| twice.then(|| format!("`{}` is described twice", tool.name)));
        if let Some(problem) = problem {
            return Err(failed(problem));
        }
    }
    Ok((file, tools))
}

fn store(layout: &Layout, mut file: Map<String, Value>, tools: Vec<Value>) -> Result<(), RepoError> {
    file.insert("tools".to_owned(), Value::Array(tools));
    let text = yaml::to_string(&file)?;
    Ok(marsh_fs::atomic_write(&layout.custom_tools(), text.as_bytes(), Durability::Synced)?)
}

/// The tools as the file has them, with keys that this version does not know.
fn raw(file: &Map<String, Value>) -> Vec<Value> {
    file.get("tools").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// Adds a tool to the file, or replaces the one of that name.
///
/// # Errors
/// The description or the file is invalid, or the file cannot be written.
pub fn put(layout: &Layout, tool: &CustomTool) -> Result<(), RepoError> {
    if let Some(problem) = tool.problem() {
        return Err(RepoError::Tool { message: problem, hint: None });
    }
    let (file, _) = load(layout)?;
    let mut tools = raw(&file);
    tools.retain(|known| known.get("name") != Some(&json!(tool.name)));
    let value = serde_json::to_value(tool)
        .map_err(|error| RepoError::Tool { message: error.to_string(), hint: None })?;
    tools.push(value);
    store(layout, file, tools)
}

/// Removes a tool from the file. `false`: the file does not have it.
///
/// # Errors
/// The file is invalid or cannot be written.
pub fn remove(layout: &Layout, name: &str) -> Result<bool, RepoError> {
    let (file, tools) = load(layout)?;
    if !tools.iter().any(|tool| tool.name == name) {
        return Ok(false);
    }
    let mut tools = raw(&file);
    tools.retain(|known| known.get("name") != Some(&json!(name)));
    store(layout, file, tools)?;
    Ok(true)
}
