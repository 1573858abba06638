//! Makes devices with their mark, and frees names that a killed agent left taken.

use std::os::fd::AsRawFd;

use navigator_model::Scope;
use navigator_state::{Link, LinkKind, Namespace};

use super::Kernel;
use crate::{
    DriverError, mark,
    rtnl::{Device, NewKind, NewLink, Peer, tolerate},
};

impl Kernel {
    pub(super) fn create_link(
        &self,
        scope: &Scope,
        namespace: &Namespace,
        name: &str,
        link: &Link,
    ) -> Result<(), DriverError> {
        self.open_for(scope, namespace)?;
        match self.try_create_link(namespace, name, link) {
            Err(DriverError::Rtnl { source, .. }) if source.is(libc::EEXIST) => {
                self.free_name(scope, namespace, name)?;
                if let LinkKind::Veth { peer } = &link.kind {
                    self.free_name(scope, &Namespace::Host, peer)?;
                }
                self.try_create_link(namespace, name, link)?;
            }
            other => other?,
        }
        let alias = mark::of(scope);
        if let LinkKind::Veth { peer } = &link.kind {
            self.rtnl(&Namespace::Host, format!("marking device {peer}"), |r| {
                r.set_alias_and_raise(peer, &alias)
            })?;
        }
        // The end that is observed comes last: with its mark, the pair counts as made.
        self.rtnl(namespace, format!("marking device {name}"), |r| r.set_alias(name, &alias))
    }

    fn try_create_link(
        &self,
        namespace: &Namespace,
        name: &str,
        link: &Link,
    ) -> Result<(), DriverError> {
        let master = match &link.master {
            Some(master) => Some(self.device(namespace, master)?.index),
            None => None,
        };
        let info = match &link.kind {
            LinkKind::Veth { peer } => {
                NewKind::Veth(Peer { name: peer, namespace: self.namespaces.host().as_raw_fd() })
            }
            LinkKind::Bridge => NewKind::Bridge,
            LinkKind::Vxlan { vni, local } => NewKind::Vxlan { vni: *vni, local: *local },
            LinkKind::Other(kind) => {
                return Err(DriverError::UnsupportedKind { kind: kind.clone() });
            }
        };
        let new = NewLink {
            name,
            group: mark::NEWBORN,
            mac_address: link.mac_address,
            mtu: link.mtu,
            up: link.up,
            master,
            info,
        };
        self.rtnl(namespace, format!("making device {name}"), |r| r.create_link(&new))
    }

    fn free_name(
        &self,
        scope: &Scope,
        namespace: &Namespace,
        name: &str,
    ) -> Result<(), DriverError> {
        match self.delete_link(scope, namespace, name) {
            Err(DriverError::ForeignDevice { namespace, name }) => {
                Err(DriverError::NameTaken { namespace, name })
            }
            other => other,
        }
    }

    /// A device that is not there is deleted; a veth's other end goes with it.
    pub(super) fn delete_link(
        &self,
        scope: &Scope,
        namespace: &Namespace,
        name: &str,
    ) -> Result<(), DriverError> {
        match self.device(namespace, name) {
            Err(DriverError::NoDevice { .. }) => Ok(()),
            Ok(device) if is_replaceable(scope, &device) => {
                let doing = format!("deleting device {name}");
                // A dying namespace may take the device between the look and the deletion.
                self.rtnl(namespace, doing, |r| {
                    tolerate(r.delete_link(device.index), &[libc::ENODEV])
                })
            }
            Ok(_) => {
                let (namespace, name) = (namespace.clone(), name.to_owned());
                Err(DriverError::ForeignDevice { namespace, name })
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn device(&self, namespace: &Namespace, name: &str) -> Result<Device, DriverError> {
        self.rtnl(namespace, format!("looking for device {name}"), |r| r.device(name))?.ok_or_else(
            || DriverError::NoDevice { namespace: namespace.clone(), name: name.to_owned() },
        )
    }
}

/// Ours, or made by us and not yet marked when we were killed.
fn is_replaceable(scope: &Scope, device: &Device) -> bool {
    match &device.alias {
        Some(alias) => *alias == mark::of(scope),
        None => device.group == mark::NEWBORN,
    }
}
