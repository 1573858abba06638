//! `/v2.0/<collection>/<id>/tags[/<tag>]` of every resource whose declaration says `tags`.

use axum::{
    Extension,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode},
    routing::get,
};
use navigator_resources::{
    AttributeValue as _, Caller, Declaration, Refusal, Row, Rules, SqlValue, attribute::Tags,
    tagging::Change,
};
use serde_json::json;

use super::{Answer, Ids, change::Target};
use crate::{
    body,
    fault::Fault,
    if_match,
    policy::{About, Access, Guarded},
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

/// `member` is the object's URL. Each verb has its rule: POST adds, so that is `create`.
/// Clients leave out the prefix of a path: `policies/<id>/tags` is `qos/policies/<id>/tags`.
pub(crate) fn mount<R: Rules>(mut routes: Guarded, member: &str) -> Guarded {
    let Declaration { path, root, collection, .. } = R::declaration();
    if path.contains('/') {
        routes = mount_at::<R>(routes, &format!("/{root}/{collection}/{{id}}"));
    }
    mount_at::<R>(routes, member)
}

fn mount_at<R: Rules>(routes: Guarded, member: &str) -> Guarded {
    let all = get(show_all::<R>).put(store::<R>).post(store::<R>).delete(remove_all::<R>);
    let one = get(show_one::<R>).put(add_one::<R>).delete(remove_one::<R>);
    let read_and_changed =
        [("GET", rule::<R>("get")), ("PUT", rule::<R>("update")), ("DELETE", rule::<R>("delete"))];
    let mut of_all = read_and_changed.to_vec();
    of_all.push(("POST", rule::<R>("create")));
    routes.route(&format!("{member}/tags"), of_all, all).route(
        &format!("{member}/tags/{{tag}}"),
        read_and_changed,
        one,
    )
}

/// The rule's name is that of an attribute.
fn rule<R: Rules>(verb: &str) -> String {
    match R::declaration().policy_name().as_str() {
        "segment" => format!("{verb}_segments_tags"),
        name => format!("{verb}_{name}:tags"),
    }
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

/// An object that the caller may see.
async fn seen<R: Rules>(access: &mut Access<'_>, ids: &Ids) -> Result<Row, Fault> {
    let row = access.find(vec![("id", SqlValue::from(ids.id()))]).await?;
    row.ok_or_else(|| not_found::<R>(ids))
}

async fn tags_of<R: Rules>(state: &ApiState, ids: &Ids, caller: &Caller) -> Result<Tags, Fault> {
    let mut access = Access::to::<R>(state, caller);
    let row = seen::<R>(&mut access, ids).await?;
    if access.hold(&rule::<R>("get"), &[About::Object(&row)]).await? != [true] {
        return Err(not_found::<R>(ids));
    }
    Ok(Tags::from_sql(row.get("tags")).unwrap_or_default())
}

/// What is asked of an object's tags, and by which verb's rule.
struct Wanted<'a> {
    verb: &'a str,
    change: Change,
    headers: &'a HeaderMap,
}

async fn change<R: Rules>(
    state: &ApiState,
    caller: &Caller,
    ids: &Ids,
    wanted: Wanted<'_>,
) -> Result<Tags, Fault> {
    let target = Target { ids, revision: if_match::revision(wanted.headers)? };
    let mut access = Access::to::<R>(state, caller);
    let row = seen::<R>(&mut access, ids).await?;
    access.permit([rule::<R>(wanted.verb)], About::Object(&row)).await?;
    let now = now();
    let decided = state.store.decide(caller, &state.settings, &now, |facts, _| {
        target.load::<R>(facts)?;
        wanted.change.decide(R::declaration(), ids.id(), facts)
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
    Ok(json!({ "tags": tags.to_json() }).into())
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

/// POST adds the tags of the body, PUT leaves no others.
async fn store<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let tags = posted(&body)?;
    let (verb, to) = match method {
        Method::POST => ("create", Change::Add(tags)),
        _ => ("update", Change::Replace(tags)),
    };
    let wanted = Wanted { verb, change: to, headers: &headers };
    let tags = change::<R>(&state, &caller, &ids, wanted).await?;
    Ok(json!({ "tags": tags.to_json() }).into())
}

async fn add_one<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(named): Path<OneTag>,
    headers: HeaderMap,
) -> Result<StatusCode, Fault> {
    named.checked()?;
    let added = Change::Add(Tags([named.tag.clone()].into()));
    let wanted = Wanted { verb: "update", change: added, headers: &headers };
    change::<R>(&state, &caller, &named.object(), wanted).await?;
    Ok(StatusCode::CREATED)
}

async fn remove_all<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    headers: HeaderMap,
) -> Result<StatusCode, Fault> {
    let none = Change::Replace(Tags::default());
    let wanted = Wanted { verb: "delete", change: none, headers: &headers };
    change::<R>(&state, &caller, &ids, wanted).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove_one<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(named): Path<OneTag>,
    headers: HeaderMap,
) -> Result<StatusCode, Fault> {
    named.checked()?;
    let removed = Change::Remove(named.tag.clone());
    let wanted = Wanted { verb: "delete", change: removed, headers: &headers };
    change::<R>(&state, &caller, &named.object(), wanted).await?;
    Ok(StatusCode::NO_CONTENT)
}
