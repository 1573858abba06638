//! Loads one fact in a decision's transaction.

use navigator_resources::{Query, Row, Select, SqlType, SqlValue, attribute::Tags, facts::Fact};

use crate::{
    allocate,
    backend::Tx,
    error::StoreError,
    sql::Sql,
    table::{columns, declaration, push_select, select_from},
};

/// Values of one condition in one statement. SQLite takes 32,766 parameters.
const MOST_VALUES: usize = 4096;

/// `viewer` is the project that asks.
pub(crate) async fn load(tx: &mut Tx, query: &Query, viewer: &str) -> Result<Fact, StoreError> {
    Ok(match query {
        Query::Rows { table, select } => rows(tx, table, select, viewer).await?,
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
    })
}

async fn tags(tx: &mut Tx, object_id: &str) -> Result<Tags, StoreError> {
    let text = "SELECT tag FROM tags WHERE object_id = $1";
    let rows = tx.fetch(Sql::with(text, [object_id.into()]), &[("tag", SqlType::Text)]).await?;
    Ok(Tags(rows.iter().map(|row| row.text("tag").to_owned()).collect()))
}

async fn rows(tx: &mut Tx, table: &str, select: &Select, viewer: &str) -> Result<Fact, StoreError> {
    let mut found = Vec::new();
    for part in parts(select) {
        found.append(&mut part_of_rows(tx, table, &part, viewer).await?);
    }
    if select.conditions.iter().any(|(_, values)| values.len() > MOST_VALUES) {
        found.sort_by(|a, b| a.text("id").cmp(b.text("id")));
    }
    Ok(Fact::Rows(found))
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

async fn part_of_rows(
    tx: &mut Tx,
    table: &str,
    select: &Select,
    viewer: &str,
) -> Result<Vec<Row>, StoreError> {
    let declaration = declaration(table)?;
    if (select.lock || select.hold) && !declaration.view && tx.is_postgres() {
        // Locked first and read afterwards: a statement that waits for a lock still computes its
        // sub-selects from the state before the wait.
        let mut sql = Sql::new(&format!("SELECT id FROM {table}"));
        push_select(&mut sql, declaration, select)?;
        // What references to a row take too: it conflicts with FOR UPDATE and with nothing less.
        let strength = if select.lock { "FOR UPDATE" } else { "FOR KEY SHARE" };
        sql.push(" ORDER BY id ").push(strength);
        tx.execute(sql).await?;
    }
    let wanted: Vec<_> = match select.shown {
        true => declaration.columns().collect(),
        false => declaration.fact_columns().collect(),
    };
    let mut sql = select_from(declaration, wanted.iter().copied(), viewer);
    push_select(&mut sql, declaration, select)?;
    match select.most {
        None => sql.push(" ORDER BY id"),
        // Any of them: an order would have to look at all.
        Some(most) => sql.push(" LIMIT ").bind(i64::from(most)),
    };
    tx.fetch(sql, &columns(wanted)).await
}
