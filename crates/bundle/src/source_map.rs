//! From locations in a bundle to locations in the sources that it was made of.
//!
//! The map lies beside `bundle.js` and is read only when an error has to be shown. File names in it are those of the
//! diagnostics: relative to the source root, packages as `npm/…`. It carries the text of the extension's own files, so
//! that the line shown is the one that ran, whatever the file says by now.

use std::path::{Component, Path};

use rolldown_sourcemap::SourceMap as Map;

use crate::import_map::normalized;
use crate::paths::relative;
use crate::remote::is_web;

pub(crate) const FILE: &str = SourceMap::FILE;
/// Where rolldown thinks that it writes, below the root; its source names are relative to it.
const OUTPUT: &str = "dist";
/// The directory below which packages are shown.
const PACKAGES: &str = "npm/";

/// A location in a source file. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// Relative to the source root.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// The text of the line when the bundle was made; packages have none.
    pub source_line: Option<String>,
}

impl Original {
    /// Whether it lies in the extension itself, and not in a package that it uses.
    pub fn is_own(&self) -> bool {
        !self.file.starts_with(PACKAGES) && !is_web(&self.file)
    }
}

/// The source map of a bundle.
#[derive(Debug)]
pub struct SourceMap(Map);

impl SourceMap {
    /// The name of the map of `bundle.js`, beside it.
    pub const FILE: &str = "bundle.js.map";

    /// The map of a bundle; bundles need none to run, so there may be none.
    pub fn of_bundle(bundle: &Path) -> Option<SourceMap> {
        let text = marsh_fs::read_to_string(bundle.with_file_name(FILE)).ok()?;
        let json = serde_json::from_str(&text).ok()?;
        Map::from_json(json).ok().map(SourceMap)
    }

    /// The location in the source of a line and column of the bundle, both from 1.
    pub fn original(&self, line: u32, column: u32) -> Option<Original> {
        let table = self.0.generate_lookup_table();
        let token = self.0.lookup_token(&table, line.checked_sub(1)?, column.saturating_sub(1))?;
        let source = token.get_source_id()?;
        let at = usize::try_from(token.get_src_line()).ok()?;
        let text = self.0.get_source_content(source).filter(|text| !text.is_empty());
        Some(Original {
            file: self.0.get_source(source)?.to_owned(),
            line: token.get_src_line() + 1,
            column: token.get_src_col() + 1,
            source_line: text.and_then(|text| text.lines().nth(at)).map(str::to_owned),
        })
    }
}

/// The map as it is stored: without paths of this machine, and without the text of packages.
pub(crate) fn stored(map: &Map, root: &Path, packages: &Path) -> String {
    let names: Vec<String> = map.get_sources().map(|source| shown(source, root, packages)).collect();
    let texts: Vec<Option<String>> = names
        .iter()
        .zip(map.get_source_contents())
        .map(|(name, text)| text.filter(|_| !name.starts_with(PACKAGES)).map(str::to_owned))
        .collect();
    let mut stored = map.clone();
    stored.set_sources(&names);
    stored.set_source_contents(texts.iter().map(Option::as_deref).collect());
    stored.to_json_string()
}

fn shown(source: &str, root: &Path, packages: &Path) -> String {
    if is_web(source) {
        return source.to_owned();
    }
    let path = normalized(&root.join(OUTPUT).join(source));
    match path.strip_prefix(packages) {
        Ok(inside) => {
            let parts = inside.components().filter_map(|part| match part {
                Component::Normal(name) => name.to_str(),
                _ => None,
            });
            format!("{PACKAGES}{}", parts.collect::<Vec<_>>().join("/"))
        }
        Err(_) => relative(&path, root),
    }
}
