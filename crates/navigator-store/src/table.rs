//! How declarations become SQL: select lists, conditions, rows' values.

use std::{collections::HashMap, sync::OnceLock};

use navigator_resources::{
    Attribute, AttributeValue as _, Declaration, Link, Row, Rules, Select, SqlType, SqlValue,
    Through,
    registry::{
        Visitor,
        port::{DHCP_OWNER, FLOATING_IP_OWNER, ROUTER_GATEWAY_OWNER, ROUTER_INTERFACE_OWNER},
        visit_all,
    },
};

use crate::{
    error::StoreError,
    sql::{Param, Sql},
};

/// What is known of a table before anything is asked.
pub(crate) struct Known {
    declaration: &'static Declaration,
    /// The SELECTs of whole rows: as answers show them, and as rules see them.
    pub(crate) shown: Head,
    pub(crate) facts: Head,
}

/// A SELECT before its WHERE, which is the same each time.
pub(crate) struct Head {
    sql: Sql,
    pub(crate) columns: Columns,
    pub(crate) nullable: Vec<bool>,
    /// Whether a column is computed from other rows.
    pub(crate) looks_elsewhere: bool,
}

impl Head {
    pub(crate) fn new(
        declaration: &'static Declaration,
        columns: impl Iterator<Item = &'static Attribute>,
    ) -> Self {
        let attributes: Vec<_> = columns.collect();
        let mut expressions = attributes.iter().filter_map(|attribute| attribute.expression);
        Self {
            looks_elsewhere: expressions.any(|expression| expression.contains("SELECT")),
            sql: select_from(declaration, attributes.iter().copied(), ""),
            nullable: attributes.iter().map(|attribute| attribute.nullable).collect(),
            columns: self::columns(attributes),
        }
    }

    /// As a project sees it.
    pub(crate) fn seen_by(&self, viewer: &str) -> Sql {
        self.sql.seen_by_another(viewer)
    }
}

fn known(table: &str) -> Result<&'static Known, StoreError> {
    static BY_TABLE: OnceLock<HashMap<&'static str, Known>> = OnceLock::new();
    struct Collect(HashMap<&'static str, Known>);
    impl Visitor for Collect {
        fn visit<R: Rules>(&mut self) {
            let declaration = R::declaration();
            let shown = Head::new(declaration, declaration.columns());
            let facts = Head::new(declaration, declaration.fact_columns());
            self.0.insert(declaration.table, Known { declaration, shown, facts });
        }
    }
    let by_table = BY_TABLE.get_or_init(|| {
        let mut collect = Collect(HashMap::new());
        visit_all(&mut collect);
        collect.0
    });
    let unknown = || StoreError::Internal(format!("no resource has the table {table}"));
    by_table.get(table).ok_or_else(unknown)
}

/// The declaration whose rows a table holds.
pub(crate) fn declaration(table: &str) -> Result<&'static Declaration, StoreError> {
    known(table).map(|known| known.declaration)
}

/// Selects rows of a table as answers show them.
pub(crate) fn shown(table: &str) -> Result<&'static Head, StoreError> {
    known(table).map(|known| &known.shown)
}

/// What is known where the registry has the declaration: some views are shown without being resources.
pub(crate) fn resource(declaration: &'static Declaration) -> Option<&'static Known> {
    let known = known(declaration.table).ok()?;
    std::ptr::eq(known.declaration, declaration).then_some(known)
}

/// Selects rows of a table as rules see them.
pub(crate) fn facts(table: &str) -> Result<&'static Head, StoreError> {
    known(table).map(|known| &known.facts)
}

/// Name and type of each column of an answer.
pub(crate) type Columns = Vec<(&'static str, SqlType)>;

pub(crate) fn columns<'a>(attributes: impl IntoIterator<Item = &'a Attribute>) -> Columns {
    attributes.into_iter().map(|attribute| (attribute.column, attribute.sql)).collect()
}

/// Quoted, because `binary` is a word of PostgreSQL's own.
pub(crate) fn quoted(attribute: &Attribute) -> String {
    format!("\"{}\"", attribute.column)
}

/// `SELECT a, (…) AS b FROM table`, as a project sees it.
pub(crate) fn select_from<'a>(
    declaration: &Declaration,
    attributes: impl IntoIterator<Item = &'a Attribute>,
    viewer: &str,
) -> Sql {
    let mut sql = Sql::seen_by(viewer);
    sql.push("SELECT ");
    for (index, attribute) in attributes.into_iter().enumerate() {
        sql.push(if index == 0 { "" } else { ", " });
        if let Some(text) = attribute.expression {
            let expression = sql.expression(text);
            sql.push(&expression).push(" AS ");
        }
        sql.push("\"").push(attribute.column).push("\"");
    }
    sql.push(" FROM ").push(declaration.table);
    sql
}

pub(crate) fn column(
    declaration: &Declaration,
    name: &str,
) -> Result<&'static Attribute, StoreError> {
    declaration
        .all()
        .find(|attribute| attribute.column == name)
        .ok_or_else(|| StoreError::Internal(format!("{} has no column {name}", declaration.table)))
}

