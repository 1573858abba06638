//! The OpenAPI 3.1 document.

use std::sync::OnceLock;

use axum::Json;
use navigator_resources::{Attribute, Declaration, OnCreate};
use serde_json::{Map, Value, json};

use super::{Described, fixed::FIXED, resources, spaced};

/// `GET /openapi.json`: without a token, as the version documents.
pub(crate) async fn serve() -> Json<&'static Value> {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    Json(DOCUMENT.get_or_init(document))
}

fn document() -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for described in &resources() {
        add_resource(described, &mut paths);
        add_schemas(described.declaration, &mut schemas);
    }
    for route in FIXED {
        let mut operation = operation(route.summary, route.path);
        operation["responses"] = responses(route.status, json!({}));
        // Whoever asks for versions or health is asked nothing.
        if !route.path.starts_with("/v2.0") {
            operation["security"] = json!([]);
        }
        insert(&mut paths, route.path, route.method, operation);
    }
    schemas.insert("NeutronError".to_owned(), error_schema());
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

fn error_schema() -> Value {
    // 401 comes in Keystone's form, the others in Neutron's.
    json!({"type": "object", "properties": {
        "NeutronError": {"type": "object", "required": ["type", "message", "detail"], "properties": {
            "type": {"type": "string", "description": "Clients select errors by it."},
            "message": {"type": "string"},
            "detail": {"type": "string"},
        }},
        "error": {"type": "object"},
    }})
}

fn content(schema: Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

fn insert(paths: &mut Map<String, Value>, path: &str, method: &str, operation: Value) {
    let at = paths.entry(path.to_owned()).or_insert_with(|| json!({}));
    at[method] = operation;
}

/// With the ids in its path as parameters.
fn operation(summary: &str, path: &str) -> Value {
    let parameters: Vec<Value> = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            json!({"name": name, "in": "path", "required": true,
                           "schema": {"type": "string", "minLength": 1}})
        })
        .collect();
    json!({"summary": summary, "parameters": parameters})
}

/// Every refusal that any operation may answer with: which one depends on policy, quota, state and
/// load as much as on the request.
const REFUSALS: &[u16] = &[400, 401, 403, 404, 405, 408, 409, 412, 413, 414, 431, 501, 503];

fn responses(success: u16, schema: Value) -> Value {
    let mut responses = Map::new();
    let mut good = json!({"description": "Done."});
    if success != 204 {
        good["content"] = content(schema);
    }
    responses.insert(success.to_string(), good);
    for status in REFUSALS {
        let refused = json!({"$ref": "#/components/responses/Refused"});
        responses.insert(status.to_string(), refused);
    }
    Value::Object(responses)
}

fn reference(declaration: &Declaration, kind: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{}{kind}", declaration.class)})
}

fn object(key: &str, value: Value) -> Value {
    json!({"type": "object", "required": [key], "properties": { key: value }})
}

