//! The elements of a router's sets, indexed by the object that wants them, so that one object's
//! change costs that object's elements and not everybody's.

use std::{collections::BTreeMap, net::Ipv4Addr};

use ipnet::Ipv4Net;
use navigator_model::{
    Object, ObjectKey, Protocol,
    snapshot::{FloatingIp, Forward, ForwardAddress, Router, SourceNat},
};
use navigator_state::{
    Problem,
    nft::{DesiredElements, Element, Tuple, layout},
};

use super::problem;

/// What of the router an element depends on besides its own object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    gateway: Option<Ipv4Addr>,
}

impl Place {
    pub(super) fn of(router: &Router) -> Self {
        Self { gateway: router.gateway.as_ref().and_then(|gateway| gateway.primary_ipv4()) }
    }
}

/// A set's name and a key in it.
pub(super) type Slot = (&'static str, Tuple);

/// What slots held before they were touched.
pub(super) type Journal = BTreeMap<Slot, Option<(Element, ObjectKey)>>;

#[derive(Default)]
pub(super) struct Elements {
    sets: BTreeMap<String, DesiredElements>,
    by_object: BTreeMap<ObjectKey, Vec<Slot>>,
    /// Objects that want a slot that another one has. The server does not allow it; should it
    /// happen, the lowest key has the slot, whatever the order of arrival.
    waiting: BTreeMap<Slot, BTreeMap<ObjectKey, Element>>,
    journal: Option<Journal>,
}

impl Elements {
    pub(super) fn into_sets(self) -> BTreeMap<String, DesiredElements> {
        self.sets
    }

    pub(super) fn sets(&self) -> &BTreeMap<String, DesiredElements> {
        &self.sets
    }

    /// What is in a slot.
    pub(super) fn at(&self, (set, key): Slot) -> Option<(Element, ObjectKey)> {
        self.sets.get(set)?.get(&key).copied()
    }

    pub(super) fn start_journal(&mut self) {
        self.journal = Some(Journal::new());
    }

    pub(super) fn end_journal(&mut self) -> Journal {
        self.journal.take().unwrap_or_default()
    }

    fn note(&mut self, slot: Slot) {
        let before = self.at(slot);
        if let Some(journal) = &mut self.journal {
            journal.entry(slot).or_insert(before);
        }
    }

    /// Adds an object that is not there yet.
    pub(super) fn put(&mut self, key: ObjectKey, object: &Object, place: Place) -> Option<Problem> {
        let wanted = match object {
            Object::Forward(forward) => forward_elements(forward, place),
            Object::FloatingIp(floating_ip) => Ok(floating_ip_elements(floating_ip)),
            _ => Ok(Vec::new()),
        };
        match wanted {
            Ok(wanted) => {
                for (slot, element) in wanted {
                    self.claim(key, slot, element);
                }
                None
            }
            Err(reason) => Some(problem(key, reason)),
        }
    }

    fn claim(&mut self, object: ObjectKey, slot: Slot, element: Element) {
        self.note(slot);
        self.by_object.entry(object).or_default().push(slot);
        let set = self.sets.entry(slot.0.to_owned()).or_default();
        match set.get(&slot.1).copied() {
            None => {
                set.insert(slot.1, (element, object));
            }
            Some((old, holder)) if object < holder => {
                set.insert(slot.1, (element, object));
                self.waiting.entry(slot).or_default().insert(holder, old);
            }
            Some(_) => {
                self.waiting.entry(slot).or_default().insert(object, element);
            }
        }
    }

    /// Takes an object out; whoever waited for its slots gets them.
    pub(super) fn take(&mut self, object: ObjectKey) {
        for slot in self.by_object.remove(&object).unwrap_or_default() {
            self.note(slot);
            let waiting = self.waiting.get_mut(&slot);
            let next = match self.sets.get(slot.0).and_then(|set| set.get(&slot.1)) {
                Some((_, holder)) if *holder == object => waiting.and_then(BTreeMap::pop_first),
                _ => {
                    waiting.map(|waiting| waiting.remove(&object));
                    self.forget_idle(&slot);
                    continue;
                }
            };
            let set = self.sets.entry(slot.0.to_owned()).or_default();
            match next {
                Some((heir, element)) => set.insert(slot.1, (element, heir)),
                None => set.remove(&slot.1),
            };
            self.forget_idle(&slot);
        }
    }

    fn forget_idle(&mut self, slot: &Slot) {
        if self.waiting.get(slot).is_some_and(BTreeMap::is_empty) {
            self.waiting.remove(slot);
        }
    }

    /// One problem for each object that waits for something, and who has it.
    pub(super) fn conflicts(&self) -> Vec<Problem> {
        let mut conflicts = BTreeMap::new();
        for (slot, waiting) in &self.waiting {
            let Some((_, holder)) = self.at(*slot) else { continue };
            for object in waiting.keys() {
                conflicts.entry(*object).or_insert(holder);
            }
        }
        let describe = |(object, holder)| problem(object, format!("conflicts with {holder}"));
        conflicts.into_iter().map(describe).collect()
    }
}

fn floating_ip_elements(floating_ip: &FloatingIp) -> Vec<(Slot, Element)> {
    let Some(fixed) = floating_ip.fixed_ip else { return Vec::new() };
    let floating = floating_ip.address;
    vec![
        (slot(layout::FLOATING_TO_FIXED, floating), layout::address_data(fixed)),
        (slot(layout::FIXED_TO_FLOATING, fixed), layout::address_data(floating)),
    ]
}

fn slot(set: &'static str, address: Ipv4Addr) -> Slot {
    (set, Tuple::new().ipv4(address))
}

fn forward_elements(forward: &Forward, place: Place) -> Result<Vec<(Slot, Element)>, String> {
    let address = match forward.external {
        ForwardAddress::FloatingIp(address) => address,
        ForwardAddress::Gateway => place.gateway.ok_or("the router has no gateway IPv4 address")?,
    };
    check_ports(forward)?;
    let sources = Ipv4Net::aggregate(&forward.allowed_cidrs);
    let restricted = !sources.is_empty() && sources.iter().all(|net| net.prefix_len() > 0);
    let mut elements = Vec::new();
    for (n, port) in forward.external_ports.ports().enumerate() {
        let endpoint = layout::endpoint(forward.protocol, address, port);
        let target = layout::target(forward.internal_address, internal_port(forward, n));
        elements.push(((layout::FORWARDS, endpoint), target));
        if restricted {
            elements.push(((layout::RESTRICTED, endpoint), Element::default()));
        }
        if masqueraded(forward) {
            elements.push(((layout::MASQUERADED, endpoint), Element::default()));
        }
    }
    for source in sources.into_iter().filter(|_| restricted) {
        let ports = forward.external_ports;
        let (key, element) = layout::allowance(forward.protocol, address, ports, source);
        elements.push(((layout::ALLOWED, key), element));
    }
    Ok(elements)
}

/// The n-th external port's internal one: the same for all when there is only one.
fn internal_port(forward: &Forward, n: usize) -> u16 {
    let ports = forward.internal_ports;
    match ports.as_single() {
        Some(single) => single.get(),
        // The lengths are equal, so there is an n-th; the last one stands in for the type's sake.
        None => ports.ports().nth(n).unwrap_or(ports.last().get()),
    }
}

fn check_ports(forward: &Forward) -> Result<(), String> {
    let (external, internal) = (forward.external_ports, forward.internal_ports);
    if internal.as_single().is_none() && internal.count() != external.count() {
        return Err(format!("ports {external} do not lead one by one to {internal}"));
    }
    // The kernel no longer tracks DCCP: it would translate the address and leave the port.
    if forward.protocol == Protocol::Dccp && external != internal {
        return Err("the kernel cannot translate DCCP ports: use the same port inside".into());
    }
    Ok(())
}

fn masqueraded(forward: &Forward) -> bool {
    match forward.source_nat {
        SourceNat::Always => true,
        SourceNat::Never => false,
        // The instance's replies go to another router, which knows nothing of the connection.
        SourceNat::Auto => forward.foreign_gateway,
    }
}
