//! Logs: which traffic of security groups and routers is to be written down.

use navigator_model::{PortId, RouterId, SecurityGroupId};

use crate::{
    Context, Facts, Port, Refusal, Resource, Router, Rules, SecurityGroup, Standard, Stop, Writes,
    attribute::Text,
};

crate::attribute::ids! {
    LogId,
    /// A security group, router or port: which one, `resource_type` says.
    LoggedId,
}

crate::word_attribute! {
    /// Which packets are written down.
    pub enum Event {
        Accept => "ACCEPT",
        Drop => "DROP",
        All => "ALL",
    }
}

/// What `resource_type` may be, and `GET /v2.0/log/loggable-resources` lists.
pub const LOGGABLE: &[&str] = &["security_group", "snat"];

/// One wish to have traffic written down.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "log",
    collection = "logs",
    path = "log/logs",
    class = "LogResource",
    extension = "logging"
)]
pub struct Log {
    #[field(id, filter, sort)]
    pub id: LogId,
    #[field(create, update, filter, sort, default = Text::default())]
    pub name: Text<255>,
    #[field(create, required, filter, sort)]
    pub resource_type: Text<255>,
    /// A security group or a router.
    #[field(create, filter, sort, default = None)]
    pub resource_id: Option<LoggedId>,
    /// A port.
    #[field(create, filter, sort, default = None)]
    pub target_id: Option<LoggedId>,
    #[field(create, filter, default = Event::All)]
    pub event: Event,
    #[field(create, update, filter, sort, default = true)]
    pub enabled: bool,
    #[field(standard)]
    pub standard: Standard,
}

impl Rules for Log {
    fn create(
        input: &LogCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        match input.resource_type.0.as_str() {
            "security_group" => check_group(input, facts, context)?,
            "snat" => check_router(input, facts, context)?,
            other => {
                let resource_type = other.to_owned();
                return Err(Refusal::InvalidLogResourceType { resource_type }.into());
            }
        }
        let log = Self {
            id: LogId(context.uuid("log")),
            name: input.name.clone(),
            resource_type: input.resource_type.clone(),
            resource_id: input.resource_id,
            target_id: input.target_id,
            event: input.event,
            enabled: input.enabled,
            standard: Standard::of(&input.standard, context),
        };
        let mut writes = Writes::new();
        writes.insert(&log);
        Ok((log, writes))
    }

    fn update(
        current: &Self,
        update: &LogUpdate,
        _facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let mut log = current.clone();
        update.apply_to(&mut log);
        let mut writes = Writes::new();
        if log != *current {
            writes.update(&log);
        }
        Ok((log, writes))
    }

    fn delete(current: &Self, _facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        let mut writes = Writes::new();
        writes.delete::<Self>(current.id);
        Ok(writes)
    }
}

/// The group and the port are the caller's, and the port has the group.
fn check_group(input: &LogCreate, facts: &Facts, context: &Context<'_>) -> Result<(), Stop> {
    if let Some(id) = input.resource_id {
        let visible = facts
            .find::<SecurityGroup>(SecurityGroupId(id.0))?
            .is_some_and(|group| group.is_visible_to(context.caller));
        if !visible {
            return Err(Refusal::ResourceNotFound { resource_id: id.to_string() }.into());
        }
    }
    let Some(id) = input.target_id else { return Ok(()) };
    let port = facts
        .find::<Port>(PortId(id.0))?
        .filter(|port| context.caller.owns(&port.standard.project_id))
        .ok_or_else(|| Refusal::TargetResourceNotFound { target_id: id.to_string() })?;
    match input.resource_id {
        Some(group) if !port.security_groups.contains(&SecurityGroupId(group.0)) => {
            Err(Refusal::InvalidResourceConstraint {
                resource_id: group.to_string(),
                target_id: id.to_string(),
            }
            .into())
        }
        _ => Ok(()),
    }
}

/// The router is the caller's and translates addresses.
fn check_router(input: &LogCreate, facts: &Facts, context: &Context<'_>) -> Result<(), Stop> {
    let Some(id) = input.resource_id else {
        let resource_type = input.resource_type.0.clone();
        return Err(Refusal::ResourceIdNotSpecified { resource_type }.into());
    };
    let resource_id = id.to_string();
    let router = facts
        .find::<Router>(RouterId(id.0))?
        .filter(|router| context.caller.owns(&router.standard.project_id));
    let Some(router) = router else {
        return Err(Refusal::ResourceNotFound { resource_id }.into());
    };
    match router.external_gateway_info {
        None => Err(Refusal::RouterGatewayNotSet { resource_id }.into()),
        Some(gateway) if !gateway.enable_snat => {
            Err(Refusal::RouterNotEnabledSnat { resource_id }.into())
        }
        Some(_) => Ok(()),
    }
}
