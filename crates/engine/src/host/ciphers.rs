//! Operations with keys: signatures, HMAC, encryption, agreement, key derivation; over RustCrypto.

use std::sync::Arc;

use aes::cipher::block_padding::{NoPadding, Pkcs7};
use aes::cipher::{BlockDecryptMut, BlockEncryptMut, KeyInit, KeyIvInit, StreamCipher};
use aes::{Aes128, Aes192, Aes256};
use aes_gcm::AesGcm;
use aes_gcm::aead::consts::{U12, U13, U14, U15, U16};
use aes_gcm::aead::{Aead, Payload};
use ed25519_dalek::Signer as _;
use hmac::{Hmac, Mac};
use md5::Md5;
use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use rsa::rand_core::OsRng;
use rsa::{Oaep, Pkcs1v15Sign, Pss};
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::gate::{
    Args, Completer, Cost, Determinism, Env, ErrorClass, HostError, HostResult, NONE, Operation, Val, plain,
    start,
};
use crate::host::algorithms::{CipherMode, DigestAlgorithm, KeyDerivation, SignatureScheme};
use crate::host::keys::{Private, Public};

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("crypto.sign", NONE, Determinism::ReadsWorld, Cost::Compute, sign),
    plain("crypto.verify", NONE, Determinism::Pure, Cost::Compute, verify),
    plain("crypto.hmac", NONE, Determinism::Pure, Cost::Compute, hmac),
    plain("crypto.cipher", NONE, Determinism::Pure, Cost::Compute, cipher),
    plain("crypto.oaep", NONE, Determinism::ReadsWorld, Cost::Compute, oaep),
    plain("crypto.agree", NONE, Determinism::Pure, Cost::Compute, agree),
    start("crypto.derive", NONE, Determinism::Pure, Cost::Compute, derive),
];

fn failed(error: impl std::fmt::Display) -> HostError {
    HostError::new(ErrorClass::DomOperationError, error.to_string())
}

/// Run `$body` with `$D` as the digest of that algorithm.
macro_rules! with_hash {
    ($algorithm:expr, $D:ident => $body:expr) => {{
        match $algorithm {
            DigestAlgorithm::Md5 => {
                type $D = Md5;
                $body
            }
            DigestAlgorithm::Sha1 => {
                type $D = Sha1;
                $body
            }
            DigestAlgorithm::Sha224 => {
                type $D = Sha224;
                $body
            }
            DigestAlgorithm::Sha256 => {
                type $D = Sha256;
                $body
            }
            DigestAlgorithm::Sha384 => {
                type $D = Sha384;
                $body
            }
            DigestAlgorithm::Sha512 => {
                type $D = Sha512;
                $body
            }
        }
    }};
}

/// `(scheme, hash, PKCS#8, data, salt length)`; a scheme is "pkcs1", "pss", "ecdsa", "ecdsa-der" or "ed25519".
fn sign(_env: &Env, args: &Args) -> HostResult {
    let (scheme, data) = (SignatureScheme::parse(args.str(0)?)?, args.bytes(3)?);
    // Ed25519 has a digest of its own.
    let hash = || args.str(1).and_then(DigestAlgorithm::parse);
    let signature = match (Private::from_pkcs8(args.bytes(2)?)?, scheme) {
        (Private::Rsa(key), SignatureScheme::Pkcs1) => with_hash!(hash()?, D => {
            key.sign_with_rng(&mut OsRng, Pkcs1v15Sign::new::<D>(), &D::digest(data)).map_err(failed)
        })?,
        (Private::Rsa(key), SignatureScheme::Pss) => with_hash!(hash()?, D => {
            let salt = args.num(4).map_or(<D as Digest>::output_size(), |salt| salt as usize);
            key.sign_with_rng(&mut OsRng, Pss::new_blinded_with_salt::<D>(salt), &D::digest(data)).map_err(failed)
        })?,
        (Private::P256(key), SignatureScheme::Ecdsa | SignatureScheme::EcdsaDer) => {
            let signature: p256::ecdsa::Signature = with_hash!(hash()?, D => {
                p256::ecdsa::SigningKey::from(&key).sign_prehash(&D::digest(data)).map_err(failed)
            })?;
            if scheme == SignatureScheme::Ecdsa {
                signature.to_vec()
            } else {
                signature.to_der().as_bytes().to_vec()
            }
        }
        (Private::P384(key), SignatureScheme::Ecdsa | SignatureScheme::EcdsaDer) => {
            let signature: p384::ecdsa::Signature = with_hash!(hash()?, D => {
                p384::ecdsa::SigningKey::from(key).sign_prehash(&D::digest(data)).map_err(failed)
            })?;
            if scheme == SignatureScheme::Ecdsa {
                signature.to_vec()
            } else {
                signature.to_der().as_bytes().to_vec()
            }
        }
        (Private::Ed(key), SignatureScheme::Ed25519) => key.sign(data).to_bytes().to_vec(),
        _ => return Err(mismatch()),
    };
    Ok(Val::Bytes(signature))
}

