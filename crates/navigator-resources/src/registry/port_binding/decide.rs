//! Preparing, activating and taking away bindings. The port is locked first: it and its active
//! binding change together.

use super::*;

fn locked_port(port_id: &str, facts: &Facts) -> Result<Port, Stop> {
    facts.lock::<Port>(port_id)?.ok_or_else(|| Refusal::not_found::<Port>(port_id).into())
}

/// Only instances move.
fn check_owner(port: &Port) -> Result<(), Refusal> {
    let owner = &port.device_owner.0;
    if owner.starts_with("compute:") || owner.starts_with("baremetal:") {
        return Ok(());
    }
    Err(Refusal::BadRequest {
        resource: "binding".to_owned(),
        msg: format!("ports with device_owner '{owner}' have no bindings of their own"),
    })
}

/// How the device would be plugged on the host, or the refusal if it cannot be.
fn bound(
    mut binding: PortBinding,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<PortBinding, Stop> {
    let plug = port::plug(Some(&binding.host), binding.vnic_type, facts, context)?;
    if plug.vif_type == BINDING_FAILED {
        return Err(Refusal::PortBindingError {
            port_id: binding.port_id.to_string(),
            host: binding.host.0,
        }
        .into());
    }
    binding.vif_type = plug.vif_type;
    binding.vif_details = plug.vif_details;
    Ok(binding)
}

/// The hosts' duties and the network's picture of the port have changed.
fn tell(port: &Port, writes: &mut Writes) {
    port::touch(port, writes);
    writes.push(Write::TouchHosts);
}

pub(super) fn create(
    input: &PortBindingCreate,
    port_id: &str,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(PortBinding, Writes), Stop> {
    let mut port = locked_port(port_id, facts)?;
    check_owner(&port)?;
    if input.host.0.is_empty() || input.host.0.len() > 255 {
        let reason = format!("'{}' is not a host", input.host);
        return Err(Refusal::invalid("host", reason).into());
    }
    let known = PortBinding::of(port.id, facts)?;
    if known.iter().any(|binding| binding.host == input.host) {
        return Err(Refusal::PortBindingAlreadyExists {
            port_id: port.id.to_string(),
            host: input.host.0.clone(),
        }
        .into());
    }
    let active = !known.iter().any(PortBinding::is_active);
    let binding = PortBinding {
        id: PortBinding::id_of(port.id, &input.host),
        port_id: port.id,
        host: input.host.clone(),
        vnic_type: input.vnic_type,
        vif_type: String::new(),
        vif_details: Dict::default(),
        profile: input.profile.clone(),
        status: if active { ACTIVE } else { INACTIVE }.to_owned(),
        wired_at: None,
        project_id: port.standard.project_id.clone(),
    };
    let binding = bound(binding, facts, context)?;
    let mut writes = Writes::new();
    let conflict = Refusal::PortBindingAlreadyExists {
        port_id: port.id.to_string(),
        host: binding.host.0.clone(),
    };
    writes.insert_or(&binding, Some(conflict));
    if active {
        binding.apply_to(&mut port);
        writes.update(&port);
    }
    tell(&port, &mut writes);
    Ok((binding, writes))
}

pub(super) fn update(
    current: &PortBinding,
    update: &PortBindingUpdate,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(PortBinding, Writes), Stop> {
    let mut port = locked_port(&current.port_id.to_string(), facts)?;
    let mut binding = current.clone();
    update.apply_to(&mut binding);
    if binding.host != current.host {
        let msg = "a binding stays on its host: make one for the other".to_owned();
        return Err(Refusal::BadRequest { resource: "binding".to_owned(), msg }.into());
    }
    let mut writes = Writes::new();
    if binding == *current {
        return Ok((binding, writes));
    }
    let plugged_otherwise = binding.vnic_type != current.vnic_type;
    if plugged_otherwise {
        binding = bound(binding, facts, context)?;
    }
    writes.update(&binding);
    if binding.is_active() {
        let (status, reason) = (port.status.clone(), port.status_reason.clone());
        binding.apply_to(&mut port);
        if !plugged_otherwise {
            (port.status, port.status_reason) = (status, reason);
        }
        writes.update(&port);
    }
    if plugged_otherwise {
        tell(&port, &mut writes);
    }
    Ok((binding, writes))
}

/// Without its active binding the port is on no host.
pub(super) fn delete(
    current: &PortBinding,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Writes, Stop> {
    let mut port = locked_port(&current.port_id.to_string(), facts)?;
    if current.is_active() {
        return port::bind(&mut port, None, facts, context);
    }
    let mut writes = Writes::new();
    writes.delete::<PortBinding>(&current.id);
    tell(&port, &mut writes);
    Ok(writes)
}

/// The port goes to the binding's host; where it was, a binding stays behind until somebody takes it
/// away.
pub(super) fn activate(
    current: &PortBinding,
    _body: &Map<String, Value>,
    facts: &Facts,
    _context: &Context<'_>,
) -> Result<(Value, Writes), Stop> {
    let mut port = locked_port(&current.port_id.to_string(), facts)?;
    // Read after the port was locked: another request may have been faster.
    let known = PortBinding::of(port.id, facts)?;
    let Some(binding) = known.iter().find(|binding| binding.id == current.id) else {
        return Err(Refusal::not_found::<PortBinding>(&current.host).into());
    };
    if binding.is_active() {
        return Err(Refusal::PortBindingAlreadyActive {
            port_id: port.id.to_string(),
            host: binding.host.0.clone(),
        }
        .into());
    }
    let mut writes = Writes::new();
    for other in known.iter().filter(|other| other.is_active()) {
        writes.update(&PortBinding { status: INACTIVE.to_owned(), ..other.clone() });
    }
    let binding = PortBinding { status: ACTIVE.to_owned(), ..binding.clone() };
    writes.update(&binding);
    binding.apply_to(&mut port);
    writes.update(&port);
    tell(&port, &mut writes);
    Ok((Value::Object(binding.to_json()), writes))
}
