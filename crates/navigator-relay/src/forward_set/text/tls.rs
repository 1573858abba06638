//! `tls` and `connect_tls` of a forward, as TOML.

use std::path::PathBuf;

use serde::Deserialize;

use super::in_field;
use crate::forward_set::tls::{CertificateFiles, Originate, Protocol, Terminate, Trust};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TerminateText {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    #[serde(default)]
    certificates: Vec<FilesText>,
    #[serde(default)]
    alpn: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilesText {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OriginateText {
    name: Option<String>,
    ca: Option<PathBuf>,
    #[serde(default)]
    verify: Verify,
    #[serde(default)]
    alpn: Vec<String>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

#[derive(Deserialize, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Verify {
    #[default]
    Full,
    Insecure,
}

impl TerminateText {
    pub(super) fn read(self) -> Result<Terminate, String> {
        let first = pair("tls", self.certificate, self.key)?;
        let more = self
            .certificates
            .into_iter()
            .map(|FilesText { certificate, key }| CertificateFiles { certificate, key });
        let certificates: Vec<_> = first.into_iter().chain(more).collect();
        if certificates.is_empty() {
            return Err("tls: certificate and key are missing".to_owned());
        }
        Ok(Terminate { certificates, alpn: protocols("tls.alpn", &self.alpn)? })
    }
}

impl OriginateText {
    pub(super) fn read(self) -> Result<Originate, String> {
        let trust = match (self.ca, self.verify) {
            (Some(_), Verify::Insecure) => {
                return Err("connect_tls: with verify = \"insecure\", ca has no meaning".to_owned());
            }
            (Some(path), Verify::Full) => Trust::File(path),
            (None, Verify::Full) => Trust::System,
            (None, Verify::Insecure) => Trust::Insecure,
        };
        let name = self.name.map(|name| in_field("connect_tls.name", name.parse())).transpose()?;
        let identity = pair("connect_tls", self.certificate, self.key)?;
        Ok(Originate { name, trust, alpn: protocols("connect_tls.alpn", &self.alpn)?, identity })
    }
}

fn pair(
    field: &str,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
) -> Result<Option<CertificateFiles>, String> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(CertificateFiles { certificate, key })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(format!("{field}: key is missing")),
        (None, Some(_)) => Err(format!("{field}: certificate is missing")),
    }
}

fn protocols(field: &str, texts: &[String]) -> Result<Vec<Protocol>, String> {
    texts.iter().map(|text| in_field(field, text.parse())).collect()
}
