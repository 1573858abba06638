//! A page of what a listing finds, with links to its neighbours: for lists that are not a resource's
//! own.

use axum::http::{HeaderMap, Uri};
use navigator_resources::{Declaration, Refusal, Row};
use navigator_store::{Listing, Paging, StoreError};
use serde_json::{Value, json};

use crate::{fault::Fault, listing, state::ApiState, versions::base_url};

pub(crate) struct Page {
    pub(crate) rows: Vec<Row>,
    /// `{"rel", "href"}` of the neighbours that there are.
    pub(crate) links: Vec<Value>,
}

/// Loads what a listing asks for; `uri` is what the client asked.
pub(crate) async fn page(
    state: &ApiState,
    declaration: &'static Declaration,
    mut listing: Listing,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Page, Fault> {
    let limit = listing.limit.map(|limit| limit as usize);
    // One more than asked for tells whether there is another page.
    listing.limit = listing.limit.map(|limit| limit + 1);
    let mut rows = match state.store.list(declaration, &listing).await {
        // A page beside something unknown is not an empty page that looks like the end.
        Err(StoreError::UnknownMarker(id)) => {
            return Err(Refusal::NotFound { class: declaration.class, id }.into());
        }
        rows => rows?,
    };
    let Some(limit) = limit else { return Ok(Page { rows, links: Vec::new() }) };
    let more = rows.len() > limit;
    let marked = listing.marker.is_some();
    let (next, previous) = match listing.paging {
        Paging::After => (more, marked),
        Paging::Before => (marked, more),
    };
    match listing.paging {
        Paging::After => rows.truncate(limit),
        Paging::Before => drop(rows.drain(..rows.len().saturating_sub(limit))),
    }
    let link = |rel: &str, there: bool, row: Option<&Row>, paging| {
        let marker = row.filter(|_| there)?.text("id");
        let base = base_url(headers);
        let href = listing::link(&base, uri.path(), uri.query(), marker, paging);
        Some(json!({"rel": rel, "href": href}))
    };
    let links = [
        link("next", next, rows.last(), Paging::After),
        link("previous", previous, rows.first(), Paging::Before),
    ];
    let links = links.into_iter().flatten().collect();
    Ok(Page { rows, links })
}
