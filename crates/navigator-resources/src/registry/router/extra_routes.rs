//! Static routes, and the member actions that add and remove single ones without a race between
//! two clients that each send the whole list.

use navigator_model::snapshot::StaticRoute;
use serde_json::{Map, Value, json};

use super::{Router, interface::surroundings};
use crate::{
    AttributeValue, Context, Facts, Refusal, Resource, Stop, Writes, quota::ROUTER_ROUTE,
    route_attribute::object,
};

/// Adds the routes that are not there yet.
pub(super) fn add(
    router: &Router,
    body: &Map<String, Value>,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Value, Writes), Stop> {
    let mut changed = router.clone();
    for route in routes_of(body)? {
        if !changed.routes.contains(&route) {
            changed.routes.push(route);
        }
    }
    if changed != *router {
        check(&changed, facts, context)?;
    }
    Ok(outcome(router, changed))
}

/// Removes exactly these routes, as far as they are there.
pub(super) fn remove(
    router: &Router,
    body: &Map<String, Value>,
    _facts: &Facts,
    _context: &Context<'_>,
) -> Result<(Value, Writes), Stop> {
    let gone = routes_of(body)?;
    let mut changed = router.clone();
    changed.routes.retain(|route| !gone.contains(route));
    Ok(outcome(router, changed))
}

/// `{"router": {"routes": […]}}`.
fn routes_of(body: &Map<String, Value>) -> Result<Vec<StaticRoute>, Refusal> {
    let reason = "Unable to find 'router' in request body".to_owned();
    let router = body.get("router").ok_or(Refusal::HTTPBadRequest { reason })?;
    let router =
        object(router, &["routes"]).map_err(|reason| Refusal::invalid("router", reason))?;
    let routes = router.get("routes").unwrap_or(&Value::Null);
    Vec::from_json(routes).map_err(|reason| Refusal::invalid("routes", reason))
}

fn outcome(router: &Router, changed: Router) -> (Value, Writes) {
    let mut writes = Writes::new();
    if changed != *router {
        writes.update(&changed);
        changed.touch(&mut writes);
    }
    (json!({ "router": shown(&changed) }), writes)
}

/// All of the router: what the caller does not see of it is left out of the answer later.
pub(super) fn shown(router: &Router) -> Map<String, Value> {
    let mut map = router.to_json();
    let project_id = AttributeValue::to_json(&router.standard.project_id);
    map.insert("tenant_id".to_owned(), project_id);
    map
}

/// Every next hop is a neighbour, and none is the router itself.
pub(super) fn check(router: &Router, facts: &Facts, context: &Context<'_>) -> Result<(), Stop> {
    let quota = router.route_limit.unwrap_or_else(|| context.settings.limit(ROUTER_ROUTE));
    let router_id = router.id.to_string();
    // Below zero is no limit.
    if usize::try_from(quota).is_ok_and(|quota| router.routes.len() > quota) {
        return Err(Refusal::RoutesExhausted { router_id, quota: quota.to_string() }.into());
    }
    let (subnets, own) = surroundings(router, facts)?;
    let mut seen: Vec<&StaticRoute> = Vec::new();
    for route in &router.routes {
        let nexthop = route.nexthop;
        let reason = if seen.contains(&route) {
            "the route is given twice"
        } else if route.destination.addr().is_ipv4() != nexthop.is_ipv4() {
            "the destination and the nexthop are of different IP versions"
        } else if !subnets.iter().any(|subnet| subnet.cidr.contains(&nexthop)) {
            "the nexthop is not connected with router"
        } else if own.contains(&nexthop) {
            "the nexthop is used by router"
        } else {
            seen.push(route);
            continue;
        };
        let routes = AttributeValue::to_json(&router.routes).to_string();
        return Err(Refusal::InvalidRoutes { routes, reason: reason.to_owned() }.into());
    }
    Ok(())
}
