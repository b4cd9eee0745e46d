//! Subresource integrity: the strongest digest that is stated, checked before anything looks into the bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// `sha512-…` or `sha1-…`: one digest in SRI form. `None` if `text` states none that is known.
pub(crate) fn strongest(text: &str) -> Option<&str> {
    let rank = |one: &&str| match one.split_once('-')?.0 {
        "sha512" => Some(4),
        "sha384" => Some(3),
        "sha256" => Some(2),
        "sha1" => Some(1),
        _ => None,
    };
    text.split_whitespace().filter(|one| rank(one).is_some()).max_by_key(rank)
}

/// A registry's old `shasum` (hex SHA-1) in SRI form.
pub(crate) fn from_shasum(shasum: &str) -> Option<String> {
    decode_hex(shasum)
        .filter(|bytes| bytes.len() == 20)
        .map(|bytes| format!("sha1-{}", STANDARD.encode(bytes)))
}

/// `Err` holds what `bytes` have, in the same form.
pub(crate) fn verify(bytes: &[u8], integrity: &str) -> Result<(), String> {
    let Some((algorithm, expected)) = integrity.split_once('-') else {
        return Err("no digest".to_owned());
    };
    // SRI allows options after the digest, which mean nothing here.
    let expected = expected.split('?').next().unwrap_or(expected);
    let actual = match algorithm {
        "sha512" => Sha512::digest(bytes).to_vec(),
        "sha384" => Sha384::digest(bytes).to_vec(),
        "sha256" => Sha256::digest(bytes).to_vec(),
        "sha1" => Sha1::digest(bytes).to_vec(),
        other => return Err(format!("unknown algorithm {other}")),
    };
    // Compared as bytes, because base64 has more than one spelling.
    if STANDARD.decode(expected).is_ok_and(|expected| expected == actual) {
        return Ok(());
    }
    Err(format!("{algorithm}-{}", STANDARD.encode(actual)))
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifies_the_strongest() {
        let sha1 = from_shasum("a9993e364706816aba3e25717850c26c9cd0d89d").unwrap();
        assert_eq!(sha1, "sha1-qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
        assert_eq!(verify(b"abc", &sha1), Ok(()));
        assert_eq!(verify(b"abd", &sha1).unwrap_err().len(), sha1.len());
        let both = format!("{sha1} sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        let best = strongest(&both).unwrap();
        assert!(best.starts_with("sha256-"));
        assert_eq!(verify(b"abc", best), Ok(()));
        assert_eq!(strongest("md5-abc"), None);
        assert!(verify(b"abc", "sha512-").is_err());
    }
}
