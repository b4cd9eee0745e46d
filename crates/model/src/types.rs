//! What serves a type: built-in code, or a module version.

use std::sync::Arc;

use marsh_extension::{LoadError, LoadedModel, ModelDescription};
use marsh_types::{Origin, TypeName, near};

use crate::builtin::shell;
use crate::error::ModelError;
use crate::{Models, builtin};

/// The code behind a type, fresh at the moment it was asked for.
#[derive(Debug, Clone)]
pub struct TypeCode {
    pub type_name: TypeName,
    pub description: Arc<ModelDescription>,
    pub code: Code,
}

#[derive(Debug, Clone)]
pub enum Code {
    Shell,
    Module(Box<LoadedModel>),
}

impl TypeCode {
    pub fn fingerprint(&self) -> Option<&str> {
        match &self.code {
            Code::Shell => None,
            Code::Module(loaded) => Some(&loaded.fingerprint),
        }
    }

    pub fn method(&self, name: &str) -> Result<&marsh_extension::MethodDescription, ModelError> {
        self.description.method(name).ok_or_else(|| ModelError::UnknownMethod {
            type_name: self.type_name.clone(),
            method: name.to_owned(),
            available: self.description.method_names().map(str::to_owned).collect(),
        })
    }
}

/// A type as listings show it.
#[derive(Debug, Clone)]
pub struct ListedType {
    pub raw: String,
    pub type_name: TypeName,
    pub version: Option<String>,
    pub origin: Origin,
    pub path: Option<std::path::PathBuf>,
}

impl Models {
    /// The code of a type. `@type` falls back to `type` when only that is known, as built-ins are often called so.
    pub fn resolve_type(&self, type_name: &TypeName) -> Result<TypeCode, ModelError> {
        let bare = type_name.as_str().strip_prefix('@');
        if type_name.as_str() == shell::TYPE || bare == Some(shell::TYPE) {
            let type_name = TypeName::parse(shell::TYPE)?;
            return Ok(TypeCode { type_name, description: shell::description(), code: Code::Shell });
        }
        match self.loader.resolve(type_name) {
            Ok(loaded) => Ok(module(loaded)),
            Err(LoadError::UnknownType { name, mut known, problems, unrestored }) => {
                if let Some(bare) = bare.and_then(|bare| TypeName::parse(bare).ok())
                    && let Ok(loaded) = self.loader.resolve(&bare)
                {
                    return Ok(module(loaded));
                }
                known.push(shell::TYPE.to_owned());
                Err(LoadError::UnknownType { name, known, problems, unrestored }.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether some source, or marsh itself, declares the type. Loads nothing.
    pub fn knows_type(&self, type_name: &TypeName) -> bool {
        let bare = type_name.as_str().strip_prefix('@').unwrap_or(type_name.as_str());
        bare == shell::TYPE
            || self
                .loader
                .catalog()
                .is_ok_and(|catalog| !catalog.find(marsh_types::Kind::Model, type_name).is_empty())
    }

    /// All types whose name contains `query`; none are loaded. With a query that nothing contains, the near ones.
    pub fn list_types(
        &self,
        query: &str,
    ) -> Result<(Vec<ListedType>, Vec<marsh_extension::Problem>), ModelError> {
        let catalog = self.loader.catalog()?;
        let mut types: Vec<ListedType> = catalog
            .models()
            .into_iter()
            .map(|indexed| ListedType {
                raw: indexed.raw.clone(),
                type_name: indexed.type_name.clone(),
                version: indexed.version.clone(),
                origin: indexed.root.origin,
                path: Some(indexed.path.clone()),
            })
            .collect();
        for type_name in builtin::types() {
            types.push(ListedType {
                raw: type_name.to_string(),
                version: Some(shell::VERSION.to_owned()),
                type_name,
                origin: Origin::Builtin,
                path: None,
            });
        }
        types.sort_by(|a, b| a.type_name.cmp(&b.type_name));
        let wanted = query.to_lowercase();
        let matching: Vec<ListedType> =
            types.iter().filter(|listed| listed.type_name.as_str().contains(&wanted)).cloned().collect();
        if !matching.is_empty() || query.is_empty() {
            return Ok((matching, catalog.problems));
        }
        let near = near::nearest(query, types.iter().map(|listed| listed.type_name.as_str()));
        let near: Vec<ListedType> =
            types.iter().filter(|listed| near.contains(&listed.type_name.as_str())).cloned().collect();
        Ok((near, catalog.problems))
    }
}

pub(crate) fn module(loaded: LoadedModel) -> TypeCode {
    TypeCode {
        type_name: loaded.type_name.clone(),
        description: Arc::clone(&loaded.description),
        code: Code::Module(Box::new(loaded)),
    }
}
