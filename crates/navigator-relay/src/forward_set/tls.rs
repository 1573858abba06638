//! What a forward has to do with TLS besides passing it through: where it ends, where it begins, and
//! which files are needed for that. Values only; the files are read when a set is applied.

use std::{fmt, path::PathBuf, str::FromStr};

use rustls::pki_types;

/// TLS of clients ends here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Terminate {
    /// One is served to everybody. Of several, the first that is valid for the name that the client asks
    /// for; the first of all to those who ask for none of them.
    pub certificates: Vec<CertificateFiles>,
    /// Protocols to choose from, the best first. None at all leaves the client's wish unanswered.
    pub alpn: Vec<Protocol>,
}

/// PEM files: a certificate with those that vouch for it, and its private key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// TLS towards the target begins here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Originate {
    /// What the target's certificate has to be valid for; `None` is its address.
    pub name: Option<TargetName>,
    pub trust: Trust,
    /// Protocols to offer. What a client of this forward has agreed to by [`Terminate`] goes before.
    pub alpn: Vec<Protocol>,
    /// What the relay shows a target that asks who it is.
    pub identity: Option<CertificateFiles>,
}

/// Whose word is taken for who the target is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Trust {
    /// The authorities that this host trusts.
    System,
    /// Those of a PEM file alone.
    File(PathBuf),
    /// Anybody may pass for the target.
    Insecure,
}

/// A host name or an address, as it stands in certificates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetName(pub(crate) pki_types::ServerName<'static>);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is neither a host name nor an address")]
pub struct InvalidTargetName(String);

/// The name of an application protocol: `h2`, `http/1.1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Protocol(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no protocol's name: it has 1 to 255 bytes")]
pub struct InvalidProtocol(String);

impl FromStr for TargetName {
    type Err = InvalidTargetName;

    fn from_str(text: &str) -> Result<Self, InvalidTargetName> {
        let name = pki_types::ServerName::try_from(text.to_owned());
        name.map(Self).map_err(|_| InvalidTargetName(text.to_owned()))
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_str())
    }
}

impl FromStr for Protocol {
    type Err = InvalidProtocol;

    fn from_str(text: &str) -> Result<Self, InvalidProtocol> {
        match text.len() {
            1..=255 => Ok(Self(text.to_owned())),
            _ => Err(InvalidProtocol(text.to_owned())),
        }
    }
}

impl Protocol {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.as_bytes().to_vec()
    }
}

impl Terminate {
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.certificates.iter().flat_map(CertificateFiles::both)
    }
}

impl Originate {
    /// The authorities of the host are read once, when they are needed first.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let ca = match &self.trust {
            Trust::File(path) => Some(path),
            Trust::System | Trust::Insecure => None,
        };
        ca.into_iter().chain(self.identity.iter().flat_map(CertificateFiles::both))
    }
}

impl CertificateFiles {
    fn both(&self) -> [&PathBuf; 2] {
        [&self.certificate, &self.key]
    }
}
