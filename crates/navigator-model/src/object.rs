//! The name of one object inside a scope: what changes, steps and status reports are about.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{FloatingIpId, GatewayPortForwardingId, NetworkId, PortForwardingId, PortId, RouterId};

/// Written `<kind>/<id>`; the kind is the API resource's name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKey {
    Router(RouterId),
    Network(NetworkId),
    Port(PortId),
    FloatingIp(FloatingIpId),
    PortForwarding(PortForwardingId),
    GatewayPortForwarding(GatewayPortForwardingId),
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Router(id) => write!(f, "router/{id}"),
            Self::Network(id) => write!(f, "network/{id}"),
            Self::Port(id) => write!(f, "port/{id}"),
            Self::FloatingIp(id) => write!(f, "floatingip/{id}"),
            Self::PortForwarding(id) => write!(f, "port_forwarding/{id}"),
            Self::GatewayPortForwarding(id) => write!(f, "gateway_port_forwarding/{id}"),
        }
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("'{0}' does not name an object")]
pub struct InvalidObjectKey(String);

impl FromStr for ObjectKey {
    type Err = InvalidObjectKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidObjectKey(text.to_owned());
        let (kind, id) = text.split_once('/').ok_or_else(invalid)?;
        let key = match kind {
            "router" => id.parse().map(Self::Router),
            "network" => id.parse().map(Self::Network),
            "port" => id.parse().map(Self::Port),
            "floatingip" => id.parse().map(Self::FloatingIp),
            "port_forwarding" => id.parse().map(Self::PortForwarding),
            "gateway_port_forwarding" => id.parse().map(Self::GatewayPortForwarding),
            _ => return Err(invalid()),
        };
        key.map_err(|_| invalid())
    }
}

impl Serialize for ObjectKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
