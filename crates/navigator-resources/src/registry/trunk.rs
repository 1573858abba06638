//! Trunks: one port of an instance that carries several networks, each by its VLAN tag. The parent
//! port is the wire, sub-ports are what comes out of it.

mod details;
mod eligible;
mod sub_port;
#[cfg(test)]
mod tests;

use navigator_model::PortId;
use serde_json::{Map, Value};

pub(crate) use details::DETAILS;
pub use details::TrunkDetails;
pub(crate) use eligible::check_unused;
pub use sub_port::{SegmentationType, SubPort, SubPortRequest};

use crate::{
    AttributeValue, Context, Facts, MemberAction, Port, Refusal, Resource, Rules, Standard, Stop,
    Writes, attribute::Text,
};

crate::attribute::ids! { TrunkId }

/// A port that carries several networks.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(name = "trunk", collection = "trunks", class = "Trunk", extension = "trunk", tags)]
pub struct Trunk {
    #[field(id, filter, sort)]
    pub id: TrunkId,
    #[field(create, update, filter, sort, default = Text::default())]
    pub name: Text<255>,
    /// While it is down, its sub-ports cannot be changed.
    #[field(create, update, filter, sort, default = true)]
    pub admin_state_up: bool,
    /// The parent.
    #[field(create, required, filter, sort)]
    pub port_id: PortId,
    #[field(filter, sort)]
    pub status: String,
    #[field(create, default = Vec::new(), input = Vec<SubPortRequest>)]
    pub sub_ports: Vec<SubPort>,
    /// The same ports by id alone: the database keeps each in one trunk.
    #[field(hidden, link(table = "trunk_sub_ports", owner = "trunk_id", item = "port_id"))]
    pub sub_port_ids: Vec<PortId>,
    #[field(standard)]
    pub standard: Standard,
}

impl Trunk {
    fn set_sub_ports(&mut self, mut sub_ports: Vec<SubPort>) {
        sub_ports.sort_unstable_by_key(|sub_port| sub_port.port_id);
        self.sub_port_ids = sub_ports.iter().map(|sub_port| sub_port.port_id).collect();
        self.sub_ports = sub_ports;
    }

    /// What is added, checked against the parent and what the trunk has.
    fn add(
        &mut self,
        asked: &[SubPortRequest],
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(), Stop> {
        let mut all = self.sub_ports.clone();
        for request in asked {
            let sub_port = eligible::sub_port(request, self, &all, facts, context)?;
            all.push(sub_port);
        }
        self.set_sub_ports(all);
        Ok(())
    }

    fn check_enabled(&self) -> Result<(), Refusal> {
        if self.admin_state_up {
            return Ok(());
        }
        Err(Refusal::TrunkDisabled { trunk_id: self.id.to_string() })
    }

    /// Stores it if its sub-ports are others now; answers with all of it.
    fn changed(self, before: &Self) -> (Value, Writes) {
        let mut writes = Writes::new();
        if self != *before {
            writes.update(&self);
        }
        let mut shown = self.to_json();
        let project_id = AttributeValue::to_json(&self.standard.project_id);
        shown.insert("tenant_id".to_owned(), project_id);
        (Value::Object(shown), writes)
    }
}

impl Rules for Trunk {
    fn create(
        input: &TrunkCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        sub_port::check_all(&input.sub_ports)?;
        eligible::check_parent(input.port_id, facts, context)?;
        let mut trunk = Self {
            id: TrunkId(context.uuid("trunk")),
            name: input.name.clone(),
            admin_state_up: input.admin_state_up,
            port_id: input.port_id,
            // Until an agent has wired it.
            status: "DOWN".to_owned(),
            sub_ports: Vec::new(),
            sub_port_ids: Vec::new(),
            standard: Standard::of(&input.standard, context),
        };
        trunk.add(&input.sub_ports, facts, context)?;
        let mut writes = Writes::new();
        writes.insert(&trunk).bump::<Port>(trunk.port_id);
        Ok((trunk, writes))
    }

    fn update(
        current: &Self,
        update: &TrunkUpdate,
        _facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let mut trunk = current.clone();
        update.apply_to(&mut trunk);
        let mut writes = Writes::new();
        if trunk != *current {
            writes.update(&trunk);
        }
        Ok((trunk, writes))
    }

    /// An instance that runs on the parent port keeps its trunk.
    fn delete(current: &Self, facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        current.check_enabled()?;
        let parent = facts.lock::<Port>(current.port_id)?;
        if parent.as_ref().is_some_and(eligible::is_plugged) {
            return Err(Refusal::TrunkInUse { trunk_id: current.id.to_string() }.into());
        }
        let mut writes = Writes::new();
        writes.delete::<Self>(current.id);
        if parent.is_some() {
            writes.bump::<Port>(current.port_id);
        }
        Ok(writes)
    }

    fn actions() -> &'static [MemberAction<Self>] {
        &[
            MemberAction { name: "add_subports", run: add_subports },
            MemberAction { name: "remove_subports", run: remove_subports },
        ]
    }
}

type Body = Map<String, Value>;

fn add_subports(
    trunk: &Trunk,
    body: &Body,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Value, Writes), Stop> {
    let asked = sub_port::asked::<SubPortRequest>(body)?;
    sub_port::check_all(&asked)?;
    trunk.check_enabled()?;
    let mut changed = trunk.clone();
    changed.add(&asked, facts, context)?;
    Ok(changed.changed(trunk))
}

/// All that are named have to be there.
fn remove_subports(
    trunk: &Trunk,
    body: &Body,
    _facts: &Facts,
    _context: &Context<'_>,
) -> Result<(Value, Writes), Stop> {
    let asked = sub_port::asked::<sub_port::Named>(body)?;
    trunk.check_enabled()?;
    let named = |port_id: PortId| asked.iter().any(|named| named.port_id == port_id);
    for sub_port::Named { port_id } in &asked {
        if !trunk.sub_port_ids.contains(port_id) {
            let (trunk_id, port_id) = (trunk.id.to_string(), port_id.to_string());
            return Err(Refusal::SubPortNotFound { trunk_id, port_id }.into());
        }
    }
    let mut changed = trunk.clone();
    let kept = trunk.sub_ports.iter().filter(|sub_port| !named(sub_port.port_id));
    changed.set_sub_ports(kept.cloned().collect());
    Ok(changed.changed(trunk))
}
