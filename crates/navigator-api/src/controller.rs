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
    Extension,
    extract::{OriginalUri, Path, State},
};
use navigator_resources::{
    Caller, Facts, Input, Refusal, Resource, Row, Rules, Select, SqlValue, Stop,
};
use navigator_store::Listing;

use crate::{
    body::Attributes,
    fault::Fault,
    listing::Parameters,
    policy::Access,
    present::{self, Fields, JsonText},
    state::ApiState,
};

/// Ids per statement.
const CHUNK: usize = 1000;

type Answer = Result<JsonText, Fault>;

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

/// The caller's access to the resource of this URL. The parent of a child is there if the caller
/// sees it, else 404 of the parent's class.
async fn access<'a, R: Resource>(
    state: &'a ApiState,
    caller: &'a Caller,
    ids: &Ids,
) -> Result<(Access<'a>, Option<Row>), Fault> {
    let mut access = Access::to::<R>(state, caller);
    let (Some(parent), Some(id)) = (&R::declaration().parent, &ids.parent) else {
        return Ok((access, None));
    };
    let declaration = (parent.declaration)();
    let conditions = vec![("id", SqlValue::from(id.as_str()))];
    let row = Access::new(state, caller, declaration).find_facts(conditions).await?;
    let row = row.ok_or_else(|| Refusal::NotFound { class: declaration.class, id: id.clone() })?;
    access.set_parent(&row);
    Ok((access, Some(row)))
}

/// Conditions that only the object of this URL fulfils.
fn conditions<R: Resource>(ids: &Ids) -> Vec<(&'static str, SqlValue)> {
    let mut conditions = scoped::<R>(ids);
    conditions.push((R::declaration().key, SqlValue::from(ids.id())));
    conditions
}

/// Rows of these ids, in the order of the ids, as the caller sees them.
pub(crate) async fn rows<R: Resource>(
    state: &ApiState,
    caller: &Caller,
    ids: &[String],
) -> Result<Vec<Row>, Fault> {
    let Some(attribute) = R::declaration().all().find(|a| a.column == "id") else {
        return Ok(Vec::new());
    };
    let mut found: HashMap<String, Row> = HashMap::new();
    for chunk in ids.chunks(CHUNK) {
        let values = chunk.iter().map(|id| Some(SqlValue::from(id.as_str()))).collect();
        let listing = Listing {
            filters: vec![(attribute, values)],
            viewer: caller.project_id.clone(),
            ..Listing::default()
        };
        let rows = state.store.list(R::declaration(), &listing).await?;
        found.extend(rows.into_iter().map(|row| (row.text("id").to_owned(), row)));
    }
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

/// The rows of these ids as a transaction left them, in the order of the ids: what a request is shown
/// is what it made, whoever comes next.
fn outcome<R: Resource>(ids: &[String], facts: &Facts) -> Result<Vec<Row>, Stop> {
    let values = ids.iter().map(|id| SqlValue::from(id.as_str()));
    let found = facts.rows::<R>(Select::any("id", values).as_shown())?;
    let by_id: HashMap<&str, &Row> = found.iter().map(|row| (row.text("id"), row)).collect();
    Ok(ids.iter().filter_map(|id| by_id.get(id.as_str()).copied().cloned()).collect())
}

async fn one<R: Rules>(
    state: &ApiState,
    access: &mut Access<'_>,
    row: Row,
    fields: &Fields,
) -> Answer {
    let mut answer = JsonText::object(R::declaration().name);
    let moment = present::moment(state);
    embed::present_all::<R>(state, access, &[row], &moment, fields, answer.text()).await?;
    Ok(answer.end())
}

pub(crate) async fn show<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    OriginalUri(uri): OriginalUri,
) -> Answer {
    let (mut access, _) = access::<R>(&state, &caller, &ids).await?;
    let fields = Parameters::parse(uri.query())?.fields();
    match access.find(conditions::<R>(&ids)).await? {
        Some(row) => one::<R>(&state, &mut access, row, &fields).await,
        None => Err(Refusal::not_found::<R>(ids.id()).into()),
    }
}

fn input<I: Input>(attributes: &Attributes) -> Result<I, Fault> {
    I::from_json(attributes).map_err(|(name, reason)| Refusal::invalid(name, reason).into())
}
