//! The whole of what a relay shall do, as a value: which address leads where, and how. Checked when it
//! is made, so a [`ForwardSet`] never contradicts itself. No I/O: whether an address can be bound or a
//! namespace exists is found when the set is applied.

mod address;
mod overlap;
mod text;

use std::{collections::BTreeMap, fmt, net::SocketAddr, time::Duration};

pub use address::{ConnectTo, InvalidAddress, ListenOn};
use ipnet::IpNet;
use serde::Deserialize;
pub use text::InvalidText;
pub(crate) use text::parse;

use crate::{proxy_protocol::ProxyVersion, server_name::ServerName};

/// Forwards by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForwardSet {
    forwards: BTreeMap<String, Forward>,
}

/// What leads from one address (or several: a range of ports) to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    pub transport: Transport,
    pub listen: ListenOn,
    pub connect: ConnectTo,
    pub timeouts: Timeouts,
    /// TCP: unanswered probes start after this much silence. `None` sends none.
    pub keepalive: Option<Duration>,
    pub limits: Limits,
    /// TCP: how the target is told who the client is.
    pub proxy_protocol: Option<ProxyVersion>,
    /// TCP: who has to say by a PROXY header whom it speaks for; others are clients themselves.
    pub proxies: Vec<IpNet>,
    /// TCP: the names of TLS clients that come here. With names, several forwards share a port.
    pub sni: Vec<ServerName>,
    pub removal: Removal,
}

/// What a forward lets in. A client beyond it is reset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Clients' prefixes; none at all lets everybody in.
    pub sources: Vec<IpNet>,
    /// Connections at the same time.
    pub connections: Option<u32>,
    /// New connections in a second; as many may come at once.
    pub new_per_second: Option<u32>,
    /// Of all connections together, in each direction. They are slowed down to it.
    pub bytes_per_second: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    #[default]
    Tcp,
    Udp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the client's connection to the target's.
    pub connect: Duration,
    /// Without a byte in either direction. A UDP session ends by it.
    pub idle: Duration,
    /// The same, after one side has closed its half.
    pub half_closed: Duration,
}

/// What happens to the connections of a forward that is removed, or that leads elsewhere from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Removal {
    /// They are reset.
    #[default]
    Cut,
    /// They go on until they end by themselves.
    Drain,
}

/// An entry that cannot be in the set, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("forward.{name}: {reason}")]
pub struct InvalidForward {
    pub name: String,
    pub reason: String,
}

impl Forward {
    /// A forward with everything else at its default.
    pub fn new(transport: Transport, listen: ListenOn, connect: ConnectTo) -> Self {
        Self {
            transport,
            listen,
            connect,
            timeouts: Timeouts::of(transport),
            keepalive: Some(Duration::from_secs(60)),
            limits: Limits::default(),
            proxy_protocol: None,
            proxies: Vec::new(),
            sni: Vec::new(),
            removal: Removal::default(),
        }
    }

    /// The target of a listening port: ranges lead port by port.
    pub fn target(&self, port: u16) -> SocketAddr {
        let offset = port.saturating_sub(self.listen.ports.first().get());
        SocketAddr::new(self.connect.address, self.connect.port.get().saturating_add(offset))
    }
}

impl Timeouts {
    /// The defaults. A UDP session has no other end than its idle timeout.
    pub fn of(transport: Transport) -> Self {
        let idle = match transport {
            Transport::Tcp => Duration::from_secs(3600),
            Transport::Udp => Duration::from_secs(60),
        };
        Self { connect: Duration::from_secs(10), idle, half_closed: Duration::from_secs(300) }
    }
}

impl ForwardSet {
    /// The set, or every entry that is wrong.
    pub fn new(
        forwards: impl IntoIterator<Item = (String, Forward)>,
    ) -> Result<Self, Vec<InvalidForward>> {
        let set = Self { forwards: forwards.into_iter().collect() };
        let mut invalid: Vec<_> = set.iter().filter_map(check).collect();
        invalid.extend(overlap::find(&set));
        if invalid.is_empty() { Ok(set) } else { Err(invalid) }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Forward)> {
        self.forwards.iter().map(|(name, forward)| (name.as_str(), forward))
    }

    pub fn get(&self, name: &str) -> Option<&Forward> {
        self.forwards.get(name)
    }

    pub fn len(&self) -> usize {
        self.forwards.len()
    }

    pub fn is_empty(&self) -> bool {
        self.forwards.is_empty()
    }
}

/// What an entry alone can have wrong.
fn check((name, forward): (&str, &Forward)) -> Option<InvalidForward> {
    let reason = name_is_wrong(name).or_else(|| forward_is_wrong(forward))?;
    Some(InvalidForward { name: name.to_owned(), reason })
}

/// Names stand in metrics and messages.
fn name_is_wrong(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let good = (1..=128).contains(&name.len()) && name.chars().all(plain);
    (!good).then(|| "a name is 1 to 128 letters, digits, '-', '_' and '.'".to_owned())
}

fn forward_is_wrong(forward: &Forward) -> Option<String> {
    let timeouts = &forward.timeouts;
    let last = u32::from(forward.connect.port.get()) + forward.listen.ports.count() - 1;
    if last > u32::from(u16::MAX) {
        return Some(format!("connect: the range would end at port {last}"));
    }
    if [timeouts.connect, timeouts.idle, timeouts.half_closed].contains(&Duration::ZERO) {
        return Some("a timeout of 0 would end every connection".to_owned());
    }
    if forward.keepalive.is_some_and(|time| time < Duration::from_secs(1)) {
        return Some("keepalive_s: at least 1".to_owned());
    }
    let tcp_only =
        forward.proxy_protocol.is_some() || !forward.proxies.is_empty() || !forward.sni.is_empty();
    if forward.transport == Transport::Udp && tcp_only {
        return Some("sni and the PROXY protocol are for TCP".to_owned());
    }
    let limits = &forward.limits;
    let zero = limits.connections == Some(0)
        || limits.new_per_second == Some(0)
        || limits.bytes_per_second == Some(0);
    zero.then(|| "a limit of 0 lets nothing through; remove the forward instead".to_owned())
}

impl Transport {
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
