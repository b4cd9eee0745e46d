//! The installation of a repository, and what a stored tree declares, read from its manifest and the syntax of its entry
//! points. Runs no code.
//!
//! An entry point whose declarations cannot be read is recorded with its [`Diagnostic`]; the store keeps that type as it
//! is, and the type catalog shows it (`crates/extension/tests/it/broken_sources.rs`).

use std::path::Path;

use marsh_repo::Repo;
use marsh_store::{Facts, Installation, Provided, Trees};
use marsh_types::{Diagnostic, Digest, Manifest, RelPath};

/// The installation of a repository: its lockfile, and the store in its `.swamp`.
pub fn installation(repo: &Repo) -> Installation {
    Installation::new(&repo.layout.state(), &repo.layout.lockfile(&repo.marker), marsh_repo::layout::MARKER)
}

/// The version of these reading rules: raise it when they change.
pub(crate) const RULES: u32 = 2;

/// Reads a stored tree. `None`: the store does not hold the tree, or its manifest is damaged.
pub(crate) fn read_facts(trees: &Trees, digest: &Digest) -> Option<Facts> {
    let tree = trees.tree(digest);
    let text = marsh_fs::read_to_string(tree.join("manifest.yaml")).ok()?;
    let manifest = Manifest::parse(&text).ok()?;
    Some(facts_of(&tree, &manifest))
}

/// Reads an unpacked tree.
fn facts_of(tree: &Path, manifest: &Manifest) -> Facts {
    let mut facts = Facts { dependencies: manifest.dependencies.clone(), ..Facts::default() };
    for (kind, entries) in manifest.code() {
        let Ok(dir) = RelPath::parse(kind.directory()) else { continue };
        for entry in entries {
            // A manifest lists an entry with or without its directory.
            let listed = dir.join(entry);
            let rel = if listed.below(tree).is_file() { listed } else { entry.clone() };
            let path = rel.below(tree);
            let declarations = marsh_fs::read_to_string(&path)
                .map_err(|error| Diagnostic::unreadable(&path, error.to_string()))
                .and_then(|source| marsh_bundle::declarations(&source, &path));
            match declarations {
                Ok(declarations) => facts.provided.extend(
                    declarations.into_iter().filter(|declaration| declaration.kind.home() == kind).map(
                        |declaration| Provided {
                            kind: declaration.kind,
                            raw: declaration.name,
                            version: declaration.version,
                            methods: declaration.methods,
                            path: rel.clone(),
                            line: declaration.line,
                        },
                    ),
                ),
                Err(diagnostic) => facts.problems.push((rel, diagnostic)),
            }
        }
    }
    facts
}
