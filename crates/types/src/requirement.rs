//! References to extensions: a name, and the versions that are acceptable.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calver::CalVer;
use crate::names::{ExtensionName, NameError};

/// The versions that satisfy a dependency.
///
/// Comparators are separated by white space or commas, and all of them must hold: `>=2026.05.05.1 <2026.08.01.0`. A bare
/// version or `=` means exactly that version; `!` and `!=` any other version; `^` that version or a newer one of its year;
/// `~` that version or a newer one of its month; `*` any version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Requirement {
    comparators: Vec<(Op, CalVer)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Op {
    Exact,
    Not,
    Greater,
    AtLeast,
    Less,
    AtMost,
    SameYear,
    SameMonth,
}

const OPS: [(&str, Op); 9] = [
    (">=", Op::AtLeast),
    ("<=", Op::AtMost),
    ("!=", Op::Not),
    (">", Op::Greater),
    ("<", Op::Less),
    ("=", Op::Exact),
    ("^", Op::SameYear),
    ("~", Op::SameMonth),
    ("!", Op::Not),
];

/// A text is not a reference to an extension.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The name is invalid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Nothing follows the `@`.
    #[error("missing version after `@` in `{text}`: expected for example 2026.01.31.1 or >=2026.01.31.1")]
    EmptyVersion {
        /// The whole reference.
        text: String,
    },
    /// The part after the `@` is not a list of comparators.
    #[error("invalid version requirement `{text}`: expected for example 2026.01.31.1 or >=2026.01.31.1")]
    Requirement {
        /// The requirement.
        text: String,
    },
}

impl Requirement {
    /// The requirement that any version satisfies.
    pub fn any() -> Requirement {
        Requirement::default()
    }

    /// The requirement that only `version` satisfies.
    pub fn exactly(version: CalVer) -> Requirement {
        Requirement { comparators: vec![(Op::Exact, version)] }
    }

    /// Whether `version` satisfies the requirement.
    pub fn matches(&self, version: CalVer) -> bool {
        self.comparators.iter().all(|(op, bound)| match op {
            Op::Exact => version == *bound,
            Op::Not => version != *bound,
            Op::Greater => version > *bound,
            Op::AtLeast => version >= *bound,
            Op::Less => version < *bound,
            Op::AtMost => version <= *bound,
            Op::SameYear => version >= *bound && version.year() == bound.year(),
            Op::SameMonth => {
                version >= *bound && (version.year(), version.month()) == (bound.year(), bound.month())
            }
        })
    }

    /// Whether any version satisfies it.
    pub fn is_any(&self) -> bool {
        self.comparators.is_empty()
    }

    /// The only version that can satisfy it, if it has an exact comparator.
    pub fn pinned(&self) -> Option<CalVer> {
        self.comparators.iter().find(|(op, _)| *op == Op::Exact).map(|(_, version)| *version)
    }
}

impl FromStr for Requirement {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Requirement, ReferenceError> {
        let error = || ReferenceError::Requirement { text: text.to_owned() };
        if text.trim() == "*" {
            return Ok(Requirement::any());
        }
        let mut comparators = Vec::new();
        let mut pending: Option<Op> = None;
        for token in text.split([' ', '\t', ',']).filter(|token| !token.is_empty()) {
            let (op, rest) = OPS
                .iter()
                .find_map(|(sign, op)| token.strip_prefix(sign).map(|rest| (Some(*op), rest)))
                .unwrap_or((None, token));
            if op.is_some() && pending.is_some() {
                return Err(error());
            }
            let op = pending.take().or(op);
            // In `>= 2026.01.01.1` a space follows the sign.
            if rest.is_empty() {
                pending = op;
                continue;
            }
            let version = rest.parse().map_err(|_| error())?;
            comparators.push((op.unwrap_or(Op::Exact), version));
        }
        if pending.is_some() || comparators.is_empty() {
            return Err(error());
        }
        Ok(Requirement { comparators })
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.comparators.is_empty() {
            return f.write_str("*");
        }
        for (index, (op, version)) in self.comparators.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            let sign = match op {
                Op::Exact => "",
                Op::Not => "!=",
                Op::Greater => ">",
                Op::AtLeast => ">=",
                Op::Less => "<",
                Op::AtMost => "<=",
                Op::SameYear => "^",
                Op::SameMonth => "~",
            };
            write!(f, "{sign}{version}")?;
        }
        Ok(())
    }
}

