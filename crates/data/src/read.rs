//! Reading data. Readers take no lock: versions are whole, and a version that vanishes meanwhile is looked up again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use marsh_types::TypeName;
use marsh_types::yaml;

use crate::name::{check_data_name, check_model_id, is_private, version_number};
use crate::{DataError, DataStore, Metadata};

/// A reader that loses its version to a deletion looks again, this often.
const LOOKS: u32 = 3;
const MAX_RENAMES: u32 = 5;

/// A version and the model it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// The type of the model.
    pub type_path: TypeName,
    /// The id of the model.
    pub model_id: String,
    /// The version.
    pub metadata: Metadata,
}

impl DataStore {
    /// The latest version. Renamed data are followed to their new name, up to five times; a tombstone is returned.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or metadata are damaged.
    pub fn latest(&self, ty: &TypeName, model_id: &str, name: &str) -> Result<Option<Metadata>, DataError> {
        let mut found = latest_in(&self.name_dir(ty, model_id, name)?)?;
        for _ in 0..MAX_RENAMES {
            let Some(target) = found.as_ref().and_then(|metadata| metadata.renamed_to.clone()) else { break };
            match latest_in(&self.name_dir(ty, model_id, &target)?)? {
                None => break,
                next => found = next,
            }
        }
        Ok(found)
    }

    /// One version of exactly this name.
    pub fn metadata(
        &self,
        ty: &TypeName,
        model_id: &str,
        name: &str,
        version: u32,
    ) -> Result<Option<Metadata>, DataError> {
        read_version(&self.name_dir(ty, model_id, name)?, version)
    }

    /// All versions, ascending, of exactly this name.
    pub fn versions(&self, ty: &TypeName, model_id: &str, name: &str) -> Result<Vec<Metadata>, DataError> {
        let dir = self.name_dir(ty, model_id, name)?;
        let mut versions = Vec::new();
        for version in version_numbers(&dir)? {
            versions.extend(read_version(&dir, version)?);
        }
        Ok(versions)
    }

