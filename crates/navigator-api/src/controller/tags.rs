//! `/v2.0/<collection>/<id>/tags[/<tag>]` of every resource whose declaration says `tags`.

use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::get,
};
use navigator_resources::{
    AttributeValue as _, Caller, Refusal, Rules, SqlValue, attribute::Tags, tagging::Change,
};
use navigator_store::Listing;
use serde_json::json;

use super::{
    Answer, Ids,
    change::{Target, current, visible},
};
use crate::{
    body,
    fault::Fault,
    if_match, listing,
    state::{ApiState, now},
};

/// The ids in the URL of one tag.
#[derive(serde::Deserialize)]
pub(crate) struct OneTag {
    id: String,
    tag: String,
}

impl OneTag {
    fn checked(&self) -> Result<(), Fault> {
        Tags::check_one(&self.tag).map_err(invalid)
    }

    fn object(self) -> Ids {
        Ids { parent: None, id: Some(self.id) }
    }
}

/// `member` is the object's URL.
pub(crate) fn mount<R: Rules>(router: Router<ApiState>, member: &str) -> Router<ApiState> {
    let all = get(show_all::<R>).put(replace::<R>).post(add::<R>).delete(remove_all::<R>);
    let one = get(show_one::<R>).put(add_one::<R>).delete(remove_one::<R>);
    router.route(&format!("{member}/tags"), all).route(&format!("{member}/tags/{{tag}}"), one)
}

fn invalid(error_message: String) -> Fault {
    Refusal::InvalidInput { error_message }.into()
}

fn not_found<R: Rules>(ids: &Ids) -> Fault {
    let resource = R::declaration().collection.to_owned();
    Refusal::TagResourceNotFound { resource, resource_id: ids.id().to_owned() }.into()
}

fn posted(bytes: &Bytes) -> Result<Tags, Fault> {
    let body = body::object(bytes)?;
    let tags = body.get("tags").ok_or_else(|| invalid("the body has no tags".to_owned()))?;
    Tags::from_json(tags).map_err(invalid)
}

/// The tags of an object that the caller may see.
async fn tags_of<R: Rules>(state: &ApiState, ids: &Ids, caller: &Caller) -> Result<Tags, Fault> {
    let listing = Listing {
        conditions: vec![("id", SqlValue::from(ids.id()))],
        visible_to: listing::visible_to(caller),
        ..Listing::default()
    };
    let row = state.store.list(R::declaration(), &listing).await?.pop();
    let row = row.ok_or_else(|| not_found::<R>(ids))?;
    Ok(Tags::from_sql(row.get("tags")).unwrap_or_default())
}

/// Decides on the object itself: who may not change it may not change its tags.
async fn change<R: Rules>(
    state: &ApiState,
    caller: &Caller,
    ids: &Ids,
    headers: &HeaderMap,
    change: &Change,
) -> Result<Tags, Fault> {
    let target = Target {
        visible: visible::<R>(state, ids, caller).await?,
        ids,
        caller,
        parent: None,
        revision: if_match::revision(headers)?,
    };
    if !target.visible {
        return Err(not_found::<R>(ids));
    }
    let now = now();
    let decided = state.store.decide(caller, &state.settings, &now, |facts, _| {
        current::<R>(&target, facts, "update")?;
        change.decide(R::declaration(), ids.id(), facts)
    });
    let (tags, moved) = decided.await?;
    state.wake(moved);
    Ok(tags)
}

async fn show_all<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
) -> Answer {
    let tags = tags_of::<R>(&state, &ids, &caller).await?;
    Ok(Json(json!({ "tags": tags.to_json() })))
}

async fn show_one<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(named): Path<OneTag>,
) -> Result<StatusCode, Fault> {
    named.checked()?;
    let tag = named.tag.clone();
    if tags_of::<R>(&state, &named.object(), &caller).await?.0.contains(&tag) {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Refusal::TagNotFound { tag }.into())
}

async fn replace<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let wanted = Change::Replace(posted(&body)?);
    let tags = change::<R>(&state, &caller, &ids, &headers, &wanted).await?;
    Ok(Json(json!({ "tags": tags.to_json() })))
}

async fn add<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let wanted = Change::Add(posted(&body)?);
    let tags = change::<R>(&state, &caller, &ids, &headers, &wanted).await?;
    Ok(Json(json!({ "tags": tags.to_json() })))
}

async fn add_one<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(named): Path<OneTag>,
    headers: HeaderMap,
) -> Result<StatusCode, Fault> {
    named.checked()?;
    let wanted = Change::Add(Tags([named.tag.clone()].into()));
    change::<R>(&state, &caller, &named.object(), &headers, &wanted).await?;
    Ok(StatusCode::CREATED)
}

async fn remove_all<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    headers: HeaderMap,
) -> Result<StatusCode, Fault> {
    change::<R>(&state, &caller, &ids, &headers, &Change::Replace(Tags::default())).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove_one<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(named): Path<OneTag>,
    headers: HeaderMap,
) -> Result<StatusCode, Fault> {
    named.checked()?;
    let wanted = Change::Remove(named.tag.clone());
    change::<R>(&state, &caller, &named.object(), &headers, &wanted).await?;
    Ok(StatusCode::NO_CONTENT)
}
