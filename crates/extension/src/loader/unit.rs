//! What a type's module version is made of: the part that declares the type, and a part for every graft onto it.
//!
//! The version's fingerprint is that of its only part or, with method_extensions, a digest over the fingerprints of all parts. So
//! which methods a version has follows from its name alone: a graft that changes, comes or goes makes another version.

use std::path::{Path, PathBuf};

use marsh_bundle::BundleMeta;
use marsh_fs::{Durability, StagedDir};
use marsh_host::{External, ModuleRef};
use marsh_types::{Digest, Kind, TypeName};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::build::module_url;
use super::files::put_dir;
use super::{Loader, host_key};
use crate::catalog::{IndexedType, TypeCatalog};
use crate::description::ModelDescription;
use crate::discover::SourceRoot;
use crate::error::LoadError;

/// An entry point, and its fingerprint when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(super) entry: PathBuf,
    pub(super) root: SourceRoot,
    pub(super) fingerprint: String,
}

/// The parts of one version of a type. A type that is built in has no base part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unit {
    pub(super) kind: Kind,
    pub(super) type_name: TypeName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) builtin: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<Part>,
    /// By fingerprint, so that their order does not depend on where they are.
    #[serde(rename = "grafts")]
    pub(super) method_extensions: Vec<Part>,
}

/// A unit whose code is there to be loaded.
pub(super) struct Built {
    pub(super) fingerprint: String,
    pub(super) code_sha256: String,
    pub(super) module: ModuleRef,
    pub(super) warnings: Vec<String>,
}

impl Unit {
    pub(super) fn new(
        kind: Kind,
        type_name: &TypeName,
        builtin: Option<Value>,
        base: Option<Part>,
        mut method_extensions: Vec<Part>,
    ) -> Unit {
        method_extensions.sort_by(|a, b| (&a.fingerprint, &a.entry).cmp(&(&b.fingerprint, &b.entry)));
        Unit { kind, type_name: type_name.clone(), builtin, base, method_extensions }
    }

    /// The base, then the method_extensions.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.base.iter().chain(&self.method_extensions)
    }

    /// The part that an index of the driver names: 0 is the base, whatever it is.
    pub(super) fn entry(&self, index: usize) -> PathBuf {
        let part = match index.checked_sub(1) {
            None => self.base.as_ref(),
            Some(index) => self.method_extensions.get(index),
        };
        part.map_or_else(|| PathBuf::from("marsh itself"), |part| part.entry.clone())
    }

    /// The entry point that stands for the unit in messages.
    pub(super) fn main_entry(&self) -> PathBuf {
        self.parts().next().map(|part| part.entry.clone()).unwrap_or_default()
    }

    pub(super) fn fingerprint(&self) -> String {
        if let (Some(base), []) = (&self.base, self.method_extensions.as_slice()) {
            return base.fingerprint.clone();
        }
        let mut text = String::from("marsh parts 1\n");
        if let Some(builtin) = &self.builtin {
            text.push_str(&format!("builtin {builtin}\n"));
        }
        for part in self.parts() {
            text.push_str(&part.fingerprint);
            text.push('\n');
        }
        Digest::of(text.as_bytes()).to_hex()
    }

    /// The module that hands all parts to the driver. The same text wherever the repository is.
    fn joining_module(&self) -> String {
        let mut text = String::new();
        let mut names = Vec::new();
        if let Some(builtin) = &self.builtin {
            // JSON is JavaScript.
            text.push_str(&format!("const base = {{ builtin: {builtin} }};\n"));
            names.push("base".to_owned());
        }
        for (index, _) in self.parts().enumerate() {
            text.push_str(&format!("import * as part{index} from \"{}\";\n", part_specifier(index)));
            names.push(format!("part{index}"));
        }
        text.push_str(&format!("export const marshParts = [{}];\n", names.join(", ")));
        text
    }
}

fn part_specifier(index: usize) -> String {
    format!("part:{index}")
}

