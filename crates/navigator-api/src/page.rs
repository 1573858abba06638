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
        // One more than asked for tells whether there is another page.
        let longer = Listing { limit: listing.limit.map(|limit| limit + 1), ..listing.clone() };
        match state.store.list(declaration, &longer).await {
            // A page beside something unknown is not an empty page that looks like the end.
            Err(StoreError::UnknownMarker(id)) => {
                Err(Refusal::NotFound { class: declaration.class, id }.into())
            }
            rows => Ok(Self::of(rows?, listing)),
        }
    }

    /// `rows` is one longer than the limit if there are more.
    fn of(mut rows: Vec<Row>, listing: &Listing) -> Self {
        let limit = listing.limit.map_or(usize::MAX, |limit| limit as usize);
        let more = rows.len() > limit;
        if more {
            match listing.paging {
                Paging::After => rows.truncate(limit),
                Paging::Before => drop(rows.drain(..rows.len() - limit)),
            }
        }
        // Without a limit there is one page.
        let marked = listing.limit.is_some() && listing.marker.is_some();
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

    /// `{"rel", "href"}` of the neighbours that there are: what the client asked, with another
    /// marker, which is a row's `key`.
    pub(crate) fn links(&self, key: &str, uri: &Uri, headers: &HeaderMap) -> Vec<Value> {
        let link = |rel: &str, paging: Option<Paging>, row: Option<&Row>| {
            let (paging, marker) = (paging?, row?.text(key));
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
