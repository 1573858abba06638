//! Executes a decision's writes in order. Touches are only collected: they take the scopes' locks
//! at the end of the transaction.

mod statements;

use std::collections::{HashMap, HashSet};

use navigator_model::{L4PortRange, Protocol};
use navigator_resources::{Declaration, Link, Row, SqlValue, Write, Writes};

use crate::{
    backend::Tx,
    change_log::Touched,
    decide::Ended,
    error::StoreError,
    quota::Creation,
    server_event::{Noted, before},
    sql::{Param, Sql},
    table::{column, links, quoted, stored},
};

pub(crate) use statements::{Need, Sent, Statements};

/// What a transaction's writes are and mean beyond their rows, gathered until its end.
pub(crate) struct Effects<'a> {
    pub(crate) touched: Touched,
    pub(crate) creation: Creation<'a>,
    pub(crate) noted: Noted,
    pub(crate) bumped: Bumped,
    pub(crate) statements: Statements,
}

/// Parents whose revision this transaction raised, by table and id. Once is enough: nobody sees
/// what is between, and the database keeps each version of the row until the end.
pub(crate) type Bumped = HashSet<(&'static str, String)>;

/// How often the decision's writes raised the revision of a row so far, by table and id.
type Raised = HashMap<(&'static str, String), i64>;

pub(crate) async fn execute(
    tx: &mut Tx,
    writes: Writes,
    now: &str,
    effects: &mut Effects<'_>,
) -> Result<(), Ended> {
    let mut raised = Raised::new();
    for write in writes.0 {
        execute_one(tx, write, now, &mut raised, effects).await?;
    }
    Ok(())
}

async fn execute_one(
    tx: &mut Tx,
    write: Write,
    now: &str,
    raised: &mut Raised,
    effects: &mut Effects<'_>,
) -> Result<(), Ended> {
    match write {
        Write::Insert { declaration, row, conflict } => {
            let sql = insertion(declaration, &row)?;
            effects.statements.put(tx, sql, Need::Key(conflict)).await?;
            for (link, items) in links(declaration, &row)? {
                add_items(tx, link, row.text("id"), items, &mut effects.statements).await?;
            }
            effects.creation.inserted(declaration, &row);
            effects.noted.written(declaration, None, Some(&row));
        }
        Write::Update { declaration, id, row } => {
            let before = effects.before(tx, declaration, &id).await?;
            let sql = update(declaration, &id, &row, now, raised)?;
            effects.statements.put(tx, sql, Need::Row(declaration, id.clone())).await?;
            update_links(tx, declaration, &id, &row, &mut effects.statements).await?;
            effects.noted.written(declaration, before.as_ref(), Some(&row));
        }
        Write::Bump { declaration, id } => {
            let row = (declaration.table, id);
            if effects.bumped.insert(row.clone()) {
                let need = Need::Row(declaration, row.1.clone());
                effects.statements.put(tx, bump(declaration, &row.1, now), need).await?;
                *raised.entry(row).or_default() += 1;
            }
        }
        Write::Delete { declaration, id } => {
            let before = effects.before(tx, declaration, &id).await?;
            let text = format!("DELETE FROM {} WHERE id = $1", declaration.table);
            effects.put(tx, Sql::with(&text, [id.as_str().into()])).await?;
            if declaration.rbac.is_some() {
                let text = "DELETE FROM rbac_policies WHERE object_id = $1";
                effects.put(tx, Sql::with(text, [id.as_str().into()])).await?;
            }
            if declaration.tags {
                let text = "DELETE FROM tags WHERE object_id = $1";
                effects.put(tx, Sql::with(text, [id.into()])).await?;
            }
            effects.noted.written(declaration, before.as_ref(), None);
        }
        Write::ClaimPorts { holder, protocol, ports, owner, conflict } => {
            let sql = claim(&holder, protocol, ports, &owner);
            effects.statements.put(tx, sql, Need::Key(Some(conflict))).await?;
        }
        Write::Touch { scope, object } => effects.touched.object(scope, object),
        Write::TouchHosts => effects.touched.hosts(),
        Write::Tag { id, add, remove } => tag(tx, &id, add, remove, effects).await?,
        Write::ReleaseAddress { port_id, address } => {
            let mut sql = Sql::new("DELETE FROM ip_allocations WHERE port_id = ");
            sql.bind(port_id.to_string());
            if let Some(address) = address {
                sql.push(" AND ip_address = ").bind(address.to_string());
            }
            effects.put(tx, sql).await?;
        }
        Write::ReleaseSegments { network_id } => {
            let text = "DELETE FROM segment_allocations WHERE network_id = $1";
            effects.put(tx, Sql::with(text, [network_id.to_string().into()])).await?;
        }
        Write::ReleaseSegment { network_type, physical_network, segmentation_id } => {
            let text = "DELETE FROM segment_allocations WHERE network_type = $1 \
                     AND physical_network = $2 AND segmentation_id = $3";
            let params: [Param; 3] = [
                network_type.into(),
                physical_network.unwrap_or_default().into(),
                i64::from(segmentation_id).into(),
            ];
            effects.put(tx, Sql::with(text, params)).await?;
        }
        Write::ReleasePorts { owner } => {
            let text = "DELETE FROM port_claims WHERE owner = $1";
            effects.put(tx, Sql::with(text, [owner.into()])).await?;
        }
    }
    Ok(())
}

impl Effects<'_> {
    async fn put(&mut self, tx: &mut Tx, sql: Sql) -> Result<(), Ended> {
        self.statements.put(tx, sql, Need::Nothing).await
    }

    /// The row before a write of it, if that matters.
    async fn before(
        &mut self,
        tx: &mut Tx,
        declaration: &'static Declaration,
        id: &str,
    ) -> Result<Option<Row>, StoreError> {
        if !self.noted.looks_at(declaration) {
            return Ok(None);
        }
        self.statements.send(tx).await?;
        before(tx, declaration, id).await
    }
}

fn insertion(declaration: &'static Declaration, row: &Row) -> Result<Sql, StoreError> {
    let mut sql = Sql::default();
    let (attributes, params): (Vec<_>, Vec<_>) = stored(declaration, row)?.into_iter().unzip();
    sql.push("INSERT INTO ").push(declaration.table).push(" (");
    for (index, attribute) in attributes.into_iter().enumerate() {
        sql.push(if index == 0 { "" } else { ", " }).push(&quoted(attribute));
    }
    sql.push(") VALUES ").bind_list(params);
    Ok(sql)
}

/// Takes away the items that the row no longer has and adds the new ones.
async fn update_links(
    tx: &mut Tx,
    declaration: &'static Declaration,
    id: &str,
    row: &Row,
    statements: &mut Statements,
) -> Result<(), Ended> {
    for (link, items) in links(declaration, row)? {
        let mut sql = Sql::new(&format!("DELETE FROM {} WHERE {} = ", link.table, link.owner));
        sql.bind(id);
        if !items.is_empty() {
            let params = items.iter().map(|item| Param::from(item.as_str())).collect();
            sql.push(" AND NOT (").bind_in(link.item, params).push(")");
        }
        statements.put(tx, sql, Need::Nothing).await?;
        add_items(tx, link, id, items, statements).await?;
    }
    Ok(())
}

async fn add_items(
    tx: &mut Tx,
    link: Link,
    owner: &str,
    items: Vec<String>,
    statements: &mut Statements,
) -> Result<(), Ended> {
    if items.is_empty() {
        return Ok(());
    }
    let Link { table, owner: column, item } = link;
    let mut sql = Sql::new(&format!("INSERT INTO {table} ({column}, {item}) VALUES "));
    for (index, item) in items.into_iter().enumerate() {
        sql.push(if index == 0 { "" } else { ", " });
        sql.bind_list([owner.into(), item.into()]);
    }
    sql.push(" ON CONFLICT DO NOTHING");
    statements.put(tx, sql, Need::Nothing).await
}

/// Whether the resource has the standard attributes that the store keeps.
fn counts_revisions(declaration: &Declaration) -> bool {
    column(declaration, "revision_number").is_ok()
}

/// Writes the row that the decision saw: one that somebody else changed since, because it was read
/// without its lock, is not overwritten with what it was.
fn update(
    declaration: &'static Declaration,
    id: &str,
    row: &Row,
    now: &str,
    raised: &mut Raised,
) -> Result<Sql, StoreError> {
    let kept = ["id", "revision_number", "updated_at"];
    let mut sql = Sql::new(&format!("UPDATE {} SET ", declaration.table));
    let values = stored(declaration, row)?;
    let values = values.into_iter().filter(|(attribute, _)| !kept.contains(&attribute.column));
    for (index, (attribute, param)) in values.enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        sql.push(comma).push(&quoted(attribute)).push(" = ").bind(param);
    }
    if counts_revisions(declaration) {
        sql.push(", revision_number = revision_number + 1, updated_at = ").bind(now);
    }
    sql.push(" WHERE id = ").bind(id);
    if let (true, SqlValue::Int(seen)) = (counts_revisions(declaration), row.get("revision_number"))
    {
        let own = raised.entry((declaration.table, id.to_owned())).or_default();
        sql.push(" AND revision_number = ").bind(*seen + *own);
        *own += 1;
    }
    Ok(sql)
}

