//! `GET /v2.0/availability_zones`: the zones that agents say they are in, for networks (DHCP agents)
//! and for routers (L3 agents).

use std::collections::BTreeMap;

use axum::{
    Extension, Json,
    extract::{OriginalUri, State},
    routing::get,
};
use navigator_resources::{
    Agent, Caller, Resource,
    registry::agent::{DHCP_AGENT, L3_AGENT},
};
use navigator_store::Listing;
use serde_json::{Map, Value, json};

use crate::{
    fault::Fault,
    listing::Parameters,
    policy::{Guarded, Said},
    state::ApiState,
};

const ATTRIBUTES: [&str; 3] = ["name", "resource", "state"];

/// The rule that decides.
const RULE: &str = "get_availability_zone";

pub(crate) fn routes() -> Guarded {
    Guarded::default().route("/v2.0/availability_zones", [("GET", RULE)], get(list))
}

async fn list(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Value>, Fault> {
    state.policy.now().authorize(&caller, RULE, &Said::default())?;
    let parameters = Parameters::parse(uri.query())?;
    let filters = parameters.filters(&ATTRIBUTES)?;
    let fields = parameters.fields();
    let agents = state.store.list(Agent::declaration(), &Listing::default()).await?;
    // A zone is available while one of its agents is switched on, whether it is heard of or not.
    let mut zones: BTreeMap<(String, &str), bool> = BTreeMap::new();
    for row in &agents {
        let agent = Agent::from_row(row)?;
        let resource = match agent.agent_type.0.as_str() {
            DHCP_AGENT => "network",
            L3_AGENT => "router",
            _ => continue,
        };
        if let Some(zone) = agent.availability_zone {
            *zones.entry((zone, resource)).or_default() |= agent.admin_state_up;
        }
    }
    let shown = zones.into_iter().map(|((name, resource), available)| {
        let state = if available { "available" } else { "unavailable" };
        json!({"name": name, "resource": resource, "state": state})
    });
    let wanted = |zone: &Value| {
        filters.iter().all(|(name, values)| values.iter().any(|value| zone[*name] == **value))
    };
    let zones: Vec<Value> = shown
        .filter(wanted)
        .map(|zone| {
            let mut zone: Map<String, Value> = zone.as_object().cloned().unwrap_or_default();
            zone.retain(|name, _| fields.as_ref().is_none_or(|fields| fields.contains(name)));
            Value::Object(zone)
        })
        .collect();
    Ok(Json(json!({ "availability_zones": zones })))
}
