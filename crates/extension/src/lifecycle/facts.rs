//! What a stored tree means, read off its manifest and the syntax of its entry points. Runs nothing.

use marsh_store::{Facts, Provided, Trees};
use marsh_types::{Digest, Kind, Manifest};

/// Raise with every change of what is read here.
pub(crate) const RULES: u32 = 1;

/// `None`: the store does not hold the tree, or its manifest is damaged.
pub(crate) fn read_facts(trees: &Trees, digest: &Digest) -> Option<Facts> {
    let tree = trees.tree(digest);
    let text = std::fs::read_to_string(tree.join("manifest.yaml")).ok()?;
    let manifest = Manifest::parse(&text).ok()?;
    Some(facts_of(&tree, &manifest))
}

/// The facts of an unpacked tree.
pub(crate) fn facts_of(tree: &std::path::Path, manifest: &Manifest) -> Facts {
    let mut facts = Facts { dependencies: manifest.dependencies.clone(), ..Facts::default() };
    for (kind, entries) in manifest.code() {
        for entry in entries {
            let Ok(dir) = marsh_types::RelPath::parse(kind.directory()) else { continue };
            // Entries may be listed with or without their directory.
            let listed = dir.join(entry);
            let path = match listed.below(tree) {
                path if path.is_file() => path,
                _ => entry.below(tree),
            };
            let rel = if path == listed.below(tree) { listed } else { entry.clone() };
            let source = match std::fs::read_to_string(&path) {
                Ok(source) => source,
                Err(error) => {
                    facts.problems.push((rel, serde_json::json!({ "message": error.to_string() })));
                    continue;
                }
            };
            match marsh_bundle::declarations(&source, &path) {
                Ok(declarations) => {
                    let of_kind = declarations.into_iter().filter(|declaration| {
                        declaration.kind == kind
                            || (kind == Kind::Model && declaration.kind == Kind::Extension)
                    });
                    facts.provided.extend(of_kind.map(|declaration| Provided {
                        kind: declaration.kind,
                        raw: declaration.name,
                        version: declaration.version,
                        methods: declaration.methods,
                        path: rel.clone(),
                        line: declaration.line,
                    }));
                }
                Err(diagnostic) => {
                    let value = serde_json::to_value(&diagnostic).unwrap_or_default();
                    facts.problems.push((rel, value));
                }
            }
        }
    }
    facts
}
