//! From rows to the JSON that a caller may see.

use std::collections::BTreeSet;

use navigator_resources::{Caller, DecodeError, Declaration, Resource, Row};
use serde_json::{Map, Value};

/// Which attributes a request asked for; `None` is all.
pub(crate) type Fields = Option<BTreeSet<String>>;

/// One row as the caller may see it.
pub(crate) fn present<R: Resource>(
    row: &Row,
    caller: &Caller,
    fields: &Fields,
) -> Result<Value, DecodeError> {
    let mut map = R::from_row(row)?.to_json();
    hide_admin_attributes(R::declaration(), caller, &mut map);
    if let Some(project) = map.get("project_id").cloned() {
        map.insert("tenant_id".to_owned(), project);
    }
    if let Some(fields) = fields {
        map.retain(|name, _| fields.contains(name));
    }
    Ok(Value::Object(map))
}

fn hide_admin_attributes(
    declaration: &Declaration,
    caller: &Caller,
    map: &mut Map<String, Value>,
) {
    if caller.is_admin {
        return;
    }
    for attribute in declaration.all().filter(|attribute| attribute.admin.get) {
        map.remove(attribute.name);
    }
}
