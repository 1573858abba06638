//! Where a forward listens and where it leads, with their text forms.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use navigator_model::{L4Port, L4PortRange};

/// Where a forward listens: `203.0.113.7:60022`, `[2001:db8::7]:443`, `:8080`, `:20000-20999`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenOn {
    /// `None` is every address of both families; `0.0.0.0` and `::` are every one of their own.
    pub address: Option<IpAddr>,
    pub ports: L4PortRange,
    /// A name below `/run/netns`; `None` is where the relay itself runs.
    pub netns: Option<String>,
}

/// Where a forward leads: an address, and the port that its first listening port leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectTo {
    pub address: IpAddr,
    pub port: L4Port,
    /// A name below `/run/netns`; `None` is where the relay itself runs.
    pub netns: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    #[error("'{0}' has no port: write ADDRESS:PORT, [IPV6]:PORT or :PORT")]
    NoPort(String),
    #[error("'{0}' is no address; names are not resolved")]
    NoAddress(String),
    #[error("'{0}' is no port from 1 to 65535, and no range FIRST-LAST")]
    NoPortNumber(String),
    #[error("'{0}' has to name one address to connect to")]
    Unspecified(String),
}

impl ListenOn {
    /// Whether two listeners want a same port of a same address. A wildcard wants all of its family.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.netns == other.netns
            && self.ports.overlaps(other.ports)
            && covers(self.address, other.address)
    }

    /// One socket address per port; the dual wildcard is `::`.
    pub fn socket_address(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.address.unwrap_or(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED)), port)
    }
}

fn covers(a: Option<IpAddr>, b: Option<IpAddr>) -> bool {
    let (Some(a), Some(b)) = (a, b) else {
        return true;
    };
    a == b || (a.is_ipv4() == b.is_ipv4() && (a.is_unspecified() || b.is_unspecified()))
}

/// Splits at the last colon and takes the brackets off.
fn split(text: &str) -> Result<(&str, &str), InvalidAddress> {
    let (address, port) =
        text.rsplit_once(':').ok_or_else(|| InvalidAddress::NoPort(text.to_owned()))?;
    match address.strip_prefix('[') {
        Some(rest) => {
            let inner = rest.strip_suffix(']');
            Ok((inner.ok_or_else(|| InvalidAddress::NoAddress(text.to_owned()))?, port))
        }
        // An IPv6 address without brackets: its last group would pass for a port.
        None if address.contains(':') => Err(InvalidAddress::NoPort(text.to_owned())),
        None => Ok((address, port)),
    }
}

fn parse_address(text: &str) -> Result<IpAddr, InvalidAddress> {
    let address: IpAddr = text.parse().map_err(|_| InvalidAddress::NoAddress(text.to_owned()))?;
    Ok(address.to_canonical())
}

fn parse_ports(text: &str) -> Result<L4PortRange, InvalidAddress> {
    let wrong = || InvalidAddress::NoPortNumber(text.to_owned());
    let port = |part: &str| -> Option<L4Port> {
        let digits = part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten().and_then(L4Port::new)
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first).ok_or_else(wrong)?, port(last).ok_or_else(wrong)?);
    L4PortRange::new(first, last).ok_or_else(wrong)
}

impl FromStr for ListenOn {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let (address, ports) = split(text)?;
        let address = if address.is_empty() { None } else { Some(parse_address(address)?) };
        Ok(Self { address, ports: parse_ports(ports)?, netns: None })
    }
}

impl FromStr for ConnectTo {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let (address, port) = split(text)?;
        let address = parse_address(address)?;
        if address.is_unspecified() {
            return Err(InvalidAddress::Unspecified(text.to_owned()));
        }
        let port = parse_ports(port)?.as_single();
        let port = port.ok_or_else(|| InvalidAddress::NoPortNumber(text.to_owned()))?;
        Ok(Self { address, port, netns: None })
    }
}

impl fmt::Display for ListenOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            None => write!(f, ":")?,
            Some(IpAddr::V4(address)) => write!(f, "{address}:")?,
            Some(IpAddr::V6(address)) => write!(f, "[{address}]:")?,
        }
        match self.ports.as_single() {
            Some(port) => write!(f, "{port}"),
            None => write!(f, "{}-{}", self.ports.first(), self.ports.last()),
        }
    }
}

impl fmt::Display for ConnectTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.port.get()).fmt(f)
    }
}
