//! Where a created object leads: the operations that take its id, so that a client, or a tester,
//! that follows the document need not guess ids.

use navigator_resources::Declaration;
use serde_json::{Map, Value, json};

use super::Described;

/// Names of operations: `create_network`.
pub(super) fn operation(verb: &str, declaration: &Declaration) -> String {
    format!("{verb}_{}", declaration.policy_name())
}

/// Of an action, or of what is done to tags.
pub(super) fn operation_on(declaration: &Declaration, what: &str) -> String {
    format!("{}_{what}", declaration.policy_name())
}

/// Of the answer to a POST of one object.
pub(super) fn of_created(described: &Described, all: &[Described]) -> Value {
    let declaration = described.declaration;
    let id = format!("$response.body#/{}/{}", declaration.name, declaration.key);
    let mut member = json!({ "id": id });
    if declaration.parent.is_some() {
        member["parent"] = json!("$request.path.parent");
    }
    let mut links = Map::new();
    let mut lead = |operation: String, parameters: &Value| {
        let link = json!({"operationId": operation, "parameters": parameters});
        links.insert(operation, link);
    };
    lead(operation("show", declaration), &member);
    if declaration.verbs.update {
        lead(operation("update", declaration), &member);
    }
    if declaration.verbs.delete {
        lead(operation("delete", declaration), &member);
    }
    for action in &described.actions {
        lead(operation_on(declaration, action), &member);
    }
    if declaration.tags {
        lead(operation_on(declaration, "show_tags"), &member);
        lead(operation_on(declaration, "replace_tags"), &member);
    }
    for child in all.iter().map(|child| child.declaration) {
        let of = child.parent.as_ref().map(|parent| (parent.declaration)().table);
        if of == Some(declaration.table) {
            let parameters = json!({ "parent": id });
            lead(operation("list", child), &parameters);
            if child.verbs.create {
                lead(operation("create", child), &parameters);
            }
        }
    }
    Value::Object(links)
}
