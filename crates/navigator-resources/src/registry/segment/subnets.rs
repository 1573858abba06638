//! Which segment a subnet may be on: one of its own network, and all subnets of a network are on one
//! each or none is.

use super::Segment;
use crate::{Facts, Refusal, Stop, Subnet};

/// `others` are the network's other subnets.
pub(crate) fn check_new(subnet: &Subnet, others: &[Subnet], facts: &Facts) -> Result<(), Stop> {
    check_of_network(subnet, facts)?;
    let alike = |other: &Subnet| other.segment_id.is_some() == subnet.segment_id.is_some();
    if others.iter().filter(|other| other.id != subnet.id).all(alike) {
        return Ok(());
    }
    let network_id = subnet.network_id.to_string();
    Err(Refusal::SubnetsNotAllAssociatedWithSegments { network_id }.into())
}

/// A subnet stays on its segment; one without may be put on its network's only one.
pub(crate) fn check_changed(before: &Subnet, after: &Subnet, facts: &Facts) -> Result<(), Stop> {
    if before.segment_id == after.segment_id {
        return Ok(());
    }
    if before.segment_id.is_some() {
        return Err(Refusal::SubnetSegmentAssociationChangeNotAllowed {}.into());
    }
    check_of_network(after, facts)?;
    if Segment::of(after.network_id, facts)?.len() > 1 {
        let network_id = after.network_id.to_string();
        return Err(Refusal::NoUpdateSubnetWhenMultipleSegmentsOnNetwork { network_id }.into());
    }
    Ok(())
}

fn check_of_network(subnet: &Subnet, facts: &Facts) -> Result<(), Stop> {
    let Some(id) = subnet.segment_id else { return Ok(()) };
    let missing = || Refusal::not_found::<Segment>(id);
    let segment = facts.lock::<Segment>(id)?.ok_or_else(missing)?;
    if segment.network_id == subnet.network_id {
        return Ok(());
    }
    Err(Refusal::NetworkIdsDontMatch {
        subnet_network: subnet.network_id.to_string(),
        segment_id: id.to_string(),
        segment_network: segment.network_id.to_string(),
    }
    .into())
}
