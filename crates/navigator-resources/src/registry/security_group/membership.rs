//! Which groups a port may have.

use std::collections::BTreeSet;

use navigator_model::SecurityGroupId;

use super::SecurityGroup;
use crate::{Context, Facts, Refusal, Select, SqlValue, Stop};

/// More groups on one port than anybody uses; a bound on what one request makes the server look up.
const MOST_GROUPS: usize = 200;

/// The groups that a request names for a port, in order: each there and visible to the caller, or
/// already the port's.
pub fn wanted(
    request: &[SecurityGroupId],
    present: &[SecurityGroupId],
    facts: &Facts,
    context: &Context<'_>,
) -> Result<Vec<SecurityGroupId>, Stop> {
    let ids: BTreeSet<SecurityGroupId> = request.iter().copied().collect();
    if ids.len() != request.len() {
        return Err(Refusal::invalid("security_groups", "the list has an item twice").into());
    }
    if ids.len() > MOST_GROUPS {
        let reason = format!("more than {MOST_GROUPS} security groups");
        return Err(Refusal::invalid("security_groups", reason).into());
    }
    for id in ids.iter().filter(|id| !present.contains(id)) {
        SecurityGroup::held(*id, facts, context.caller)?;
    }
    let ids: Vec<SecurityGroupId> = ids.into_iter().collect();
    check_statefulness(&ids, facts)?;
    Ok(ids)
}

/// A port's groups keep track of connections all, or none of them does.
pub fn check_statefulness(ids: &[SecurityGroupId], facts: &Facts) -> Result<(), Stop> {
    if ids.len() < 2 {
        return Ok(());
    }
    let values = ids.iter().map(|id| SqlValue::from(id.to_string()));
    // Held: none of them becomes stateless while the port comes.
    let groups: Vec<SecurityGroup> = facts.list(Select::any("id", values).held())?;
    if groups.windows(2).any(|pair| pair[0].stateful != pair[1].stateful) {
        return Err(Refusal::SecurityGroupConflict {}.into());
    }
    Ok(())
}
