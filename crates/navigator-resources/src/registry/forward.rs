//! Every forward of a project in one list, whatever it hangs on, at `/v1/forwards`; and the way to
//! make one without knowing which external port is free. A forward is a row of the resource of its
//! kind: the rules of that resource decide.

use std::net::Ipv4Addr;

use navigator_model::{
    FloatingIpId, L4Port, L4PortRange, PortId, Protocol, RouterId, snapshot::SourceNat,
};
use uuid::Uuid;

use crate::{
    Context, Facts, FloatingIp, GatewayPortForwarding, PortForwarding, Refusal, Resource, Router,
    Rules, Stop, Writes,
    forwarding::ForwardingStandard,
    registry::{
        gateway_port_forwarding::{AllowedCidrs, GatewayPortForwardingCreate},
        port_forwarding::PortForwardingCreate,
    },
};

crate::attribute::ids! { ForwardId }

crate::word_attribute! {
    /// What a forward hangs on.
    pub enum ForwardKind {
        Gateway => "gateway",
        FloatingIp => "floating_ip",
    }
}

/// An external port, or range, that leads to a port of an instance: of a router's gateway address
/// or of a floating IP.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "forward",
    collection = "forwards",
    class = "Forward",
    extension = "forwards",
    root = "v1",
    without(update),
    view
)]
pub struct Forward {
    #[field(id, filter, sort)]
    pub id: ForwardId,
    #[field(create, required, filter, sort)]
    pub kind: ForwardKind,
    /// The router whose gateway address it is of; of a floating IP, the router that serves it.
    #[field(create, filter, sort, unset, input = RouterId)]
    pub router_id: Option<RouterId>,
    #[field(create, filter, sort, unset, input = FloatingIpId)]
    pub floatingip_id: Option<FloatingIpId>,
    #[field(
        filter, sort,
        found(column = "id", ids = "SELECT k.id FROM forward_addresses k WHERE k.external_address")
    )]
    pub external_address: Option<Ipv4Addr>,
    #[field(create, filter, sort, unset)]
    pub external_port: Option<L4Port>,
    #[field(create, unset, input = Option<L4PortRange>)]
    pub external_port_range: L4PortRange,
    #[field(create, filter, sort, unset)]
    pub internal_port: Option<L4Port>,
    #[field(create, unset, input = Option<L4PortRange>)]
    pub internal_port_range: L4PortRange,
    #[field(create, filter, sort, required)]
    pub internal_ip_address: Ipv4Addr,
    #[field(create, filter, sort, required)]
    pub internal_port_id: PortId,
    /// The device of the internal port, mostly a server.
    #[field(
        filter, sort,
        found(column = "internal_port_id", ids = "SELECT p.id FROM ports p WHERE p.device_id")
    )]
    pub device_id: String,
    #[field(create, filter, sort, required)]
    pub protocol: Protocol,
    #[field(filter, sort)]
    pub status: String,
    pub status_reason: Option<String>,
    /// In a POST: any free external port of this range will do; the lowest is taken.
    #[field(create, hidden, unset, computed = "NULL")]
    pub external_port_choice: Option<L4PortRange>,
    /// Only for the kind `gateway`.
    #[field(create, hidden, unset, input = SourceNat, computed = "NULL")]
    pub source_nat: Option<SourceNat>,
    /// Only for the kind `gateway`.
    #[field(create, hidden, unset, input = AllowedCidrs, computed = "NULL")]
    pub allowed_cidrs: Option<AllowedCidrs>,
    #[field(standard)]
    pub standard: crate::forwarding::ForwardingStandard,
}

impl Rules for Forward {
    fn create(
        input: &ForwardCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        match input.kind {
            ForwardKind::Gateway => of_gateway(input, facts, context),
            ForwardKind::FloatingIp => of_floating_ip(input, facts, context),
        }
    }

    fn delete(current: &Self, facts: &Facts, context: &Context<'_>) -> Result<Writes, Stop> {
        let gone = || Refusal::not_found::<Self>(current.id);
        match current.kind {
            ForwardKind::Gateway => {
                let forwarding = facts.lock::<GatewayPortForwarding>(current.id)?;
                GatewayPortForwarding::delete(&forwarding.ok_or_else(gone)?, facts, context)
            }
            ForwardKind::FloatingIp => {
                let forwarding = facts.lock::<PortForwarding>(current.id)?;
                PortForwarding::delete(&forwarding.ok_or_else(gone)?, facts, context)
            }
        }
    }
}

