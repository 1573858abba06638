//! From rows to the JSON that a caller may see.

use std::collections::BTreeSet;

use navigator_resources::{
    AttributeValue as _, DecodeError, Row, Rules, Settings, attribute::Tags,
};
use serde_json::Value;

use crate::state::{ApiState, now};

/// Which attributes a request asked for; `None` is all.
pub(crate) type Fields = Option<BTreeSet<String>>;

/// When it is looked at, and under which settings.
pub(crate) struct View<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) now: String,
}

impl<'a> View<'a> {
    pub(crate) fn of(state: &'a ApiState) -> Self {
        Self { settings: &state.settings, now: now() }
    }
}

/// One row as the caller may see it: without what is hidden.
pub(crate) fn present<R: Rules>(
    row: &Row,
    hidden: &[String],
    view: &View<'_>,
    fields: &Fields,
) -> Result<Value, DecodeError> {
    let object = R::from_row(row)?;
    let mut map = object.to_json();
    for (name, value) in object.momentary(&view.now, view.settings) {
        map.insert(name.to_owned(), value);
    }
    if R::declaration().tags {
        let tags = Tags::from_sql(row.get("tags")).unwrap_or_default();
        map.insert("tags".to_owned(), tags.to_json());
    }
    for name in hidden {
        map.remove(name);
    }
    if let Some(project) = map.get("project_id").cloned() {
        map.insert("tenant_id".to_owned(), project);
    }
    if let Some(fields) = fields {
        map.retain(|name, _| fields.contains(name));
    }
    Ok(Value::Object(map))
}
