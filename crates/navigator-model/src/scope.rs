//! A scope is what an agent converges as a whole: a host's duties, a router, a network.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{NetworkId, RouterId};

/// The name under which an agent registers, Neutron's `Agent.host`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostName(pub String);

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for HostName {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Written `host/<name>`, `router/<id>`, `network/<id>`, also on the wire and in kernel marks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Which routers and networks this host serves.
    Host(HostName),
    /// One router with its interfaces, floating IPs and forwards.
    Router(RouterId),
    /// One network with its subnets and ports.
    Network(NetworkId),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(name) => write!(f, "host/{name}"),
            Self::Router(id) => write!(f, "router/{id}"),
            Self::Network(id) => write!(f, "network/{id}"),
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not a scope: host/<name>, router/<id> or network/<id>")]
pub struct InvalidScope(String);

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidScope(text.to_owned());
        let (kind, name) = text.split_once('/').ok_or_else(invalid)?;
        match kind {
            "host" if !name.is_empty() => Ok(Self::Host(name.into())),
            "router" => name.parse().map(Self::Router).map_err(|_| invalid()),
            "network" => name.parse().map(Self::Network).map_err(|_| invalid()),
            _ => Err(invalid()),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
