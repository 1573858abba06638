//! TLS for tests: an authority, what it vouches for, and an end of TLS before a server that speaks
//! none, as operators put a proxy there. Certificates and keys are made anew each time and lie in
//! files that go with their owner.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tempfile::TempDir;
use tokio::{net::TcpStream, sync::oneshot};
use tokio_rustls::TlsAcceptor;

/// Who vouches for others.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

/// What an authority vouches for: a certificate and its key, each in a PEM file.
#[derive(Clone, Debug)]
pub struct Issued {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// How long a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    Now,
    Over,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut wanted = CertificateParams::default();
        wanted.distinguished_name.push(DnType::CommonName, name);
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(wanted, key).expect("a certificate");
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("ca.pem"), issuer.pem()).expect("a file");
        Self { issuer, dir }
    }

    /// PEM: for `cafile`.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// For names and addresses; files are named after the first.
    pub fn issue(&self, names: &[&str], validity: Validity) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let stem = format!("{}-{validity:?}", names.first().expect("a name"));
        let mut wanted = CertificateParams::new(names).expect("names");
        if validity == Validity::Over {
            wanted.not_before = date_time_ymd(2020, 1, 1);
            wanted.not_after = date_time_ymd(2020, 12, 31);
        }
        wanted.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = wanted.signed_by(&key, &self.issuer).expect("a certificate");
        let file = |what: &str, text: String| {
            let path = self.dir.path().join(format!("{stem}-{what}.pem"));
            fs::write(&path, text).expect("a file");
            path
        };
        Issued {
            certificate: file("certificate", certificate.pem()),
            key: file("key", key.serialize_pem()),
        }
    }
}

fn certificates(file: &Path) -> Vec<CertificateDer<'static>> {
    let read = CertificateDer::pem_file_iter(file).expect("a PEM file");
    read.map(|certificate| certificate.expect("a certificate")).collect()
}

/// Ends TLS and passes on what it hears, until it is dropped.
pub struct TlsFront {
    address: SocketAddr,
    handshakes: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TlsFront {
    /// On a free port of the loopback. `clients` vouches for those that are let in; without it,
    /// everybody is. `spoken` is what is offered (ALPN), such as `h2`.
    pub fn start(
        upstream: SocketAddr,
        shown: &Issued,
        clients: Option<&Authority>,
        spoken: &[&str],
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        listener.set_nonblocking(true).expect("a socket for tokio");
        let mut config = server_config(shown, clients);
        config.alpn_protocols = spoken.iter().map(|name| name.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let handshakes = Arc::new(AtomicUsize::new(0));
        let (stop, stopped) = oneshot::channel();
        let counter = Arc::clone(&handshakes);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = accept(listener, acceptor, upstream, counter) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, handshakes, stop: Some(stop), thread: Some(thread) }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many got through the handshake.
    pub fn handshakes(&self) -> usize {
        self.handshakes.load(Ordering::SeqCst)
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn server_config(shown: &Issued, clients: Option<&Authority>) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(&authority.file()) {
                roots.add(certificate).expect("an authority");
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        }
    };
    let key = PrivateKeyDer::from_pem_file(&shown.key).expect("a key");
    builder.with_single_cert(certificates(&shown.certificate), key).expect("a certificate")
}

async fn accept(
    listener: tokio::net::TcpListener,
    acceptor: TlsAcceptor,
    upstream: SocketAddr,
    handshakes: Arc<AtomicUsize>,
) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let (acceptor, handshakes) = (acceptor.clone(), Arc::clone(&handshakes));
        tokio::spawn(async move {
            let Ok(mut client) = acceptor.accept(client).await else { return };
            handshakes.fetch_add(1, Ordering::SeqCst);
            let Ok(mut server) = TcpStream::connect(upstream).await else { return };
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        });
    }
}
