//! Asymmetric keys: reading, writing and making them. Between JavaScript and here a key travels as DER: PKCS#8 if it is
//! private, SPKI if it is public.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use rsa::BigUint;
use rsa::pkcs1::{DecodeRsaPrivateKey, DecodeRsaPublicKey};
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use rsa::rand_core::OsRng;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde::{Deserialize, Serialize};

use crate::gate::{
    Args, Cost, Determinism, Env, ErrorClass, HostError, HostResult, NONE, Operation, Val, plain,
};
use crate::host::algorithms::{KeyFormat, KeyKind};

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("key.import", NONE, Determinism::Pure, Cost::Compute, import),
    plain("key.export", NONE, Determinism::Pure, Cost::Compute, export),
    plain("key.public", NONE, Determinism::Pure, Cost::Compute, public_of),
    plain("key.generate", NONE, Determinism::ReadsWorld, Cost::Compute, generate),
];

pub(crate) enum Private {
    Rsa(Box<RsaPrivateKey>),
    P256(p256::SecretKey),
    P384(p384::SecretKey),
    Ed(Box<ed25519_dalek::SigningKey>),
}

pub(crate) enum Public {
    Rsa(RsaPublicKey),
    P256(p256::PublicKey),
    P384(p384::PublicKey),
    Ed(ed25519_dalek::VerifyingKey),
}

/// The members of a JSON Web Key that matter here.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Jwk {
    kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    d: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    q: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dq: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qi: Option<String>,
}

impl Jwk {
    fn kind(&self) -> Result<KeyKind, HostError> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Ok(KeyKind::Rsa),
            ("EC", Some("P-256")) => Ok(KeyKind::P256),
            ("EC", Some("P-384")) => Ok(KeyKind::P384),
            ("OKP", Some("Ed25519")) => Ok(KeyKind::Ed25519),
            _ => Err(invalid()),
        }
    }
}

fn invalid() -> HostError {
    HostError::new(
        ErrorClass::DomDataError,
        "the key data is not valid, or not of a kind that marsh's engine knows",
    )
}

fn bad<E>(_: E) -> HostError {
    invalid()
}

fn failed(error: impl std::fmt::Display) -> HostError {
    HostError::new(ErrorClass::DomOperationError, error.to_string())
}

impl Private {
    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Private, HostError> {
        if let Ok(key) = RsaPrivateKey::from_pkcs8_der(der) {
            return Ok(Private::Rsa(Box::new(key)));
        }
        if let Ok(key) = p256::SecretKey::from_pkcs8_der(der) {
            return Ok(Private::P256(key));
        }
        if let Ok(key) = p384::SecretKey::from_pkcs8_der(der) {
            return Ok(Private::P384(key));
        }
        ed25519_dalek::SigningKey::from_pkcs8_der(der).map(|key| Private::Ed(Box::new(key))).map_err(bad)
    }

    fn from_jwk(jwk: &Jwk) -> Result<Private, HostError> {
        let d = bytes(&jwk.d)?;
        match jwk.kind()? {
            KeyKind::Rsa => {
                let primes = match (&jwk.p, &jwk.q) {
                    (Some(_), Some(_)) => vec![number(&jwk.p)?, number(&jwk.q)?],
                    _ => Vec::new(),
                };
                let made = RsaPrivateKey::from_components(
                    number(&jwk.n)?,
                    number(&jwk.e)?,
                    BigUint::from_bytes_be(&d),
                    primes,
                );
                Ok(Private::Rsa(Box::new(made.map_err(bad)?)))
            }
            KeyKind::P256 => p256::SecretKey::from_slice(&d).map(Private::P256).map_err(bad),
            KeyKind::P384 => p384::SecretKey::from_slice(&d).map(Private::P384).map_err(bad),
            KeyKind::Ed25519 => {
                let seed: [u8; 32] = d.try_into().map_err(bad)?;
                Ok(Private::Ed(Box::new(ed25519_dalek::SigningKey::from_bytes(&seed))))
            }
        }
    }

