//! `GET /v2.0/trunks/<id>/get_subports`: a part of what the trunk itself shows.

use axum::{
    Extension, Json,
    extract::{OriginalUri, Path, State},
    http::Uri,
    routing::get,
};
use navigator_resources::{Caller, Trunk};
use serde_json::{Value, json};

use crate::{
    controller::{self, Ids},
    fault::Fault,
    policy::{Guarded, Said},
    state::ApiState,
};

/// The rule that decides, beside the trunk's own.
const RULE: &str = "get_subports";

pub(crate) fn routes() -> Guarded {
    Guarded::default().route("/v2.0/trunks/{id}/get_subports", [("GET", RULE)], get(sub_ports))
}

async fn sub_ports(
    State(state): State<ApiState>,
    caller: Extension<Caller>,
    Path(ids): Path<Ids>,
) -> Result<Json<Value>, Fault> {
    // All of it, whatever fields the query names.
    let uri = OriginalUri(Uri::default());
    let (policy, who) = (state.policy.now(), caller.0.clone());
    let answer = controller::show::<Trunk>(State(state), caller, Path(ids), uri).await?;
    let mut answer = answer.value();
    let owner = answer["trunk"]["project_id"].as_str().unwrap_or_default().to_owned();
    policy.authorize(&who, RULE, &Said(vec![("project_id", owner)]))?;
    Ok(Json(json!({ "sub_ports": answer["trunk"]["sub_ports"].take() })))
}
