//! A small cloud for whole-system tests: an outside switch with a client, a network node, and one
//! tenant network behind a router. Instances are given the addresses that the API says, not leased
//! ones: DHCP has its own tests.

use std::{
    fs::File,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::{Duration, Instant},
};

use navigator_lab::{
    Api, Bridge, Host, Instance, LabError, Namespaces, instance,
    lab::cloud::{Port, parsed},
};
use nix::sched::{CloneFlags, setns};
use serde_json::{Value, json};

use crate::{Site, navigator, site::with_sources};

/// Where Navigator's API is, inside the node.
pub const API: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9696);

/// The outside switch's own address, the routers' next hop.
pub const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);

pub(crate) const PHYSICAL_NETWORK: &str = "external";
pub(crate) const EXTERNAL_DEVICE: &str = "ext0";

/// Longest wait for what takes milliseconds on an idle machine.
const LIMIT: Duration = Duration::from_secs(60);

/// The hosts before any Navigator runs.
#[derive(Debug)]
pub struct Hosts {
    pub outside: Host,
    pub client: Host,
    pub node: Host,
}

impl Hosts {
    pub fn make(site: &Site) -> Self {
        let [outside, client, node] = ["outside", "client", "node"].map(|name| site.host(name));
        let cable = || -> Result<(), LabError> {
            let switch = Bridge::make(&outside, "switch")?;
            outside.add_address("switch", &format!("{OUTSIDE}/24"))?;
            switch.connect("to-client", client.end("eth0"))?;
            client.add_address("eth0", &format!("{CLIENT}/24"))?;
            client.set_default_route(&OUTSIDE.to_string())?;
            switch.connect("to-node", node.end(EXTERNAL_DEVICE))
        };
        cable().unwrap_or_else(|error| panic!("{}", with_sources(&error)));
        Self { outside, client, node }
    }

    /// For `all-in-one`, or for `server` and `agent` side by side on the node.
    pub fn config(&self) -> String {
        let mappings = [(PHYSICAL_NETWORK, EXTERNAL_DEVICE)];
        let text = navigator::all_in_one(&self.node, API, None, &mappings);
        text.replace("[server]\n", "[server]\nagent_secret = 'of the test'\n")
    }
}

/// A call that has to answer `status`; the answer.
pub fn call(api: &mut Api, status: u16, method: &str, path: &str, body: Option<&Value>) -> Value {
    let answer = api.expect(status, method, &format!("/v2.0/{path}"), body);
    answer.unwrap_or_else(|error| panic!("{}", with_sources(&error)))
}

/// Creates and gives what is below `key` of the answer.
pub fn create(api: &mut Api, path: &str, key: &str, body: Value) -> Value {
    call(api, 201, "POST", path, Some(&json!({ key: body })))[key].take()
}

pub fn text(value: &Value, pointer: &str) -> String {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("no {pointer} in {value}")).to_owned()
}

pub fn address(value: &Value, pointer: &str) -> Ipv4Addr {
    parsed(value, pointer).unwrap_or_else(|error| panic!("{}", with_sources(&error)))
}

