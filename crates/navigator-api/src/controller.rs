//! The one controller: list, show, create, update, delete and member actions of every resource.
//! Here is what they share, and show.

mod change;
mod create;
mod embed;
mod list;
pub(crate) mod tags;

pub(crate) use change::{act, delete, update};
pub(crate) use create::create;
pub(crate) use list::list;

use std::collections::HashMap;

use axum::{
    Extension, Json,
    extract::{OriginalUri, Path, State},
};
use navigator_resources::{Caller, Declaration, Input, Refusal, Resource, Row, Rules, SqlValue};
use navigator_store::Listing;
use serde_json::{Value, json};

use crate::{
    body::Attributes,
    fault::Fault,
    listing::{self, Parameters},
    present::{Fields, View},
    state::ApiState,
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
    pub(crate) fn of_child(parent: &str, id: &str) -> Self {
        Self { parent: Some(parent.to_owned()), id: Some(id.to_owned()) }
    }

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

async fn one<R: Rules>(state: &ApiState, row: Row, view: &View<'_>, fields: &Fields) -> Answer {
    let value = embed::present_all::<R>(state, &[row], view, fields).await?.pop();
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
    conditions.push((declaration.key, SqlValue::from(ids.id())));
    let listing =
        Listing { conditions, visible_to: listing::visible_to(&caller), ..Listing::default() };
    match state.store.list(declaration, &listing).await?.pop() {
        Some(row) => one::<R>(&state, row, &View::of(&state, &caller), &fields).await,
        None => Err(Refusal::not_found::<R>(ids.id()).into()),
    }
}

fn input<I: Input>(attributes: &Attributes) -> Result<I, Fault> {
    I::from_json(attributes).map_err(|(name, reason)| Refusal::invalid(name, reason).into())
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
