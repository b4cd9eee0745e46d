//! The functions that callers provide, by namespace.

/// The functions behind a name, with what they take: `s` text, `n` a whole number, `l` a list, `m` a map.
pub(crate) struct Namespace {
    pub name: &'static str,
    pub functions: &'static [(&'static str, &'static [&'static str])],
}

pub(crate) const NAMESPACES: [Namespace; 5] = [
    Namespace {
        name: "data",
        functions: &[
            ("latest", &["ss", "ssl"]),
            ("version", &["ssn", "ssln"]),
            ("listVersions", &["ss", "ssl"]),
            ("findBySpec", &["ss"]),
            ("findByTag", &["ss"]),
            ("query", &["s", "ss"]),
        ],
    },
    Namespace { name: "file", functions: &[("contents", &["ss"])] },
    Namespace { name: "workers", functions: &[("connected", &[""])] },
    Namespace { name: "model", functions: &[("method", &["ss", "ssm"])] },
    Namespace { name: "vault", functions: &[("get", &["ss"])] },
];

pub(crate) fn namespace(name: &str) -> Option<&'static Namespace> {
    NAMESPACES.iter().find(|namespace| namespace.name == name)
}

impl Namespace {
    /// Ways to call the function.
    pub fn forms(&self, function: &str) -> Option<&'static [&'static str]> {
        self.functions.iter().find(|(name, _)| *name == function).map(|(_, forms)| *forms)
    }

    /// What a letter of a form stands for.
    pub fn parameter(letter: char) -> &'static str {
        match letter {
            's' => "string",
            'n' => "whole number",
            'l' => "list",
            _ => "map",
        }
    }
}
