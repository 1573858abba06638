//! Answers "is this flow among those to delete?" in the time of a lookup, however many forwards
//! are asked about. Pure.

use std::{collections::HashMap, net::Ipv4Addr};

use navigator_model::{L4PortRange, Protocol};
use navigator_state::FlowMatch;

use super::{
    IP_DESTINATION, IP_SOURCE, PROTOCOL_DESTINATION, PROTOCOL_NUMBER, PROTOCOL_SOURCE, TUPLE_IP,
    TUPLE_PROTOCOL,
};
use crate::nft::Attributes;

/// The parts of a flow that decide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    /// Where the flow really leads, after translation.
    reply_source: Ipv4Addr,
    reply_destination: Ipv4Addr,
    protocol: u8,
    /// None for protocols whose ports this kernel does not track.
    port: Option<u16>,
    reply_port: Option<u16>,
}

impl Flow {
    /// From the attributes of the original and the reply tuple.
    pub(super) fn parse(original: &[u8], reply: &[u8]) -> Option<Self> {
        let address = |tuple, attribute| {
            let value = Attributes(tuple).nested(TUPLE_IP)?.find(attribute)?;
            Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?))
        };
        let port = |tuple, attribute| {
            let value = Attributes(tuple).nested(TUPLE_PROTOCOL)?.find(attribute)?;
            value.try_into().ok().map(u16::from_be_bytes)
        };
        let protocol = Attributes(original).nested(TUPLE_PROTOCOL)?;
        Some(Self {
            source: address(original, IP_SOURCE)?,
            destination: address(original, IP_DESTINATION)?,
            reply_source: address(reply, IP_SOURCE)?,
            reply_destination: address(reply, IP_DESTINATION)?,
            protocol: *protocol.find(PROTOCOL_NUMBER)?.first()?,
            port: port(original, PROTOCOL_DESTINATION),
            reply_port: port(reply, PROTOCOL_SOURCE),
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
    /// Floating IPs, each with the fixed address whose flows stay.
    addresses: HashMap<Ipv4Addr, Option<Ipv4Addr>>,
    /// By destination and protocol.
    ports: HashMap<(Ipv4Addr, u8), Vec<Range>>,
    filter: Option<Filter>,
}

/// Ports whose flows go, except those that lead to the target already. Ascending, without overlaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    first: u16,
    last: u16,
    target: Option<(Ipv4Addr, L4PortRange)>,
}

