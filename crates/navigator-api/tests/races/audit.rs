//! What must hold of a database whatever happened: nothing refers to what is gone, nothing is held
//! for nobody, and what one row says fits what the others say.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Display,
    net::{IpAddr, Ipv4Addr},
};

use navigator_model::{L4PortRange, PortId, Protocol, RouterId, SubnetId};
use navigator_resources::{
    AddressGroup, DefaultSecurityGroupRule, FloatingIp, GatewayPortForwarding, Network, Port,
    PortBinding, PortForwarding, QosPolicy, RbacPolicy, Resource, Router, SecurityGroup,
    SecurityGroupRule, Subnet, SubnetPool,
    registry::{
        default_security_group_rule::TemplateGroup,
        port::{FLOATING_IP_OWNER, ROUTER_GATEWAY_OWNER, ROUTER_INTERFACE_OWNER, ROUTER_OWNERS},
    },
};
use navigator_store::{Listing, Store};

use crate::servers::{Database, Servers};

mod sharing;

pub(crate) async fn check(servers: &Servers) {
    let wrong = violations(servers).await;
    assert!(wrong.is_empty(), "{} violations:\n{}", wrong.len(), wrong.join("\n"));
}

/// Nobody may be writing meanwhile.
pub(crate) async fn violations(servers: &Servers) -> Vec<String> {
    let rows = Rows::load(&servers.direct.store).await;
    let held = Held::load(servers.database()).await;
    let mut wrong = Vec::new();
    sharing::check(&rows, &mut wrong);
    rows.subnets(&mut wrong);
    rows.ports(&mut wrong);
    rows.routers(&mut wrong);
    rows.floating_ips(&mut wrong);
    rows.forwardings(&mut wrong);
    rows.security_groups(&mut wrong);
    held.addresses(&rows, &mut wrong);
    held.claims(&rows, &mut wrong);
    held.segments(&rows, &mut wrong);
    wrong
}

type Table<R> = BTreeMap<String, R>;

struct Rows {
    grants: Table<RbacPolicy>,
    policies: Table<QosPolicy>,
    address_groups: Table<AddressGroup>,
    group_rules: Table<SecurityGroupRule>,
    networks: Table<Network>,
    subnets: Table<Subnet>,
    pools: Table<SubnetPool>,
    ports: Table<Port>,
    bindings: Table<PortBinding>,
    routers: Table<Router>,
    floating_ips: Table<FloatingIp>,
    port_forwardings: Table<PortForwarding>,
    gateway_port_forwardings: Table<GatewayPortForwarding>,
    groups: Table<SecurityGroup>,
    templates: Table<DefaultSecurityGroupRule>,
}

async fn table<R: Resource>(store: &Store) -> Table<R> {
    let rows = store.list(R::declaration(), &Listing::default()).await.unwrap();
    rows.iter().map(|row| (row.text("id").to_owned(), R::from_row(row).unwrap())).collect()
}

impl Rows {
    async fn load(store: &Store) -> Self {
        Self {
            grants: table(store).await,
            policies: table(store).await,
            address_groups: table(store).await,
            group_rules: table(store).await,
            networks: table(store).await,
            subnets: table(store).await,
            pools: table(store).await,
            ports: table(store).await,
            bindings: table(store).await,
            routers: table(store).await,
            floating_ips: table(store).await,
            port_forwardings: table(store).await,
            gateway_port_forwardings: table(store).await,
            groups: table(store).await,
            templates: table(store).await,
        }
    }

    fn subnets(&self, wrong: &mut Vec<String>) {
        let overlap = |a: &Subnet, b: &Subnet| {
            a.id < b.id && (a.cidr.contains(&b.cidr) || b.cidr.contains(&a.cidr))
        };
        let mut by_place: HashMap<String, Vec<&Subnet>> = HashMap::new();
        for subnet in self.subnets.values() {
            exists(&self.networks, subnet.network_id, "subnet", subnet.id, wrong);
            by_place.entry(subnet.network_id.to_string()).or_default().push(subnet);
            let Some(pool_id) = subnet.subnetpool_id else { continue };
            by_place.entry(pool_id.to_string()).or_default().push(subnet);
            let pool = exists(&self.pools, pool_id, "subnet", subnet.id, wrong);
            if pool.is_some_and(|pool| !pool.prefixes.iter().any(|p| p.contains(&subnet.cidr))) {
                wrong.push(format!("subnet {} is outside of its pool {pool_id}", subnet.id));
            }
        }
        for (place, subnets) in by_place {
            for a in &subnets {
                for b in subnets.iter().filter(|b| overlap(a, b)) {
                    wrong.push(format!("in {place} subnets {} and {} overlap", a.id, b.id));
                }
            }
        }
    }

