//! `GET /v2.0/log/loggable-resources`: what a log's `resource_type` may be. A list that is the same
//! for everybody who may make logs.

use axum::{Extension, Json, Router as Routes, routing::get};
use navigator_resources::{Caller, Refusal, registry::log::LOGGABLE};
use serde_json::{Value, json};

use crate::{fault::Fault, state::ApiState};

/// Clients say `loggable-resources`; paths come here normalised.
pub(crate) fn routes() -> Routes<ApiState> {
    Routes::new().route("/v2.0/log/loggable_resources", get(list))
}

async fn list(Extension(caller): Extension<Caller>) -> Result<Json<Value>, Fault> {
    if !caller.is_admin && !caller.roles.contains("manager") {
        let action = "get_loggable_resource".to_owned();
        return Err(Refusal::PolicyNotAuthorized { action }.into());
    }
    let kinds: Vec<Value> = LOGGABLE.iter().map(|kind| json!({ "type": kind })).collect();
    Ok(Json(json!({ "loggable_resources": kinds })))
}
