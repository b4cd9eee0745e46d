//! Compiled modules on disk.
//!
//! Loading bytecode is trusting it: a wrong byte is undefined behaviour in the engine. So a file is believed only if
//! it is a regular file of ours that no other user can write, in a directory that no other user can enter, and its header
//! names this engine, this source, and the digest of its own payload. Anything else counts as absent and is replaced.
//! Losing the cache costs time, never answers; so failures to write are ignored.
//!
//! Layout: `<cache>/<engine tag>/<sha256 of name and of the source's sha256>.qbc`. Held by `tests/it/bytecode.rs`.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};

use crate::hex::hex;
use crate::surface;

const MAGIC: &[u8; 8] = b"marshqbc";
/// Magic, engine digest, source digest, payload digest.
const HEADER: usize = 8 + 3 * 32;

pub(crate) struct Key([u8; 32]);

impl Key {
    /// The name is part of what is compiled in (stack traces), so it is part of the key.
    pub(crate) fn of(name: &str, source_sha256: &[u8; 32]) -> Key {
        let mut digest = Sha256::new();
        digest.update((name.len() as u64).to_le_bytes());
        digest.update(name);
        digest.update(source_sha256);
        Key(digest.finalize().into())
    }
}

pub(crate) struct Cache {
    dir: PathBuf,
    engine: [u8; 32],
}

impl Cache {
    /// `None` if the directory cannot be made private to us.
    pub(crate) fn open(root: &Path) -> Option<Cache> {
        let engine: [u8; 32] = Sha256::digest(surface::engine_build().as_bytes()).into();
        let dir = root.join(&hex(&engine)[..16]);
        make_private_dir(&dir).ok()?;
        let meta = std::fs::symlink_metadata(&dir).ok()?;
        let private = meta.is_dir() && meta.uid() == our_uid() && meta.mode() & 0o077 == 0;
        private.then_some(Cache { dir, engine })
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.dir.join(format!("{}.qbc", hex(&key.0)))
    }

    pub(crate) fn read(&self, key: &Key) -> Option<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mut file = File::from(rustix::fs::open(self.path(key), flags, Mode::empty()).ok()?);
        let meta = file.metadata().ok()?;
        if !meta.is_file() || meta.uid() != our_uid() || meta.mode() & 0o022 != 0 {
            return None;
        }
        let mut header = [0; HEADER];
        file.read_exact(&mut header).ok()?;
        let length = usize::try_from(meta.len()).ok()?.checked_sub(HEADER)?;
        let mut payload = Vec::with_capacity(length + 1);
        file.read_to_end(&mut payload).ok()?;
        let digest: [u8; 32] = Sha256::digest(&payload).into();
        let genuine = header[..8] == *MAGIC
            && header[8..40] == self.engine
            && header[40..72] == key.0
            && header[72..] == digest
            && !payload.is_empty();
        genuine.then_some(payload)
    }

    pub(crate) fn write(&self, key: &Key, payload: &[u8]) {
        let mut bytes = Vec::with_capacity(HEADER + payload.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.engine);
        bytes.extend_from_slice(&key.0);
        bytes.extend_from_slice(&Sha256::digest(payload));
        bytes.extend_from_slice(payload);
        // A torn file after a power cut fails its digest.
        let written = marsh_fs::atomic_write_private(&self.path(key), &bytes, marsh_fs::Durability::Atomic);
        marsh_types::ignore(written, "without compiled code the module is compiled again");
    }
}

fn our_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn make_private_dir(dir: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}
