//! From files to what a session is made with. Reads PEM; says in one sentence what is wrong with it.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    CertificateError, ClientConfig, Error, ServerConfig,
    client::{Resumption, danger::ServerCertVerifier, verify_server_name},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem, pem::PemObject as _},
    server::{ClientHello, ParsedCertificate, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::trust::{Anybody, Trusted, authorities, verifier};
use crate::forward_set::{CertificateFiles, Originate, Protocol, Terminate, Trust};

/// A file that is longer is no certificate and no key.
const LONGEST: u64 = 4 << 20;

/// What sessions with clients are made with.
#[derive(Debug)]
pub(crate) struct Accepting {
    pub(crate) config: Arc<ServerConfig>,
}

/// What sessions with targets are made with.
#[derive(Debug)]
pub(crate) struct Originating {
    pub(crate) config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

impl Accepting {
    /// # Errors
    /// A sentence that names the field and the file.
    pub(crate) fn read(from: &Terminate) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let keys = from.certificates.iter().map(|files| certified("tls", files, &provider));
        let keys: Vec<_> = keys.map(|key| key.map(Arc::new)).collect::<Result<_, _>>()?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("tls: {error}"))?
            .with_no_client_auth();
        let mut config = config.with_cert_resolver(Arc::new(Certificates(keys)));
        config.alpn_protocols = from.alpn.iter().map(Protocol::bytes).collect();
        // Clients keep what a session needs to be resumed; nothing is stored here.
        config.ticketer = ring::Ticketer::new().map_err(|error| format!("tls: {error}"))?;
        config.send_tls13_tickets = 1;
        Ok(Self { config: Arc::new(config) })
    }
}

impl Originating {
    /// # Errors
    /// A sentence that names the field and the file.
    pub(crate) fn read(from: &Originate, trusted: &mut Trusted) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match &from.trust {
            Trust::Insecure => Arc::new(Anybody(provider.signature_verification_algorithms)),
            Trust::System => verifier(trusted.get()?, &provider)?,
            Trust::File(path) => verifier(authorities(path)?, &provider)?,
        };
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("connect_tls: {error}"))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &from.identity {
            None => config.with_no_client_auth(),
            Some(files) => {
                let key = certified("connect_tls", files, &provider)?;
                config
                    .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)))
            }
        };
        config.alpn_protocols = from.alpn.iter().map(Protocol::bytes).collect();
        config.resumption = Resumption::in_memory_sessions(64);
        let name = from.name.as_ref().map(|name| name.0.clone());
        Ok(Self { config: Arc::new(config), name })
    }

    /// Who the target has to prove to be.
    pub(crate) fn name(&self, target: IpAddr) -> ServerName<'static> {
        self.name.clone().unwrap_or_else(|| ServerName::from(target))
    }
}

fn certified(
    field: &str,
    files: &CertificateFiles,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, String> {
    let chain = certificates(&format!("{field}.certificate"), &files.certificate)?;
    let (key_field, path) = (format!("{field}.key"), files.key.display());
    let key = PrivateKeyDer::from_pem_slice(&read(&key_field, &files.key)?).map_err(|error| {
        let why = match error {
            pem::Error::NoItemsFound => {
                "no private key in PEM (one with a password is none)".into()
            }
            other => format!("{other:?}").to_lowercase(),
        };
        format!("{key_field}: {path}: {why}")
    })?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        Error::InconsistentKeys(_) => {
            format!("{key_field}: {path} is not the key of {}", files.certificate.display())
        }
        Error::InvalidCertificate(why) => {
            format!("{field}.certificate: {}: {}", files.certificate.display(), plain(&why))
        }
        other => format!("{key_field}: {path}: {other}"),
    })
}

pub(super) fn certificates(
    field: &str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = read(field, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!("{field}: {}: no certificate in PEM", path.display())),
        Err(_) => Err(format!("{field}: {}: a certificate in it is damaged", path.display())),
    }
}

