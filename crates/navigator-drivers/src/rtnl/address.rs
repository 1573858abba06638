//! IP addresses of devices.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, Parseable};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage},
};

use super::{Rtnl, RtnlError};

impl Rtnl {
    /// Addresses that somebody set, with the device's index. Those that the kernel makes up or
    /// learns (link-local, from router advertisements) are left out.
    pub(crate) fn addresses(&mut self) -> Result<Vec<(u32, IpNet)>, RtnlError> {
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        self.dump(&request, Vec::new, |addresses, payload| {
            addresses.extend(AddressMessage::parse(payload).ok().and_then(|m| found(&m)));
        })
    }

    /// IPv6 addresses are usable at once, without duplicate detection: they are the server's to
    /// give, and a router that waits a second for its address drops its first packets.
    pub(crate) fn add_address(&mut self, index: u32, address: IpNet) -> Result<(), RtnlError> {
        let mut message = wanted(index, address);
        match address {
            IpNet::V4(net) if net.prefix_len() < 31 => {
                message.attributes.push(AddressAttribute::Broadcast(net.broadcast()));
            }
            IpNet::V4(_) => {}
            IpNet::V6(_) => message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad)),
        }
        self.request(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    pub(crate) fn delete_address(&mut self, index: u32, address: IpNet) -> Result<(), RtnlError> {
        self.request(RouteNetlinkMessage::DelAddress(wanted(index, address)), 0)
    }
}

fn wanted(index: u32, address: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = match address {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    };
    message.header.prefix_len = address.prefix_len();
    message.header.index = index;
    message.attributes.push(AddressAttribute::Local(address.addr()));
    message.attributes.push(AddressAttribute::Address(address.addr()));
    message
}

pub(super) fn found(message: &AddressMessage) -> Option<(u32, IpNet)> {
    let mut address = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(local) => address = Some(*local),
            // On IPv6 there is no local address beside it.
            AddressAttribute::Address(other) => address = address.or(Some(*other)),
            _ => {}
        }
    }
    let address = address?;
    let kernels = match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(a) => {
            a.is_unicast_link_local()
                || !message.header.flags.contains(AddressHeaderFlags::Permanent)
        }
    };
    if kernels {
        return None;
    }
    Some((message.header.index, IpNet::new(address, message.header.prefix_len).ok()?))
}