fn mismatch() -> HostError {
    HostError::new(ErrorClass::DomInvalidAccessError, "the key is not one for this algorithm")
}

/// `(scheme, hash, SPKI, signature, data, salt length)`
fn verify(_env: &Env, args: &Args) -> HostResult {
    let (scheme, signature, data) = (SignatureScheme::parse(args.str(0)?)?, args.bytes(3)?, args.bytes(4)?);
    let hash = || args.str(1).and_then(DigestAlgorithm::parse);
    let good = match (Public::from_spki(args.bytes(2)?)?, scheme) {
        (Public::Rsa(key), SignatureScheme::Pkcs1) => with_hash!(hash()?, D => {
            Ok(key.verify(Pkcs1v15Sign::new::<D>(), &D::digest(data), signature).is_ok())
        })?,
        (Public::Rsa(key), SignatureScheme::Pss) => with_hash!(hash()?, D => {
            let salt = args.num(5).map_or(<D as Digest>::output_size(), |salt| salt as usize);
            Ok(key.verify(Pss::new_with_salt::<D>(salt), &D::digest(data), signature).is_ok())
        })?,
        (Public::P256(key), SignatureScheme::Ecdsa | SignatureScheme::EcdsaDer) => {
            let read = if scheme == SignatureScheme::Ecdsa {
                p256::ecdsa::Signature::from_slice(signature)
            } else {
                p256::ecdsa::Signature::from_der(signature)
            };
            let key = p256::ecdsa::VerifyingKey::from(&key);
            with_hash!(hash()?, D => {
                Ok(read.is_ok_and(|read| key.verify_prehash(&D::digest(data), &read).is_ok()))
            })?
        }
        (Public::P384(key), SignatureScheme::Ecdsa | SignatureScheme::EcdsaDer) => {
            let read = if scheme == SignatureScheme::Ecdsa {
                p384::ecdsa::Signature::from_slice(signature)
            } else {
                p384::ecdsa::Signature::from_der(signature)
            };
            let key = p384::ecdsa::VerifyingKey::from(&key);
            with_hash!(hash()?, D => {
                Ok(read.is_ok_and(|read| key.verify_prehash(&D::digest(data), &read).is_ok()))
            })?
        }
        (Public::Ed(key), SignatureScheme::Ed25519) => ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify_strict(data, &signature).is_ok()),
        _ => return Err(mismatch()),
    };
    Ok(Val::Bool(good))
}

/// `(hash, key, data)`
fn hmac(_env: &Env, args: &Args) -> HostResult {
    with_hash!(DigestAlgorithm::parse(args.str(0)?)?, D => {
        let mut mac = <Hmac<D> as Mac>::new_from_slice(args.bytes(1)?).map_err(failed)?;
        mac.update(args.bytes(2)?);
        Ok(Val::Bytes(mac.finalize().into_bytes().to_vec()))
    })
}

/// Run `$body` with `$C` as AES of the key's size.
macro_rules! with_aes {
    ($key:expr, $C:ident => $body:expr) => {
        match $key.len() {
            16 => {
                type $C = Aes128;
                $body
            }
            24 => {
                type $C = Aes192;
                $body
            }
            32 => {
                type $C = Aes256;
                $body
            }
            _ => Err(HostError::new(ErrorClass::DomDataError, "an AES key has 128, 192 or 256 bits")),
        }
    };
}

