//! `GET /v2.0/log/loggable-resources`: what a log's `resource_type` may be. A list that is the same
//! for everybody who may make logs.

use axum::{Extension, Json, extract::State, routing::get};
use navigator_resources::{Caller, registry::log::LOGGABLE};
use serde_json::{Value, json};

use crate::{
    fault::Fault,
    policy::{Guarded, Said},
    state::ApiState,
};

/// The rule that decides.
const RULE: &str = "get_loggable_resource";

/// Clients say `loggable-resources`; paths come here normalised.
pub(crate) fn routes() -> Guarded {
    Guarded::default().route("/v2.0/log/loggable_resources", [("GET", RULE)], get(list))
}

async fn list(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Fault> {
    // The list is every project's, so that it is the asking one's too.
    let of = Said(vec![("project_id", caller.project_id.0.clone())]);
    state.policy.now().authorize(&caller, RULE, &of)?;
    let kinds: Vec<Value> = LOGGABLE.iter().map(|kind| json!({ "type": kind })).collect();
    Ok(Json(json!({ "loggable_resources": kinds })))
}
