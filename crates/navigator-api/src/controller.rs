//! The one controller: list, show, create, update, delete and member actions of every resource.

use std::collections::HashMap;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{OriginalUri, Path, State},
    http::{HeaderMap, StatusCode},
};
use navigator_model::{Revision, Scope};
use navigator_resources::{
    Caller, Declaration, Facts, Input, MemberAction, Refusal, Resource, Row, Rules, Select,
    SqlValue, Stop,
};
use navigator_store::{Listing, Paging, StoreError};
use serde_json::{Map, Value, json};

use crate::{
    body::{self, Attributes, Posted},
    consequences::follow,
    fault::Fault,
    if_match,
    listing::{self, Links, Parameters},
    present::{Fields, View, present},
    state::{ApiState, now},
    versions::base_url,
};

/// Ids per statement.
const CHUNK: usize = 1000;

type Answer = Result<Json<Value>, Fault>;

/// The ids in the URL: a child's parent, and the object.
#[derive(serde::Deserialize)]
pub(crate) struct Ids {
    parent: Option<String>,
    id: Option<String>,
}

impl Ids {
    fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }
}

/// Conditions that every access to `R` in this URL carries: a child is only ever reached through its
/// parent.
fn scoped<R: Resource>(ids: &Ids) -> Vec<(&'static str, SqlValue)> {
    match (&R::declaration().parent, &ids.parent) {
        (Some(parent), Some(id)) => vec![(parent.column, SqlValue::from(id.as_str()))],
        _ => Vec::new(),
    }
}

/// The parent of a child resource as the caller sees it, else 404 of the parent's class.
async fn parent(
    state: &ApiState,
    declaration: &Declaration,
    ids: &Ids,
    caller: &Caller,
) -> Result<Option<Row>, Fault> {
    let (Some(parent), Some(id)) = (&declaration.parent, &ids.parent) else { return Ok(None) };
    let declaration = (parent.declaration)();
    let listing = Listing {
        conditions: vec![("id", SqlValue::from(id.as_str()))],
        visible_to: listing::visible_to(caller),
        ..Listing::default()
    };
    let row = state.store.list(declaration, &listing).await?.pop();
    row.map(Some)
        .ok_or_else(|| Refusal::NotFound { class: declaration.class, id: id.clone() }.into())
}

pub(crate) async fn list<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Answer {
    let declaration = R::declaration();
    parent(&state, declaration, &ids, &caller).await?;
    let parameters = Parameters::parse(uri.query())?;
    let view = View::of(&state, &caller);
    let momentary = |name: &str| R::momentary_filter(name, &view.now, view.settings);
    let mut listing = listing::listing(declaration, &parameters, &caller, &momentary)?;
    listing.conditions.extend(scoped::<R>(&ids));
    let limit = listing.limit.map(|limit| limit as usize);
    // One more than asked for tells whether there is another page.
    listing.limit = listing.limit.map(|limit| limit + 1);
    let mut rows = match state.store.list(declaration, &listing).await {
        // A page beside something unknown is not an empty page that looks like the end.
        Err(StoreError::UnknownMarker(id)) => return Err(Refusal::not_found::<R>(id).into()),
        rows => rows?,
    };
    let more = limit.is_some_and(|limit| rows.len() > limit);
    if let (Some(limit), true) = (limit, more) {
        match listing.paging {
            Paging::After => rows.truncate(limit),
            Paging::Before => drop(rows.drain(..rows.len() - limit)),
        }
    }
    let fields = parameters.fields();
    let items: Vec<Value> =
        rows.iter().map(|row| present::<R>(row, &view, &fields)).collect::<Result<_, _>>()?;
    let mut answer = Map::new();
    answer.insert(declaration.collection.to_owned(), Value::Array(items));
    if limit.is_some() {
        let link = |row: Option<&Row>, paging| {
            row.map(|row| {
                listing::link(&base_url(&headers), uri.path(), uri.query(), row.text("id"), paging)
            })
        };
        let marked = listing.marker.is_some();
        let (has_next, has_previous) = match listing.paging {
            Paging::After => (more, marked),
            Paging::Before => (marked, more),
        };
        let links = Links {
            next: has_next.then(|| link(rows.last(), Paging::After)).flatten(),
            previous: has_previous.then(|| link(rows.first(), Paging::Before)).flatten(),
        };
        insert_links(declaration, links, &mut answer);
    }
    Ok(Json(Value::Object(answer)))
}

fn insert_links(declaration: &Declaration, links: Links, answer: &mut Map<String, Value>) {
    let pairs = [("next", links.next), ("previous", links.previous)];
    let links: Vec<Value> = pairs
        .into_iter()
        .filter_map(|(rel, href)| href.map(|href| json!({"rel": rel, "href": href})))
        .collect();
    if !links.is_empty() {
        answer.insert(format!("{}_links", declaration.collection), Value::Array(links));
    }
}

