//! Traffic whose every record says when it was sent, and sinks that remember the earliest and the
//! latest of each flow: "sent after the change was reported, and arrived there all the same" is a
//! comparison of two numbers, however slow the machine.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use navigator_testkit::{Namespaces, cloud};

const RECORD: usize = 16;
const TICK: Duration = Duration::from_millis(50);

/// Counts from one moment for senders and sinks alike.
#[derive(Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now_us(self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap()
    }

    fn record(self, flow: u32) -> [u8; RECORD] {
        let mut record = [0; RECORD];
        record[..4].copy_from_slice(&flow.to_be_bytes());
        record[8..].copy_from_slice(&self.now_us().to_be_bytes());
        record
    }
}

/// What arrived of one flow, by when it was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) first_sent_us: u64,
    pub(crate) last_sent_us: u64,
    pub(crate) first_arrived_us: u64,
    pub(crate) count: u64,
}

/// Takes records on some ports of one instance.
pub(crate) struct Sink {
    seen: Arc<Mutex<HashMap<u32, Seen>>>,
    stop: Arc<AtomicBool>,
    listeners: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl Sink {
    pub(crate) fn new() -> Self {
        Self { seen: Arc::default(), stop: Arc::default(), listeners: Mutex::default() }
    }

    pub(crate) fn seen(&self, flow: u32) -> Option<Seen> {
        self.seen.lock().unwrap().get(&flow).copied()
    }

    /// The latest moment at which anything was sent that arrived here.
    pub(crate) fn last_sent_us(&self) -> u64 {
        self.seen.lock().unwrap().values().map(|seen| seen.last_sent_us).max().unwrap_or(0)
    }

    pub(crate) fn listen_udp(&self, inside: &Namespaces, address: Ipv4Addr, port: u16, at: Clock) {
        let socket = inside.thread(|| UdpSocket::bind((address, port))).unwrap().unwrap();
        socket.set_read_timeout(Some(TICK)).unwrap();
        let (seen, stop) = (self.seen.clone(), self.stop.clone());
        self.spawn(move || {
            let mut record = [0; RECORD];
            while !stop.load(Ordering::Relaxed) {
                if matches!(socket.recv(&mut record), Ok(RECORD)) {
                    note(&seen, &record, at);
                }
            }
        });
    }

    pub(crate) fn listen_tcp(&self, inside: &Namespaces, address: Ipv4Addr, port: u16, at: Clock) {
        let listener = inside.thread(|| TcpListener::bind((address, port))).unwrap().unwrap();
        listener.set_nonblocking(true).unwrap();
        let (seen, stop) = (self.seen.clone(), self.stop.clone());
        self.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let (seen, stop) = (seen.clone(), stop.clone());
                        thread::spawn(move || read_stream(stream, &seen, &stop, at));
                    }
                    Err(_) => thread::sleep(Duration::from_millis(1)),
                }
            }
        });
    }

    fn spawn(&self, listen: impl FnOnce() + Send + 'static) {
        self.listeners.lock().unwrap().push(thread::spawn(listen));
    }
}

impl Drop for Sink {
    /// The ports are free afterwards.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for listener in self.listeners.lock().unwrap().drain(..) {
            let _ = listener.join();
        }
    }
}

fn read_stream(
    mut stream: TcpStream,
    seen: &Mutex<HashMap<u32, Seen>>,
    stop: &AtomicBool,
    at: Clock,
) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(TICK)).unwrap();
    let (mut record, mut filled) = ([0; RECORD], 0);
    // A connection that was cut stays half open: its reader goes with the sink.
    while !stop.load(Ordering::Relaxed) {
        match stream.read(&mut record[filled..]) {
            Ok(0) => return,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
        if filled == RECORD {
            note(seen, &record, at);
            filled = 0;
        }
    }
}

fn note(seen: &Mutex<HashMap<u32, Seen>>, record: &[u8; RECORD], at: Clock) {
    let flow = u32::from_be_bytes(record[..4].try_into().unwrap());
    let sent_us = u64::from_be_bytes(record[8..].try_into().unwrap());
    let now_us = at.now_us();
    let mut seen = seen.lock().unwrap();
    let fresh =
        Seen { first_sent_us: sent_us, last_sent_us: sent_us, first_arrived_us: now_us, count: 0 };
    let seen = seen.entry(flow).or_insert(fresh);
    seen.first_sent_us = seen.first_sent_us.min(sent_us);
    seen.last_sent_us = seen.last_sent_us.max(sent_us);
    seen.count += 1;
}

/// UDP flows from source ports that never change, sent to without a pause until dropped.
pub(crate) struct Flood {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Flood {
    pub(crate) fn start(
        from: &Namespaces,
        flows: &[(u32, SocketAddr)],
        pause: Duration,
        at: Clock,
    ) -> Self {
        let open = || {
            let sockets = flows.iter().map(|(flow, target)| {
                // Not connected: what ICMP says of a port without a forward does not stop it.
                let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
                (*flow, *target, socket)
            });
            sockets.collect::<Vec<_>>()
        };
        let sockets = from.thread(open).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = stop.clone();
        let thread = thread::spawn(move || {
            while !stopping.load(Ordering::Relaxed) {
                for (flow, target, socket) in &sockets {
                    let _ = socket.send_to(&at.record(*flow), target);
                }
                thread::sleep(pause);
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// TCP connections that write without a pause until they are cut or dropped.
pub(crate) struct Streams {
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<bool>>,
}

impl Streams {
    /// Connects all; a forward that was just reported has to take them.
    pub(crate) fn connect(
        from: &Namespaces,
        flows: &[(u32, SocketAddr)],
        pause: Duration,
        at: Clock,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let connect = |(flow, target): &(u32, SocketAddr)| {
            let (flow, target) = (*flow, *target);
            let limit = Duration::from_secs(3);
            let connected = from.thread(move || TcpStream::connect_timeout(&target, limit));
            let stream = connected.unwrap().unwrap_or_else(|error| panic!("{target}: {error}"));
            let stop = stop.clone();
            thread::spawn(move || write_until_cut(stream, flow, pause, at, &stop))
        };
        let threads = flows.iter().map(connect).collect();
        Self { stop, threads }
    }

    /// How many were cut, of how many.
    pub(crate) fn cut(&self) -> (usize, usize) {
        let ended = self.threads.iter().filter(|thread| thread.is_finished()).count();
        (ended, self.threads.len())
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn write_until_cut(
    mut stream: TcpStream,
    flow: u32,
    pause: Duration,
    at: Clock,
    stop: &AtomicBool,
) -> bool {
    let set_up = stream.set_nodelay(true).and_then(|()| stream.set_write_timeout(Some(TICK)));
    while set_up.is_ok() && !stop.load(Ordering::Relaxed) {
        if stream.write_all(&at.record(flow)).is_err() {
            return true;
        }
        thread::sleep(pause);
    }
    false
}

/// Waits until something sent after `since_us` has arrived; how long that took from `since_us`.
pub(crate) fn wait_for(sink: &Sink, flow: u32, since_us: u64, at: Clock) -> Duration {
    cloud::eventually(&format!("records of flow {flow}"), || {
        let seen = sink.seen(flow);
        let arrived = seen.is_some_and(|seen| seen.last_sent_us > since_us);
        if arrived { Ok(()) } else { Err(format!("{seen:?}, waiting since {since_us}")) }
    });
    Duration::from_micros(at.now_us() - since_us)
}
