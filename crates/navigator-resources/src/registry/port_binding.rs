//! Bindings of ports: the hosts on which a port is plugged, or may be plugged next. One of them is
//! active and is what the port itself shows; the others prepare a live migration.
//!
//! Below `/v2.0/ports/<id>/bindings`, named by their host.

use navigator_model::{HostName, PortId, ProjectId};
use serde_json::{Map, Value};

use crate::{
    Context, Facts, MemberAction, Port, Refusal, Resource, Rules, Select, Stop, Write, Writes,
    attribute::Dict,
    registry::port::{self, BINDING_FAILED, VnicType},
};

mod decide;

/// `status` of the binding that the port has.
pub const ACTIVE: &str = "ACTIVE";
/// `status` of a binding that waits for its activation.
pub const INACTIVE: &str = "INACTIVE";

/// A port on a host.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "binding",
    collection = "bindings",
    class = "PortBinding",
    table = "port_bindings",
    extension = "binding-extended",
    parent = Port,
    parent_column = "port_id",
    key = "host",
    quota = ""
)]
pub struct PortBinding {
    /// `<port>/<host>`.
    #[field(id, internal)]
    pub id: String,
    #[field(internal)]
    pub port_id: PortId,
    #[field(create, update, required, filter)]
    pub host: HostName,
    #[field(create, update, filter, default = VnicType::Normal)]
    pub vnic_type: VnicType,
    #[field(filter)]
    pub vif_type: String,
    pub vif_details: Dict,
    /// Opaque: stored and returned as it was said.
    #[field(create, update, default = Dict::default())]
    pub profile: Dict,
    #[field(filter)]
    pub status: String,
    /// Since when the host's agent has the device in its place.
    #[field(internal)]
    pub wired_at: Option<String>,
    #[field(create, required)]
    pub project_id: ProjectId,
}

impl PortBinding {
    fn id_of(port_id: PortId, host: &HostName) -> String {
        format!("{port_id}/{host}")
    }

    /// What the port shows of itself; `None` while it is on no host.
    pub(crate) fn active(port: &Port) -> Option<Self> {
        let host = port.host()?.clone();
        Some(Self {
            id: Self::id_of(port.id, &host),
            port_id: port.id,
            host,
            vnic_type: port.vnic_type,
            vif_type: port.vif_type.clone(),
            vif_details: port.vif_details.clone(),
            profile: port.profile.clone(),
            status: ACTIVE.to_owned(),
            wired_at: None,
            project_id: port.standard.project_id.clone(),
        })
    }

    /// All of a port.
    pub(crate) fn of(port_id: PortId, facts: &Facts) -> Result<Vec<Self>, Stop> {
        facts.list(Select::eq("port_id", port_id.to_string()))
    }

    fn is_active(&self) -> bool {
        self.status == ACTIVE
    }

    /// Makes it what the port shows of itself. The host's agent says anew that it is wired.
    fn apply_to(&self, port: &mut Port) {
        port.host_id = self.host.clone();
        port.vnic_type = self.vnic_type;
        port.vif_type.clone_from(&self.vif_type);
        port.vif_details = self.vif_details.clone();
        port.profile = self.profile.clone();
        "DOWN".clone_into(&mut port.status);
        port.status_reason = None;
    }
}

/// Keeps the table in step with a port that was stored. One that went to another host leaves nothing
/// behind: bindings that a migration prepared and nobody took away would stand in the way of the
/// next.
pub(crate) fn follow(port: &Port, facts: &Facts, writes: &mut Writes) -> Result<(), Stop> {
    let known = PortBinding::of(port.id, facts)?;
    let active = PortBinding::active(port);
    let before = known.iter().find(|binding| binding.is_active());
    let moved = before.map(|binding| &binding.host) != port.host();
    let same = |binding: &PortBinding| active.as_ref().is_some_and(|now| now.id == binding.id);
    for binding in known.iter().filter(|binding| moved && !same(binding)) {
        writes.delete::<PortBinding>(&binding.id);
    }
    match (&active, known.iter().find(|binding| same(binding))) {
        (Some(active), Some(known)) => {
            let wired_at = known.wired_at.clone().filter(|_| !moved);
            let binding = PortBinding { wired_at, ..active.clone() };
            if binding != *known {
                writes.update(&binding);
            }
        }
        (Some(active), None) => drop(writes.insert(active)),
        (None, _) => {}
    }
    Ok(())
}

impl Rules for PortBinding {
    fn create(
        input: &PortBindingCreate,
        parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        decide::create(input, parent.unwrap_or_default(), facts, context)
    }

    fn update(
        current: &Self,
        update: &PortBindingUpdate,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        decide::update(current, update, facts, context)
    }

    fn delete(current: &Self, facts: &Facts, context: &Context<'_>) -> Result<Writes, Stop> {
        decide::delete(current, facts, context)
    }

    fn actions() -> &'static [MemberAction<Self>] {
        &[MemberAction { name: "activate", run: decide::activate }]
    }
}

#[cfg(test)]
mod tests;
