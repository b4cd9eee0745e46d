//! The bundles that an archive ships, so that an installation needs neither a network nor time to build them.
//!
//! They are built from copies of the files as they will be installed, and the archive is packed from the same copies: a
//! bundle matches the sources beside it. Where the author's configuration resolves imports (`deno.json`,
//! `package.json`, which are not in the archive), or an import leads to a file that can have no place in it, the bundle is built where the author has his files; it is then the only
//! thing that can run them elsewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_archive::{
    BUNDLES, BUNDLES_FORMAT, BundlesRecord, PackEntry, ShippedBundle, ShippedExternal, ShippedFile,
    ShippedPackage, Source,
};
use marsh_bundle::{BUNDLER_VERSION, BundleMeta, BundleRequest, SourceMap, Worker};
use marsh_fs::Durability;
use marsh_repo::Repo;
use marsh_types::{Digest, RelPath};

use super::error::PublishError;
use super::files::{Entry, Files, Role, rel};

/// How long bundling one entry point may take, downloads included.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Modules that several bundles share.
const EXTERNALS: &str = "bundle-externals";

/// How to build bundles.
#[derive(Debug, Clone)]
pub struct Builder {
    /// The binary and arguments that bundle.
    pub worker: Worker,
    /// The per-user cache of packages.
    pub cache_dir: PathBuf,
    /// Use only packages that are in the cache.
    pub offline: bool,
}

/// What the archive holds beside the author's files.
#[derive(Debug, Default)]
pub struct Shipped {
    /// Copies of the author's files; empty when nothing was built.
    copies: BTreeMap<RelPath, PathBuf>,
    entries: Vec<PackEntry>,
    /// How many bundles there are.
    pub bundles: usize,
    /// What the bundler warned of.
    pub warnings: Vec<String>,
}

impl Shipped {
    /// Where a file of the archive is read from.
    pub(super) fn source<'a>(&'a self, path: &RelPath, original: &'a Path) -> &'a Path {
        self.copies.get(path).map_or(original, PathBuf::as_path)
    }

    /// What to pack, the manifest first.
    pub(super) fn pack_entries(
        &self,
        files: &Files,
        manifest: String,
    ) -> Result<Vec<PackEntry>, PublishError> {
        let mut entries = vec![PackEntry {
            path: rel("manifest.yaml")?,
            source: Source::Bytes(manifest.into_bytes()),
            executable: false,
        }];
        entries.extend(files.files.iter().map(|(path, file)| PackEntry {
            path: path.clone(),
            source: Source::File(self.source(path, &file.source).to_owned()),
            executable: file.executable,
        }));
        entries.extend(self.entries.iter().cloned());
        Ok(entries)
    }
}

/// An archive of sources alone.
///
/// # Errors
///
/// An entry point imports a file that can have no place in the archive.
pub fn without_bundles(files: &Files) -> Result<Shipped, PublishError> {
    match files.entries.iter().find_map(|entry| Some((entry, entry.outside.clone()?))) {
        Some((entry, file)) => Err(PublishError::OutsideBase { entry: entry.listed.to_string(), file }),
        None => Ok(Shipped::default()),
    }
}

/// Builds the bundle of every entry point. `scratch` is a private directory that outlives the packing.
///
/// # Errors
///
/// A bundle cannot be built, or a source changed meanwhile.
pub fn build(repo: &Repo, files: &Files, builder: &Builder, scratch: &Path) -> Result<Shipped, PublishError> {
    let mut shipped = Shipped::default();
    if files.entries.is_empty() {
        return Ok(shipped);
    }
    let tree = scratch.join("tree");
    for (path, file) in &files.files {
        if matches!(file.role, Role::Code | Role::Data) {
            let copy = path.below(&tree);
            if let Some(parent) = copy.parent() {
                marsh_fs::create_dir_all(parent)?;
            }
            marsh_fs::copy_file(&file.source, &copy, Durability::Atomic)?;
            shipped.copies.insert(path.clone(), copy);
        }
    }
    let mut record =
        BundlesRecord { format: BUNDLES_FORMAT, bundler: BUNDLER_VERSION.to_owned(), bundles: Vec::new() };
    let mut placed: BTreeMap<RelPath, PathBuf> = BTreeMap::new();
    for (index, entry) in files.entries.iter().enumerate() {
        let source = rel(entry.kind.directory())?.join(&entry.listed);
        let bundle = rel(entry.kind.spec().bundles)?.join(&named(&entry.listed)?);
        let out = scratch.join(format!("out-{index}"));
        marsh_fs::create_dir_all(&out)?;
        let staged = source.below(&tree);
        let fingerprint = marsh_bundle::fingerprint(&marsh_bundle::import_graph(&staged, &tree));
        let meta = build_one(repo, entry, &staged, &tree, &out, builder)?;
        shipped.warnings.extend(meta.warnings.iter().map(|warning| format!("{}: {warning}", entry.listed)));
        let code = out.join("bundle.js");
        if placed.insert(bundle.clone(), code.clone()).is_some() {
            return Err(PublishError::SamePlace { path: bundle.to_string() });
        }
        shipped.entries.push(from_file(bundle.clone(), code));
        let map = ship_map(&bundle, &out, &mut shipped.entries)?;
        let mut externals = Vec::new();
        for external in &meta.externals {
            let name = external.specifier.trim_start_matches("npm:").replace('/', "+");
            let path = rel(EXTERNALS)?.join(&rel(&format!("{name}.js"))?);
            if placed.insert(path.clone(), external.path.clone()).is_none() {
                shipped.entries.push(from_file(path.clone(), external.path.clone()));
            }
            let specifier = external.specifier.clone();
            externals.push(ShippedExternal { specifier, path, sha256: digest(&external.sha256)? });
        }
        record.bundles.push(ShippedBundle {
            entry: source,
            bundle,
            sha256: digest(&meta.code_sha256)?,
            fingerprint,
            map,
            externals,
            packages: packages(meta),
        });
    }
    unchanged(files, &shipped)?;
    shipped.bundles = record.bundles.len();
    let mut text = serde_json::to_vec_pretty(&record)
        .map_err(|error| PublishError::Read { path: scratch.join(BUNDLES), source: error.into() })?;
    text.push(b'\n');
    let entry = PackEntry { path: rel(BUNDLES)?, source: Source::Bytes(text), executable: false };
    shipped.entries.push(entry);
    Ok(shipped)
}

