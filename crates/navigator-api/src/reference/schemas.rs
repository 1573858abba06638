//! The schemas of the document: for each resource what answers show, what a POST takes and what a PUT
//! takes; and what a refusal says.

use navigator_resources::{Attribute, AttributeValue as _, Declaration, OnCreate, attribute::Tags};
use serde_json::{Map, Value, json};

use super::{Described, resources};

/// 401 comes in Keystone's form, the others in Neutron's.
pub(super) fn error() -> Value {
    let text = || json!({"type": "string"});
    let refusal = json!({"type": "object", "required": ["type", "message", "detail"], "properties": {
        "type": {"type": "string", "description": "Clients select errors by it."},
        "message": text(),
        "detail": text(),
    }});
    let unauthorized = json!({"type": "object", "required": ["code", "title", "message"]});
    json!({"anyOf": [
        {"type": "object", "required": ["NeutronError"], "properties": {"NeutronError": refusal}},
        {"type": "object", "required": ["error"], "properties": {"error": unauthorized}},
    ]})
}

/// Of the tags of an object.
pub(super) fn tags() -> Value {
    Tags::schema()
}

/// What answers of the resource show, what a POST takes, and what a PUT takes.
pub(super) fn add(described: &Described, schemas: &mut Map<String, Value>) {
    let declaration = described.declaration;
    let api = || declaration.all().filter(|attribute| !attribute.internal);
    let mut shown = properties(api().filter(|a| a.visible), |a| (a.schema)());
    add_shown(described, &mut shown);
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
        schemas.insert(format!("{}{kind}", name(declaration)), schema);
    };
    insert("", shown, false);
    insert("Create", create, true);
    insert("Update", update, true);
}

/// What answers show beside the attributes.
fn add_shown(described: &Described, shown: &mut Value) {
    let shown = &mut shown["properties"];
    for momentary in described.momentary {
        shown[momentary.name] = (momentary.schema)();
        shown[momentary.name]["description"] = json!(momentary.docs);
    }
    for embedded in described.embedded {
        let items = reference((embedded.declaration)(), "");
        shown[embedded.name] = json!({"type": "array", "items": items});
    }
    for (name, schema) in described.reshaped {
        shown[*name] = schema();
    }
}

/// A resource's schema: what is shown, or what `Create` or `Update` takes.
pub(super) fn reference(declaration: &Declaration, kind: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{}{kind}", name(declaration))})
}

/// The class, or the name where several resources are of one class to those who read errors.
fn name(declaration: &Declaration) -> String {
    let of_class = |other: &&Described| other.declaration.class == declaration.class;
    if resources().iter().filter(of_class).count() == 1 {
        return declaration.class.to_owned();
    }
    let words = declaration.name.split('_').filter(|word| !word.is_empty());
    words.map(|word| word[..1].to_uppercase() + &word[1..]).collect()
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
