//! Targets, clients and relays on loopback. Everything ends with the test.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use navigator_relay::{ForwardSet, Options, Relay};
use socket2::SockRef;

pub(crate) use crate::network::free_port;
use crate::network::own;

/// Longer than any wait that is not a fault.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

pub(crate) fn set(text: &str) -> ForwardSet {
    ForwardSet::from_toml(text).unwrap()
}

pub(crate) fn relay(text: &str) -> Relay {
    own();
    let mut relay = Relay::start(Options { workers: 2, ..Options::default() }).unwrap();
    relay.apply(set(text)).unwrap();
    relay
}

pub(crate) fn entry(name: &str, listen: u16, connect: SocketAddr, more: &str) -> String {
    format!("[forward.{name}]\nlisten = '127.0.0.1:{listen}'\nconnect = '{connect}'\n{more}\n")
}

/// A server that gives each connection to a thread.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Target {
    pub(crate) fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        own();
        let listener = TcpListener::bind((HERE, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (serve, stopped) = (Arc::new(serve), Arc::clone(&stop));
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if stopped.load(Relaxed) {
                    return;
                }
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(stream));
            }
        });
        Self { address, stop }
    }

    /// Says back what it hears.
    pub(crate) fn echo() -> Self {
        Self::start(|mut stream| {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = stream.read(&mut buffer) {
                if stream.write_all(&buffer[..n]).is_err() {
                    return;
                }
            }
        })
    }

    /// Says a word to each connection and waits for its end.
    pub(crate) fn says(word: &'static str) -> Self {
        Self::start(move |mut stream| {
            let _ = stream.write_all(word.as_bytes());
            let _ = stream.read(&mut [0]);
        })
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

pub(crate) fn client(port: u16) -> TcpStream {
    let stream = TcpStream::connect((HERE, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A client that comes from another address of loopback.
pub(crate) fn client_from(from: Ipv4Addr, port: u16) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect(&SocketAddr::from((HERE, port)).into()).unwrap();
    let stream: TcpStream = socket.into();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

pub(crate) fn exchange(mut stream: &TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
    let mut buffer = vec![0; text.len()];
    stream.read_exact(&mut buffer).unwrap();
    assert_eq!(buffer, text.as_bytes());
}

pub(crate) fn hears(mut stream: &TcpStream, word: &str) {
    let mut buffer = vec![0; word.len()];
    stream.read_exact(&mut buffer).unwrap();
    assert_eq!(String::from_utf8(buffer).unwrap(), word);
}

/// The other side ends it by a reset, with nothing said.
pub(crate) fn is_reset(mut stream: &TcpStream) {
    match stream.read(&mut [0; 64]) {
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        Ok(n) => panic!("{n} bytes instead of a reset"),
    }
}

/// Nobody listens.
pub(crate) fn is_refused(port: u16) {
    let error = TcpStream::connect((HERE, port)).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn reset_on_close(stream: &TcpStream) {
    SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
}
