//! From a request body to checked attributes, with Neutron's texts for everything that is wrong.

use axum::body::Bytes;
use navigator_resources::{Attribute, Caller, Declaration, OnCreate, Refusal};
use serde_json::{Map, Value};

use crate::fault::Fault;

pub(crate) type Attributes = Map<String, Value>;

/// Bodies above this are refused, in bytes.
pub(crate) const BODY_LIMIT: usize = 1 << 20;

/// More objects than this in one bulk POST are refused.
const BULK_LIMIT: usize = 10_000;

/// Objects and lists in one body. A single one can take a hundred times the memory of the few bytes that
/// it is written with; a bulk that says something needs more bytes for each.
const MOST_CONTAINERS: usize = 30_000;

/// One object or many, as the POST said it.
pub(crate) enum Posted {
    One(Attributes),
    Many(Vec<Attributes>),
}

/// Any JSON object.
pub(crate) fn object(bytes: &Bytes) -> Result<Attributes, Fault> {
    if bytes.is_empty() {
        return Err(Fault::bad_request("Resource body required"));
    }
    if containers(bytes) > MOST_CONTAINERS {
        return Err(Fault::TooLarge);
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(Fault::bad_request("Body contains invalid data")),
    }
}

/// Opening brackets outside of strings.
fn containers(bytes: &[u8]) -> usize {
    let (mut count, mut quoted, mut escaped) = (0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => count += 1,
            _ => {}
        }
    }
    count
}

fn attributes(value: Value) -> Result<Attributes, Fault> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(Fault::bad_request("Body contains invalid data")),
    }
}

pub(crate) fn posted(declaration: &Declaration, bytes: &Bytes) -> Result<Posted, Fault> {
    let mut body = object(bytes)?;
    if let Some(many) = body.remove(declaration.collection) {
        let Value::Array(items) = many else {
            return Err(Fault::bad_request("Body contains invalid data"));
        };
        if items.is_empty() {
            return Err(Fault::bad_request("Resources required"));
        }
        if items.len() > BULK_LIMIT {
            return Err(Fault::TooLarge);
        }
        let item = |item| attributes(item).and_then(|item| bare(declaration, item));
        return items.into_iter().map(item).collect::<Result<_, _>>().map(Posted::Many);
    }
    one(declaration, body).map(Posted::One)
}

/// Of many, each may be wrapped in its name as a single one is.
fn bare(declaration: &Declaration, mut item: Attributes) -> Result<Attributes, Fault> {
    if item.len() != 1 || declaration.attribute(declaration.name).is_some() {
        return Ok(item);
    }
    match item.remove(declaration.name) {
        Some(value) => attributes(value),
        None => Ok(item),
    }
}

/// The single object of a POST or PUT.
fn one(declaration: &Declaration, mut body: Attributes) -> Result<Attributes, Fault> {
    match body.remove(declaration.name) {
        Some(value) => attributes(value),
        None => Err(Fault::bad_request(format!(
            "Unable to find '{}' in request body",
            declaration.name
        ))),
    }
}

pub(crate) fn put(declaration: &Declaration, bytes: &Bytes) -> Result<Attributes, Fault> {
    let body = object(bytes)?;
    if body.contains_key(declaration.collection) && !body.contains_key(declaration.name) {
        return Err(Fault::bad_request("Bulk operation not supported"));
    }
    one(declaration, body)
}

/// `tenant_id` becomes `project_id`; both at once must agree.
fn project(attributes: &mut Attributes) -> Result<Option<Value>, Fault> {
    let tenant = attributes.remove("tenant_id");
    let project = attributes.remove("project_id");
    match (tenant, project) {
        (Some(tenant), Some(project)) if tenant != project => {
            Err(Fault::bad_request("'project_id' and 'tenant_id' do not match"))
        }
        (tenant, project) => Ok(project.or(tenant)),
    }
}

fn unrecognized(declaration: &Declaration, attributes: &Attributes) -> Result<(), Fault> {
    let mut unknown: Vec<_> = attributes
        .keys()
        .filter(|name| declaration.attribute(name).is_none())
        .map(String::as_str)
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    unknown.sort_unstable();
    Err(Fault::bad_request(format!("Unrecognized attribute(s) '{}'", unknown.join(", "))))
}