/// A type that is built in, as the method_extensions onto it see it.
pub(super) fn builtin_base(description: &ModelDescription) -> Value {
    let specs = |outputs: &[(String, crate::description::OutputDescription)]| -> Value {
        outputs
            .iter()
            .map(|(name, spec)| {
                let spec = json!({
                    "description": spec.description, "lifetime": spec.lifetime, "tags": spec.tags,
                    "garbageCollection": spec.garbage_collection, "contentType": spec.content_type,
                });
                (name.clone(), spec)
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    json!({
        "type": description.raw_type,
        "version": description.version,
        "methods": description.method_names().collect::<Vec<_>>(),
        "resources": specs(&description.resources),
        "files": specs(&description.files),
    })
}

impl Loader {
    pub(super) fn part(&self, entry: &Path, root: &SourceRoot) -> Part {
        Part { entry: entry.to_owned(), root: root.clone(), fingerprint: self.fingerprint(entry, root) }
    }

    /// What a type is made of now. Nothing is built.
    pub(super) fn find_unit(
        &self,
        catalog: &TypeCatalog,
        kind: Kind,
        type_name: &TypeName,
    ) -> Result<Unit, LoadError> {
        let base = self.find_base(catalog, kind, type_name)?;
        let method_extensions =
            if kind == Kind::Model { self.find_method_extensions(catalog, &[type_name]) } else { Vec::new() };
        Ok(Unit::new(kind, type_name, None, Some(base), method_extensions))
    }

    fn find_base(&self, catalog: &TypeCatalog, kind: Kind, type_name: &TypeName) -> Result<Part, LoadError> {
        match catalog.find(kind, type_name).as_slice() {
            [one] => Ok(self.part(&one.path, &one.root)),
            [first, second, ..] => Err(LoadError::DuplicateType {
                kind,
                name: type_name.clone(),
                first: first.path.clone(),
                second: second.path.clone(),
            }),
            [] => match self.find_computed(catalog, kind, &[type_name]).into_iter().next() {
                Some(part) => Ok(part),
                None => Err(unknown_type(catalog, kind, type_name)),
            },
        }
    }

    pub(super) fn find_method_extensions(&self, catalog: &TypeCatalog, names: &[&TypeName]) -> Vec<Part> {
        let is_wanted =
            |indexed: &&IndexedType| indexed.kind == Kind::Extension && names.contains(&&indexed.type_name);
        let mut parts: Vec<Part> =
            catalog.types.iter().filter(is_wanted).map(|one| self.part(&one.path, &one.root)).collect();
        parts.extend(self.find_computed(catalog, Kind::Extension, names));
        parts
    }

    /// Types that only running the code tells: each such entry point of the kind is described.
    fn find_computed(&self, catalog: &TypeCatalog, kind: Kind, names: &[&TypeName]) -> Vec<Part> {
        let candidates = catalog.computed.iter().filter(|computed| computed.kind == kind);
        candidates
            .filter_map(|computed| {
                let part = self.part(&computed.path, &computed.root);
                let unit = Unit::new(kind, names.first()?, None, Some(part), Vec::new());
                let (unit, built) = self.build(&unit, true).ok()?;
                let raw = self.raw_type(&unit, &built).ok()?;
                let matches = TypeName::parse(&raw).is_ok_and(|found| names.contains(&&found));
                unit.base.filter(|_| matches)
            })
            .collect()
    }

    /// The unit's bundles. A source that was edited meanwhile gives the unit that was built another fingerprint. With
    /// `anew` false only what is stored serves.
    pub(super) fn build(&self, unit: &Unit, anew: bool) -> Result<(Unit, Built), LoadError> {
        let mut unit = unit.clone();
        let mut metas = Vec::new();
        for part in unit.base.iter_mut().chain(&mut unit.method_extensions) {
            match self.hold(&part.root) {
                // What was built from a tree serves without it.
                Err(error) if anew => return Err(error),
                _ => {}
            }
            let meta = match self.stored_bundle(&part.fingerprint) {
                Some(meta) => meta,
                None if anew => {
                    let (fingerprint, meta) = self.bundled(&part.entry, &part.root, &part.fingerprint)?;
                    part.fingerprint = fingerprint;
                    meta
                }
                None => return Err(LoadError::NoBundle { fingerprint: part.fingerprint.clone() }),
            };
            metas.push(meta);
        }
        let unit = Unit::new(unit.kind, &unit.type_name, unit.builtin, unit.base, unit.method_extensions);
        // The method_extensions may be in another order now.
        let metas = match unit.method_extensions.as_slice() {
            [] => metas,
            _ => unit
                .parts()
                .map(|part| self.stored_bundle(&part.fingerprint).ok_or_else(|| missing(&part.fingerprint)))
                .collect::<Result<Vec<_>, _>>()?,
        };
        let built = self.module_of(&unit, &metas)?;
        Ok((unit, built))
    }

    fn module_of(&self, unit: &Unit, metas: &[BundleMeta]) -> Result<Built, LoadError> {
        let fingerprint = unit.fingerprint();
        let bundles = self.repo.layout.bundles();
        if let (None, [meta]) = (&unit.builtin, metas) {
            let dir = bundles.join(&fingerprint);
            let module = self.module_ref(&dir, &fingerprint, meta);
            let (code_sha256, warnings) = (meta.code_sha256.clone(), meta.warnings.clone());
            return Ok(Built { fingerprint, code_sha256, module, warnings });
        }
        let text = unit.joining_module();
        let dir = bundles.join(&fingerprint);
        let path = dir.join("bundle.js");
        let is_whole =
            |dir: &Path| std::fs::read(dir.join("bundle.js")).is_ok_and(|bytes| bytes == text.as_bytes());
        if !is_whole(&dir) {
            let staged = StagedDir::new(&bundles)?;
            marsh_fs::atomic_write(&staged.path().join("bundle.js"), text.as_bytes(), Durability::Atomic)?;
            put_dir(staged, &dir, is_whole)?;
        }
        let mut externals: Vec<External> = Vec::new();
        for (index, (part, meta)) in unit.parts().zip(metas).enumerate() {
            let path = bundles.join(&part.fingerprint).join("bundle.js");
            externals.push(External { specifier: part_specifier(index), path });
            for external in &meta.externals {
                if !externals.iter().any(|known| known.specifier == external.specifier) {
                    externals.push(External {
                        specifier: external.specifier.clone(),
                        path: external.path.clone(),
                    });
                }
            }
        }
        let hashes: Vec<&str> = metas.iter().map(|meta| meta.code_sha256.as_str()).collect();
        Ok(Built {
            code_sha256: Digest::of(format!("{text}{}", hashes.join("\n")).as_bytes()).to_hex(),
            module: ModuleRef {
                url: module_url(&path, &fingerprint),
                path,
                externals,
                limits: self.options.limits,
            },
            warnings: metas.iter().flat_map(|meta| meta.warnings.iter().cloned()).collect(),
            fingerprint,
        })
    }

    /// Which host process serves a unit: that of its base.
    pub(super) fn host_of(&self, unit: &Unit) -> String {
        unit.parts().next().map_or_else(|| "local".to_owned(), |part| host_key(&part.root))
    }
}

fn missing(fingerprint: &str) -> LoadError {
    LoadError::NoBundle { fingerprint: fingerprint.to_owned() }
}

fn unknown_type(catalog: &TypeCatalog, kind: Kind, type_name: &TypeName) -> LoadError {
    LoadError::UnknownType {
        kind,
        name: type_name.clone(),
        known: catalog.of_kind(kind).iter().map(|indexed| indexed.type_name.to_string()).collect(),
        problems: catalog
            .problems
            .iter()
            .map(|problem| (problem.path.clone(), problem.diagnostic.clone()))
            .collect(),
        unrestored: catalog.unrestored.clone(),
    }
}