/// Appends ` WHERE …` for equality conditions.
pub(crate) fn push_select(
    sql: &mut Sql,
    declaration: &Declaration,
    select: &Select,
) -> Result<(), StoreError> {
    for (index, (name, values)) in select.conditions.iter().enumerate() {
        let attribute = column(declaration, name)?;
        sql.push(if index == 0 { " WHERE " } else { " AND " });
        match owners(attribute, values) {
            Some(owners) => push_owners(sql, &owners),
            None => push_equals(sql, attribute, values.iter()),
        }
    }
    Ok(())
}

/// What rules ask for the ports of. There are few of one kind and most ports are of none, so that a plan
/// which does not know the owner is so much worse than one which does that PostgreSQL makes a new one for
/// each execution. They stand in the text: the plan is made once.
const OWNERS: [&str; 4] =
    [DHCP_OWNER, ROUTER_INTERFACE_OWNER, ROUTER_GATEWAY_OWNER, FLOATING_IP_OWNER];

/// The owners that a condition asks for, if all of them are our own words.
fn owners(attribute: &Attribute, values: &[SqlValue]) -> Option<Vec<&'static str>> {
    if attribute.column != "device_owner" || attribute.expression.is_some() || values.is_empty() {
        return None;
    }
    let known = |value: &SqlValue| match value {
        SqlValue::Text(text) => OWNERS.into_iter().find(|owner| owner == text),
        _ => None,
    };
    values.iter().map(known).collect()
}

fn push_owners(sql: &mut Sql, owners: &[&'static str]) {
    sql.push("device_owner IN (");
    for (index, owner) in owners.iter().enumerate() {
        sql.push(if index == 0 { "'" } else { ", '" }).push(owner).push("'");
    }
    sql.push(")");
}

/// Appends a condition: the attribute has one of the values. NULL is one of them if it is listed.
pub(crate) fn push_equals<'a>(
    sql: &mut Sql,
    attribute: &Attribute,
    values: impl Iterator<Item = &'a SqlValue>,
) {
    let mut null = false;
    let mut params = Vec::new();
    for value in values {
        match value {
            SqlValue::Null => null = true,
            value => params.extend(Param::typed(value, attribute.sql)),
        }
    }
    if let Some(Link { table, owner, item }) = attribute.link {
        // Nobody has the item NULL.
        sql.push(&format!("id IN (SELECT k.{owner} FROM {table} k WHERE "));
        sql.bind_in(&format!("k.{item}"), params).push(")");
        return;
    }
    if let Some(Through { column, ids }) = attribute.found.filter(|_| !null && !params.is_empty()) {
        sql.push(column).push(" IN (").bind_in(ids, params).push(")");
        return;
    }
    let operand = sql.operand(attribute);
    match (null, params.is_empty()) {
        (false, _) => sql.bind_in(&operand, params),
        (true, true) => sql.push(&operand).push(" IS NULL"),
        (true, false) => {
            sql.push("(").push(&operand).push(" IS NULL OR ").bind_in(&operand, params).push(")")
        }
    };
}

/// The stored attributes of a row with their values as parameters.
pub(crate) fn stored(
    declaration: &'static Declaration,
    row: &Row,
) -> Result<Vec<(&'static Attribute, Param)>, StoreError> {
    declaration
        .all()
        .filter(|attribute| attribute.expression.is_none())
        .map(|attribute| {
            let value = row.get(attribute.column);
            let param = Param::typed(value, attribute.sql).ok_or_else(|| {
                let (table, column) = (declaration.table, attribute.column);
                StoreError::Internal(format!("{table}.{column} cannot hold {value:?}"))
            })?;
            Ok((attribute, param))
        })
        .collect()
}

/// The items that a row says its link tables hold. A row that says nothing of one leaves it alone.
pub(crate) fn links(
    declaration: &'static Declaration,
    row: &Row,
) -> Result<Vec<(Link, Vec<String>)>, StoreError> {
    let named = |attribute: &'static Attribute| {
        let link = attribute.link.filter(|_| row.find(attribute.column).is_some())?;
        Some((attribute.column, link))
    };
    declaration
        .all()
        .filter_map(named)
        .map(|(column, link)| {
            let items = Vec::<String>::from_sql(row.get(column)).map_err(|reason| {
                StoreError::Internal(format!("{}.{column}: {reason}", declaration.table))
            })?;
            Ok((link, items))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use navigator_resources::{Port, Resource as _};

    use super::*;

    fn condition(values: &[&str]) -> (String, usize) {
        let mut sql = Sql::new("");
        let values = values.iter().map(|value| SqlValue::from(*value));
        let select = Select::any("device_owner", values);
        push_select(&mut sql, Port::declaration(), &select).unwrap();
        (sql.text, sql.params.len())
    }

    #[test]
    fn only_words_of_our_own_stand_in_a_statement() {
        let (dhcp, router) = (DHCP_OWNER, ROUTER_INTERFACE_OWNER);
        let text = " WHERE device_owner IN ('network:dhcp', 'network:router_interface')";
        assert_eq!(condition(&[dhcp, router]), (text.to_owned(), 0));
        for other in ["compute:nova", "network:dhcp'", "", "network:DHCP"] {
            let (text, params) = condition(&[dhcp, other]);
            assert!(!text.contains('\'') && params == 2, "{text}");
            let (text, params) = condition(&[other]);
            assert!(!text.contains('\'') && params == 1, "{text}");
        }
    }
}
