//! Answers "is this flow among those to delete?" in the time of a lookup, however many forwards
//! are asked about. Pure.

use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
};

use navigator_model::Protocol;
use navigator_state::FlowMatch;

use super::{IP_DESTINATION, PROTOCOL_DESTINATION, PROTOCOL_NUMBER, TUPLE_IP, TUPLE_PROTOCOL};
use crate::nft::Attributes;

/// The parts of a flow that decide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    destination: Ipv4Addr,
    reply_destination: Ipv4Addr,
    protocol: u8,
    /// None for protocols whose ports this kernel does not track.
    port: Option<u16>,
}

impl Flow {
    /// From the attributes of the original and the reply tuple.
    pub(super) fn parse(original: &[u8], reply: &[u8]) -> Option<Self> {
        let destination = |tuple| {
            let value = Attributes(tuple).nested(TUPLE_IP)?.find(IP_DESTINATION)?;
            Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?))
        };
        let protocol = Attributes(original).nested(TUPLE_PROTOCOL)?;
        let port = protocol.find(PROTOCOL_DESTINATION).and_then(|port| port.try_into().ok());
        Some(Self {
            destination: destination(original)?,
            reply_destination: destination(reply)?,
            protocol: *protocol.find(PROTOCOL_NUMBER)?.first()?,
            port: port.map(u16::from_be_bytes),
        })
    }
}

/// What all matches have in common, for the kernel to filter by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) address: Ipv4Addr,
    pub(super) protocol: Option<Protocol>,
}

#[derive(Default)]
pub(super) struct FlowIndex {
    addresses: HashSet<Ipv4Addr>,
    /// Port ranges by destination and protocol, ascending and without overlaps.
    ports: HashMap<(Ipv4Addr, u8), Vec<(u16, u16)>>,
    filter: Option<Filter>,
}

impl FlowIndex {
    pub(super) fn new(flows: &[FlowMatch]) -> Self {
        let mut index = Self { filter: common_filter(flows), ..Self::default() };
        for flow in flows {
            match *flow {
                FlowMatch::Address { address } => {
                    index.addresses.insert(address);
                }
                FlowMatch::Destination { address, protocol, ports } => index
                    .ports
                    .entry((address, protocol.number()))
                    .or_default()
                    .push((ports.first().get(), ports.last().get())),
            }
        }
        for ranges in index.ports.values_mut() {
            merge(ranges);
        }
        index
    }

    pub(super) fn filter(&self) -> Option<Filter> {
        self.filter
    }

    pub(super) fn matches(&self, flow: &Flow) -> bool {
        if self.addresses.contains(&flow.destination)
            || self.addresses.contains(&flow.reply_destination)
        {
            return true;
        }
        let Some(ranges) = self.ports.get(&(flow.destination, flow.protocol)) else { return false };
        // All forwards of such a protocol on one address share the kernel's one entry per client.
        let Some(port) = flow.port else { return true };
        let after = ranges.partition_point(|(first, _)| *first <= port);
        after.checked_sub(1).is_some_and(|before| port <= ranges[before].1)
    }
}

/// Sorts, and joins what overlaps or touches.
fn merge(ranges: &mut Vec<(u16, u16)>) {
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let joins = u32::from(next.0) <= u32::from(kept.1) + 1;
        if joins {
            kept.1 = kept.1.max(next.1);
        }
        joins
    });
}

fn common_filter(flows: &[FlowMatch]) -> Option<Filter> {
    let mut common: Option<Filter> = None;
    for flow in flows {
        // Replies *to* an address have another original destination: no filter finds both.
        let FlowMatch::Destination { address, protocol, .. } = *flow else { return None };
        match &mut common {
            None => common = Some(Filter { address, protocol: Some(protocol) }),
            Some(filter) if filter.address != address => return None,
            Some(filter) if filter.protocol != Some(protocol) => filter.protocol = None,
            Some(_) => {}
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use navigator_model::{L4Port, L4PortRange};

    use super::*;

    const HERE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
    const THERE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);

    fn destination(address: Ipv4Addr, protocol: Protocol, first: u16, last: u16) -> FlowMatch {
        let port = |number| L4Port::new(number).unwrap();
        let ports = L4PortRange::new(port(first), port(last)).unwrap();
        FlowMatch::Destination { address, protocol, ports }
    }

    fn flow(destination: Ipv4Addr, protocol: Protocol, port: u16) -> Flow {
        let protocol = protocol.number();
        Flow { destination, reply_destination: THERE, protocol, port: Some(port) }
    }

    #[test]
    fn ranges_match_exactly_their_ports() {
        let index = FlowIndex::new(&[
            destination(HERE, Protocol::Udp, 20, 30),
            destination(HERE, Protocol::Udp, 31, 40),
            destination(HERE, Protocol::Udp, 25, 27),
            destination(HERE, Protocol::Tcp, 50, 50),
        ]);
        let matched: Vec<u16> =
            (0..100).filter(|port| index.matches(&flow(HERE, Protocol::Udp, *port))).collect();
        assert_eq!(matched, (20..=40).collect::<Vec<_>>());
        assert!(index.matches(&flow(HERE, Protocol::Tcp, 50)));
        assert!(!index.matches(&flow(HERE, Protocol::Tcp, 30)));
        assert!(!index.matches(&flow(THERE, Protocol::Udp, 30)));
    }

    #[test]
    fn an_address_matches_in_both_directions() {
        let index = FlowIndex::new(&[FlowMatch::Address { address: THERE }]);
        assert!(index.matches(&flow(THERE, Protocol::Tcp, 1)));
        assert!(index.matches(&flow(HERE, Protocol::Tcp, 1)));
        let other = Flow { reply_destination: HERE, ..flow(HERE, Protocol::Tcp, 1) };
        assert!(!index.matches(&other));
        assert_eq!(index.filter(), None);
    }

    #[test]
    fn the_kernel_filters_by_what_all_matches_share() {
        let filter = |flows: &[FlowMatch]| FlowIndex::new(flows).filter();
        let udp = destination(HERE, Protocol::Udp, 1, 2);
        let tcp = destination(HERE, Protocol::Tcp, 1, 2);
        let elsewhere = destination(THERE, Protocol::Udp, 1, 2);
        let protocol = Some(Protocol::Udp);
        assert_eq!(filter(std::slice::from_ref(&udp)), Some(Filter { address: HERE, protocol }));
        assert_eq!(filter(&[udp.clone(), tcp]), Some(Filter { address: HERE, protocol: None }));
        assert_eq!(filter(&[udp, elsewhere]), None);
    }
}
