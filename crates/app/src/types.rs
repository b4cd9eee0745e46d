//! Types: what exists, and what each offers.

use std::path::Path;

use marsh_api::model::{
    CheckDescription, CompactMethod, CompactTypeDescription, FullTypeDescription, MethodDescribed,
    MethodDescription, OutputKind, OutputSpec, TypeDescription, TypeNames, TypeRow, TypeSearch,
};
use marsh_extension::{ArgumentsDescription, ModelDescription};
use marsh_model::{ModelError, TypeCode};
use marsh_types::TypeName;
use serde_json::{Map, Value};

use crate::error::AppError;
use crate::session::Read;

pub(crate) fn parse_type(text: &str) -> Result<TypeName, AppError> {
    Ok(TypeName::parse(text).map_err(ModelError::from)?)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

impl Read<'_> {
    /// The types whose names contain `query`, or the nearest names. Loads nothing. Problems of sources come as texts.
    ///
    /// # Errors
    ///
    /// When the index of sources cannot be read.
    pub fn search_types(&self, query: &str) -> Result<(TypeSearch, Vec<String>), AppError> {
        let (types, problems) = self.models().list_types(query)?;
        let problems = problems
            .iter()
            .map(|problem| {
                let line = problem.diagnostic.line.map(|line| format!(":{line}")).unwrap_or_default();
                format!("{}{line}: {}", self.display(&problem.path), problem.diagnostic.message)
            })
            .collect();
        let results = types
            .into_iter()
            .map(|listed| TypeRow {
                raw: listed.raw,
                normalized: listed.type_name.to_string(),
                version: listed.version,
                origin: listed.origin,
                path: listed.path.as_deref().map(text),
                grafts: listed.method_extensions.iter().map(|path| text(path)).collect(),
            })
            .collect();
        Ok((TypeSearch { query: query.to_owned(), results }, problems))
    }

    /// What a type offers.
    ///
    /// # Errors
    ///
    /// When the type is unknown, or its code cannot be loaded.
    pub fn describe_type(&self, type_name: &str, compact: bool) -> Result<TypeDescription, AppError> {
        let code = self.models().resolve_type(&parse_type(type_name)?)?;
        let description = &code.description;
        let names = TypeNames { raw: description.raw_type.clone(), normalized: code.type_name.to_string() };
        if compact {
            let methods = description.methods.iter().map(|(name, method)| CompactMethod {
                name: name.clone(),
                arguments: compact_arguments(&method.arguments),
            });
            return Ok(TypeDescription::Compact(CompactTypeDescription {
                type_name: names,
                version: description.version.clone(),
                global_arguments: description.global_arguments.as_ref().map(compact_arguments),
                methods: methods.collect(),
            }));
        }
        let checks = description.checks.iter().map(|(name, check)| CheckDescription {
            name: name.clone(),
            description: Some(check.description.clone()),
            labels: Some(check.labels.clone()),
            applies_to: check.applies_to.clone(),
        });
        Ok(TypeDescription::Full(Box::new(FullTypeDescription {
            type_name: names,
            version: description.version.clone(),
            global_arguments: description.global_arguments.as_ref().map(|globals| globals.schema.clone()),
            data_output_specs: output_specs(description),
            methods: methods(&code),
            checks: checks.collect(),
        })))
    }

    /// A method of a definition, and what the type's methods write.
    ///
    /// # Errors
    ///
    /// When the definition or the method is unknown, or the type's code cannot be loaded.
    pub fn describe_method(&self, name: &str, method: &str) -> Result<MethodDescribed, AppError> {
        let stored = self.models().definitions.find(name)?;
        let code = self.models().resolve_type(&stored.type_name)?;
        code.method(method)?;
        let found = methods(&code).into_iter().find(|found| found.name == method);
        let Some(mut method) = found else { return Err(AppError::usage("unknown method")) };
        method.grafted_by = None;
        Ok(MethodDescribed {
            model_name: stored.definition.name,
            model_type: code.type_name.to_string(),
            version: code.description.version.clone(),
            method,
            data_output_specs: output_specs(&code.description),
        })
    }
}

/// The methods of a type, those of method extensions with their source.
pub(crate) fn methods(code: &TypeCode) -> Vec<MethodDescription> {
    code.description
        .methods
        .iter()
        .map(|(name, method)| {
            let extension = method.method_extension.and_then(|index| index.checked_sub(1));
            let extension = extension.and_then(|index| code.method_extensions().get(index));
            MethodDescription {
                name: name.clone(),
                description: method.description.clone(),
                kind: method.kind.clone(),
                arguments: method.arguments.schema.clone(),
                grafted_by: extension.map(|extension| text(&extension.entry)),
            }
        })
        .collect()
}

/// The same without their sources, as definitions show them.
pub(crate) fn own_methods(code: &TypeCode) -> Vec<MethodDescription> {
    methods(code).into_iter().map(|method| MethodDescription { grafted_by: None, ..method }).collect()
}

/// Resources first, then files.
fn output_specs(description: &ModelDescription) -> Vec<OutputSpec> {
    let resources = description.resources.iter().map(|output| (OutputKind::Resource, output));
    let files = description.files.iter().map(|output| (OutputKind::File, output));
    resources
        .chain(files)
        .map(|(kind, (name, output))| OutputSpec {
            spec_name: name.clone(),
            kind,
            description: output.description.clone(),
            schema: output.schema.clone(),
            content_type: output.content_type.clone(),
            lifetime: Some(output.lifetime.clone()),
            garbage_collection: output.garbage_collection.clone(),
            streaming: output.streaming,
            tags: output.tags.clone(),
        })
        .collect()
}

fn compact_arguments(arguments: &ArgumentsDescription) -> Map<String, Value> {
    let properties = arguments.schema.get("properties").and_then(Value::as_object);
    let words = properties.into_iter().flatten();
    words.map(|(name, schema)| (name.clone(), Value::String(marsh_api::model::type_word(schema)))).collect()
}
