//! Loads facts in a decision's transaction: goes in what is asked for at once, comes out a fact for each.

use navigator_resources::{Query, Row, Select, SqlType, SqlValue, attribute::Tags, facts::Fact};

use crate::{
    allocate,
    backend::{Step, Tx},
    error::StoreError,
    lately::id,
    sql::Sql,
    table::{declaration, facts, push_select, shown},
};

/// Values of one condition in one statement. SQLite takes 32,766 parameters.
const MOST_VALUES: usize = 4096;

/// One fact for each query. `viewer` is the project that asks.
pub(crate) async fn load(
    tx: &mut Tx,
    queries: &[Query],
    viewer: &str,
) -> Result<Vec<Fact>, StoreError> {
    if let Some((table, id)) = queries.iter().find_map(locked) {
        tx.latch(table, id).await;
    }
    let mut facts = Vec::with_capacity(queries.len());
    let mut searches = Vec::new();
    for query in queries {
        if !matches!(query, Query::Rows { .. }) {
            facts.append(&mut rows(tx, std::mem::take(&mut searches)).await?);
        }
        facts.push(match query {
            Query::Rows { table, select } => {
                searches.push(search(tx, table, select, viewer)?);
                continue;
            }
            Query::Tags { object_id } => Fact::Tags(tags(tx, object_id).await?),
            Query::AllocateAddress { subnet_id, network_id, port_id, choice } => {
                let place = allocate::AddressPlace {
                    subnet_id: *subnet_id,
                    network_id: *network_id,
                    port_id: *port_id,
                };
                Fact::Address(allocate::address(tx, &place, choice).await?)
            }
            Query::AllocateSegment { network_id, network_type, physical_network, choice } => {
                let place = allocate::SegmentPlace {
                    network_id: *network_id,
                    network_type: network_type.clone(),
                    physical_network: physical_network.clone().unwrap_or_default(),
                };
                Fact::Segment(allocate::segment(tx, &place, choice).await?)
            }
            Query::FreePort { holder, protocol, ports } => {
                Fact::Port(allocate::free_port(tx, holder, *protocol, *ports).await?)
            }
        });
    }
    facts.append(&mut rows(tx, searches).await?);
    Ok(facts)
}

/// The row that a query locks, if it is one.
fn locked(query: &Query) -> Option<(&'static str, &str)> {
    let Query::Rows { table, select } = query else { return None };
    id(select).filter(|_| select.lock).map(|id| (*table, id))
}

/// The statements that read these and do nothing else, one for each. `None`: they take locks, or too much
/// is asked for.
pub(crate) fn reads(
    tx: &Tx,
    queries: &[Query],
    viewer: &str,
) -> Result<Option<Vec<Step<'static>>>, StoreError> {
    let mut reads = Vec::with_capacity(queries.len());
    for query in queries {
        let Query::Rows { table, select } = query else { return Ok(None) };
        // Each number of values is a text of its own, to be prepared.
        if query.locks() || select.conditions.iter().any(|(_, values)| values.len() > 1) {
            return Ok(None);
        }
        push_steps(&mut reads, tx, table, select, viewer)?;
    }
    Ok(Some(reads))
}

async fn tags(tx: &mut Tx, object_id: &str) -> Result<Tags, StoreError> {
    let text = "SELECT tag FROM tags WHERE object_id = $1";
    let rows = tx.fetch(Sql::with(text, [object_id.into()]), &[("tag", SqlType::Text)]).await?;
    Ok(Tags(rows.iter().map(|row| row.text("tag").to_owned()).collect()))
}

/// Statements that find a fact's rows: of a condition with very many values, several.
type Search = Vec<Step<'static>>;

async fn rows(tx: &mut Tx, searches: Vec<Search>) -> Result<Vec<Fact>, StoreError> {
    let counts: Vec<(usize, usize)> = searches
        .iter()
        .map(|steps| (steps.len(), steps.iter().filter(|step| !step.columns.is_empty()).count()))
        .collect();
    let mut found = tx.run(searches.into_iter().flatten().collect()).await?.into_iter();
    let facts = counts.into_iter().map(|(steps, parts)| {
        let mut rows: Vec<Row> = found.by_ref().take(steps).flatten().collect();
        if parts > 1 {
            rows.sort_by(|a, b| a.text("id").cmp(b.text("id")));
        }
        Fact::Rows(rows)
    });
    Ok(facts.collect())
}

fn search(tx: &Tx, table: &str, select: &Select, viewer: &str) -> Result<Search, StoreError> {
    let mut steps = Search::new();
    for part in &parts(select) {
        push_steps(&mut steps, tx, table, part, viewer)?;
    }
    Ok(steps)
}

/// The same as several, none of which has more values than a statement may have.
fn parts(select: &Select) -> Vec<Select> {
    let longest = select.conditions.iter().position(|(_, values)| values.len() > MOST_VALUES);
    let Some(longest) = longest else { return vec![select.clone()] };
    let mut values = select.conditions[longest].1.clone();
    // A value in two parts would find its rows twice.
    values.sort();
    values.dedup();
    let part = |values: &[SqlValue]| {
        let mut part = select.clone();
        part.conditions[longest].1 = values.to_vec();
        part
    };
    values.chunks(MOST_VALUES).map(part).collect()
}

fn push_steps(
    steps: &mut Search,
    tx: &Tx,
    table: &str,
    select: &Select,
    viewer: &str,
) -> Result<(), StoreError> {
    let declaration = declaration(table)?;
    let head = if select.shown { shown(table)? } else { facts(table)? };
    // What references to a row take too: it conflicts with FOR UPDATE and with nothing less.
    let strength = if select.lock { " FOR UPDATE" } else { " FOR KEY SHARE" };
    let locks = (select.lock || select.hold) && !declaration.view && tx.is_postgres();
    // A statement that waits for a lock then reads the row again, but neither what its sub-selects find nor
    // rows that it had not found before.
    let at_once = !head.looks_elsewhere && id(select).is_some();
    if locks && !at_once {
        let mut sql = Sql::new(&format!("SELECT id FROM {table}"));
        push_select(&mut sql, declaration, select)?;
        sql.push(" ORDER BY id").push(strength);
        steps.push(Step { sql, columns: &[] });
    }
    let mut sql = head.seen_by(viewer);
    push_select(&mut sql, declaration, select)?;
    match select.most {
        None => sql.push(" ORDER BY id"),
        // Any of them: an order would have to look at all.
        Some(most) => sql.push(" LIMIT ").bind(i64::from(most)),
    };
    if locks && at_once {
        sql.push(strength);
    }
    steps.push(Step { sql, columns: &head.columns });
    Ok(())
}
