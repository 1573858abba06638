//! Address scopes: the subnet pools of one have prefixes that do not overlap, so their networks can
//! be routed to each other as they are.

use navigator_model::ProjectId;

use crate::{
    Caller, Context, Facts, Refusal, Resource, Rules, Select, Standard, Stop, SubnetPool, Writes,
    attribute::Text,
    registry::{rbac_policy::Action, subnet::IpVersion},
};

crate::attribute::ids! { AddressScopeId }

/// A set of subnet pools of one IP version whose prefixes do not overlap.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "address_scope",
    collection = "address_scopes",
    class = "AddressScope",
    extension = "address-scope",
    rbac = "address_scope"
)]
pub struct AddressScope {
    #[field(id, filter, sort)]
    pub id: AddressScopeId,
    #[field(create, update, filter, sort, default = Text::default())]
    pub name: Text<255>,
    #[field(create, required, filter, sort)]
    pub ip_version: IpVersion,
    #[field(create, update, filter, sort, default = false)]
    pub shared: bool,
    #[field(standard)]
    pub standard: Standard,
}

impl AddressScope {
    pub fn is_visible_to(&self, caller: &Caller) -> bool {
        self.shared || caller.owns(&self.standard.project_id)
    }
}

impl Rules for AddressScope {
    fn create(
        input: &AddressScopeCreate,
        _parent: Option<&str>,
        _facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let scope = Self {
            id: AddressScopeId(context.uuid("address_scope")),
            name: input.name.clone(),
            ip_version: input.ip_version,
            shared: input.shared,
            standard: Standard::of(&input.standard, context),
        };
        let mut writes = Writes::new();
        writes.insert(&scope);
        Ok((scope, writes))
    }

    /// Others may have put their pools into a shared one, so it stays shared.
    fn update(
        current: &Self,
        update: &AddressScopeUpdate,
        _facts: &Facts,
        _context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let mut scope = current.clone();
        update.apply_to(&mut scope);
        if current.shared && !scope.shared {
            return Err(Refusal::AddressScopeUpdateError {
                address_scope_id: current.id.to_string(),
                reason: "Shared address scope can't be unshared".to_owned(),
            }
            .into());
        }
        let mut writes = Writes::new();
        if scope != *current {
            writes.update(&scope);
        }
        Ok((scope, writes))
    }

    fn used_by(&self, _action: Action, facts: &Facts) -> Result<Vec<ProjectId>, Stop> {
        let pools = facts.list::<SubnetPool>(Select::eq("address_scope_id", self.id()))?;
        Ok(pools.into_iter().map(|pool| pool.standard.project_id).collect())
    }

    fn delete(current: &Self, facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        let pools: Vec<SubnetPool> =
            facts.list(Select::eq("address_scope_id", current.id.to_string()))?;
        if !pools.is_empty() {
            let address_scope_id = current.id.to_string();
            return Err(Refusal::AddressScopeInUse { address_scope_id }.into());
        }
        let mut writes = Writes::new();
        writes.delete::<Self>(current.id);
        Ok(writes)
    }
}