    /// The content of a version; without a number that of [`latest`](Self::latest).
    pub fn content(
        &self,
        ty: &TypeName,
        model_id: &str,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<Vec<u8>>, DataError> {
        for _ in 0..LOOKS {
            let Some(path) = self.content_path(ty, model_id, name, version)? else { return Ok(None) };
            if let Some(bytes) = found(&path, marsh_fs::read_own(&path))? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The file of that content.
    pub fn content_path(
        &self,
        ty: &TypeName,
        model_id: &str,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<PathBuf>, DataError> {
        if let Some(version) = version {
            // The path follows from the number: the metadata need not be parsed.
            let dir = self.name_dir(ty, model_id, name)?;
            let path = dir.join(version.to_string()).join("raw");
            return Ok(is_complete(&dir, version).then_some(path));
        }
        let Some(metadata) = self.latest(ty, model_id, name)? else { return Ok(None) };
        Ok(Some(self.name_dir(ty, model_id, &metadata.name)?.join(metadata.version.to_string()).join("raw")))
    }

    /// The latest version of each name of a model, by name. Tombstones are included and renames not followed.
    pub fn list_model(&self, ty: &TypeName, model_id: &str) -> Result<Vec<Metadata>, DataError> {
        let dir = self.model_dir(ty, model_id)?;
        let mut latest = Vec::new();
        for name in sub_directories(&dir)? {
            if check_data_name(&name).is_ok() {
                latest.extend(latest_in(&dir.join(&name))?);
            }
        }
        latest.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(latest)
    }

    /// The models that have data, sorted by type and id.
    pub fn list_models(&self) -> Result<Vec<(TypeName, String)>, DataError> {
        let mut models = Vec::new();
        for segment in sub_directories(self.root())? {
            walk(&self.root().join(&segment), &segment, &mut models)?;
        }
        models.sort();
        Ok(models)
    }

    /// The version with this id, of any model. It reads all versions: for users who know nothing but an id.
    pub fn find_by_id(&self, id: &str) -> Result<Option<Located>, DataError> {
        for (type_path, model_id) in self.list_models()? {
            let model_dir = self.model_dir(&type_path, &model_id)?;
            for name in sub_directories(&model_dir)? {
                let dir = model_dir.join(&name);
                for version in version_numbers(&dir)? {
                    let path = dir.join(version.to_string()).join("metadata.yaml");
                    // Parsing is what costs.
                    let mentioned = found(&path, marsh_fs::read_own_to_string(&path))?
                        .is_some_and(|text| text.contains(id));
                    if !mentioned {
                        continue;
                    }
                    if let Some(metadata) = read_version(&dir, version)?.filter(|metadata| metadata.id == id)
                    {
                        return Ok(Some(Located { type_path, model_id, metadata }));
                    }
                }
            }
        }
        Ok(None)
    }

    pub(crate) fn model_dir(&self, ty: &TypeName, model_id: &str) -> Result<PathBuf, DataError> {
        check_model_id(model_id)?;
        Ok(self.root().join(ty.to_path()).join(model_id))
    }

    pub(crate) fn name_dir(&self, ty: &TypeName, model_id: &str, name: &str) -> Result<PathBuf, DataError> {
        check_data_name(name)?;
        Ok(self.model_dir(ty, model_id)?.join(name))
    }
}

/// The latest version in the directory of a name.
pub(crate) fn latest_in(name_dir: &Path) -> Result<Option<Metadata>, DataError> {
    for _ in 0..LOOKS {
        if let Some(version) = pointed_at(name_dir)?
            && let Some(metadata) = read_version(name_dir, version)?
        {
            return Ok(Some(metadata));
        }
        let Some(version) = highest_complete(name_dir)? else { return Ok(None) };
        if let Some(metadata) = read_version(name_dir, version)? {
            return Ok(Some(metadata));
        }
    }
    Ok(None)
}

/// The number in `latest`: text, or in the old layout a link to the directory.
pub(crate) fn pointed_at(name_dir: &Path) -> Result<Option<u32>, DataError> {
    let path = name_dir.join("latest");
    match marsh_fs::read_own_to_string(&path) {
        Ok(text) => return Ok(version_number(text.trim())),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(DataError::read(&path, error));
        }
        Err(_) => {}
    }
    let target = fs::read_link(&path).ok();
    Ok(target.and_then(|target| version_number(target.file_name()?.to_str()?)))
}

pub(crate) fn highest_complete(name_dir: &Path) -> Result<Option<u32>, DataError> {
    Ok(version_numbers(name_dir)?.into_iter().rev().find(|version| is_complete(name_dir, *version)))
}

fn is_complete(name_dir: &Path, version: u32) -> bool {
    let dir = name_dir.join(version.to_string());
    is_own_file(&dir.join("metadata.yaml")) && is_own_file(&dir.join("raw"))
}

/// Whether there is a regular file. A link is none: it would publish what it leads to.
fn is_own_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_file())
}

/// `None`: there is no such version, or it is not complete. A writer of the reference puts `metadata.yaml` first.
pub(crate) fn read_version(name_dir: &Path, version: u32) -> Result<Option<Metadata>, DataError> {
    let dir = name_dir.join(version.to_string());
    let path = dir.join("metadata.yaml");
    let Some(text) = found(&path, marsh_fs::read_own_to_string(&path))? else { return Ok(None) };
    if !is_own_file(&dir.join("raw")) {
        return Ok(None);
    }
    let mut metadata: Metadata =
        yaml::from_str(&text).map_err(|source| DataError::Damaged { path, source })?;
    metadata.version = version;
    Ok(Some(metadata))
}

/// The numbers that are taken, ascending, including those of incomplete versions.
pub(crate) fn version_numbers(name_dir: &Path) -> Result<Vec<u32>, DataError> {
    let mut numbers: Vec<u32> =
        sub_directories(name_dir)?.iter().filter_map(|name| version_number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The names of real directories, without those of running writers. A missing directory has none.
pub(crate) fn sub_directories(dir: &Path) -> Result<Vec<String>, DataError> {
    let Some(entries) = found(dir, fs::read_dir(dir))? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| DataError::read(dir, error))?;
        let is_dir = entry.file_type().is_ok_and(|file_type| file_type.is_dir());
        match entry.file_name().into_string() {
            Ok(name) if is_dir && !is_private(&name) => names.push(name),
            _ => {}
        }
    }
    Ok(names)
}

/// A directory is a model's if some child has a version; the names above it are the type. Data names may be numbers, so
/// that a numeric name alone does not make a version.
fn walk(dir: &Path, type_text: &str, models: &mut Vec<(TypeName, String)>) -> Result<(), DataError> {
    for child in sub_directories(dir)? {
        let child_dir = dir.join(&child);
        if is_model_dir(&child_dir)? {
            if let Ok(ty) = TypeName::parse(type_text)
                && ty.as_str() == type_text
            {
                models.push((ty, child));
            }
        } else {
            walk(&child_dir, &format!("{type_text}/{child}"), models)?;
        }
    }
    Ok(())
}

fn is_model_dir(dir: &Path) -> Result<bool, DataError> {
    for name in sub_directories(dir)? {
        let name_dir = dir.join(name);
        if version_numbers(&name_dir)?
            .iter()
            .any(|version| name_dir.join(version.to_string()).join("metadata.yaml").is_file())
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `None`: there is no such file.
pub(crate) fn found<T>(path: &Path, result: io::Result<T>) -> Result<Option<T>, DataError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(DataError::read(path, error)),
    }
}
