//! A small site: an external network, a tenant's network behind a router, and an instance.

use navigator_model::{NetworkId, PortId, RouterId, SubnetId};
use serde_json::{Value, json};

use super::{World, admin, member};
use crate::{FloatingIp, GatewayPortForwarding, Network, Port, Refusal, Router, Subnet};

pub(crate) const TENANT: &str = "tenant";

/// `203.0.113.0/24` outside, `10.0.0.0/24` inside, the router at `10.0.0.1`, an instance at
/// `10.0.0.5`; `node-1` serves the router.
pub(crate) struct Site {
    pub(crate) world: World,
    pub(crate) external: NetworkId,
    pub(crate) external_subnet: SubnetId,
    pub(crate) network: NetworkId,
    pub(crate) subnet: SubnetId,
    pub(crate) router: RouterId,
    pub(crate) instance: PortId,
}

impl Site {
    pub(crate) fn new() -> Self {
        let mut world = World::default();
        world.agent("L3 agent", "neutron-l3-agent", "node-1");
        world.agent("Linux bridge agent", "neutron-linuxbridge-agent", "node-1");
        let external: Network = world
            .create(&admin(), None, json!({"name": "public", "router:external": true}))
            .unwrap();
        let external_subnet = subnet(&mut world, external.id, "203.0.113.0/24", "admin");
        let network = network(&mut world, TENANT);
        let subnet = subnet(&mut world, network, "10.0.0.0/24", TENANT);
        let gateway = json!({"external_gateway_info": {"network_id": external.id}});
        let router: Router = world.create(&member(TENANT), None, gateway).unwrap();
        let mut site = Self {
            external: external.id,
            external_subnet,
            network,
            subnet,
            router: router.id,
            instance: PortId(uuid::Uuid::nil()),
            world,
        };
        site.attach(router.id, subnet).unwrap();
        site.instance = site.instance(network, TENANT, json!([{"ip_address": "10.0.0.5"}]));
        site
    }

    pub(crate) fn attach(&mut self, router: RouterId, subnet: SubnetId) -> Result<Value, Refusal> {
        let body = json!({"subnet_id": subnet});
        self.world.action::<Router>(&member(TENANT), router, "add_router_interface", body)
    }

    /// An instance's port.
    pub(crate) fn instance(&mut self, network: NetworkId, project: &str, ips: Value) -> PortId {
        let body = json!({"network_id": network, "fixed_ips": ips, "device_owner": "compute:nova"});
        self.world.create::<Port>(&member(project), None, body).unwrap().id
    }

    /// A forwarding of the router's gateway to the instance, with `change` on top.
    pub(crate) fn forward(&mut self, change: Value) -> Result<GatewayPortForwarding, Refusal> {
        let mut body = json!({
            "external_port": 2222,
            "internal_port": 22,
            "internal_port_id": self.instance,
            "protocol": "tcp",
        });
        for (key, value) in change.as_object().into_iter().flatten() {
            match value {
                Value::Null => drop(body.as_object_mut().unwrap().remove(key)),
                value => body[key] = value.clone(),
            }
        }
        self.world.create(&member(TENANT), Some(self.router.to_string()), body)
    }

    pub(crate) fn floating_ip(&mut self, change: Value) -> Result<FloatingIp, Refusal> {
        let mut body = json!({"floating_network_id": self.external});
        for (key, value) in change.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        self.world.create(&member(TENANT), None, body)
    }
}

pub(crate) fn network(world: &mut World, project: &str) -> NetworkId {
    world.create::<Network>(&member(project), None, json!({"name": "net"})).unwrap().id
}

pub(crate) fn subnet(world: &mut World, network: NetworkId, cidr: &str, project: &str) -> SubnetId {
    let caller = if project == "admin" { admin() } else { member(project) };
    let version = if cidr.contains(':') { 6 } else { 4 };
    let body = json!({"network_id": network, "cidr": cidr, "ip_version": version,
        "enable_dhcp": false});
    world.create::<Subnet>(&caller, None, body).unwrap().id
}
