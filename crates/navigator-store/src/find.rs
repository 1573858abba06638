//! Single objects by their key. Who asks for one while others of its kind are on their way waits for these,
//! and the first of those who wait asks for all of them by one statement: sixteen clients are a few questions
//! to the database. Nobody is answered by a statement that began before he asked.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use navigator_model::ProjectId;
use navigator_resources::{Attribute, Declaration, Row, SqlType, SqlValue};
use tokio::sync::oneshot;

use crate::{
    backend::Backend,
    error::StoreError,
    listing::{Columns, Listing, list},
    table::column,
};

/// Statements of one kind at the same time: one that is worked on, and one on its way.
const AT_ONCE: usize = 2;
/// Objects of one statement.
const MOST: usize = 16;

/// What objects that one statement finds have in common.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    table: &'static str,
    columns: Columns,
    conditions: Vec<(&'static str, SqlValue)>,
    visible_to: Option<ProjectId>,
    viewer: ProjectId,
}

#[derive(Clone, Default)]
pub(crate) struct Finds(Arc<Mutex<HashMap<Kind, Asked>>>);

#[derive(Default)]
struct Asked {
    under_way: usize,
    waiting: Vec<Waiting>,
}

/// The key, and who wants to hear of it.
type Waiting = (String, oneshot::Sender<Told>);

enum Told {
    Found(Option<Row>),
    /// It is the next one that asks, for these too.
    Asks(UnderWay, Vec<Waiting>),
}

/// One of the statements that are under way. At its end the next one may go.
struct UnderWay {
    finds: Finds,
    kind: Kind,
}

impl Finds {
    /// The object with these values in these columns, if it may be seen.
    pub(crate) async fn find(
        &self,
        backend: &Backend,
        declaration: &'static Declaration,
        listing: Listing,
    ) -> Result<Option<Row>, StoreError> {
        let attribute = column(declaration, declaration.key)?;
        let Some((kind, key)) = kind(declaration, attribute, &listing) else {
            return Ok(list(backend, declaration, &listing).await?.pop());
        };
        let (under_way, company) = match self.join(&kind, &key) {
            Ok(under_way) => (under_way, Vec::new()),
            Err(told) => match told.await {
                Ok(Told::Found(row)) => return Ok(row),
                Ok(Told::Asks(under_way, company)) => (under_way, company),
                // Whoever asked was told of an error, or went away.
                Err(_) => return Ok(list(backend, declaration, &listing).await?.pop()),
            },
        };
        let rows = list(backend, declaration, &with(listing, attribute, &company)).await?;
        drop(under_way);
        let is = |row: &Row, key: &str| row.text(attribute.column) == key;
        for (key, asker) in company {
            let found = rows.iter().find(|row| is(row, &key)).cloned();
            // Who went away wants to know no longer.
            let _ = asker.send(Told::Found(found));
        }
        Ok(rows.into_iter().find(|row| is(row, &key)))
    }

    /// Now, or when somebody tells.
    fn join(&self, kind: &Kind, key: &str) -> Result<UnderWay, oneshot::Receiver<Told>> {
        let mut asked = self.asked();
        let of_kind = asked.entry(kind.clone()).or_default();
        if of_kind.under_way < AT_ONCE {
            of_kind.under_way += 1;
            return Ok(UnderWay { finds: self.clone(), kind: kind.clone() });
        }
        let (asker, told) = oneshot::channel();
        of_kind.waiting.push((key.to_owned(), asker));
        Err(told)
    }

    /// The first of those who wait, and those who go along. Without any, one less is under way.
    fn next(&self, kind: &Kind) -> Option<(oneshot::Sender<Told>, Vec<Waiting>)> {
        let mut asked = self.asked();
        let of_kind = asked.get_mut(kind)?;
        let together = of_kind.waiting.len().min(MOST);
        let mut company = of_kind.waiting.drain(..together);
        if let Some((_, asker)) = company.next() {
            return Some((asker, company.collect()));
        }
        drop(company);
        of_kind.under_way -= 1;
        if of_kind.under_way == 0 {
            asked.remove(kind);
        }
        None
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<Kind, Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some((asker, company)) = self.finds.next(&self.kind) {
            let next = Self { finds: self.finds.clone(), kind: self.kind.clone() };
            // Who has gone away gives it back at once, and his company asks for itself.
            let _ = asker.send(Told::Asks(next, company));
        }
    }
}

/// What it is one of, and its key. `None`: it is found by something else.
fn kind(
    declaration: &'static Declaration,
    attribute: &Attribute,
    listing: &Listing,
) -> Option<(Kind, String)> {
    let (keys, others): (Vec<_>, Vec<_>) =
        listing.conditions.iter().cloned().partition(|(column, _)| *column == attribute.column);
    let [(_, SqlValue::Text(key))] = &keys[..] else { return None };
    let kind = Kind {
        table: declaration.table,
        columns: listing.columns,
        conditions: others,
        visible_to: listing.visible_to.clone(),
        viewer: listing.viewer.clone(),
    };
    (attribute.sql == SqlType::Text).then(|| (kind, key.clone()))
}

/// The same listing for more keys.
fn with(mut listing: Listing, attribute: &'static Attribute, company: &[Waiting]) -> Listing {
    if company.is_empty() {
        return listing;
    }
    let mut keys: Vec<Option<SqlValue>> =
        company.iter().map(|(key, _)| Some(key.as_str().into())).collect();
    listing.conditions.retain(|(column, value)| {
        let is_key = *column == attribute.column;
        if is_key {
            keys.push(Some(value.clone()));
        }
        !is_key
    });
    listing.filters.push((attribute, keys));
    listing
}
