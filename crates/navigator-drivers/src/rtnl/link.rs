//! Devices: dump, find, make, change, delete.
//!
//! Found devices are parsed here attribute by attribute, and only the attributes that matter: one
//! odd device of somebody else's must not make all of them unreadable.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::RawFd,
};

use navigator_model::MacAddress;
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NlasIterator};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{
        InfoBridge, InfoData, InfoKind, InfoVeth, InfoVxlan, LinkAttribute, LinkExtentMask,
        LinkFlags, LinkHeader, LinkInfo, LinkMessage,
    },
};

use super::{Rtnl, RtnlError};

/// The port that IANA gave to VXLAN; Linux' own default is an older one.
const VXLAN_PORT: u16 = 4789;

/// A device as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    pub index: u32,
    pub name: String,
    pub alias: Option<String>,
    pub group: u32,
    pub mac_address: Option<MacAddress>,
    pub mtu: Option<u32>,
    pub up: bool,
    pub master: Option<u32>,
    /// The peer's index, in the peer's namespace.
    pub peer: Option<u32>,
    pub kind: String,
    pub vni: Option<u32>,
    pub local: Option<IpAddr>,
}

/// A device to make.
#[derive(Clone, Debug)]
pub(crate) struct NewLink<'a> {
    pub name: &'a str,
    pub group: u32,
    pub mac_address: Option<MacAddress>,
    pub mtu: Option<u32>,
    pub up: bool,
    pub master: Option<u32>,
    pub info: NewKind<'a>,
}

#[derive(Clone, Debug)]
pub(crate) enum NewKind<'a> {
    Veth(Peer<'a>),
    Bridge,
    Vxlan { vni: u32, local: Option<IpAddr> },
}

/// The other end of a pair, in the namespace of `namespace`. It cannot be made up: while it is
/// made, it has no other end yet (`ENOTCONN`).
#[derive(Clone, Debug)]
pub(crate) struct Peer<'a> {
    pub name: &'a str,
    pub namespace: RawFd,
}

impl Rtnl {
    pub(crate) fn devices(&mut self) -> Result<Vec<Device>, RtnlError> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        self.dump(&RouteNetlinkMessage::GetLink(message), Vec::new, |devices, payload| {
            devices.extend(parse(payload));
        })
    }

    pub(crate) fn device(&mut self, name: &str) -> Result<Option<Device>, RtnlError> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        self.find(message)
    }

    pub(crate) fn device_at(&mut self, index: u32) -> Result<Option<Device>, RtnlError> {
        self.find(by_index(index))
    }

    fn find(&mut self, mut message: LinkMessage) -> Result<Option<Device>, RtnlError> {
        message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        let mut found = None;
        match self.ask(RouteNetlinkMessage::GetLink(message), NLM_F_ACK, &mut |p| found = parse(p))
        {
            Ok(_) => Ok(found),
            Err(error) if error.is(libc::ENODEV) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Fails with `EEXIST` when the name, or the peer's name, is taken.
    pub(crate) fn create_link(&mut self, link: &NewLink<'_>) -> Result<(), RtnlError> {
        let message = RouteNetlinkMessage::NewLink(creation(link));
        self.request(message, NLM_F_CREATE | NLM_F_EXCL)
    }

    pub(crate) fn delete_link(&mut self, index: u32) -> Result<(), RtnlError> {
        self.request(RouteNetlinkMessage::DelLink(by_index(index)), 0)
    }

    /// All devices of a group in one transaction: as slow as deleting one of them.
    pub(crate) fn delete_group(&mut self, group: u32) -> Result<(), RtnlError> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::Group(group));
        self.request(RouteNetlinkMessage::DelLink(message), 0)
    }

    /// Sets attributes of the device with this name.
    pub(crate) fn set_link(
        &mut self,
        name: &str,
        attribute: LinkAttribute,
    ) -> Result<(), RtnlError> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        message.attributes.push(attribute);
        self.request(RouteNetlinkMessage::SetLink(message), 0)
    }

    pub(crate) fn set_alias(&mut self, name: &str, alias: &str) -> Result<(), RtnlError> {
        self.set_link(name, LinkAttribute::IfAlias(alias.to_owned()))
    }

    /// Sets the alias and, in the same message, the device up.
    pub(crate) fn set_alias_and_raise(&mut self, name: &str, alias: &str) -> Result<(), RtnlError> {
        let mut message = LinkMessage::default();
        raise(&mut message.header);
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        message.attributes.push(LinkAttribute::IfAlias(alias.to_owned()));
        self.request(RouteNetlinkMessage::SetLink(message), 0)
    }

    pub(crate) fn raise(&mut self, name: &str) -> Result<(), RtnlError> {
        self.set_flags(name, LinkFlags::Up)
    }

    pub(crate) fn lower(&mut self, name: &str) -> Result<(), RtnlError> {
        self.set_flags(name, LinkFlags::empty())
    }

    fn set_flags(&mut self, name: &str, flags: LinkFlags) -> Result<(), RtnlError> {
        let mut message = LinkMessage::default();
        message.header.flags = flags;
        message.header.change_mask = LinkFlags::Up;
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        self.request(RouteNetlinkMessage::SetLink(message), 0)
    }
}

