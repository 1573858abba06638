//! Subnet pools: prefixes that subnets are cut from, so that nobody has to choose addresses and no
//! two subnets of a pool overlap. Whoever cuts holds the pool's row.

use ipnet::IpNet;
use navigator_model::ProjectId;

use crate::{
    Caller, Context, Facts, RbacPolicy, Refusal, Resource, Rules, Select, Standard, Stop, Subnet, Writes,
    attribute::Name,
    registry::{address_scope::AddressScopeId, rbac_policy::Action, subnet::IpVersion},
    rules::MemberAction,
};

mod allocation;
mod bounds;
mod onboarding;
mod prefix_operations;
pub mod prefixes;
mod scope;

pub use allocation::Wish;
pub use bounds::PrefixLength;
pub use scope::check_affinity;

crate::attribute::ids! { SubnetPoolId }

/// More prefixes than this in one pool are refused.
const MOST_PREFIXES: usize = 1000;

/// Prefixes of one family that subnets are cut from.
#[derive(Clone, Debug, PartialEq, Resource)]
#[resource(
    name = "subnetpool",
    collection = "subnetpools",
    class = "SubnetPool",
    extension = "subnet_allocation",
    tags,
    rbac = "subnetpool"
)]
pub struct SubnetPool {
    #[field(id, filter, sort)]
    pub id: SubnetPoolId,
    #[field(create, update, required, filter, sort)]
    pub name: Name,
    /// Without overlap and merged where they touch.
    #[field(create, update, required)]
    pub prefixes: Vec<IpNet>,
    #[field(filter, sort)]
    pub ip_version: IpVersion,
    /// How much each project may take: addresses in IPv4, prefixes of 64 bits in IPv6.
    #[field(create, update, unset, filter, sort)]
    pub default_quota: Option<u32>,
    #[field(create, update, unset, filter, sort)]
    pub default_prefixlen: PrefixLength,
    #[field(create, update, unset, filter, sort)]
    pub min_prefixlen: PrefixLength,
    #[field(create, update, unset, filter, sort)]
    pub max_prefixlen: PrefixLength,
    /// Subnets that want a default pool are cut from it: at most one for each family.
    #[field(create, update, filter, sort, default = false)]
    pub is_default: bool,
    #[field(create, filter, sort, default = false)]
    pub shared: bool,
    #[field(create, update, unset, filter, sort)]
    pub address_scope_id: Option<AddressScopeId>,
    #[field(standard)]
    pub standard: Standard,
}

impl SubnetPool {
    pub fn is_visible_to(&self, caller: &Caller) -> bool {
        self.shared || caller.owns(&self.standard.project_id)
    }

    /// The default pool of a family, if the caller may see it.
    pub fn default_of(
        version: IpVersion,
        facts: &Facts,
        caller: &Caller,
    ) -> Result<Option<Self>, Stop> {
        let select = Select::eq("is_default", true).and("ip_version", version.number());
        Ok(facts.list::<Self>(select)?.into_iter().find(|pool| pool.is_visible_to(caller)))
    }

    /// What has been cut from it.
    pub fn subnets(&self, facts: &Facts) -> Result<Vec<Subnet>, Stop> {
        facts.list(Select::eq("subnetpool_id", self.id.to_string()))
    }

    /// A pool's prefixes as they are kept, and their family.
    fn read_prefixes(prefixes: &[IpNet]) -> Result<(Vec<IpNet>, IpVersion), Refusal> {
        let Some(first) = prefixes.first() else {
            return Err(Refusal::EmptySubnetPoolPrefixList {});
        };
        let version = IpVersion::of(first.addr());
        if prefixes.iter().any(|prefix| IpVersion::of(prefix.addr()) != version) {
            return Err(Refusal::PrefixVersionMismatch {});
        }
        let prefixes = prefixes::compact(prefixes);
        if prefixes.len() > MOST_PREFIXES {
            let reason = format!("more than {MOST_PREFIXES} prefixes");
            return Err(Refusal::invalid("prefixes", reason));
        }
        Ok((prefixes, version))
    }

    /// Two requests at once are told apart by the table's index.
    fn check_only_default(&self, facts: &Facts) -> Result<(), Stop> {
        let select = Select::eq("is_default", true).and("ip_version", self.ip_version.number());
        let known: Vec<Self> = facts.list(select)?;
        if known.iter().all(|pool| pool.id == self.id) {
            return Ok(());
        }
        Err(Refusal::InvalidInput {
            error_message: "A default subnetpool for this IP family has already been set. Only \
                            one default may exist per IP family"
                .to_owned(),
        }
        .into())
    }

