//! Address groups: lists of prefixes that rules of security groups name instead of one prefix. A
//! change of the list changes every rule that names it.

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;
use navigator_model::{AddressGroupId, ProjectId};
use serde_json::{Map, Value, json};

use crate::{
    AttributeValue, Caller, Context, Facts, MemberAction, Refusal, Resource, Rules,
    SecurityGroupRule, Select, Stop, Writes,
    attribute::Text,
    forwarding::ForwardingStandard,
    registry::{
        default_security_group_rule::DefaultSecurityGroupRule, rbac_policy::Action,
    },
};

/// More prefixes than this in one group are refused: each is an element of a set in the kernel.
const MOST_ADDRESSES: usize = 10_000;

/// A named list of prefixes.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "address_group",
    collection = "address_groups",
    class = "AddressGroup",
    extension = "address-group",
    rbac = "address_group"
)]
pub struct AddressGroup {
    #[field(id, filter, sort)]
    pub id: AddressGroupId,
    #[field(create, update, filter, sort, default = Text::default())]
    pub name: Text<255>,
    /// Each once, in order.
    #[field(create, default = Vec::new())]
    pub addresses: Vec<IpNet>,
    #[field(hidden)]
    pub shared: bool,
    #[field(standard)]
    pub standard: crate::forwarding::ForwardingStandard,
}

impl AddressGroup {
    pub fn is_visible_to(&self, caller: &Caller) -> bool {
        self.shared || caller.owns(&self.standard.project_id)
    }

    /// The group, if the caller may see it: it stays what it is, and shared with whom it is, until
    /// the transaction ends.
    pub fn held(id: AddressGroupId, facts: &Facts, caller: &Caller) -> Result<Self, Stop> {
        facts
            .hold::<Self>(id)?
            .filter(|group| group.is_visible_to(caller))
            .ok_or_else(|| Refusal::not_found::<Self>(id).into())
    }

    fn changed(&self, addresses: BTreeSet<IpNet>) -> Result<(Value, Writes), Stop> {
        if addresses.len() > MOST_ADDRESSES {
            let reason = format!("more than {MOST_ADDRESSES} addresses");
            return Err(Refusal::invalid("addresses", reason).into());
        }
        let group = Self { addresses: addresses.into_iter().collect(), ..self.clone() };
        let mut writes = Writes::new();
        if group != *self {
            writes.update(&group);
        }
        let mut shown = group.to_json();
        shown.insert("tenant_id".to_owned(), group.standard.project_id.to_json());
        if group != *self {
            shown.insert("revision_number".to_owned(), (self.standard.revision_number + 1).into());
        }
        Ok((json!({ "address_group": shown }), writes))
    }
}

impl Rules for AddressGroup {
    fn create(
        input: &AddressGroupCreate,
        _parent: Option<&str>,
        _facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let addresses: BTreeSet<IpNet> = input.addresses.iter().copied().collect();
        if addresses.len() > MOST_ADDRESSES {
            let reason = format!("more than {MOST_ADDRESSES} addresses");
            return Err(Refusal::invalid("addresses", reason).into());
        }
        let group = Self {
            id: AddressGroupId(context.uuid("address_group")),
            name: input.name.clone(),
            addresses: addresses.into_iter().collect(),
            shared: false,
            standard: ForwardingStandard::new(
                input.standard.project_id.clone(),
                input.standard.description.clone(),
                context.now,
            ),
        };
        let mut writes = Writes::new();
        writes.insert(&group);
        Ok((group, writes))
    }

    fn update(
        current: &Self,
        update: &AddressGroupUpdate,
        _facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let mut group = current.clone();
        update.apply_to(&mut group);
        let mut writes = Writes::new();
        if group != *current {
            writes.update(&group);
        }
        Ok((group, writes))
    }

    fn used_by(&self, _action: Action, facts: &Facts) -> Result<Vec<ProjectId>, Stop> {
        let select = Select::eq("remote_address_group_id", self.id());
        let rules: Vec<SecurityGroupRule> = facts.list(select)?;
        Ok(rules.into_iter().map(|rule| rule.standard.project_id).collect())
    }

    fn delete(current: &Self, facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        let named = Select::eq("remote_address_group_id", current.id.to_string());
        let used = !facts.list::<SecurityGroupRule>(named.clone())?.is_empty()
            || !facts.list::<DefaultSecurityGroupRule>(named)?.is_empty();
        if used {
            let address_group_id = current.id.to_string();
            return Err(Refusal::AddressGroupInUse { address_group_id }.into());
        }
        let mut writes = Writes::new();
        writes.delete::<Self>(current.id);
        Ok(writes)
    }

    fn actions() -> &'static [MemberAction<Self>] {
        &[
            MemberAction { name: "add_addresses", run: add },
            MemberAction { name: "remove_addresses", run: remove },
        ]
    }
}

fn add(
    current: &AddressGroup,
    body: &Map<String, Value>,
    _facts: &Facts,
    _context: &Context<'_>,
) -> Result<(Value, Writes), Stop> {
    let mut addresses: BTreeSet<IpNet> = current.addresses.iter().copied().collect();
    let known: Vec<IpNet> =
        named(body)?.into_iter().filter(|address| !addresses.insert(*address)).collect();
    if !known.is_empty() {
        return Err(Refusal::AddressesAlreadyExist {
            addresses: listed(&known),
            address_group_id: current.id.to_string(),
        }
        .into());
    }
    current.changed(addresses)
}

fn remove(
    current: &AddressGroup,
    body: &Map<String, Value>,
    _facts: &Facts,
    _context: &Context<'_>,
) -> Result<(Value, Writes), Stop> {
    let mut addresses: BTreeSet<IpNet> = current.addresses.iter().copied().collect();
    let missing: Vec<IpNet> =
        named(body)?.into_iter().filter(|address| !addresses.remove(address)).collect();
    if !missing.is_empty() {
        return Err(Refusal::AddressesNotFound {
            addresses: listed(&missing),
            address_group_id: current.id.to_string(),
        }
        .into());
    }
    current.changed(addresses)
}

/// `{"addresses": [...]}`, or the same inside `address_group`; each address once.
fn named(body: &Map<String, Value>) -> Result<BTreeSet<IpNet>, Refusal> {
    let body = body.get("address_group").and_then(Value::as_object).unwrap_or(body);
    let Some(value) = body.get("addresses") else {
        return Err(Refusal::BadRequest {
            resource: "address group".to_owned(),
            msg: "addresses is not specified".to_owned(),
        });
    };
    let invalid = |reason| Refusal::invalid("addresses", reason);
    Vec::<IpNet>::from_json(&prefixes(value))
        .map(|addresses| addresses.into_iter().collect())
        .map_err(invalid)
}

/// An address alone is the prefix that has only it.
fn prefixes(value: &Value) -> Value {
    let Some(items) = value.as_array() else { return value.clone() };
    let prefix = |item: &Value| match item.as_str().map(str::parse::<IpAddr>) {
        Some(Ok(address)) => IpNet::from(address).to_string().into(),
        _ => item.clone(),
    };
    items.iter().map(prefix).collect()
}

fn listed(addresses: &[IpNet]) -> String {
    let shown = addresses.iter().take(20).map(ToString::to_string);
    shown.collect::<Vec<_>>().join(", ")
}
