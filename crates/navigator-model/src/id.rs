//! Typed ids: a `PortId` cannot be passed where a `RouterId` is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Declares ids, here or in the crate that owns what they name; that crate needs `serde` and `uuid`.
#[macro_export]
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            ::serde::Serialize, ::serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub ::uuid::Uuid);

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(self.0.as_hyphenated(), f)
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = ::uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                ::uuid::Uuid::parse_str(text).map(Self)
            }
        }
    )*};
}

ids! {
    NetworkId,
    SubnetId,
    PortId,
    RouterId,
    FloatingIpId,
    /// A port forwarding of a floating IP.
    PortForwardingId,
    /// A port forwarding of a router's gateway address.
    GatewayPortForwardingId,
    AgentId,
    SecurityGroupId,
    SecurityGroupRuleId,
    AddressGroupId,
}

/// A Keystone project. Keystone's ids are not always UUIDs, so the text is kept as it came.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProjectId(pub String);

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProjectId({})", self.0)
    }
}

impl From<&str> for ProjectId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}