    fn ports(&self, wrong: &mut Vec<String>) {
        for port in self.ports.values() {
            let id = port.id;
            exists(&self.networks, port.network_id, "port", id, wrong);
            for fixed in &port.fixed_ips {
                let subnet = exists(&self.subnets, fixed.subnet_id, "port", id, wrong);
                if subnet.is_some_and(|subnet| {
                    subnet.network_id != port.network_id || !subnet.has_host(fixed.ip_address)
                }) {
                    wrong.push(format!("port {id} has {} of a wrong subnet", fixed.ip_address));
                }
            }
            let (owner, device) = (port.device_owner.0.as_str(), port.device_id.0.as_str());
            if ROUTER_OWNERS.contains(&owner) {
                exists(&self.routers, device, "port", id, wrong);
            }
            if owner == ROUTER_GATEWAY_OWNER
                && self.routers.get(device).is_some_and(|router| router.gw_port_id != Some(id))
            {
                wrong.push(format!("port {id} is not the gateway of router {device}"));
            }
            if owner == FLOATING_IP_OWNER
                && exists(&self.floating_ips, device, "port", id, wrong)
                    .is_some_and(|floating_ip| floating_ip.floating_port_id != id)
            {
                wrong.push(format!("port {id} is not floating IP {device}'s"));
            }
            let bound = self.bindings.contains_key(&format!("{id}/{}", port.host_id));
            if port.host().is_some() != bound {
                wrong.push(format!("port {id} is on '{}', its bindings differ", port.host_id));
            }
        }
        for binding in self.bindings.values() {
            exists(&self.ports, binding.port_id, "binding", &binding.host, wrong);
        }
    }

    fn routers(&self, wrong: &mut Vec<String>) {
        for router in self.routers.values() {
            let id = router.id;
            let info = router.external_gateway_info.as_ref();
            let port =
                router.gw_port_id.and_then(|gw| exists(&self.ports, gw, "router", id, wrong));
            match (info, port) {
                (None, None) => {}
                (Some(info), Some(port)) if info.network_id == port.network_id => {
                    self.external(info.network_id, "gateway of router", id, wrong);
                }
                _ => wrong.push(format!("router {id}'s gateway is not its port's network")),
            }
        }
    }

    fn external(
        &self,
        network: impl ToString,
        what: &str,
        id: impl Display,
        wrong: &mut Vec<String>,
    ) {
        let network = network.to_string();
        if self.networks.get(&network).is_some_and(|network| !network.external) {
            wrong.push(format!("{what} {id} is on network {network}, which is not external"));
        }
    }

    /// Whether the router leads from the external network to the subnet.
    fn leads(&self, router: RouterId, external: impl ToString, subnet: SubnetId) -> bool {
        let out =
            self.routers.get(&router.to_string()).and_then(|r| r.external_gateway_info.as_ref());
        out.is_some_and(|info| info.network_id.to_string() == external.to_string())
            && self.stands_on(router, subnet)
    }

    fn stands_on(&self, router: RouterId, subnet: SubnetId) -> bool {
        self.ports.values().any(|port| {
            port.device_owner.0 == ROUTER_INTERFACE_OWNER
                && port.device_id.0 == router.to_string()
                && port.has_address_of(subnet)
        })
    }

    /// The subnet that the port has the address of.
    fn subnet_of(&self, port: PortId, address: Ipv4Addr) -> Option<SubnetId> {
        let port = self.ports.get(&port.to_string())?;
        let address = IpAddr::from(address);
        port.fixed_ips.iter().find(|f| f.ip_address == address).map(|f| f.subnet_id)
    }

    fn floating_ips(&self, wrong: &mut Vec<String>) {
        for floating_ip in self.floating_ips.values() {
            let (id, network) = (floating_ip.id, floating_ip.floating_network_id);
            self.external(network, "floating IP", id, wrong);
            exists(&self.ports, floating_ip.floating_port_id, "floating IP", id, wrong);
            let forwards: Vec<&PortForwarding> =
                self.port_forwardings.values().filter(|f| f.floatingip_id == id).collect();
            let mut targets: Vec<(PortId, Ipv4Addr)> =
                forwards.iter().map(|f| (f.internal_port_id, f.internal_ip_address)).collect();
            if let Some(port) = floating_ip.port_id {
                let Some(address) = floating_ip.fixed_ip_address else {
                    wrong.push(format!("floating IP {id} leads to no address"));
                    continue;
                };
                if !forwards.is_empty() {
                    wrong.push(format!("floating IP {id} leads to a port and has forwardings"));
                }
                targets.push((port, address));
            }
            let Some(router) = floating_ip.router_id else {
                if !targets.is_empty() {
                    wrong.push(format!("floating IP {id} leads somewhere by no router"));
                }
                continue;
            };
            if targets.is_empty() {
                wrong.push(format!("floating IP {id} leads nowhere by router {router}"));
            }
            for (port, address) in targets {
                match self.subnet_of(port, address) {
                    None => wrong.push(format!("floating IP {id}: {port} has no {address}")),
                    Some(subnet) if !self.leads(router, network, subnet) => wrong.push(format!(
                        "floating IP {id}: router {router} does not lead to {port} {address}"
                    )),
                    Some(_) => {}
                }
            }
        }
    }

