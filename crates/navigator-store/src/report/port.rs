//! Ports: what a host says of them becomes their status once everybody who has to be ready is.

use navigator_model::{NetworkId, Outcome};
use navigator_resources::{
    Row, Settings, SqlType, SqlValue,
    provisioning::{Place, Wiring, hear as decide},
    registry::agent::oldest_alive,
    server_event::{Notice, plugged_ahead, server_of, status_changed},
};

use super::{CHUNK, Hearing, Status, set, storable};
use crate::{
    agents::repeated,
    backend::{Backend, Tx},
    decode::Reader,
    error::StoreError,
    server_event::Noted,
    sql::{Param, Sql},
};

/// 1 where no DHCP server has to know the port `p`, no such server is alive, or one has reached the
/// revision at which the port last changed. Followed by the time of the oldest heartbeat that counts.
const READY: [&str; 2] = [
    "CASE WHEN substr(p.device_owner, 1, 8) = 'network:' \
     OR NOT EXISTS (SELECT 1 FROM ip_allocations a JOIN subnets s ON s.id = a.subnet_id \
     WHERE a.port_id = p.id AND s.enable_dhcp) \
     OR EXISTS (SELECT 1 FROM dhcp_progress r WHERE r.network_id = p.network_id AND r.revision >= \
     COALESCE((SELECT c.revision FROM changes c WHERE c.scope = 'network/' || p.network_id \
     AND c.object = 'port/' || p.id), 0)) \
     OR NOT EXISTS (SELECT 1 FROM ports d JOIN agents g ON g.host = d.host_id \
     AND g.agent_type = 'DHCP agent' WHERE d.network_id = p.network_id \
     AND d.device_owner = 'network:dhcp' AND g.admin_state_up AND g.heartbeat_timestamp >= ",
    ") THEN 1 ELSE 0 END",
];

/// 1 where the port `p` is on and a router's that is off.
const ROUTER_OFF: &str = "CASE WHEN p.admin_state_up \
    AND p.device_owner IN ('network:router_interface', 'network:router_gateway') \
    AND EXISTS (SELECT 1 FROM routers o WHERE o.id = p.device_id AND NOT o.admin_state_up) \
    THEN 1 ELSE 0 END AS router_off, ";

const COLUMNS: [(&str, SqlType); 10] = [
    ("id", SqlType::Text),
    ("status", SqlType::Text),
    ("host_id", SqlType::Text),
    ("device_owner", SqlType::Text),
    ("device_id", SqlType::Text),
    ("profile", SqlType::Text),
    ("binding", SqlType::Text),
    ("wired_at", SqlType::Text),
    ("router_off", SqlType::Int),
    ("ready", SqlType::Int),
];

/// `SELECT …` of [`COLUMNS`]; the caller says `FROM`, with a port `p` and a binding `b`.
fn select(settings: &Settings, now: &str) -> Sql {
    let mut sql = Sql::new(
        "SELECT p.id, p.status, p.host_id, p.device_owner, p.device_id, p.profile, \
         b.status AS binding, b.wired_at, ",
    );
    sql.push(ROUTER_OFF);
    let oldest = oldest_alive(now, settings.agent_down_time_s).unwrap_or_default();
    sql.push(READY[0]).bind(oldest).push(READY[1]).push(" AS ready");
    sql
}

/// Takes in what a host says of some ports.
pub(super) async fn hear(
    tx: &mut Tx,
    hearing: &Hearing<'_>,
    outcomes: &[(&str, &Outcome)],
    noted: &mut Noted,
) -> Result<(), StoreError> {
    let ids = || outcomes.iter().map(|(id, _)| Param::from(*id)).collect();
    if tx.is_postgres() {
        let mut sql = Sql::new("SELECT id FROM ports WHERE ");
        sql.bind_in("id", ids()).push(" ORDER BY id FOR UPDATE");
        tx.execute(sql).await?;
    }
    let mut sql = select(hearing.settings, hearing.now);
    sql.push(" FROM ports p LEFT JOIN port_bindings b ON b.port_id = p.id AND b.host = ");
    sql.bind(hearing.host.0.as_str()).push(" WHERE ").bind_in("p.id", ids());
    let rows = tx.fetch(sql, &COLUMNS).await?;
    let mut changes = Changes::default();
    for row in &rows {
        let said = outcomes.iter().find(|(id, _)| *id == row.text("id"));
        let Some((_, outcome)) = said else { continue };
        changes.take(row, hearing, outcome, noted)?;
    }
    changes.write(tx, hearing).await
}

#[derive(Default)]
struct Changes {
    statuses: Vec<(String, Status)>,
    wired: Vec<Param>,
    unwired: Vec<Param>,
}

