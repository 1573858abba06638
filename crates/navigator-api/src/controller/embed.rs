//! Rows as the caller may see them, with the objects of other resources that are shown inside them:
//! one statement for each kind of those, however many rows there are.

use std::collections::HashMap;

use navigator_resources::{Embedded, Moment, Row, Rules, SqlValue};
use navigator_store::Listing;

use super::CHUNK;
use crate::{
    fault::Fault,
    policy::Access,
    present::{Fields, Form},
    state::ApiState,
    turns::others_go_on,
};

/// What most objects take at most, in bytes: the text of a long list grows in one step.
const OBJECT: usize = 1280;

/// Appends the objects, with commas between them.
pub(crate) async fn present_all<R: Rules>(
    state: &ApiState,
    access: &mut Access<'_>,
    rows: &[Row],
    moment: &Moment<'_>,
    fields: &Fields,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let mut form = Form::of::<R>();
    R::embedded().iter().for_each(|embedded| form.give(embedded.name));
    let form = form.only(fields).without(access.hidden(rows).await?);
    let mut inner = Vec::new();
    for embedded in R::embedded() {
        let shown = form.shows(embedded.name);
        inner.push(load(state, embedded, if shown { rows } else { &[] }, moment).await?);
    }
    if fields.is_none() {
        out.reserve(rows.len() * OBJECT);
    }
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let mut given = Vec::new();
        for found in &mut inner {
            let mut items = found.remove(row.text("id")).unwrap_or_else(|| vec![b'[']);
            items.push(b']');
            given.push(items);
        }
        form.write(index, row, &given, moment, out)?;
        others_go_on(index + 1).await;
    }
    Ok(())
}

/// By the id of the object around them, each list by id and without its end.
async fn load(
    state: &ApiState,
    embedded: &Embedded,
    rows: &[Row],
    moment: &Moment<'_>,
) -> Result<HashMap<String, Vec<u8>>, Fault> {
    let declaration = (embedded.declaration)();
    let form = Form::embedded(embedded);
    let mut found: HashMap<String, Vec<u8>> = HashMap::new();
    let Some(attribute) = declaration.all().find(|a| a.column == embedded.column) else {
        return Ok(found);
    };
    for chunk in rows.chunks(CHUNK) {
        let outer = chunk.iter().map(|row| Some(SqlValue::from(row.text("id")))).collect();
        let listing = Listing { filters: vec![(attribute, outer)], ..Listing::default() };
        for row in state.store.list(declaration, &listing).await? {
            let items = found.entry(row.text(embedded.column).to_owned()).or_default();
            items.push(if items.is_empty() { b'[' } else { b',' });
            form.write(0, &row, &[], moment, items)?;
        }
    }
    Ok(found)
}
