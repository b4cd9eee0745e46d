//! The names of cryptographic algorithms, parsed once from what JavaScript passes.

use crate::gate::HostError;

/// Declares a set of names: an enum, its parser, and what the error calls an unknown name.
macro_rules! names {
    ($(
        $(#[$doc:meta])* $Name:ident($what:literal) { $( $Variant:ident = $text:literal ),* $(,)? }
    )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $Name {
            $( $Variant ),*
        }

        impl $Name {
            pub(crate) fn parse(name: &str) -> Result<$Name, HostError> {
                match name {
                    $( $text => Ok($Name::$Variant), )*
                    _ => Err(HostError::unsupported(&format!(concat!($what, " '{}'"), name))),
                }
            }
        }
    )* };
}

names! {
    /// How a private key signs.
    SignatureScheme("the signature scheme") {
        Pkcs1 = "pkcs1",
        Pss = "pss",
        Ecdsa = "ecdsa",
        EcdsaDer = "ecdsa-der",
        Ed25519 = "ed25519",
    }
    /// The mode of AES.
    CipherMode("the cipher") {
        Gcm = "gcm",
        Cbc = "cbc",
        CbcUnpadded = "cbc-unpadded",
        Ctr32 = "ctr32",
        Ctr64 = "ctr64",
        Ctr128 = "ctr128",
    }
    /// How a key is derived from a secret.
    KeyDerivation("the derivation") {
        Pbkdf2 = "pbkdf2",
        Hkdf = "hkdf",
        Scrypt = "scrypt",
    }
    /// The kind of an asymmetric key.
    KeyKind("keys of the kind") {
        Rsa = "RSA",
        P256 = "P-256",
        P384 = "P-384",
        Ed25519 = "Ed25519",
    }
    /// The form in which a key is read.
    KeyFormat("the key format") {
        Pkcs8 = "pkcs8",
        Spki = "spki",
        Raw = "raw",
        Jwk = "jwk",
        Pem = "pem",
    }
}

impl KeyKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            KeyKind::Rsa => "RSA",
            KeyKind::P256 => "P-256",
            KeyKind::P384 => "P-384",
            KeyKind::Ed25519 => "Ed25519",
        }
    }
}

/// A digest, under the names of Web Crypto (`SHA-256`) and of Node (`sha256`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DigestAlgorithm {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl DigestAlgorithm {
    pub(crate) fn parse(name: &str) -> Result<DigestAlgorithm, HostError> {
        match name.to_ascii_lowercase().replace('-', "").as_str() {
            "md5" => Ok(DigestAlgorithm::Md5),
            "sha1" => Ok(DigestAlgorithm::Sha1),
            "sha224" => Ok(DigestAlgorithm::Sha224),
            "sha256" => Ok(DigestAlgorithm::Sha256),
            "sha384" => Ok(DigestAlgorithm::Sha384),
            "sha512" => Ok(DigestAlgorithm::Sha512),
            _ => Err(HostError::unsupported(&format!("the digest '{name}'"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CipherMode, DigestAlgorithm, KeyKind};

    #[test]
    fn digest_parses_under_the_names_of_the_web_and_of_node() {
        for name in ["SHA-256", "sha256", "Sha-256"] {
            assert_eq!(DigestAlgorithm::parse(name).unwrap(), DigestAlgorithm::Sha256);
        }
        let error = DigestAlgorithm::parse("sha3-256").unwrap_err();
        assert!(error.message.contains("the digest 'sha3-256'"), "{}", error.message);
    }

    #[test]
    fn key_kind_parses_back_and_an_unknown_cipher_is_named() {
        for kind in [KeyKind::Rsa, KeyKind::P256, KeyKind::P384, KeyKind::Ed25519] {
            assert_eq!(KeyKind::parse(kind.as_str()).unwrap(), kind);
        }
        let error = CipherMode::parse("ecb").unwrap_err();
        assert!(error.message.contains("the cipher 'ecb'"), "{}", error.message);
    }
}
