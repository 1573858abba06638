//! The files that dnsmasq reads again on SIGHUP: `host`, `addn_hosts` and `opts`.

use std::{
    collections::BTreeMap,
    fmt::Display,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use ipnet::{IpNet, Ipv4Net};
use navigator_model::{
    ObjectKey, default_host_name,
    snapshot::{Port, Subnet},
};
use navigator_state::Problem;

use super::{
    Served,
    line::{self, HostLine, OptionLine, OptionName},
    option,
};

pub(super) struct Files {
    pub(super) contents: BTreeMap<PathBuf, Vec<u8>>,
    pub(super) problems: Vec<Problem>,
}

pub(super) fn render(served: &Served<'_>) -> Files {
    let mut problems = Vec::new();
    let mut options = Vec::new();
    let values = served.subnets.iter().flat_map(|subnet| subnet_options(served, *subnet));
    for option in values {
        match option {
            Ok(option) => options.push(option),
            Err(reason) => problems.push(served.site.problem(reason)),
        }
    }
    // After the subnets': dnsmasq takes the last of several that fit.
    for port in served.site.ports() {
        for option in port_options(port) {
            match option {
                Ok(option) => options.push(option),
                Err(reason) => problems.push(Problem { object: ObjectKey::Port(port.id), reason }),
            }
        }
    }
    let hosts = served.hosts();
    let contents = [
        ("host", lines(&hosts)),
        ("addn_hosts", lines(hosts.iter().map(name_line))),
        ("opts", lines(&options)),
    ];
    let contents = contents.map(|(name, content)| (served.path(name), content)).into();
    Files { contents, problems }
}

fn lines(lines: impl IntoIterator<Item = impl Display>) -> Vec<u8> {
    lines.into_iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes()
}

/// For dnsmasq's DNS: the full name and the short one.
fn name_line(host: &HostLine) -> String {
    let short = host.name.split('.').next().unwrap_or(&host.name);
    if short == host.name {
        format!("{}\t{short}", host.address)
    } else {
        format!("{}\t{} {short}", host.address, host.name)
    }
}

impl Served<'_> {
    fn hosts(&self) -> Vec<HostLine> {
        let ports = self.site.ports();
        ports.flat_map(|port| self.hosts_of(port)).collect()
    }

    fn hosts_of(&self, port: &Port) -> Vec<HostLine> {
        let mut hosts = Vec::new();
        for fixed in &port.fixed_ips {
            if !self.subnets.iter().any(|(subnet, _)| subnet.id == fixed.subnet_id) {
                continue;
            }
            let mut tags = vec![line::subnet_tag(fixed.subnet_id)];
            if !port.extra_dhcp_opts.is_empty() {
                tags.push(line::port_tag(port.id));
            }
            let (mac_address, address) = (port.mac_address, fixed.ip_address);
            hosts.push(HostLine {
                mac_address,
                name: self.full_name(port, address),
                address,
                tags,
            });
        }
        hosts
    }

    /// The name that the port's user chose, if it is one, or one made of the address.
    fn full_name(&self, port: &Port, address: IpAddr) -> String {
        let chosen = Some(port.dns_name.as_str()).filter(|name| !name.is_empty());
        let name = chosen.and_then(line::domain);
        let name = name.map_or_else(|| default_host_name(address), str::to_owned);
        match line::domain(&self.site.host.dns_domain) {
            Some(domain) if !name.ends_with(&format!(".{domain}")) => format!("{name}.{domain}"),
            _ => name,
        }
    }
}

type Line = Result<OptionLine, String>;

fn subnet_options(served: &Served<'_>, (subnet, own): (&Subnet, IpAddr)) -> Vec<Line> {
    let option = |name, value| OptionLine::new(line::subnet_tag(subnet.id), name, value);
    match subnet.cidr {
        IpNet::V4(net) => {
            let dns = joined(servers(subnet, own).filter(IpAddr::is_ipv4));
            let gateway = ipv4(subnet.gateway_ip);
            let mut options = vec![option(OptionName::Ipv4("dns-server"), dns)];
            let routes = static_routes(served, net, subnet);
            if !routes.is_empty() {
                let routes = joined(routes.iter().map(|(net, hop)| format!("{net},{hop}")));
                // Windows asks for 249.
                let names = [OptionName::Ipv4("classless-static-route"), OptionName::Number(249)];
                options.extend(names.map(|name| option(name, routes.clone())));
            }
            // Without a value dnsmasq sends none, where it would send its own address.
            let router = gateway.map(|gateway| gateway.to_string()).unwrap_or_default();
            options.push(option(OptionName::Ipv4("router"), router));
            options
        }
        IpNet::V6(_) => {
            let servers = servers(subnet, own).filter(IpAddr::is_ipv6);
            let dns = joined(servers.map(|address| format!("[{address}]")));
            vec![option(OptionName::Ipv6("dns-server"), dns)]
        }
    }
}

/// The subnet's own, or dnsmasq itself.
fn servers(subnet: &Subnet, own: IpAddr) -> impl Iterator<Item = IpAddr> {
    let fallback = subnet.dns_nameservers.is_empty().then_some(own);
    subnet.dns_nameservers.iter().copied().chain(fallback)
}

/// Other subnets of the network are on the link. A client that gets this option ignores the router
/// option, so the default route has to be in it too.
fn static_routes(served: &Served<'_>, net: Ipv4Net, subnet: &Subnet) -> Vec<(Ipv4Net, Ipv4Addr)> {
    let others = served.site.network.subnets.iter().filter_map(|other| match other.cidr {
        IpNet::V4(other) if other.trunc() != net.trunc() => {
            Some((other.trunc(), Ipv4Addr::UNSPECIFIED))
        }
        _ => None,
    });
    let given = subnet.host_routes.iter().filter_map(|route| match route.destination {
        IpNet::V4(destination) => Some((destination.trunc(), ipv4(Some(route.nexthop))?)),
        IpNet::V6(_) => None,
    });
    let mut routes: Vec<_> = others.chain(given).collect();
    let default = Ipv4Net::default();
    let has_default = routes.iter().any(|(destination, _)| *destination == default);
    if let Some(gateway) = ipv4(subnet.gateway_ip).filter(|_| !routes.is_empty() && !has_default) {
        routes.push((default, gateway));
    }
    routes
}

/// Those for families in which the port has no address would reach nobody.
fn port_options(port: &Port) -> Vec<Line> {
    let asks = |version| {
        let addresses = port.fixed_ips.iter().map(|fixed| fixed.ip_address);
        addresses.into_iter().any(|address| address.is_ipv6() == (version == 6))
    };
    let sent = port.extra_dhcp_opts.iter().filter(|given| asks(given.ip_version));
    let lines = sent.map(|given| {
        let name = option::name(given)?;
        option::fits(&name, &given.value)?;
        OptionLine::new(line::port_tag(port.id), name, given.value.clone())
    });
    lines.collect()
}

fn ipv4(address: Option<IpAddr>) -> Option<Ipv4Addr> {
    match address? {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

fn joined(parts: impl Iterator<Item = impl ToString>) -> String {
    parts.map(|part| part.to_string()).collect::<Vec<_>>().join(",")
}
