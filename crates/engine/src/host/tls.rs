//! Whom TLS connections trust: the roots of Mozilla and of the system, and what the environment and the extension add.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use serde::Deserialize;

use crate::gate::{Env, ErrorClass, HostError};
use crate::lock::lock;

/// What a client wants beyond the defaults.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Trust {
    ca_certs: Vec<String>,
    cert: Option<String>,
    key: Option<String>,
    /// The extension asked for it by name (`rejectUnauthorized: false`).
    insecure: bool,
}

/// Files of further authorities, as Deno, OpenSSL and node name them.
pub(crate) const FILES: &[&str] = &["DENO_CERT", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"];

fn provider() -> Arc<CryptoProvider> {
    static RING: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    RING.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())).clone()
}

/// Reading the system's store takes milliseconds, so once per process, on first use.
fn base_roots() -> &'static RootCertStore {
    static BASE: OnceLock<RootCertStore> = OnceLock::new();
    BASE.get_or_init(|| {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        // What the system has but rustls cannot read is not trusted, as everywhere.
        let (_added, _ignored) =
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    })
}

fn add(roots: &mut RootCertStore, pem: &[u8], what: &str) -> Result<(), HostError> {
    let bad = |why: String| {
        HostError::new(ErrorClass::InvalidData, format!("{what} is not a list of certificates in PEM: {why}"))
    };
    let mut any = false;
    for cert in CertificateDer::pem_slice_iter(pem) {
        let cert = cert.map_err(|error| bad(error.to_string()))?;
        roots.add(cert).map_err(|error| bad(error.to_string()))?;
        any = true;
    }
    if any { Ok(()) } else { Err(bad("there is none in it".to_owned())) }
}

pub(crate) fn config(env: &Env, trust: &Trust) -> Result<ClientConfig, HostError> {
    let mut roots = base_roots().clone();
    for name in FILES {
        let Some(path) = lock(&env.vars).get(*name).cloned().filter(|path| !path.is_empty()) else {
            continue;
        };
        let pem = std::fs::read(env.path(&path))
            .map_err(|error| crate::errors::io(&error, &format!("{name} '{path}'")))?;
        add(&mut roots, &pem, &format!("{name} '{path}'"))?;
    }
    for pem in &trust.ca_certs {
        add(&mut roots, pem.as_bytes(), "a CA certificate")?;
    }
    let failed = |error: rustls::Error| HostError::type_error(error.to_string());
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let builder = if trust.insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(TrustAll(provider())))
    } else {
        builder.with_root_certificates(roots)
    };
    match (&trust.cert, &trust.key) {
        (Some(cert), Some(key)) => {
            let bad = |error: rustls::pki_types::pem::Error| {
                HostError::new(ErrorClass::InvalidData, error.to_string())
            };
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(cert.as_bytes()).collect();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(bad)?;
            builder.with_client_auth_cert(chain.map_err(bad)?, key).map_err(failed)
        }
        (None, None) => Ok(builder.with_no_client_auth()),
        _ => Err(HostError::type_error("a client certificate needs both 'cert' and 'key'")),
    }
}

/// The names node gives to what can be wrong with a certificate.
pub(crate) fn code(error: &rustls::Error) -> Option<&'static str> {
    use rustls::CertificateError as Bad;
    let rustls::Error::InvalidCertificate(bad) = error else { return Some("EPROTO") };
    Some(match bad {
        Bad::UnknownIssuer => "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        Bad::Expired | Bad::ExpiredContext { .. } => "CERT_HAS_EXPIRED",
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => "CERT_NOT_YET_VALID",
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => "ERR_TLS_CERT_ALTNAME_INVALID",
        _ => "CERT_REJECTED",
    })
}

/// Believes any certificate, but still wants the handshake signed by its key.
#[derive(Debug)]
struct TrustAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
