//! The requests that both servers are asked, and what has to be there before.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use anyhow::bail;
use navigator_lab::Api;
use serde_json::{Value, json};

use crate::cloud::text;

/// Ports in one request, and requests at once, since stock takes long for them.
const BULK: usize = 100;
const AT_ONCE: usize = 2;
/// Networks that have them: stock takes the longer for a port the more its subnet has already.
const NETWORKS: usize = 5;

/// How many there are while they are listed. Fewer for a quick look, which is then no measurement.
pub(super) fn ports() -> usize {
    let named = std::env::var("NAVIGATOR_BENCH_PORTS").ok().and_then(|number| number.parse().ok());
    named.unwrap_or(5_000)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    ListPorts,
    ShowPort,
    UpdatePort,
    CreateNetwork,
    CreatePort,
    CreateForward,
}

/// Lists come first, while there are as many ports as they say.
pub(super) const CASES: &[Case] = &[
    Case::ListPorts,
    Case::ShowPort,
    Case::UpdatePort,
    Case::CreateNetwork,
    Case::CreatePort,
    Case::CreateForward,
];

/// One request, and the status that says that it was done.
pub(super) struct Asked {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: Option<String>,
    pub(super) expected: u16,
}

impl Case {
    pub(super) fn name(self) -> String {
        let name = match self {
            Self::ListPorts => return format!("list 1000 of {} ports", ports()),
            Self::ShowPort => "show port",
            Self::UpdatePort => "update port",
            Self::CreateNetwork => "create network",
            Self::CreatePort => "create port",
            Self::CreateForward => "create floating IP forward",
        };
        name.to_owned()
    }

    pub(super) fn asked(self, scene: &Scene) -> Asked {
        let number = scene.number.fetch_add(1, Relaxed);
        let port = scene.ports.get(number % scene.ports.len().max(1)).map_or("", String::as_str);
        let (method, path, body) = match self {
            Self::ListPorts => ("GET", "/v2.0/ports?limit=1000".to_owned(), None),
            Self::ShowPort => ("GET", format!("/v2.0/ports/{port}"), None),
            Self::UpdatePort => {
                let name = format!("name-{number}");
                ("PUT", format!("/v2.0/ports/{port}"), Some(json!({"port": {"name": name}})))
            }
            Self::CreateNetwork => {
                ("POST", "/v2.0/networks".to_owned(), Some(json!({"network": {}})))
            }
            Self::CreatePort => {
                let body = json!({"port": {"network_id": scene.network}});
                ("POST", "/v2.0/ports".to_owned(), Some(body))
            }
            Self::CreateForward => {
                let path = format!("/v2.0/floatingips/{}/port_forwardings", scene.floating_ip);
                ("POST", path, Some(json!({"port_forwarding": scene.forward()})))
            }
        };
        let expected = if method == "POST" { 201 } else { 200 };
        Asked { method, path, body: body.map(|body| body.to_string()), expected }
    }
}

/// What was made in one server.
pub(super) struct Scene {
    network: String,
    /// Some that are shown and changed.
    ports: Vec<String>,
    floating_ip: String,
    /// The port that forwards lead to.
    target: Value,
    /// Goes on from one request to the next.
    number: AtomicUsize,
    forwards: AtomicUsize,
}

impl Scene {
    /// By as many connections as it takes.
    pub(super) fn make(
        connect: &(dyn Fn() -> Api + Sync),
        project_id: &str,
    ) -> anyhow::Result<Self> {
        let api = &mut connect();
        unlimited(api, project_id)?;
        let external = network(
            api,
            json!({"name": "public", "router:external": true,
                "provider:network_type": "flat", "provider:physical_network": "external"}),
            "203.0.113.0/24",
        )?;
        let inner = network(api, json!({"name": "private"}), "10.128.0.0/16")?;
        let mut networks = vec![inner.id.clone()];
        for number in 1..NETWORKS {
            let more =
                network(api, json!({"name": "more"}), &format!("10.{}.0.0/16", 128 + number))?;
            networks.push(more.id);
        }
        let gateway = json!({"external_gateway_info": {"network_id": external.id}});
        let router = create(api, "routers", "router", gateway)?;
        let path = format!("/v2.0/routers/{}/add_router_interface", text(&router["id"]));
        api.expect(200, "PUT", &path, Some(&json!({"subnet_id": inner.subnet})))?;
        let target = create(api, "ports", "port", json!({"network_id": inner.id}))?;
        let floating_ip =
            create(api, "floatingips", "floatingip", json!({"floating_network_id": external.id}))?;
        Ok(Self {
            ports: fill(connect, &networks)?,
            network: inner.id,
            floating_ip: text(&floating_ip["id"]).to_owned(),
            target,
            number: AtomicUsize::new(0),
            forwards: AtomicUsize::new(1),
        })
    }

    /// The next external port of the one floating IP.
    fn forward(&self) -> Value {
        let port = self.forwards.fetch_add(1, Relaxed) % 65_535 + 1;
        json!({
            "protocol": "tcp", "external_port": port, "internal_port": port,
            "internal_port_id": self.target["id"],
            "internal_ip_address": self.target["fixed_ips"][0]["ip_address"],
        })
    }
}

/// Ports of the networks; the id of one of each bulk.
fn fill(connect: &(dyn Fn() -> Api + Sync), networks: &[String]) -> anyhow::Result<Vec<String>> {
    let (bulks, begun) = (ports().div_ceil(BULK), AtomicUsize::new(0));
    let some = || -> anyhow::Result<Vec<String>> {
        let mut api = connect();
        let mut ids = Vec::new();
        loop {
            let bulk = begun.fetch_add(1, Relaxed);
            if bulk >= bulks {
                return Ok(ids);
            }
            let network = &networks[bulk % networks.len()];
            let body = json!({"ports": vec![json!({"network_id": network}); BULK]});
            let made = api.expect(201, "POST", "/v2.0/ports", Some(&body))?;
            ids.push(text(&made["ports"][0]["id"]).to_owned());
        }
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(some)).collect();
        let mut ids = Vec::new();
        for client in running {
            let Ok(made) = client.join() else { bail!("a client's thread ended early") };
            ids.append(&mut made?);
        }
        Ok(ids)
    })
}

struct Made {
    id: String,
    subnet: String,
}

fn create(api: &mut Api, collection: &str, name: &str, attributes: Value) -> anyhow::Result<Value> {
    let path = format!("/v2.0/{collection}");
    let mut answer = api.expect(201, "POST", &path, Some(&json!({ name: attributes })))?;
    Ok(answer[name].take())
}

fn network(api: &mut Api, attributes: Value, cidr: &str) -> anyhow::Result<Made> {
    let network = create(api, "networks", "network", attributes)?;
    let subnet = json!({
        "network_id": network["id"], "ip_version": 4, "cidr": cidr, "enable_dhcp": false});
    let subnet = create(api, "subnets", "subnet", subnet)?;
    Ok(Made { id: text(&network["id"]).to_owned(), subnet: text(&subnet["id"]).to_owned() })
}

fn unlimited(api: &mut Api, project_id: &str) -> anyhow::Result<()> {
    let none = json!({"quota": {
        "network": -1, "subnet": -1, "port": -1, "router": -1, "floatingip": -1,
        "security_group": -1, "security_group_rule": -1}});
    api.expect(200, "PUT", &format!("/v2.0/quotas/{project_id}"), Some(&none))?;
    Ok(())
}