/// A reference to an extension, `@c/n` or `@c/n@<requirement>`, in a manifest or on a command line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExtensionRef {
    /// The extension.
    pub name: ExtensionName,
    /// The acceptable versions.
    pub requirement: Requirement,
}

impl ExtensionRef {
    /// A reference to any version of `name`.
    pub fn any(name: ExtensionName) -> ExtensionRef {
        ExtensionRef { name, requirement: Requirement::any() }
    }
}

impl FromStr for ExtensionRef {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<ExtensionRef, ReferenceError> {
        // The first character is the `@` of the collective.
        let at = text.char_indices().skip(1).find(|(_, c)| *c == '@').map(|(index, _)| index);
        let Some(at) = at else {
            return Ok(ExtensionRef { name: ExtensionName::parse(text)?, requirement: Requirement::any() });
        };
        let (name, version) = (&text[..at], &text[at + 1..]);
        let name = ExtensionName::parse(name)?;
        if version.trim().is_empty() {
            return Err(ReferenceError::EmptyVersion { text: text.to_owned() });
        }
        Ok(ExtensionRef { name, requirement: version.parse()? })
    }
}

impl fmt::Display for ExtensionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.requirement.is_any() {
            return write!(f, "{}", self.name);
        }
        write!(f, "{}@{}", self.name, self.requirement)
    }
}

impl Serialize for ExtensionRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ExtensionRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{ExtensionRef, Requirement};

    fn holds(requirement: &str, version: &str) -> bool {
        requirement.parse::<Requirement>().unwrap().matches(version.parse().unwrap())
    }

    #[test]
    fn requirement_with_each_comparator_matches_its_versions() {
        for (requirement, version, expected) in [
            (">=2026.05.05.1", "2026.05.05.1", true),
            (">=2026.05.05.1", "2026.01.01.1", false),
            (">= 2026.05.05.1", "2026.05.05.2", true),
            (">2026.05.05.1", "2026.05.05.1", false),
            ("<2026.05.05.10", "2026.05.05.9", true),
            ("<=2026.05.05.1", "2026.05.05.2", false),
            ("=2026.05.05.1", "2026.05.05.1", true),
            ("2026.05.05.1", "2026.05.05.2", false),
            ("!=2026.05.05.1", "2026.05.05.1", false),
            ("!2026.05.05.1", "2026.05.05.2", true),
            ("^2026.05.05.1", "2026.12.31.9", true),
            ("^2026.05.05.1", "2027.01.01.1", false),
            ("~2026.05.05.1", "2026.05.31.1", true),
            ("~2026.05.05.1", "2026.06.01.1", false),
            (">=2026.05.05.1, <2026.06.01.0", "2026.05.30.1", true),
            (">=2026.05.05.1 <2026.06.01.0", "2026.06.01.0", false),
            ("*", "1999.01.01.0", true),
        ] {
            assert_eq!(holds(requirement, version), expected, "{version} for {requirement}");
        }
    }

    #[test]
    fn requirement_without_comparators_or_versions_is_refused() {
        for text in ["", " ", ">=", ">= >", ">> 2026.01.01.1", "latest", "1.2.3", ">=2026.13.01.1"] {
            assert!(text.parse::<Requirement>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn reference_with_a_version_splits_at_the_second_at_sign() {
        let reference: ExtensionRef = "@a/b@>=2026.01.01.1".parse().unwrap();
        assert_eq!(
            (reference.name.as_str(), reference.to_string().as_str()),
            ("@a/b", "@a/b@>=2026.01.01.1")
        );
        assert!("@a/b".parse::<ExtensionRef>().unwrap().requirement.is_any());
        for bad in ["@a/b@", "a/b", "@a", "", "@a/../../x", "@a/b@@", "@a/b@x", "@a/b@ "] {
            assert!(bad.parse::<ExtensionRef>().is_err(), "{bad:?}");
        }
    }
}
