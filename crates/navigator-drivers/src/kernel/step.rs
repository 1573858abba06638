//! One step: each action of a plan as a change to the kernel.
//!
//! What a step wants and finds done already is done: a plan made from an observation that is a
//! moment old must not fail for it.

use std::net::Ipv4Addr;

use ipnet::IpNet;
use navigator_model::Scope;
use navigator_state::{Action, FdbEntry, Namespace, Route};
use netlink_packet_route::link::LinkAttribute;

use super::{Kernel, sockets::Found};
use crate::{
    DriverError, announce, file, mark, process,
    rtnl::{Existing, KernelRoute, tolerate},
};

impl Kernel {
    /// Every action but those on sysctls and set elements, which come in numbers.
    pub(super) fn act(&self, scope: &Scope, action: &Action) -> Result<(), DriverError> {
        match action {
            Action::CreateNamespace(Namespace::Named(name)) => self.create_namespace(scope, name),
            Action::DeleteNamespace(Namespace::Named(name)) => self.delete_namespace(scope, name),
            Action::CreateNamespace(Namespace::Host) | Action::DeleteNamespace(Namespace::Host) => {
                Err(DriverError::ForeignNamespace { namespace: Namespace::Host.to_string() })
            }
            Action::CreateLink { namespace, name, link } => {
                self.create_link(scope, namespace, name, link)
            }
            Action::DeleteLink { namespace, name } => {
                self.open_for(scope, namespace)?;
                self.delete_link(scope, namespace, name)
            }
            Action::SetMac { .. }
            | Action::SetMtu { .. }
            | Action::SetUp { .. }
            | Action::SetMaster { .. } => self.set_link(scope, action),
            Action::AddAddress { namespace, name, address } => {
                self.add_address(scope, namespace, name, *address)
            }
            Action::DeleteAddress { namespace, name, address } => {
                self.delete_address(scope, namespace, name, *address)
            }
            Action::AddRoute { namespace, route } => self.add_route(scope, namespace, route),
            Action::DeleteRoute { namespace, route } => self.delete_route(scope, namespace, route),
            Action::AddFdb { namespace, entry } => self.add_fdb(scope, namespace, entry),
            Action::DeleteFdb { namespace, entry } => self.delete_fdb(scope, namespace, entry),
            Action::Announce { namespace, name, address } => {
                self.announce(scope, namespace, name, *address)
            }
            _ => self.act_beside_links(scope, action),
        }
    }

    fn act_beside_links(&self, scope: &Scope, action: &Action) -> Result<(), DriverError> {
        match action {
            Action::ReplaceSkeleton { namespace, text, recreate, elements } => {
                self.open_for(scope, namespace)?;
                self.nft(namespace, |nft| nft.replace_skeleton(text, *recreate, elements))
            }
            Action::DeleteTable { namespace } => {
                self.open_for(scope, namespace)?;
                self.nft(namespace, |nft| nft.delete_table())
            }
            Action::FlushFlows { namespace, flows } => {
                self.open_for(scope, namespace)?;
                self.conntrack(namespace, |conntrack| conntrack.flush(flows)).map(drop)
            }
            Action::WriteFile { path, content } => file::write(path, content),
            Action::DeleteFile { path } => {
                file::delete(path)?;
                file::remove_if_abandoned(&self.scope_dir(scope));
                Ok(())
            }
            Action::StartProcess { name, process } => {
                self.open_for(scope, &process.namespace)?;
                self.children.start(&self.namespaces, name, process)
            }
            Action::ReloadProcess { name, process } => process::reload(name, process),
            Action::StopProcess { name, pid_file } => {
                self.children.stop(name, pid_file)?;
                file::remove_if_abandoned(&self.scope_dir(scope));
                Ok(())
            }
            // The caller handles those that are left, many at a time.
            _ => Ok(()),
        }
    }

    /// The other ends of its devices go first: the kernel would delete them too, but later, and
    /// their names would be taken until then.
    fn delete_namespace(&self, scope: &Scope, name: &str) -> Result<(), DriverError> {
        let namespace = Namespace::Named(name.to_owned());
        if matches!(self.find(&namespace)?, Found::Absent) {
            return self.namespaces.delete(name);
        }
        self.open_for(scope, &namespace)?;
        self.rtnl(&namespace, "deleting its devices", |r| {
            tolerate(r.delete_group(mark::NEWBORN), &[libc::ENODEV])
        })?;
        self.sockets.forget(&namespace);
        self.namespaces.delete(name)
    }

    fn set_link(&self, scope: &Scope, action: &Action) -> Result<(), DriverError> {
        let (namespace, name, attribute) = match action {
            Action::SetMac { namespace, name, mac_address } => {
                (namespace, name, Some(LinkAttribute::Address(mac_address.0.to_vec())))
            }
            Action::SetMtu { namespace, name, mtu } => {
                (namespace, name, Some(LinkAttribute::Mtu(*mtu)))
            }
            Action::SetMaster { namespace, name, master } => {
                let index = match master {
                    Some(master) => self.device(namespace, master)?.index,
                    // Takes it off its bridge.
                    None => 0,
                };
                (namespace, name, Some(LinkAttribute::Controller(index)))
            }
            Action::SetUp { namespace, name, .. } => (namespace, name, None),
            _ => return Ok(()),
        };
        self.open_for(scope, namespace)?;
        self.rtnl(namespace, format!("changing device {name}"), |r| match (attribute, action) {
            (Some(attribute), _) => r.set_link(name, attribute),
            (None, Action::SetUp { up: true, .. }) => r.raise(name),
            (None, _) => r.lower(name),
        })
    }

