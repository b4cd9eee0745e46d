//! `upstream_extensions.json`: which extensions are installed (extension formats, "Lockfile").
//!
//! Written with sorted keys, two spaces and a final newline, so that a change of one extension is a small diff. Fields
//! that this version does not know are kept. An entry that cannot be understood, with a name that is none for example,
//! is kept as it is, reported, and never acted upon.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::calver::CalVer;
use crate::channel::Channel;
use crate::digest::Digest;
use crate::names::ExtensionName;

/// One installed extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockEntry {
    pub version: CalVer,
    /// ISO 8601; kept when the same version is installed again.
    pub pulled_at: String,
    /// Repository-relative paths, as other implementations list them. Not trusted by marsh: the store knows the files.
    pub files: Vec<String>,
    pub include: Vec<String>,
    /// Of the archive's bytes; the entry's name in the store. Absent in entries that an unverified install wrote.
    pub checksum: Option<Digest>,
    /// Of the unpacked tree.
    pub files_checksum: Option<Digest>,
    pub server_url: Option<String>,
    /// Absent means stable.
    pub channel: Option<Channel>,
    /// Fields of other versions.
    pub rest: Map<String, Value>,
}

/// An entry that is kept and not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedEntry {
    pub key: String,
    pub value: Value,
    pub reason: String,
}

/// The installed set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lockfile {
    pub entries: BTreeMap<ExtensionName, LockEntry>,
    pub refused: Vec<RefusedEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockfileError {
    #[error("it is not JSON: {message}")]
    Json { message: String, line: usize, column: usize },
    #[error("it must be an object")]
    NotAnObject,
}

impl Lockfile {
    /// The file's name, in the directory of model sources.
    pub const FILE_NAME: &'static str = "upstream_extensions.json";

    /// Empty text is no lockfile, as a missing file is.
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

    pub fn get(&self, name: &ExtensionName) -> Option<&LockEntry> {
        self.entries.get(name)
    }

    /// The digests that the set needs from the store.
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
    let Value::Object(map) = value else { return Err("the entry must be an object".into()) };
    let mut rest = map.clone();
    let mut text = |key: &str| match rest.shift_remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!("`{key}` must be a text, not {other}")),
    };
    let version = text("version")?.ok_or("`version` is missing")?;
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
                other => Err(format!("`{key}` must be a list of texts, and holds {other}")),
            })
            .collect(),
        Some(other) => Err(format!("`{key}` must be a list, not {other}")),
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
    fn a_lockfile_round_trips_byte_for_byte_unknown_fields_included() {
        assert_eq!(Lockfile::parse(ONE).unwrap().to_json(), ONE);
        assert_eq!(Lockfile::parse("").unwrap(), Lockfile::default());
        assert_eq!(Lockfile::default().to_json(), "{}\n");
    }

    #[test]
    fn names_are_sorted_whatever_the_order_in_the_file() {
        let text = r#"{"@b/b": {"version": "2026.01.01.1"}, "@a/a": {"version": "2026.01.01.1"}}"#;
        let json = Lockfile::parse(text).unwrap().to_json();
        assert!(json.find("@a/a") < json.find("@b/b"), "{json}");
    }

    #[test]
    fn entries_that_cannot_be_understood_are_kept_and_not_used() {
        let text = r#"{"@a/../../x": {"version": "2026.01.01.1"}, "@a/b": {"version": "tomorrow"}, "@a/c": 1,
            "@a/d": {"version": "2026.01.01.1", "checksum": "xyz"}, "@a/e": {"version": "2026.01.01.1"}}"#;
        let lockfile = Lockfile::parse(text).unwrap();
        assert_eq!(lockfile.entries.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["@a/e"]);
        assert_eq!(lockfile.refused.len(), 4);
        let again = Lockfile::parse(&lockfile.to_json()).unwrap();
        assert_eq!(again.refused.len(), 4);
    }

    #[test]
    fn what_is_no_lockfile_is_an_error_with_a_place() {
        assert!(matches!(Lockfile::parse("{\n<<<<<<< HEAD"), Err(LockfileError::Json { line: 2, .. })));
        assert_eq!(Lockfile::parse("[]"), Err(LockfileError::NotAnObject));
    }
}
