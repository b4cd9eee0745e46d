//! What one version of a type is made of, by name: the part that declares the type, and a part for each method extension.
//!
//! A version's fingerprint is that of its only part or, with method extensions, a digest over the fingerprints of all
//! parts. So the methods of a version follow from its name alone: a method extension that changes, appears or
//! disappears makes another version. The JSON form is in run journals (`crate::Pin`) and load records; its field names
//! never change.

use std::path::PathBuf;

use marsh_types::{Digest, Kind, TypeName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::part::Part;
use crate::source_root::SourceRoot;

/// A source file that declares an export, and the directory tree that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryPoint {
    pub path: PathBuf,
    pub root: SourceRoot,
}

/// The parts of one version of a type. A built-in type has no base part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VersionParts {
    pub(super) kind: Kind,
    pub(super) type_name: TypeName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) builtin: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<Part>,
    /// In the order of their fingerprints, so that the order does not depend on where the files are.
    #[serde(rename = "grafts")]
    pub(super) method_extensions: Vec<Part>,
}

impl VersionParts {
    pub(super) fn new(
        kind: Kind,
        type_name: TypeName,
        builtin: Option<Value>,
        base: Option<Part>,
        mut method_extensions: Vec<Part>,
    ) -> VersionParts {
        method_extensions.sort_by(|a, b| (&a.fingerprint, &a.entry).cmp(&(&b.fingerprint, &b.entry)));
        VersionParts { kind, type_name, builtin, base, method_extensions }
    }

    /// The base, then the method extensions.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.base.iter().chain(&self.method_extensions)
    }

    /// The entry point of a part by the shim's index: 0 is the base, built in or not.
    pub(super) fn entry(&self, index: usize) -> PathBuf {
        let part = match index.checked_sub(1) {
            None => self.base.as_ref(),
            Some(index) => self.method_extensions.get(index),
        };
        part.map_or_else(|| PathBuf::from("marsh itself"), |part| part.entry.clone())
    }

    /// The entry point that messages name.
    pub(super) fn main_entry(&self) -> PathBuf {
        self.parts().next().map(|part| part.entry.clone()).unwrap_or_default()
    }

    /// The key of the host process that serves the version: that of its first part.
    pub(super) fn host_key(&self) -> String {
        self.parts().next().map_or_else(|| "local".to_owned(), |part| part.root.host_key())
    }

    /// The name of the version.
    pub(super) fn fingerprint(&self) -> String {
        if let (Some(base), []) = (&self.base, self.method_extensions.as_slice()) {
            return base.fingerprint.clone();
        }
        let mut text = String::from("marsh parts 1\n");
        if let Some(builtin) = &self.builtin {
            text.push_str(&format!("builtin {builtin}\n"));
        }
        for part in self.parts() {
            text.push_str(&part.fingerprint);
            text.push('\n');
        }
        Digest::of(text.as_bytes()).to_hex()
    }

    /// The module that hands all parts to the shim. Its text is the same wherever the repository is.
    pub(super) fn joining_module(&self) -> String {
        let mut text = String::new();
        let mut names = Vec::new();
        if let Some(builtin) = &self.builtin {
            // JSON is JavaScript.
            text.push_str(&format!("const base = {{ builtin: {builtin} }};\n"));
            names.push("base".to_owned());
        }
        for (index, _) in self.parts().enumerate() {
            text.push_str(&format!("import * as part{index} from \"{}\";\n", part_specifier(index)));
            names.push(format!("part{index}"));
        }
        text.push_str(&format!("export const marshParts = [{}];\n", names.join(", ")));
        text
    }
}

/// How the joining module imports a part.
pub(super) fn part_specifier(index: usize) -> String {
    format!("part:{index}")
}