    fn to_pkcs8(&self) -> Result<Vec<u8>, HostError> {
        let der = match self {
            Private::Rsa(key) => key.to_pkcs8_der(),
            Private::P256(key) => key.to_pkcs8_der(),
            Private::P384(key) => key.to_pkcs8_der(),
            // Without the public half: that is version 2 of the format, which few others read.
            Private::Ed(key) => {
                ed25519_dalek::pkcs8::KeypairBytes { secret_key: key.to_bytes(), public_key: None }
                    .to_pkcs8_der()
            }
        };
        Ok(der.map_err(failed)?.as_bytes().to_vec())
    }

    fn public(&self) -> Public {
        match self {
            Private::Rsa(key) => Public::Rsa(key.to_public_key()),
            Private::P256(key) => Public::P256(key.public_key()),
            Private::P384(key) => Public::P384(key.public_key()),
            Private::Ed(key) => Public::Ed(key.verifying_key()),
        }
    }

    fn jwk(&self) -> Jwk {
        let mut jwk = self.public().jwk();
        match self {
            Private::Rsa(key) => {
                let primes: Vec<_> = key.primes().iter().map(base64_number).collect();
                jwk.d = Some(base64_number(key.d()));
                if let [p, q] = &primes[..] {
                    jwk.p = Some(p.clone());
                    jwk.q = Some(q.clone());
                    jwk.dp = key.dp().map(base64_number);
                    jwk.dq = key.dq().map(base64_number);
                    jwk.qi = key.qinv().map(|qi| URL_SAFE_NO_PAD.encode(qi.to_bytes_be().1));
                }
            }
            Private::P256(key) => jwk.d = Some(URL_SAFE_NO_PAD.encode(key.to_bytes())),
            Private::P384(key) => jwk.d = Some(URL_SAFE_NO_PAD.encode(key.to_bytes())),
            Private::Ed(key) => jwk.d = Some(URL_SAFE_NO_PAD.encode(key.to_bytes())),
        }
        jwk
    }
}

impl Public {
    pub(crate) fn from_spki(der: &[u8]) -> Result<Public, HostError> {
        if let Ok(key) = RsaPublicKey::from_public_key_der(der) {
            return Ok(Public::Rsa(key));
        }
        if let Ok(key) = p256::PublicKey::from_public_key_der(der) {
            return Ok(Public::P256(key));
        }
        if let Ok(key) = p384::PublicKey::from_public_key_der(der) {
            return Ok(Public::P384(key));
        }
        ed25519_dalek::VerifyingKey::from_public_key_der(der).map(Public::Ed).map_err(bad)
    }

    fn from_raw(kind: KeyKind, raw: &[u8]) -> Result<Public, HostError> {
        match kind {
            KeyKind::P256 => p256::PublicKey::from_sec1_bytes(raw).map(Public::P256).map_err(bad),
            KeyKind::P384 => p384::PublicKey::from_sec1_bytes(raw).map(Public::P384).map_err(bad),
            KeyKind::Ed25519 => {
                let raw: [u8; 32] = raw.try_into().map_err(bad)?;
                ed25519_dalek::VerifyingKey::from_bytes(&raw).map(Public::Ed).map_err(bad)
            }
            KeyKind::Rsa => Err(invalid()),
        }
    }

    fn from_jwk(jwk: &Jwk) -> Result<Public, HostError> {
        match jwk.kind()? {
            KeyKind::Rsa => RsaPublicKey::new(number(&jwk.n)?, number(&jwk.e)?).map(Public::Rsa).map_err(bad),
            curve @ (KeyKind::P256 | KeyKind::P384) => {
                let mut point = vec![4];
                point.extend(bytes(&jwk.x)?);
                point.extend(bytes(&jwk.y)?);
                Public::from_raw(curve, &point)
            }
            KeyKind::Ed25519 => Public::from_raw(KeyKind::Ed25519, &bytes(&jwk.x)?),
        }
    }

