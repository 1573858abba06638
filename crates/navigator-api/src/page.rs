//! A page of what a listing finds, and links to its neighbours.

use axum::http::{HeaderMap, Uri};
use navigator_resources::{Declaration, Refusal, Row};
use navigator_store::{Listing, Paging, StoreError};
use serde_json::{Value, json};

use crate::{fault::Fault, listing, state::ApiState, versions::base_url};

/// The rows of one page, and in which direction there are more.
pub(crate) struct Page {
    pub(crate) rows: Vec<Row>,
    pub(crate) next: Option<Paging>,
    pub(crate) previous: Option<Paging>,
}

impl Page {
    pub(crate) async fn load(
        state: &ApiState,
        declaration: &'static Declaration,
        listing: &Listing,
    ) -> Result<Self, Fault> {
        match state.store.list(declaration, listing).await {
            // A page beside something unknown is not an empty page that looks like the end.
            Err(StoreError::UnknownMarker(id)) => {
                Err(Refusal::NotFound { class: declaration.class, id }.into())
            }
            rows => Ok(Self::of(rows?, listing)),
        }
    }

    /// A page that is full has a neighbour on its far side, though that may turn out to be empty: so
    /// Neutron's clients know it, who read on until a page comes without one.
    fn of(rows: Vec<Row>, listing: &Listing) -> Self {
        let full = listing.limit.is_some_and(|limit| rows.len() >= limit as usize);
        // Without a limit there is one page.
        let limited = listing.limit.is_some();
        let (next, previous) = match listing.paging {
            Paging::After => (full, limited && listing.marker.is_some()),
            Paging::Before => (limited, full),
        };
        Self {
            rows,
            next: next.then_some(Paging::After),
            previous: previous.then_some(Paging::Before),
        }
    }

    /// `{"rel", "href"}` of the neighbours that there are: what the client asked, with another
    /// marker, which is a row's `key`. Beside an empty page is the end or the begin of all.
    pub(crate) fn links(&self, key: &str, uri: &Uri, headers: &HeaderMap) -> Vec<Value> {
        let link = |rel: &str, paging: Option<Paging>, row: Option<&Row>| {
            let (paging, marker) = (paging?, row.map(|row| row.text(key)));
            let base = base_url(headers);
            let href = listing::link(&base, uri.path(), uri.query(), marker, paging);
            Some(json!({"rel": rel, "href": href}))
        };
        let links = [
            link("next", self.next, self.rows.last()),
            link("previous", self.previous, self.rows.first()),
        ];
        links.into_iter().flatten().collect()
    }
}
