//! The whole of what a relay shall do, as a value: which address leads where, and how. Checked when it
//! is made, so a [`ForwardSet`] never contradicts itself. No I/O: whether an address can be bound or a
//! namespace exists is found when the set is applied.

mod address;
mod check;
mod places;
mod text;
pub(crate) mod tls;

use std::{collections::BTreeMap, fmt, net::SocketAddr, sync::Arc, time::Duration};

pub use address::{ConnectTo, InvalidAddress, ListenOn};
use ipnet::IpNet;
use serde::Deserialize;
pub use text::InvalidText;
pub(crate) use text::parse;
pub use tls::{
    CertificateFiles, InvalidProtocol, InvalidTargetName, Originate, Protocol, TargetName,
    Terminate, Trust,
};

use crate::{proxy_protocol::ProxyVersion, server_name::ServerName};

type Entries = BTreeMap<Arc<str>, Arc<Forward>>;

/// Forwards by name. A copy shares them with the original.
#[derive(Clone, Debug, Default)]
pub struct ForwardSet {
    forwards: Entries,
    places: places::Places,
}

/// What some names stand for, each of them once: a forward, or nothing any more.
pub(crate) type Difference = Vec<(Arc<str>, Option<Arc<Forward>>)>;

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
    /// Towards the target, a connection has the client's address.
    pub transparent: bool,
    /// TCP: how the target is told who the client is.
    pub proxy_protocol: Option<ProxyVersion>,
    /// TCP: who has to say by a PROXY header whom it speaks for; others are clients themselves.
    pub proxies: Vec<IpNet>,
    /// TCP: the names of TLS clients that come here. With names, several forwards share a port.
    pub sni: Vec<ServerName>,
    /// TCP: clients' TLS ends here. `None` passes through what comes.
    pub tls: Option<Arc<Terminate>>,
    /// TCP: towards the target, TLS begins here.
    pub connect_tls: Option<Arc<Originate>>,
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
            transparent: false,
            proxy_protocol: None,
            proxies: Vec::new(),
            sni: Vec::new(),
            tls: None,
            connect_tls: None,
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
    ///
    /// # Errors
    /// As [`Self::change`].
    pub fn new(
        forwards: impl IntoIterator<Item = (String, Forward)>,
    ) -> Result<Self, Vec<InvalidForward>> {
        let mut set = Self::default();
        set.change([], forwards)?;
        Ok(set)
    }

    /// Takes forwards out and puts others in; one that is put in replaces the one of its name. What
    /// this costs depends on these alone and hardly on the size of the set.
    ///
    /// # Errors
    /// Every entry that is wrong, by itself or beside those that stay. The set is as before then.
    pub fn change<'a>(
        &mut self,
        removed: impl IntoIterator<Item = &'a str>,
        added: impl IntoIterator<Item = (String, Forward)>,
    ) -> Result<(), Vec<InvalidForward>> {
        self.replace(Self::difference_of(removed, added)).map(drop)
    }

    pub(crate) fn difference_of<'a>(
        removed: impl IntoIterator<Item = &'a str>,
        added: impl IntoIterator<Item = (String, Forward)>,
    ) -> Difference {
        let mut entries: BTreeMap<Arc<str>, _> =
            removed.into_iter().map(|name| (Arc::from(name), None)).collect();
        let added = added.into_iter().map(|(name, it)| (Arc::from(name), Some(Arc::new(it))));
        entries.extend(added);
        entries.into_iter().collect()
    }

    /// Makes the difference. Gives the one that undoes it.
    pub(crate) fn replace(&mut self, by: Difference) -> Result<Difference, Vec<InvalidForward>> {
        let before: Difference =
            by.iter().map(|(name, _)| (Arc::clone(name), self.take(name))).collect();
        let mut invalid = Vec::new();
        for (name, forward) in &by {
            let Some(forward) = forward else { continue };
            let free = |set: &mut Self| set.places.add(name, forward, &set.forwards).err();
            match check::entry_is_wrong(name, forward).or_else(|| free(self)) {
                None => drop(self.forwards.insert(Arc::clone(name), Arc::clone(forward))),
                Some(reason) => invalid.push(InvalidForward { name: name.to_string(), reason }),
            }
        }
        if invalid.is_empty() {
            return Ok(before);
        }
        self.undo(before);
        Err(invalid)
    }

    /// What was in the set fits into it again.
    pub(crate) fn undo(&mut self, before: Difference) {
        for (name, _) in &before {
            self.take(name);
        }
        for (name, forward) in before {
            if let Some(forward) = forward
                && self.places.add(&name, &forward, &self.forwards).is_ok()
            {
                self.forwards.insert(name, forward);
            }
        }
    }

    fn take(&mut self, name: &str) -> Option<Arc<Forward>> {
        let forward = self.forwards.remove(name)?;
        self.places.remove(name, &forward);
        Some(forward)
    }

    /// What has to be done to this set for it to become the other one.
    pub(crate) fn difference(&self, other: &Self) -> Difference {
        let (mut difference, mut new) = (Vec::new(), other.forwards.iter().peekable());
        let put = |(name, it): (&Arc<str>, &Arc<Forward>)| (Arc::clone(name), Some(Arc::clone(it)));
        for (name, forward) in &self.forwards {
            while let Some(entry) = new.next_if(|(other, _)| *other < name) {
                difference.push(put(entry));
            }
            match new.next_if(|(other, _)| *other == name) {
                None => difference.push((Arc::clone(name), None)),
                // Shared ones need not be looked into.
                Some((_, same)) if Arc::ptr_eq(same, forward) || same == forward => {}
                Some(entry) => difference.push(put(entry)),
            }
        }
        difference.extend(new.map(put));
        difference
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Forward)> {
        self.forwards.iter().map(|(name, forward)| (&**name, &**forward))
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Forward>)> {
        self.forwards.iter()
    }

    pub fn get(&self, name: &str) -> Option<&Forward> {
        self.forwards.get(name).map(|forward| &**forward)
    }

    pub fn len(&self) -> usize {
        self.forwards.len()
    }

    pub fn is_empty(&self) -> bool {
        self.forwards.is_empty()
    }
}

impl PartialEq for ForwardSet {
    fn eq(&self, other: &Self) -> bool {
        self.forwards == other.forwards
    }
}

impl Eq for ForwardSet {}

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
