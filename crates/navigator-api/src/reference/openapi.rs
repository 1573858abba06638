//! The OpenAPI 3.1 document.

use std::sync::OnceLock;

use axum::Json;
use navigator_resources::Declaration;
use serde_json::{Map, Value, json};

use super::{
    Described, actions,
    fixed::{self, Answer, FIXED, Fixed},
    links, resources,
    schemas::{self, reference},
    spaced,
};

/// `GET /openapi.json`: without a token, as the version documents.
pub(crate) async fn serve() -> Json<&'static Value> {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    Json(DOCUMENT.get_or_init(document))
}

fn document() -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    let resources = resources();
    for described in &resources {
        add_resource(described, &resources, &mut paths);
        schemas::add(described, &mut schemas);
    }
    for route in FIXED {
        insert(&mut paths, route.path, route.method, fixed_operation(route));
    }
    schemas.insert("NeutronError".to_owned(), schemas::error());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Navigator",
            "description": "The OpenStack Networking (Neutron) v2.0 API as Navigator serves it.",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"basic": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {"Refused": {
                "description": "Refused; `type` says why.",
                "content": content(json!({"$ref": "#/components/schemas/NeutronError"})),
            }},
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
    })
}

fn content(schema: Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

fn plain_text() -> Value {
    json!({"text/plain": {"schema": fixed::text()}})
}

fn insert(paths: &mut Map<String, Value>, path: &str, method: &str, operation: Value) {
    let at = paths.entry(path.to_owned()).or_insert_with(|| json!({}));
    at[method] = operation;
}

/// With the ids in its path as parameters.
fn operation(name: String, summary: &str, path: &str) -> Value {
    let parameters: Vec<Value> = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            json!({"name": name, "in": "path", "required": true,
                           "schema": {"type": "string", "minLength": 1}})
        })
        .collect();
    json!({"operationId": name, "summary": summary, "parameters": parameters})
}

fn body(schema: Value) -> Value {
    json!({"required": true, "content": content(schema)})
}

fn fixed_operation(route: &Fixed) -> Value {
    let words = route.summary.split(|c: char| !c.is_ascii_alphabetic()).filter(|w| !w.is_empty());
    let name = words.map(str::to_lowercase).collect::<Vec<_>>().join("_");
    let mut operation = operation(name, route.summary, route.path);
    if let Some(asked) = route.asks {
        operation["requestBody"] = body(asked());
    }
    let answer = match route.answers {
        Answer::Nothing => None,
        Answer::Text => Some(plain_text()),
        Answer::Json(schema) => Some(content(schema())),
    };
    operation["responses"] = responses(route.status, answer);
    // Whoever asks for versions or health is asked nothing.
    if !route.path.starts_with("/v2.0") {
        operation["security"] = json!([]);
        let unready = json!({"description": "Not now.", "content": plain_text()});
        operation["responses"]["503"] = unready;
    }
    operation
}

/// Every refusal that any operation may answer with: which one depends on policy, quota, state and
/// load as much as on the request.
const REFUSALS: &[u16] = &[400, 401, 403, 404, 405, 408, 409, 412, 413, 414, 431, 501, 503];

fn responses(success: u16, content: Option<Value>) -> Value {
    let mut responses = Map::new();
    let mut good = json!({"description": "Done."});
    if let Some(content) = content {
        good["content"] = content;
    }
    responses.insert(success.to_string(), good);
    for status in REFUSALS {
        let refused = json!({"$ref": "#/components/responses/Refused"});
        responses.insert(status.to_string(), refused);
    }
    Value::Object(responses)
}

fn answered(success: u16, schema: Value) -> Value {
    responses(success, Some(content(schema)))
}

fn add_resource(described: &Described, all: &[Described], paths: &mut Map<String, Value>) {
    let declaration = described.declaration;
    let name = spaced(declaration.name);
    let collection = declaration.url("{parent}");
    let member = format!("{collection}/{{id}}");
    let operation = |verb: &str, summary: String, path: &str| {
        operation(links::operation(verb, declaration), &summary, path)
    };
    let one = || fixed::holding(declaration.name, reference(declaration, ""));

    let many = spaced(declaration.collection);
    let mut list = operation("list", format!("List {many}"), &collection);
    add_query(declaration, &mut list);
    list["responses"] = answered(200, page(declaration));
    insert(paths, &collection, "get", list);
    if declaration.verbs.create {
        let mut create = operation("create", format!("Create a {name}, or several"), &collection);
        create["requestBody"] = body(one_or_many(declaration, "Create"));
        create["responses"] = answered(201, one_or_many(declaration, ""));
        create["responses"]["201"]["links"] = links::of_created(described, all);
        insert(paths, &collection, "post", create);
    }

    let mut show = operation("show", format!("Show a {name}"), &member);
    show["responses"] = answered(200, one());
    insert(paths, &member, "get", show);
    if declaration.verbs.update {
        let mut update = operation("update", format!("Update a {name}"), &member);
        let input = reference(declaration, "Update");
        update["requestBody"] = body(fixed::holding(declaration.name, input));
        update["responses"] = answered(200, one());
        insert(paths, &member, "put", update);
    }
    if declaration.verbs.delete {
        let mut delete = operation("delete", format!("Delete a {name}"), &member);
        delete["responses"] = responses(204, None);
        insert(paths, &member, "delete", delete);
    }
    if declaration.tags {
        add_tags(declaration, &member, paths);
    }
    add_actions(described, &member, paths);
}