fn add_resource(described: &Described, paths: &mut Map<String, Value>) {
    let declaration = described.declaration;
    let name = spaced(declaration.name);
    let collection = declaration.url("{parent}");
    let member = format!("{collection}/{{id}}");
    let (one, many) = (declaration.name, declaration.collection);
    let shown = reference(declaration, "");

    let mut list = operation(&format!("List {}", spaced(many)), &collection);
    add_query(declaration, &mut list);
    let items = json!({"type": "array", "items": shown});
    list["responses"] = responses(200, object(many, items.clone()));
    insert(paths, &collection, "get", list);

    if declaration.verbs.create {
        let mut create = operation(&format!("Create a {name}, or several"), &collection);
        let input = reference(declaration, "Create");
        create["requestBody"] = json!({"required": true, "content": content(json!({"anyOf": [
            object(one, input.clone()),
            object(many, json!({"type": "array", "minItems": 1, "items": input})),
        ]}))});
        let either = json!({"anyOf": [object(one, shown.clone()), object(many, items)]});
        create["responses"] = responses(201, either);
        insert(paths, &collection, "post", create);
    }

    let mut show = operation(&format!("Show a {name}"), &member);
    show["responses"] = responses(200, object(one, shown.clone()));
    insert(paths, &member, "get", show);
    if declaration.verbs.update {
        let mut update = operation(&format!("Update a {name}"), &member);
        let body = object(one, reference(declaration, "Update"));
        update["requestBody"] = json!({"required": true, "content": content(body)});
        update["responses"] = responses(200, object(one, shown));
        insert(paths, &member, "put", update);
    }
    if declaration.verbs.delete {
        let mut delete = operation(&format!("Delete a {name}"), &member);
        delete["responses"] = responses(204, Value::Null);
        insert(paths, &member, "delete", delete);
    }
    if declaration.tags {
        add_tags(&member, &name, paths);
    }
    for action in &described.actions {
        let path = format!("{member}/{action}");
        let mut act = operation(&format!("{} of a {name}", spaced(action)), &path);
        let body = content(json!({"type": "object"}));
        act["requestBody"] = json!({"required": true, "content": body});
        act["responses"] = responses(200, json!({}));
        insert(paths, &path, "put", act);
    }
}

fn add_tags(member: &str, name: &str, paths: &mut Map<String, Value>) {
    let all = format!("{member}/tags");
    let one = format!("{all}/{{tag}}");
    for (path, method, summary, status) in [
        (&all, "get", "List the tags", 200),
        (&all, "put", "Replace the tags", 200),
        (&all, "post", "Add tags to those", 200),
        (&all, "delete", "Remove the tags", 204),
        (&one, "get", "Ask for one of the tags", 204),
        (&one, "put", "Add one to the tags", 201),
        (&one, "delete", "Remove one of the tags", 204),
    ] {
        let mut tags = operation(&format!("{summary} of a {name}"), path);
        tags["responses"] = responses(status, json!({}));
        insert(paths, path, method, tags);
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
    let text = || json!({"type": "string"});
    let texts = || json!({"type": "array", "items": {"type": "string"}});
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
    push("marker", text(), "Id of the object before the page.");
    push("page_reverse", json!({"type": "boolean"}), "The page before the marker.");
}

fn add_schemas(declaration: &Declaration, schemas: &mut Map<String, Value>) {
    let api = || declaration.all().filter(|attribute| !attribute.internal);
    let shown = properties(api().filter(|a| a.visible), |a| (a.schema)());
    let create = api().filter(|a| !matches!(a.on_create, OnCreate::Refused));
    let mut create = properties(create, |a| {
        let mut schema = (a.input_schema)();
        if let OnCreate::Default(default) = a.on_create {
            schema["default"] = default();
        }
        schema
    });
    let required: Vec<&str> = api()
        .filter(|a| matches!(a.on_create, OnCreate::Required) && a.name != "project_id")
        .map(|a| a.name)
        .collect();
    if !required.is_empty() {
        create["required"] = json!(required);
    }
    let update = properties(api().filter(|a| a.update), |a| (a.input_schema)());
    let mut insert = |kind: &str, mut schema: Value, closed: bool| {
        if closed {
            schema["additionalProperties"] = json!(false);
        }
        schema["description"] = json!(declaration.docs);
        schemas.insert(format!("{}{kind}", declaration.class), schema);
    };
    insert("", shown, false);
    insert("Create", create, true);
    insert("Update", update, true);
}

fn properties(
    attributes: impl Iterator<Item = &'static Attribute>,
    schema: impl Fn(&Attribute) -> Value,
) -> Value {
    let mut properties = Map::new();
    for attribute in attributes {
        let mut schema = schema(attribute);
        if !attribute.docs.is_empty() {
            schema["description"] = json!(attribute.docs);
        }
        if attribute.name == "project_id" {
            properties.insert("tenant_id".to_owned(), schema.clone());
        }
        properties.insert(attribute.name.to_owned(), schema);
    }
    json!({"type": "object", "properties": properties})
}
