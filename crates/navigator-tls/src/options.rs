//! `cafile`, `certfile`, `keyfile` and `insecure`, as Keystone's clients name them, and the files that
//! they name.

use std::path::{Path, PathBuf};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde::Deserialize;

use crate::TlsError;

/// How one service is spoken to where its URL is `https://`. An empty path is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsOptions {
    /// PEM: the authorities that are trusted, instead of the system's.
    pub cafile: PathBuf,
    /// PEM: what we show, if the service wants to see a certificate; with those between it and the
    /// authority.
    pub certfile: PathBuf,
    /// PEM: the key of `certfile`; by default it is in that file.
    pub keyfile: PathBuf,
    /// Whoever answers is believed. For trying things out only.
    pub insecure: bool,
}

pub(crate) struct ClientCertificate {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

fn bad(option: &'static str, file: &Path, reason: impl std::fmt::Display) -> TlsError {
    TlsError::File { option, file: file.display().to_string(), reason: reason.to_string() }
}

/// At least one.
fn certificates(
    option: &'static str,
    file: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(file).map_err(|error| bad(option, file, error))?;
    let read = read.collect::<Result<Vec<_>, _>>().map_err(|error| bad(option, file, error))?;
    if read.is_empty() {
        return Err(bad(option, file, "there is no certificate in it"));
    }
    Ok(read)
}

fn is_set(path: &Path) -> bool {
    !path.as_os_str().is_empty()
}

impl TlsOptions {
    pub(crate) fn authorities(&self) -> Result<Option<Vec<CertificateDer<'static>>>, TlsError> {
        is_set(&self.cafile).then(|| certificates("cafile", &self.cafile)).transpose()
    }

    pub(crate) fn client_certificate(&self) -> Result<Option<ClientCertificate>, TlsError> {
        if !is_set(&self.certfile) {
            return match is_set(&self.keyfile) {
                true => Err(TlsError::KeyWithoutCertificate),
                false => Ok(None),
            };
        }
        let chain = certificates("certfile", &self.certfile)?;
        let (option, file) = match is_set(&self.keyfile) {
            true => ("keyfile", &self.keyfile),
            false => ("certfile", &self.certfile),
        };
        let key = PrivateKeyDer::from_pem_file(file).map_err(|error| bad(option, file, error))?;
        Ok(Some(ClientCertificate { chain, key }))
    }
}