fn read(field: &str, path: &Path) -> Result<Vec<u8>, String> {
    let too_long = |meta: &fs::Metadata| !meta.is_file() || meta.len() > LONGEST;
    let why = match fs::metadata(path) {
        Ok(meta) if too_long(&meta) => "no file of a certificate's size".to_owned(),
        Ok(_) => match fs::read(path) {
            Ok(bytes) => return Ok(bytes),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    Err(format!("{field}: {}: {why}", path.display()))
}

/// Tells whether what is in the files has changed. One that cannot be read is a change too.
pub(crate) fn fingerprint<'a>(files: impl Iterator<Item = &'a PathBuf>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in files {
        read("", path).hash(&mut hasher);
    }
    hasher.finish()
}

/// A certificate's fault in few words.
pub(crate) fn plain(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "the certificate is of no authority that is trusted".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is for another name".to_owned()
        }
        CertificateError::BadEncoding => "this is no certificate".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Chooses by the name that a client asks for.
#[derive(Debug)]
struct Certificates(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let first = self.0.first()?;
        let asked = hello.server_name().filter(|_| self.0.len() > 1);
        let name = asked.and_then(|name| ServerName::try_from(name).ok());
        let fits = |key: &&Arc<CertifiedKey>| {
            let certificate = key.cert.first().map(ParsedCertificate::try_from);
            name.as_ref().zip(certificate).is_some_and(|(name, certificate)| {
                certificate.is_ok_and(|it| verify_server_name(&it, name).is_ok())
            })
        };
        Some(Arc::clone(self.0.iter().find(fits).unwrap_or(first)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn files(directory: &Path, certificate: &[u8], key: &[u8]) -> Terminate {
        let files = CertificateFiles {
            certificate: directory.join("certificate"),
            key: directory.join("key"),
        };
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
        Terminate { certificates: vec![files], alpn: Vec::new() }
    }

    fn made() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_in_one_sentence() {
        let directory = tempfile::tempdir().unwrap();
        let ((certificate, key), (_, other)) = (made(), made());
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (certificate, key, words) in [
            (&*certificate, &*other, "is not the key of"),
            (&key, &key, "tls.certificate: "),
            (&certificate, &certificate, "no private key in PEM"),
            ("", &key, "no certificate in PEM"),
            (empty, &key, "this is no certificate"),
        ] {
            let wrong = files(directory.path(), certificate.as_bytes(), key.as_bytes());
            let said = Accepting::read(&wrong).unwrap_err();
            assert!(said.contains(words) && !said.contains('\n'), "{said}");
        }
        let good = files(directory.path(), certificate.as_bytes(), key.as_bytes());
        Accepting::read(&good).unwrap();
        fs::remove_file(directory.path().join("key")).unwrap();
        let said = Accepting::read(&good).unwrap_err();
        assert!(said.starts_with("tls.key: ") && said.contains("No such file"), "{said}");
    }

    #[test]
    fn a_file_that_changes_or_goes_has_another_fingerprint() {
        let directory = tempfile::tempdir().unwrap();
        let now = |it: &Terminate| fingerprint(it.files());
        let one = files(directory.path(), b"a", b"b");
        let before = now(&one);
        assert_eq!(before, now(&one));
        files(directory.path(), b"a", b"c");
        assert_ne!(before, now(&one));
        fs::remove_file(directory.path().join("key")).unwrap();
        assert_ne!(before, now(&one));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn fuzz_certificate_files(bytes: Vec<u8>, at: usize, byte: u8) {
            let directory = tempfile::tempdir().unwrap();
            let (certificate, key) = made();
            let _ = Accepting::read(&files(directory.path(), &bytes, key.as_bytes()));
            let _ = Accepting::read(&files(directory.path(), certificate.as_bytes(), &bytes));
            let mut both = [certificate.into_bytes(), key.into_bytes()];
            for which in 0..2 {
                let at = at % both[which].len();
                let before = std::mem::replace(&mut both[which][at], byte);
                let _ = Accepting::read(&files(directory.path(), &both[0], &both[1]));
                let authority = directory.path().join("certificate");
                let _ = authorities(&authority);
                both[which][at] = before;
            }
        }
    }
}