/// An object of the resource, or a list of them under the collection's name.
fn one_or_many(declaration: &Declaration, kind: &str) -> Value {
    let item = reference(declaration, kind);
    let mut items = fixed::list(item.clone());
    items["minItems"] = json!(1);
    json!({"anyOf": [
        fixed::holding(declaration.name, item),
        fixed::holding(declaration.collection, items),
    ]})
}

/// A list, with links where it is one page of several.
fn page(declaration: &Declaration) -> Value {
    let items = fixed::list(reference(declaration, ""));
    let mut page = fixed::holding(declaration.collection, items);
    page["properties"][format!("{}_links", declaration.collection)] = fixed::links();
    page
}

fn add_actions(described: &Described, member: &str, paths: &mut Map<String, Value>) {
    let declaration = described.declaration;
    for action in &described.actions {
        let path = format!("{member}/{action}");
        let summary = format!("{} of a {}", spaced(action), spaced(declaration.name));
        let mut act = operation(links::operation_on(declaration, action), &summary, &path);
        let any = || json!({"type": "object"});
        act["requestBody"] = body(actions::body(action).unwrap_or_else(any));
        act["responses"] = answered(200, actions::answer(action));
        insert(paths, &path, "put", act);
    }
}

fn add_tags(declaration: &Declaration, member: &str, paths: &mut Map<String, Value>) {
    let name = spaced(declaration.name);
    let (all, one) = (format!("{member}/tags"), format!("{member}/tags/{{tag}}"));
    let tags = || fixed::holding("tags", schemas::tags());
    for (path, method, what, summary, status) in [
        (&all, "get", "show_tags", "List the tags", 200),
        (&all, "put", "replace_tags", "Replace the tags", 200),
        (&all, "post", "add_tags", "Add tags to those", 200),
        (&all, "delete", "remove_tags", "Remove the tags", 204),
        (&one, "get", "show_tag", "Ask for one of the tags", 204),
        (&one, "put", "add_tag", "Add one to the tags", 201),
        (&one, "delete", "remove_tag", "Remove one of the tags", 204),
    ] {
        let summary = format!("{summary} of a {name}");
        let mut operation = operation(links::operation_on(declaration, what), &summary, path);
        if matches!(what, "replace_tags" | "add_tags") {
            operation["requestBody"] = body(tags());
        }
        let answer = (status == 200).then(|| content(tags()));
        operation["responses"] = responses(status, answer);
        insert(paths, path, method, operation);
    }
}

/// Filters, sorting, fields, pages.
fn add_query(declaration: &Declaration, list: &mut Value) {
    let Some(parameters) = list["parameters"].as_array_mut() else { return };
    let mut push = |name: &str, schema: Value, description: &str| {
        parameters.push(json!({
            "name": name, "in": "query", "schema": schema, "description": description,
        }));
    };
    let texts = || fixed::list(fixed::text());
    for attribute in declaration.all().filter(|a| a.filter && !a.internal) {
        push(attribute.name, texts(), "Only those with this value, or one of these.");
    }
    let sorted: Vec<&str> =
        declaration.all().filter(|a| a.sort && !a.internal).map(|a| a.name).collect();
    let keys = json!({"type": "array", "items": {"type": "string", "enum": sorted}});
    push("sort_key", keys, "Sort by these; as many `sort_dir`.");
    let directions = json!({"type": "array", "items": {"enum": ["asc", "desc"]}});
    push("sort_dir", directions, "Direction of each `sort_key`.");
    push("fields", texts(), "Show only these attributes.");
    push("limit", json!({"type": "integer", "minimum": 0}), "At most so many; 0: no limit.");
    push("marker", fixed::text(), "Id of the object before the page.");
    push("page_reverse", json!({"type": "boolean"}), "The page before the marker.");
}
