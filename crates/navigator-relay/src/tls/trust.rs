//! Whose word a target's certificate is taken on: the authorities of this host or of a file, or nobody's.

use std::{path::Path, sync::Arc};

use rustls::{
    DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::files::certificates;

/// Where hosts keep the authorities that they trust.
const SYSTEM: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// The authorities of this host, once they were needed.
#[derive(Default)]
pub(crate) struct Trusted(Option<Arc<RootCertStore>>);

impl Trusted {
    pub(super) fn get(&mut self) -> Result<Arc<RootCertStore>, String> {
        if let Some(known) = &self.0 {
            return Ok(Arc::clone(known));
        }
        let path = SYSTEM.iter().map(Path::new).find(|path| path.exists()).ok_or_else(|| {
            "connect_tls: this host has no list of authorities; name one with ca".to_owned()
        })?;
        let roots = authorities(path)?;
        self.0 = Some(Arc::clone(&roots));
        Ok(roots)
    }
}

pub(super) fn verifier(
    roots: Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, String> {
    WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
        .build()
        .map_err(|error| format!("connect_tls.ca: {error}"))
}

pub(super) fn authorities(path: &Path) -> Result<Arc<RootCertStore>, String> {
    let mut roots = RootCertStore::empty();
    // A host's list may have one that is not understood; a list without any is no list.
    let (added, _) = roots.add_parsable_certificates(certificates("connect_tls.ca", path)?);
    match added {
        0 => Err(format!("connect_tls.ca: {}: no certificate of an authority", path.display())),
        _ => Ok(Arc::new(roots)),
    }
}

/// Who was told so by name takes anybody for the target. That it has the key of the certificate that
/// it shows is checked all the same.
#[derive(Debug)]
pub(super) struct Anybody(pub(super) WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
