//! Citations: documents and module heads name files and tests; each of them must exist.
//!
//! What counts as a citation:
//!
//! * a Markdown link to a file: `[text](path#anchor)`, relative to the document;
//! * a path between backticks that begins with `crates/`, `docs/`, `examples/`, `xtask/` or `.ci/`;
//! * a file name between backticks that ends in `.rs`;
//! * a name between backticks after such a file and a colon (`` `crash.rs`: `killed_at_every_point` ``), or with `::`;
//! * any name of four words and more (`a_run_that_was_cut_anywhere_goes_on`).
//!
//! A name may end in `…` or `*`, which makes it a prefix.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;

use crate::files::{Finding, Tree, documentation};

/// Where paths of the workspace begin.
const ROOTS: [&str; 6] = ["crates/", "docs/", "examples/", "xtask/", ".ci/", ".github/"];

/// What can be cited.
#[derive(Debug)]
struct Index<'a> {
    paths: BTreeSet<&'a str>,
    functions: BTreeSet<String>,
    words: BTreeSet<String>,
}

/// Reports citations of files and tests that do not exist.
pub fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let index = Index::of(tree)?;
    let mut found = Vec::new();
    for path in tree.written() {
        let prose = path.ends_with(".md") || path.ends_with(".rs");
        // What the changelog says was true when it was written.
        if !prose || path == "CHANGELOG.md" || path.starts_with("xtask/src/") {
            continue;
        }
        if let Some(text) = tree.text(path)? {
            found.extend(index.look(path, &text)?);
        }
    }
    Ok(found)
}

impl<'a> Index<'a> {
    fn of(tree: &'a Tree) -> Result<Index<'a>, String> {
        let word = regex("[A-Za-z_][A-Za-z0-9_]*")?;
        let function = regex(r"\bfn\s+([A-Za-z_][A-Za-z0-9_]*)")?;
        let mut index = Index {
            paths: tree.paths.iter().map(String::as_str).collect(),
            functions: BTreeSet::new(),
            words: BTreeSet::new(),
        };
        for path in tree.written().filter(|path| !path.ends_with(".md")) {
            let Some(text) = tree.text(path)? else { continue };
            index.functions.extend(function.captures_iter(&text).map(|captures| captures[1].to_owned()));
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            index.words.extend(
                code.flat_map(|line| word.find_iter(line))
                    .map(|hit| hit.as_str().to_owned())
                    .filter(|word| word.contains('_')),
            );
        }
        Ok(index)
    }

    fn look(&self, path: &str, text: &str) -> Result<Vec<Finding>, String> {
        let code = regex("`([^`]+)`")?;
        let link = regex(r"\]\(([^)\s]+)\)")?;
        let dir = Path::new(path).parent().unwrap_or_else(|| Path::new(""));
        let mut found = Vec::new();
        let mut fenced = false;
        for (number, line) in documentation(path, text) {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
                continue;
            }
            if fenced {
                continue;
            }
            let mut report =
                |message: String| found.push(Finding { path: path.to_owned(), line: number, message });
            if path.ends_with(".md") {
                for target in link.captures_iter(line).map(|captures| captures[1].to_owned()) {
                    let target = target.split('#').next().unwrap_or_default();
                    if !(target.is_empty() || target.contains("://") || self.has_path(&join(dir, target))) {
                        report(format!("no such file: {target}"));
                    }
                }
            }
            let mut after_file = false;
            let mut end = 0;
            for hit in code.captures_iter(line) {
                let (Some(whole), Some(inner)) = (hit.get(0), hit.get(1)) else { continue };
                let between = &line[end..whole.start()];
                end = whole.end();
                let names_test = after_file && matches!(between.trim(), ":" | "," | "and" | ", and");
                let quoted = inner.as_str();
                if is_path(quoted) {
                    after_file = quoted.ends_with(".rs");
                    if !self.has_path(quoted) {
                        report(format!("no such file: {quoted}"));
                    }
                } else if let Some((missing, what)) = self.missing(quoted, names_test) {
                    report(format!("no such {what}: {missing}"));
                    after_file = names_test;
                } else {
                    after_file = names_test;
                }
            }
        }
        Ok(found)
    }

