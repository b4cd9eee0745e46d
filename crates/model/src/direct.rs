//! Runs of a type without a definition: the run creates one.

use marsh_types::{DefinitionName, near};
use serde_json::{Map, Value};

use crate::Models;
use crate::definition::{Definition, Stored};
use crate::error::{Issue, ModelError};
use crate::observer::{Observer, RunEvent};
use crate::types::TypeCode;
use marsh_extension::SensitiveField;

/// Inputs, split into arguments.
#[derive(Debug, Clone, Default)]
pub struct Routed {
    /// Arguments of the method.
    pub method: Map<String, Value>,
    /// Global arguments.
    pub global: Map<String, Value>,
}

/// Splits inputs: an input is an argument of the method if the method declares it, else a global argument. With explicit
/// global arguments, all inputs are arguments of the method.
///
/// # Errors
///
/// [`ModelError::Validation`] names inputs that neither declares.
pub fn route(
    code: &TypeCode,
    method: &str,
    values: &Map<String, Value>,
    explicit: Option<&Map<String, Value>>,
) -> Result<Routed, ModelError> {
    if let Some(global) = explicit {
        return Ok(Routed { method: values.clone(), global: global.clone() });
    }
    let arguments = &code.method(method)?.arguments;
    let globals = code.description.global_arguments.as_ref();
    let mut routed = Routed::default();
    let mut unknown = Vec::new();
    for (key, value) in values {
        if arguments.has_key(key) {
            routed.method.insert(key.clone(), value.clone());
        } else if globals.is_some_and(|globals| globals.has_key(key)) {
            routed.global.insert(key.clone(), value.clone());
        } else if arguments.record || arguments.open {
            routed.method.insert(key.clone(), value.clone());
        } else {
            let known =
                arguments.keys.iter().chain(globals.and_then(|globals| globals.keys.as_ref())).flatten();
            let known: Vec<&str> = known.map(String::as_str).collect();
            let near = near::did_you_mean(key, known.iter().copied())
                .unwrap_or_else(|| format!("known: {}", known.join(", ")));
            unknown.push(Issue::new(
                key.clone(),
                format!("unknown argument of `{method}` and of the type; {near}"),
            ));
        }
    }
    if unknown.is_empty() {
        Ok(routed)
    } else {
        Err(ModelError::Validation { what: format!("inputs of `{method}`"), issues: unknown })
    }
}

/// The sensitive global arguments that hold a value instead of an expression.
pub fn sensitive_literals<'c>(code: &'c TypeCode, globals: &Map<String, Value>) -> Vec<&'c SensitiveField> {
    let Some(description) = &code.description.global_arguments else { return Vec::new() };
    let is_literal = |field: &&SensitiveField| {
        let mut value = globals.get(field.path.split('.').next().unwrap_or_default());
        for key in field.path.split('.').skip(1) {
            value = value.and_then(|value| value.get(key));
        }
        value.is_some_and(|value| !value.is_null() && !marsh_expr::contains_expression(value))
    };
    description.sensitive.iter().filter(is_literal).collect()
}

