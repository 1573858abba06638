//! A port forwarding of the router's gateway address, through the API.

use serde_json::{Value, json};

use super::say;
use crate::{
    Api, LabError,
    lab::cloud::{Port, parsed},
};

pub(super) struct Forward {
    path: String,
}

impl Forward {
    /// Gateway address:`external_port` leads to `port`:`internal_port`.
    pub(super) fn create(
        api: &mut Api,
        router_id: &str,
        external_port: u16,
        (port, internal_port): (&Port, u16),
    ) -> Result<Self, LabError> {
        let path = format!("/v2.0/routers/{router_id}/gateway_port_forwardings");
        let body = json!({"gateway_port_forwarding": {
            "external_port": external_port, "internal_port": internal_port, "protocol": "tcp",
            "internal_port_id": port.id.to_string(), "internal_ip_address": port.ip_address}});
        say(format!("POST {path}\n        {body}"));
        let answer = api.expect(201, "POST", &path, Some(&body))?;
        let id: String = parsed(&answer, "/gateway_port_forwarding/id")?;
        Ok(Self { path: format!("{path}/{id}") })
    }

    pub(super) fn retarget(&self, api: &mut Api, to: &Port) -> Result<(), LabError> {
        let body = json!({"gateway_port_forwarding": {
            "internal_port_id": to.id.to_string(), "internal_ip_address": to.ip_address}});
        say(format!("PUT {}\n        {body}", self.path));
        api.expect(200, "PUT", &self.path, Some(&body)).map(drop)
    }

    pub(super) fn delete(self, api: &mut Api) -> Result<(), LabError> {
        say(format!("DELETE {}", self.path));
        api.expect(204, "DELETE", &self.path, None).map(drop)
    }

    pub(super) fn show(&self, api: &mut Api) -> Result<Value, LabError> {
        let answer = api.expect(200, "GET", &self.path, None)?;
        Ok(answer["gateway_port_forwarding"].clone())
    }
}
