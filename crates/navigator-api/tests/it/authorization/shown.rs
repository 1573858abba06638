//! What answers show of one of each resource, against the schemas of `GET /openapi.json`: each names
//! the other's members, so that no attribute is shown unsaid and none is promised in vain.

use std::collections::BTreeSet;

use serde_json::Value;

use super::world::World;
use crate::cloud::{Backend, Cloud};

pub(super) async fn run(on: Backend) {
    let world = World::new(on).await;
    let document = document(&world.cloud).await;
    let admin = world.people.called("admin");
    for kind in &world.kinds {
        let declaration = kind.declaration;
        let path = format!("{}/{{id}}", declaration.url("{parent}"));
        let shown = &document["paths"][&path]["get"]["responses"]["200"]["content"];
        let schema = &shown["application/json"]["schema"]["properties"][declaration.name];
        let schema = document.pointer(&schema["$ref"].as_str().unwrap()[1..]).unwrap();
        let url =
            format!("{}/{}", world.collection(declaration, 1), world.sites[1].objects[&kind.name]);
        let answer = world.ask_as(admin, "GET", &url, &Value::Null, false).await.expect(200);
        let said = names(&schema["properties"]);
        let object = names(&answer[declaration.name]);
        let unsaid: Vec<_> = object.difference(&said).collect();
        assert!(unsaid.is_empty(), "{}: {unsaid:?} not in the document", kind.name);
        let absent = said.difference(&object).filter(|name| !is_exclusive(&kind.name, name));
        assert_eq!(absent.collect::<Vec<_>>(), Vec::<&&str>::new(), "{}: never shown", kind.name);
    }
}

/// Networks of several segments show these, the others `provider:…`.
fn is_exclusive(kind: &str, name: &str) -> bool {
    kind == "network" && (name == "segments" || name.starts_with("provider:"))
}

async fn document(cloud: &Cloud) -> Value {
    cloud.get("nobody", "/openapi.json").await.expect(200)
}

fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}