    /// Who is to use a pool of an address scope has to be let into the scope, by a policy.
    pub(crate) fn check_target(&self, target: &ProjectId, facts: &Facts) -> Result<(), Stop> {
        let Some(scope) = self.address_scope_id else { return Ok(()) };
        let policies = RbacPolicy::of(&scope.to_string(), Action::Shared, facts)?;
        if policies.iter().any(|policy| policy.covers(target)) {
            return Ok(());
        }
        Err(Refusal::InvalidInput {
            error_message: format!(
                "Failed to create RBAC policy on object {} because target project doesn't have \
                 access to associated address scope.",
                self.id
            ),
        }
        .into())
    }

    /// The pool as it shall be, against itself and the others.
    fn check(&self, facts: &Facts, context: &Context<'_>) -> Result<(), Stop> {
        self.check_bounds()?;
        if self.is_default {
            self.check_only_default(facts)?;
        }
        self.check_scope(facts, context)
    }
}

impl Rules for SubnetPool {
    fn create(
        input: &SubnetPoolCreate,
        _parent: Option<&str>,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let (prefixes, ip_version) = Self::read_prefixes(&input.prefixes)?;
        let min_prefixlen =
            input.min_prefixlen.unwrap_or_else(|| PrefixLength::default_min(ip_version));
        let pool = Self {
            id: SubnetPoolId(context.uuid("subnetpool")),
            name: input.name.clone(),
            prefixes,
            ip_version,
            default_quota: input.default_quota.flatten(),
            default_prefixlen: input.default_prefixlen.unwrap_or(min_prefixlen),
            min_prefixlen,
            max_prefixlen: input.max_prefixlen.unwrap_or_else(|| PrefixLength::max(ip_version)),
            is_default: input.is_default,
            shared: input.shared,
            address_scope_id: input.address_scope_id.flatten(),
            standard: Standard::of(&input.standard, context),
        };
        pool.check(facts, context)?;
        let mut writes = Writes::new();
        writes.insert(&pool);
        Ok((pool, writes))
    }

    fn update(
        current: &Self,
        update: &SubnetPoolUpdate,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(Self, Writes), Stop> {
        let mut pool = current.clone();
        update.apply_to(&mut pool);
        if let Some(prefixes) = &update.prefixes {
            pool.prefixes = Self::read_prefixes(prefixes)?.0;
            if !prefixes::cover(&pool.prefixes, &current.prefixes) {
                let msg = "Existing prefixes must be a subset of the new prefixes".to_owned();
                return Err(Refusal::IllegalSubnetPoolPrefixUpdate { msg }.into());
            }
        }
        let writes = pool.change(current, facts, context)?;
        Ok((pool, writes))
    }

    fn used_by(&self, _action: Action, facts: &Facts) -> Result<Vec<ProjectId>, Stop> {
        let subnets = self.subnets(facts)?;
        Ok(subnets.into_iter().map(|subnet| subnet.standard.project_id).collect())
    }

    fn delete(current: &Self, facts: &Facts, _context: &Context<'_>) -> Result<Writes, Stop> {
        if !current.subnets(facts)?.is_empty() {
            let reason = "Subnet pool has existing allocations".to_owned();
            return Err(Refusal::SubnetPoolDeleteError { reason }.into());
        }
        let mut writes = Writes::new();
        writes.delete::<Self>(current.id);
        Ok(writes)
    }

    fn actions() -> &'static [MemberAction<Self>] {
        &[
            MemberAction { name: "add_prefixes", run: prefix_operations::add },
            MemberAction { name: "remove_prefixes", run: prefix_operations::remove },
            MemberAction { name: "onboard_network_subnets", run: onboarding::onboard },
        ]
    }
}

impl SubnetPool {
    /// Checks a changed pool and writes it.
    fn change(
        &self,
        current: &Self,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<Writes, Stop> {
        let mut writes = Writes::new();
        if self == current {
            return Ok(writes);
        }
        current.check_change_allowed(facts, context)?;
        self.check(facts, context)?;
        if self.address_scope_id != current.address_scope_id {
            self.check_networks_stay_whole(facts)?;
        }
        writes.update(self);
        Ok(writes)
    }
}

#[cfg(test)]
mod tests;