/// Run AES-GCM with an iv of `$N` and a tag of `$T` bytes.
macro_rules! gcm {
    ($C:ident, $N:ident, $T:ident, $encrypt:expr, $key:expr, $iv:expr, $payload:expr) => {{
        let gcm = AesGcm::<$C, $N, $T>::new_from_slice($key).map_err(failed)?;
        let done =
            if $encrypt { gcm.encrypt($iv.into(), $payload) } else { gcm.decrypt($iv.into(), $payload) };
        done.map_err(refused)
    }};
}

/// The data under a key stream, which encrypts and decrypts alike.
fn applied<S: StreamCipher, E: std::fmt::Display>(
    stream: Result<S, E>,
    data: &[u8],
) -> Result<Vec<u8>, HostError> {
    let mut out = data.to_vec();
    stream.map_err(failed)?.try_apply_keystream(&mut out).map_err(failed)?;
    Ok(out)
}

/// `(mode, encrypt?, key, iv, data, additional data for "gcm", bytes of its tag)`; the tag of GCM follows the text, as on
/// the web.
fn cipher(_env: &Env, args: &Args) -> HostResult {
    let (mode, encrypt) = (CipherMode::parse(args.str(0)?)?, args.bool(1));
    let (key, iv, data) = (args.bytes(2)?, args.bytes(3)?, args.bytes(4)?);
    let out = match mode {
        CipherMode::Gcm => {
            let payload = Payload { msg: data, aad: if args.is_none(5) { &[] } else { args.bytes(5)? } };
            let tag = args.num(6).map_or(16, |tag| tag as usize);
            with_aes!(key, C => match (iv.len(), tag) {
                (12, 16) => gcm!(C, U12, U16, encrypt, key, iv, payload),
                (12, 15) => gcm!(C, U12, U15, encrypt, key, iv, payload),
                (12, 14) => gcm!(C, U12, U14, encrypt, key, iv, payload),
                (12, 13) => gcm!(C, U12, U13, encrypt, key, iv, payload),
                (12, 12) => gcm!(C, U12, U12, encrypt, key, iv, payload),
                (16, 16) => gcm!(C, U16, U16, encrypt, key, iv, payload),
                (12 | 16, _) => Err(HostError::unsupported(&format!(
                    "AES-GCM with a tag of {} bits and an iv of {} bytes", tag * 8, iv.len()
                ))),
                _ => Err(HostError::unsupported("AES-GCM with an iv that has neither 12 nor 16 bytes")),
            })
        }
        CipherMode::Cbc => with_aes!(key, C => {
            if encrypt {
                let cbc = cbc::Encryptor::<C>::new_from_slices(key, iv).map_err(failed)?;
                Ok(cbc.encrypt_padded_vec_mut::<Pkcs7>(data))
            } else {
                let cbc = cbc::Decryptor::<C>::new_from_slices(key, iv).map_err(failed)?;
                cbc.decrypt_padded_vec_mut::<Pkcs7>(data).map_err(refused)
            }
        }),
        CipherMode::CbcUnpadded => with_aes!(key, C => {
            if !data.len().is_multiple_of(16) {
                return Err(failed("wrong final block length"));
            }
            if encrypt {
                let cbc = cbc::Encryptor::<C>::new_from_slices(key, iv).map_err(failed)?;
                Ok(cbc.encrypt_padded_vec_mut::<NoPadding>(data))
            } else {
                let cbc = cbc::Decryptor::<C>::new_from_slices(key, iv).map_err(failed)?;
                cbc.decrypt_padded_vec_mut::<NoPadding>(data).map_err(refused)
            }
        }),
        CipherMode::Ctr32 => with_aes!(key, C => applied(ctr::Ctr32BE::<C>::new_from_slices(key, iv), data)),
        CipherMode::Ctr64 => with_aes!(key, C => applied(ctr::Ctr64BE::<C>::new_from_slices(key, iv), data)),
        CipherMode::Ctr128 => {
            with_aes!(key, C => applied(ctr::Ctr128BE::<C>::new_from_slices(key, iv), data))
        }
    };
    out.map(Val::Bytes)
}

