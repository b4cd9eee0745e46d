//! Whether the index, which runs no code, and the code say the same of a source. Both ways: whatever one of them says, the
//! other says too, or leaves to the code by name.

use marsh_bundle::Declaration;
use marsh_types::Kind;
use serde_json::Value;

/// What came of comparing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Facts that both say.
    pub compared: usize,
    /// Facts that the index leaves to the code.
    pub left_to_code: usize,
    pub differences: Vec<String>,
}

/// The exports of a kind are those that are declared.
pub fn exports_agree(declared: &[Declaration], exports: &[String]) -> Agreement {
    let mut agreement = Agreement::default();
    let exported: Vec<Kind> = exports.iter().filter_map(|name| Kind::from_export(name)).collect();
    for declaration in declared {
        agreement.compared += 1;
        if !exported.contains(&declaration.kind) {
            agreement
                .differences
                .push(format!("the code does not export `{}`", declaration.kind.export_name()));
        }
    }
    for kind in exported {
        if !declared.iter().any(|declaration| declaration.kind == kind) {
            agreement
                .differences
                .push(format!("the index does not know the export `{}`", kind.export_name()));
        }
    }
    agreement
}

impl Agreement {
    /// What a declaration says against what the code says of itself.
    pub fn of(declaration: &Declaration, description: &Value) -> Agreement {
        let mut agreement = Agreement::default();
        let kind = declaration.kind.export_name();
        agreement.text(&format!("{kind}.type"), declaration.name.as_deref(), &description["type"]);
        if declaration.kind == Kind::Model {
            agreement.text("model.version", declaration.version.as_deref(), &description["version"]);
        }
        match declaration.kind {
            Kind::Model => {
                let methods = description["methods"].as_object();
                let names = methods.map(|methods| methods.keys().cloned().collect());
                agreement.list("model.methods", declaration.methods.as_deref(), names);
                let upgrades = description["upgrades"].as_array().map(|upgrades| {
                    let versions = upgrades.iter().filter_map(|upgrade| upgrade["toVersion"].as_str());
                    versions.map(str::to_owned).collect()
                });
                agreement.list("model.upgrades", declaration.upgrades.as_deref(), upgrades);
            }
            Kind::Extension => {
                let names = description["methods"]
                    .as_array()
                    .map(|methods| methods.iter().filter_map(Value::as_str).map(str::to_owned).collect());
                agreement.list("extension.methods", declaration.methods.as_deref(), names);
            }
            _ => {}
        }
        agreement
    }

    pub fn add(&mut self, other: Agreement) {
        self.compared += other.compared;
        self.left_to_code += other.left_to_code;
        self.differences.extend(other.differences);
    }

    fn text(&mut self, field: &str, indexed: Option<&str>, told: &Value) {
        match indexed {
            None => self.left_to_code += 1,
            Some(indexed) if told.as_str() == Some(indexed) => self.compared += 1,
            Some(indexed) => {
                self.differences
                    .push(format!("`{field}` is `{indexed}` in the index and {told} in the code"));
            }
        }
    }

    fn list(&mut self, field: &str, indexed: Option<&[String]>, told: Option<Vec<String>>) {
        let told = told.unwrap_or_default();
        match indexed {
            None => self.left_to_code += 1,
            Some(indexed) if indexed == told => self.compared += 1,
            Some(indexed) => self.differences.push(format!(
                "`{field}` are [{}] in the index and [{}] in the code",
                indexed.join(", "),
                told.join(", ")
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use marsh_bundle::Declaration;
    use serde_json::{Value, json};

    use super::{Agreement, exports_agree};

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn declared(source: &str) -> Vec<Declaration> {
        marsh_bundle::declarations(source, Path::new("x.ts")).unwrap()
    }

    fn model(version: &str, methods: Value) -> Value {
        json!({ "type": "@me/x", "version": version, "methods": methods, "upgrades": [] })
    }

    const SOURCE: &str =
        "export const model = { type: '@me/x', version: '2026.01.01.1', methods: { a: {}, b: {} } };";

    #[test]
    fn what_both_say_agrees() {
        let found = Agreement::of(&declared(SOURCE)[0], &model("2026.01.01.1", json!({ "a": {}, "b": {} })));
        assert_eq!(found.differences, Vec::<String>::new());
        assert!(found.compared >= 3, "{found:?}");
    }

    #[test]
    fn each_difference_is_named() {
        let found = Agreement::of(&declared(SOURCE)[0], &model("2026.01.01.2", json!({ "a": {} })));
        let text = found.differences.join("\n");
        assert!(text.contains("`model.version` is `2026.01.01.1`"), "{text}");
        assert!(text.contains("[a, b] in the index and [a] in the code"), "{text}");
    }

    #[test]
    fn what_is_not_written_out_is_left_to_the_code() {
        let source = "export const model = { type: '@me/x', version: V, methods: make() };";
        let found = Agreement::of(&declared(source)[0], &model("2026.01.01.1", json!({ "a": {} })));
        assert!(found.differences.is_empty() && found.left_to_code >= 2, "{found:?}");
    }

    #[test]
    fn an_export_that_only_one_of_them_knows_is_a_difference() {
        let known = declared(SOURCE);
        assert!(exports_agree(&known, &names(&["model", "other"])).differences.is_empty());
        assert_eq!(exports_agree(&known, &names(&[])).differences, ["the code does not export `model`"]);
        let more = exports_agree(&known, &names(&["model", "vault"]));
        assert_eq!(more.differences, ["the index does not know the export `vault`"]);
    }
}