fn bump(declaration: &Declaration, id: &str, now: &str) -> Sql {
    let mut sql = Sql::new("UPDATE ");
    sql.push(declaration.table);
    sql.push(" SET revision_number = revision_number + 1, updated_at = ").bind(now);
    sql.push(" WHERE id = ").bind(id);
    sql
}

async fn tag(
    tx: &mut Tx,
    id: &str,
    add: Vec<String>,
    remove: Vec<String>,
    effects: &mut Effects<'_>,
) -> Result<(), Ended> {
    if !remove.is_empty() {
        let mut sql = Sql::new("DELETE FROM tags WHERE object_id = ");
        let params = remove.into_iter().map(Param::from).collect();
        sql.bind(id).push(" AND ").bind_in("tag", params);
        effects.put(tx, sql).await?;
    }
    if !add.is_empty() {
        let mut sql = Sql::new("INSERT INTO tags (object_id, tag) VALUES ");
        for (index, tag) in add.into_iter().enumerate() {
            sql.push(if index == 0 { "" } else { ", " });
            sql.bind_list([id.into(), tag.into()]);
        }
        effects.put(tx, sql).await?;
    }
    Ok(())
}

/// One row per port, in one statement however long the range is.
fn claim(holder: &str, protocol: Protocol, ports: L4PortRange, owner: &str) -> Sql {
    let (first, last) = (i64::from(ports.first().get()), i64::from(ports.last().get()));
    let mut sql = Sql::new("INSERT INTO port_claims (holder, protocol, port, owner) ");
    if first == last {
        let params: [Param; 4] =
            [holder.into(), protocol.name().into(), first.into(), owner.into()];
        sql.push("VALUES ").bind_list(params);
        return sql;
    }
    sql.push("WITH RECURSIVE claimed (port) AS (SELECT ").bind(first);
    sql.push(" UNION ALL SELECT port + 1 FROM claimed WHERE port < ").bind(last);
    sql.push(") SELECT ").bind(holder).push(", ").bind(protocol.name());
    sql.push(", port, ").bind(owner).push(" FROM claimed");
    sql
}
