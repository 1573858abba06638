//! What a forward has carried and refused. Written by the workers without locks, read at any time.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Why a connection (or a UDP session, or its datagrams) was not relayed, or not any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The client's address is in none of the allowed prefixes.
    Source,
    /// As many connections as are allowed are open.
    Connections,
    /// More new connections in this second than are allowed.
    Rate,
    /// The process has no descriptor left.
    Descriptors,
    /// No PROXY header from a trusted proxy, no TLS hello, or a name that no forward takes.
    Greeting,
    /// Datagrams beyond the allowed bandwidth. Connections are slowed down instead.
    Bandwidth,
    /// A client's TLS handshake failed: no TLS, nothing in common, or it broke off.
    Tls,
    /// A client's TLS handshake was not done in time.
    TlsTimeout,
    /// The target's certificate is not one to be trusted.
    TlsCertificate,
    /// The TLS handshake with the target failed otherwise, or was not done in time.
    TlsTarget,
    /// The target refused, could not be reached, or did not answer in time.
    Target,
}

impl Refusal {
    pub const ALL: [Self; 11] = [
        Self::Source,
        Self::Connections,
        Self::Rate,
        Self::Descriptors,
        Self::Greeting,
        Self::Bandwidth,
        Self::Tls,
        Self::TlsTimeout,
        Self::TlsCertificate,
        Self::TlsTarget,
        Self::Target,
    ];

    /// The word for it in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Connections => "connections",
            Self::Rate => "rate",
            Self::Descriptors => "descriptors",
            Self::Greeting => "greeting",
            Self::Bandwidth => "bandwidth",
            Self::Tls => "tls",
            Self::TlsTimeout => "tls_timeout",
            Self::TlsCertificate => "tls_certificate",
            Self::TlsTarget => "tls_target",
            Self::Target => "target",
        }
    }
}

/// One forward's counters. They belong to its name and survive its changes.
#[derive(Debug, Default)]
pub struct Counters {
    pub(crate) open: AtomicU64,
    pub(crate) total: AtomicU64,
    pub(crate) refused: [AtomicU64; Refusal::ALL.len()],
    pub(crate) bytes_up: AtomicU64,
    pub(crate) bytes_down: AtomicU64,
    pub(crate) connect: Histogram,
}

impl Counters {
    /// Connections, or UDP sessions, open now.
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// Connections taken from clients, those that were then refused included.
    pub fn total(&self) -> u64 {
        self.total.load(Relaxed)
    }

    pub fn refused(&self, reason: Refusal) -> u64 {
        self.refused[reason as usize].load(Relaxed)
    }

    /// Bytes from clients to the target, and back.
    pub fn bytes(&self) -> (u64, u64) {
        (self.bytes_up.load(Relaxed), self.bytes_down.load(Relaxed))
    }

    /// Time to connect to the target.
    pub fn connect(&self) -> &Histogram {
        &self.connect
    }

    pub(crate) fn refuse(&self, reason: Refusal) {
        self.refuse_many(reason, 1);
    }

    pub(crate) fn refuse_many(&self, reason: Refusal, count: u64) {
        self.refused[reason as usize].fetch_add(count, Relaxed);
    }
}

/// Durations in buckets that grow about threefold. Takes hardly any room before the first one.
#[derive(Debug, Default)]
pub struct Histogram(OnceLock<Box<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    buckets: [AtomicU64; Histogram::BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Upper bounds in microseconds; the last bucket has none.
    pub const BOUNDS_US: [u64; 11] = [
        100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000,
    ];

    pub(crate) fn record(&self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = Self::BOUNDS_US.partition_point(|bound| *bound < us);
        let recorded = self.0.get_or_init(Box::default);
        recorded.buckets[bucket].fetch_add(1, Relaxed);
        recorded.sum_us.fetch_add(us, Relaxed);
    }

    /// How many durations fell into each bucket.
    pub fn buckets(&self) -> [u64; Self::BOUNDS_US.len() + 1] {
        let count = |n: usize| Some(self.0.get()?.buckets[n].load(Relaxed));
        std::array::from_fn(|n| count(n).unwrap_or(0))
    }

    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.0.get().map_or(0, |recorded| recorded.sum_us.load(Relaxed)))
    }
}
