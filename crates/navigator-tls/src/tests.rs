//! What the options say, and what is said where they are wrong.

use std::{fs, path::PathBuf};

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;

/// A directory with `certificate.pem`, `key.pem`, `both.pem` and `nothing.pem`.
fn files() -> TempDir {
    let key = KeyPair::generate().unwrap();
    let wanted = CertificateParams::new(vec!["agent.example".to_owned()]).unwrap();
    let certificate = wanted.self_signed(&key).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    fs::write(dir.path().join("both.pem"), format!("{certificate}{key}")).unwrap();
    fs::write(dir.path().join("certificate.pem"), certificate).unwrap();
    fs::write(dir.path().join("key.pem"), key).unwrap();
    fs::write(dir.path().join("nothing.pem"), "no PEM\n").unwrap();
    dir
}

fn outcome(url: &str, options: &TlsOptions) -> Result<(), String> {
    let made = connector(url, HttpConnector::new(), Spoken::Http1, options);
    made.map(drop).map_err(|error| error.to_string())
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_option_and_name() {
    let dir = files();
    let file = |name: &str| dir.path().join(name);
    let none = PathBuf::new;
    for (cafile, certfile, keyfile, error) in [
        (file("certificate.pem"), none(), none(), None),
        (none(), file("both.pem"), none(), None),
        (none(), file("certificate.pem"), file("key.pem"), None),
        (file("absent.pem"), none(), none(), Some("cafile = ")),
        (file("nothing.pem"), none(), none(), Some("there is no certificate in it")),
        (none(), file("nothing.pem"), file("key.pem"), Some("certfile = ")),
        (none(), file("certificate.pem"), none(), Some("certfile = ")),
        (none(), file("certificate.pem"), file("nothing.pem"), Some("keyfile = ")),
        (none(), none(), file("key.pem"), Some("keyfile is the key of certfile")),
    ] {
        let options = TlsOptions { cafile, certfile, keyfile, insecure: false };
        // Debian's ca-certificates are among what the project's packages bring.
        match (outcome("https://keystone.example", &options), error) {
            (Ok(()), None) => {}
            (Err(said), Some(part)) if said.contains(part) => {}
            (said, error) => panic!("{options:?}: {said:?}, expected {error:?}"),
        }
        assert_eq!(outcome("http://keystone.example", &options), Ok(()), "unread");
    }
}

#[test]
fn the_scheme_alone_says_whether_tls_is_spoken() {
    for (url, tls) in [
        ("https://k", true),
        ("HTTPS://k", true),
        ("http://k", false),
        ("http://https://", false),
        ("", false),
        ("httpß://k", false),
    ] {
        assert_eq!(is_https(url), tls, "{url}");
    }
}
