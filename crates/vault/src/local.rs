//! `local_encryption`: an encrypted file for each secret, below the repository.
//!
//! `<base>/.swamp/secrets/local_encryption/<vault>/<key>.enc` holds pretty JSON `{iv, data, salt, version: 2}` in
//! Base64: AES-256-GCM over the UTF-8 value, a random IV of 12 bytes, the tag at the end of `data`. The key is
//! PBKDF2-HMAC-SHA-256 over the vault's key material with a salt of the file's own. `.annotations/<key>.enc` and
//! `.refresh/<key>.enc` hold JSON in the same envelope.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aes_gcm::aead::Aead as _;
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use marsh_fs::Durability;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::config::check_name;
use crate::provider::{Annotation, RefreshHook, Support, Vault};
use crate::{Secret, VaultConfig, VaultError, ssh};

/// The name of the vault type.
pub const LOCAL_ENCRYPTION: &str = "local_encryption";

const ITERATIONS: u32 = 100_000;
const VERSION: u32 = 2;
/// How often, and after which pauses, an empty key file is read again: another implementation may still be writing it.
const KEY_LOOKS: u32 = 20;
const KEY_PAUSE: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Copy)]
enum Part {
    Value,
    Annotation,
    Refresh,
}

impl Part {
    fn directory(self) -> Option<&'static str> {
        match self {
            Part::Value => None,
            Part::Annotation => Some(".annotations"),
            Part::Refresh => Some(".refresh"),
        }
    }
}

/// The envelope, in the order of its keys.
#[derive(Debug, Serialize, Deserialize)]
struct Envelope {
    iv: String,
    data: String,
    salt: String,
    version: u32,
}

/// A vault of encrypted files.
#[derive(Debug)]
pub struct LocalEncryption {
    name: String,
    dir: PathBuf,
    /// Where a generated key is, when the configuration wants one.
    key_file: Option<PathBuf>,
    ssh_key: Option<PathBuf>,
}

impl LocalEncryption {
    /// Opens the vault of a configuration. Relative paths in it start at `repo`, and `~` stands for `home`.
    ///
    /// # Errors
    ///
    /// The configuration has unknown keys, or the name is invalid.
    pub fn open(
        config: &VaultConfig,
        repo: &Path,
        home: Option<&Path>,
    ) -> Result<LocalEncryption, VaultError> {
        check_name("vault name", &config.name)?;
        for key in config.config.keys() {
            if !["ssh_key_path", "auto_generate", "key_file", "base_dir"].contains(&key.as_str()) {
                let known = ["auto_generate", "key_file", "ssh_key_path", "base_dir"];
                let near = marsh_types::near::did_you_mean(key, known);
                let reason =
                    format!("`{key}` is unknown; {}", near.unwrap_or(format!("known: {}", known.join(", "))));
                return Err(VaultError::InvalidConfig { vault: config.name.clone(), reason });
            }
        }
        let from_home = |text: &str| match (text.strip_prefix("~/"), home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => repo.join(text),
        };
        let base = config.text("base_dir").map_or_else(|| repo.to_path_buf(), from_home);
        let dir = base.join(".swamp").join("secrets").join(LOCAL_ENCRYPTION).join(&config.name);
        let generated = config.flag("auto_generate") || config.text("key_file").is_some();
        let key_file = generated.then(|| config.text("key_file").map_or_else(|| dir.join(".key"), from_home));
        let ssh_key = match config.text("ssh_key_path") {
            Some(path) => Some(from_home(path)),
            None if generated => None,
            None => home.map(|home| home.join(".ssh").join("id_rsa")),
        };
        Ok(LocalEncryption { name: config.name.clone(), dir, key_file, ssh_key })
    }

