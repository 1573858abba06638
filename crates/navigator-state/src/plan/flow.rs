//! Which connections a change of elements concerns: exactly those of the forwards and floating IPs
//! that changed. Also of those that are new: a packet that came before its rule left an entry
//! without translation, which would go on deciding for the whole flow. Connections that already lead
//! where the new element leads are spared: they are what a foreign flush of the rules left over.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    ops::RangeInclusive,
};

use navigator_model::{L4Port, L4PortRange, Protocol};

use crate::{
    nft::{ElementChange, Tuple, layout},
    step::FlowMatch,
};

/// Ports that belong together are one match, so that a range costs one look at the table.
pub fn of_changes(changes: &[ElementChange]) -> Vec<FlowMatch> {
    let mut endpoints: BTreeMap<(Ipv4Addr, Protocol), Ports> = BTreeMap::new();
    let mut addresses = Addresses::default();
    for change in changes {
        match change.set.as_str() {
            layout::FORWARDS | layout::RESTRICTED | layout::MASQUERADED | layout::ALLOWED => {
                let Some(protocol) = change.key.protocol_at(0) else { continue };
                let endpoint = (change.key.address_at(1), protocol);
                endpoints.entry(endpoint).or_default().note(change);
            }
            layout::FLOATING_TO_FIXED => addresses.note_floating(change),
            layout::FIXED_TO_FLOATING => addresses.note_fixed(change),
            _ => {}
        }
    }
    let forwards = endpoints.into_iter().flat_map(|((address, protocol), ports)| {
        let matched = ports.contiguous().into_iter();
        matched.map(move |Contiguous { ports, translated_to }| FlowMatch::Destination {
            address,
            protocol,
            ports,
            translated_to,
        })
    });
    forwards.chain(addresses.into_matches()).collect()
}

/// The changed ports of one address and protocol.
#[derive(Default)]
struct Ports {
    touched: BTreeSet<u16>,
    /// Where a port leads from now on, where that is new.
    targets: BTreeMap<u16, (Ipv4Addr, L4Port)>,
    /// Somebody may not use it any more, or not with their own address.
    withdrawn: BTreeSet<u16>,
}

struct Contiguous {
    ports: L4PortRange,
    translated_to: Option<(Ipv4Addr, L4PortRange)>,
}

impl Ports {
    fn note(&mut self, change: &ElementChange) {
        let ports = ports_of(change);
        if change.set == layout::FORWARDS {
            let target = change.add.and_then(|element| element.data).and_then(endpoint_of);
            self.targets.extend(target.map(|target| (change.key.port_at(2), target)));
        } else if change.remove.is_some() {
            self.withdrawn.extend(ports.clone());
        }
        self.touched.extend(ports);
    }

    fn contiguous(&self) -> Vec<Contiguous> {
        let mut ranges: Vec<Contiguous> = Vec::new();
        for port in self.touched.iter().copied().filter_map(L4Port::new) {
            let target = self.targets.get(&port.get()).filter(|_| !self.is_withdrawn(port));
            let grown = ranges.last().and_then(|last| last.with(port, target.copied()));
            match (grown, ranges.last_mut()) {
                (Some(grown), Some(last)) => *last = grown,
                _ => ranges.push(Contiguous {
                    ports: L4PortRange::single(port),
                    translated_to: target.map(|(to, port)| (*to, L4PortRange::single(*port))),
                }),
            }
        }
        ranges
    }

    fn is_withdrawn(&self, port: L4Port) -> bool {
        self.withdrawn.contains(&port.get())
    }
}

impl Contiguous {
    /// Longer by the next port, if that belongs with them.
    fn with(&self, port: L4Port, target: Option<(Ipv4Addr, L4Port)>) -> Option<Self> {
        let ports = grown(self.ports, port)?;
        let translated_to = match (self.translated_to, target) {
            (None, None) => None,
            (Some((address, inside)), Some((to, port))) if address == to => {
                let all_to_one = inside.as_single() == Some(port);
                let one_by_one = inside.count() == self.ports.count();
                let one_by_one = || grown(inside, port).filter(|_| one_by_one);
                Some((to, if all_to_one { inside } else { one_by_one()? }))
            }
            _ => return None,
        };
        Some(Self { ports, translated_to })
    }
}

fn grown(range: L4PortRange, next: L4Port) -> Option<L4PortRange> {
    let follows = u32::from(range.last().get()) + 1 == u32::from(next.get());
    L4PortRange::new(range.first(), next).filter(|_| follows)
}

fn endpoint_of(data: Tuple) -> Option<(Ipv4Addr, L4Port)> {
    Some((data.address_at(0), L4Port::new(data.port_at(1))?))
}

fn ports_of(change: &ElementChange) -> RangeInclusive<u16> {
    let first = change.key.port_at(2);
    let ends = [change.remove, change.add].into_iter().flatten().filter_map(|e| e.key_end);
    first..=ends.map(|end| end.port_at(2)).max().unwrap_or(first)
}

/// The changed floating IPs.
#[derive(Default)]
struct Addresses {
    touched: BTreeSet<Ipv4Addr>,
    /// What a floating IP stands for, by the map of destinations.
    fixed: BTreeMap<Ipv4Addr, Option<Ipv4Addr>>,
    /// By the map of sources, in case that only this one had to be repaired.
    fixed_by_source: BTreeMap<Ipv4Addr, Ipv4Addr>,
}

