//! `PUT`, `DELETE` and member actions: what they have in common is the object that they aim at.

use axum::{
    Extension,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use navigator_model::{Revision, Scope};
use navigator_resources::{
    AttributeValue as _, Caller, Facts, MemberAction, Refusal, Resource, Row, Rules, Select,
    SqlValue, Stop, sharing,
};
use navigator_store::Request;
use serde_json::{Map, Value};

use super::{Answer, Ids, access, conditions, input, one, outcome, scoped};
use crate::{
    body,
    consequences::follow,
    fault::Fault,
    if_match,
    policy::{About, Access},
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

/// What a PUT, DELETE or action aims at: an object that the caller may do that to.
pub(super) struct Target<'a> {
    pub(super) ids: &'a Ids,
    pub(super) revision: Option<i64>,
}

impl Target<'_> {
    /// The object, locked.
    pub(super) fn load<R: Resource>(&self, facts: &Facts) -> Result<R, Stop> {
        let mut select = Select::eq(R::declaration().key, self.ids.id()).locked();
        for (column, value) in scoped::<R>(self.ids) {
            select = select.and(column, value);
        }
        let object: R =
            facts.list(select)?.pop().ok_or_else(|| Refusal::not_found::<R>(self.ids.id()))?;
        let revision = match object.to_row().get("revision_number") {
            SqlValue::Int(number) => Some(*number),
            _ => None,
        };
        if_match::check(self.revision, revision)?;
        Ok(object)
    }
}

/// The object of the URL, as rules see it: one that the caller may not see does not exist.
async fn seen<R: Resource>(access: &mut Access<'_>, ids: &Ids) -> Result<Row, Fault> {
    let row = access.find_facts(conditions::<R>(ids)).await?;
    row.ok_or_else(|| Refusal::not_found::<R>(ids.id()).into())
}

/// A request that creates nothing.
fn request<'a>(state: &'a ApiState, caller: &'a Caller, now: &'a str) -> Request<'a> {
    Request { caller, settings: &state.settings, now, created: &[] }
}

pub(crate) async fn update<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let declaration = R::declaration();
    let (mut access, _) = access::<R>(&state, &caller, &ids).await?;
    let target = Target { ids: &ids, revision: if_match::revision(&headers)? };
    let attributes = body::put(declaration, &body)?;
    // What is wrong with the body is so whatever it is about, as in Neutron.
    let attributes = body::for_update(declaration, attributes)?;
    let row = seen::<R>(&mut access, &ids).await?;
    let rule = access.rule("update");
    access.permit([&rule], About::Object(&row)).await?;
    // Whatever is named counts, also with its default: resetting is setting.
    access.permit(access.named(&rule, &attributes), About::Changed(&row, &attributes)).await?;
    let update: R::Update = input(&attributes)?;
    let shared = attributes.get("shared").and_then(|value| bool::from_json(value).ok());
    let (mut rows, moved) = state
        .store
        .decide_and_show(
            request(&state, &caller, &now()),
            1,
            |_, facts, context| {
                let object = target.load::<R>(facts)?;
                let (_, writes) = sharing::update(&object, &update, shared, facts, context)?;
                Ok((object.id(), writes))
            },
            outcome::<R>,
        )
        .await?;
    conclude::<R>(&state, moved).await;
    match rows.pop() {
        Some(row) => one::<R>(&state, &mut access, row, &None).await,
        None => Err(Refusal::not_found::<R>(ids.id()).into()),
    }
}

pub(crate) async fn delete<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    headers: HeaderMap,
) -> Result<StatusCode, Fault> {
    let (mut access, _) = access::<R>(&state, &caller, &ids).await?;
    let target = Target { ids: &ids, revision: if_match::revision(&headers)? };
    let row = seen::<R>(&mut access, &ids).await?;
    access.permit([access.rule("delete")], About::Object(&row)).await?;
    let ((), moved) = state
        .store
        .decide_and_show(
            request(&state, &caller, &now()),
            1,
            |_, facts, context| {
                let object = target.load::<R>(facts)?;
                R::delete(&object, facts, context).map(|writes| ((), writes))
            },
            |_, _| Ok(()),
        )
        .await?;
    conclude::<R>(&state, moved).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /v2.0/<collection>/<id>/<action>`. The rule has the action's name.
pub(crate) async fn act<R: Rules>(
    action: &'static MemberAction<R>,
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let (mut access, _) = access::<R>(&state, &caller, &ids).await?;
    let target = Target { ids: &ids, revision: if_match::revision(&headers)? };
    let row = seen::<R>(&mut access, &ids).await?;
    // Some actions have nothing to say: what an action needs, it asks for itself.
    let body = if body.is_empty() { Map::new() } else { body::object(&body)? };
    access.permit([action.name], About::Object(&row)).await?;
    if let Some(Value::Object(said)) = body.get(R::declaration().name) {
        access.permit(access.named(action.name, said), About::Changed(&row, said)).await?;
    }
    let (mut answer, moved) = state
        .store
        .decide(&caller, &state.settings, &now(), |facts, context| {
            (action.run)(&target.load::<R>(facts)?, &body, facts, context)
        })
        .await?;
    state.wake(moved);
    let hidden = access.hidden(&[row]).await?;
    hidden.of(0).for_each(|attribute| hide(R::declaration().name, &mut answer, attribute));
    Ok(answer.into())
}

/// Takes an attribute out of an answer that is the object, or has it inside.
fn hide(name: &str, answer: &mut Value, attribute: &str) {
    if let Some(object) = answer.get_mut(name).and_then(Value::as_object_mut) {
        object.remove(attribute);
    } else if let Some(object) = answer.as_object_mut() {
        object.remove(attribute);
    }
}
