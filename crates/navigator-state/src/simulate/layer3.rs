//! Addresses, routes, forwarding entries and sysctls of the kernel in memory.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{
    desired::{Namespace, NamespaceState},
    link::{FdbEntry, LinkKind},
    route::Route,
    step::Action,
};

use super::{ModelKernel, Refusal, require};

impl ModelKernel {
    pub(super) fn act_on_layer3(&mut self, action: &Action) -> Result<(), Refusal> {
        match action {
            Action::AddAddress { namespace, name, address } => {
                self.link(namespace, name)?;
                let addresses = &mut self.namespace(namespace)?.addresses;
                let added = addresses.entry(name.clone()).or_default().insert(*address);
                require(added, "the address is there")
            }
            Action::DeleteAddress { namespace, name, address } => {
                delete_address(self.namespace(namespace)?, name, address)
            }
            Action::AddRoute { namespace, route } => self.add_route(namespace, route),
            Action::DeleteRoute { namespace, route } => {
                require(self.namespace(namespace)?.routes.remove(route), "no such route")
            }
            Action::AddFdb { namespace, entry } => self.add_fdb(namespace, entry),
            Action::DeleteFdb { namespace, entry } => {
                require(self.namespace(namespace)?.fdb.remove(entry), "no such entry")
            }
            Action::SetSysctl { namespace, key, value } => {
                self.namespace(namespace)?.sysctls.insert(key.clone(), value.clone());
                Ok(())
            }
            Action::Announce { namespace, name, address } => {
                let known = self.namespace(namespace)?.addresses.get(name).is_some_and(|known| {
                    known.iter().any(|net| net.addr() == IpAddr::V4(*address))
                });
                require(known, "announced an address that is not here")?;
                self.announced.push((namespace.clone(), name.clone(), *address));
                Ok(())
            }
            other => Err(format!("not about addresses or routes: {other:?}")),
        }
    }

    fn add_route(&mut self, namespace: &Namespace, route: &Route) -> Result<(), Refusal> {
        if let Some(name) = &route.link {
            require(self.link(namespace, name)?.up, "the device is down")?;
        }
        let found = self.namespace(namespace)?;
        let twice = found.routes.iter().any(|other| other.destination == route.destination);
        require(!twice, "a route to this destination exists")?;
        require(reachable(found, route), "the next hop is not reachable")?;
        found.routes.insert(route.clone());
        Ok(())
    }

    fn add_fdb(&mut self, namespace: &Namespace, entry: &FdbEntry) -> Result<(), Refusal> {
        let vxlan = matches!(self.link(namespace, &entry.link)?.kind, LinkKind::Vxlan { .. });
        require(vxlan, "not a tunnel")?;
        require(self.namespace(namespace)?.fdb.insert(entry.clone()), "the entry is there")
    }
}

fn reachable(found: &NamespaceState, route: &Route) -> bool {
    let Some(via) = route.via else { return true };
    let link_local = matches!(via, IpAddr::V6(via) if via.is_unicast_link_local());
    let known = |name: &String| {
        let addresses = found.addresses.get(name).into_iter().flatten();
        addresses.into_iter().any(|net| net.contains(&via))
    };
    route.onlink || link_local || route.link.as_ref().is_some_and(known)
}

fn delete_address(found: &mut NamespaceState, name: &str, address: &IpNet) -> Result<(), Refusal> {
    let family = |net: &IpNet| net.addr().is_ipv4() == address.addr().is_ipv4();
    let left = found.addresses.get_mut(name).ok_or("no such address")?;
    require(left.remove(address), "no such address")?;
    if !left.iter().any(family) {
        found
            .routes
            .retain(|route| route.link.as_deref() != Some(name) || !family(&route.destination));
    }
    Ok(())
}
