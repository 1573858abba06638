//! What agents tell of the objects that they render. Data for people, and for the compute service,
//! which waits for its servers' ports; nothing is rendered from it. No revision moves.

mod port;

use std::collections::BTreeMap;

use navigator_model::{HostName, NetworkId, ObjectKey, Outcome, Report, Revision, Scope};
use navigator_resources::{Settings, SqlType};

use crate::{
    agents::repeated,
    backend::{Backend, Tx},
    change_log::bound,
    error::StoreError,
    server_event::Noted,
    sql::{Param, Sql},
    table,
};

pub(crate) use port::release;

/// Outcomes per statement.
const CHUNK: usize = 256;

/// Who reports what, and when it is heard.
pub(crate) struct Hearing<'a> {
    pub(crate) host: &'a HostName,
    pub(crate) report: &'a Report,
    pub(crate) settings: &'a Settings,
    pub(crate) now: &'a str,
}

pub(crate) async fn report(backend: &Backend, hearing: &Hearing<'_>) -> Result<(), StoreError> {
    let mut by_table: BTreeMap<&'static str, BTreeMap<String, Status>> = BTreeMap::new();
    let mut ports: BTreeMap<String, &Outcome> = BTreeMap::new();
    for (key, outcome) in &hearing.report.outcomes {
        if let ObjectKey::Port(id) = key {
            ports.insert(id.to_string(), outcome);
            continue;
        }
        let (table, id) = place(key);
        by_table.entry(table).or_default().insert(id, status(key, outcome));
    }
    repeated(|| async {
        let mut tx = backend.write().await?;
        let mut noted = Noted::of(hearing.settings);
        for (table, statuses) in &by_table {
            let statuses: Vec<_> = statuses.iter().collect();
            for chunk in statuses.chunks(CHUNK) {
                set(&mut tx, table, chunk).await?;
            }
        }
        let served = note_progress(&mut tx, hearing).await?;
        let ports: Vec<_> = ports.iter().map(|(id, outcome)| (id.as_str(), *outcome)).collect();
        for chunk in ports.chunks(CHUNK) {
            port::hear(&mut tx, hearing, chunk, &mut noted).await?;
        }
        if let Some(network_id) = served {
            port::promote(&mut tx, hearing, network_id, &mut noted).await?;
        }
        noted.record(&mut tx, hearing.now).await?;
        tx.commit().await?;
        Ok(())
    })
    .await
}

/// Remembers how far a DHCP server has come; answers with its network.
async fn note_progress(
    tx: &mut Tx,
    hearing: &Hearing<'_>,
) -> Result<Option<NetworkId>, StoreError> {
    let Report { scope: Scope::Network(id), revision: Revision(reached), outcomes } =
        hearing.report
    else {
        return Ok(None);
    };
    let failed = |(key, outcome): &(ObjectKey, Outcome)| {
        matches!((key, outcome), (ObjectKey::Network(_), Outcome::Error(_)))
    };
    if outcomes.iter().any(failed) {
        return Ok(None);
    }
    let noted = tx
        .execute(Sql::with(
            "INSERT INTO dhcp_progress (network_id, host, revision) \
             SELECT $1, $2, $3 WHERE EXISTS (SELECT 1 FROM ports d WHERE d.network_id = $1 \
             AND d.device_owner = 'network:dhcp' AND d.host_id = $2) \
             ON CONFLICT (network_id, host) DO UPDATE SET revision = excluded.revision",
            [id.to_string().into(), hearing.host.0.as_str().into(), bound(*reached)],
        ))
        .await?;
    Ok((noted > 0).then_some(*id))
}

/// Status and its reason.
type Status = (&'static str, Option<String>);

fn place(key: &ObjectKey) -> (&'static str, String) {
    match key {
        ObjectKey::Router(id) => ("routers", id.to_string()),
        ObjectKey::Network(id) => ("networks", id.to_string()),
        ObjectKey::Port(id) => ("ports", id.to_string()),
        ObjectKey::FloatingIp(id) => ("floatingips", id.to_string()),
        ObjectKey::PortForwarding(id) => ("port_forwardings", id.to_string()),
        ObjectKey::GatewayPortForwarding(id) => ("gateway_port_forwardings", id.to_string()),
    }
}

/// A router that is off is still ACTIVE, as in Neutron.
fn status(key: &ObjectKey, outcome: &Outcome) -> Status {
    match (outcome, key) {
        (Outcome::Active, _) | (Outcome::Down, ObjectKey::Router(_)) => ("ACTIVE", None),
        (Outcome::Down, _) => ("DOWN", None),
        (Outcome::Error(reason), _) => ("ERROR", Some(storable(reason))),
    }
}

/// PostgreSQL cannot hold a NUL.
fn storable(reason: &str) -> String {
    reason.replace('\0', "")
}

/// Sets the status of what differs.
async fn set(
    tx: &mut Tx,
    table: &'static str,
    statuses: &[(&String, &Status)],
) -> Result<(), StoreError> {
    let declaration = table::declaration(table)?;
    let mut sql = Sql::new("WITH reported (id, status, reason) AS (VALUES ");
    for (index, (id, (status, reason))) in statuses.iter().enumerate() {
        sql.push(if index == 0 { "" } else { ", " });
        let reason = match reason {
            Some(reason) => Param::from(reason.as_str()),
            None => Param::Null(SqlType::Text),
        };
        sql.bind_list([Param::from(id.as_str()), Param::from(*status), reason]);
    }
    sql.push(&format!(") UPDATE {table} SET status = reported.status"));
    let differs = if table::column(declaration, "status_reason").is_ok() {
        sql.push(", status_reason = reported.reason");
        format!(" OR {table}.status_reason IS DISTINCT FROM reported.reason")
    } else {
        String::new()
    };
    sql.push(&format!(
        " FROM reported WHERE {table}.id = reported.id \
         AND ({table}.status IS DISTINCT FROM reported.status{differs})"
    ));
    tx.execute(sql).await.map(|_| ())
}