    /// Whether a path of the workspace exists: from its root, or the end of one for a lone file name.
    fn has_path(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let path = path.split(':').next().unwrap_or(path);
        if path.is_empty() || path == "." {
            return true;
        }
        if let Some(prefix) = path.strip_suffix(['*', '…']) {
            return self.paths.iter().any(|known| known.starts_with(prefix));
        }
        let below = format!("{path}/");
        let end = format!("/{path}");
        // `examples/x.rs` may be one of a crate.
        let rooted = ROOTS.iter().any(|root| path.starts_with(root)) && !path.starts_with("examples/");
        self.paths.contains(path)
            || self.paths.iter().any(|known| known.starts_with(&below) || (!rooted && known.ends_with(&end)))
            // A module of that path may be a directory.
            || path.strip_suffix(".rs").is_some_and(|stem| {
                let module = format!("{stem}/mod.rs");
                self.paths.contains(module.as_str())
            })
    }

    /// The name that does not exist, and what it would be.
    fn missing<'n>(&self, name: &'n str, names_test: bool) -> Option<(&'n str, &'static str)> {
        let last = name.rsplit("::").next().unwrap_or(name);
        let stem = last.trim_end_matches(['…', '*', '(', ')']);
        let is_name = !stem.is_empty()
            && stem.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && stem.contains('_');
        if !is_name {
            return None;
        }
        let prefix = stem.len() < last.len() && !last.ends_with("()");
        let known = |set: &BTreeSet<String>| {
            if prefix {
                set.range(stem.to_owned()..).next().is_some_and(|word| word.starts_with(stem))
            } else {
                set.contains(stem)
            }
        };
        if names_test {
            (!known(&self.functions)).then_some((last, "test"))
        } else if stem.matches('_').count() >= 3 {
            (!known(&self.words)).then_some((last, "test or name"))
        } else {
            None
        }
    }
}

/// Whether text between backticks names a file of the workspace.
fn is_path(text: &str) -> bool {
    let plain = text.chars().all(|c| c.is_alphanumeric() || "/._-:*…".contains(c));
    plain
        && (ROOTS.iter().any(|root| text.starts_with(root))
            || (text.ends_with(".rs") && !text.starts_with('.')))
}

fn join(dir: &Path, target: &str) -> String {
    let mut parts: Vec<&str> = dir.iter().filter_map(|part| part.to_str()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::{Index, check, join};
    use crate::files::Tree;

    fn messages(line: &str) -> Vec<String> {
        let index = Index {
            paths: BTreeSet::from([
                "crates/fs/tests/crash.rs",
                "docs/guides/data.md",
                "crates/fs/src/lib.rs",
            ]),
            functions: BTreeSet::from(["killed_at_every_point".to_owned()]),
            words: BTreeSet::from([
                "killed_at_every_point".to_owned(),
                "archive_too_many_entries".to_owned(),
            ]),
        };
        index.look("docs/a.md", line).unwrap().into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn citations_that_exist_are_accepted() {
        for line in [
            "`crates/fs/tests/crash.rs`: `killed_at_every_point`",
            "`crash.rs`: `killed_at_…`",
            "[data](guides/data.md#locks) and `docs/guides`",
            "`crash::killed_at_every_point`, `archive_too_many_entries`",
        ] {
            assert_eq!(messages(line), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn citations_that_do_not_exist_are_reported() {
        for line in [
            "`crates/fs/tests/gone.rs`",
            "`gone.rs`",
            "`crash.rs`: `killed_once`",
            "[data](data.md)",
            "`docs/data.md`",
            "`crash::killed_at_no_point`",
        ] {
            assert_eq!(messages(line).len(), 1, "{line}");
        }
    }

    #[test]
    fn a_link_is_relative_to_its_document() {
        assert_eq!(join(Path::new("docs/guides"), "../reference/a.md"), "docs/reference/a.md");
    }

    #[test]
    fn every_citation_of_the_workspace_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let found = check(&Tree::open(root).unwrap()).unwrap();
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{}", lines.join("\n"));
    }
}
