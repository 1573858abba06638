//! Rows for tests: any resource's, with only the values that the test is about.

use navigator_model::{ObjectKey, Revision, Scope};
use navigator_resources::{
    Caller, Declaration, Refusal, Resource, Row, Settings, SqlType, SqlValue, Write, Writes,
};
use navigator_store::{DecideError, Store};

pub(crate) const NOW: &str = "2026-01-02T03:04:05Z";

pub(crate) fn caller() -> Caller {
    Caller::administrator("p1", "u1")
}

pub(crate) fn refusal() -> Refusal {
    Refusal::Conflict { reason: "taken".to_owned() }
}

/// The nth id.
pub(crate) fn id(n: u32) -> String {
    format!("00000000-0000-4000-8000-{n:012x}")
}

pub(crate) type Values<'a> = &'a [(&'static str, SqlValue)];

/// Every stored column has a value: the given one, or the emptiest of its type. Those that the
/// tests leave out and that refer to other rows are NULL.
pub(crate) fn row(declaration: &'static Declaration, values: Values<'_>) -> Row {
    let mut row = Row::default();
    for attribute in declaration.all().filter(|attribute| attribute.expression.is_none()) {
        let given = values.iter().find(|(column, _)| *column == attribute.column);
        let empty = match (attribute.sql, attribute.column) {
            (_, "gw_port_id" | "router_id" | "port_id" | "l3_host" | "status_reason") => {
                SqlValue::Null
            }
            (
                _,
                "subnetpool_id"
                | "address_scope_id"
                | "qos_policy_id"
                | "gateway_qos_policy_id"
                | "flavor_id"
                | "segment_id",
            ) => SqlValue::Null,
            // There is one of each at most.
            (_, "is_default" | "auto_allocated") => SqlValue::Bool(false),
            (SqlType::Bool, _) => SqlValue::Bool(true),
            (SqlType::Int, "revision_number") => SqlValue::Int(1),
            (SqlType::Int, _) => SqlValue::Int(0),
            (SqlType::Text, _) => SqlValue::Text(String::new()),
        };
        row.set(attribute.column, given.map_or(empty, |(_, value)| value.clone()));
    }
    for (column, _) in values {
        assert!(row.find(column).is_some(), "{}.{column}", declaration.table);
    }
    row
}

pub(crate) fn insertion<R: Resource>(values: Values<'_>) -> Write {
    let declaration = R::declaration();
    Write::Insert { declaration, row: row(declaration, values), conflict: None }
}

pub(crate) fn update<R: Resource>(values: Values<'_>) -> Write {
    overwrite(R::declaration(), row(R::declaration(), values))
}

/// An update whose row does not say which revision it was made from: written over any.
pub(crate) fn overwrite(declaration: &'static Declaration, mut row: Row) -> Write {
    row.remove("revision_number");
    Write::Update { declaration, id: row.text("id").to_owned(), row }
}

pub(crate) fn touch(scope: Scope, object: ObjectKey) -> Write {
    Write::Touch { scope, object }
}

/// Commits writes that need no facts.
pub(crate) async fn commit(store: &Store, writes: Vec<Write>) -> Vec<(Scope, Revision)> {
    try_commit(store, writes).await.unwrap()
}

pub(crate) async fn try_commit(
    store: &Store,
    writes: Vec<Write>,
) -> Result<Vec<(Scope, Revision)>, DecideError> {
    let decided = store
        .decide(&caller(), &Settings::default(), NOW, |_, _| Ok(((), Writes(writes.clone()))))
        .await;
    decided.map(|((), reached)| reached)
}
