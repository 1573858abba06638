//! The extensions that work here. Clients switch behaviour on these names, so nothing is listed
//! that is not served. A resource's own extension is listed because the resource is declared.

use std::sync::LazyLock;

use axum::{
    Json,
    body::Bytes,
    extract::Path,
    http::{HeaderName, header},
};
use navigator_resources::{Declaration, Rules, Visitor, visit_all};
use serde_json::{Value, json};

use crate::fault::Fault;

#[derive(Clone, Copy)]
struct Extension {
    alias: &'static str,
    name: &'static str,
    description: &'static str,
    updated: &'static str,
}

/// Lines of alias, name, description and date; the date is Neutron's where the extension is.
const TABLE: &str = include_str!("extensions.tsv");

/// When our own extensions came.
const OURS: &str = "2026-11-20T00:00:00-00:00";

fn listed() -> impl Iterator<Item = Extension> {
    TABLE.lines().map(|line| {
        let mut columns = line.split('\t');
        let mut next = || columns.next().unwrap_or_default();
        Extension { alias: next(), name: next(), description: next(), updated: next() }
    })
}

impl Extension {
    fn document(&self) -> Value {
        json!({
            "alias": self.alias,
            "name": self.name,
            "description": self.description,
            "updated": self.updated,
            "links": [],
        })
    }
}

/// Neutron's core, which is no extension.
const CORE: &[&str] = &["network", "subnet", "port"];

/// All that is known so far, by alias.
struct Known(Vec<Extension>);

impl Visitor for Known {
    /// What resources bring of which the table does not say more.
    fn visit<R: Rules>(&mut self) {
        let Declaration { extension: alias, name, .. } = R::declaration();
        if !self.0.iter().any(|known| known.alias == *alias) && !CORE.contains(alias) {
            self.0.push(Extension { alias, name: alias, description: name, updated: OURS });
        }
    }
}

fn documents() -> Vec<Value> {
    let mut known = Known(listed().collect());
    visit_all(&mut known);
    known.0.sort_by_key(|extension| extension.alias);
    known.0.iter().map(Extension::document).collect()
}

/// Clients ask for it before much else, and it stays the same: the text is made once.
pub(crate) async fn list() -> ([(HeaderName, &'static str); 1], Bytes) {
    static TEXT: LazyLock<Bytes> =
        LazyLock::new(|| Bytes::from(json!({"extensions": documents()}).to_string()));
    ([(header::CONTENT_TYPE, "application/json")], TEXT.clone())
}

pub(crate) async fn show(Path(alias): Path<String>) -> Result<Json<Value>, Fault> {
    documents()
        .into_iter()
        .find(|document| document["alias"] == *alias)
        .map(|document| Json(json!({"extension": document})))
        .ok_or_else(Fault::not_found)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn the_table_is_sorted_every_line_whole_and_no_alias_twice() {
        let mut seen = HashSet::new();
        for line in super::TABLE.lines() {
            let columns: Vec<&str> = line.split('\t').collect();
            assert_eq!(columns.len(), 4, "{line}");
            assert!(columns.iter().all(|column| !column.is_empty()), "{line}");
            assert!(columns[3].parse::<jiff::Timestamp>().is_ok(), "{line}");
            assert!(seen.insert(columns[0]), "{line}");
        }
        assert!(super::TABLE.lines().is_sorted());
    }
}