/// Asks until `attempt` succeeds; how long that took. What it said last is the failure.
pub fn eventually(what: &str, mut attempt: impl FnMut() -> Result<(), String>) -> Duration {
    let start = Instant::now();
    loop {
        let Err(last) = attempt() else { return start.elapsed() };
        assert!(start.elapsed() < LIMIT, "{what}: {last}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until the object at `path` is ACTIVE: the agent has reported it applied.
pub fn wait_active(api: &mut Api, path: &str) -> Duration {
    eventually(&format!("{path} ACTIVE"), || {
        let answer = call(api, 200, "GET", path, None);
        let object = answer.as_object().and_then(|answer| answer.values().next());
        let status = object.map_or(Value::Null, |object| object["status"].clone());
        if status == "ACTIVE" { Ok(()) } else { Err(answer.to_string()) }
    })
}

/// An external network, a tenant's network and the router between them.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub external_network: String,
    pub network: String,
    pub subnet: String,
    pub router: String,
    pub gateway: Ipv4Addr,
}

impl Tenant {
    /// Waits for the node's agent, then makes all of it.
    pub fn make(api: &mut Api) -> Self {
        let external_network = outside(api);
        Self::behind(api, external_network)
    }

    /// A tenant of its own on an external network that is there: what a member of a project may make.
    pub fn behind(api: &mut Api, external_network: String) -> Self {
        let network = text(&create(api, "networks", "network", json!({"name": "private"})), "/id");
        let subnet = json!({
            "network_id": network, "ip_version": 4, "cidr": "10.0.0.0/16", "enable_dhcp": false});
        let subnet = text(&create(api, "subnets", "subnet", subnet), "/id");
        let router =
            json!({"name": "r", "external_gateway_info": {"network_id": external_network}});
        let answer = create(api, "routers", "router", router);
        let gateway = address(&answer, "/external_gateway_info/external_fixed_ips/0/ip_address");
        let router = text(&answer, "/id");
        let tenant = Self { external_network, network, subnet, router, gateway };
        tenant.add_interface(api, &tenant.subnet);
        wait_active(api, &format!("routers/{}", tenant.router));
        tenant
    }

    /// Attaches a subnet to the router.
    pub fn add_interface(&self, api: &mut Api, subnet: &str) {
        let path = format!("routers/{}/add_router_interface", self.router);
        call(api, 200, "PUT", &path, Some(&json!({ "subnet_id": subnet })));
    }

    /// Below `/v2.0/`.
    pub fn gateway_forwards(&self) -> String {
        format!("routers/{}/gateway_port_forwardings", self.router)
    }

    /// Creates a forward of the gateway's address.
    pub fn forward(&self, api: &mut Api, body: Value) -> Value {
        create(api, &self.gateway_forwards(), "gateway_port_forwarding", body)
    }

    /// A floating IP without a port, for forwards of its own: id and address.
    pub fn floating_ip(&self, api: &mut Api) -> (String, Ipv4Addr) {
        let body = json!({"floating_network_id": self.external_network});
        let answer = create(api, "floatingips", "floatingip", body);
        (text(&answer, "/id"), address(&answer, "/floating_ip_address"))
    }

    /// The router's namespace on its node.
    pub fn namespace(&self) -> String {
        format!("qrouter-{}", self.router)
    }

    /// A port bound to the node and an instance on it, with the port's address.
    pub fn instance(&self, api: &mut Api, site: &Site, node: &Host, name: &str) -> Plugged {
        let port = json!({
            "name": name, "network_id": self.network, "binding:host_id": node.name(),
            "device_owner": "compute:test", "device_id": name});
        let port = create(api, "ports", "port", port);
        plug(site, node, name, &port, (16, Ipv4Addr::new(10, 0, 0, 1)))
    }
}

/// An instance on a bound port, with the port's address and its subnet's prefix length and router.
pub fn plug(site: &Site, node: &Host, name: &str, port: &Value, subnet: (u8, Ipv4Addr)) -> Plugged {
    let port = Port::parse(port).unwrap_or_else(|error| panic!("{}", with_sources(&error)));
    let instance = site.instance(name, node, (port.id, port.mac_address));
    configured(instance, port.ip_address, subnet)
}

/// Gives an instance its address; it is there when it reaches the router.
pub fn configured(instance: Instance, ip: Ipv4Addr, subnet: (u8, Ipv4Addr)) -> Plugged {
    let (prefix, router) = (subnet.0, subnet.1.to_string());
    let Instance { host, port_id } = instance;
    let configure = || -> Result<(), LabError> {
        host.add_address(instance::DEVICE, &format!("{ip}/{prefix}"))?;
        host.set_default_route(&router)
    };
    configure().unwrap_or_else(|error| panic!("{}", with_sources(&error)));
    eventually(&format!("{} reaches its router", host.name()), || {
        let ping = ["ping", "-c", "1", "-W", "1", "-q", &router];
        host.run(&ping).map(drop).map_err(|error| error.to_string())
    });
    Plugged { host, port: port_id.to_string(), ip }
}

/// An instance with its address.
#[derive(Debug)]
pub struct Plugged {
    pub host: Host,
    pub port: String,
    pub ip: Ipv4Addr,
}

pub fn external_network(api: &mut Api) -> String {
    let network = json!({
        "name": "outside", "router:external": true, "provider:network_type": "flat",
        "provider:physical_network": PHYSICAL_NETWORK});
    text(&create(api, "networks", "network", network), "/id")
}

/// Waits for the node's agent, then makes the external network with room for addresses.
pub fn outside(api: &mut Api) -> String {
    wait_for_agents(api);
    let network = external_network(api);
    let subnet = json!({
        "network_id": network, "ip_version": 4, "cidr": "203.0.113.0/24",
        "gateway_ip": OUTSIDE, "enable_dhcp": false,
        "allocation_pools": [{"start": "203.0.113.100", "end": "203.0.113.199"}]});
    create(api, "subnets", "subnet", subnet);
    network
}

/// The server places routers on hosts whose agents it knows.
pub fn wait_for_agents(api: &mut Api) {
    eventually("the agents' first sign of life", || {
        let answer = call(api, 200, "GET", "agents", None);
        let known = answer["agents"].as_array().map_or(0, Vec::len);
        if known >= 3 { Ok(()) } else { Err(answer.to_string()) }
    });
}

/// Runs `f` on a thread inside a named network namespace of a host.
pub fn in_namespace<T: Send>(host: &Namespaces, name: &str, f: impl FnOnce() -> T + Send) -> T {
    // As the host sees it: its mounts are its own.
    let seen = Path::new("/proc").join(host.pid.to_string()).join("root");
    let path = seen.join("run/netns").join(name);
    let namespace = File::open(&path);
    let namespace = namespace.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let inside = move || {
        setns(namespace, CloneFlags::CLONE_NEWNET).expect("enter the namespace");
        f()
    };
    std::thread::scope(|scope| {
        scope.spawn(inside).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