/// Rows of these ids, in the order of the ids.
pub(crate) async fn rows<R: Resource>(state: &ApiState, ids: &[String]) -> Result<Vec<Row>, Fault> {
    let Some(attribute) = R::declaration().all().find(|a| a.column == "id") else {
        return Ok(Vec::new());
    };
    let mut found: HashMap<String, Row> = HashMap::new();
    for chunk in ids.chunks(CHUNK) {
        let values = chunk.iter().map(|id| Some(SqlValue::from(id.as_str()))).collect();
        let listing = Listing { filters: vec![(attribute, values)], ..Listing::default() };
        let rows = state.store.list(R::declaration(), &listing).await?;
        found.extend(rows.into_iter().map(|row| (row.text("id").to_owned(), row)));
    }
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

/// The change is committed: what follows from it is no longer part of the answer.
async fn conclude<R: Rules>(state: &ApiState, moved: Vec<(Scope, Revision)>) {
    state.wake(moved);
    let followed = follow(&state.store, &state.hub, &state.settings, R::consequences());
    if let Err(error) = followed.await {
        tracing::warn!(%error, "what follows from a change could not be decided");
    }
}

fn one<R: Rules>(row: &Row, view: &View<'_>, fields: &Fields) -> Answer {
    let value = present::<R>(row, view, fields)?;
    Ok(Json(json!({ R::declaration().name: value })))
}

pub(crate) async fn show<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    let declaration = R::declaration();
    parent(&state, declaration, &ids, &caller).await?;
    let fields = Parameters::parse(uri.query())?.fields();
    let mut conditions = scoped::<R>(&ids);
    conditions.push(("id", SqlValue::from(ids.id())));
    let listing =
        Listing { conditions, visible_to: listing::visible_to(&caller), ..Listing::default() };
    match state.store.list(declaration, &listing).await?.pop() {
        Some(row) => one::<R>(&row, &View::of(&state, &caller), &fields),
        None => Err(Refusal::not_found::<R>(ids.id()).into()),
    }
}

fn input<I: Input>(attributes: &Attributes) -> Result<I, Fault> {
    I::from_json(attributes).map_err(|(name, reason)| Refusal::invalid(name, reason).into())
}

pub(crate) async fn create<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), Fault> {
    let declaration = R::declaration();
    if declaration.admin_only && !caller.is_admin {
        let action = format!("create_{}", declaration.name);
        return Err(Refusal::PolicyNotAuthorized { action }.into());
    }
    let parent = parent(&state, declaration, &ids, &caller).await?;
    if let Some(row) = &parent {
        owned(declaration, row, &caller, "create")?;
    }
    let owner = parent.as_ref().map(|row| row.text("project_id").to_owned());
    let (many, items) = match body::posted(declaration, &body)? {
        Posted::One(item) => (false, vec![item]),
        Posted::Many(items) => (true, items),
    };
    let inputs: Vec<R::Create> = items
        .into_iter()
        .map(|item| {
            let attributes = body::for_create(declaration, item, &caller, owner.as_deref())?;
            input(&attributes)
        })
        .collect::<Result<_, Fault>>()?;
    let parent_id = ids.parent.as_deref();
    let (created, moved) = state
        .store
        .decide_all(&caller, &state.settings, &now(), inputs.len(), |index, facts, context| {
            let input = &inputs[index];
            R::create(input, parent_id, facts, context)
                .map(|(object, writes)| (object.id(), writes))
        })
        .await?;
    state.wake(moved);
    let rows = rows::<R>(&state, &created).await?;
    let view = View::of(&state, &caller);
    let values: Vec<Value> =
        rows.iter().map(|row| present::<R>(row, &view, &None)).collect::<Result<_, _>>()?;
    let answer = if many {
        json!({ declaration.collection: values })
    } else {
        json!({ declaration.name: values.into_iter().next() })
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Only the owner may change something that it is shown.
fn owned(
    declaration: &Declaration,
    row: &Row,
    caller: &Caller,
    action: &str,
) -> Result<(), Refusal> {
    if caller.is_admin || row.text("project_id") == caller.project_id.0 {
        return Ok(());
    }
    Err(Refusal::PolicyNotAuthorized { action: format!("{action}_{}", declaration.name) })
}

/// The object of the URL, locked, if the caller may change it: 404 where it may not even see it.
fn current<R: Resource>(target: &Target<'_>, facts: &Facts, action: &str) -> Result<R, Stop> {
    let not_found = || Refusal::not_found::<R>(target.ids.id());
    let mut select = Select::eq("id", target.ids.id()).locked();
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
struct Target<'a> {
    ids: &'a Ids,
    caller: &'a Caller,
    parent: Option<&'a Row>,
    revision: Option<i64>,
    visible: bool,
}

/// Whether the caller's lists would show it.
async fn visible<R: Resource>(state: &ApiState, ids: &Ids, caller: &Caller) -> Result<bool, Fault> {
    if caller.is_admin {
        return Ok(true);
    }
    let mut conditions = scoped::<R>(ids);
    conditions.push(("id", SqlValue::from(ids.id())));
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
    let (_, moved) = state
        .store
        .decide(&caller, &state.settings, &now(), |facts, context| {
            let object = current::<R>(&target, facts, "update")?;
            R::update(&object, &update, facts, context).map(|(_, writes)| ((), writes))
        })
        .await?;
    conclude::<R>(&state, moved).await;
    match rows::<R>(&state, &[ids.id().to_owned()]).await?.pop() {
        Some(row) => one::<R>(&row, &View::of(&state, &caller), &None),
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
    let target = Target {
        visible: visible::<R>(&state, &ids, &caller).await?,
        ids: &ids,
        caller: &caller,
        parent: None,
        revision: if_match::revision(&headers)?,
    };
    if !target.visible {
        return Err(Refusal::not_found::<R>(ids.id()).into());
    }
    let body = body::object(&body)?;
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
