//! `upstream_extensions.json`, the lockfile: which extensions are installed (extension formats, "Lockfile").
//!
//! The file is written with sorted keys, two spaces of indent and a final newline, so that a change of one extension is a
//! small diff. Unknown fields are kept (`lockfile_with_unknown_fields_round_trips_byte_for_byte`). An invalid entry, for
//! example one with an invalid name, is kept as it is and reported, and marsh does nothing with it
//! (`invalid_entries_are_kept_and_not_used`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::calver::CalVer;
use crate::channel::Channel;
use crate::digest::Digest;
use crate::names::ExtensionName;

/// One installed extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockEntry {
    /// The installed version.
    pub version: CalVer,
    /// When the extension was installed, ISO 8601. Installing the same version again keeps it.
    pub pulled_at: String,
    /// Paths relative to the repository, as other implementations list them. Marsh does not trust them and takes the list
    /// of files from the store.
    pub files: Vec<String>,
    /// Include paths of the manifest, as other implementations list them.
    pub include: Vec<String>,
    /// The digest of the archive's bytes, which names the tree in the store. Missing in entries of an unverified install.
    pub checksum: Option<Digest>,
    /// The digest of the unpacked tree.
    pub files_checksum: Option<Digest>,
    /// The registry that the extension came from.
    pub server_url: Option<String>,
    /// The channel; `None` means stable.
    pub channel: Option<Channel>,
    /// Fields that this version of marsh does not know.
    pub rest: Map<String, Value>,
}

/// An invalid entry, which is kept and not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedEntry {
    /// The key in the file.
    pub key: String,
    /// The value in the file.
    pub value: Value,
    /// Why the entry is invalid.
    pub reason: String,
}

/// The installed set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lockfile {
    /// The installed extensions.
    pub entries: BTreeMap<ExtensionName, LockEntry>,
    /// Invalid entries.
    pub refused: Vec<RefusedEntry>,
}

/// The lockfile as a whole is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockfileError {
    /// The text is not JSON.
    #[error("invalid JSON: {message}")]
    Json {
        /// The parser's message, with line and column.
        message: String,
        /// Counts from 1.
        line: usize,
        /// Counts from 1.
        column: usize,
    },
    /// The text is JSON, but not an object.
    #[error("invalid lockfile: expected a JSON object")]
    NotAnObject,
}

impl Lockfile {
    /// The file's name, in the directory of model sources.
    pub const FILE_NAME: &'static str = "upstream_extensions.json";

    /// Parses the file's text. Empty text is an empty set, as a missing file is.
    ///
    /// # Errors
    /// The text is not a JSON object. Invalid entries are not an error; see [`Lockfile::refused`].
    pub fn parse(text: &str) -> Result<Lockfile, LockfileError> {
        if text.trim().is_empty() {
            return Ok(Lockfile::default());
        }
        let value: Value = serde_json::from_str(text).map_err(|error| LockfileError::Json {
            message: error.to_string(),
            line: error.line(),
            column: error.column(),
        })?;
        let Value::Object(map) = value else { return Err(LockfileError::NotAnObject) };
        let mut lockfile = Lockfile::default();
        for (key, value) in map {
            match entry(&key, &value) {
                Ok((name, entry)) => {
                    lockfile.entries.insert(name, entry);
                }
                Err(reason) => lockfile.refused.push(RefusedEntry { key, value, reason }),
            }
        }
        Ok(lockfile)
    }

    /// The file's text, invalid entries included.
    pub fn to_json(&self) -> String {
        let mut map: BTreeMap<&str, Value> = BTreeMap::new();
        for refused in &self.refused {
            map.insert(&refused.key, refused.value.clone());
        }
        for (name, entry) in &self.entries {
            map.insert(name.as_str(), entry.to_value());
        }
        let sorted: Map<String, Value> =
            map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        // A map of strings and values always has a JSON form.
        let mut text = serde_json::to_string_pretty(&Value::Object(sorted)).unwrap_or_else(|_| "{}".into());
        text.push('\n');
        text
    }

    /// The entry of an extension, if it is installed.
    pub fn get(&self, name: &ExtensionName) -> Option<&LockEntry> {
        self.entries.get(name)
    }

    /// The digests of the trees that the set needs from the store.
    pub fn digests(&self) -> impl Iterator<Item = Digest> {
        self.entries.values().filter_map(|entry| entry.checksum)
    }
}

