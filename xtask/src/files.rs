//! The tracked files of the workspace, and text with its line numbers.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One finding of a check.
#[derive(Debug)]
pub struct Finding {
    /// Relative to the workspace.
    pub path: String,
    /// Counted from one.
    pub line: usize,
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// The files that git tracks or would track.
#[derive(Debug)]
pub struct Tree {
    pub root: PathBuf,
    /// Relative to the root, sorted, with `/`.
    pub paths: Vec<String>,
}

impl Tree {
    /// Lists the workspace. Without git, or outside of a clone, the directories are walked instead.
    pub fn open(root: &Path) -> Result<Tree, String> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output();
        let mut paths = match listed {
            Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
                .split('\0')
                .filter(|path| !path.is_empty() && root.join(path).is_file())
                .map(str::to_owned)
                .collect(),
            _ => {
                let mut found = Vec::new();
                walk(root, "", &mut found).map_err(|error| format!("{}: {error}", root.display()))?;
                found
            }
        };
        paths.sort();
        paths.dedup();
        Ok(Tree { root: root.to_owned(), paths })
    }

    /// The text of a file; `None` for one that is not UTF-8.
    pub fn text(&self, path: &str) -> Result<Option<String>, String> {
        let bytes = std::fs::read(self.root.join(path)).map_err(|error| format!("{path}: {error}"))?;
        Ok(String::from_utf8(bytes).ok())
    }

    /// Source and prose that people of this project wrote: Rust, JavaScript, TypeScript and Markdown, without vendored files
    /// and recorded answers.
    pub fn written(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str).filter(|path| {
            let kind = Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or("");
            matches!(kind, "rs" | "js" | "mjs" | "ts" | "md")
                && !path.contains("/vendor/")
                && !path.starts_with("crates/conformance/expected/")
        })
    }
}

fn walk(root: &Path, below: &str, found: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(root.join(below))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "target" || name == ".git" {
            continue;
        }
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.file_type()?.is_dir() {
            walk(root, &path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// A text as one line of prose: comment markers and line breaks become spaces, `_` in identifiers becomes a space, and a
/// position can be traced back to its line.
#[derive(Debug)]
pub struct Prose {
    pub text: String,
    /// Where each line starts in `text`.
    starts: Vec<usize>,
}

impl Prose {
    pub fn of(text: &str) -> Prose {
        let mut prose = Prose { text: String::with_capacity(text.len()), starts: Vec::new() };
        for line in text.lines() {
            prose.starts.push(prose.text.len());
            let mut rest = line.trim();
            for marker in ["//!", "///", "//", "* ", "#"] {
                if let Some(after) = rest.strip_prefix(marker) {
                    rest = after.trim_start();
                    break;
                }
            }
            prose.text.extend(rest.chars().map(|character| if character == '_' { ' ' } else { character }));
            // An empty line ends a sentence.
            prose.text.push_str(if rest.is_empty() { "\n" } else { " " });
        }
        prose
    }

    /// The line of a position, counted from one.
    pub fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }
}

/// The lines of a file that are prose about it: all of Markdown, the module head (`//!`) of Rust.
pub fn documentation<'a>(path: &str, text: &'a str) -> Vec<(usize, &'a str)> {
    let markdown = Path::new(path).extension().is_some_and(|extension| extension == "md");
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    if markdown {
        return numbered.collect();
    }
    numbered.filter(|(_, line)| line.trim_start().starts_with("//!")).collect()
}
