//! A pool's place in an address scope: its prefixes overlap with no other pool's there, and the
//! subnets of a network and family are all of one scope, or else of one pool.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::{SubnetPool, prefixes};
use crate::{
    Context, Facts, Network, Refusal, Select, SqlValue, Stop, Subnet,
    registry::address_scope::{AddressScope, AddressScopeId},
};

impl SubnetPool {
    /// The scope is held: of two pools that overlap one comes second.
    pub(super) fn check_scope(&self, facts: &Facts, context: &Context<'_>) -> Result<(), Stop> {
        let Some(id) = self.address_scope_id else { return Ok(()) };
        let scope = facts
            .lock::<AddressScope>(id)?
            .filter(|scope| scope.is_visible_to(context.caller))
            .ok_or_else(|| Refusal::not_found::<AddressScope>(id))?;
        if scope.ip_version != self.ip_version {
            return Err(Refusal::IllegalSubnetPoolIpVersionAssociationToAddressScope {
                subnetpool_id: self.id.to_string(),
                address_scope_id: id.to_string(),
                ip_version: scope.ip_version.number().to_string(),
            }
            .into());
        }
        let others: Vec<Self> = facts.list(Select::eq("address_scope_id", id.to_string()))?;
        let others: Vec<IpNet> =
            others.into_iter().filter(|o| o.id != self.id).flat_map(|o| o.prefixes).collect();
        if prefixes::overlap(&self.prefixes, &others) {
            return Err(Refusal::AddressScopePrefixConflict {}.into());
        }
        Ok(())
    }

    /// A pool in somebody else's scope is changed by an administrator only: the scope's owner relies
    /// on it.
    pub(super) fn check_change_allowed(
        &self,
        facts: &Facts,
        context: &Context<'_>,
    ) -> Result<(), Stop> {
        let Some(id) = self.address_scope_id else { return Ok(()) };
        let scope: Option<AddressScope> = facts.find(id)?;
        if scope.is_none_or(|scope| context.caller.owns(&scope.standard.project_id)) {
            return Ok(());
        }
        let reason = format!(
            "subnetpool {} cannot be updated when associated with shared address scope {id}",
            self.id
        );
        Err(Refusal::IllegalSubnetPoolUpdate { reason }.into())
    }

    /// Before its scope changes: no network may be left with subnets of two. The networks are held,
    /// so that none gets another subnet meanwhile.
    pub(super) fn check_networks_stay_whole(&self, facts: &Facts) -> Result<(), Stop> {
        let ids: BTreeSet<String> =
            self.subnets(facts)?.iter().map(|subnet| subnet.network_id.to_string()).collect();
        let networks: Vec<SqlValue> = ids.into_iter().map(SqlValue::from).collect();
        facts.list::<Network>(Select::any("id", networks.clone()).locked())?;
        let subnets: Vec<Subnet> = facts.list(Select::any("network_id", networks))?;
        let outside = |subnet: &Subnet| {
            subnet.ip_version == self.ip_version && subnet.subnetpool_id != Some(self.id)
        };
        if subnets.iter().any(outside) {
            return Err(Refusal::NetworkAddressScopeAffinityError {}.into());
        }
        Ok(())
    }
}

/// Whether a subnet may join the subnets that its network has.
pub fn check_affinity(subnet: &Subnet, others: &[Subnet], facts: &Facts) -> Result<(), Stop> {
    let others: Vec<&Subnet> =
        others.iter().filter(|other| other.ip_version == subnet.ip_version).collect();
    let scope_of = |subnet: &Subnet| -> Result<Option<AddressScopeId>, Stop> {
        let Some(id) = subnet.subnetpool_id else { return Ok(None) };
        Ok(facts.find::<SubnetPool>(id)?.and_then(|pool| pool.address_scope_id))
    };
    let mut network_scope = None;
    for other in &others {
        network_scope = network_scope.or(scope_of(other)?);
    }
    match (network_scope, subnet.subnetpool_id) {
        (Some(scope), Some(_)) if scope_of(subnet)? != Some(scope) => {
            Err(Refusal::NetworkAddressScopeAffinityError {}.into())
        }
        (Some(_), Some(_)) => Ok(()),
        _ if others.iter().any(|other| other.subnetpool_id != subnet.subnetpool_id) => {
            Err(Refusal::NetworkSubnetPoolAffinityError {}.into())
        }
        _ => Ok(()),
    }
}
