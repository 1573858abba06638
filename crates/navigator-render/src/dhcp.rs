//! A network's DHCP server on this host: a namespace with one device, and dnsmasq in it with
//! everything on its command line and in the files that it reads again on SIGHUP.
//!
//! Ranges are static: dnsmasq answers only for ports that the server knows. What changes with every
//! port is in files; what changes with subnets is on the command line and costs a restart.

mod argv;
mod file;
mod line;
mod option;

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

use ipnet::{IpNet, Ipv4Net};
use navigator_model::{
    ObjectKey, Scope, kernel_name,
    snapshot::{Port, Subnet},
};
use navigator_state::{Desired, DesiredNamespace, Link, LinkKind, Namespace, Process, Route};
use uuid::Uuid;

use crate::network::Site;

pub use line::{HostLine, OptionLine, OptionName};

const DEVICE_OWNER: &str = "network:dhcp";
const PROCESS: &str = "dnsmasq";

/// Adds to the network's desired state. Nothing while the server has not given this host a DHCP
/// port: without it there is no address to serve from.
pub(crate) fn render(site: &Site<'_>, desired: &mut Desired) {
    let mine = |port: &&Port| {
        port.device_owner == DEVICE_OWNER && port.admin_state_up && site.is_here(port)
    };
    let Some(port) = site.ports().find(mine) else { return };
    let served = Served::new(site, port);
    if served.subnets.is_empty() {
        return;
    }
    let name = Namespace::Named(kernel_name::dhcp_namespace(site.network.id));
    desired.namespaces.insert(name.clone(), served.namespace());
    let files = file::render(&served);
    desired.problems.extend(files.problems);
    let process = Process {
        namespace: name,
        argv: argv::render(&served),
        pid_file: served.path("dnsmasq.pid"),
        loaded: digest(&files.contents),
    };
    desired.files.extend(files.contents);
    desired.processes.insert(PROCESS.into(), process);
}

/// What dnsmasq serves and from where.
struct Served<'a> {
    site: &'a Site<'a>,
    port: &'a Port,
    /// Subnets with DHCP that the port has an address of, with that address.
    subnets: Vec<(&'a Subnet, IpAddr)>,
}

impl<'a> Served<'a> {
    fn new(site: &'a Site<'a>, port: &'a Port) -> Self {
        let address_of = |subnet: &'a Subnet| {
            let fixed = port.fixed_ips.iter().find(|fixed| fixed.subnet_id == subnet.id)?;
            Some((subnet, fixed.ip_address))
        };
        let subnets = site.network.subnets.iter().filter(|subnet| subnet.enable_dhcp);
        Self { site, port, subnets: subnets.filter_map(address_of).collect() }
    }

    fn device(&self) -> String {
        kernel_name::dhcp_interface(self.port.id)
    }

    /// A file of this network's scope.
    fn path(&self, name: &str) -> PathBuf {
        let scope = Scope::Network(self.site.network.id).to_string();
        self.site.host.state_dir.join(scope).join(name)
    }

    fn namespace(&self) -> DesiredNamespace {
        let device = self.device();
        let link = Link {
            kind: LinkKind::Veth { peer: kernel_name::tap(self.port.id) },
            mac_address: Some(self.port.mac_address),
            mtu: Some(self.site.network.mtu),
            up: true,
            master: None,
        };
        let addresses = self
            .subnets
            .iter()
            .filter_map(|(subnet, address)| IpNet::new(*address, subnet.cidr.prefix_len()).ok());
        DesiredNamespace {
            links: BTreeMap::from([(device.clone(), link)]),
            addresses: BTreeMap::from([(device, addresses.collect())]),
            owners: BTreeMap::from([(self.device(), ObjectKey::Port(self.port.id))]),
            routes: self.default_route().into_iter().collect(),
            sysctls: self.sysctls(),
            ..Default::default()
        }
    }

    /// Answers to instances behind the subnet's gateway have to find back.
    fn default_route(&self) -> Option<Route> {
        let via = self.subnets.iter().find_map(|(subnet, own)| {
            let on_link = |hop: &IpAddr| hop.is_ipv4() && hop != own && subnet.cidr.contains(hop);
            subnet.gateway_ip.filter(on_link)
        })?;
        let destination = IpNet::V4(Ipv4Net::default());
        Some(Route { destination, via: Some(via), link: Some(self.device()), onlink: false })
    }

    fn sysctls(&self) -> BTreeMap<String, String> {
        // When the first address of a subnet goes, the others stay.
        let promote = ("net/ipv4/conf/all/promote_secondaries", "1");
        // The port has its addresses; router advertisements would add more.
        let accept_ra = ("net/ipv6/conf/default/accept_ra", "0");
        let ipv6 = self.subnets.iter().any(|(_, address)| address.is_ipv6());
        let wanted = [Some(promote), ipv6.then_some(accept_ra)];
        wanted.into_iter().flatten().map(|(key, value)| (key.into(), value.into())).collect()
    }
}

/// Changes when a file does. The paths are the same as long as the child is.
fn digest(contents: &BTreeMap<PathBuf, Vec<u8>>) -> String {
    let mut all = Vec::new();
    for content in contents.values() {
        all.extend((content.len() as u64).to_be_bytes());
        all.extend(content);
    }
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &all).simple().to_string()
}
