//! `/v2.0/auto-allocated-topology/{project}`: a GET makes what is not there, so that a project has a
//! network that leads outside without knowing how one is made.

use axum::{
    Extension, Json,
    extract::{OriginalUri, Path, State},
    http::StatusCode,
    routing::get,
};
use navigator_model::ProjectId;
use navigator_resources::{
    Caller, Context, Facts, Network, Refusal, Resource, Router, Rules, Subnet, Writes,
    auto_topology::{self, DELETION_STEPS, STEPS, Topology},
};
use navigator_store::{Request, StoreError};
use serde_json::{Value, json};

use crate::{
    consequences::follow,
    fault::Fault,
    listing::Parameters,
    policy::{Guarded, Said},
    state::{ApiState, now},
};

pub(crate) fn routes() -> Guarded {
    let rules = [("GET", rule("get")), ("DELETE", rule("delete"))];
    let path = "/v2.0/auto_allocated_topology/{project}";
    Guarded::default().route(path, rules, get(show).delete(delete))
}

fn rule(verb: &str) -> String {
    format!("{verb}_auto_allocated_topology")
}

/// The project of the URL. Clients that know no project of their own write `None`.
fn project(
    state: &ApiState,
    caller: &Caller,
    named: String,
    verb: &str,
) -> Result<ProjectId, Refusal> {
    let project = if named == "None" { caller.project_id.clone() } else { ProjectId(named) };
    let of = Said(vec![("project_id", project.0.clone())]);
    state.policy.now().authorize(caller, &rule(verb), &of)?;
    Ok(project)
}

fn shown(id: &str, project: &ProjectId) -> Json<Value> {
    let topology = json!({"id": id, "tenant_id": project.0, "project_id": project.0});
    Json(json!({ "auto_allocated_topology": topology }))
}

async fn show(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(named): Path<String>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Value>, Fault> {
    let project = project(&state, &caller, named, "get")?;
    let fields = Parameters::parse(uri.query())?.fields().unwrap_or_default();
    if fields.contains("dry-run") {
        return check(&state, &caller, &project).await;
    }
    if !fields.is_empty() {
        let resource = "auto_allocate".to_owned();
        return Err(Refusal::BadRequest { resource, msg: "Unrecognized field".to_owned() }.into());
    }
    let created = [Network::declaration(), Subnet::declaration(), Router::declaration()];
    let request =
        Request { caller: &caller, settings: &state.settings, now: &now(), created: &created };
    let mut topology = Topology::default();
    let step = |step, facts: &Facts, context: &Context<'_>| {
        topology.step(step, &project, facts, context).map(|writes| ((), writes))
    };
    let ((), moved) = state.store.decide_and_show(request, STEPS, step, |_, _| Ok(())).await?;
    state.wake(moved);
    let network = topology
        .network()
        .ok_or_else(|| StoreError::Internal("a topology without a network".to_owned()))?;
    Ok(shown(&network.to_string(), &project))
}

/// Whether a topology could be made, without making it.
async fn check(
    state: &ApiState,
    caller: &Caller,
    project: &ProjectId,
) -> Result<Json<Value>, Fault> {
    state
        .store
        .decide(caller, &state.settings, &now(), |facts, context| {
            auto_topology::requirements(facts, context).map(|_| ((), Writes::new()))
        })
        .await?;
    Ok(shown("dry-run=pass", project))
}

async fn delete(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(named): Path<String>,
) -> Result<StatusCode, Fault> {
    let project = project(&state, &caller, named, "delete")?;
    let (_, moved) = state
        .store
        .decide_all(&caller, &state.settings, &now(), DELETION_STEPS, |step, facts, context| {
            auto_topology::delete(step, &project, facts, context).map(|writes| ((), writes))
        })
        .await?;
    state.wake(moved);
    let consequences = Router::consequences();
    if let Err(error) = follow(&state.store, &state.hub, &state.settings, consequences).await {
        tracing::warn!(%error, "what follows from a change could not be decided");
    }
    Ok(StatusCode::NO_CONTENT)
}
