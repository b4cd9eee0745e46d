//! Branches for operating systems: marsh is built for Linux and macOS, and neither may be forgotten.
//!
//! A branch `cfg(P)` (`cfg_attr` adds attributes and is not a branch) needs a branch `cfg(not(P))` in the same file, or a comment `// cfg: reason` above it that says why the
//! other system needs none. `cfg(unix)` and `cfg(windows)` are refused: the binary is built for Unix systems only, so that
//! the first is always true and the second is dead code.

use regex::Regex;

use crate::files::{Finding, Tree};

/// What makes a branch one for an operating system.
const SYSTEM: [&str; 5] = ["target_os", "target_vendor", "target_env", "unix", "windows"];

/// Reports branches without a counterpart or a reason.
pub fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let mut found = Vec::new();
    for path in &tree.paths {
        let manifest = path.ends_with("Cargo.toml");
        if !(manifest || path.ends_with(".rs")) || path.starts_with("xtask/") {
            continue;
        }
        if let Some(text) = tree.text(path)? {
            found.extend(if manifest { look_at_manifest(path, &text) } else { look(path, &text)? });
        }
    }
    Ok(found)
}

/// The predicates of one file: its line, the predicate without blanks, and whether the branch has a reason.
fn look(path: &str, text: &str) -> Result<Vec<Finding>, String> {
    let attribute = Regex::new(r"#!?\[cfg\((.*)\)\]").map_err(|error| error.to_string())?;
    let expression = Regex::new(r"cfg!\((.*?)\)").map_err(|error| error.to_string())?;
    let lines: Vec<&str> = text.lines().collect();
    let mut branches = Vec::new();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let finding = |message: String| Finding { path: path.to_owned(), line: index + 1, message };
        let attributes = attribute.captures(line).map(|captures| captures[1].to_owned());
        let expressions = expression.captures(line).map(|captures| captures[1].to_owned());
        for predicate in attributes.iter().chain(&expressions) {
            let words: Vec<&str> = predicate.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
            if words.iter().any(|word| matches!(*word, "unix" | "windows")) {
                found.push(finding(format!("cfg({predicate}): marsh is built for Unix systems only")));
            }
        }
        let Some(predicate) = attributes else { continue };
        if !SYSTEM.iter().any(|word| predicate.contains(word)) {
            continue;
        }
        let reason = lines[..index].iter().rev().take_while(|line| line.trim_start().starts_with("//"));
        let has_reason =
            line.contains("// cfg: ") || reason.into_iter().any(|line| line.contains("// cfg: "));
        branches.push((index, predicate.replace(' ', ""), has_reason));
    }
    for (index, predicate, has_reason) in &branches {
        let counterpart = match predicate.strip_prefix("not(").and_then(|rest| rest.strip_suffix(')')) {
            Some(inner) => inner.to_owned(),
            None => format!("not({predicate})"),
        };
        if !has_reason && !branches.iter().any(|(_, other, _)| *other == counterpart) {
            found.push(Finding {
                path: path.to_owned(),
                line: index + 1,
                message: format!(
                    "cfg({predicate}) has no counterpart cfg({counterpart}) and no `// cfg: reason`"
                ),
            });
        }
    }
    Ok(found)
}

/// Dependencies of one system need a comment that says why.
fn look_at_manifest(path: &str, text: &str) -> Vec<Finding> {
    let lines: Vec<&str> = text.lines().collect();
    let lone = |index: &usize| *index == 0 || !lines[index - 1].starts_with('#');
    (0..lines.len())
        .filter(|index| lines[*index].starts_with("[target.") && lone(index))
        .map(|index| Finding {
            path: path.to_owned(),
            line: index + 1,
            message: format!("{} needs a comment that says why", lines[index]),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{check, look};
    use crate::files::Tree;

    fn messages(text: &str) -> Vec<String> {
        look("a.rs", text).unwrap().into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_branch_with_its_counterpart_is_accepted() {
        assert!(
            messages(
                "#[cfg(target_os = \"linux\")]\nfn a() {}\n#[cfg(not(target_os = \"linux\"))]\nfn a() {}"
            )
            .is_empty()
        );
    }

    #[test]
    fn a_lone_branch_is_reported_unless_it_has_a_reason() {
        let lone = "#[cfg(target_os = \"linux\")]\nfn a() {}";
        assert_eq!(messages(lone).len(), 1);
        assert!(messages(&format!("// cfg: only Linux has /proc\n{lone}")).is_empty());
    }

    #[test]
    fn branches_for_windows_are_reported() {
        assert_eq!(messages("let npm = if cfg!(windows) { \"npm.cmd\" } else { \"npm\" };").len(), 1);
    }

    #[test]
    fn every_branch_of_the_workspace_has_a_counterpart_or_a_reason() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let found = check(&Tree::open(root).unwrap()).unwrap();
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{}", lines.join("\n"));
    }
}
