//! On which host a port is and how its device is plugged there. Decided at once, from the agents
//! that are alive: an agent has no say in it.

use navigator_model::HostName;
use serde_json::json;

use super::{Port, touch};
use crate::{
    Context, Facts, Select, Stop, Write, Writes,
    attribute::Dict,
    registry::{
        agent::{Agent, L2_AGENT},
        port_binding,
    },
};

/// `binding:vif_type` of a port that is on no host.
pub const UNBOUND: &str = "unbound";
/// `binding:vif_type` of a port whose host has no agent to wire it.
pub const BINDING_FAILED: &str = "binding_failed";
/// `binding:vif_type` of a port whose device an agent puts on a bridge.
pub const TAP: &str = "tap";

crate::word_attribute! {
    /// What kind of device the instance wants.
    pub enum VnicType {
        Normal => "normal",
        Direct => "direct",
        Macvtap => "macvtap",
        Baremetal => "baremetal",
        DirectPhysical => "direct-physical",
        VirtioForwarder => "virtio-forwarder",
        SmartNic => "smart-nic",
        Vdpa => "vdpa",
        AcceleratorDirect => "accelerator-direct",
        AcceleratorDirectPhysical => "accelerator-direct-physical",
        RemoteManaged => "remote-managed",
    }
}

/// How a device is plugged.
pub(crate) struct Plug {
    pub(crate) vif_type: String,
    pub(crate) vif_details: Dict,
}

/// How a device of this kind would be plugged on a host. `port_filter` is false until ports are
/// filtered; without a host there is nothing to say.
pub(crate) fn plug(
    host: Option<&HostName>,
    vnic_type: VnicType,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Plug, Stop> {
    let (vif_type, details) = match host {
        None => (UNBOUND, json!({})),
        Some(host) if vnic_type == VnicType::Normal && is_wired(host, facts, context)? => (
            TAP,
            json!({
                "port_filter": false,
                "connectivity": "l2",
                "bound_drivers": {"0": "navigator"},
            }),
        ),
        Some(_) => (BINDING_FAILED, json!({})),
    };
    let vif_details = Dict(details.as_object().cloned().unwrap_or_default());
    Ok(Plug { vif_type: vif_type.to_owned(), vif_details })
}

/// Puts the port on a host, or on none. Status and writes are the caller's.
pub(super) fn assign(
    port: &mut Port,
    host: Option<&HostName>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(), Stop> {
    let host = host.filter(|host| !host.0.is_empty());
    let plug = plug(host, port.vnic_type, facts, context)?;
    port.host_id = host.cloned().unwrap_or_else(|| HostName(String::new()));
    port.vif_type = plug.vif_type;
    port.vif_details = plug.vif_details;
    Ok(())
}

/// Moves the port to a host, or takes it off: it is down until the host's agent has wired it. For
/// the resources that own ports; the writes store it and tell whom it concerns.
pub fn bind(
    port: &mut Port,
    host: Option<HostName>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Writes, Stop> {
    let before = port.clone();
    assign(port, host.as_ref(), facts, context)?;
    let mut writes = Writes::new();
    if *port == before {
        return Ok(writes);
    }
    if port.host_id != before.host_id {
        "DOWN".clone_into(&mut port.status);
        port.status_reason = None;
        writes.push(Write::TouchHosts);
    }
    writes.update(port);
    port_binding::follow(port, facts, &mut writes)?;
    touch(port, &mut writes);
    Ok(writes)
}

/// Whether an agent that wires ports is alive on the host.
fn is_wired(host: &HostName, facts: &Facts, context: &Context<'_>) -> Result<bool, Stop> {
    let agents: Vec<Agent> =
        facts.list(Select::eq("host", host.0.as_str()).and("agent_type", L2_AGENT))?;
    Ok(agents.iter().any(|agent| agent.is_usable(context)))
}
