//! An instance: a host of its own that hangs on a network node (or compute node) by the tap device
//! that Nova would have made for its port, and asks for its address by DHCP.

use std::{fs, net::Ipv4Addr, os::unix::fs::PermissionsExt, path::Path, process::Stdio};

use navigator_model::{MacAddress, PortId, kernel_name};

use crate::{Host, LabError, Lifetime, Namespaces};

/// What the DHCP client runs with what it learnt, in the instance's own mount namespace. Option 121
/// (classless routes), when given, replaces the router option: RFC 3442.
const LEASE_SCRIPT: &str = r#"#!/bin/sh
case "$1" in
deconfig) ip address flush dev "$interface"; ip link set "$interface" up ;;
bound|renew)
    ip address replace "$ip/$mask" dev "$interface"
    [ -z "$mtu" ] || ip link set "$interface" mtu "$mtu"
    if [ -n "$staticroutes" ]; then
        set -- $staticroutes
        while [ $# -ge 2 ]; do
            if [ "$2" = 0.0.0.0 ]; then ip route replace "$1" dev "$interface"
            else ip route replace "$1" via "$2" dev "$interface"; fi
            shift 2
        done
    elif [ -n "$router" ]; then
        for r in $router; do ip route replace default via "$r" dev "$interface"; break; done
    fi
    : > /etc/resolv.conf
    for server in $dns; do echo "nameserver $server" >> /etc/resolv.conf; done ;;
esac
"#;

/// The one device of an instance.
pub const DEVICE: &str = "eth0";

#[derive(Debug)]
pub struct Instance {
    pub host: Host,
    pub port_id: PortId,
}

impl Instance {
    /// Plugs an instance into `node`: `tap…` there, `eth0` with the port's MAC here. No address yet.
    pub fn plug(
        name: &str,
        dir: &Path,
        lifetime: Lifetime,
        node: &Namespaces,
        port: (PortId, MacAddress),
    ) -> Result<Self, LabError> {
        let (port_id, mac) = (port.0, port.1.to_string());
        let tap = kernel_name::tap(port_id);
        let host = Host::start(name, dir, lifetime)?.prepare_or_end(|host| {
            let pid = host.pid.to_string();
            node.run_in_network(&[
                "ip", "link", "add", &tap, "up", "type", "veth", "peer", "name", DEVICE, "address",
                &mac, "netns", &pid,
            ])?;
            host.run_in_network(&["ip", "link", "set", DEVICE, "up"])
        })?;
        Ok(Self { host, port_id })
    }

    /// Asks for an address until one is given or `limit_s` seconds have gone by; the client then stays
    /// to renew the lease, as in a real instance.
    pub fn request_address(&self, limit_s: u32) -> Result<Ipv4Addr, LabError> {
        let script = self.host.dir().join("lease");
        fs::write(&script, LEASE_SCRIPT)
            .and_then(|()| fs::set_permissions(&script, fs::Permissions::from_mode(0o755)))
            .map_err(LabError::io(format!("write {}", script.display())))?;
        // Into a file, not a pipe: the client goes into the background with what it was given.
        let log_path = self.host.dir().join("dhcp.log");
        let log = fs::File::create(&log_path).map_err(LabError::io("make the DHCP log"))?;
        let error_log = log.try_clone().map_err(LabError::io("share the DHCP log"))?;
        let status = self
            .host
            .command("busybox")
            .args(["udhcpc", "-i", DEVICE, "-n", "-T", "1", "-p", "/run/udhcpc.pid", "-s"])
            .arg(&script)
            .args(["-t", &limit_s.to_string()])
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(error_log)
            .status()
            .map_err(LabError::io("run busybox udhcpc"))?;
        if !status.success() {
            let output = fs::read_to_string(&log_path).unwrap_or_default();
            let command = format!("udhcpc in {}", self.host.name());
            return Err(LabError::Command { command, status: status.to_string(), output });
        }
        self.address()?.ok_or_else(|| LabError::Malformed {
            request: "DHCP".to_owned(),
            reason: format!("{} got a lease but has no address", self.host.name()),
        })
    }

    /// The IPv4 address that the instance has now.
    pub fn address(&self) -> Result<Option<Ipv4Addr>, LabError> {
        ipv4_address(&self.host, DEVICE)
    }
}

/// The first global IPv4 address of a device.
pub fn ipv4_address(host: &Namespaces, device: &str) -> Result<Option<Ipv4Addr>, LabError> {
    let text = host.run_in_network(&["ip", "-4", "-o", "address", "show", "dev", device])?;
    let address = text.split_whitespace().skip_while(|word| *word != "inet").nth(1);
    Ok(address.and_then(|net| net.split('/').next()?.parse().ok()))
}
