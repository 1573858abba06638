//! Routes of the main table that carry our protocol number.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use navigator_state::route::PROTOCOL;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, Parseable};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol,
        RouteScope, RouteType, RouteVia,
    },
};

use super::{Rtnl, RtnlError};

/// A route as the kernel has it: devices by index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KernelRoute {
    pub destination: IpNet,
    pub via: Option<IpAddr>,
    pub link: Option<u32>,
    pub onlink: bool,
}

/// What to do with a route to the same destination that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    Refuse,
    Replace,
}

impl Rtnl {
    pub(crate) fn routes(&mut self) -> Result<Vec<KernelRoute>, RtnlError> {
        let mut message = RouteMessage::default();
        // The kernel filters by both.
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Other(PROTOCOL);
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            message.header.address_family = family;
            let request = RouteNetlinkMessage::GetRoute(message.clone());
            let found = self.dump(&request, Vec::new, |routes, payload| {
                routes.extend(RouteMessage::parse(payload).ok().and_then(|m| found(&m)));
            });
            match found {
                Ok(found) => routes.extend(found),
                // A kernel without IPv6 has no such table.
                Err(e) if e.is(libc::ENOENT) || e.is(libc::EAFNOSUPPORT) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(routes)
    }

    pub(crate) fn add_route(
        &mut self,
        route: &KernelRoute,
        existing: Existing,
    ) -> Result<(), RtnlError> {
        let flags = match existing {
            Existing::Refuse => NLM_F_CREATE | NLM_F_EXCL,
            Existing::Replace => NLM_F_CREATE | NLM_F_REPLACE,
        };
        self.request(RouteNetlinkMessage::NewRoute(wanted(route)), flags)
    }

    /// Only a route with our protocol number and this next hop.
    pub(crate) fn delete_route(&mut self, route: &KernelRoute) -> Result<(), RtnlError> {
        self.request(RouteNetlinkMessage::DelRoute(wanted(route)), 0)
    }
}

fn wanted(route: &KernelRoute) -> RouteMessage {
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    header.address_family = match route.destination {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    };
    header.destination_prefix_length = route.destination.prefix_len();
    header.table = RouteHeader::RT_TABLE_MAIN;
    header.protocol = RouteProtocol::Other(PROTOCOL);
    header.kind = RouteType::Unicast;
    header.scope = match (route.via, route.destination) {
        (None, IpNet::V4(_)) => RouteScope::Link,
        _ => RouteScope::Universe,
    };
    if route.onlink {
        header.flags |= RouteFlags::Onlink;
    }
    let destination = RouteAddress::from(route.destination.network());
    message.attributes.push(RouteAttribute::Destination(destination));
    message.attributes.extend(route.via.map(|via| gateway(route.destination, via)));
    message.attributes.extend(route.link.map(RouteAttribute::Oif));
    message
}

fn gateway(destination: IpNet, via: IpAddr) -> RouteAttribute {
    match (destination, via) {
        (IpNet::V4(_), IpAddr::V6(via)) => RouteAttribute::Via(RouteVia::Inet6(via)),
        _ => RouteAttribute::Gateway(RouteAddress::from(via)),
    }
}

pub(super) fn found(message: &RouteMessage) -> Option<KernelRoute> {
    let header = &message.header;
    let ours = header.protocol == RouteProtocol::Other(PROTOCOL)
        && header.table == RouteHeader::RT_TABLE_MAIN
        && header.kind == RouteType::Unicast
        && !header.flags.contains(RouteFlags::Cloned);
    if !ours {
        return None;
    }
    let mut destination = match header.address_family {
        AddressFamily::Inet => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        AddressFamily::Inet6 => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let (mut via, mut link) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => destination = ip(address)?,
            RouteAttribute::Gateway(address) => via = ip(address),
            RouteAttribute::Via(RouteVia::Inet(address)) => via = Some((*address).into()),
            RouteAttribute::Via(RouteVia::Inet6(address)) => via = Some((*address).into()),
            RouteAttribute::Oif(index) => link = Some(*index),
            _ => {}
        }
    }
    let destination = IpNet::new(destination, header.destination_prefix_length).ok()?;
    let onlink = header.flags.contains(RouteFlags::Onlink);
    Some(KernelRoute { destination, via, link, onlink })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}
