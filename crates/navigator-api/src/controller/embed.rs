//! Rows as the caller may see them, with the objects of other resources that are shown inside them:
//! one statement for each kind of those, however many rows there are.

use std::collections::HashMap;

use navigator_resources::{Embedded, Row, Rules, SqlValue};
use navigator_store::Listing;
use serde_json::Value;

use super::CHUNK;
use crate::{
    fault::Fault,
    policy::Access,
    present::{Fields, View, present},
    state::ApiState,
};

pub(crate) async fn present_all<R: Rules>(
    state: &ApiState,
    access: &mut Access<'_>,
    rows: &[Row],
    view: &View<'_>,
    fields: &Fields,
) -> Result<Vec<Value>, Fault> {
    let hidden = access.hidden(rows).await?;
    let mut values: Vec<Value> = rows
        .iter()
        .zip(hidden)
        .map(|(row, hidden)| present::<R>(row, &hidden, view, fields))
        .collect::<Result<_, _>>()?;
    for embedded in R::embedded() {
        if fields.as_ref().is_some_and(|fields| !fields.contains(embedded.name)) {
            continue;
        }
        let mut inner = load(state, embedded, rows).await?;
        for (row, value) in rows.iter().zip(&mut values) {
            let items = inner.remove(row.text("id")).unwrap_or_default();
            value[embedded.name] = Value::Array(items);
        }
    }
    Ok(values)
}

/// By the id of the object around them, each list by id.
async fn load(
    state: &ApiState,
    embedded: &Embedded,
    rows: &[Row],
) -> Result<HashMap<String, Vec<Value>>, Fault> {
    let declaration = (embedded.declaration)();
    let mut found: HashMap<String, Vec<Value>> = HashMap::new();
    let Some(attribute) = declaration.all().find(|a| a.column == embedded.column) else {
        return Ok(found);
    };
    for chunk in rows.chunks(CHUNK) {
        let outer = chunk.iter().map(|row| Some(SqlValue::from(row.text("id")))).collect();
        let listing = Listing { filters: vec![(attribute, outer)], ..Listing::default() };
        for row in state.store.list(declaration, &listing).await? {
            let mut shown = (embedded.show)(&row)?;
            if let Some(project) = shown.get("project_id").cloned() {
                shown.insert("tenant_id".to_owned(), project);
            }
            let outer = row.text(embedded.column).to_owned();
            found.entry(outer).or_default().push(Value::Object(shown));
        }
    }
    Ok(found)
}