    fn to_spki(&self) -> Result<Vec<u8>, HostError> {
        let der = match self {
            Public::Rsa(key) => key.to_public_key_der(),
            Public::P256(key) => key.to_public_key_der(),
            Public::P384(key) => key.to_public_key_der(),
            Public::Ed(key) => key.to_public_key_der(),
        };
        Ok(der.map_err(failed)?.as_bytes().to_vec())
    }

    fn raw(&self) -> Result<Vec<u8>, HostError> {
        match self {
            Public::Rsa(_) => {
                Err(HostError::new(ErrorClass::DomNotSupportedError, "an RSA key has no raw form"))
            }
            Public::P256(key) => Ok(key.to_encoded_point(false).as_bytes().to_vec()),
            Public::P384(key) => Ok(key.to_encoded_point(false).as_bytes().to_vec()),
            Public::Ed(key) => Ok(key.to_bytes().to_vec()),
        }
    }

    fn jwk(&self) -> Jwk {
        match self {
            Public::Rsa(key) => Jwk {
                kty: "RSA".to_owned(),
                n: Some(base64_number(key.n())),
                e: Some(base64_number(key.e())),
                ..Jwk::default()
            },
            Public::P256(_) | Public::P384(_) => {
                let raw = self.raw().unwrap_or_default();
                let (x, y) = raw.get(1..).unwrap_or_default().split_at(raw.len() / 2);
                Jwk {
                    kty: "EC".to_owned(),
                    crv: Some(self.kind().as_str().to_owned()),
                    x: Some(URL_SAFE_NO_PAD.encode(x)),
                    y: Some(URL_SAFE_NO_PAD.encode(y)),
                    ..Jwk::default()
                }
            }
            Public::Ed(key) => Jwk {
                kty: "OKP".to_owned(),
                crv: Some("Ed25519".to_owned()),
                x: Some(URL_SAFE_NO_PAD.encode(key.to_bytes())),
                ..Jwk::default()
            },
        }
    }

    fn kind(&self) -> KeyKind {
        match self {
            Public::Rsa(_) => KeyKind::Rsa,
            Public::P256(_) => KeyKind::P256,
            Public::P384(_) => KeyKind::P384,
            Public::Ed(_) => KeyKind::Ed25519,
        }
    }
}

fn bytes(field: &Option<String>) -> Result<Vec<u8>, HostError> {
    let text = field.as_deref().ok_or_else(invalid)?;
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(bad)
}

fn number(field: &Option<String>) -> Result<BigUint, HostError> {
    bytes(field).map(|bytes| BigUint::from_bytes_be(&bytes))
}

fn base64_number(number: &BigUint) -> String {
    URL_SAFE_NO_PAD.encode(number.to_bytes_be())
}

fn describe(private: Option<&Private>, public: &Public) -> HostResult {
    let der = match private {
        Some(private) => private.to_pkcs8()?,
        None => public.to_spki()?,
    };
    let mut fields = vec![
        ("type", Val::Str(if private.is_some() { "private" } else { "public" }.to_owned())),
        ("kind", Val::Str(public.kind().as_str().to_owned())),
        ("bytes", Val::Bytes(der)),
    ];
    if let Public::Rsa(key) = public {
        fields.push(("bits", Val::Num(key.n().bits() as f64)));
        fields.push(("exponent", Val::Bytes(key.e().to_bytes_be())));
    }
    Ok(Val::Map(fields))
}

