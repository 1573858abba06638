//! dnsmasq's command line. No configuration file, and none of the host's.

use std::net::IpAddr;

use ipnet::IpNet;
use navigator_model::snapshot::Subnet;

use super::{Served, line};

/// dnsmasq's own bound is a memory guard; larger networks are cut to it.
const MAX_LEASES: u128 = 1 << 24;

pub(super) fn render(served: &Served<'_>) -> Vec<String> {
    let host = served.site.host;
    let file = |name: &str| served.path(name).display().to_string();
    let mut argv: Vec<String> = [
        "dnsmasq",
        "--conf-file=/dev/null",
        "--no-hosts",
        "--no-resolv",
        // It has to read its files again for as long as it runs, in a directory that is root's.
        "--user=root",
        "--bind-dynamic",
        "--except-interface=lo",
        "--dhcp-authoritative",
    ]
    .map(str::to_owned)
    .into();
    argv.push(format!("--interface={}", served.device()));
    argv.push(format!("--pid-file={}", file("dnsmasq.pid")));
    argv.push(format!("--dhcp-leasefile={}", file("dnsmasq.leases")));
    argv.push(format!("--dhcp-hostsfile={}", file("host")));
    argv.push(format!("--addn-hosts={}", file("addn_hosts")));
    argv.push(format!("--dhcp-optsfile={}", file("opts")));
    argv.push(format!("--dhcp-option-force=option:mtu,{}", served.site.network.mtu));
    argv.push(format!("--dhcp-lease-max={}", leases(served)));
    if let Some(domain) = line::domain(&host.dns_domain) {
        argv.push(format!("--domain={domain}"));
    }
    argv.extend(served.subnets.iter().map(|(subnet, _)| range(subnet, host.dhcp_lease_duration_s)));
    argv
}

fn range(subnet: &Subnet, lease_s: u32) -> String {
    let tag = line::subnet_tag(subnet.id);
    match subnet.cidr {
        IpNet::V4(net) => {
            let (network, mask) = (net.network(), net.netmask());
            format!("--dhcp-range=set:{tag},{network},static,{mask},{lease_s}s")
        }
        IpNet::V6(net) => {
            let (network, length) = (net.network(), net.prefix_len());
            format!("--dhcp-range=set:{tag},{network},static,{length},{lease_s}s")
        }
    }
}

fn leases(served: &Served<'_>) -> u128 {
    let sizes = served.subnets.iter().map(|(subnet, address)| {
        let bits = if matches!(address, IpAddr::V4(_)) { 32 } else { 128 };
        1_u128.checked_shl(bits - u32::from(subnet.cidr.prefix_len())).unwrap_or(MAX_LEASES)
    });
    sizes.fold(0_u128, |sum, size| sum.saturating_add(size)).min(MAX_LEASES)
}
