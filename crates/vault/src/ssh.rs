//! SSH private keys as the keys of vaults.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::VaultError;

/// The decoded body of an unencrypted private key that only its owner may read.
pub(crate) fn key_material(path: &Path) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let refuse = |reason| VaultError::UnusableKey { path: path.to_path_buf(), reason };
    let metadata = std::fs::metadata(path).map_err(|error| VaultError::read(path, error))?;
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        return Err(refuse("other users can read it: run `chmod 600` on it"));
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|error| VaultError::read(path, error))?);
    if text.contains("ENCRYPTED") {
        return Err(refuse("it is protected by a passphrase"));
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("-----"));
    let body: Zeroizing<String> = Zeroizing::new(lines.collect());
    let bytes = STANDARD.decode(body.as_bytes()).map_err(|_| refuse("its body is not Base64"))?;
    let bytes = Zeroizing::new(bytes);
    if bytes.is_empty() {
        return Err(refuse("it is empty"));
    }
    if is_encrypted_openssh(&bytes) {
        return Err(refuse("it is protected by a passphrase"));
    }
    Ok(bytes)
}

/// OpenSSH key files begin with a magic text and the name of the cipher.
fn is_encrypted_openssh(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(b"openssh-key-v1\0") else { return false };
    !rest.starts_with(b"\0\0\0\x04none")
}
