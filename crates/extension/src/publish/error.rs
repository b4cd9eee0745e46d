//! Why an extension cannot be published.

use std::path::PathBuf;

use marsh_archive::ArchiveError;
use marsh_archive::rules::Finding;
use marsh_bundle::Diagnostic;
use marsh_types::rel_path::RelPathError;
use marsh_types::{CalVer, Explain, ExtensionName, Kind, ManifestError};
use serde_json::json;

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("{path} is a source, not a manifest", path = path.display())]
    NotAManifest { path: PathBuf },
    #[error("{path}: {source}", path = path.display())]
    Manifest { path: PathBuf, source: ManifestError },
    #[error("cannot read {path}: {source}", path = path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{key}` lists `{entry}`, and there is no {expected}", expected = expected.display())]
    Missing { key: &'static str, entry: String, expected: PathBuf },
    #[error("{path} is a link; links are not published", path = path.display())]
    Link { path: PathBuf },
    #[error("{path} lies outside of {base}, where published files must be", path = path.display(), base = base.display())]
    Outside { path: PathBuf, base: PathBuf },
    #[error("`{path}` is listed twice")]
    Twice { path: String },
    #[error("the skill {skill}: {problem}")]
    Skill { skill: String, problem: &'static str },
    #[error("{file}: {}", diagnostic.message)]
    Syntax { file: String, diagnostic: Box<Diagnostic> },
    #[error("{}", findings.iter().map(|finding| if finding.file.is_empty() { finding.message.clone() } else { format!("{}: {}", finding.file, finding.message) }).collect::<Vec<_>>().join("; "))]
    Unsafe { findings: Vec<Finding> },
    #[error("{file} declares the {kind} `{type_name}`, which must begin with `@{collective}/`")]
    Collective { file: String, kind: Kind, type_name: String, collective: String },
    #[error("{file} declares no {kind}")]
    NothingDeclared { file: String, kind: Kind },
    #[error("{name}@{version} is published already")]
    AlreadyPublished { name: ExtensionName, version: CalVer, next: CalVer },
    #[error(transparent)]
    Path(#[from] RelPathError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Yaml(#[from] marsh_types::yaml::YamlWriteError),
}

impl Explain for PublishError {
    fn code(&self) -> &'static str {
        match self {
            PublishError::NotAManifest { .. } => "not_a_manifest",
            PublishError::Manifest { .. } => "invalid_manifest",
            PublishError::Read { .. } | PublishError::Yaml(_) => "io",
            PublishError::Missing { .. } => "file_missing",
            PublishError::Link { .. } => "link_not_allowed",
            PublishError::Outside { .. } | PublishError::Path(_) => "unsafe_path",
            PublishError::Twice { .. } => "listed_twice",
            PublishError::Skill { .. } => "invalid_skill",
            PublishError::Syntax { .. } => "syntax_error",
            PublishError::Unsafe { .. } => "unsafe_content",
            PublishError::Collective { .. } => "foreign_type",
            PublishError::NothingDeclared { .. } => "nothing_declared",
            PublishError::AlreadyPublished { .. } => "already_exists",
            PublishError::Archive(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            PublishError::NotAManifest { .. } => Some("name the extension's manifest.yaml".into()),
            PublishError::AlreadyPublished { next, .. } => {
                Some(format!("set `version: {next}` in the manifest"))
            }
            PublishError::Missing { .. } => {
                Some("paths start from the directory of their kind, or from the manifest with `paths: { base: manifest }`".into())
            }
            _ => None,
        }
    }

    fn details(&self) -> Option<serde_json::Value> {
        match self {
            PublishError::Unsafe { findings } => Some(json!({ "errors": findings })),
            PublishError::Syntax { diagnostic, .. } => Some(json!({ "diagnostics": [diagnostic] })),
            PublishError::AlreadyPublished { version, next, .. } => {
                Some(json!({ "existingVersion": version, "nextVersion": next }))
            }
            _ => None,
        }
    }
}