fn of_gateway(
    input: &ForwardCreate,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Forward, Writes), Stop> {
    let id = needed("router_id", input.router_id, "floatingip_id", input.floatingip_id.is_some())?;
    let router = facts
        .lock::<Router>(id)?
        .filter(|router| context.caller.owns(&router.standard.project_id))
        .ok_or_else(|| Refusal::not_found::<Router>(id))?;
    let body = GatewayPortForwardingCreate {
        external_port: external_port(input, &format!("router/{id}"), facts)?,
        internal_port: input.internal_port,
        internal_ip_address: Some(input.internal_ip_address),
        internal_port_id: input.internal_port_id,
        protocol: input.protocol,
        external_port_range: input.external_port_range,
        internal_port_range: input.internal_port_range,
        source_nat: input.source_nat.unwrap_or(SourceNat::Auto),
        allowed_cidrs: input.allowed_cidrs.clone().unwrap_or_default(),
        standard: input.standard.clone(),
    };
    let parent = router.id.to_string();
    let (made, writes) = GatewayPortForwarding::create(&body, Some(&parent), facts, context)?;
    let forward = Forward {
        id: ForwardId(made.id.0),
        router_id: Some(made.router_id),
        external_address: made.gw_ip_address.0,
        standard: made.standard.clone(),
        ..Forward::of(input, made.external_port_range, made.internal_port_range)
    };
    Ok((forward, writes))
}

fn of_floating_ip(
    input: &ForwardCreate,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Forward, Writes), Stop> {
    let id = needed("floatingip_id", input.floatingip_id, "router_id", input.router_id.is_some())?;
    if input.source_nat.is_some() || input.allowed_cidrs.is_some() {
        let reason = "source_nat and allowed_cidrs are for the kind gateway";
        return Err(Refusal::HTTPBadRequest { reason: reason.to_owned() }.into());
    }
    let floating_ip = facts
        .lock::<FloatingIp>(id)?
        .filter(|floating_ip| context.caller.owns(&floating_ip.standard.project_id))
        .ok_or_else(|| Refusal::not_found::<FloatingIp>(id))?;
    let body = PortForwardingCreate {
        external_port: external_port(input, &format!("floatingip/{id}"), facts)?,
        internal_port: input.internal_port,
        internal_ip_address: input.internal_ip_address,
        internal_port_id: input.internal_port_id,
        protocol: input.protocol,
        external_port_range: input.external_port_range,
        internal_port_range: input.internal_port_range,
        standard: input.standard.clone(),
    };
    let parent = floating_ip.id.to_string();
    let (made, writes) = PortForwarding::create(&body, Some(&parent), facts, context)?;
    let forward = Forward {
        id: ForwardId(made.id.0),
        floatingip_id: Some(made.floatingip_id),
        standard: made.standard.clone(),
        ..Forward::of(input, made.external_port_range, made.internal_port_range)
    };
    Ok((forward, writes))
}

/// The id that the kind hangs on; the other kind's may not be there.
fn needed<I>(name: &str, id: Option<I>, other: &str, other_is_said: bool) -> Result<I, Refusal> {
    match id {
        Some(id) if !other_is_said => Ok(id),
        Some(_) => Err(Refusal::HTTPBadRequest { reason: format!("'{other}' is of another kind") }),
        None => Err(Refusal::HTTPBadRequest {
            reason: format!("Failed to parse request. Required attribute '{name}' not specified"),
        }),
    }
}

/// What was asked for, or the lowest free one of `external_port_choice`. What it hangs on is
/// locked, so that nobody else takes it meanwhile.
fn external_port(
    input: &ForwardCreate,
    holder: &str,
    facts: &Facts,
) -> Result<Option<Option<L4Port>>, Stop> {
    let Some(choice) = input.external_port_choice.flatten() else {
        return Ok(input.external_port);
    };
    if input.external_port.flatten().is_some() || input.external_port_range.flatten().is_some() {
        let reason = "external_port_choice leaves the external port open, which was given";
        return Err(Refusal::HTTPBadRequest { reason: reason.to_owned() }.into());
    }
    match facts.free_port(holder, input.protocol, choice)? {
        Some(port) => Ok(Some(Some(port))),
        None => {
            let reason = format!("No external port of {choice} is free");
            Err(Refusal::Conflict { reason }.into())
        }
    }
}

impl Forward {
    /// What the request says, with the ports that were decided.
    fn of(input: &ForwardCreate, external: L4PortRange, internal: L4PortRange) -> Self {
        Self {
            id: ForwardId(Uuid::nil()),
            kind: input.kind,
            router_id: None,
            floatingip_id: None,
            external_address: None,
            external_port: external.as_single(),
            external_port_range: external,
            internal_port: internal.as_single(),
            internal_port_range: internal,
            internal_ip_address: input.internal_ip_address,
            internal_port_id: input.internal_port_id,
            device_id: String::new(),
            protocol: input.protocol,
            status: "DOWN".to_owned(),
            status_reason: None,
            external_port_choice: None,
            source_nat: None,
            allowed_cidrs: None,
            standard: ForwardingStandard::new(
                input.standard.project_id.clone(),
                input.standard.description.clone(),
                "",
            ),
        }
    }
}