    fn add_address(
        &self,
        scope: &Scope,
        namespace: &Namespace,
        name: &str,
        address: IpNet,
    ) -> Result<(), DriverError> {
        self.open_for(scope, namespace)?;
        let index = self.device(namespace, name)?.index;
        self.rtnl(namespace, format!("adding address {address} to {name}"), |r| {
            tolerate(r.add_address(index, address), &[libc::EEXIST])
        })
    }

    fn delete_address(
        &self,
        scope: &Scope,
        namespace: &Namespace,
        name: &str,
        address: IpNet,
    ) -> Result<(), DriverError> {
        self.open_for(scope, namespace)?;
        let index = match self.device(namespace, name) {
            // Its addresses went with it.
            Err(DriverError::NoDevice { .. }) => return Ok(()),
            device => device?.index,
        };
        self.rtnl(namespace, format!("deleting address {address} of {name}"), |r| {
            tolerate(r.delete_address(index, address), &[libc::EADDRNOTAVAIL])
        })
    }

    fn kernel_route(
        &self,
        namespace: &Namespace,
        route: &Route,
    ) -> Result<KernelRoute, DriverError> {
        let link = match &route.link {
            Some(name) => Some(self.device(namespace, name)?.index),
            None => None,
        };
        Ok(KernelRoute {
            destination: route.destination,
            via: route.via,
            link,
            onlink: route.onlink,
        })
    }

    /// Replaces a route of ours to the same destination, never somebody else's.
    fn add_route(
        &self,
        scope: &Scope,
        namespace: &Namespace,
        route: &Route,
    ) -> Result<(), DriverError> {
        self.open_for(scope, namespace)?;
        let wanted = self.kernel_route(namespace, route)?;
        let doing = format!("adding the route to {}", route.destination);
        let foreign = self.rtnl(namespace, doing, |r| {
            match r.add_route(&wanted, Existing::Refuse) {
                Err(error) if error.is(libc::EEXIST) => {}
                other => return other.map(|()| false),
            }
            let found = r.routes()?;
            if !found.iter().any(|f| f.destination == wanted.destination) {
                return Ok(true);
            }
            if !found.contains(&wanted) {
                r.add_route(&wanted, Existing::Replace)?;
            }
            Ok(false)
        })?;
        if foreign {
            let destination = route.destination.to_string();
            return Err(DriverError::ForeignRoute { namespace: namespace.clone(), destination });
        }
        Ok(())
    }

    fn delete_route(
        &self,
        scope: &Scope,
        namespace: &Namespace,
        route: &Route,
    ) -> Result<(), DriverError> {
        self.open_for(scope, namespace)?;
        let found = match self.kernel_route(namespace, route) {
            // Its routes went with it.
            Err(DriverError::NoDevice { .. }) => return Ok(()),
            found => found?,
        };
        self.rtnl(namespace, format!("deleting the route to {}", route.destination), |r| {
            tolerate(r.delete_route(&found), &[libc::ESRCH])
        })
    }

    fn add_fdb(
        &self,
        scope: &Scope,
        namespace: &Namespace,
        entry: &FdbEntry,
    ) -> Result<(), DriverError> {
        self.open_for(scope, namespace)?;
        let index = self.device(namespace, &entry.link)?.index;
        self.rtnl(namespace, format!("adding {entry:?}"), |r| {
            tolerate(r.add_fdb(index, entry.mac_address, entry.remote), &[libc::EEXIST])
        })
    }

    fn delete_fdb(
        &self,
        scope: &Scope,
        namespace: &Namespace,
        entry: &FdbEntry,
    ) -> Result<(), DriverError> {
        self.open_for(scope, namespace)?;
        let index = match self.device(namespace, &entry.link) {
            Err(DriverError::NoDevice { .. }) => return Ok(()),
            device => device?.index,
        };
        self.rtnl(namespace, format!("deleting {entry:?}"), |r| {
            tolerate(r.delete_fdb(index, entry.mac_address, entry.remote), &[libc::ENOENT])
        })
    }

    fn announce(
        &self,
        scope: &Scope,
        namespace: &Namespace,
        name: &str,
        address: Ipv4Addr,
    ) -> Result<(), DriverError> {
        self.open_for(scope, namespace)?;
        let device = self.device(namespace, name)?;
        let failed = |source| DriverError::Announce {
            namespace: namespace.clone(),
            name: name.to_owned(),
            address: address.to_string(),
            source,
        };
        let from = device
            .mac_address
            .ok_or_else(|| failed(std::io::Error::other("the device has no Ethernet address")))?;
        self.namespaces
            .run_in(namespace, || announce::announce(device.index, from, address))?
            .map_err(failed)
    }
}
