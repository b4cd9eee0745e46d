//! What an extension must fulfil to be published.

use std::path::Path;

use marsh_archive::rules::{self, Finding, RuleFile};
use marsh_types::{Kind, Manifest, TypeName};
use serde_json::{Map, Value, json};

use super::PublishedFile;
use super::error::PublishError;

pub(crate) struct Judged {
    pub warnings: Vec<Finding>,
    pub content: Value,
}

pub(crate) fn judge(manifest: &Manifest, files: &[PublishedFile]) -> Result<Judged, PublishError> {
    let judged: Vec<RuleFile<'_>> = files
        .iter()
        .map(|file| RuleFile { path: &file.path, content: &file.content, is_binary: file.is_binary })
        .collect();
    let mut report = rules::check(&judged);
    for file in files.iter().filter(|file| is_source(file)) {
        let text = String::from_utf8_lossy(&file.content);
        let name = file.path.to_string();
        let found = marsh_bundle::dynamic_code(&text, Path::new(&name)).map_err(|diagnostic| {
            PublishError::Syntax { file: name.clone(), diagnostic: Box::new(diagnostic) }
        })?;
        report.errors.extend(found.into_iter().map(|one| Finding {
            file: name.clone(),
            code: "dynamic_code",
            message: format!("line {}, column {}: {} makes code out of text", one.line, one.column, one.what),
        }));
    }
    if !report.errors.is_empty() {
        return Err(PublishError::Unsafe { findings: report.errors });
    }
    let content = declared(manifest, files, &mut report.warnings)?;
    Ok(Judged { warnings: report.warnings, content })
}

fn is_source(file: &PublishedFile) -> bool {
    let path = file.path.as_str();
    !file.is_binary && [".ts", ".js", ".mjs"].iter().any(|ending| path.ends_with(ending))
}

/// What the entry points declare, by kind. Every type must be of the extension's own collective; grafts may go anywhere.
fn declared(
    manifest: &Manifest,
    files: &[PublishedFile],
    warnings: &mut Vec<Finding>,
) -> Result<Value, PublishError> {
    let collective = manifest.name.collective();
    let mut content: Map<String, Value> = Map::new();
    for (kind, entries) in manifest.code() {
        for entry in entries {
            let path = format!("{}/{entry}", kind.directory());
            let Some(file) = files.iter().find(|file| file.path.as_str() == path) else { continue };
            let text = String::from_utf8_lossy(&file.content);
            let declarations = marsh_bundle::declarations(&text, Path::new(&path)).map_err(|diagnostic| {
                PublishError::Syntax { file: path.clone(), diagnostic: Box::new(diagnostic) }
            })?;
            let mut any = false;
            for one in declarations {
                if one.kind != kind && !(kind == Kind::Model && one.kind == Kind::Extension) {
                    continue;
                }
                any = true;
                let Some(raw) = &one.name else {
                    warnings.push(Finding {
                        file: path.clone(),
                        code: "computed_type",
                        message: "its type is computed, so that only running it tells what it declares"
                            .into(),
                    });
                    continue;
                };
                let is_own = TypeName::parse(raw).is_ok_and(|name| name.collective() == Some(collective));
                if one.kind != Kind::Extension && !is_own {
                    return Err(PublishError::Collective {
                        file: path,
                        kind: one.kind,
                        type_name: raw.clone(),
                        collective: collective.to_owned(),
                    });
                }
                let list = content.entry(format!("{}s", one.kind)).or_insert_with(|| json!([]));
                if let Value::Array(list) = list {
                    list.push(json!({
                        "fileName": entry, "type": raw, "version": one.version, "methods": one.methods,
                    }));
                }
            }
            if !any {
                return Err(PublishError::NothingDeclared { file: path, kind });
            }
        }
    }
    Ok(Value::Object(content))
}
