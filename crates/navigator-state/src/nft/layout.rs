//! The sets and maps of every table of ours: their names, declarations and the layout of their
//! elements. The one place that knows which field of a key is which.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use navigator_model::{L4PortRange, Protocol};

use super::{
    Element, Tuple,
    rule::{Data, SetDeclaration},
};

/// Where a packet to an external address and port leads.
pub const FORWARDS: &str = "forwards";
pub const FLOATING_TO_FIXED: &str = "floating_to_fixed";
pub const FIXED_TO_FLOATING: &str = "fixed_to_floating";
/// Forwards that only sources in [`ALLOWED`] may use.
pub const RESTRICTED: &str = "restricted";
pub const ALLOWED: &str = "allowed";
/// Forwards whose flows get the router's address as source on their way to the instance.
pub const MASQUERADED: &str = "masqueraded";

const ENDPOINT: &[Data] = &[Data::Protocol, Data::Address, Data::Port];

/// In listing order, which is the order of creation: new ones go last, or the table has to be made
/// anew on upgrade.
pub const SETS: [SetDeclaration; 6] = [
    SetDeclaration::map(FORWARDS, ENDPOINT, &[Data::Address, Data::Port]),
    SetDeclaration::map(FLOATING_TO_FIXED, &[Data::Address], &[Data::Address]),
    SetDeclaration::map(FIXED_TO_FLOATING, &[Data::Address], &[Data::Address]),
    SetDeclaration::set(RESTRICTED, ENDPOINT),
    SetDeclaration::interval_set(
        ALLOWED,
        &[Data::Protocol, Data::Address, Data::Port, Data::Address],
    ),
    SetDeclaration::set(MASQUERADED, ENDPOINT),
];

/// An external address and port: the key of [`FORWARDS`], [`RESTRICTED`] and [`MASQUERADED`].
pub fn endpoint(protocol: Protocol, address: Ipv4Addr, port: u16) -> Tuple {
    Tuple::new().protocol(protocol).ipv4(address).port(port)
}

/// The value in [`FORWARDS`].
pub fn target(address: Ipv4Addr, port: u16) -> Element {
    Element { key_end: None, data: Some(Tuple::new().ipv4(address).port(port)) }
}

/// The value in the two maps between floating and fixed addresses.
pub fn address_data(address: Ipv4Addr) -> Element {
    Element { key_end: None, data: Some(Tuple::new().ipv4(address)) }
}

/// One element of [`ALLOWED`]: a box of ports and sources. Boxes must not overlap.
pub fn allowance(
    protocol: Protocol,
    address: Ipv4Addr,
    ports: L4PortRange,
    sources: Ipv4Net,
) -> (Tuple, Element) {
    let start = endpoint(protocol, address, ports.first().get()).ipv4(sources.network());
    let end = endpoint(protocol, address, ports.last().get()).ipv4(sources.broadcast());
    (start, Element { key_end: Some(end), data: None })
}

impl Tuple {
    /// Field `n` as an address.
    pub fn address_at(&self, n: usize) -> Ipv4Addr {
        Ipv4Addr::from(self.word(n))
    }

    /// Field `n` as a port.
    pub fn port_at(&self, n: usize) -> u16 {
        let [high, low, ..] = self.word(n);
        u16::from_be_bytes([high, low])
    }

    /// Field `n` as a protocol; `None` for a number that we never write.
    pub fn protocol_at(&self, n: usize) -> Option<Protocol> {
        let [number, ..] = self.word(n);
        Protocol::ALL.into_iter().find(|protocol| protocol.number() == number)
    }
}