    fn forwardings(&self, wrong: &mut Vec<String>) {
        for forwarding in self.gateway_port_forwardings.values() {
            let (id, router) = (forwarding.id, forwarding.router_id);
            let gateway = exists(&self.routers, router, "forwarding", id, wrong);
            if gateway.is_some_and(|router| router.gw_port_id.is_none()) {
                wrong.push(format!("forwarding {id}: router {router} has no gateway"));
            }
            match self.subnet_of(forwarding.internal_port_id, forwarding.internal_ip_address) {
                Some(subnet) if self.stands_on(router, subnet) => {}
                _ => wrong.push(format!("forwarding {id} leads nowhere")),
            }
        }
        for forwarding in self.port_forwardings.values() {
            exists(
                &self.floating_ips,
                forwarding.floatingip_id,
                "forwarding",
                forwarding.id,
                wrong,
            );
        }
    }

    fn security_groups(&self, wrong: &mut Vec<String>) {
        for port in self.ports.values() {
            let groups: Vec<&SecurityGroup> = port
                .security_groups
                .iter()
                .filter_map(|group| exists(&self.groups, group, "port", port.id, wrong))
                .collect();
            if groups.windows(2).any(|pair| pair[0].stateful != pair[1].stateful) {
                wrong.push(format!("port {} has stateful and stateless groups", port.id));
            }
        }
        for template in self.templates.values() {
            if let Some(TemplateGroup::Group(group)) = template.remote_group_id {
                exists(&self.groups, group, "template", template.id, wrong);
            }
        }
    }
}

fn exists<'a, R>(
    table: &'a Table<R>,
    id: impl ToString,
    kind: &str,
    of: impl Display,
    wrong: &mut Vec<String>,
) -> Option<&'a R> {
    let id = id.to_string();
    let found = table.get(&id);
    if found.is_none() {
        wrong.push(format!("{kind} {of} refers to {id}, which is gone"));
    }
    found
}

/// What the database keeps for others.
struct Held {
    addresses: BTreeSet<String>,
    claims: Vec<String>,
    segments: Vec<String>,
}

impl Held {
    async fn load(database: &Database) -> Self {
        let addresses = database
            .query("SELECT port_id || ' ' || subnet_id || ' ' || ip_address FROM ip_allocations");
        let claims = "SELECT owner || ' ' || holder || ' ' || protocol || ' ' || \
                      CAST(port AS TEXT) FROM port_claims";
        let segments = "SELECT network_id || ' ' || CAST(segmentation_id AS TEXT) \
                        FROM segment_allocations";
        Self {
            addresses: addresses.await.into_iter().collect(),
            claims: database.query(claims).await,
            segments: database.query(segments).await,
        }
    }

    fn addresses(&self, rows: &Rows, wrong: &mut Vec<String>) {
        let said = rows.ports.values().flat_map(|port| {
            let of = |f: &navigator_model::snapshot::FixedIp| {
                format!("{} {} {}", port.id, f.subnet_id, f.ip_address)
            };
            port.fixed_ips.iter().map(of).collect::<Vec<_>>()
        });
        let said: BTreeSet<String> = said.collect();
        differ("address", &self.addresses, &said, wrong);
    }

    fn claims(&self, rows: &Rows, wrong: &mut Vec<String>) {
        let mut said = BTreeSet::new();
        let mut say = |owner: String, holder: String, protocol: Protocol, ports: L4PortRange| {
            for port in ports.ports() {
                said.insert(format!("{owner} {holder} {protocol} {port}"));
            }
        };
        for f in rows.gateway_port_forwardings.values() {
            let holder = format!("router/{}", f.router_id);
            let inside = format!("{holder}/{}/{}", f.internal_port_id, f.internal_ip_address);
            say(f.key().to_string(), holder, f.protocol, f.external_port_range);
            say(f.key().to_string(), inside, f.protocol, f.internal_port_range);
        }
        for f in rows.port_forwardings.values() {
            let inside = format!("floatingip/{}/{}", f.internal_port_id, f.internal_ip_address);
            let holder = format!("floatingip/{}", f.floatingip_id);
            say(f.key().to_string(), holder, f.protocol, f.external_port_range);
            say(f.key().to_string(), inside, f.protocol, f.internal_port_range);
        }
        differ("claim", &self.claims.iter().cloned().collect(), &said, wrong);
    }

    fn segments(&self, rows: &Rows, wrong: &mut Vec<String>) {
        let mut holders = BTreeSet::new();
        for segment in &self.segments {
            let (network, number) = segment.split_once(' ').unwrap();
            if exists(&rows.networks, network, "segment", number, wrong).is_some() {
                holders.insert(network);
            }
        }
        for network in rows.networks.values().filter(|network| network.segmentation_id.is_some()) {
            if !holders.contains(network.id.to_string().as_str()) {
                wrong.push(format!("network {} does not hold its segment", network.id));
            }
        }
    }
}

fn differ(what: &str, held: &BTreeSet<String>, said: &BTreeSet<String>, wrong: &mut Vec<String>) {
    wrong.extend(held.difference(said).map(|held| format!("{what} held for nobody: {held}")));
    wrong.extend(said.difference(held).map(|said| format!("{what} not held: {said}")));
}
