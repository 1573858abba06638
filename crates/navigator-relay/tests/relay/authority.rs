//! An authority of the test's own, the certificates it gives out, and TLS ends that are not the relay's.

use std::{
    fs,
    io::{self, Read as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};

pub(crate) type Client = StreamOwned<ClientConnection, TcpStream>;
pub(crate) type Served = StreamOwned<ServerConnection, TcpStream>;

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: tempfile::TempDir,
}

/// A certificate and its key, in files.
#[derive(Clone)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        // Not the name of those that it vouches for: they would pass for having signed themselves.
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "an authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Its own certificate, in a file.
    pub(crate) fn file(&self) -> PathBuf {
        let file = self.path().join("ca.pem");
        fs::write(&file, self.issuer.pem()).unwrap();
        file
    }

    /// A certificate for one name or address; the file's name is the name.
    pub(crate) fn issue(&self, name: &str) -> Files {
        self.issue_until(name, 4000)
    }

    pub(crate) fn issue_until(&self, name: &str, year: i32) -> Files {
        let file = |what: &str| self.path().join(format!("{name}.{what}"));
        let files = Files { certificate: file("pem"), key: file("key") };
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &*self.issuer).unwrap();
        fs::write(&files.certificate, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    /// A client that trusts this authority alone.
    pub(crate) fn client(&self, protocols: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

impl Files {
    /// As it stands in a forward's entry.
    pub(crate) fn toml(&self) -> String {
        format!("certificate = '{}', key = '{}'", self.certificate.display(), self.key.display())
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(&self.certificate).unwrap()
    }

    pub(crate) fn server(&self, protocols: &[&str]) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::from_pem_file(&self.key).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let mut config =
            config.with_no_client_auth().with_single_cert(vec![self.der()], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

/// A client whose handshake is done.
pub(crate) fn secure(port: u16, name: &str, config: &Arc<ClientConfig>) -> io::Result<Client> {
    let mut socket = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)))?;
    socket.set_read_timeout(Some(Duration::from_secs(30)))?;
    socket.set_nodelay(true)?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut end = ClientConnection::new(Arc::clone(config), name).unwrap();
    while end.is_handshaking() {
        end.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(end, socket))
}

/// A server's end of a connection; the handshake is done with the first byte.
pub(crate) fn serve(socket: TcpStream, config: &Arc<ServerConfig>) -> Served {
    StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), socket)
}

/// Why there was no handshake.
pub(crate) fn why(result: io::Result<Client>) -> rustls::Error {
    let error = result.map(drop).unwrap_err();
    *error.into_inner().unwrap().downcast().unwrap()
}

/// Says that it has said all, as TLS says it. The other half stays open.
pub(crate) fn say_all(client: &mut Client) {
    client.conn.send_close_notify();
    while client.conn.wants_write() {
        client.conn.write_tls(&mut client.sock).unwrap();
    }
}

/// Reads to the end, which TLS has to have announced.
pub(crate) fn whole(client: &mut Client) -> Vec<u8> {
    let mut all = Vec::new();
    client.read_to_end(&mut all).unwrap();
    all
}

/// The certificate that the server showed.
pub(crate) fn shown(client: &Client) -> CertificateDer<'static> {
    client.conn.peer_certificates().unwrap()[0].clone().into_owned()
}