    /// The directory of the vault's files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn path(&self, part: Part, key: &str) -> Result<PathBuf, VaultError> {
        check_name("secret key", key)?;
        let dir = part.directory().map_or_else(|| self.dir.clone(), |sub| self.dir.join(sub));
        Ok(dir.join(format!("{key}.enc")))
    }

    /// The material from which the key of each file is derived. `make`: generate it if there is none.
    fn material(&self, make: bool) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        if let Some(path) = &self.ssh_key {
            match ssh::key_material(path) {
                // With both options, a key file replaces an unusable SSH key.
                Err(_) if self.key_file.is_some() => {}
                other => return other,
            }
        }
        let Some(path) = &self.key_file else {
            return Err(VaultError::NoKey { vault: self.name.clone() });
        };
        for look in 0..KEY_LOOKS {
            match marsh_fs::read(path) {
                Ok(text) if !text.is_empty() => return Ok(Zeroizing::new(text)),
                Ok(_) => std::thread::sleep(KEY_PAUSE),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    if !make {
                        return Err(VaultError::NoKey { vault: self.name.clone() });
                    }
                    if look == 0 {
                        self.make_key(path)?;
                    }
                }
                Err(error) => return Err(VaultError::read(path, error)),
            }
        }
        Err(VaultError::UnusableKey { path: path.clone(), reason: "it is empty" })
    }

    /// Generates a key: the text of two UUIDs. If several processes do, one wins and the others read its key.
    fn make_key(&self, path: &Path) -> Result<(), VaultError> {
        self.make_private_dir(path.parent().unwrap_or(&self.dir))?;
        let key = Zeroizing::new(format!("{}{}", uuid::Uuid::new_v4(), uuid::Uuid::new_v4()));
        marsh_fs::atomic_write_new_private(path, key.as_bytes(), Durability::Synced)?;
        if let Some(dir) = path.parent() {
            marsh_fs::sync_dir(dir)?;
        }
        Ok(())
    }

    fn make_private_dir(&self, dir: &Path) -> Result<(), VaultError> {
        if !dir.is_dir() {
            marsh_fs::create_dir_all(dir)?;
            marsh_fs::set_mode(dir, 0o700)?;
        }
        Ok(())
    }

    fn write(&self, part: Part, key: &str, text: &str) -> Result<(), VaultError> {
        let path = self.path(part, key)?;
        self.make_private_dir(&self.dir)?;
        let dir = path.parent().unwrap_or(&self.dir);
        self.make_private_dir(dir)?;
        let material = self.material(true)?;
        let (mut iv, mut salt) = ([0_u8; 12], [0_u8; 16]);
        for bytes in [&mut iv[..], &mut salt[..]] {
            getrandom::fill(bytes).map_err(|error| VaultError::Random(error.to_string()))?;
        }
        let data = cipher(&material, &salt)
            .encrypt(Nonce::from_slice(&iv), text.as_bytes())
            .map_err(|_| VaultError::Encrypt { vault: self.name.clone() })?;
        let envelope = Envelope {
            iv: STANDARD.encode(iv),
            data: STANDARD.encode(data),
            salt: STANDARD.encode(salt),
            version: VERSION,
        };
        let text = serde_json::to_string_pretty(&envelope)
            .map_err(|_| VaultError::Encrypt { vault: self.name.clone() })?;
        marsh_fs::atomic_write_private(&path, text.as_bytes(), Durability::Synced)?;
        marsh_fs::sync_dir(dir)?;
        Ok(())
    }

    /// `None`: there is no such file.
    fn read(&self, part: Part, key: &str) -> Result<Option<Secret>, VaultError> {
        let path = self.path(part, key)?;
        let text = match marsh_fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(VaultError::read(&path, error)),
        };
        let damaged = |reason: String| VaultError::DamagedSecret { path: path.clone(), reason };
        let envelope: Envelope = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if envelope.version != VERSION {
            return Err(damaged(format!("unknown version {}, expected {VERSION}", envelope.version)));
        }
        let decode = |what: &str, text: &str| {
            STANDARD.decode(text).map_err(|_| damaged(format!("invalid Base64 in `{what}`")))
        };
        let (iv, salt) = (decode("iv", &envelope.iv)?, decode("salt", &envelope.salt)?);
        if iv.len() != 12 {
            return Err(damaged(format!("`iv` has {} bytes, expected 12", iv.len())));
        }
        let data = decode("data", &envelope.data)?;
        let material = self.material(false)?;
        let wrong = || VaultError::WrongKey { vault: self.name.clone(), path: path.clone() };
        let plain =
            cipher(&material, &salt).decrypt(Nonce::from_slice(&iv), data.as_slice()).map_err(|_| wrong())?;
        String::from_utf8(plain).map(|text| Some(Secret::new(text))).map_err(|_| wrong())
    }

    fn read_json<T: DeserializeOwned>(&self, part: Part, key: &str) -> Result<Option<T>, VaultError> {
        let Some(text) = self.read(part, key)? else { return Ok(None) };
        let parsed = serde_json::from_str(text.expose());
        // The parser's message would show what it could not parse.
        let damaged = |path| VaultError::DamagedSecret {
            path,
            reason: "its content has an unexpected shape".to_owned(),
        };
        parsed.map(Some).or_else(|_| Err(damaged(self.path(part, key)?)))
    }

    fn write_json<T: Serialize>(&self, part: Part, key: &str, value: Option<&T>) -> Result<(), VaultError> {
        match value {
            Some(value) => {
                let text = serde_json::to_string(value)
                    .map_err(|_| VaultError::Encrypt { vault: self.name.clone() })?;
                self.write(part, key, &text)
            }
            None => {
                marsh_fs::remove_file_if_exists(&self.path(part, key)?)?;
                Ok(())
            }
        }
    }
}

