//! Devices: what goes, what comes, what is set. A device whose kind, peer or tunnel id differs is
//! deleted and made again, because the kernel cannot change those.

use std::collections::BTreeSet;

use crate::{
    desired::{FoundLink, Namespace},
    link::{Link, LinkKind},
    step::Action,
};

use super::draft::{Draft, rank};

impl Draft<'_> {
    /// Named namespaces before the host's: deleting one end of a pair takes the other along.
    pub(super) fn delete_links(&mut self) {
        let mut namespaces: Vec<_> = self.actual.namespaces.keys().cloned().collect();
        namespaces.sort_by_key(|namespace| *namespace == Namespace::Host);
        for namespace in namespaces {
            for name in self.links_in_the_way(&namespace) {
                self.delete_link(&namespace, name);
            }
        }
    }

    fn links_in_the_way(&self, namespace: &Namespace) -> Vec<String> {
        let wanted = self.desired.namespaces.get(namespace).map(|wanted| &wanted.links);
        let peers =
            if *namespace == Namespace::Host { self.peers_in_use() } else { BTreeSet::new() };
        let links = self.spaces.get(namespace).into_iter().flat_map(|space| &space.links);
        links
            .filter(|(name, found)| {
                let right = wanted
                    .and_then(|wanted| wanted.get(*name))
                    .is_some_and(|link| same_device(&link.kind, &found.link.kind));
                found.ours && !right && !peers.contains(*name)
            })
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The host's ends of the pairs that stay.
    fn peers_in_use(&self) -> BTreeSet<String> {
        let wanted = self.desired.namespaces.iter().flat_map(|(namespace, wanted)| {
            wanted.links.keys().filter_map(|name| self.our_link(namespace, name))
        });
        wanted.filter_map(|found| peer_of(&found.link)).map(str::to_owned).collect()
    }

    fn delete_link(&mut self, namespace: &Namespace, name: String) {
        let space = self.space(namespace);
        let peer = space.links.get(&name).and_then(|found| peer_of(&found.link));
        let peer = peer.filter(|_| *namespace != Namespace::Host).map(str::to_owned);
        space.forget_link(&name);
        if let Some(peer) = peer {
            self.space(&Namespace::Host).forget_link(&peer);
        }
        self.push(None, Action::DeleteLink { namespace: namespace.clone(), name });
    }

    pub(super) fn create_links(&mut self) {
        let desired = self.desired;
        for (namespace, wanted) in &desired.namespaces {
            let mut links: Vec<_> = wanted.links.iter().collect();
            links.sort_by_key(|(_, link)| rank(&link.kind));
            for (name, link) in links {
                let object = wanted.owner(name);
                if let Some(taken) = self.name_taken(namespace, name, link) {
                    let reason = format!("a device {taken} exists that Navigator did not make");
                    self.refuse(object, reason);
                } else if self.our_link(namespace, name).is_none() {
                    self.note_created(namespace, name, link);
                    let (namespace, name) = (namespace.clone(), name.clone());
                    self.push(object, Action::CreateLink { namespace, name, link: link.clone() });
                }
            }
        }
    }

    /// A foreign device that has the name of this one, or of its peer.
    fn name_taken<'l>(
        &self,
        namespace: &Namespace,
        name: &'l str,
        link: &'l Link,
    ) -> Option<&'l str> {
        let foreign = |namespace: &Namespace, name: &str| {
            let found = self.spaces.get(namespace).and_then(|space| space.links.get(name));
            found.is_some_and(|found| !found.ours)
        };
        if foreign(namespace, name) {
            return Some(name);
        }
        peer_of(link).filter(|peer| foreign(&Namespace::Host, peer))
    }

    fn note_created(&mut self, namespace: &Namespace, name: &str, link: &Link) {
        let space = self.space(namespace);
        space.links.insert(name.to_owned(), FoundLink { link: link.clone(), ours: true });
        if let Some(peer) = peer_of(link) {
            let kind = LinkKind::Veth { peer: name.to_owned() };
            let link = Link { kind, mac_address: None, mtu: link.mtu, up: true, master: None };
            let host = self.space(&Namespace::Host);
            host.links.insert(peer.to_owned(), FoundLink { link, ours: true });
        }
        self.fresh.insert((namespace.clone(), name.to_owned()));
    }

    pub(super) fn adjust_links(&mut self) {
        let desired = self.desired;
        for (namespace, wanted) in &desired.namespaces {
            for (name, link) in &wanted.links {
                self.adjust_link(namespace, name, link);
            }
        }
    }

    fn adjust_link(&mut self, namespace: &Namespace, name: &str, link: &Link) {
        let Some(found) = self.our_link(namespace, name).map(|found| found.link.clone()) else {
            return;
        };
        let wanted = self.desired.namespaces.get(namespace);
        let object = wanted.and_then(|wanted| wanted.owner(name));
        let place = || (namespace.clone(), name.to_owned());
        if let Some(mac_address) = link.mac_address.filter(|mac| Some(*mac) != found.mac_address) {
            let (namespace, name) = place();
            self.push(object, Action::SetMac { namespace, name, mac_address });
        }
        if let Some(mtu) = link.mtu.filter(|mtu| Some(*mtu) != found.mtu) {
            let (namespace, name) = place();
            self.push(object, Action::SetMtu { namespace, name, mtu });
        }
        if link.master != found.master {
            let (namespace, name) = place();
            self.push(object, Action::SetMaster { namespace, name, master: link.master.clone() });
        }
        if link.up != found.up {
            if !link.up {
                // The kernel drops a device's routes when it goes down.
                self.space(namespace).forget_routes(name);
            }
            let (namespace, name) = place();
            self.push(object, Action::SetUp { namespace, name, up: link.up });
        }
    }

    /// The host's ends of pairs: up, with the pair's MTU. Their bridge is the network's business.
    pub(super) fn adjust_peers(&mut self) {
        let desired = self.desired;
        for wanted in desired.namespaces.values() {
            for (name, link) in &wanted.links {
                let Some(peer) = peer_of(link) else { continue };
                let Some(found) = self.our_link(&Namespace::Host, peer) else { continue };
                let (mtu, up) = (found.link.mtu, found.link.up);
                let object = wanted.owner(name);
                let place = || (Namespace::Host, peer.to_owned());
                if let Some(wanted) = link.mtu.filter(|wanted| Some(*wanted) != mtu) {
                    let (namespace, name) = place();
                    self.push(object, Action::SetMtu { namespace, name, mtu: wanted });
                }
                if !up {
                    let (namespace, name) = place();
                    self.push(object, Action::SetUp { namespace, name, up: true });
                }
                if let Some(found) = self.space(&Namespace::Host).links.get_mut(peer) {
                    (found.link.mtu, found.link.up) = (link.mtu.or(mtu), true);
                }
            }
        }
    }

    /// Devices of others that belong into a bridge of ours. Absent ones are waited for.
    pub(super) fn attach_bridge_ports(&mut self) {
        let desired = self.desired;
        for (namespace, wanted) in &desired.namespaces {
            for (name, port) in &wanted.bridge_ports {
                let found = self.spaces.get(namespace).and_then(|space| space.links.get(name));
                let Some(found) = found.map(|found| found.link.clone()) else { continue };
                // A refused bridge must not fail each of its ports as well.
                if self.our_link(namespace, &port.bridge).is_none() {
                    continue;
                }
                let object = wanted.owner(name);
                let place = || (namespace.clone(), name.clone());
                if let Some(mtu) = port.mtu.filter(|mtu| Some(*mtu) != found.mtu) {
                    let (namespace, name) = place();
                    self.push(object, Action::SetMtu { namespace, name, mtu });
                }
                if found.master.as_ref() != Some(&port.bridge) {
                    let (namespace, name) = place();
                    let master = Some(port.bridge.clone());
                    self.push(object, Action::SetMaster { namespace, name, master });
                }
                if port.up != found.up {
                    let (namespace, name) = place();
                    self.push(object, Action::SetUp { namespace, name, up: port.up });
                }
            }
        }
    }
}

/// The host's end of a pair.
pub(super) fn peer_of(link: &Link) -> Option<&str> {
    match &link.kind {
        LinkKind::Veth { peer } => Some(peer),
        _ => None,
    }
}

fn same_device(wanted: &LinkKind, found: &LinkKind) -> bool {
    wanted == found
}
