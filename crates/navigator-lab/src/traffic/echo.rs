//! Answers every TCP byte and UDP packet with itself, and says whom it saw.

use std::{
    collections::BTreeSet,
    io::{ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{LabError, Namespaces};

/// How often a waiting thread looks whether it should end.
const TICK: Duration = Duration::from_millis(50);

/// A running echo server, on TCP and UDP alike. Dropping it closes everything.
#[derive(Debug)]
pub struct EchoServer {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    /// Who connected or sent: shows whether the way here changed the client's address.
    peers: Mutex<BTreeSet<IpAddr>>,
    udp_packets: AtomicU64,
    tcp_bytes: AtomicU64,
}

impl Shared {
    fn note_peer(&self, peer: SocketAddr) {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).insert(peer.ip());
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl EchoServer {
    /// Listens inside `inside` on `address`.
    pub fn start(inside: &Namespaces, address: SocketAddr) -> Result<Self, LabError> {
        let context = || LabError::io(format!("listen on {address}"));
        let open = || Ok((TcpListener::bind(address)?, UdpSocket::bind(address)?));
        let (tcp, udp) = inside.thread(open)?.map_err(context())?;
        udp.set_read_timeout(Some(TICK)).map_err(context())?;
        tcp.set_nonblocking(true).map_err(context())?;
        let shared = Arc::new(Shared::default());
        let (for_tcp, for_udp) = (shared.clone(), shared.clone());
        std::thread::spawn(move || accept(&tcp, &for_tcp));
        std::thread::spawn(move || echo_packets(&udp, &for_udp));
        Ok(Self { shared })
    }

    /// The client addresses seen so far.
    pub fn peers(&self) -> BTreeSet<IpAddr> {
        self.shared.peers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// UDP packets received so far: "nothing arrives any more" is a difference of zero.
    pub fn udp_packets(&self) -> u64 {
        self.shared.udp_packets.load(Ordering::Relaxed)
    }

    pub fn tcp_bytes(&self) -> u64 {
        self.shared.tcp_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while !shared.stopped() {
        match listener.accept() {
            Ok((stream, peer)) => {
                shared.note_peer(peer);
                let shared = shared.clone();
                std::thread::spawn(move || echo_stream(stream, &shared));
            }
            // Nothing waits, or a connection died in the queue.
            Err(_) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// Until the peer closes or the server stops; an error of one connection is the client's to notice.
fn echo_stream(mut stream: TcpStream, shared: &Shared) {
    let set_up = stream
        .set_nonblocking(false)
        .and_then(|()| stream.set_nodelay(true))
        .and_then(|()| stream.set_read_timeout(Some(TICK)));
    if set_up.is_err() {
        return;
    }
    let mut buffer = [0; 16 * 1024];
    while !shared.stopped() {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => {
                shared.tcp_bytes.fetch_add(read as u64, Ordering::Relaxed);
                if stream.write_all(&buffer[..read]).is_err() {
                    return;
                }
            }
            Err(error) if is_timeout(&error) => {}
            Err(_) => return,
        }
    }
}

fn echo_packets(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; 2048];
    while !shared.stopped() {
        // Errors here are timeouts, or ICMP that an earlier answer caused.
        if let Ok((read, peer)) = socket.recv_from(&mut buffer) {
            shared.note_peer(peer);
            shared.udp_packets.fetch_add(1, Ordering::Relaxed);
            let _ = socket.send_to(&buffer[..read], peer);
        }
    }
}

/// A read timeout shows as either kind, depending on the platform.
pub(super) fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