fn cipher(material: &[u8], salt: &[u8]) -> Aes256Gcm {
    let mut key = Zeroizing::new([0_u8; 32]);
    pbkdf2::pbkdf2_hmac::<Sha256>(material, salt, ITERATIONS, key.as_mut());
    Aes256Gcm::new(key.as_ref().into())
}

impl Vault for LocalEncryption {
    fn name(&self) -> &str {
        &self.name
    }

    fn vault_type(&self) -> &str {
        LOCAL_ENCRYPTION
    }

    fn support(&self) -> Support {
        Support { delete: true, annotations: true, refresh: true }
    }

    fn get(&self, key: &str) -> Result<Secret, VaultError> {
        let missing = || VaultError::NoSuchSecret { vault: self.name.clone(), key: key.to_owned() };
        self.read(Part::Value, key)?.ok_or_else(missing)
    }

    fn put(&self, key: &str, value: &Secret, _tags: &BTreeMap<String, String>) -> Result<(), VaultError> {
        self.write(Part::Value, key, value.expose())
    }

    fn list(&self) -> Result<Vec<String>, VaultError> {
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(VaultError::read(&self.dir, error)),
        };
        let mut keys = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| VaultError::read(&self.dir, error))?;
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            if let Some(key) = entry.file_name().to_str().and_then(|name| name.strip_suffix(".enc"))
                && is_file
            {
                keys.push(key.to_owned());
            }
        }
        keys.sort();
        Ok(keys)
    }

    fn delete(&self, key: &str) -> Result<bool, VaultError> {
        // Annotation and refresh command go first, so that a crash leaves none of a secret that is gone.
        for part in [Part::Annotation, Part::Refresh] {
            marsh_fs::remove_file_if_exists(&self.path(part, key)?)?;
        }
        Ok(marsh_fs::remove_file_if_exists(&self.path(Part::Value, key)?)?)
    }

    fn annotation(&self, key: &str) -> Result<Option<Annotation>, VaultError> {
        self.read_json(Part::Annotation, key)
    }

    fn set_annotation(&self, key: &str, annotation: Option<&Annotation>) -> Result<(), VaultError> {
        self.write_json(Part::Annotation, key, annotation)
    }

    fn refresh_hook(&self, key: &str) -> Result<Option<RefreshHook>, VaultError> {
        self.read_json(Part::Refresh, key)
    }

    fn set_refresh_hook(&self, key: &str, hook: Option<&RefreshHook>) -> Result<(), VaultError> {
        self.write_json(Part::Refresh, key, hook)
    }
}
