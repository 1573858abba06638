//! Of what kind a router is: distributed or not, highly available or not. Its flavor says so, or the
//! request, or the configuration; later a change while the router is down.

use navigator_model::RouterId;

use super::{Router, RouterCreate};
use crate::{Context, Facts, Refusal, Stop, registry::flavor, service_provider::RouterKind};

pub(super) fn of_new(
    input: &RouterCreate,
    router_id: RouterId,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<RouterKind, Stop> {
    let (distributed, ha) = (input.distributed.flatten(), input.ha.flatten());
    let said = |kind: RouterKind| RouterKind {
        distributed: distributed.unwrap_or(kind.distributed),
        ha: ha.unwrap_or(kind.ha),
    };
    let Some(flavor_id) = input.flavor_id.flatten() else {
        return Ok(said(context.settings.router_kind));
    };
    let kind = flavor::of_router(flavor_id, router_id, facts)?;
    if said(kind) != kind {
        let error_message = format!(
            "routers of flavor {flavor_id} have distributed={} and ha={}",
            kind.distributed, kind.ha
        );
        return Err(Refusal::InvalidInput { error_message }.into());
    }
    Ok(kind)
}

/// It decides where a router runs, so it changes only while the router does not run.
pub(super) fn check_change(before: &Router, after: &Router) -> Result<(), Refusal> {
    let changed = if before.distributed != after.distributed {
        "the 'distributed' attribute"
    } else if before.ha != after.ha {
        "HA attribute"
    } else {
        return Ok(());
    };
    let msg = if before.flavor_id.is_some() {
        "Changing the 'ha' and 'distributed' attributes on a router associated with a flavor is \
         not supported"
            .to_owned()
    } else if after.admin_state_up {
        format!(
            "Cannot change {changed} of active routers. Please set router admin_state_up to \
             False prior to upgrade"
        )
    } else {
        return Ok(());
    };
    Err(Refusal::BadRequest { resource: "router".to_owned(), msg })
}
