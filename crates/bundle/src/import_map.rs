//! Import maps: `imports` and `scopes`, of a `deno.json` or a file of their own.
//!
//! Deno's extension is included: `"zod": "npm:zod@4"` also serves `zod/v4`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

#[derive(Debug, Default)]
pub(crate) struct ImportMap {
    imports: Table,
    /// By the path prefix of the importers that they apply to, as text.
    scopes: BTreeMap<String, Table>,
}

/// From specifier (or, ending in `/`, prefix of specifiers) to address. Keys and addresses that are paths are absolute.
type Table = BTreeMap<String, String>;

impl ImportMap {
    /// `base`: the directory that relative keys and addresses start from.
    pub(crate) fn parse(json: &Value, base: &Path) -> Self {
        let imports = json.get("imports").and_then(Value::as_object).map(|map| table(map, base));
        let scopes = json
            .get("scopes")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(key, map)| Some((absolute(key, base), table(map.as_object()?, base))));
        Self { imports: imports.unwrap_or_default(), scopes: scopes.collect() }
    }

    /// What `specifier`, written in `importer`, is mapped to. Relative ones arrive here as absolute paths.
    pub(crate) fn map(&self, specifier: &str, importer: &Path) -> Option<String> {
        let importer = importer.to_string_lossy();
        let scoped = self.scopes.iter().rev().filter(|(scope, _)| {
            importer.as_ref() == scope.as_str()
                || (scope.ends_with('/') && importer.starts_with(scope.as_str()))
        });
        // Text order puts a longer prefix after a shorter one, so reversed is most specific first.
        scoped.map(|(_, table)| table).chain([&self.imports]).find_map(|table| look_up(table, specifier))
    }

    /// The names one can import, for hints.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.imports.keys().map(String::as_str).filter(|key| !key.starts_with('/'))
    }
}

fn table(map: &Map<String, Value>, base: &Path) -> Table {
    let mut table = Table::new();
    for (key, address) in map {
        let Some(address) = address.as_str() else { continue };
        let key = absolute(key, base);
        if let Some(package) = address.strip_prefix("npm:").or_else(|| address.strip_prefix("jsr:"))
            && !key.ends_with('/')
            && !map.contains_key(&format!("{key}/"))
        {
            let scheme = &address[..4];
            table.insert(format!("{key}/"), format!("{scheme}{}/", package.trim_end_matches('/')));
        }
        table.insert(key, absolute(address, base));
    }
    table
}

fn look_up(table: &Table, specifier: &str) -> Option<String> {
    if let Some(address) = table.get(specifier) {
        return Some(address.clone());
    }
    let (prefix, address) = table
        .iter()
        .filter(|(key, address)| {
            key.ends_with('/') && address.ends_with('/') && specifier.starts_with(key.as_str())
        })
        .max_by_key(|(key, _)| key.len())?;
    Some(format!("{address}{}", &specifier[prefix.len()..]))
}

/// A path as absolute text, with its trailing slash; anything else as it is.
fn absolute(text: &str, base: &Path) -> String {
    if !is_path(text) {
        return text.to_owned();
    }
    let mut path = normalized(&base.join(text)).to_string_lossy().into_owned();
    if text.ends_with('/') && !path.ends_with('/') {
        path.push('/');
    }
    path
}

pub(crate) fn is_path(specifier: &str) -> bool {
    specifier.starts_with("./")
        || specifier.starts_with("../")
        || specifier.starts_with('/')
        || specifier == "."
        || specifier == ".."
}

/// `.` and `..` removed by text alone, as in URLs; links are not looked at.
pub(crate) fn normalized(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                result.pop();
            }
            other => result.push(other),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_prefix_and_most_specific_scope_win() {
        let json = serde_json::json!({
            "imports": { "zod": "npm:zod@4.3.6", "lib/": "./lib/", "lib/deep/": "./deep/", "./a.ts": "./b.ts" },
            "scopes": { "./lib/": { "zod": "npm:zod@3.25.0" }, "./lib/old/": { "zod": "npm:zod@2.0.0" } }
        });
        let map = ImportMap::parse(&json, Path::new("/x"));
        let root = Path::new("/x/main.ts");
        assert_eq!(map.map("zod", root).as_deref(), Some("npm:zod@4.3.6"));
        assert_eq!(map.map("zod/v4/core", root).as_deref(), Some("npm:zod@4.3.6/v4/core"));
        assert_eq!(map.map("lib/u.ts", root).as_deref(), Some("/x/lib/u.ts"));
        assert_eq!(map.map("lib/deep/u.ts", root).as_deref(), Some("/x/deep/u.ts"));
        assert_eq!(map.map("/x/a.ts", root).as_deref(), Some("/x/b.ts"));
        assert_eq!(map.map("zod", Path::new("/x/lib/m.ts")).as_deref(), Some("npm:zod@3.25.0"));
        assert_eq!(map.map("zod", Path::new("/x/lib/old/m.ts")).as_deref(), Some("npm:zod@2.0.0"));
        assert_eq!(map.map("other", root), None);
    }
}
