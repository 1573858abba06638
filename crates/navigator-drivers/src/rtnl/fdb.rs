//! Static forwarding entries of vxlan devices: behind which host is a MAC address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use navigator_model::MacAddress;
use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_REPLACE, Parseable};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    neighbour::{
        NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
    },
};

use super::{Rtnl, RtnlError};

/// Frames to unknown destinations go to every remote of this entry.
const FLOOD: MacAddress = MacAddress([0; 6]);

impl Rtnl {
    pub(crate) fn fdb(&mut self, index: u32) -> Result<Vec<(MacAddress, IpAddr)>, RtnlError> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Bridge;
        message.header.ifindex = index;
        self.dump(&RouteNetlinkMessage::GetNeighbour(message), Vec::new, |entries, payload| {
            let message = NeighbourMessage::parse(payload).ok();
            entries.extend(message.filter(|m| m.header.ifindex == index).and_then(|m| found(&m)));
        })
    }

    pub(crate) fn add_fdb(
        &mut self,
        index: u32,
        mac_address: MacAddress,
        remote: IpAddr,
    ) -> Result<(), RtnlError> {
        // One remote per address, but any number to flood to.
        let how = if mac_address == FLOOD { NLM_F_APPEND } else { NLM_F_REPLACE };
        let message = wanted(index, mac_address, remote);
        self.request(RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | how)
    }

    pub(crate) fn delete_fdb(
        &mut self,
        index: u32,
        mac_address: MacAddress,
        remote: IpAddr,
    ) -> Result<(), RtnlError> {
        let message = wanted(index, mac_address, remote);
        self.request(RouteNetlinkMessage::DelNeighbour(message), 0)
    }
}

fn wanted(index: u32, mac_address: MacAddress, remote: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    // On the device itself, not on the bridge that it hangs on.
    message.header.flags = NeighbourFlags::Own;
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac_address.0.to_vec()));
    message.attributes.push(NeighbourAttribute::Destination(NeighbourAddress::from(remote)));
    message
}

pub(super) fn found(message: &NeighbourMessage) -> Option<(MacAddress, IpAddr)> {
    let (mut mac_address, mut remote) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => {
                mac_address = bytes.as_slice().try_into().ok().map(MacAddress);
            }
            NeighbourAttribute::Destination(address) => remote = ip(address),
            _ => {}
        }
    }
    Some((mac_address?, remote?))
}

/// The bridge family does not say which kind of address it carries: the length does.
fn ip(address: &NeighbourAddress) -> Option<IpAddr> {
    match address {
        NeighbourAddress::Inet(address) => Some((*address).into()),
        NeighbourAddress::Inet6(address) => Some((*address).into()),
        NeighbourAddress::Other(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(bytes.as_slice()).ok().map(|b| Ipv4Addr::from(b).into()),
            16 => <[u8; 16]>::try_from(bytes.as_slice()).ok().map(|b| Ipv6Addr::from(b).into()),
            _ => None,
        },
        _ => None,
    }
}
