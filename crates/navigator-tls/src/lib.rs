//! The client's side of TLS, for whoever asks another service over HTTP: Keystone, Nova, or an agent
//! its server. In: an HTTP connector and the options that Keystone's clients have. Out: a connector
//! for `http://` and `https://`.
//!
//! It never decides whom to ask, and it accepts a certificate that nobody vouches for only where the
//! operator wrote `insecure = true`.

mod options;
mod unverified;

use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer};

use options::ClientCertificate;
pub use options::TlsOptions;
use unverified::Unverified;

/// Speaks to `http://` in the clear, to `https://` by TLS.
pub type Connector = HttpsConnector<HttpConnector>;

/// What is spoken over the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    Http1,
    /// Only this: a proxy in front of the server has to offer `h2` (ALPN).
    Http2,
}

/// A configuration that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{option} = {file}: {reason}")]
    File { option: &'static str, file: String, reason: String },
    #[error("keyfile is the key of certfile, which is missing")]
    KeyWithoutCertificate,
    #[error("certfile and keyfile: {0}")]
    Certificate(rustls::Error),
    #[error(
        "this system has no certificates of authorities ({0}): install ca-certificates, or name \
         them in cafile"
    )]
    NoAuthorities(String),
    #[error("TLS: {0}")]
    Library(rustls::Error),
}

/// A connector for one service. Files are read now, and only if `url` wants TLS.
pub fn connector(
    url: &str,
    mut http: HttpConnector,
    spoken: Spoken,
    options: &TlsOptions,
) -> Result<Connector, TlsError> {
    http.enforce_http(false);
    let config = if is_https(url) { config(options)? } else { unused()? };
    let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
    Ok(match spoken {
        Spoken::Http1 => builder.enable_http1().wrap_connector(http),
        Spoken::Http2 => builder.enable_http2().wrap_connector(http),
    })
}

/// Schemes are written in any case.
pub fn is_https(url: &str) -> bool {
    url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

fn builder() -> Result<Builder, TlsError> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Library)
}

/// Of a service that is spoken to in the clear: trusts nobody.
fn unused() -> Result<ClientConfig, TlsError> {
    Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn config(options: &TlsOptions) -> Result<ClientConfig, TlsError> {
    let builder = if options.insecure {
        tracing::warn!("insecure = true: who the other end is, is not verified");
        let verifier = Arc::new(Unverified::default());
        builder()?.dangerous().with_custom_certificate_verifier(verifier)
    } else {
        builder()?.with_root_certificates(authorities(options)?)
    };
    match options.client_certificate()? {
        None => Ok(builder.with_no_client_auth()),
        Some(ClientCertificate { chain, key }) => {
            builder.with_client_auth_cert(chain, key).map_err(TlsError::Certificate)
        }
    }
}

/// Those of `cafile` alone, or those that the system trusts.
fn authorities(options: &TlsOptions) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    match options.authorities()? {
        Some(named) => {
            for certificate in named {
                store.add(certificate).map_err(TlsError::Library)?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            let certificates: Vec<CertificateDer<'static>> = found.certs;
            store.add_parsable_certificates(certificates);
            if store.is_empty() {
                let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
                return Err(TlsError::NoAuthorities(errors.join("; ")));
            }
        }
    }
    Ok(store)
}

#[cfg(test)]
mod tests;
