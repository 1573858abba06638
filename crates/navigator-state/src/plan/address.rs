//! Addresses: new ones come before old ones go, so that a device never loses its last address (and
//! with it, its routes) while one replaces another.

use std::net::IpAddr;

use ipnet::IpNet;
use navigator_model::ObjectKey;

use crate::{
    desired::Namespace,
    step::{Action, FlowMatch, Step},
};

use super::draft::Draft;

impl Draft<'_> {
    pub(super) fn add_addresses(&mut self) {
        let desired = self.desired;
        for (namespace, wanted) in &desired.namespaces {
            for (name, addresses) in &wanted.addresses {
                if self.our_link(namespace, name).is_none() {
                    continue;
                }
                for address in addresses {
                    let object = wanted.address_owner(name, address);
                    self.add_address(namespace, name, *address, object);
                }
            }
        }
    }

    fn add_address(
        &mut self,
        namespace: &Namespace,
        name: &str,
        address: IpNet,
        object: Option<ObjectKey>,
    ) {
        let space = self.space(namespace);
        if !space.addresses.entry(name.to_owned()).or_default().insert(address) {
            return;
        }
        let (namespace, name) = (namespace.clone(), name.to_owned());
        if let IpAddr::V4(address) = address.addr()
            && (name.starts_with("qg-") || name.starts_with("qr-"))
        {
            let action =
                Action::Announce { namespace: namespace.clone(), name: name.clone(), address };
            self.announced.push(Step { object, action });
        }
        self.push(object, Action::AddAddress { namespace, name, address });
    }

    pub(super) fn delete_addresses(&mut self) {
        let desired = self.desired;
        for (namespace, wanted) in &desired.namespaces {
            for name in wanted.links.keys() {
                let Some(found) = self.space(namespace).addresses.get(name).cloned() else {
                    continue;
                };
                let keep = wanted.addresses.get(name);
                let object = wanted.owner(name);
                for address in found {
                    if !keep.is_some_and(|keep| keep.contains(&address)) {
                        self.delete_address(namespace, name, address, object);
                    }
                }
            }
        }
        self.flush_flows_of_lost_addresses();
    }

    fn delete_address(
        &mut self,
        namespace: &Namespace,
        name: &str,
        address: IpNet,
        object: Option<ObjectKey>,
    ) {
        let space = self.space(namespace);
        let left = space.addresses.entry(name.to_owned()).or_default();
        left.remove(&address);
        if left.iter().all(|other| other.addr().is_ipv4() != address.addr().is_ipv4()) {
            // The kernel drops a device's routes of a family with the last address of it.
            space.routes.retain(|route| {
                route.link.as_deref() != Some(name)
                    || route.destination.addr().is_ipv4() != address.addr().is_ipv4()
            });
        }
        let (namespace, name) = (namespace.clone(), name.to_owned());
        self.push(object, Action::DeleteAddress { namespace, name, address });
    }

    /// Connections that were translated to an address that is no longer here only hold its ports.
    fn flush_flows_of_lost_addresses(&mut self) {
        let actual = self.actual;
        for (namespace, found) in &actual.namespaces {
            let Some(wanted) = self.desired.namespaces.get(namespace) else { continue };
            let kept = |address: &IpAddr| {
                wanted.addresses.values().flatten().any(|kept| kept.addr() == *address)
            };
            let lost = found.addresses.values().flatten().map(IpNet::addr);
            let lost = lost.filter(|address| !kept(address)).filter_map(|address| match address {
                IpAddr::V4(address) => Some(FlowMatch::Address { address, translated_to: None }),
                IpAddr::V6(_) => None,
            });
            let lost: Vec<_> = lost.collect();
            if !lost.is_empty() && *namespace != Namespace::Host {
                self.flows.entry(namespace.clone()).or_default().extend(lost);
            }
        }
    }
}
