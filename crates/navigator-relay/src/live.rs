//! A forward as the workers see it: its declaration, where its sockets are made, what it counts.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use crate::{
    Counters, Forward, Refusal,
    descriptors::{Descriptors, Part},
    limits::{self, Allowance, Pace},
    namespace::Namespace,
    tls::{Accepting, Originating},
    token::Side,
};

/// Never changes. A changed forward is another value with the same [`State`].
#[derive(Debug)]
pub(crate) struct Live {
    /// Tells this version of the forward from others.
    pub(crate) version: u64,
    pub(crate) name: Arc<str>,
    pub(crate) forward: Arc<Forward>,
    pub(crate) listen_in: Arc<Namespace>,
    pub(crate) connect_in: Arc<Namespace>,
    /// What its files say, of a forward that ends or begins TLS.
    pub(crate) accepting: Option<Arc<Accepting>>,
    pub(crate) originating: Option<Arc<Originating>>,
    pub(crate) state: Arc<State>,
}

/// What outlives a change of the forward.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) counters: Counters,
    /// What its connections hold.
    pub(crate) descriptors: Arc<Part>,
    /// Whether the last connection to the target failed: told when it begins and when it ends.
    failing: AtomicBool,
    /// Of forwards with limits, once they are asked for.
    allowances: OnceLock<Box<Allowances>>,
}

#[derive(Debug)]
struct Allowances {
    new_connections: Allowance,
    up: Allowance,
    down: Allowance,
}

impl State {
    pub(crate) fn new(descriptors: &Arc<Descriptors>) -> Self {
        Self {
            counters: Counters::default(),
            descriptors: descriptors.part(),
            failing: AtomicBool::new(false),
            allowances: OnceLock::new(),
        }
    }

    fn allowances(&self, now: Instant) -> &Allowances {
        self.allowances.get_or_init(|| {
            let new = || Allowance::new(now);
            Box::new(Allowances { new_connections: new(), up: new(), down: new() })
        })
    }
}

impl Live {
    pub(crate) fn counters(&self) -> &Counters {
        &self.state.counters
    }

    pub(crate) fn target(&self, port: u16) -> SocketAddr {
        self.forward.target(port)
    }

    /// Whether a client may come in now. Counts, also the refusal; what is let in counts as open
    /// until [`Self::leave`].
    pub(crate) fn admit(&self, client: IpAddr, now: Instant) -> Result<(), Refusal> {
        let counters = self.counters();
        counters.total.fetch_add(1, Relaxed);
        let refused = self.refusal(client, now);
        if let Some(reason) = refused {
            counters.refuse(reason);
            return Err(reason);
        }
        Ok(())
    }

    fn refusal(&self, client: IpAddr, now: Instant) -> Option<Refusal> {
        let limits = &self.forward.limits;
        if !limits::allows(&limits.sources, client) {
            return Some(Refusal::Source);
        }
        let open = &self.counters().open;
        // Taken first and given back, so that two workers cannot both take the last one.
        let before = open.fetch_add(1, Relaxed);
        if limits.connections.is_some_and(|most| before >= u64::from(most)) {
            open.fetch_sub(1, Relaxed);
            return Some(Refusal::Connections);
        }
        let pace =
            limits.new_per_second.map(|rate| Pace { per_second: rate.into(), burst: rate.into() });
        if pace.is_some_and(|pace| !self.state.allowances(now).new_connections.take(pace, now)) {
            open.fetch_sub(1, Relaxed);
            return Some(Refusal::Rate);
        }
        None
    }

    /// The target cannot be had. Told once, until it can be had again.
    pub(crate) fn unreachable(
        &self,
        target: SocketAddr,
        reason: Refusal,
        why: &dyn std::fmt::Display,
    ) {
        self.counters().refuse(reason);
        if !self.state.failing.swap(true, Relaxed) {
            tracing::warn!("forward.{}: {target}: {why}", self.name);
        }
    }

    pub(crate) fn reached(&self, target: SocketAddr) {
        if self.state.failing.load(Relaxed) && self.state.failing.swap(false, Relaxed) {
            tracing::info!("forward.{}: {target} answers again", self.name);
        }
    }

    pub(crate) fn leave(&self) {
        self.counters().open.fetch_sub(1, Relaxed);
    }
}

/// The way of the bytes: from the client to the target, or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Up,
    Down,
}

impl Way {
    /// Who hears what goes this way.
    pub(crate) fn to(self) -> Side {
        match self {
            Self::Up => Side::Target,
            Self::Down => Side::Client,
        }
    }
}

/// What one direction of a connection may carry and where that is counted.
pub(crate) struct Meter<'a> {
    live: &'a Live,
    way: Way,
    pub(crate) now: Instant,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(live: &'a Live, way: Way, now: Instant) -> Self {
        Self { live, way, now }
    }

    fn pace(&self) -> Option<Pace> {
        let rate = self.live.forward.limits.bytes_per_second?;
        // A tenth of a second at once, and never less than a packet.
        Some(Pace { per_second: rate, burst: (rate / 10).max(1500) })
    }

    fn allowance(&self) -> &Allowance {
        let allowances = self.live.state.allowances(self.now);
        match self.way {
            Way::Up => &allowances.up,
            Way::Down => &allowances.down,
        }
    }

    /// When the direction may go on, if not now.
    pub(crate) fn throttled_until(&self) -> Option<Instant> {
        self.pace()?;
        self.allowance().wait(self.now).map(|wait| self.now + wait)
    }

    /// The most to read at once: with a limit, about what fills a tenth of a second.
    pub(crate) fn most(&self, most: usize) -> usize {
        match self.pace() {
            Some(pace) => most.min(usize::try_from(pace.burst).unwrap_or(most)),
            None => most,
        }
    }

    pub(crate) fn count_read(&self, bytes: usize) {
        if let Some(pace) = self.pace() {
            self.allowance().spend(pace, bytes as u64, self.now);
        }
    }

    pub(crate) fn count_written(&self, bytes: u64) {
        let counters = self.live.counters();
        let counter = match self.way {
            Way::Up => &counters.bytes_up,
            Way::Down => &counters.bytes_down,
        };
        counter.fetch_add(bytes, Relaxed);
    }
}