/// `(hash, encrypt?, key, data, label)`: RSA-OAEP, with a public key as SPKI to encrypt and a private one as PKCS#8 to
/// decrypt. Decryption is blinded.
fn oaep(_env: &Env, args: &Args) -> HostResult {
    let (hash, encrypt, data) = (DigestAlgorithm::parse(args.str(0)?)?, args.bool(1), args.bytes(3)?);
    let label = if args.is_none(4) { &[] } else { args.bytes(4)? };
    // The crate takes text.
    let label = std::str::from_utf8(label)
        .map_err(|_| HostError::unsupported("RSA-OAEP with a label that is not UTF-8"))?;
    let padding = with_hash!(hash, D => Ok(Oaep { label: (!label.is_empty()).then(|| label.to_owned()), ..Oaep::new::<D>() }))?;
    let out = if encrypt {
        let Public::Rsa(key) = Public::from_spki(args.bytes(2)?)? else { return Err(mismatch()) };
        key.encrypt(&mut OsRng, padding, data).map_err(failed)?
    } else {
        let Private::Rsa(key) = Private::from_pkcs8(args.bytes(2)?)? else { return Err(mismatch()) };
        key.decrypt_blinded(&mut OsRng, padding, data).map_err(refused)?
    };
    Ok(Val::Bytes(out))
}

/// `(PKCS#8, SPKI)` to the secret that the owners of both keys share (ECDH).
fn agree(_env: &Env, args: &Args) -> HostResult {
    let secret = match (Private::from_pkcs8(args.bytes(0)?)?, Public::from_spki(args.bytes(1)?)?) {
        (Private::P256(own), Public::P256(other)) => {
            p256::ecdh::diffie_hellman(own.to_nonzero_scalar(), other.as_affine()).raw_secret_bytes().to_vec()
        }
        (Private::P384(own), Public::P384(other)) => {
            p384::ecdh::diffie_hellman(own.to_nonzero_scalar(), other.as_affine()).raw_secret_bytes().to_vec()
        }
        _ => return Err(mismatch()),
    };
    Ok(Val::Bytes(secret))
}

/// One message for every cause: naming the cause would help an attacker.
fn refused<E>(_: E) -> HostError {
    failed("the data could not be decrypted")
}

/// `("pbkdf2", hash, password, salt, length, iterations)`, `("hkdf", hash, key, salt, length, info)` or
/// `("scrypt", "", password, salt, length, log2 N, r, p)`. On the pool even when called synchronously, so that
/// a call can be ended in the middle of it.
fn derive(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let limit = env.shared.heap.limit();
    crate::io::handle()?.spawn_blocking(move || done.done(derive_now(&args, limit)));
    Ok(())
}

fn derive_now(args: &Args, limit: usize) -> HostResult {
    let (secret, salt) = (args.bytes(2)?, args.bytes(3)?);
    // scrypt has a digest of its own.
    let hash = || args.str(1).and_then(DigestAlgorithm::parse);
    let size = args.num(4)? as usize;
    if size > limit {
        return Err(HostError::new(ErrorClass::RangeError, "the key would not fit the memory limit"));
    }
    let mut out = vec![0_u8; size];
    match KeyDerivation::parse(args.str(0)?)? {
        KeyDerivation::Pbkdf2 => {
            let rounds = args.num(5)? as u32;
            if rounds == 0 {
                return Err(failed("PBKDF2 needs at least one iteration"));
            }
            with_hash!(hash()?, D => {
                pbkdf2::pbkdf2_hmac::<D>(secret, salt, rounds, &mut out);
                Ok(())
            })?;
        }
        KeyDerivation::Hkdf => {
            let info = args.bytes(5)?;
            with_hash!(hash()?, D => hkdf::Hkdf::<D>::new(Some(salt), secret).expand(info, &mut out).map_err(failed))?;
        }
        KeyDerivation::Scrypt => {
            let (log_n, r, p) = (args.num(5)? as u8, args.num(6)? as u32, args.num(7)? as u32);
            let wanted = 128_usize.checked_shl(log_n.into()).and_then(|n| n.checked_mul(r as usize));
            if log_n > 30 || wanted.is_none_or(|wanted| wanted > limit) {
                return Err(HostError::new(
                    ErrorClass::RangeError,
                    "scrypt would need more than the memory limit",
                ));
            }
            let params = scrypt::Params::new(log_n, r, p, 32).map_err(failed)?;
            scrypt::scrypt(secret, salt, &params, &mut out).map_err(failed)?;
        }
    }
    Ok(Val::Bytes(out))
}