impl Addresses {
    fn note_floating(&mut self, change: &ElementChange) {
        let floating = change.key.address_at(0);
        self.touched.insert(floating);
        let fixed = change.add.and_then(|element| element.data).map(|data| data.address_at(0));
        self.fixed.insert(floating, fixed);
    }

    fn note_fixed(&mut self, change: &ElementChange) {
        let data = [change.remove, change.add].into_iter().flatten();
        self.touched.extend(data.filter_map(|e| e.data).map(|data| data.address_at(0)));
        let floating = change.add.and_then(|e| e.data).map(|data| data.address_at(0));
        let fixed = change.key.address_at(0);
        self.fixed_by_source.extend(floating.map(|floating| (floating, fixed)));
    }

    fn into_matches(self) -> impl Iterator<Item = FlowMatch> {
        let Self { touched, fixed, fixed_by_source } = self;
        touched.into_iter().map(move |address| {
            let by_source = || fixed_by_source.get(&address).copied();
            let translated_to = fixed.get(&address).copied().unwrap_or_else(by_source);
            FlowMatch::Address { address, translated_to }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nft::Element;

    const HERE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
    const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
    const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 6);

    fn forward(external: u16, old: Option<Element>, new: Option<Element>) -> ElementChange {
        let key = layout::endpoint(Protocol::Tcp, HERE, external);
        ElementChange { set: layout::FORWARDS.into(), key, remove: old, add: new, object: None }
    }

    fn to(address: Ipv4Addr, port: u16) -> Option<Element> {
        Some(layout::target(address, port))
    }

    fn flows(ports: &str, translated_to: Option<(Ipv4Addr, &str)>) -> FlowMatch {
        let translated_to = translated_to.map(|(to, ports)| (to, ports.parse().unwrap()));
        let (address, protocol, ports) = (HERE, Protocol::Tcp, ports.parse().unwrap());
        FlowMatch::Destination { address, protocol, ports, translated_to }
    }

    #[test]
    fn ports_that_lead_alike_are_one_match() {
        let one_by_one = (10..20).map(|port| forward(port, None, to(INSIDE, port + 100)));
        let all_to_one = (20..30).map(|port| forward(port, None, to(INSIDE, 80)));
        let gone = (30..40).map(|port| forward(port, to(INSIDE, 80), None));
        let moved = (40..42).map(|port| forward(port, to(INSIDE, 80), to(ELSEWHERE, 80)));
        let changes: Vec<_> = one_by_one.chain(all_to_one).chain(gone).chain(moved).collect();
        let expected = [
            flows("10:19", Some((INSIDE, "110:119"))),
            flows("20:29", Some((INSIDE, "80"))),
            flows("30:39", None),
            flows("40:41", Some((ELSEWHERE, "80"))),
        ];
        assert_eq!(of_changes(&changes), expected);
    }

    #[test]
    fn connections_are_spared_by_a_repair_and_not_by_a_change_of_who_may() {
        let ports = "10".parse().unwrap();
        let sources = "192.0.2.0/24".parse().unwrap();
        let (key, element) = layout::allowance(Protocol::Tcp, HERE, ports, sources);
        let (set, object) = (layout::ALLOWED.to_owned(), None);
        let allowed = ElementChange { set, key, remove: None, add: Some(element), object };
        let withdrawn = ElementChange { remove: Some(element), add: None, ..allowed.clone() };
        let missing = forward(10, None, to(INSIDE, 80));
        let repair = of_changes(&[allowed.clone(), missing.clone()]);
        assert_eq!(repair, [flows("10", Some((INSIDE, "80")))]);
        assert_eq!(of_changes(&[allowed]), [flows("10", None)]);
        assert_eq!(of_changes(&[withdrawn, missing]), [flows("10", None)]);
    }

    fn address_change(
        set: &str,
        key: Ipv4Addr,
        old: Option<Ipv4Addr>,
        new: Option<Ipv4Addr>,
    ) -> ElementChange {
        ElementChange {
            set: set.to_owned(),
            key: Tuple::new().ipv4(key),
            remove: old.map(layout::address_data),
            add: new.map(layout::address_data),
            object: None,
        }
    }

    #[test]
    fn a_floating_ip_spares_what_is_translated_to_its_fixed_address() {
        let destination = |old, new| address_change(layout::FLOATING_TO_FIXED, HERE, old, new);
        let source = |key, old, new| address_change(layout::FIXED_TO_FLOATING, key, old, new);
        let of = |translated_to| [FlowMatch::Address { address: HERE, translated_to }];
        let both = [destination(None, Some(INSIDE)), source(INSIDE, None, Some(HERE))];
        assert_eq!(of_changes(&both), of(Some(INSIDE)));
        assert_eq!(of_changes(&both[1..]), of(Some(INSIDE)));
        let moved = [
            destination(Some(INSIDE), Some(ELSEWHERE)),
            source(INSIDE, Some(HERE), None),
            source(ELSEWHERE, None, Some(HERE)),
        ];
        assert_eq!(of_changes(&moved), of(Some(ELSEWHERE)));
        let gone = [destination(Some(INSIDE), None), source(INSIDE, Some(HERE), None)];
        assert_eq!(of_changes(&gone), of(None));
    }
}
