//! `PUT`, `DELETE` and member actions: what they have in common is the object that they aim at.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use navigator_model::{Revision, Scope};
use navigator_resources::{
    Caller, Facts, MemberAction, Refusal, Resource, Row, Rules, Select, SqlValue, Stop,
};
use navigator_store::Listing;
use serde_json::Map;

use super::{Answer, Ids, input, one, owned, parent, rows, scoped};
use crate::{
    body,
    consequences::follow,
    fault::Fault,
    if_match, listing,
    present::View,
    state::{ApiState, now},
};

/// The change is committed: what follows from it is no longer part of the answer.
async fn conclude<R: Rules>(state: &ApiState, moved: Vec<(Scope, Revision)>) {
    state.wake(moved);
    let followed = follow(&state.store, &state.hub, &state.settings, R::consequences());
    if let Err(error) = followed.await {
        tracing::warn!(%error, "what follows from a change could not be decided");
    }
}

/// The object of the URL, locked, if the caller may change it: 404 where it may not even see it.
pub(super) fn current<R: Resource>(
    target: &Target<'_>,
    facts: &Facts,
    action: &str,
) -> Result<R, Stop> {
    let not_found = || Refusal::not_found::<R>(target.ids.id());
    let mut select = Select::eq(R::declaration().key, target.ids.id()).locked();
    for (column, value) in scoped::<R>(target.ids) {
        select = select.and(column, value);
    }
    let object: R = facts.list(select)?.pop().ok_or_else(not_found)?;
    if !target.visible {
        return Err(not_found().into());
    }
    let row = object.to_row();
    // A child belongs to its parent's owner.
    let owner = target.parent.unwrap_or(&row);
    owned(R::declaration(), owner, target.caller, action)?;
    let revision = match row.get("revision_number") {
        SqlValue::Int(number) => Some(*number),
        _ => None,
    };
    if_match::check(target.revision, revision)?;
    Ok(object)
}

/// What a PUT or DELETE aims at.
pub(super) struct Target<'a> {
    pub(super) ids: &'a Ids,
    pub(super) caller: &'a Caller,
    pub(super) parent: Option<&'a Row>,
    pub(super) revision: Option<i64>,
    pub(super) visible: bool,
}

/// Whether the caller's lists would show it.
pub(super) async fn visible<R: Resource>(
    state: &ApiState,
    ids: &Ids,
    caller: &Caller,
) -> Result<bool, Fault> {
    if caller.is_admin {
        return Ok(true);
    }
    let mut conditions = scoped::<R>(ids);
    conditions.push((R::declaration().key, SqlValue::from(ids.id())));
    let listing =
        Listing { conditions, visible_to: listing::visible_to(caller), ..Listing::default() };
    Ok(!state.store.list(R::declaration(), &listing).await?.is_empty())
}

pub(crate) async fn update<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let declaration = R::declaration();
    let parent = parent(&state, declaration, &ids, &caller).await?;
    let target = Target {
        visible: visible::<R>(&state, &ids, &caller).await?,
        ids: &ids,
        caller: &caller,
        parent: parent.as_ref(),
        revision: if_match::revision(&headers)?,
    };
    let attributes = body::put(declaration, &body)?;
    if !target.visible {
        return Err(Refusal::not_found::<R>(ids.id()).into());
    }
    let attributes = body::for_update(declaration, attributes, &caller)?;
    let update: R::Update = input(&attributes)?;
    let (id, moved) = state
        .store
        .decide(&caller, &state.settings, &now(), |facts, context| {
            let object = current::<R>(&target, facts, "update")?;
            R::update(&object, &update, facts, context).map(|(_, writes)| (object.id(), writes))
        })
        .await?;
    conclude::<R>(&state, moved).await;
    match rows::<R>(&state, &[id]).await?.pop() {
        Some(row) => one::<R>(&state, row, &View::of(&state, &caller), &None).await,
        None => Err(Refusal::not_found::<R>(ids.id()).into()),
    }
}

pub(crate) async fn delete<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    headers: HeaderMap,
) -> Result<StatusCode, Fault> {
    let parent = parent(&state, R::declaration(), &ids, &caller).await?;
    let target = Target {
        visible: visible::<R>(&state, &ids, &caller).await?,
        ids: &ids,
        caller: &caller,
        parent: parent.as_ref(),
        revision: if_match::revision(&headers)?,
    };
    let (_, moved) = state
        .store
        .decide(&caller, &state.settings, &now(), |facts, context| {
            let object = current::<R>(&target, facts, "delete")?;
            R::delete(&object, facts, context).map(|writes| ((), writes))
        })
        .await?;
    conclude::<R>(&state, moved).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /v2.0/<collection>/<id>/<action>`.
pub(crate) async fn act<R: Rules>(
    action: &'static MemberAction<R>,
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let parent = parent(&state, R::declaration(), &ids, &caller).await?;
    let target = Target {
        visible: visible::<R>(&state, &ids, &caller).await?,
        ids: &ids,
        caller: &caller,
        parent: parent.as_ref(),
        revision: if_match::revision(&headers)?,
    };
    if !target.visible {
        return Err(Refusal::not_found::<R>(ids.id()).into());
    }
    // Some actions have nothing to say: what an action needs, it asks for itself.
    let body = if body.is_empty() { Map::new() } else { body::object(&body)? };
    let (answer, moved) = state
        .store
        .decide(&caller, &state.settings, &now(), |facts, context| {
            let object = current::<R>(&target, facts, action.name)?;
            (action.run)(&object, &body, facts, context)
        })
        .await?;
    state.wake(moved);
    Ok(Json(answer))
}
