//! The bundle of a fingerprint: the stored one when its bytes are the recorded ones, else the one that the archive
//! brought (`shipped.rs`), else a new one.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use marsh_bundle::{BundleMeta, BundleRequest};
use marsh_fs::{Published, StagedDir};
use marsh_host_client::{External, ModuleRef};
use marsh_types::Digest;

use super::Loader;
use super::files::{put_dir, read_json};
use crate::discover::SourceRoot;
use crate::error::LoadError;

/// How long bundling one entry point may take, downloads included.
const BUNDLE_TIMEOUT: Duration = Duration::from_secs(120);

impl Loader {
    /// The stored bundle of a fingerprint, if it is whole.
    pub(super) fn stored_bundle(&self, fingerprint: &str) -> Option<BundleMeta> {
        intact_bundle(&self.repo.layout.bundles().join(fingerprint))
    }

    /// Sources are about to be edited: what bundles them may as well be there already.
    pub fn expect_edits(&self) {
        self.options.worker.make_ready();
    }

    /// [`bundle`](Self::bundle), by one thread at a time: a watcher and a call want the same bundle at the same moment.
    pub(super) fn bundled(
        &self,
        entry: &Path,
        root: &SourceRoot,
        fingerprint: &str,
    ) -> Result<(String, BundleMeta), LoadError> {
        let turn = {
            let mut bundling = self.bundling.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(bundling.entry(entry.to_owned()).or_default())
        };
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        match self.stored_bundle(fingerprint) {
            Some(meta) => Ok((fingerprint.to_owned(), meta)),
            None => self.bundle(entry, root, fingerprint),
        }
    }

    /// Builds the bundle of an entry point. The fingerprint returned is the one of what was built, which differs from
    /// the given one when the source was edited meanwhile.
    fn bundle(
        &self,
        entry: &Path,
        root: &SourceRoot,
        fingerprint: &str,
    ) -> Result<(String, BundleMeta), LoadError> {
        if let Some(meta) = self.adopt_shipped(entry, root, fingerprint)? {
            return Ok((fingerprint.to_owned(), meta));
        }
        let parent = self.repo.layout.bundles();
        marsh_fs::create_dir_all(&parent)?;
        let staged = StagedDir::new(&parent)?;
        let request = BundleRequest {
            entry: entry.to_owned(),
            root: root.base.clone(),
            out_dir: staged.path().to_owned(),
            cache_dir: self.options.cache_dir.clone(),
            offline: self.options.offline,
        };
        // The worker bundles the very bytes that it fingerprints, whatever happens to the files meanwhile.
        let meta = marsh_bundle::bundle_in_worker(&self.options.worker, &request, BUNDLE_TIMEOUT)
            .map_err(|source| LoadError::Bundle { entry: entry.to_owned(), source })?;
        let fingerprint = meta.fingerprint.clone();
        Ok((fingerprint.clone(), self.put_bundle(staged, &fingerprint, meta)?))
    }

    /// Makes a bundle the stored one of its fingerprint, unless another process did.
    pub(super) fn put_bundle(
        &self,
        staged: StagedDir,
        fingerprint: &str,
        meta: BundleMeta,
    ) -> Result<BundleMeta, LoadError> {
        let dir = self.repo.layout.bundles().join(fingerprint);
        match put_dir(staged, &dir, |dir| intact_bundle(dir).is_some())? {
            Published::Here => Ok(meta),
            Published::AlreadyThere => Ok(self.stored_bundle(fingerprint).unwrap_or(meta)),
        }
    }

    pub(super) fn module_ref(&self, dir: &Path, fingerprint: &str, meta: &BundleMeta) -> ModuleRef {
        let path = dir.join("bundle.js");
        ModuleRef {
            url: module_url(&path, fingerprint),
            sha256: meta.code_sha256.clone(),
            path,
            externals: meta
                .externals
                .iter()
                .map(|external| External {
                    specifier: external.specifier.clone(),
                    sha256: external.sha256.clone(),
                    path: external.path.clone(),
                })
                .collect(),
            limits: self.options.limits,
        }
    }
}

/// `file:///…/bundle.js?fp=<fingerprint>`, the identity of loaded code everywhere.
pub(super) fn module_url(path: &Path, fingerprint: &str) -> String {
    let mut url = String::from("file://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' | b'@' | b'+' | b':' => url.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => url.push(char::from(*byte)),
            byte => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url.push_str("?fp=");
    url.push_str(fingerprint);
    url
}

fn intact_bundle(dir: &Path) -> Option<BundleMeta> {
    let meta: BundleMeta = read_json(&dir.join("bundle.json"))?;
    let code = std::fs::read(dir.join("bundle.js")).ok()?;
    let whole = Digest::of(&code).to_hex() == meta.code_sha256;
    let externals = meta.externals.iter().all(|external| external.path.is_file());
    (whole && externals).then_some(meta)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::module_url;

    #[test]
    fn module_urls_escape_what_urls_cannot_hold() {
        assert_eq!(module_url(Path::new("/a b/ü/x.js"), "ff"), "file:///a%20b/%C3%BC/x.js?fp=ff");
        assert_eq!(module_url(Path::new("/a?#/x.js"), "ff"), "file:///a%3F%23/x.js?fp=ff");
    }
}
