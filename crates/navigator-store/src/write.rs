//! Executes a decision's writes in order. Touches are only collected: they take the scopes' locks
//! at the end of the transaction.

mod together;

use std::collections::{HashMap, HashSet};

use navigator_model::{L4PortRange, Protocol};
use navigator_resources::{Declaration, Link, Refusal, Row, SqlValue, Write, Writes};

use crate::{
    backend::Tx,
    change_log::Touched,
    decide::Ended,
    error::{Fault, StoreError},
    quota::Creation,
    server_event::Noted,
    sql::{Param, Sql},
    table::{column, links, quoted, stored},
};

pub(crate) use together::Statements;

/// What a transaction's writes mean beyond their rows, gathered until its end.
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
    // SQLite has no round trips to spare.
    let statements = if tx.is_postgres() { effects.statements } else { Statements::Apart };
    let mut raised = Raised::new();
    for run in together::runs(writes.0, statements) {
        match <[Write; 1]>::try_from(run) {
            Ok([write]) => alone(tx, write, now, &mut raised, effects).await?,
            Err(run) => together::execute(tx, run, now, &mut raised, effects).await?,
        }
    }
    Ok(())
}

async fn alone(
    tx: &mut Tx,
    write: Write,
    now: &str,
    raised: &mut Raised,
    effects: &mut Effects<'_>,
) -> Result<(), Ended> {
    let Effects { touched, creation, noted, bumped, .. } = effects;
    match write {
        Write::Insert { declaration, row, conflict } => {
            insert(tx, declaration, &row, conflict, creation).await?;
            noted.written(declaration, None, Some(&row));
        }
        Write::Update { declaration, id, row } => {
            let before = noted.before(tx, declaration, &id).await?;
            update(tx, declaration, &id, &row, now, raised).await?;
            noted.written(declaration, before.as_ref(), Some(&row));
        }
        Write::Bump { declaration, id } => {
            let row = (declaration.table, id);
            if bumped.insert(row.clone()) {
                let mut sql = Sql::default();
                push_bump(&mut sql, declaration, &row.1, now);
                one(tx.execute(sql).await?, declaration, &row.1)?;
                *raised.entry(row).or_default() += 1;
            }
        }
        Write::Tag { id, add, remove } => tag(tx, &id, add, remove).await?,
        Write::Delete { declaration, id } => {
            let before = noted.before(tx, declaration, &id).await?;
            let text = format!("DELETE FROM {} WHERE id = $1", declaration.table);
            tx.execute(Sql::with(&text, [id.as_str().into()])).await?;
            if declaration.rbac.is_some() {
                let text = "DELETE FROM rbac_policies WHERE object_id = $1";
                tx.execute(Sql::with(text, [id.as_str().into()])).await?;
            }
            if declaration.tags {
                let text = "DELETE FROM tags WHERE object_id = $1";
                tx.execute(Sql::with(text, [id.into()])).await?;
            }
            noted.written(declaration, before.as_ref(), None);
        }
        Write::ReleaseAddress { port_id, address } => {
            let mut sql = Sql::new("DELETE FROM ip_allocations WHERE port_id = ");
            sql.bind(port_id.to_string());
            if let Some(address) = address {
                sql.push(" AND ip_address = ").bind(address.to_string());
            }
            tx.execute(sql).await?;
        }
        Write::ReleaseSegments { network_id } => {
            let text = "DELETE FROM segment_allocations WHERE network_id = $1";
            tx.execute(Sql::with(text, [network_id.to_string().into()])).await?;
        }
        Write::ReleaseSegment { network_type, physical_network, segmentation_id } => {
            let text = "DELETE FROM segment_allocations WHERE network_type = $1 \
                     AND physical_network = $2 AND segmentation_id = $3";
            let params: [Param; 3] = [
                network_type.into(),
                physical_network.unwrap_or_default().into(),
                i64::from(segmentation_id).into(),
            ];
            tx.execute(Sql::with(text, params)).await?;
        }
        Write::ClaimPorts { holder, protocol, ports, owner, conflict } => {
            let mut sql = Sql::default();
            push_claim(&mut sql, &holder, protocol, ports, &owner);
            refused_if_taken(tx.execute(sql).await, Some(conflict))?;
        }
        Write::ReleasePorts { owner } => {
            let text = "DELETE FROM port_claims WHERE owner = $1";
            tx.execute(Sql::with(text, [owner.into()])).await?;
        }
        Write::Touch { scope, object } => touched.object(scope, object),
        Write::TouchHosts => touched.hosts(),
    }
    Ok(())
}

async fn insert(
    tx: &mut Tx,
    declaration: &'static Declaration,
    row: &Row,
    conflict: Option<Refusal>,
    creation: &mut Creation<'_>,
) -> Result<(), Ended> {
    let mut sql = Sql::default();
    push_insert(&mut sql, declaration, row)?;
    let inserted = if creation.asks(declaration, row) {
        creation.insert(tx, sql, declaration, row).await
    } else {
        tx.execute(sql).await
    };
    refused_if_taken(inserted, conflict)?;
    creation.inserted(declaration, row)?;
    for (link, items) in links(declaration, row)? {
        add_items(tx, link, row.text("id"), items).await?;
    }
    Ok(())
}

