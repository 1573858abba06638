//! Transport protocols that have ports, their ports and port ranges.

use std::{fmt, num::NonZeroU16, str::FromStr};

use serde::{Deserialize, Serialize};

/// A transport port, 1 to 65535.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct L4Port(NonZeroU16);

impl L4Port {
    pub fn new(port: u16) -> Option<Self> {
        NonZeroU16::new(port).map(Self)
    }

    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for L4Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for L4Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Ports `first` to `last`, both included, never empty.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "(u16, u16)", try_from = "(u16, u16)")]
pub struct L4PortRange {
    first: L4Port,
    last: L4Port,
}

#[derive(Debug, thiserror::Error)]
#[error("ports are 1 to 65535 and a range's first port is not above its last")]
pub struct InvalidRange;

impl L4PortRange {
    pub fn new(first: L4Port, last: L4Port) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    pub fn single(port: L4Port) -> Self {
        Self { first: port, last: port }
    }

    pub fn first(self) -> L4Port {
        self.first
    }

    pub fn last(self) -> L4Port {
        self.last
    }

    /// The one port of a range of length 1.
    pub fn as_single(self) -> Option<L4Port> {
        (self.first == self.last).then_some(self.first)
    }

    /// Number of ports, at least 1.
    pub fn count(self) -> u32 {
        u32::from(self.last.get()) - u32::from(self.first.get()) + 1
    }

    pub fn contains(self, port: u16) -> bool {
        (self.first.get()..=self.last.get()).contains(&port)
    }

    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    pub fn ports(self) -> impl Iterator<Item = u16> {
        self.first.get()..=self.last.get()
    }
}

/// Neutron's text form: always `first:last`, also for one port.
impl fmt::Display for L4PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.first, self.last)
    }
}

impl fmt::Debug for L4PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads `"a:b"` or `"a"`.
impl FromStr for L4PortRange {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let port = |part: &str| part.parse().ok().and_then(L4Port::new).ok_or(InvalidRange);
        let (first, last) = text.split_once(':').unwrap_or((text, text));
        Self::new(port(first)?, port(last)?).ok_or(InvalidRange)
    }
}

impl From<L4PortRange> for (u16, u16) {
    fn from(range: L4PortRange) -> Self {
        (range.first.get(), range.last.get())
    }
}

impl TryFrom<(u16, u16)> for L4PortRange {
    type Error = InvalidRange;

    fn try_from((first, last): (u16, u16)) -> Result<Self, Self::Error> {
        let port = |number| L4Port::new(number).ok_or(InvalidRange);
        Self::new(port(first)?, port(last)?).ok_or(InvalidRange)
    }
}

/// The transport protocols that can be forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
    Dccp,
}

impl Protocol {
    pub const ALL: [Self; 4] = [Self::Tcp, Self::Udp, Self::Sctp, Self::Dccp];

    /// The IP protocol number.
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
            Self::Dccp => 33,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
            Self::Dccp => "dccp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not tcp, udp, sctp or dccp")]
pub struct UnknownProtocol(String);

/// Case-insensitive, as Neutron reads it.
impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|p| p.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownProtocol(text.to_owned()))
    }
}