impl FlowIndex {
    pub(super) fn new(flows: &[FlowMatch]) -> Self {
        let mut index = Self { filter: common_filter(flows), ..Self::default() };
        for flow in flows {
            match *flow {
                FlowMatch::Address { address, translated_to } => {
                    let spared = index.addresses.entry(address).or_insert(translated_to);
                    *spared = spared.filter(|spared| Some(*spared) == translated_to);
                }
                FlowMatch::Destination { address, protocol, ports, translated_to } => {
                    let of_endpoint = index.ports.entry((address, protocol.number())).or_default();
                    let (first, last) = ports.into();
                    of_endpoint.push(Range { first, last, target: translated_to });
                }
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
        self.matches_destination_address(flow)
            || self.matches_reply_address(flow)
            || self.matches_port(flow)
    }

    fn matches_destination_address(&self, flow: &Flow) -> bool {
        let spared = self.addresses.get(&flow.destination);
        spared.is_some_and(|spared| *spared != Some(flow.reply_source))
    }

    fn matches_reply_address(&self, flow: &Flow) -> bool {
        let spared = self.addresses.get(&flow.reply_destination);
        spared.is_some_and(|spared| *spared != Some(flow.source))
    }

    fn matches_port(&self, flow: &Flow) -> bool {
        let Some(ranges) = self.ports.get(&(flow.destination, flow.protocol)) else { return false };
        // All forwards of such a protocol on one address share the kernel's one entry per client.
        let Some(port) = flow.port else {
            return !ranges.iter().all(|range| range.leads_to(flow.reply_source));
        };
        let after = ranges.partition_point(|range| range.first <= port);
        let range = after.checked_sub(1).map(|before| ranges[before]);
        range.is_some_and(|range| port <= range.last && !range.spares(port, flow))
    }
}

impl Range {
    fn leads_to(&self, address: Ipv4Addr) -> bool {
        self.target.is_some_and(|(target, _)| target == address)
    }

    /// Whether a flow to one of these ports is translated as it should be.
    fn spares(&self, port: u16, flow: &Flow) -> bool {
        let Some((_, inside)) = self.target else { return false };
        let wanted = match inside.as_single() {
            Some(single) => Some(single.get()),
            None => inside.first().get().checked_add(port - self.first),
        };
        self.leads_to(flow.reply_source) && wanted == flow.reply_port
    }
}

/// Sorts, and joins what overlaps. Where two overlap that lead to different targets, nothing is
/// spared.
fn merge(ranges: &mut Vec<Range>) {
    ranges.sort_unstable_by_key(|range| (range.first, range.last));
    ranges.dedup_by(|next, kept| {
        let overlaps = next.first <= kept.last;
        if overlaps && *next != *kept {
            *kept = Range { first: kept.first, last: kept.last.max(next.last), target: None };
        }
        overlaps
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
    use navigator_model::L4Port;

    use super::*;

    const HERE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
    const THERE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
    const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);

    fn destination(address: Ipv4Addr, protocol: Protocol, first: u16, last: u16) -> FlowMatch {
        let port = |number| L4Port::new(number).unwrap();
        let ports = L4PortRange::new(port(first), port(last)).unwrap();
        FlowMatch::Destination { address, protocol, ports, translated_to: None }
    }

    fn flow(destination: Ipv4Addr, protocol: Protocol, port: u16) -> Flow {
        let protocol = protocol.number();
        Flow {
            source: THERE,
            destination,
            reply_source: INSIDE,
            reply_destination: THERE,
            protocol,
            port: Some(port),
            reply_port: Some(port),
        }
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
        let index = FlowIndex::new(&[FlowMatch::Address { address: THERE, translated_to: None }]);
        assert!(index.matches(&flow(THERE, Protocol::Tcp, 1)));
        assert!(index.matches(&flow(HERE, Protocol::Tcp, 1)));
        let other = Flow { reply_destination: HERE, ..flow(HERE, Protocol::Tcp, 1) };
        assert!(!index.matches(&other));
        assert_eq!(index.filter(), None);
    }

    fn leading_to(first: u16, last: u16, inside: &str) -> FlowMatch {
        let FlowMatch::Destination { address, protocol, ports, .. } =
            destination(HERE, Protocol::Udp, first, last)
        else {
            unreachable!()
        };
        let translated_to = Some((INSIDE, inside.parse().unwrap()));
        FlowMatch::Destination { address, protocol, ports, translated_to }
    }

    #[test]
    fn a_flow_that_leads_where_it_should_stays() {
        let index = FlowIndex::new(&[leading_to(20, 29, "120:129"), leading_to(30, 39, "80")]);
        let to = |port, reply_port| Flow {
            reply_port: Some(reply_port),
            ..flow(HERE, Protocol::Udp, port)
        };
        assert!(!index.matches(&to(25, 125)) && !index.matches(&to(35, 80)));
        assert!(index.matches(&to(25, 126)) && index.matches(&to(35, 35)));
        let untranslated = Flow { reply_source: HERE, ..flow(HERE, Protocol::Udp, 25) };
        assert!(index.matches(&untranslated));
        let portless = Flow { port: None, reply_port: None, ..to(25, 125) };
        assert!(!index.matches(&portless));
        assert!(index.matches(&Flow { reply_source: HERE, ..portless }));
    }

    #[test]
    fn ports_said_to_lead_to_two_places_spare_nothing() {
        let index = FlowIndex::new(&[leading_to(20, 29, "80"), leading_to(25, 35, "81")]);
        let to = |port, reply_port| Flow {
            reply_port: Some(reply_port),
            ..flow(HERE, Protocol::Udp, port)
        };
        assert!(index.matches(&to(20, 80)) && index.matches(&to(35, 81)));
        assert!(!index.matches(&to(36, 81)));
    }

    #[test]
    fn a_floating_ips_flows_stay_in_both_directions_where_they_are_translated() {
        let index =
            FlowIndex::new(&[FlowMatch::Address { address: HERE, translated_to: Some(INSIDE) }]);
        let inwards = flow(HERE, Protocol::Tcp, 1);
        let outwards = Flow {
            source: INSIDE,
            reply_source: THERE,
            reply_destination: HERE,
            ..flow(THERE, Protocol::Tcp, 1)
        };
        assert!(!index.matches(&inwards) && !index.matches(&outwards));
        assert!(index.matches(&Flow { reply_source: THERE, ..inwards }));
        assert!(index.matches(&Flow { source: THERE, ..outwards }));
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
