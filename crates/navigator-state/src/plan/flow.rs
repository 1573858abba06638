//! Which connections a change of elements concerns: exactly those of the forwards and floating IPs
//! that changed. Also of those that are new: a packet that came before its rule left an entry
//! without translation, which would go on deciding for the whole flow.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use navigator_model::{L4Port, L4PortRange, Protocol};

use crate::{
    nft::{ElementChange, layout},
    step::FlowMatch,
};

/// Ports that belong together are one match, so that a range costs one look at the table.
pub fn of_changes(changes: &[ElementChange]) -> Vec<FlowMatch> {
    let mut ports: BTreeMap<(Ipv4Addr, Protocol), BTreeSet<u16>> = BTreeMap::new();
    let mut addresses = BTreeSet::new();
    for change in changes {
        match change.set.as_str() {
            layout::FORWARDS | layout::RESTRICTED | layout::MASQUERADED | layout::ALLOWED => {
                let Some(protocol) = change.key.protocol_at(0) else { continue };
                let of_endpoint = ports.entry((change.key.address_at(1), protocol)).or_default();
                of_endpoint.extend(ports_of(change));
            }
            layout::FLOATING_TO_FIXED => {
                addresses.insert(change.key.address_at(0));
            }
            layout::FIXED_TO_FLOATING => {
                let data = [change.remove, change.add].into_iter().flatten();
                addresses.extend(data.filter_map(|e| e.data).map(|data| data.address_at(0)));
            }
            _ => {}
        }
    }
    let forwards = ports.into_iter().flat_map(|((address, protocol), ports)| {
        let ranges = contiguous(ports).into_iter();
        ranges.map(move |ports| FlowMatch::Destination { address, protocol, ports })
    });
    let addresses = addresses.into_iter().map(|address| FlowMatch::Address { address });
    forwards.chain(addresses).collect()
}

fn ports_of(change: &ElementChange) -> std::ops::RangeInclusive<u16> {
    let first = change.key.port_at(2);
    let ends = [change.remove, change.add].into_iter().flatten().filter_map(|e| e.key_end);
    first..=ends.map(|end| end.port_at(2)).max().unwrap_or(first)
}

fn contiguous(ports: BTreeSet<u16>) -> Vec<L4PortRange> {
    let mut ranges: Vec<L4PortRange> = Vec::new();
    for port in ports.into_iter().filter_map(L4Port::new) {
        let grown = ranges
            .last()
            .filter(|range| u32::from(range.last().get()) + 1 == u32::from(port.get()))
            .and_then(|range| L4PortRange::new(range.first(), port));
        match (grown, ranges.last_mut()) {
            (Some(grown), Some(last)) => *last = grown,
            _ => ranges.push(L4PortRange::single(port)),
        }
    }
    ranges
}
