//! `GET` of a collection: filtered, sorted, in pages with links to their neighbours.

use axum::{
    Extension,
    extract::{OriginalUri, Path, State},
    http::HeaderMap,
};
use navigator_policy::Outcome;
use navigator_resources::{Caller, Declaration, Lazy, Refusal, Rules};
use navigator_store::{Listing, Paging};
use serde_json::Value;

use super::{Answer, Ids, access, embed::present_all, scoped};
use crate::{
    fault::Fault,
    listing::{self, Parameters},
    page::Page,
    policy::Access,
    present::{self, JsonText},
    state::{ApiState, now},
};

pub(crate) async fn list<R: Rules>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(ids): Path<Ids>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Answer {
    let declaration = R::declaration();
    let (mut access, _) = access::<R>(&state, &caller, &ids).await?;
    let parameters = Parameters::parse(uri.query())?;
    if let Some(lazy) = R::lazy() {
        make_missing(&state, declaration, &caller, &lazy).await?;
    }
    let moment = present::moment(&state);
    let momentary = |name: &str| {
        let known = R::momentary().iter().find(|momentary| momentary.name == name)?;
        known.filter.map(|filter| filter(&moment))
    };
    let mut listing = listing::listing(declaration, &parameters, &access, &momentary)?;
    listing.conditions.extend(scoped::<R>(&ids));
    listing.limit = match (listing.limit, state.settings.pagination_max_limit) {
        (Some(wanted), Some(most)) => Some(wanted.min(most)),
        (wanted, most) => wanted.or(most),
    };
    let page = seen_page::<R>(&state, &mut access, listing).await?;
    let fields = parameters.fields();
    let mut answer = JsonText::object(declaration.collection);
    answer.text().push(b'[');
    present_all::<R>(&state, &mut access, &page.rows, &moment, &fields, answer.text()).await?;
    answer.text().push(b']');
    let links = page.links(declaration.key, &uri, &headers);
    if !links.is_empty() {
        answer.member(&format!("{}_links", declaration.collection));
        answer.text().extend_from_slice(Value::Array(links).to_string().as_bytes());
    }
    Ok(answer.end())
}

/// The page asked for, without what the caller may not see. So it may be short, but it is only
/// empty at the end.
async fn seen_page<R: Rules>(
    state: &ApiState,
    access: &mut Access<'_>,
    mut listing: Listing,
) -> Result<Page, Fault> {
    let rule = access.rule("get");
    if access.always(&rule) == Outcome::Deny {
        return Ok(Page { rows: Vec::new(), next: None, previous: None });
    }
    // A filter on what the caller does not see of an object must not tell what it is.
    let asked = listing.filters.iter().map(|(a, _)| *a).chain(listing.sort.iter().map(|(a, _)| *a));
    let open: Vec<String> = asked.filter_map(|attribute| access.open_rule(attribute)).collect();
    if let Some(marker) = listing.marker.as_deref().filter(|_| listing.visible_to.is_none()) {
        let mut conditions = listing.conditions.clone();
        conditions.push((R::declaration().key, marker.into()));
        if access.find(conditions).await?.is_none() {
            return Err(Refusal::not_found::<R>(marker).into());
        }
    }
    loop {
        let page = Page::load(state, R::declaration(), &listing).await?;
        let beyond = match listing.paging {
            Paging::After => page.next.and(page.rows.last()),
            Paging::Before => page.previous.and(page.rows.first()),
        };
        let beyond = beyond.map(|row| row.text(R::declaration().key).to_owned());
        let mut rows = access.seen(page.rows).await?;
        for rule in &open {
            rows = access.retain(rows, rule).await?;
        }
        if !rows.is_empty() || beyond.is_none() {
            return Ok(Page { rows, ..page });
        }
        listing.marker = beyond;
    }
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
