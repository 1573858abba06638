//! Routers: what connects subnets with each other and, by a gateway, with an external network.
//!
//! A router's devices are ports: interfaces (`network:router_interface`) and the gateway
//! (`network:router_gateway`). Everything that hangs on a router (floating IPs, forwardings,
//! routes) is checked here before the device that it needs may go.

mod configurations;
mod external_gateways;
mod extra_routes;
mod gateway;
mod gateway_info;
mod interface;
mod interface_removal;
mod kind;
mod lifecycle;
#[cfg(test)]
mod tests;

use navigator_model::{
    HostName, ObjectKey, PortId, RouterId, Scope,
    snapshot::{FixedIp, StaticRoute},
};
use serde_json::{Value, json};

pub use configurations::{Configurations, ConfigurationsChange};
pub use gateway_info::{GatewayInfo, GatewayRequest};

use crate::{
    AttributeValue, Changes, ConntrackHelper, Context, Embedded, Facts, MemberAction, Resource, Rules, Schemas,
    Standard, Stop, Writes, attribute::Text, registry::{flavor::FlavorId, qos_policy::QosPolicyId},
};

#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "router",
    collection = "routers",
    class = "Router",
    extension = "router",
    tags,
    present = present,
    adds = "external_gateways"
)]
pub struct Router {
    #[field(id, filter, sort)]
    pub id: RouterId,
    #[field(create, update, filter, sort, default = Text::default())]
    pub name: Text<255>,
    #[field(create, update, filter, sort, default = true)]
    pub admin_state_up: bool,
    #[field(sort)]
    pub status: String,
    pub status_reason: Option<String>,
    #[field(create, update, unset, input = GatewayRequest)]
    pub external_gateway_info: Option<GatewayInfo>,
    #[field(internal)]
    pub gw_port_id: Option<PortId>,
    /// Shown within the gateway.
    #[field(internal)]
    pub gateway_qos_policy_id: Option<QosPolicyId>,
    /// Whether what has no floating IP may leave with the gateway's address.
    #[field(
        filter, sort,
        computed = "(routers.external_gateway_info IS NULL OR routers.external_gateway_info NOT LIKE '%\"enable_snat\":false%')"
    )]
    pub enable_snat: bool,
    /// What the gateway port has now: shown as the gateway's `external_fixed_ips`.
    #[field(
        hidden,
        computed = "(SELECT p.fixed_ips FROM ports p WHERE p.id = routers.gw_port_id)"
    )]
    pub gateway_fixed_ips: Vec<FixedIp>,
    #[field(update)]
    pub routes: Vec<StaticRoute>,
    /// What its project's quota says of them, if it says something.
    #[field(
        internal,
        computed = "(SELECT q.quota_limit FROM quotas q WHERE q.project_id = routers.project_id AND q.resource = 'router_route')"
    )]
    pub route_limit: Option<i64>,
    /// Recorded: one node serves it anyway. Changed only while the router is down.
    #[field(create, update, unset, input = Option<bool>)]
    pub distributed: bool,
    /// Highly available, recorded: one node serves it anyway. Changed only while the router is down.
    #[field(create, update, unset, input = Option<bool>)]
    pub ha: bool,
    #[field(create, default = Vec::new())]
    pub availability_zone_hints: Vec<String>,
    #[field(
        computed = "(SELECT a.availability_zone FROM agents a WHERE a.host = routers.l3_host AND a.agent_type = 'L3 agent')"
    )]
    pub availability_zones: Vec<String>,
    #[field(create, update, unset, input = ConfigurationsChange)]
    pub configurations: Configurations,
    /// Host of the agent that serves it; `None` while there is none.
    #[field(internal)]
    pub l3_host: Option<HostName>,
    /// 1 if it has gateway port forwardings: there may be too many of them to load.
    #[field(
        hidden,
        computed = "CAST(CASE WHEN EXISTS (SELECT 1 FROM gateway_port_forwardings f WHERE f.router_id = routers.id) THEN 1 ELSE 0 END AS BIGINT)"
    )]
    pub forwards: i64,
    /// Made with its project's topology.
    #[field(internal)]
    pub auto_allocated: bool,
    #[field(create, unset, sort)]
    pub flavor_id: Option<FlavorId>,
    #[field(standard)]
    pub standard: Standard,
}

/// The gateway's addresses are its port's, whoever changed them last.
fn present(router: &Router) -> Changes {
    let gateways: Vec<Value> = router
        .external_gateway_info
        .iter()
        .map(|info| {
            let external_fixed_ips = router.gateway_fixed_ips.clone();
            let qos_policy_id = router.gateway_qos_policy_id;
            let info = GatewayInfo { external_fixed_ips, qos_policy_id, ..info.clone() };
            AttributeValue::to_json(&info)
        })
        .collect();
    let first = gateways.first().cloned();
    let mut changes = vec![("external_gateways", Some(Value::Array(gateways)))];
    changes.extend(first.map(|info| ("external_gateway_info", Some(info))));
    changes
}

impl Router {
    /// Says that agents have to look at the router itself: its attributes, devices or routes.
    pub fn touch(&self, writes: &mut Writes) {
        writes.touch(Scope::Router(self.id), ObjectKey::Router(self.id));
    }

    /// Whether it has gateway port forwardings. `self` may have been read before the lock on its
    /// row was granted, so it is read once more.
    pub(crate) fn has_forwards(&self, facts: &Facts) -> Result<bool, Stop> {
        Ok(facts.find::<Self>(self.id)?.is_some_and(|router| router.forwards > 0))
    }
}

impl Rules for Router {
    fn create(
        input: &RouterCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        lifecycle::create(input, facts, context)
    }

    fn update(
        current: &Self,
        update: &RouterUpdate,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        lifecycle::update(current, update, facts, context)
    }

    fn delete(current: &Self, facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        lifecycle::delete(current, facts)
    }

    fn embedded() -> &'static [Embedded] {
        const { &[Embedded::of::<ConntrackHelper>("conntrack_helpers", "router_id")] }
    }

    fn reshaped() -> Schemas {
        const { &[("external_gateways", || json!({"type": "array", "items": {"type": "object"}}))] }
    }

    fn actions() -> &'static [MemberAction<Self>] {
        &[
            MemberAction { name: "add_router_interface", run: interface::add },
            MemberAction { name: "remove_router_interface", run: interface_removal::remove },
            MemberAction { name: "update_external_gateways", run: external_gateways::update },
            MemberAction { name: "add_external_gateways", run: external_gateways::add },
            MemberAction { name: "remove_external_gateways", run: external_gateways::remove },
            MemberAction { name: "add_extraroutes", run: extra_routes::add },
            MemberAction { name: "remove_extraroutes", run: extra_routes::remove },
        ]
    }
}
