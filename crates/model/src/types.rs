//! From a type to its code: a built-in type, or a module version.

use std::sync::Arc;

use marsh_extension::{LoadError, LoadedModel, Loader, ModelDescription};
use marsh_types::{Origin, TypeName, near};

use crate::builtin::shell;
use crate::error::ModelError;
use crate::{Models, builtin};

/// The code of a type, fresh at the moment of the request.
#[derive(Debug, Clone)]
pub struct TypeCode {
    /// The type, normalized.
    pub type_name: TypeName,
    /// Methods, arguments and outputs of the type.
    pub description: Arc<ModelDescription>,
    /// The code.
    pub code: Code,
    /// Method extensions of a built-in type; those of other types are part of their module.
    pub extensions: Option<Box<LoadedModel>>,
}

/// What runs the methods of a type.
#[derive(Debug, Clone)]
pub enum Code {
    /// The built-in `command/shell`.
    Shell,
    /// A module of extensions.
    Module(Box<LoadedModel>),
}

impl TypeCode {
    /// The module version that runs a method; `None`: the method is built in.
    pub fn module(&self, method: &str) -> Option<&LoadedModel> {
        match (&self.code, &self.extensions) {
            (Code::Module(loaded), _) => Some(loaded),
            (Code::Shell, Some(added)) if added.description.method(method).is_some() => Some(added),
            (Code::Shell, _) => None,
        }
    }

    /// The module version that has the type's checks; `None`: the type is built in and has none.
    pub fn checks_module(&self) -> Option<&LoadedModel> {
        match (&self.code, &self.extensions) {
            (Code::Module(loaded), _) => Some(loaded),
            (Code::Shell, added) => added.as_deref(),
        }
    }

    /// The method extensions of the type: sources that add methods to it.
    pub fn method_extensions(&self) -> &[marsh_extension::MethodExtension] {
        match (&self.code, &self.extensions) {
            (Code::Module(loaded), _) => &loaded.method_extensions,
            (Code::Shell, Some(added)) => &added.method_extensions,
            (Code::Shell, None) => &[],
        }
    }

    /// The description of a method.
    ///
    /// # Errors
    ///
    /// [`ModelError::UnknownMethod`] names the methods of the type.
    pub fn method(&self, name: &str) -> Result<&marsh_extension::MethodDescription, ModelError> {
        self.description.method(name).ok_or_else(|| ModelError::UnknownMethod {
            type_name: self.type_name.clone(),
            method: name.to_owned(),
            available: self.description.method_names().map(str::to_owned).collect(),
        })
    }
}

/// A type in a listing.
#[derive(Debug, Clone)]
pub struct ListedType {
    /// The name as its source writes it.
    pub raw: String,
    /// The name, normalized.
    pub type_name: TypeName,
    /// The version, if the source declares one.
    pub version: Option<String>,
    /// Where the type comes from.
    pub origin: Origin,
    /// Its source; `None` for built-in types.
    pub path: Option<std::path::PathBuf>,
    /// Sources that add methods to it.
    pub method_extensions: Vec<std::path::PathBuf>,
}

/// Resolves types to code and lists them. Clones share the loader.
#[derive(Debug, Clone)]
pub struct Types {
    loader: Arc<Loader>,
}

impl Types {
    /// The types that this loader finds, and the built-in ones.
    pub fn new(loader: Arc<Loader>) -> Types {
        Types { loader }
    }

    /// The code of a type. `@type` stands for `type` if only that is known: users often write built-in types so.
    ///
    /// # Errors
    ///
    /// The type is unknown, or its code does not load.
    pub fn resolve(&self, type_name: &TypeName) -> Result<TypeCode, ModelError> {
        let bare = type_name.as_str().strip_prefix('@');
        if type_name.as_str() == shell::TYPE || bare == Some(shell::TYPE) {
            return self.shell();
        }
        match self.loader.resolve(type_name) {
            Ok(loaded) => Ok(module(loaded)),
            Err(LoadError::UnknownType { kind, name, mut known, problems, unrestored, missing }) => {
                if let Some(bare) = bare.and_then(|bare| TypeName::parse(bare).ok())
                    && let Ok(loaded) = self.loader.resolve(&bare)
                {
                    return Ok(module(loaded));
                }
                known.push(shell::TYPE.to_owned());
                Err(LoadError::UnknownType { kind, name, known, problems, unrestored, missing }.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn loader(&self) -> &Loader {
        &self.loader
    }

    /// The built-in type with its method extensions.
    fn shell(&self) -> Result<TypeCode, ModelError> {
        let type_name = TypeName::parse(shell::TYPE)?;
        let scoped = TypeName::parse(&format!("@{}", shell::TYPE))?;
        let own = shell::description();
        let extensions = self.loader.resolve_method_extensions(&own, &[&type_name, &scoped])?;
        let description = match &extensions {
            None => own,
            Some(extensions) => {
                let mut all = (*own).clone();
                let added = &extensions.description;
                all.methods.extend(added.methods.iter().cloned());
                all.checks.extend(added.checks.iter().cloned());
                let new = added.resources.iter().filter(|(name, _)| own.resource(name).is_none());
                all.resources.extend(new.cloned());
                Arc::new(all)
            }
        };
        Ok(TypeCode { type_name, description, code: Code::Shell, extensions: extensions.map(Box::new) })
    }

    /// Whether the type is built in or some source declares it. Loads no code.
    pub fn knows(&self, type_name: &TypeName) -> bool {
        let bare = type_name.as_str().strip_prefix('@').unwrap_or(type_name.as_str());
        bare == shell::TYPE
            || self
                .loader
                .catalog()
                .is_ok_and(|catalog| !catalog.find(marsh_types::Kind::Model, type_name).is_empty())
    }

    /// The types whose name contains `query`, else the types with a similar name; and problems of sources. Loads no code.
    ///
    /// # Errors
    ///
    /// The source directories cannot be read.
    pub fn list(
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
                method_extensions: catalog
                    .method_extensions(&indexed.type_name)
                    .map(|source| source.path.clone())
                    .collect(),
            })
            .collect();
        for type_name in builtin::types() {
            types.push(ListedType {
                raw: type_name.to_string(),
                version: Some(shell::VERSION.to_owned()),
                method_extensions: catalog
                    .method_extensions(&type_name)
                    .map(|source| source.path.clone())
                    .collect(),
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

impl Models {
    /// [`Types::resolve`].
    ///
    /// # Errors
    ///
    /// The type is unknown, or its code does not load.
    pub fn resolve_type(&self, type_name: &TypeName) -> Result<TypeCode, ModelError> {
        self.types.resolve(type_name)
    }

    /// [`Types::knows`].
    pub fn knows_type(&self, type_name: &TypeName) -> bool {
        self.types.knows(type_name)
    }

    /// [`Types::list`].
    ///
    /// # Errors
    ///
    /// The source directories cannot be read.
    pub fn list_types(
        &self,
        query: &str,
    ) -> Result<(Vec<ListedType>, Vec<marsh_extension::SourceProblem>), ModelError> {
        self.types.list(query)
    }
}

pub(crate) fn module(loaded: LoadedModel) -> TypeCode {
    TypeCode {
        type_name: loaded.type_name.clone(),
        description: Arc::clone(&loaded.description),
        code: Code::Module(Box::new(loaded)),
        extensions: None,
    }
}
