//! Names and their rules (repository formats, "Names and types").
//!
//! Names come from command lines, files and archives and become parts of paths. Code takes them only as these types, whose
//! parsers refuse every name that could lead out of a directory (`extension_name_that_could_leave_a_directory_is_refused`,
//! `type_name_that_could_leave_its_root_is_refused`).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("empty {what}")]
    Empty {
        /// What is named: `extension name`.
        what: &'static str,
    },
    /// The text breaks a rule.
    #[error("invalid {what} `{name}`: {reason}")]
    Invalid {
        /// What is named: `extension name`.
        what: &'static str,
        /// The text, shortened if it is long.
        name: String,
        /// The rule, as a clause.
        reason: &'static str,
    },
}

impl NameError {
    fn invalid(what: &'static str, name: &str, reason: &'static str) -> Self {
        NameError::Invalid { what, name: name.to_owned(), reason }
    }
}

/// A normalized type name: lower case, segments separated by single `/`, e.g. `@swamp/git`, `aws/ec2/vpc`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeName(String);

impl TypeName {
    /// Parses and normalizes `raw`: lower case; `::`, white space and `.` become `/`; repeated and outer `/` are dropped.
    ///
    /// # Errors
    /// The name is empty, contains a backslash or a NUL, or has a segment of more than 255 bytes.
    pub fn parse(raw: &str) -> Result<TypeName, NameError> {
        const WHAT: &str = "type name";
        if raw.contains(['\\', '\0']) {
            return Err(NameError::invalid(WHAT, raw, "it contains a backslash or a NUL"));
        }
        let text = raw.to_lowercase().replace("::", "/");
        let segments: Vec<&str> = text
            .split(|c: char| c == '/' || c == '.' || c.is_whitespace())
            .filter(|s| !s.is_empty())
            .collect();
        if segments.is_empty() {
            return Err(NameError::Empty { what: WHAT });
        }
        if segments.iter().any(|segment| segment.len() > 255) {
            return Err(NameError::invalid(WHAT, raw, "a segment is longer than 255 bytes"));
        }
        Ok(TypeName(segments.join("/")))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts between the slashes.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The collective, without `@`: `swamp` of `@swamp/git`; `None` for built-ins such as `command/shell`.
    pub fn collective(&self) -> Option<&str> {
        self.0.strip_prefix('@').and_then(|rest| rest.split('/').next())
    }

    /// The name as a relative path, below the root of data or definitions.
    pub fn to_path(&self) -> std::path::PathBuf {
        self.segments().collect()
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for TypeName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TypeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        TypeName::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The name of a published extension: `@collective/name`, deeper names allowed. Becomes part of paths and URLs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtensionName(String);

impl ExtensionName {
    const WHAT: &'static str = "extension name";
    /// Longer than any name in use, and short enough for every file system and URL.
    const MAX_BYTES: usize = 200;

    /// Parses `@collective/name`, of a-z, 0-9, `-` and `_`.
    ///
    /// # Errors
    /// The name is empty, longer than 200 bytes, or has another form.
    pub fn parse(name: &str) -> Result<ExtensionName, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty { what: Self::WHAT });
        }
        // Messages go to terminals, so a long or unprintable name is shortened and escaped.
        let shown: String = name.chars().take(80).flat_map(char::escape_debug).collect();
        if name.len() > Self::MAX_BYTES {
            return Err(NameError::invalid(Self::WHAT, &shown, "it is longer than 200 bytes"));
        }
        let segments = name.strip_prefix('@').map(|rest| rest.split('/').collect::<Vec<_>>());
        let valid = segments.is_some_and(|segments| {
            segments.len() >= 2
                && segments.iter().all(|segment| !segment.is_empty() && segment.bytes().all(is_name_byte))
        });
        if !valid {
            return Err(NameError::invalid(
                Self::WHAT,
                &shown,
                "expected `@collective/name`, of a-z, 0-9, `-` and `_`",
            ));
        }
        Ok(ExtensionName(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first segment, without `@`.
    pub fn collective(&self) -> &str {
        self.0.trim_start_matches('@').split('/').next().unwrap_or_default()
    }

    /// The parts between the slashes, the first with its `@`.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl std::str::FromStr for ExtensionName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<ExtensionName, NameError> {
        ExtensionName::parse(name)
    }
}

impl fmt::Display for ExtensionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ExtensionName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ExtensionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ExtensionName::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The name of a definition. New names have stricter rules than names that are read from files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DefinitionName(String);

impl DefinitionName {
    const WHAT: &'static str = "definition name";

    /// The name of a new definition: `^[a-z0-9][a-z0-9_-]*$` of at most 64 characters, or scoped, `@scope/name[/name]`.
    ///
    /// # Errors
    /// The name is empty or has another form.
    pub fn for_new(name: &str) -> Result<DefinitionName, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty { what: Self::WHAT });
        }
        let good = |segment: &str| !segment.is_empty() && segment.bytes().all(is_name_byte);
        let valid = match name.strip_prefix('@') {
            Some(scoped) => scoped.contains('/') && scoped.split('/').all(good),
            None => good(name) && name.as_bytes()[0].is_ascii_alphanumeric() && name.len() <= 64,
        };
        if !valid {
            return Err(NameError::invalid(
                Self::WHAT,
                name,
                "expected at most 64 of a-z, 0-9, `-` and `_`, starting with a letter or digit, or `@scope/name`",
            ));
        }
        Ok(DefinitionName(name.to_owned()))
    }

    /// A name that is read from a file: any text that cannot leave its directory.
    ///
    /// # Errors
    /// The name is empty, contains `..`, a backslash or a NUL, or contains `/` and is not scoped.
    pub fn from_file(name: &str) -> Result<DefinitionName, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty { what: Self::WHAT });
        }
        if name.contains("..") || name.contains(['\\', '\0']) {
            return Err(NameError::invalid(Self::WHAT, name, "it contains `..`, a backslash or a NUL"));
        }
        if name.contains('/')
            && !(name.starts_with('@') && name.split('/').all(|segment| !segment.is_empty()))
        {
            return Err(NameError::invalid(
                Self::WHAT,
                name,
                "`/` is allowed only in a scoped name such as `@scope/name`",
            ));
        }
        Ok(DefinitionName(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the definition's file can have this name. Otherwise the file is named after the definition's id.
    pub fn is_file_safe(&self) -> bool {
        DefinitionName::for_new(&self.0).is_ok()
    }
}

impl fmt::Display for DefinitionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a new workflow: as the name of a new definition, but without `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkflowName(String);

impl WorkflowName {
    const WHAT: &'static str = "workflow name";

    /// The name of a new workflow.
    ///
    /// # Errors
    /// The name is empty or has another form.
    pub fn for_new(name: &str) -> Result<WorkflowName, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty { what: Self::WHAT });
        }
        let good =
            |segment: &str| !segment.is_empty() && segment.bytes().all(|b| is_name_byte(b) && b != b'_');
        let valid = match name.strip_prefix('@') {
            Some(scoped) => scoped.contains('/') && scoped.split('/').all(good),
            None => good(name) && name.as_bytes()[0].is_ascii_alphanumeric() && name.len() <= 64,
        };
        if !valid {
            return Err(NameError::invalid(
                Self::WHAT,
                name,
                "expected at most 64 of a-z, 0-9 and `-`, starting with a letter or digit",
            ));
        }
        Ok(WorkflowName(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the file of a workflow: after its name, or after its id if the name cannot be part of a file name.
    pub fn file_name(name: &str, id: &str) -> String {
        match WorkflowName::for_new(name) {
            Ok(name) if !name.0.contains('/') => format!("workflow-{}.yaml", name.0),
            _ => format!("workflow-{id}.yaml"),
        }
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::{DefinitionName, ExtensionName, TypeName, WorkflowName};

    #[test]
    fn extension_name_that_could_leave_a_directory_is_refused() {
        for name in ["@a/b", "@swamp/aws/ec2", "@s/a/models", "@a-b_c/0"] {
            assert_eq!(ExtensionName::parse(name).unwrap().as_str(), name);
        }
        let long = format!("@a/{}", "x".repeat(200));
        for name in [
            "",
            "@a",
            "a/b",
            "@a/",
            "@/b",
            "@a//b",
            "@A/b",
            "@a/..",
            "@a/../../x",
            "@a/.",
            "@a/b\0",
            "@a/b\\c",
            "@a/b c",
            "@a/b@1",
            " @a/b",
            &long,
        ] {
            assert!(ExtensionName::parse(name).is_err(), "{name:?}");
        }
        assert_eq!(ExtensionName::parse("@swamp/aws/ec2").unwrap().collective(), "swamp");
    }

    #[test]
    fn type_name_in_another_spelling_is_normalized() {
        for (raw, normalized) in [
            ("AWS::EC2::VPC", "aws/ec2/vpc"),
            ("@Swamp/Git", "@swamp/git"),
            ("command/shell", "command/shell"),
            ("/a//b/", "a/b"),
            ("a.b c", "a/b/c"),
        ] {
            assert_eq!(TypeName::parse(raw).unwrap().as_str(), normalized);
        }
    }

    #[test]
    fn type_name_that_could_leave_its_root_is_refused() {
        for raw in ["", "/", "..", "../..", "a\\b", "a\0b"] {
            assert!(TypeName::parse(raw).is_err(), "{raw:?}");
        }
        assert_eq!(TypeName::parse("a/../b").unwrap().as_str(), "a/b");
    }

    #[test]
    fn collective_of_a_scoped_type_is_its_first_segment() {
        assert_eq!(TypeName::parse("@swamp/aws/ec2").unwrap().collective(), Some("swamp"));
        assert_eq!(TypeName::parse("command/shell").unwrap().collective(), None);
    }

    #[test]
    fn definition_name_read_from_a_file_has_looser_rules_than_a_new_one() {
        for name in ["a", "a-b_c", "9lives", "@me/thing", "@me/a/b"] {
            assert!(DefinitionName::for_new(name).is_ok(), "{name}");
        }
        for name in ["", "A", "-a", "a b", "@me", "@/x", "a/b", &"x".repeat(65)] {
            assert!(DefinitionName::for_new(name).is_err(), "{name}");
        }
        assert!(DefinitionName::from_file("Über Größe").is_ok());
        for name in ["../x", "a\\b", "a/b", "", "@a//b", "a\0"] {
            assert!(DefinitionName::from_file(name).is_err(), "{name}");
        }
    }

    #[test]
    fn workflow_file_with_an_unsafe_name_is_named_after_the_id() {
        assert_eq!(WorkflowName::file_name("nightly-run", "id"), "workflow-nightly-run.yaml");
        assert_eq!(WorkflowName::file_name("Nightly Run", "id"), "workflow-id.yaml");
        assert_eq!(WorkflowName::file_name("a_b", "id"), "workflow-id.yaml");
    }
}
