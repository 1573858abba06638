//! The gateway as a list: the member actions that newer clients set, add and remove it by. A router
//! has one external gateway here, so the list has one entry or none.

use navigator_model::NetworkId;
use serde_json::{Map, Value, json};

use super::{GatewayRequest, Router, RouterUpdate, extra_routes::shown, lifecycle};
use crate::{AttributeValue as _, Context, Facts, Refusal, Stop, Writes, route_attribute::object};

type Body = Map<String, Value>;

/// Makes it the router's gateway; the empty list clears it.
pub(super) fn update(
    router: &Router,
    body: &Body,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Value, Writes), Stop> {
    let request = only(asked(body)?)?.unwrap_or(GatewayRequest::Clear);
    change(router, request, facts, context)
}

/// Gives a gateway to a router that has none.
pub(super) fn add(
    router: &Router,
    body: &Body,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Value, Writes), Stop> {
    match only(asked(body)?)? {
        Some(_) if router.external_gateway_info.is_some() => Err(at_most_one().into()),
        Some(request) => change(router, request, facts, context),
        None => Ok(unchanged(router)),
    }
}

/// Clears the gateway that is named by its network.
pub(super) fn remove(
    router: &Router,
    body: &Body,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Value, Writes), Stop> {
    let current = router.external_gateway_info.as_ref().map(|info| info.network_id);
    match only(asked(body)?)? {
        Some(GatewayRequest::Set { network_id, .. }) if current != Some(network_id) => {
            Err(no_such(network_id).into())
        }
        Some(GatewayRequest::Set { .. }) => change(router, GatewayRequest::Clear, facts, context),
        Some(GatewayRequest::Clear) | None => Ok(unchanged(router)),
    }
}

/// `{"router": {"external_gateways": […]}}`.
fn asked(body: &Body) -> Result<Vec<GatewayRequest>, Refusal> {
    let reason = "Unable to find 'router' in request body".to_owned();
    let router = body.get("router").ok_or(Refusal::HTTPBadRequest { reason })?;
    let invalid = |reason| Refusal::invalid("external_gateways", reason);
    let router = object(router, &["external_gateways"]).map_err(invalid)?;
    match router.get("external_gateways") {
        Some(Value::Array(items)) => {
            items.iter().map(GatewayRequest::from_json).collect::<Result<_, _>>().map_err(invalid)
        }
        // What the openstack client sends with every `router unset`, whatever it unsets.
        Some(Value::Object(none)) if none.is_empty() => Ok(Vec::new()),
        _ => Err(invalid("a list is expected".to_owned())),
    }
}

fn only(mut asked: Vec<GatewayRequest>) -> Result<Option<GatewayRequest>, Refusal> {
    let request = asked.pop();
    if asked.is_empty() { Ok(request) } else { Err(at_most_one()) }
}

fn at_most_one() -> Refusal {
    Refusal::BadRequest {
        resource: "router".to_owned(),
        msg: "a router has at most one external gateway".to_owned(),
    }
}

fn no_such(network_id: NetworkId) -> Refusal {
    Refusal::BadRequest {
        resource: "router".to_owned(),
        msg: format!("the router has no external gateway on network {network_id}"),
    }
}

fn unchanged(router: &Router) -> (Value, Writes) {
    (json!({ "router": shown(router) }), Writes::new())
}

fn change(
    router: &Router,
    request: GatewayRequest,
    facts: &Facts,
    context: &Context<'_>,
) -> Result<(Value, Writes), Stop> {
    let update = RouterUpdate { external_gateway_info: Some(request), ..RouterUpdate::default() };
    let (router, writes) = lifecycle::update(router, &update, facts, context)?;
    Ok((json!({ "router": shown(&router) }), writes))
}