impl LockEntry {
    fn to_value(&self) -> Value {
        let mut map = Map::new();
        map.insert("version".into(), json!(self.version));
        map.insert("pulledAt".into(), json!(self.pulled_at));
        map.insert("files".into(), json!(self.files));
        if !self.include.is_empty() {
            map.insert("include".into(), json!(self.include));
        }
        if let Some(checksum) = self.checksum {
            map.insert("checksum".into(), json!(checksum));
        }
        if let Some(checksum) = self.files_checksum {
            map.insert("filesChecksum".into(), json!(checksum));
        }
        if let Some(url) = &self.server_url {
            map.insert("serverUrl".into(), json!(url));
        }
        if let Some(channel) = self.channel.and_then(Channel::unless_stable) {
            map.insert("channel".into(), json!(channel));
        }
        for (key, value) in &self.rest {
            map.entry(key.clone()).or_insert_with(|| value.clone());
        }
        Value::Object(map)
    }
}

fn entry(key: &str, value: &Value) -> Result<(ExtensionName, LockEntry), String> {
    let name = ExtensionName::parse(key).map_err(|error| error.to_string())?;
    let Value::Object(map) = value else {
        return Err(format!("invalid entry: expected an object, found {value}"));
    };
    let mut rest = map.clone();
    let mut text = |key: &str| match rest.shift_remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!("invalid `{key}`: expected a text, found {other}")),
    };
    let version = text("version")?.ok_or("missing `version`")?;
    let pulled_at = text("pulledAt")?.unwrap_or_default();
    let checksum = text("checksum")?;
    let files_checksum = text("filesChecksum")?;
    let server_url = text("serverUrl")?;
    let channel = text("channel")?;
    let mut texts = |key: &str| match rest.shift_remove(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                other => Err(format!("invalid `{key}`: expected a list of texts, found {other} in it")),
            })
            .collect(),
        Some(other) => Err(format!("invalid `{key}`: expected a list, found {other}")),
    };
    let files = texts("files")?;
    let include = texts("include")?;
    let digest = |text: Option<String>| text.map(|text| text.parse::<Digest>()).transpose();
    let entry = LockEntry {
        version: version.parse().map_err(|error: crate::calver::CalVerError| error.to_string())?,
        pulled_at,
        files,
        include,
        checksum: digest(checksum).map_err(|error| error.to_string())?,
        files_checksum: digest(files_checksum).map_err(|error| error.to_string())?,
        server_url,
        channel: channel
            .map(|text| text.parse::<Channel>())
            .transpose()
            .map_err(|error| error.to_string())?
            .and_then(Channel::unless_stable),
        rest,
    };
    Ok((name, entry))
}

#[cfg(test)]
mod tests {
    use super::{Lockfile, LockfileError};

    const ONE: &str = r#"{
  "@acme/net/dns": {
    "version": "2026.03.04.2",
    "pulledAt": "2026-03-05T10:11:12.131Z",
    "files": [
      ".swamp/pulled-extensions/@acme/net/dns/manifest.yaml"
    ],
    "checksum": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "serverUrl": "https://example.com",
    "channel": "beta",
    "ofLater": {
      "x": 1
    }
  }
}
"#;

    #[test]
    fn lockfile_with_unknown_fields_round_trips_byte_for_byte() {
        assert_eq!(Lockfile::parse(ONE).unwrap().to_json(), ONE);
        assert_eq!(Lockfile::parse("").unwrap(), Lockfile::default());
        assert_eq!(Lockfile::default().to_json(), "{}\n");
    }

    #[test]
    fn lockfile_with_unsorted_names_is_written_sorted() {
        let text = r#"{"@b/b": {"version": "2026.01.01.1"}, "@a/a": {"version": "2026.01.01.1"}}"#;
        let json = Lockfile::parse(text).unwrap().to_json();
        assert!(json.find("@a/a") < json.find("@b/b"), "{json}");
    }

    #[test]
    fn invalid_entries_are_kept_and_not_used() {
        let text = r#"{"@a/../../x": {"version": "2026.01.01.1"}, "@a/b": {"version": "tomorrow"}, "@a/c": 1,
            "@a/d": {"version": "2026.01.01.1", "checksum": "xyz"}, "@a/e": {"version": "2026.01.01.1"}}"#;
        let lockfile = Lockfile::parse(text).unwrap();
        assert_eq!(lockfile.entries.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["@a/e"]);
        assert_eq!(lockfile.refused.len(), 4);
        let again = Lockfile::parse(&lockfile.to_json()).unwrap();
        assert_eq!(again.refused.len(), 4);
    }

    #[test]
    fn lockfile_with_invalid_json_fails_with_line_and_column() {
        assert!(matches!(Lockfile::parse("{\n<<<<<<< HEAD"), Err(LockfileError::Json { line: 2, .. })));
        assert_eq!(Lockfile::parse("[]"), Err(LockfileError::NotAnObject));
    }
}
