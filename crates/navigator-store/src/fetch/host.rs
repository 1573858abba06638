//! What a host has to serve: follows from where routers and ports are placed.

use std::{collections::BTreeSet, str::FromStr};

use navigator_model::{HostName, snapshot::Duties};
use navigator_resources::SqlType;

use crate::{backend::Tx, decode::Reader, error::StoreError, sql::Sql};

pub(super) async fn duties(tx: &mut Tx, host: &HostName) -> Result<Duties, StoreError> {
    let routers = "SELECT id AS served FROM routers WHERE l3_host = $1";
    let networks = "SELECT network_id AS served FROM ports WHERE host_id = $1 \
        UNION SELECT p.network_id AS served FROM port_bindings b JOIN ports p ON p.id = b.port_id \
        WHERE b.host = $1";
    let dhcp = "SELECT DISTINCT network_id AS served FROM ports \
        WHERE host_id = $1 AND device_owner = 'network:dhcp'";
    Ok(Duties {
        routers: ids(tx, host, "routers", routers).await?,
        networks: ids(tx, host, "ports", networks).await?,
        dhcp_networks: ids(tx, host, "ports", dhcp).await?,
    })
}

async fn ids<T>(
    tx: &mut Tx,
    host: &HostName,
    table: &'static str,
    text: &str,
) -> Result<Vec<T>, StoreError>
where
    T: FromStr<Err: ToString> + Ord,
{
    let sql = Sql::with(text, [host.0.as_str().into()]);
    let rows = tx.fetch(sql, &[("served", SqlType::Text)]).await?;
    let ids = rows.iter().map(|row| Reader { table, row }.parse("served"));
    let ids: BTreeSet<T> = ids.collect::<Result<_, _>>()?;
    Ok(ids.into_iter().collect())
}