/// `(format, data, kind for raw)`, the format one of those of Web Crypto or "pem".
fn import(_env: &Env, args: &Args) -> HostResult {
    let private = |key: Private| describe(Some(&key), &key.public());
    match KeyFormat::parse(args.str(0)?)? {
        KeyFormat::Pkcs8 => private(Private::from_pkcs8(args.bytes(1)?)?),
        KeyFormat::Spki => describe(None, &Public::from_spki(args.bytes(1)?)?),
        KeyFormat::Raw => {
            let kind = KeyKind::parse(args.str(2)?).map_err(bad)?;
            describe(None, &Public::from_raw(kind, args.bytes(1)?)?)
        }
        KeyFormat::Jwk => {
            let jwk: Jwk = args.json(1)?;
            if jwk.d.is_some() {
                private(Private::from_jwk(&jwk)?)
            } else {
                describe(None, &Public::from_jwk(&jwk)?)
            }
        }
        KeyFormat::Pem => {
            let pem = args.str(1)?;
            if pem.contains("ENCRYPTED") {
                return Err(HostError::unsupported("an encrypted private key"));
            }
            if pem.contains("BEGIN RSA PRIVATE KEY") {
                let key = RsaPrivateKey::from_pkcs1_pem(pem.trim()).map_err(bad)?;
                return private(Private::Rsa(Box::new(key)));
            }
            if pem.contains("BEGIN EC PRIVATE KEY") {
                let p256 = p256::SecretKey::from_sec1_pem(pem.trim()).map(Private::P256);
                let key = p256.or_else(|_| p384::SecretKey::from_sec1_pem(pem.trim()).map(Private::P384));
                return private(key.map_err(bad)?);
            }
            if pem.contains("BEGIN RSA PUBLIC KEY") {
                let key = RsaPublicKey::from_pkcs1_pem(pem.trim()).map_err(bad)?;
                return describe(None, &Public::Rsa(key));
            }
            let der = pem_bytes(pem)?;
            if pem.contains("BEGIN PRIVATE KEY") {
                private(Private::from_pkcs8(&der)?)
            } else {
                describe(None, &Public::from_spki(&der)?)
            }
        }
    }
}

fn pem_bytes(pem: &str) -> Result<Vec<u8>, HostError> {
    let inside: String = pem.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    base64::engine::general_purpose::STANDARD.decode(inside).map_err(bad)
}

/// `(type, format, DER)` to bytes, or to JSON for "jwk".
fn export(_env: &Env, args: &Args) -> HostResult {
    let der = args.bytes(2)?;
    let text = |jwk: Jwk| serde_json::to_string(&jwk).map(Val::Str).map_err(failed);
    match (args.str(0)?, args.str(1)?) {
        ("private", "pkcs8") | ("public", "spki") => Ok(Val::Bytes(der.to_vec())),
        ("private", "jwk") => text(Private::from_pkcs8(der)?.jwk()),
        ("public", "jwk") => text(Public::from_spki(der)?.jwk()),
        ("public", "raw") => Public::from_spki(der)?.raw().map(Val::Bytes),
        (kind, format) => Err(HostError::new(
            ErrorClass::DomInvalidAccessError,
            format!("a {kind} key cannot be exported as '{format}'"),
        )),
    }
}

fn public_of(_env: &Env, args: &Args) -> HostResult {
    describe(None, &Private::from_pkcs8(args.bytes(0)?)?.public())
}

/// `(kind, bits for RSA)` to the private key.
fn generate(_env: &Env, args: &Args) -> HostResult {
    let key = match KeyKind::parse(args.str(0)?)? {
        KeyKind::Rsa => {
            let bits = args.num(1)? as usize;
            if !(1024..=8192).contains(&bits) {
                return Err(failed("an RSA key has 1024 to 8192 bits"));
            }
            Private::Rsa(Box::new(RsaPrivateKey::new(&mut OsRng, bits).map_err(failed)?))
        }
        KeyKind::P256 => Private::P256(p256::SecretKey::random(&mut OsRng)),
        KeyKind::P384 => Private::P384(p384::SecretKey::random(&mut OsRng)),
        KeyKind::Ed25519 => {
            let mut seed = [0_u8; 32];
            rsa::rand_core::RngCore::fill_bytes(&mut OsRng, &mut seed);
            Private::Ed(Box::new(ed25519_dalek::SigningKey::from_bytes(&seed)))
        }
    };
    describe(Some(&key), &key.public())
}