fn push_insert(
    sql: &mut Sql,
    declaration: &'static Declaration,
    row: &Row,
) -> Result<(), StoreError> {
    let (attributes, params): (Vec<_>, Vec<_>) = stored(declaration, row)?.into_iter().unzip();
    sql.push("INSERT INTO ").push(declaration.table).push(" (");
    for (index, attribute) in attributes.into_iter().enumerate() {
        sql.push(if index == 0 { "" } else { ", " }).push(&quoted(attribute));
    }
    sql.push(") VALUES ").bind_list(params);
    Ok(())
}

/// Takes away the items that the row no longer has and adds the new ones.
async fn update_links(
    tx: &mut Tx,
    declaration: &'static Declaration,
    id: &str,
    row: &Row,
) -> Result<(), Ended> {
    for (link, items) in links(declaration, row)? {
        let mut sql = Sql::new(&format!("DELETE FROM {} WHERE {} = ", link.table, link.owner));
        sql.bind(id);
        if !items.is_empty() {
            let params = items.iter().map(|item| Param::from(item.as_str())).collect();
            sql.push(" AND NOT (").bind_in(link.item, params).push(")");
        }
        tx.execute(sql).await?;
        add_items(tx, link, id, items).await?;
    }
    Ok(())
}

async fn add_items(tx: &mut Tx, link: Link, owner: &str, items: Vec<String>) -> Result<(), Ended> {
    if !items.is_empty() {
        let mut sql = Sql::default();
        push_items(&mut sql, link, owner, items);
        tx.execute(sql).await?;
    }
    Ok(())
}

fn push_items(sql: &mut Sql, link: Link, owner: &str, items: Vec<String>) {
    let Link { table, owner: column, item } = link;
    sql.push(&format!("INSERT INTO {table} ({column}, {item}) VALUES "));
    for (index, item) in items.into_iter().enumerate() {
        sql.push(if index == 0 { "" } else { ", " });
        sql.bind_list([owner.into(), item.into()]);
    }
    sql.push(" ON CONFLICT DO NOTHING");
}

fn refused_if_taken(
    executed: Result<u64, StoreError>,
    conflict: Option<Refusal>,
) -> Result<(), Ended> {
    match (executed, conflict) {
        (Err(error), Some(refusal)) if error.fault() == Some(Fault::Unique) => {
            Err(Ended::Refused(refusal))
        }
        (executed, _) => Ok(executed.map(|_| ())?),
    }
}

/// Whether the resource has the standard attributes that the store keeps.
fn counts_revisions(declaration: &Declaration) -> bool {
    column(declaration, "revision_number").is_ok()
}

/// Writes the row that the decision saw: one that somebody else changed since, because it was read
/// without its lock, is not overwritten with what it was.
async fn update(
    tx: &mut Tx,
    declaration: &'static Declaration,
    id: &str,
    row: &Row,
    now: &str,
    raised: &mut Raised,
) -> Result<(), Ended> {
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
    one(tx.execute(sql).await?, declaration, id)?;
    update_links(tx, declaration, id, row).await
}

fn push_bump(sql: &mut Sql, declaration: &Declaration, id: &str, now: &str) {
    sql.push("UPDATE ").push(declaration.table);
    sql.push(" SET revision_number = revision_number + 1, updated_at = ").bind(now);
    sql.push(" WHERE id = ").bind(id);
}

/// The row changed or went away between the decision and the write: the next attempt sees that.
fn one(affected: u64, declaration: &Declaration, id: &str) -> Result<(), Ended> {
    if affected == 1 {
        return Ok(());
    }
    let gone = format!("{} {id} changed or went away while it was written", declaration.name);
    Err(Ended::Again(StoreError::Internal(gone)))
}

async fn tag(
    tx: &mut Tx,
    id: &str,
    add: Vec<String>,
    remove: Vec<String>,
) -> Result<(), StoreError> {
    if !remove.is_empty() {
        let mut sql = Sql::new("DELETE FROM tags WHERE object_id = ");
        let params = remove.into_iter().map(Param::from).collect();
        sql.bind(id).push(" AND ").bind_in("tag", params);
        tx.execute(sql).await?;
    }
    if !add.is_empty() {
        let mut sql = Sql::new("INSERT INTO tags (object_id, tag) VALUES ");
        for (index, tag) in add.into_iter().enumerate() {
            sql.push(if index == 0 { "" } else { ", " });
            sql.bind_list([id.into(), tag.into()]);
        }
        tx.execute(sql).await?;
    }
    Ok(())
}

/// One row per port, in one statement however long the range is.
fn push_claim(sql: &mut Sql, holder: &str, protocol: Protocol, ports: L4PortRange, owner: &str) {
    let (first, last) = (i64::from(ports.first().get()), i64::from(ports.last().get()));
    sql.push("INSERT INTO port_claims (holder, protocol, port, owner) ");
    if first == last {
        let params: [Param; 4] =
            [holder.into(), protocol.name().into(), first.into(), owner.into()];
        sql.push("VALUES ").bind_list(params);
        return;
    }
    sql.push("WITH RECURSIVE claimed (port) AS (SELECT ").bind(first);
    sql.push(" UNION ALL SELECT port + 1 FROM claimed WHERE port < ").bind(last);
    sql.push(") SELECT ").bind(holder).push(", ").bind(protocol.name());
    sql.push(", port, ").bind(owner).push(" FROM claimed");
}