impl Models {
    /// The definition of this name, created or updated with the given global arguments.
    pub(crate) fn direct_definition(
        &self,
        code: &TypeCode,
        name: &str,
        routed: &Routed,
        observer: &dyn Observer,
    ) -> Result<Stored, ModelError> {
        let name = DefinitionName::for_new(name)?;
        self.refuse_sensitive_literals(code, name.as_str(), &routed.global)?;
        // Two processes that run the same new name must end with one definition.
        let lock_dir = self.repo.layout.locks();
        marsh_fs::create_dir_all(&lock_dir)?;
        let lock_path = lock_dir.join(format!("definition-{}.lock", name.as_str().replace('/', "--")));
        let _lock =
            marsh_fs::lock_exclusive(&lock_path, self.env.lock_timeout(), "model method run", &mut |_| {})?;
        match self.definitions.find(name.as_str()) {
            Ok(stored) if stored.type_name != code.type_name => Err(ModelError::TypeMismatch {
                name: name.to_string(),
                found: stored.type_name,
                wanted: code.type_name.clone(),
            }),
            Ok(mut stored) => {
                if !routed.global.is_empty() && stored.definition.global_arguments != routed.global {
                    stored.definition.global_arguments = routed.global.clone();
                    self.definitions.save_in_place(&stored)?;
                    observer.event(&RunEvent::GlobalArgumentsUpdated { name: name.to_string() });
                }
                Ok(stored)
            }
            Err(ModelError::ModelNotFound { .. }) => {
                let version = code.description.version.parse().ok();
                let mut definition = Definition::new(&code.type_name, &name, version);
                definition.global_arguments = routed.global.clone();
                let path = self.definitions.path_for(&definition, &code.type_name, true);
                let stored = Stored { definition, type_name: code.type_name.clone(), path, auto: true };
                self.definitions.save_in_place(&stored)?;
                observer.event(&RunEvent::DefinitionCreated {
                    name: name.to_string(),
                    path: stored.path.clone(),
                });
                Ok(stored)
            }
            Err(error) => Err(error),
        }
    }

    /// Refuses secrets in global arguments: definitions are files that git tracks.
    ///
    /// # Errors
    ///
    /// [`ModelError::LiteralSensitive`] names the field.
    pub fn refuse_sensitive_literals(
        &self,
        code: &TypeCode,
        name: &str,
        globals: &Map<String, Value>,
    ) -> Result<(), ModelError> {
        match sensitive_literals(code, globals).first() {
            Some(field) => {
                Err(ModelError::LiteralSensitive { name: name.to_owned(), field: field.path.clone() })
            }
            None => Ok(()),
        }
    }

    /// Creates a definition with checked global arguments.
    ///
    /// # Errors
    ///
    /// The name is invalid or taken, the arguments do not fit the type, or the file cannot be written.
    pub fn create(
        &self,
        code: &TypeCode,
        name: &str,
        globals: Map<String, Value>,
    ) -> Result<Stored, ModelError> {
        let name = DefinitionName::for_new(name)?;
        match self.definitions.find(name.as_str()) {
            Ok(existing) => {
                return Err(ModelError::AlreadyExists { name: name.to_string(), path: existing.path });
            }
            Err(ModelError::ModelNotFound { .. }) => {}
            // An unreadable file of that name must not be overwritten.
            Err(error) => return Err(error),
        }
        self.refuse_sensitive_literals(code, name.as_str(), &globals)?;
        let globals = self.checked_globals(code, globals)?;
        let version = code.description.version.parse().ok();
        let mut definition = Definition::new(&code.type_name, &name, version);
        definition.global_arguments = globals;
        let path = self.definitions.path_for(&definition, &code.type_name, false);
        let stored = Stored { definition, type_name: code.type_name.clone(), path, auto: false };
        self.definitions.save_in_place(&stored)?;
        Ok(stored)
    }

    fn checked_globals(
        &self,
        code: &TypeCode,
        mut globals: Map<String, Value>,
    ) -> Result<Map<String, Value>, ModelError> {
        let Some(description) = &code.description.global_arguments else {
            if let Some(key) = globals.keys().next() {
                let issue = Issue::new(key.clone(), "the type takes no global arguments");
                return Err(ModelError::Validation { what: "global arguments".into(), issues: vec![issue] });
            }
            return Ok(globals);
        };
        let issues = crate::validate::check_arguments(description, &mut globals);
        if issues.is_empty() {
            Ok(globals)
        } else {
            Err(ModelError::Validation { what: "global arguments".into(), issues })
        }
    }
}

/// Checks whether an edited definition can replace `stored`.
///
/// # Errors
///
/// The id was changed.
pub fn check_edit(stored: &Stored, edited: &Definition) -> Result<(), ModelError> {
    if edited.id != stored.definition.id {
        return Err(ModelError::InvalidDefinition {
            path: stored.path.clone(),
            reason: "`id` must not change: stored data belong to it".into(),
        });
    }
    Ok(())
}
