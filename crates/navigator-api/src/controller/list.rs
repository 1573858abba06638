//! `GET` of a collection: filtered, sorted, in pages with links to their neighbours.

use axum::{
    Extension, Json,
    extract::{OriginalUri, Path, State},
    http::HeaderMap,
};
use navigator_resources::{Caller, Declaration, Lazy, Refusal, Row, Rules};
use navigator_store::{Listing, Paging, StoreError};
use serde_json::{Map, Value, json};

use super::{Answer, Ids, embed::present_all, parent, scoped};
use crate::{
    fault::Fault,
    listing::{self, Links, Parameters},
    present::View,
    state::{ApiState, now},
    versions::base_url,
};

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
    if let Some(lazy) = R::lazy() {
        make_missing(&state, declaration, &caller, &lazy).await?;
    }
    let view = View::of(&state, &caller);
    let momentary = |name: &str| R::momentary_filter(name, &view.now, view.settings);
    let mut listing = listing::listing(declaration, &parameters, &caller, &momentary)?;
    listing.conditions.extend(scoped::<R>(&ids));
    listing.limit = match (listing.limit, state.settings.pagination_max_limit) {
        (Some(wanted), Some(most)) => Some(wanted.min(most)),
        (wanted, most) => wanted.or(most),
    };
    let limit = listing.limit.map(|limit| limit as usize);
    // One more than asked for tells whether there is another page.
    listing.limit = listing.limit.map(|limit| limit + 1);
    let rows = match state.store.list(declaration, &listing).await {
        // A page beside something unknown is not an empty page that looks like the end.
        Err(StoreError::UnknownMarker(id)) => return Err(Refusal::not_found::<R>(id).into()),
        rows => rows?,
    };
    let page = Page::of(rows, limit, &listing);
    let fields = parameters.fields();
    let items = present_all::<R>(&state, &page.rows, &view, &fields).await?;
    let mut answer = Map::new();
    answer.insert(declaration.collection.to_owned(), Value::Array(items));
    if limit.is_some() {
        let link = |row: Option<&Row>, paging| {
            row.map(|row| {
                let marker = row.text(declaration.key);
                listing::link(&base_url(&headers), uri.path(), uri.query(), marker, paging)
            })
        };
        let links = Links {
            next: page.next.and_then(|paging| link(page.rows.last(), paging)),
            previous: page.previous.and_then(|paging| link(page.rows.first(), paging)),
        };
        insert_links(declaration, links, &mut answer);
    }
    Ok(Json(Value::Object(answer)))
}

/// Makes what the caller's own project lacks. Other projects named in the query get nothing: a list
/// must not fill the database.
async fn make_missing(
    state: &ApiState,
    declaration: &'static Declaration,
    caller: &Caller,
    lazy: &Lazy,
) -> Result<(), Fault> {
    let Some(conditions) = (lazy.of)(caller) else { return Ok(()) };
    let listing = Listing { conditions, limit: Some(1), ..Listing::default() };
    if !state.store.list(declaration, &listing).await?.is_empty() {
        return Ok(());
    }
    let (_, moved) = state
        .store
        .decide(caller, &state.settings, &now(), |facts, context| {
            (lazy.make)(facts, context).map(|writes| ((), writes))
        })
        .await?;
    state.wake(moved);
    Ok(())
}

/// The rows of one page, and in which direction there are more.
struct Page {
    rows: Vec<Row>,
    next: Option<Paging>,
    previous: Option<Paging>,
}

impl Page {
    /// `rows` is one longer than `limit` if there are more.
    fn of(mut rows: Vec<Row>, limit: Option<usize>, listing: &Listing) -> Self {
        let more = limit.is_some_and(|limit| rows.len() > limit);
        if let (Some(limit), true) = (limit, more) {
            match listing.paging {
                Paging::After => rows.truncate(limit),
                Paging::Before => drop(rows.drain(..rows.len() - limit)),
            }
        }
        let marked = listing.marker.is_some();
        let (next, previous) = match listing.paging {
            Paging::After => (more, marked),
            Paging::Before => (marked, more),
        };
        Self {
            rows,
            next: next.then_some(Paging::After),
            previous: previous.then_some(Paging::Before),
        }
    }
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
