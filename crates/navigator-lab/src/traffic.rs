//! Traffic that keeps a ledger: TCP connections and UDP flows that send numbered records to an echo
//! server, check every byte that comes back, and measure the longest silence.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{LabError, Namespaces};

mod echo;
mod tcp_flow;
mod udp_flow;

pub use echo::EchoServer;

/// What to send, and how often.
#[derive(Clone, Copy, Debug)]
pub struct TrafficPlan {
    /// Where the echo server is reached: a forward's external address, or the server itself.
    pub target: SocketAddr,
    pub tcp_connections: usize,
    pub udp_flows: usize,
    pub interval_ms: u64,
}

/// What was sent and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    pub tcp_connections: u64,
    /// Connections that were refused, reset or closed before we closed them, with the first reason.
    pub broken_connections: u64,
    pub first_failure: Option<String>,
    pub tcp_bytes: u64,
    /// TCP bytes that were sent and never came back.
    pub tcp_bytes_lost: u64,
    /// Records (TCP or UDP) that came back with other content than was sent.
    pub corrupted: u64,
    pub udp_sent: u64,
    pub udp_lost: u64,
    pub udp_reordered: u64,
    /// Longest time that any flow waited for its next echo, the sending interval not counted.
    pub longest_gap_ms: u64,
}

impl Ledger {
    /// No connection broken, no byte lost, changed or out of order; UDP loss included.
    pub fn is_clean(&self) -> bool {
        self.broken_connections + self.tcp_bytes_lost + self.corrupted == 0
            && self.udp_lost + self.udp_reordered == 0
    }

    fn add(&mut self, other: Self) {
        self.tcp_connections += other.tcp_connections;
        self.broken_connections += other.broken_connections;
        self.first_failure = self.first_failure.take().or(other.first_failure);
        self.tcp_bytes += other.tcp_bytes;
        self.tcp_bytes_lost += other.tcp_bytes_lost;
        self.corrupted += other.corrupted;
        self.udp_sent += other.udp_sent;
        self.udp_lost += other.udp_lost;
        self.udp_reordered += other.udp_reordered;
        self.longest_gap_ms = self.longest_gap_ms.max(other.longest_gap_ms);
    }

    fn note_gap(&mut self, since: Instant, interval_ms: u64) {
        let waited_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.longest_gap_ms = self.longest_gap_ms.max(waited_ms.saturating_sub(interval_ms));
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} TCP connections ({} broken), {} bytes ({} lost), {} UDP packets ({} lost, {} \
             reordered), {} corrupted, longest gap {} ms",
            self.tcp_connections,
            self.broken_connections,
            self.tcp_bytes,
            self.tcp_bytes_lost,
            self.udp_sent,
            self.udp_lost,
            self.udp_reordered,
            self.corrupted,
            self.longest_gap_ms
        )?;
        self.first_failure.iter().try_for_each(|reason| write!(f, "; first failure: {reason}"))
    }
}

/// Running traffic. Stop it to read the ledger; dropping it stops it too.
#[derive(Debug)]
pub struct Traffic {
    stop: Arc<AtomicBool>,
    flows: Vec<JoinHandle<Ledger>>,
}

impl Traffic {
    /// Starts all flows from inside `from` and returns once every TCP connection is established (or
    /// has failed, which the ledger will tell) and every UDP flow has sent once.
    pub fn start(from: &Namespaces, plan: TrafficPlan) -> Result<Self, LabError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (started, wait) = mpsc::channel();
        let mut flows = Vec::new();
        let families = [tcp_flow::run as Run, udp_flow::run as Run];
        let counts = [plan.tcp_connections, plan.udp_flows];
        for (run, count) in families.into_iter().zip(counts) {
            for _ in 0..count {
                let flow = Flow {
                    id: u32::try_from(flows.len()).unwrap_or(u32::MAX),
                    from: from.clone(),
                    target: plan.target,
                    interval: Duration::from_millis(plan.interval_ms),
                    stop: stop.clone(),
                    started: started.clone(),
                };
                flows.push(std::thread::spawn(move || run(&flow)));
            }
        }
        drop(started);
        wait.iter().take(flows.len()).for_each(drop);
        Ok(Self { stop, flows })
    }

    /// Stops the flows, waits for what is still on its way, and adds up.
    pub fn stop(mut self) -> Ledger {
        self.finish()
    }

    fn finish(&mut self) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        let mut ledger = Ledger::default();
        for flow in self.flows.drain(..) {
            // A flow that panicked kept no books: count it as broken.
            let broken = || Ledger { broken_connections: 1, ..Ledger::default() };
            ledger.add(flow.join().unwrap_or_else(|_| broken()));
        }
        ledger
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.finish();
    }
}

type Run = fn(&Flow) -> Ledger;

/// One sender.
struct Flow {
    id: u32,
    from: Namespaces,
    target: SocketAddr,
    interval: Duration,
    stop: Arc<AtomicBool>,
    started: mpsc::Sender<()>,
}

/// Bytes of one record.
const RECORD: usize = 64;

impl Flow {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn has_started(&self) {
        // Nobody listens any more once all have started.
        let _ = self.started.send(());
    }

    fn interval_ms(&self) -> u64 {
        u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX)
    }

    /// A record that no other record of any flow equals.
    fn record(&self, sequence: u64) -> [u8; RECORD] {
        let mut record = [0; RECORD];
        record[..4].copy_from_slice(&self.id.to_be_bytes());
        record[4..12].copy_from_slice(&sequence.to_be_bytes());
        for (at, byte) in record.iter_mut().enumerate().skip(12) {
            *byte = (sequence as usize).wrapping_mul(31).wrapping_add(at * 7) as u8;
        }
        record
    }
}
