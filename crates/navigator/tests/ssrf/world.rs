//! Two projects behind one external network. The first has a router with two instances, a subnet of
//! a network that all projects share behind it, and a floating IP; the second has an instance on
//! the shared network and one of its own. Who asks is a member, a reader of the same project, and a
//! member of the second.

use std::net::Ipv4Addr;

use navigator_testkit::{
    Api, Host, Navigator, Site, Wire,
    cloud::{self, API, Hosts, Plugged, Tenant, address, call, create, text, wait_active},
    keystone::{Account, Cloud},
    stock,
};
use serde_json::{Value, json};

/// The node's own address on the network of its operators, and the way there.
pub(crate) const MANAGEMENT: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 2);
const MANAGEMENT_ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);
pub(crate) const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Of projects' own networks, and of the shared one.
pub(crate) const OWN: (u8, Ipv4Addr) = (16, Ipv4Addr::new(10, 0, 0, 1));
pub(crate) const SHARED: (u8, Ipv4Addr) = (24, Ipv4Addr::new(10, 2, 0, 1));

/// Cables the node's management address to the outside, which routes and has what lives at the
/// metadata address.
pub(crate) fn manage(hosts: &Hosts) {
    let (outside, node) = (&hosts.outside, &hosts.node);
    Wire::lay(outside.end("mgmt"), node.end("mgmt")).unwrap();
    outside.add_address("mgmt", &format!("{MANAGEMENT_ROUTER}/24")).unwrap();
    outside.add_address("switch", &format!("{METADATA}/32")).unwrap();
    node.add_address("mgmt", &format!("{MANAGEMENT}/24")).unwrap();
    outside.run(&["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"]).unwrap();
}

pub(crate) struct World<'a> {
    pub(crate) hosts: &'a Hosts,
    pub(crate) people: People,
    pub(crate) tenant: Tenant,
    pub(crate) shared_network: String,
    pub(crate) floating_ip: String,
    pub(crate) floating_address: Ipv4Addr,
    /// The member's own.
    pub(crate) webs: [Plugged; 2],
    /// The stranger's: on the shared network, and on its own.
    pub(crate) neighbour: Plugged,
    pub(crate) far: Plugged,
    pub(crate) far_gateway: Ipv4Addr,
    /// What serves DHCP on the member's network.
    pub(crate) dhcp: Ipv4Addr,
    _navigator: Navigator<'a>,
}

pub(crate) struct People {
    pub(crate) admin: Api,
    pub(crate) member: Api,
    pub(crate) reader: Api,
    pub(crate) stranger: Api,
    pub(crate) project: String,
    pub(crate) strange_project: String,
    keystone: Cloud,
}

impl People {
    /// Keystone, on the node's loopback, with everybody in it.
    fn come(node: &Host) -> Self {
        let keystone = Cloud::inside(node);
        let member = keystone.account(&["member"]);
        let Account { project, project_name, .. } = member.clone();
        let reader = Account { project, project_name, ..keystone.account(&[]) };
        keystone.call("PUT", &keystone.role_path(&reader, "reader"), None).expect(204);
        let stranger = keystone.account(&["member"]);
        let person = |token: &str| Api::new(node, API).with_header("x-auth-token", token);
        Self {
            admin: person(keystone.admin_token()),
            member: person(&keystone.log_in(&member)),
            reader: person(&keystone.log_in(&reader)),
            stranger: person(&keystone.log_in(&stranger)),
            project: member.project,
            strange_project: stranger.project,
            keystone,
        }
    }

    /// The administrator on a connection of its own.
    pub(crate) fn again(&self, node: &Host) -> Api {
        Api::new(node, API).with_header("x-auth-token", self.keystone.admin_token())
    }
}

impl<'a> World<'a> {
    pub(crate) fn make(site: &Site, hosts: &'a Hosts) -> Self {
        let mut people = People::come(&hosts.node);
        let navigator = stock::all_in_one(&hosts.node, &hosts.config(), &people.keystone, API);
        let People { admin, member, stranger, project, strange_project, .. } = &mut people;
        let external = cloud::outside(admin);
        let tenant = Tenant::behind(member, external.clone());
        let dhcp = json!({"subnet": {"enable_dhcp": true}});
        call(member, 200, "PUT", &format!("subnets/{}", tenant.subnet), Some(&dhcp));
        wait_active(member, &format!("networks/{}", tenant.network));
        let strange = Tenant::behind(stranger, external);
        let shared_network = shared(admin, member, &tenant);
        let mut instance = |project: &str, name, network: &str, place, more: Value| {
            let port = bound_port(admin, &hosts.node, project, network, more);
            cloud::plug(site, &hosts.node, name, &port, place)
        };
        let webs =
            ["web", "web2"].map(|name| instance(project, name, &tenant.network, OWN, json!({})));
        let neighbour = instance(strange_project, "neighbour", &shared_network, SHARED, json!({}));
        // An address that nothing of the other project has.
        let far = json!({"fixed_ips": [{"ip_address": "10.0.77.77"}]});
        let far = instance(strange_project, "far", &strange.network, OWN, far);
        // The way to it, so that it can be seen that what arrives there is seen.
        let body = json!({"external_port": 9, "internal_port": 9, "protocol": "udp",
            "internal_port_id": far.port});
        let way = strange.forward(stranger, body);
        let way = format!("{}/{}", strange.gateway_forwards(), text(&way, "/id"));
        wait_active(stranger, &way);
        let query = format!("ports?device_owner=network:dhcp&network_id={}", tenant.network);
        let dhcp = call(admin, 200, "GET", &query, None);
        let (floating_ip, floating_address) = tenant.floating_ip(member);
        Self {
            hosts,
            people,
            tenant,
            shared_network,
            floating_ip,
            floating_address,
            webs,
            neighbour,
            far_gateway: strange.gateway,
            far,
            dhcp: address(&dhcp, "/ports/0/fixed_ips/0/ip_address"),
            _navigator: navigator,
        }
    }
}

/// A network that all may use, also behind the tenant's router.
fn shared(admin: &mut Api, member: &mut Api, tenant: &Tenant) -> String {
    let network = create(admin, "networks", "network", json!({"shared": true}));
    let network = text(&network, "/id");
    let subnet = json!({
        "network_id": network, "ip_version": 4, "cidr": "10.2.0.0/24", "enable_dhcp": false});
    let subnet = text(&create(admin, "subnets", "subnet", subnet), "/id");
    tenant.add_interface(member, &subnet);
    network
}

/// A port as the compute service makes it for an instance of the project.
pub(crate) fn bound_port(
    admin: &mut Api,
    node: &Host,
    project: &str,
    network: &str,
    more: Value,
) -> Value {
    let mut port = json!({
        "project_id": project, "network_id": network, "binding:host_id": node.name(),
        "device_owner": "compute:test", "device_id": project});
    let more = more.as_object().cloned().unwrap_or_default();
    port.as_object_mut().unwrap().extend(more);
    create(admin, "ports", "port", port)
}
