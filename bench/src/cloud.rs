//! The cloud that the figures are taken in: a node that runs Navigator, a client outside, and
//! whatever routers and forwards a part asks for, made through the API.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use navigator_lab::{Api, Host, Instance, Wire};
use navigator_model::{MacAddress, PortId};
use navigator_testkit::{Navigator, Site, navigator};
use serde_json::{Value, json};

pub(crate) const API: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9696);

/// Where a server listens that is asked by a member of a project, with the name as password.
const MEMBER_API: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9697);
const MEMBER: &str = "member:$2y$04$eic9lX6xojxSxHA5OsQnVOaEhsuu3SBXkGnovWmdCoVLIO/QD3KCG\n";

/// Objects in one bulk POST.
const BATCH: usize = 1000;

/// Hosts end with the values, the site's directory last.
pub(crate) struct Cloud {
    pub(crate) client: Host,
    pub(crate) node: Host,
    pub(crate) site: Site,
}

/// A router with a network behind it.
pub(crate) struct Router {
    pub(crate) id: String,
    pub(crate) gateway: Ipv4Addr,
    pub(crate) port: Value,
}

impl Cloud {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let site = Site::new();
        let (node, client) = (site.host("node"), site.host("client"));
        Wire::lay(client.end("eth0"), node.end("ext0"))?;
        client.add_address("eth0", "203.0.113.1/24")?;
        // The kernel looks at a new pair's carrier at once only if the numbers of its ends differ;
        // the first devices of two namespaces are both number 2, and drop packets until then.
        std::thread::sleep(Duration::from_secs(1));
        Ok(Self { client, node, site })
    }

    pub(crate) fn config(&self) -> String {
        navigator::all_in_one(&self.node, API, None, &[("external", "ext0")])
    }

    /// For server and agent as processes of their own.
    pub(crate) fn config_apart(&self, database: Option<&str>, secret: &str) -> String {
        let config = navigator::all_in_one(&self.node, API, database, &[("external", "ext0")]);
        config.replacen("[server]\n", &format!("[server]\nagent_secret = '{secret}'\n"), 1)
    }

    pub(crate) fn all_in_one(&self) -> Navigator<'_> {
        Navigator::start(&self.node, "all-in-one", &self.config(), API)
    }

    /// One more server on the database of this configuration.
    pub(crate) fn server_for_a_member(&self, config: &str) -> anyhow::Result<Navigator<'_>> {
        let htpasswd = self.node.dir().join("htpasswd");
        fs::write(&htpasswd, MEMBER)?;
        let identity = format!(
            "[identity]\nmode = 'basic'\nhtpasswd = '{}'\n\n[server]\n",
            htpasswd.display()
        );
        let config = config.replacen("[server]\n", &identity, 1).replacen(
            &API.to_string(),
            &MEMBER_API.to_string(),
            1,
        );
        Ok(Navigator::start(&self.node, "server", &config, MEMBER_API))
    }

    /// An instance on the router's port, with its address by DHCP.
    pub(crate) fn instance(&self, router: &Router) -> anyhow::Result<Instance> {
        let id: PortId = text(&router.port["id"]).parse()?;
        let mac: MacAddress = text(&router.port["mac_address"]).parse()?;
        let instance = self.site.instance("instance", &self.node, (id, mac));
        instance.request_address(20)?;
        Ok(instance)
    }
}

pub(crate) fn as_member(server: &Navigator<'_>) -> Api {
    server.api().with_header("Authorization", "Basic bWVtYmVyOm1lbWJlcg==")
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn create(api: &mut Api, collection: &str, name: &str, attributes: Value) -> anyhow::Result<Value> {
    let path = format!("/v2.0/{collection}");
    let mut answer = api.expect(201, "POST", &path, Some(&json!({ name: attributes })))?;
    Ok(answer[name].take())
}

/// The external network; its id.
pub(crate) fn external_network(api: &mut Api) -> anyhow::Result<String> {
    let network = create(
        api,
        "networks",
        "network",
        json!({
        "name": "public", "router:external": true,
        "provider:network_type": "flat", "provider:physical_network": "external"}),
    )?;
    create(
        api,
        "subnets",
        "subnet",
        json!({
        "network_id": network["id"], "ip_version": 4, "cidr": "203.0.113.0/24",
        "gateway_ip": "203.0.113.1", "enable_dhcp": false}),
    )?;
    Ok(text(&network["id"]).to_owned())
}

/// A network with a subnet, a port on `host`, and a router with a gateway.
pub(crate) fn router(api: &mut Api, external: &str, host: &str) -> anyhow::Result<Router> {
    let network = create(api, "networks", "network", json!({"name": "private"}))?;
    let subnet = create(
        api,
        "subnets",
        "subnet",
        json!({
        "network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/24"}),
    )?;
    let router = create(
        api,
        "routers",
        "router",
        json!({
        "external_gateway_info": {"network_id": external}}),
    )?;
    let id = text(&router["id"]).to_owned();
    let path = format!("/v2.0/routers/{id}/add_router_interface");
    api.expect(200, "PUT", &path, Some(&json!({"subnet_id": subnet["id"]})))?;
    let port = create(
        api,
        "ports",
        "port",
        json!({
        "network_id": network["id"], "binding:host_id": host, "device_owner": "compute:nova"}),
    )?;
    let address = &router["external_gateway_info"]["external_fixed_ips"][0]["ip_address"];
    let gateway = text(address).parse().context("the router's gateway address")?;
    Ok(Router { id, gateway, port })
}

/// One TCP forward's attributes.
pub(crate) fn forward(router: &Router, external_port: usize, internal_port: usize) -> Value {
    json!({
        "protocol": "tcp",
        "external_port": external_port,
        "internal_port": internal_port,
        "internal_port_id": router.port["id"],
        "internal_ip_address": router.port["fixed_ips"][0]["ip_address"],
    })
}

pub(crate) fn forwards_path(router: &Router) -> String {
    format!("/v2.0/routers/{}/gateway_port_forwardings", router.id)
}

pub(crate) fn add_forwards(
    api: &mut Api,
    router: &Router,
    forwards: &[Value],
) -> anyhow::Result<()> {
    for batch in forwards.chunks(BATCH) {
        let body = json!({"gateway_port_forwardings": batch});
        api.expect(201, "POST", &forwards_path(router), Some(&body))?;
    }
    Ok(())
}

/// Waits until every forward of the router says ACTIVE.
pub(crate) fn wait_until_active(
    api: &mut Api,
    router: &Router,
    limit: Duration,
) -> anyhow::Result<()> {
    let path = format!("{}?status=DOWN&limit=1&fields=id", forwards_path(router));
    let start = Instant::now();
    loop {
        let (_, body) = api.get(&path)?;
        if body["gateway_port_forwardings"].as_array().is_some_and(Vec::is_empty) {
            return Ok(());
        }
        if start.elapsed() > limit {
            bail!("forwards of router {} are not active after {limit:?}", router.id);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
