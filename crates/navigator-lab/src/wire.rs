//! Cables and switches: veth pairs between hosts, bridges inside one.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{LabError, Namespaces};

/// One end of a cable: where, and the device's name there.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    pub namespaces: &'a Namespaces,
    pub device: &'a str,
}

/// A veth pair. It goes with either of its hosts.
#[derive(Debug)]
pub struct Wire;

impl Wire {
    /// Lays a cable; both ends are up. The peer is created inside the other namespace in the same
    /// message: moving a device afterwards waits for a grace period of the kernel (18 ms).
    pub fn lay(a: End<'_>, b: End<'_>) -> Result<Self, LabError> {
        let pid = b.namespaces.pid.to_string();
        a.namespaces.run_in_network(&[
            "ip", "link", "add", a.device, "up", "type", "veth", "peer", "name", b.device, "netns",
            &pid,
        ])?;
        b.namespaces.run_in_network(&["ip", "link", "set", b.device, "up"])?;
        Ok(Self)
    }
}

/// A switch inside a host.
#[derive(Debug)]
pub struct Bridge<'a> {
    namespaces: &'a Namespaces,
    name: String,
}

impl<'a> Bridge<'a> {
    /// Its MAC address is set, because the kernel otherwise gives a bridge the lowest one of its
    /// ports: when a cable goes, whoever resolved an address of the bridge would send to nobody
    /// until its neighbour entry expires, up to 45 s later.
    pub fn make(namespaces: &'a Namespaces, name: &str) -> Result<Self, LabError> {
        let mac = local_mac(&(namespaces.pid, name));
        namespaces.run_in_network(&[
            "ip", "link", "add", name, "address", &mac, "up", "type", "bridge",
        ])?;
        Ok(Self { namespaces, name: name.to_owned() })
    }

    /// Cables the switch to a host: `port` on the switch, `device` on the host.
    pub fn connect(&self, port: &str, to: End<'_>) -> Result<(), LabError> {
        Wire::lay(End { namespaces: self.namespaces, device: port }, to)?;
        self.namespaces.run_in_network(&["ip", "link", "set", port, "master", &self.name])?;
        Ok(())
    }
}

/// A locally administered unicast MAC address of whatever `owner` is.
fn local_mac(owner: &impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    owner.hash(&mut hasher);
    let [a, b, c, d, e, ..] = hasher.finish().to_be_bytes();
    format!("02:{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}")
}

impl Namespaces {
    /// The end of a cable here.
    pub fn end<'a>(&'a self, device: &'a str) -> End<'a> {
        End { namespaces: self, device }
    }

    /// Gives a device an address, `198.51.100.1/24`.
    pub fn add_address(&self, device: &str, address: &str) -> Result<(), LabError> {
        // Without nodad an IPv6 address is unusable for a second.
        let nodad: &[&str] = if address.contains(':') { &["nodad"] } else { &[] };
        let argv = [&["ip", "address", "add", address, "dev", device], nodad].concat();
        self.run_in_network(&argv).map(drop)
    }

    /// Sends everything without a better route to `next_hop`.
    pub fn set_default_route(&self, next_hop: &str) -> Result<(), LabError> {
        let family = if next_hop.contains(':') { "-6" } else { "-4" };
        self.run_in_network(&["ip", family, "route", "replace", "default", "via", next_hop])
            .map(drop)
    }
}
