//! What hangs between flavors and service profiles, and who provides services: routes that are no
//! object's own.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{OriginalUri, Path, State},
    http::StatusCode,
    routing::{delete, get, post},
};
use navigator_resources::{
    AttributeValue as _, Caller, Flavor, Refusal, Writes,
    registry::{
        flavor::{bind, unbind},
        service_profile::ServiceProfileId,
    },
    service_provider::PROVIDERS,
};
use serde_json::{Map, Value, json};

use crate::{
    body,
    fault::Fault,
    listing::Parameters,
    policy::{Guarded, Said},
    state::{ApiState, now},
};

type Answer = Result<Json<Value>, Fault>;

/// Paths come here normalised: `service-providers` is `service_providers`.
pub(crate) fn routes() -> Guarded {
    Guarded::default()
        .route("/v2.0/service_providers", [("GET", PROVIDER)], get(providers))
        .route("/v2.0/flavors/{id}/next_provider", [("GET", NEXT)], get(next_provider))
        .route("/v2.0/flavors/{id}/next_providers", [("GET", NEXT)], get(next_provider))
        .route("/v2.0/flavors/{id}/service_profiles", [("POST", ADD)], post(add_profile))
        .route(
            "/v2.0/flavors/{id}/service_profiles/{profile}",
            [("DELETE", REMOVE)],
            delete(remove_profile),
        )
}

// The rules that decide. What a flavor is made of belongs to no project.
const PROVIDER: &str = "get_service_provider";
const NEXT: &str = "get_flavor_service_profile";
const ADD: &str = "create_flavor_service_profile";
const REMOVE: &str = "delete_flavor_service_profile";

fn allowed(state: &ApiState, caller: &Caller, rule: &str) -> Result<(), Refusal> {
    state.policy.now().authorize(caller, rule, &Said::default())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

async fn providers(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    allowed(&state, &caller, PROVIDER)?;
    let parameters = Parameters::parse(uri.query())?;
    let fields = parameters.fields();
    let mut shown = Vec::new();
    for provider in PROVIDERS {
        let mut map = Map::from_iter([
            ("service_type".to_owned(), json!(provider.service_type)),
            ("name".to_owned(), json!(provider.name)),
            ("default".to_owned(), json!(provider.is_default())),
        ]);
        let holds = |(name, value): (&String, &Value)| {
            let mut wanted = parameters.all(name).peekable();
            wanted.peek().is_none() || wanted.any(|w| w.eq_ignore_ascii_case(&text(value)))
        };
        if map.iter().all(holds) {
            map.retain(|name, _| fields.as_ref().is_none_or(|fields| fields.contains(name)));
            shown.push(Value::Object(map));
        }
    }
    Ok(Json(json!({ "service_providers": shown })))
}

async fn next_provider(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Answer {
    allowed(&state, &caller, NEXT)?;
    let now = now();
    let decided = state.store.decide(&caller, &state.settings, &now, |facts, _| {
        let flavor = facts.find::<Flavor>(id.as_str())?;
        let flavor = flavor.ok_or_else(|| Refusal::not_found::<Flavor>(&id))?;
        let (provider, profile) = flavor.next_provider(facts)?;
        let shown = json!({
            "provider": provider.name,
            "driver": provider.driver,
            "metainfo": profile.metainfo.to_json(),
        });
        Ok((shown, Writes::new()))
    });
    let (shown, _) = decided.await?;
    Ok(Json(json!({ "next_providers": [shown] })))
}

async fn add_profile(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Result<(StatusCode, Json<Value>), Fault> {
    allowed(&state, &caller, ADD)?;
    let body = body::object(&bytes)?;
    let Some(named) = body.get("service_profile") else {
        return Err(Fault::bad_request("Unable to find 'service_profile' in request body"));
    };
    let profile_id = ServiceProfileId::from_json(&named["id"])
        .map_err(|reason| Refusal::invalid("id", reason))?;
    let (_, moved) = state
        .store
        .decide(&caller, &state.settings, &now(), |facts, _| {
            bind(&id, profile_id, facts).map(|writes| ((), writes))
        })
        .await?;
    state.wake(moved);
    Ok((StatusCode::CREATED, Json(json!({"service_profile": {"id": profile_id}}))))
}

async fn remove_profile(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path((id, profile)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    allowed(&state, &caller, REMOVE)?;
    let (_, moved) = state
        .store
        .decide(&caller, &state.settings, &now(), |facts, _| {
            unbind(&id, &profile, facts).map(|writes| ((), writes))
        })
        .await?;
    state.wake(moved);
    Ok(StatusCode::NO_CONTENT)
}
