//! Creating, changing and deleting a router.

use navigator_model::RouterId;

use super::{
    Configurations, GatewayRequest, Router, RouterCreate, RouterUpdate, extra_routes,
    gateway::{self, Change},
    kind,
};
use crate::{
    Context, Facts, Refusal, Standard, Stop, Write, Writes, forwarding::router_interfaces,
    l3_scheduling,
    registry::agent::{self, L3_AGENT},
    service_provider::RouterKind,
};

pub(super) fn create(
    input: &RouterCreate,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Router, Writes), Stop> {
    agent::check_zones(L3_AGENT, &input.availability_zone_hints, facts)?;
    let id = RouterId(context.uuid("router"));
    let RouterKind { distributed, ha } = kind::of_new(input, id, facts, context)?;
    let standard = &input.standard;
    let mut router = Router {
        id,
        name: input.name.clone(),
        admin_state_up: input.admin_state_up,
        status: "ACTIVE".to_owned(),
        status_reason: None,
        external_gateway_info: None,
        enable_snat: true,
        gw_port_id: None,
        gateway_qos_policy_id: None,
        flavor_id: input.flavor_id.flatten(),
        gateway_fixed_ips: Vec::new(),
        routes: Vec::new(),
        route_limit: None,
        distributed,
        ha,
        availability_zone_hints: input.availability_zone_hints.clone(),
        availability_zones: Vec::new(),
        configurations: Configurations::default(),
        l3_host: None,
        forwards: 0,
        auto_allocated: false,
        standard: Standard::new(
            standard.project_id.clone(),
            standard.description.clone(),
            context.now,
        ),
    };
    if let Some(change) = &input.configurations {
        router.configurations = change.merged(&Configurations::default());
        router.configurations.check(router.ha, facts)?;
    }
    // Before the gateway, whose port is made where the router runs.
    router.l3_host = l3_scheduling::choose_host(&router, facts, context)?;
    let request = input.external_gateway_info.as_ref().unwrap_or(&GatewayRequest::Clear);
    let Change { before, after, .. } =
        gateway::change(&mut router, request, facts, context)?;
    let mut writes = before;
    writes.insert(&router).append(after);
    router.touch(&mut writes);
    writes.push(Write::TouchHosts);
    Ok((router, writes))
}

pub(super) fn update(
    current: &Router,
    update: &RouterUpdate,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Router, Writes), Stop> {
    let mut router = current.clone();
    update.apply_to(&mut router);
    router.distributed = update.distributed.flatten().unwrap_or(current.distributed);
    router.ha = update.ha.flatten().unwrap_or(current.ha);
    kind::check_change(current, &router)?;
    if let Some(change) = &update.configurations {
        router.configurations = change.merged(&current.configurations);
    }
    if router.configurations != current.configurations || router.ha != current.ha {
        router.configurations.check(router.ha, facts)?;
        router.l3_host = l3_scheduling::choose_host(&router, facts, context)?;
    }
    let Change { before, after, port } = match &update.external_gateway_info {
        Some(request) => gateway::change(&mut router, request, facts, context)?,
        None => Change::default(),
    };
    if router.routes != current.routes {
        extra_routes::check(&router, facts, context)?;
    }
    if router == *current {
        return Ok((router, Writes::new()));
    }
    let mut writes = before;
    writes.update(&router).append(after);
    if router.l3_host != current.l3_host {
        writes.append(l3_scheduling::move_ports(&router, port, facts, context)?);
    }
    if is_rendered_differently(current, &router) {
        router.touch(&mut writes);
    }
    Ok((router, writes))
}

/// A new name is nothing to an agent.
fn is_rendered_differently(before: &Router, after: &Router) -> bool {
    before.admin_state_up != after.admin_state_up
        || before.external_gateway_info != after.external_gateway_info
        || before.routes != after.routes
        || before.l3_host != after.l3_host
}

pub(super) fn delete(current: &Router, facts: &Facts) -> Result<Writes, Stop> {
    let router_id = current.id.to_string();
    if current.has_forwards(facts)? {
        return Err(Refusal::DeletedRouterWithRGForwarding { router_id }.into());
    }
    if !router_interfaces(current.id, facts)?.is_empty() {
        return Err(Refusal::RouterInUse { router_id, reason: "still has ports".to_owned() }.into());
    }
    let mut router = current.clone();
    let gateway = gateway::clear(&mut router, facts)?;
    let mut writes = Writes::new();
    writes.delete::<Router>(current.id).append(gateway.after);
    current.touch(&mut writes);
    writes.push(Write::TouchHosts);
    Ok(writes)
}
