//! Running a method of a type without a definition of one's own: the definition is made on the way.

use marsh_types::{DefinitionName, near};
use serde_json::{Map, Value};

use crate::Models;
use crate::definition::{Definition, Stored};
use crate::error::{Issue, ModelError};
use crate::run::{Observer, RunEvent};
use crate::types::TypeCode;

/// Inputs by where they belong.
#[derive(Debug, Clone, Default)]
pub struct Routed {
    pub method: Map<String, Value>,
    pub global: Map<String, Value>,
}

/// Sends each input to the method's arguments if they know it, else to the global arguments. With explicit global
/// arguments nothing is routed: the inputs are the method's.
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
                format!("is no argument of `{method}` or of the type; {near}"),
            ));
        }
    }
    if unknown.is_empty() {
        Ok(routed)
    } else {
        Err(ModelError::Validation { what: format!("inputs of `{method}`"), issues: unknown })
    }
}

impl Models {
    /// The definition of this name, made or brought up to date with the given global arguments.
    pub(crate) fn direct_definition(
        &self,
        code: &TypeCode,
        name: &str,
        routed: &Routed,
        observer: &dyn Observer,
    ) -> Result<Stored, ModelError> {
        let name = DefinitionName::for_new(name)?;
        self.refuse_sensitive_literals(code, name.as_str(), &routed.global)?;
        // Two processes that run the same new name must end up with one definition.
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

    /// A secret must not stand in a file that is tracked in git.
    pub fn refuse_sensitive_literals(
        &self,
        code: &TypeCode,
        name: &str,
        globals: &Map<String, Value>,
    ) -> Result<(), ModelError> {
        let Some(description) = &code.description.global_arguments else { return Ok(()) };
        for field in &description.sensitive {
            let mut value = globals.get(field.path.split('.').next().unwrap_or_default());
            for key in field.path.split('.').skip(1) {
                value = value.and_then(|value| value.get(key));
            }
            if let Some(value) = value
                && !value.is_null()
                && !marsh_expr::contains_expression(value)
            {
                return Err(ModelError::LiteralSensitive {
                    name: name.to_owned(),
                    field: field.path.clone(),
                });
            }
        }
        Ok(())
    }

    /// Makes a definition. Its global arguments are checked against the type first.
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
            // A file of that name which cannot be read must not be written over.
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

/// Reads a whole definition that a user edited, and says whether it may replace `stored`.
pub fn check_edit(stored: &Stored, edited: &Definition) -> Result<(), ModelError> {
    if edited.id != stored.definition.id {
        return Err(ModelError::InvalidDefinition {
            path: stored.path.clone(),
            reason: "`id` must stay what it was: stored data belong to it".into(),
        });
    }
    Ok(())
}
