//! The files that a manifest lists, with everything that they import, as an archive lays them out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use marsh_bundle::FileState;
use marsh_repo::Repo;
use marsh_types::manifest::PathsBase;
use marsh_types::{Kind, Manifest, RelPath};

use super::PublishedFile;
use super::error::PublishError;

struct Collector {
    files: BTreeMap<RelPath, PublishedFile>,
    /// In the form that file systems compare where case does not count.
    listed: BTreeSet<String>,
}

pub(crate) fn collect(
    repo: &Repo,
    manifest_path: &Path,
    manifest: &Manifest,
) -> Result<Vec<PublishedFile>, PublishError> {
    let own = manifest_path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let own = own.canonicalize().map_err(|source| PublishError::Read { path: own.to_owned(), source })?;
    let mut collector = Collector { files: BTreeMap::new(), listed: BTreeSet::new() };
    for (kind, entries) in manifest.code() {
        let base = match manifest.base {
            PathsBase::Manifest => own.clone(),
            PathsBase::TypedDir => repo.layout.extension_sources(&repo.marker, kind),
        };
        for entry in entries {
            collector.source(kind, &base, entry)?;
        }
    }
    let models = match manifest.base {
        PathsBase::Manifest => own.clone(),
        PathsBase::TypedDir => repo.layout.extension_sources(&repo.marker, Kind::Model),
    };
    for entry in &manifest.include {
        let from = entry.below(&models);
        collector.add("include", entry, &from, &RelPath::parse("models")?.join(entry), false, false)?;
    }
    for (key, list, is_binary) in
        [("additionalFiles", &manifest.additional_files, false), ("binaries", &manifest.binaries, true)]
    {
        for entry in list {
            if !collector.listed.insert(entry.folded()) {
                return Err(PublishError::Twice { path: entry.to_string() });
            }
            let target = RelPath::parse("files")?.join(entry);
            collector.add(key, entry, &entry.below(&own), &target, is_binary, is_binary)?;
        }
    }
    for entry in &manifest.workflows {
        let places = [own.clone(), repo.layout.workflows(), repo.layout.root().join("extensions/workflows")];
        let found = places.iter().map(|dir| entry.below(dir)).find(|path| path.is_file());
        let from = found.unwrap_or_else(|| entry.below(&repo.layout.workflows()));
        let segments: Vec<&str> = entry.segments().collect();
        let name = match segments.as_slice() {
            [.., _] if segments.len() > 1 => format!("{}.yaml", segments[..segments.len() - 1].join("-")),
            _ => entry.file_name().to_owned(),
        };
        collector.add(
            "workflows",
            entry,
            &from,
            &RelPath::parse(&format!("workflows/{name}"))?,
            false,
            false,
        )?;
    }
    for entry in &manifest.skills {
        collector.skill(repo, &own, entry)?;
    }
    Ok(collector.files.into_values().collect())
}

impl Collector {
    /// An entry point and everything local that it reaches.
    fn source(&mut self, kind: Kind, base: &Path, entry: &RelPath) -> Result<(), PublishError> {
        let path = entry.below(base);
        if !path.is_file() {
            return Err(PublishError::Missing {
                key: kind.directory(),
                entry: entry.to_string(),
                expected: path,
            });
        }
        let graph = marsh_bundle::import_graph(&path, base);
        for file in &graph.files {
            if file.state == FileState::Missing {
                continue;
            }
            let real = file.path.canonicalize().unwrap_or_else(|_| file.path.clone());
            let root = base.canonicalize().unwrap_or_else(|_| base.to_owned());
            let below = real
                .strip_prefix(&root)
                .map_err(|_| PublishError::Outside { path: file.path.clone(), base: base.to_owned() })?;
            let rel = RelPath::parse(&below.to_string_lossy().replace('\\', "/"))?;
            let target = RelPath::parse(kind.directory())?.join(&rel);
            self.add(kind.directory(), &rel, &file.path, &target, false, false)?;
        }
        Ok(())
    }

    fn skill(&mut self, repo: &Repo, own: &Path, entry: &RelPath) -> Result<(), PublishError> {
        let mut places = vec![entry.below(own)];
        places.extend(repo.marker.skill_dirs().iter().map(|dir| entry.below(&repo.layout.root().join(dir))));
        let Some(dir) = places.iter().find(|dir| dir.is_dir()).cloned() else {
            let expected = places.last().cloned().unwrap_or_default();
            return Err(PublishError::Missing { key: "skills", entry: entry.to_string(), expected });
        };
        let name = entry.file_name().to_owned();
        let problem = |problem| PublishError::Skill { skill: name.clone(), problem };
        let text =
            std::fs::read_to_string(dir.join("SKILL.md")).map_err(|_| problem("it has no SKILL.md"))?;
        let front =
            text.strip_prefix("---").and_then(|rest| rest.split_once("\n---")).map(|(front, _)| front);
        let front: serde_json::Value = front
            .and_then(|front| marsh_types::yaml::from_str(front).ok())
            .ok_or_else(|| problem("SKILL.md does not begin with YAML between `---` lines"))?;
        let has =
            |key: &str| front.get(key).and_then(|value| value.as_str()).is_some_and(|text| !text.is_empty());
        if !has("name") || !has("description") {
            return Err(problem("SKILL.md needs a `name` and a `description`"));
        }
        let target = RelPath::parse("skills")?.join(&RelPath::parse(&name)?);
        let mut pending = vec![dir.clone()];
        while let Some(next) = pending.pop() {
            let read = |source| PublishError::Read { path: next.clone(), source };
            for found in std::fs::read_dir(&next).map_err(read)? {
                let path = found.map_err(read)?.path();
                if path.is_dir() && !path.is_symlink() {
                    pending.push(path);
                    continue;
                }
                let below = path.strip_prefix(&dir).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                let rel = RelPath::parse(&below)?;
                self.add("skills", &rel, &path, &target.join(&rel), false, true)?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        key: &'static str,
        entry: &RelPath,
        from: &Path,
        target: &RelPath,
        executable: bool,
        is_binary: bool,
    ) -> Result<(), PublishError> {
        let metadata = std::fs::symlink_metadata(from).map_err(|_| PublishError::Missing {
            key,
            entry: entry.to_string(),
            expected: PathBuf::from(from),
        })?;
        if metadata.is_symlink() {
            return Err(PublishError::Link { path: from.to_owned() });
        }
        let content =
            std::fs::read(from).map_err(|source| PublishError::Read { path: from.to_owned(), source })?;
        self.files
            .insert(target.clone(), PublishedFile { path: target.clone(), content, executable, is_binary });
        Ok(())
    }
}
