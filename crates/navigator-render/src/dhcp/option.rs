//! The options that users may set on a port: those that dnsmasq knows by name, and numbers.

use std::net::Ipv4Addr;

use navigator_model::snapshot::DhcpOption;

use super::line::OptionName;

/// As `dnsmasq --help dhcp` lists them, without those that are dnsmasq's own business (the netmask,
/// the lease times, what a client sends).
const IPV4: &[&str] = &[
    "time-offset",
    "router",
    "dns-server",
    "log-server",
    "lpr-server",
    "boot-file-size",
    "domain-name",
    "swap-server",
    "root-path",
    "extension-path",
    "ip-forward-enable",
    "non-local-source-routing",
    "policy-filter",
    "max-datagram-reassembly",
    "default-ttl",
    "mtu",
    "all-subnets-local",
    "router-discovery",
    "router-solicitation",
    "static-route",
    "trailer-encapsulation",
    "arp-timeout",
    "ethernet-encap",
    "tcp-ttl",
    "tcp-keepalive",
    "nis-domain",
    "nis-server",
    "ntp-server",
    "netbios-ns",
    "netbios-dd",
    "netbios-nodetype",
    "netbios-scope",
    "x-windows-fs",
    "x-windows-dm",
    "nis+-domain",
    "nis+-server",
    "tftp-server",
    "bootfile-name",
    "mobile-ip-home",
    "smtp-server",
    "pop3-server",
    "nntp-server",
    "irc-server",
    "posix-timezone",
    "tzdb-timezone",
    "ipv6-only",
    "domain-search",
    "sip-server",
    "classless-static-route",
    "tftp-server-address",
    "server-ip-address",
];

const IPV6: &[&str] = &[
    "sip-server-domain",
    "sip-server",
    "dns-server",
    "domain-search",
    "nis-server",
    "nis+-server",
    "nis-domain",
    "nis+-domain",
    "sntp-server",
    "information-refresh-time",
    "posix-timezone",
    "tzdb-timezone",
    "ntp-server",
    "bootfile-url",
    "bootfile-param",
];

/// Upper and lower case are one, as for dnsmasq.
pub(super) fn name(option: &DhcpOption) -> Result<OptionName, String> {
    let known = |names: &[&'static str]| {
        names.iter().copied().find(|name| name.eq_ignore_ascii_case(&option.name))
    };
    let number = || option.name.parse::<u8>().ok().filter(|n| (1..255).contains(n));
    let found = if option.ip_version == 6 {
        let number = number().map(|number| OptionName::Number6(number.into()));
        known(IPV6).map(OptionName::Ipv6).or(number)
    } else {
        known(IPV4).map(OptionName::Ipv4).or(number().map(OptionName::Number))
    };
    // The name is not repeated: it is a user's text, and the reason ends up in logs.
    found.ok_or_else(|| "a DHCP option of this name is not known".to_owned())
}

/// The field of a DHCP answer that says where to boot from has room for an IPv4 address; the API takes
/// either.
pub(super) fn fits(name: &OptionName, value: &str) -> Result<(), String> {
    let boot_server = *name == OptionName::Ipv4("server-ip-address");
    if boot_server && value.parse::<Ipv4Addr>().is_err() {
        return Err("DHCP for IPv4 cannot name a boot server by an IPv6 address".to_owned());
    }
    Ok(())
}
