//! `/v2.0/quotas`: how many objects of each kind a project may have, and has.

use std::collections::BTreeMap;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use navigator_model::ProjectId;
use navigator_resources::{
    Caller, Declaration, Refusal,
    quota::{QuotaUpdate, UNLIMITED, counted, names},
};
use navigator_store::Limits;
use serde_json::{Map, Value, json};

use crate::{
    body::{self, Attributes},
    fault::Fault,
    policy::{Guarded, Said},
    state::ApiState,
};

/// The rule of everything that reads, but for the own project.
const GET: (&str, &str) = ("GET", "get_quota");

type Answer = Result<Json<Value>, Fault>;

/// Details come here without their `.json`.
pub(crate) fn routes() -> Guarded {
    let rules = [GET, ("PUT", "update_quota"), ("DELETE", "delete_quota")];
    let one = get(show).put(update).delete(reset);
    Guarded::default()
        .route("/v2.0/quotas", [GET], get(list))
        .open("/v2.0/quotas/tenant", get(tenant))
        .open("/v2.0/quotas/project", get(project))
        .route("/v2.0/quotas/{project}", rules, one)
        .route("/v2.0/quotas/{project}/default", [GET], get(defaults))
        .route("/v2.0/quotas/{project}/details", [GET], get(details))
}

/// A project's quota is the project's; those of all projects are nobody's.
fn authorize(
    state: &ApiState,
    caller: &Caller,
    of: Option<&ProjectId>,
    rule: &str,
) -> Result<(), Refusal> {
    let of = of.map(|project| ("project_id", project.0.clone()));
    state.policy.now().authorize(caller, rule, &Said(of.into_iter().collect()))
}

/// A project's own quota is shown to everybody in it, whatever the rule says, as in Neutron: Nova asks
/// with its user's token before it makes a server.
fn authorize_show(state: &ApiState, caller: &Caller, project: &ProjectId) -> Result<(), Refusal> {
    if caller.project_id == *project {
        return Ok(());
    }
    authorize(state, caller, Some(project), GET.1)
}

/// Every quota with its limit for a project that has these of its own.
fn limits(state: &ApiState, own: &Limits) -> BTreeMap<&'static str, i64> {
    names().map(|quota| (quota, limit(state, own, quota))).collect()
}

/// Its own, else that of all projects.
fn limit(state: &ApiState, own: &Limits, quota: &str) -> i64 {
    own.get(quota).copied().unwrap_or_else(|| state.settings.limit(quota))
}

/// Before many objects are made: refuses if one of their projects has no room for all of its own. What
/// decides is the transaction that makes them; a hopeless one is not begun.
pub(crate) async fn check_room(
    state: &ApiState,
    declaration: &'static Declaration,
    items: &[Attributes],
) -> Result<(), Fault> {
    if !declaration.is_counted() {
        return Ok(());
    }
    let mut wanted: BTreeMap<&str, i64> = BTreeMap::new();
    for item in items {
        let project = item.get("project_id").and_then(Value::as_str).unwrap_or_default();
        *wanted.entry(project).or_default() += 1;
    }
    // Some objects are nobody's.
    wanted.remove("");
    let quota = declaration.quota;
    for (project, more) in wanted {
        let project = ProjectId::from(project);
        let limit = limit(state, &state.store.quotas(&project).await?, quota);
        let used = state.store.used(&project, &[declaration]).await?;
        if limit >= 0 && used.iter().sum::<i64>() + more > limit {
            return Err(Refusal::OverQuota { overs: format!("['{quota}']") }.into());
        }
    }
    Ok(())
}

/// Projects for which something was set.
async fn list(State(state): State<ApiState>, Extension(caller): Extension<Caller>) -> Answer {
    authorize(&state, &caller, None, GET.1)?;
    let mut quotas = Vec::new();
    for (project, own) in state.store.all_quotas().await? {
        let mut quota = json!(limits(&state, &own));
        quota["project_id"] = project.0.clone().into();
        quota["tenant_id"] = project.0.into();
        quotas.push(quota);
    }
    Ok(Json(json!({ "quotas": quotas })))
}

async fn tenant(Extension(caller): Extension<Caller>) -> Json<Value> {
    Json(json!({"tenant": {"tenant_id": caller.project_id.0}}))
}

async fn project(Extension(caller): Extension<Caller>) -> Json<Value> {
    Json(json!({"project": {"project_id": caller.project_id.0}}))
}

async fn shown(state: &ApiState, project: &ProjectId) -> Answer {
    let own = state.store.quotas(project).await?;
    Ok(Json(json!({"quota": limits(state, &own)})))
}

async fn show(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(project): Path<String>,
) -> Answer {
    let project = ProjectId(project);
    authorize_show(&state, &caller, &project)?;
    shown(&state, &project).await
}

async fn defaults(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(project): Path<String>,
) -> Answer {
    authorize_show(&state, &caller, &ProjectId(project))?;
    Ok(Json(json!({"quota": limits(&state, &Limits::new())})))
}

/// Nothing is ever reserved: what a request creates is counted in the transaction that creates it.
async fn details(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(project): Path<String>,
) -> Answer {
    let project = ProjectId(project);
    authorize_show(&state, &caller, &project)?;
    let counted = counted();
    let used = state.store.used(&project, &counted).await?;
    let limits = limits(&state, &state.store.quotas(&project).await?);
    let detail = |(declaration, used): (&&'static Declaration, i64)| {
        let limit = limits.get(declaration.quota).copied().unwrap_or(UNLIMITED);
        (declaration.quota.to_owned(), json!({"limit": limit, "used": used, "reserved": 0}))
    };
    let details: Map<String, Value> = counted.iter().zip(used).map(detail).collect();
    Ok(Json(json!({ "quota": details })))
}

async fn update(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(project): Path<String>,
    body: Bytes,
) -> Answer {
    let project = ProjectId(project);
    authorize(&state, &caller, Some(&project), "update_quota")?;
    let mut body = body::object(&body)?;
    let Some(Value::Object(mut attributes)) = body.remove("quota") else {
        return Err(Fault::bad_request("Unable to find 'quota' in request body"));
    };
    // Clients repeat whose it is.
    attributes.remove("project_id");
    attributes.remove("tenant_id");
    let update = QuotaUpdate::from_json(&attributes)?;
    if !update.force {
        check_usage(&state, &project, &update).await?;
    }
    state.store.set_quotas(&project, &update.limits).await?;
    shown(&state, &project).await
}

async fn check_usage(
    state: &ApiState,
    project: &ProjectId,
    update: &QuotaUpdate,
) -> Result<(), Fault> {
    let mut named = counted();
    named.retain(|declaration| update.limits.contains_key(declaration.quota));
    let used = state.store.used(project, &named).await?;
    for (declaration, used) in named.iter().zip(used) {
        let limit = update.limits.get(declaration.quota).copied().unwrap_or(UNLIMITED);
        if limit != UNLIMITED && used > limit {
            return Err(Fault::bad_request(format!(
                "Quota {limit} for {} is below what is in use: {used}",
                declaration.quota
            )));
        }
    }
    Ok(())
}

async fn reset(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(project): Path<String>,
) -> Result<StatusCode, Fault> {
    authorize(&state, &caller, Some(&ProjectId(project.clone())), "delete_quota")?;
    if state.store.reset_quotas(&ProjectId(project.clone())).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Refusal::TenantQuotaNotFound { tenant_id: project }.into())
}