impl Changes {
    fn take(
        &mut self,
        row: &Row,
        hearing: &Hearing<'_>,
        outcome: &Outcome,
        noted: &mut Noted,
    ) -> Result<(), StoreError> {
        let id = row.text("id");
        let wired = !row.text("wired_at").is_empty();
        let wiring = Wiring {
            place: place(row, hearing)?,
            status: row.text("status"),
            wired,
            ready: *row.get("ready") == SqlValue::Int(1),
            router_off: *row.get("router_off") == SqlValue::Int(1),
        };
        let verdict = decide(&wiring, outcome);
        if verdict.wired != wired {
            let list = if verdict.wired { &mut self.wired } else { &mut self.unwired };
            list.push(id.into());
        }
        let server = server_of(row.text("device_owner"), row.text("device_id"));
        if let (Some(server), true) = (server, verdict.plugged_ahead) {
            noted.note(Notice::Event(plugged_ahead(server, id)));
        }
        if let Some((status, reason)) = verdict.status {
            let event = server.and_then(|of| status_changed(wiring.status, status, of, id));
            event.into_iter().for_each(|event| noted.note(Notice::Event(event)));
            self.statuses.push((id.to_owned(), (status, reason.map(storable))));
        }
        Ok(())
    }

    async fn write(self, tx: &mut Tx, hearing: &Hearing<'_>) -> Result<(), StoreError> {
        let statuses: Vec<_> = self.statuses.iter().map(|(id, status)| (id, status)).collect();
        if !statuses.is_empty() {
            set(tx, "ports", &statuses).await?;
        }
        for (ids, at) in
            [(self.wired, Param::from(hearing.now)), (self.unwired, Param::Null(SqlType::Text))]
        {
            if ids.is_empty() {
                continue;
            }
            let mut sql = Sql::new("UPDATE port_bindings SET wired_at = ");
            sql.bind(at).push(" WHERE host = ").bind(hearing.host.0.as_str()).push(" AND ");
            sql.bind_in("port_id", ids);
            tx.execute(sql).await?;
        }
        Ok(())
    }
}

/// What the reporting host is to the port.
fn place(row: &Row, hearing: &Hearing<'_>) -> Result<Place, StoreError> {
    let host = hearing.host.0.as_str();
    if row.text("host_id") == host {
        return Ok(Place::Here);
    }
    if !row.text("binding").is_empty() {
        return Ok(Place::Prepared);
    }
    let profile: serde_json::Value = Reader { table: "ports", row }.json("profile")?;
    let expected = profile.get("migrating_to").and_then(|to| to.as_str()) == Some(host);
    Ok(if expected { Place::Prepared } else { Place::Elsewhere })
}

/// Ports of a network that waited for its DHCP servers and need not wait any longer.
pub(super) async fn promote(
    tx: &mut Tx,
    hearing: &Hearing<'_>,
    network_id: NetworkId,
    noted: &mut Noted,
) -> Result<(), StoreError> {
    let mut sql = select(hearing.settings, hearing.now);
    sql.push(WAITING).push(" AND p.network_id = ").bind(network_id.to_string());
    let rows = tx.fetch(sql, &COLUMNS).await?;
    let ready = rows.iter().filter(|row| *row.get("ready") == SqlValue::Int(1));
    activate(tx, ready, noted).await
}

/// Wired where they are, but down.
const WAITING: &str = " FROM ports p JOIN port_bindings b ON b.port_id = p.id AND b.host = p.host_id \
    WHERE p.status = 'DOWN' AND p.host_id <> '' AND p.admin_state_up AND b.wired_at IS NOT NULL";

async fn activate<'a>(
    tx: &mut Tx,
    rows: impl Iterator<Item = &'a Row>,
    noted: &mut Noted,
) -> Result<(), StoreError> {
    let mut ids = Vec::new();
    for row in rows {
        let id = row.text("id");
        let server = server_of(row.text("device_owner"), row.text("device_id"));
        let event = server.and_then(|of| status_changed("DOWN", "ACTIVE", of, id));
        event.into_iter().for_each(|event| noted.note(Notice::Event(event)));
        ids.push(id.to_owned());
    }
    let active: Status = ("ACTIVE", None);
    for chunk in ids.chunks(CHUNK) {
        let statuses: Vec<_> = chunk.iter().map(|id| (id, &active)).collect();
        set(tx, "ports", &statuses).await?;
    }
    Ok(())
}

/// Ports that were wired before a time and still wait for a DHCP server: they wait no longer. Answers
/// with their ids.
pub(crate) async fn release(
    backend: &Backend,
    settings: &Settings,
    now: &str,
    before: &str,
) -> Result<Vec<String>, StoreError> {
    repeated(|| async {
        let mut tx = backend.write().await?;
        let mut noted = Noted::of(settings);
        let mut sql = select(settings, now);
        sql.push(WAITING).push(" AND b.wired_at < ").bind(before);
        let rows = tx.fetch(sql, &COLUMNS).await?;
        activate(&mut tx, rows.iter(), &mut noted).await?;
        noted.record(&mut tx, now).await?;
        tx.commit().await?;
        Ok(rows.iter().map(|row| row.text("id").to_owned()).collect())
    })
    .await
}
