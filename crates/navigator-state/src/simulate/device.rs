//! Devices of the kernel in memory.

use crate::{
    desired::{FoundLink, Namespace, NamespaceState},
    link::{Link, LinkKind},
    step::Action,
};

use super::{ModelKernel, Refusal, require};

const DEFAULT_MTU: u32 = 1500;

impl ModelKernel {
    pub(super) fn act_on_device(&mut self, action: &Action) -> Result<(), Refusal> {
        match action {
            Action::CreateLink { namespace, name, link } => self.create_link(namespace, name, link),
            Action::DeleteLink { namespace, name } => self.delete_link(namespace, name),
            Action::SetMac { namespace, name, mac_address } => {
                self.link(namespace, name)?.mac_address = Some(*mac_address);
                Ok(())
            }
            Action::SetMtu { namespace, name, mtu } => {
                self.link(namespace, name)?.mtu = Some(*mtu);
                Ok(())
            }
            Action::SetMaster { namespace, name, master } => {
                if let Some(master) = master {
                    self.require_bridge(namespace, master)?;
                }
                self.link(namespace, name)?.master.clone_from(master);
                Ok(())
            }
            Action::SetUp { namespace, name, up } => {
                self.link(namespace, name)?.up = *up;
                if !up {
                    drop_routes(self.namespace(namespace)?, name);
                }
                Ok(())
            }
            other => Err(format!("not about a device: {other:?}")),
        }
    }

    pub(super) fn link(&mut self, namespace: &Namespace, name: &str) -> Result<&mut Link, Refusal> {
        let found = self.namespace(namespace)?.links.get_mut(name);
        found.map(|found| &mut found.link).ok_or_else(|| format!("no device {name}"))
    }

    fn require_bridge(&mut self, namespace: &Namespace, name: &str) -> Result<(), Refusal> {
        let bridge = self.link(namespace, name)?.kind == LinkKind::Bridge;
        require(bridge, "the master is not a bridge")
    }

    fn create_link(
        &mut self,
        namespace: &Namespace,
        name: &str,
        link: &Link,
    ) -> Result<(), Refusal> {
        require(!self.namespace(namespace)?.links.contains_key(name), "the name is taken")?;
        if let Some(master) = &link.master {
            self.require_bridge(namespace, master)?;
        }
        let mtu = link.mtu.or(Some(DEFAULT_MTU));
        if let Some(peer) = peer(&link.kind) {
            let host = self.namespace(&Namespace::Host)?;
            require(!host.links.contains_key(peer), "the peer's name is taken")?;
            let kind = LinkKind::Veth { peer: name.to_owned() };
            let link = Link { kind, mac_address: None, mtu, up: true, master: None };
            host.links.insert(peer.to_owned(), FoundLink { link, ours: true });
        }
        let link = Link { mtu, ..link.clone() };
        self.namespace(namespace)?.links.insert(name.to_owned(), FoundLink { link, ours: true });
        Ok(())
    }

    fn delete_link(&mut self, namespace: &Namespace, name: &str) -> Result<(), Refusal> {
        let found = self.namespace(namespace)?.links.remove(name).ok_or("no such device")?;
        require(found.ours, "somebody else's device was deleted")?;
        forget(self.namespace(namespace)?, name);
        if *namespace == Namespace::Host {
            self.delete_named_end(name);
        } else {
            self.delete_peer(&found.link.kind);
        }
        Ok(())
    }

    /// The host's end of a pair whose other end went.
    pub(super) fn delete_peer(&mut self, kind: &LinkKind) {
        let host = self.state.namespaces.get_mut(&Namespace::Host);
        if let (Some(peer), Some(host)) = (peer(kind), host) {
            host.links.remove(peer);
            forget(host, peer);
        }
    }

    /// The other end of a pair whose host's end went.
    fn delete_named_end(&mut self, host_end: &str) {
        for found in self.state.namespaces.values_mut() {
            let ends = found.links.iter();
            let ends = ends.filter(|(_, found)| peer(&found.link.kind) == Some(host_end));
            let ends: Vec<_> = ends.map(|(name, _)| name.clone()).collect();
            for name in ends {
                found.links.remove(&name);
                forget(found, &name);
            }
        }
    }
}

pub(super) fn peer(kind: &LinkKind) -> Option<&str> {
    match kind {
        LinkKind::Veth { peer } => Some(peer),
        _ => None,
    }
}

/// What goes with a device.
fn forget(namespace: &mut NamespaceState, name: &str) {
    namespace.addresses.remove(name);
    drop_routes(namespace, name);
    namespace.fdb.retain(|entry| entry.link != name);
    namespace.sysctls.retain(|key, _| !key.split('/').any(|part| part == name));
    for found in namespace.links.values_mut() {
        if found.link.master.as_deref() == Some(name) {
            found.link.master = None;
        }
    }
}

fn drop_routes(namespace: &mut NamespaceState, name: &str) {
    namespace.routes.retain(|route| route.link.as_deref() != Some(name));
}
