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
    /// The grafts onto a built-in type; those onto any other are part of its module.
    pub grafts: Option<Box<LoadedModel>>,
}

#[derive(Debug, Clone)]
pub enum Code {
    Shell,
    Module(Box<LoadedModel>),
}

impl TypeCode {
    /// The module version that runs a method; `None`: marsh itself does.
    pub fn module(&self, method: &str) -> Option<&LoadedModel> {
        match (&self.code, &self.grafts) {
            (Code::Module(loaded), _) => Some(loaded),
            (Code::Shell, Some(grafts)) if grafts.description.method(method).is_some() => Some(grafts),
            (Code::Shell, _) => None,
        }
    }

    /// The sources that add methods to the type.
    pub fn grafts(&self) -> &[marsh_extension::MethodExtension] {
        match (&self.code, &self.grafts) {
            (Code::Module(loaded), _) => &loaded.method_extensions,
            (Code::Shell, Some(grafts)) => &grafts.method_extensions,
            (Code::Shell, None) => &[],
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
    /// The sources that add methods to it.
    pub grafts: Vec<std::path::PathBuf>,
}

impl Models {
    /// The code of a type. `@type` falls back to `type` when only that is known, as built-ins are often called so.
    pub fn resolve_type(&self, type_name: &TypeName) -> Result<TypeCode, ModelError> {
        let bare = type_name.as_str().strip_prefix('@');
        if type_name.as_str() == shell::TYPE || bare == Some(shell::TYPE) {
            return self.shell_type();
        }
        match self.loader.resolve(type_name) {
            Ok(loaded) => Ok(module(loaded)),
            Err(LoadError::UnknownType { kind, name, mut known, problems, unrestored }) => {
                if let Some(bare) = bare.and_then(|bare| TypeName::parse(bare).ok())
                    && let Ok(loaded) = self.loader.resolve(&bare)
                {
                    return Ok(module(loaded));
                }
                known.push(shell::TYPE.to_owned());
                Err(LoadError::UnknownType { kind, name, known, problems, unrestored }.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The built-in type, with what is grafted onto it.
    fn shell_type(&self) -> Result<TypeCode, ModelError> {
        let type_name = TypeName::parse(shell::TYPE)?;
        let scoped = TypeName::parse(&format!("@{}", shell::TYPE))?;
        let own = shell::description();
        let grafts = self.loader.resolve_method_extensions(&own, &[&type_name, &scoped])?;
        let description = match &grafts {
            None => own,
            Some(grafts) => {
                let mut all = (*own).clone();
                let added = &grafts.description;
                all.methods.extend(added.methods.iter().cloned());
                all.checks.extend(added.checks.iter().cloned());
                let new = added.resources.iter().filter(|(name, _)| own.resource(name).is_none());
                all.resources.extend(new.cloned());
                Arc::new(all)
            }
        };
        Ok(TypeCode { type_name, description, code: Code::Shell, grafts: grafts.map(Box::new) })
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
    ) -> Result<(Vec<ListedType>, Vec<marsh_extension::SourceProblem>), ModelError> {
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
                grafts: catalog
                    .method_extensions(&indexed.type_name)
                    .map(|graft| graft.path.clone())
                    .collect(),
            })
            .collect();
        for type_name in builtin::types() {
            types.push(ListedType {
                raw: type_name.to_string(),
                version: Some(shell::VERSION.to_owned()),
                grafts: catalog.method_extensions(&type_name).map(|graft| graft.path.clone()).collect(),
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
        grafts: None,
    }
}