fn by_index(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

fn creation(link: &NewLink<'_>) -> LinkMessage {
    let mut message = end(link.name, link);
    if link.up {
        raise(&mut message.header);
    }
    let mac_address = link.mac_address.map(|m| LinkAttribute::Address(m.0.to_vec()));
    message.attributes.extend(mac_address);
    message.attributes.extend(link.master.map(LinkAttribute::Controller));
    message.attributes.push(LinkAttribute::LinkInfo(info(link)));
    message
}

/// What both ends of a pair have in common.
fn end(name: &str, link: &NewLink<'_>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message.attributes.push(LinkAttribute::Group(link.group));
    message.attributes.extend(link.mtu.map(LinkAttribute::Mtu));
    message
}

fn raise(header: &mut LinkHeader) {
    header.flags |= LinkFlags::Up;
    header.change_mask |= LinkFlags::Up;
}

fn info(link: &NewLink<'_>) -> Vec<LinkInfo> {
    let (kind, data) = match &link.info {
        NewKind::Veth(peer) => {
            let mut message = end(peer.name, link);
            message.attributes.push(LinkAttribute::NetNsFd(peer.namespace));
            (InfoKind::Veth, InfoData::Veth(InfoVeth::Peer(message)))
        }
        // As Neutron makes them: no spanning tree, so a new port forwards at once.
        NewKind::Bridge => (InfoKind::Bridge, InfoData::Bridge(vec![InfoBridge::ForwardDelay(0)])),
        NewKind::Vxlan { vni, local } => {
            let mut data =
                vec![InfoVxlan::Id(*vni), InfoVxlan::Port(VXLAN_PORT), InfoVxlan::Learning(false)];
            data.extend(local.map(|address| match address {
                IpAddr::V4(address) => InfoVxlan::Local(address),
                IpAddr::V6(address) => InfoVxlan::Local6(address),
            }));
            (InfoKind::Vxlan, InfoData::Vxlan(data))
        }
    };
    vec![LinkInfo::Kind(kind), LinkInfo::Data(data)]
}

pub(super) fn parse(payload: &[u8]) -> Option<Device> {
    let header = LinkHeader::parse(payload).ok()?;
    let mut device = Device {
        index: header.index,
        name: String::new(),
        alias: None,
        group: 0,
        mac_address: None,
        mtu: None,
        up: header.flags.contains(LinkFlags::Up),
        master: None,
        peer: None,
        kind: String::new(),
        vni: None,
        local: None,
    };
    for attribute in NlasIterator::new(payload.get(16..)?).flatten() {
        let value = attribute.value();
        match attribute.kind() {
            libc::IFLA_IFNAME => device.name = text(value),
            libc::IFLA_IFALIAS => device.alias = Some(text(value)),
            libc::IFLA_GROUP => device.group = number(value)?,
            libc::IFLA_MTU => device.mtu = number(value),
            libc::IFLA_MASTER => device.master = number(value),
            libc::IFLA_LINK => device.peer = number(value).filter(|index| *index != 0),
            libc::IFLA_ADDRESS => {
                device.mac_address = value.try_into().ok().map(MacAddress);
            }
            libc::IFLA_LINKINFO => parse_info(&mut device, value),
            _ => {}
        }
    }
    Some(device)
}

/// `linux/if_link.h`
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_VXLAN_ID: u16 = 1;
const IFLA_VXLAN_LOCAL: u16 = 4;
const IFLA_VXLAN_LOCAL6: u16 = 17;

fn parse_info(device: &mut Device, info: &[u8]) {
    for attribute in NlasIterator::new(info).flatten() {
        match attribute.kind() {
            IFLA_INFO_KIND => device.kind = text(attribute.value()),
            IFLA_INFO_DATA if device.kind == "vxlan" => parse_vxlan(device, attribute.value()),
            _ => {}
        }
    }
}

fn parse_vxlan(device: &mut Device, data: &[u8]) {
    for attribute in NlasIterator::new(data).flatten() {
        let value = attribute.value();
        match attribute.kind() {
            IFLA_VXLAN_ID => device.vni = number(value),
            IFLA_VXLAN_LOCAL => {
                device.local = <[u8; 4]>::try_from(value).ok().map(|b| Ipv4Addr::from(b).into());
            }
            IFLA_VXLAN_LOCAL6 => {
                device.local = <[u8; 16]>::try_from(value).ok().map(|b| Ipv6Addr::from(b).into());
            }
            _ => {}
        }
    }
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_end_matches('\0').to_owned()
}

fn number(value: &[u8]) -> Option<u32> {
    value.first_chunk().map(|b| u32::from_ne_bytes(*b))
}