fn check(attribute: &Attribute, value: &Value) -> Result<(), Fault> {
    (attribute.check)(value).map_err(|reason| Refusal::invalid(attribute.name, reason).into())
}

/// Checks a POST's attributes and settles whose the object will be. `owner` is the parent's project
/// for a child resource: children belong to their parent's owner.
pub(crate) fn for_create(
    declaration: &Declaration,
    mut attributes: Attributes,
    caller: &Caller,
    owner: Option<&str>,
) -> Result<Attributes, Fault> {
    let named = project(&mut attributes)?;
    unrecognized(declaration, &attributes)?;
    for attribute in declaration.all() {
        create_attribute(attribute, &attributes)?;
    }
    if declaration.attribute("project_id").is_some() {
        let mine = Value::String(caller.project_id.0.clone());
        let project = named.unwrap_or_else(|| mine.clone());
        if !caller.is_admin && !caller.is_service && project != mine {
            return Err(Fault::bad_request(
                "Specifying 'project_id' other than the authenticated project in request is not \
                 allowed for the current user.",
            ));
        }
        if let Some(attribute) = declaration.attribute("project_id") {
            check(attribute, &project)?;
        }
        let project = owner.map_or(project, Value::from);
        // Of a caller whose token is for a domain or the whole system.
        if project == "" {
            return Err(Fault::bad_request("project_id is required: the token has no project"));
        }
        attributes.insert("project_id".to_owned(), project);
    } else if named.is_some() {
        return Err(Fault::bad_request("Unrecognized attribute(s) 'project_id'"));
    }
    Ok(attributes)
}

fn create_attribute(attribute: &Attribute, attributes: &Attributes) -> Result<(), Fault> {
    if attribute.internal || attribute.name == "project_id" {
        return Ok(());
    }
    let Some(value) = attributes.get(attribute.name) else {
        return match attribute.on_create {
            OnCreate::Required => Err(Fault::bad_request(format!(
                "Failed to parse request. Required attribute '{}' not specified",
                attribute.name
            ))),
            _ => Ok(()),
        };
    };
    if matches!(attribute.on_create, OnCreate::Refused) {
        return Err(Fault::bad_request(format!(
            "Attribute '{}' not allowed in POST",
            attribute.name
        )));
    }
    check(attribute, value)
}

/// Checks a PUT's attributes.
pub(crate) fn for_update(
    declaration: &Declaration,
    attributes: Attributes,
) -> Result<Attributes, Fault> {
    unrecognized(declaration, &attributes)?;
    for (name, value) in &attributes {
        let Some(attribute) = declaration.attribute(name) else { continue };
        if !attribute.update {
            return Err(Fault::bad_request(format!("Cannot update read-only attribute {name}")));
        }
        check(attribute, value)?;
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_are_none() {
        for (text, count) in [
            (r#"{"a": [1, {}]}"#, 3),
            (r#"{"[{": "]{\"[{"}"#, 1),
            (r#"{"a\\": [], "b": "\\"}"#, 2),
            ("", 0),
            (r#"[{"x"#, 2),
        ] {
            assert_eq!(containers(text.as_bytes()), count, "{text}");
        }
    }

    #[test]
    fn a_number_is_read_as_it_was_said() {
        for said in ["-5.5946709885262076e-245", "0.1", "1e300", "9007199254740993", "-0.0"] {
            let body = object(&Bytes::from(format!("{{\"a\":{said}}}"))).unwrap();
            let again = object(&Bytes::from(Value::Object(body.clone()).to_string())).unwrap();
            assert_eq!(body, again);
            let read = body["a"].as_f64().unwrap();
            assert_eq!(read.to_bits(), said.parse::<f64>().unwrap().to_bits(), "{said}");
        }
    }

    #[test]
    fn many_small_containers_are_refused_before_they_are_made() {
        let bytes = |count| Bytes::from(format!("{{\"a\": [{}1]}}", "{},".repeat(count)));
        assert!(object(&bytes(MOST_CONTAINERS - 2)).is_ok());
        assert!(matches!(object(&bytes(MOST_CONTAINERS)), Err(Fault::TooLarge)));
    }
}