/// The source map, beside the bundle; there may be none.
fn ship_map(
    bundle: &RelPath,
    out: &Path,
    entries: &mut Vec<PackEntry>,
) -> Result<Option<ShippedFile>, PublishError> {
    let Ok(bytes) = marsh_fs::read(out.join(SourceMap::FILE)) else { return Ok(None) };
    let path = rel(&format!("{bundle}.map"))?;
    let sha256 = Digest::of(&bytes);
    entries.push(PackEntry { path: path.clone(), source: Source::Bytes(bytes), executable: false });
    Ok(Some(ShippedFile { path, sha256 }))
}

fn build_one(
    repo: &Repo,
    entry: &Entry,
    staged: &Path,
    tree: &Path,
    out: &Path,
    builder: &Builder,
) -> Result<BundleMeta, PublishError> {
    let root = repo.layout.root();
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let configured = entry.outside.is_some()
        || entry.source.starts_with(&root)
            && !marsh_bundle::import_graph(&entry.source, &root).config.is_empty();
    let (path, root) = if configured { (entry.source.as_path(), root.as_path()) } else { (staged, tree) };
    let request = BundleRequest {
        entry: path.to_owned(),
        root: root.to_owned(),
        out_dir: out.to_owned(),
        cache_dir: builder.cache_dir.clone(),
        offline: builder.offline,
    };
    marsh_bundle::bundle_in_worker(&builder.worker, &request, TIMEOUT)
        .map_err(|source| PublishError::Bundle { entry: entry.listed.to_string(), source })
}

/// An edit while bundling would ship code beside a source that it was not built from.
fn unchanged(files: &Files, shipped: &Shipped) -> Result<(), PublishError> {
    for (path, copy) in &shipped.copies {
        let Some(file) = files.files.get(path) else { continue };
        let read = |path: &Path| {
            marsh_fs::read(path).map_err(|source| PublishError::Read { path: path.to_owned(), source })
        };
        if read(&file.source)? != read(copy)? {
            return Err(PublishError::Changed { path: file.source.clone() });
        }
    }
    Ok(())
}

fn from_file(path: RelPath, source: PathBuf) -> PackEntry {
    PackEntry { path, source: Source::File(source), executable: false }
}

fn packages(meta: BundleMeta) -> Vec<ShippedPackage> {
    let shape = |one: marsh_bundle::PackageMeta| ShippedPackage {
        name: one.name,
        version: one.version,
        integrity: one.integrity,
    };
    meta.packages.into_iter().map(shape).collect()
}

fn digest(hex: &str) -> Result<Digest, PublishError> {
    hex.parse().map_err(|_| PublishError::Read {
        path: BUNDLES.into(),
        source: std::io::Error::other(format!("the bundler gave {hex:?} as a digest")),
    })
}

/// The source's path with `.js` in place of its ending.
fn named(listed: &RelPath) -> Result<RelPath, PublishError> {
    let text = listed.as_str();
    let stem = match text.rsplit_once('.') {
        Some((stem, ending)) if !ending.contains('/') && !stem.is_empty() && !stem.ends_with('/') => stem,
        _ => text,
    };
    rel(&format!("{stem}.js"))
}
