//! The lab's cloud, made by API calls: an external provider network, a tenant network with a router,
//! and a port for each instance. Knows the API only.

use std::net::Ipv4Addr;

use navigator_model::{MacAddress, PortId};
use serde_json::{Value, json};

use super::{Lab, NODE_HOST, OUTSIDE, configuration::PHYSICAL_NETWORK};
use crate::{Api, LabError};

pub const EXTERNAL_CIDR: &str = "203.0.113.0/24";
/// Addresses that routers and floating IPs get.
pub const EXTERNAL_POOL: [&str; 2] = ["203.0.113.100", "203.0.113.199"];
pub const TENANT_CIDR: &str = "10.0.0.0/24";

/// What was made: names for people, ids for calls.
#[derive(Clone, Debug)]
pub struct Cloud {
    pub router_id: String,
    pub gateway_ip: Ipv4Addr,
}

/// A port that an instance hangs on.
#[derive(Clone, Debug)]
pub struct Port {
    pub id: PortId,
    pub mac_address: MacAddress,
    pub ip_address: Ipv4Addr,
}

impl Port {
    /// Reads what the API says of a port.
    pub fn parse(port: &Value) -> Result<Self, LabError> {
        Ok(Self {
            id: parsed(port, "/id")?,
            mac_address: parsed(port, "/mac_address")?,
            ip_address: parsed(port, "/fixed_ips/0/ip_address")?,
        })
    }
}

impl Lab {
    /// Networks `outside` and `private`, and router `router` between them.
    pub fn make_cloud(&self) -> Result<Cloud, LabError> {
        let api = &mut self.api()?;
        let network = json!({"network": {
            "name": "outside", "router:external": true, "provider:network_type": "flat",
            "provider:physical_network": PHYSICAL_NETWORK}});
        let outside: String = create(api, "networks", &network, "/network/id")?;
        let subnet = json!({"subnet": {
            "name": "outside", "network_id": outside, "ip_version": 4, "cidr": EXTERNAL_CIDR,
            "gateway_ip": OUTSIDE, "enable_dhcp": false,
            "allocation_pools": [{"start": EXTERNAL_POOL[0], "end": EXTERNAL_POOL[1]}]}});
        api.expect(201, "POST", "/v2.0/subnets", Some(&subnet))?;
        let network = json!({"network": {"name": "private"}});
        let private: String = create(api, "networks", &network, "/network/id")?;
        let subnet = json!({"subnet": {
            "name": "private", "network_id": private, "ip_version": 4, "cidr": TENANT_CIDR}});
        let subnet: String = create(api, "subnets", &subnet, "/subnet/id")?;
        let router = json!({"router": {
            "name": "router", "external_gateway_info": {"network_id": outside}}});
        let router = api.expect(201, "POST", "/v2.0/routers", Some(&router))?;
        let router_id: String = parsed(&router, "/router/id")?;
        let path = format!("/v2.0/routers/{router_id}/add_router_interface");
        api.expect(200, "PUT", &path, Some(&json!({"subnet_id": subnet})))?;
        let address = "/router/external_gateway_info/external_fixed_ips/0/ip_address";
        Ok(Cloud { router_id, gateway_ip: parsed(&router, address)? })
    }

    /// A port of network `private` on the lab's node, as Nova would make it for an instance.
    pub fn make_port(&self, name: &str) -> Result<Port, LabError> {
        let api = &mut self.api()?;
        let networks = api.expect(200, "GET", "/v2.0/networks?name=private&fields=id", None)?;
        let network: String = parsed(&networks, "/networks/0/id")?;
        let port = json!({"port": {
            "name": name, "network_id": network, "binding:host_id": NODE_HOST,
            "device_owner": "compute:lab", "device_id": name}});
        let port = api.expect(201, "POST", "/v2.0/ports", Some(&port))?;
        Port::parse(&port["port"])
    }
}

fn create<T: std::str::FromStr>(
    api: &mut Api,
    collection: &str,
    body: &Value,
    pointer: &str,
) -> Result<T, LabError> {
    let answer = api.expect(201, "POST", &format!("/v2.0/{collection}"), Some(body))?;
    parsed(&answer, pointer)
}

/// The string at `pointer`, as what it should be.
pub fn parsed<T: std::str::FromStr>(value: &Value, pointer: &str) -> Result<T, LabError> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.and_then(|text| text.parse().ok()).ok_or_else(|| LabError::Malformed {
        request: format!("the API's answer at {pointer}"),
        reason: value.to_string(),
    })
}
