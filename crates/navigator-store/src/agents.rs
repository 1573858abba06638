//! What agents tell of themselves: that they are alive and what they can. Data for people and for
//! scheduling.

use std::future::Future;

use navigator_model::{Heartbeat, NetworkId, ObjectKey, Revision, Scope, report::AgentRole};
use navigator_resources::{Row, Settings, SqlType, registry::agent::alive};
use uuid::Uuid;

use crate::{
    backend::{Backend, Tx},
    change_log::Touched,
    decide::{Ended, retry_later},
    decode::Reader,
    error::StoreError,
    fetch::tunnel_ip,
    sql::{Param, Sql},
};

/// Repeats a transaction where the database asks for it.
pub(crate) async fn repeated<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, Ended>>,
{
    let mut attempts = 1;
    loop {
        match attempt().await {
            Ok(value) => return Ok(value),
            Err(ended) => retry_later(ended, &mut attempts).await?,
        }
    }
}

/// What a heartbeat means for others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// There may be work for the schedulers: a role appeared, came back after it was taken for dead,
    /// or changed.
    pub news: bool,
    /// Wake-ups to publish: the host's tunnel address is another one.
    pub moved: Vec<(Scope, Revision)>,
}

pub(crate) async fn heartbeat(
    backend: &Backend,
    heartbeat: &Heartbeat,
    settings: &Settings,
    now: &str,
) -> Result<Heard, StoreError> {
    repeated(|| async {
        let mut tx = backend.write().await?;
        let mut news = false;
        let mut moved = false;
        for role in &heartbeat.roles {
            let known = known(&mut tx, heartbeat, role).await?;
            let configurations = role.configurations.to_string();
            let before = known.as_ref().map_or("", |row| row.text("configurations"));
            moved |= tunnel_ip(before) != tunnel_ip(&configurations);
            news |= known.as_ref().is_none_or(|row| {
                !alive(row.text("heartbeat_timestamp"), now, settings.agent_down_time_s)
                    || row.text("configurations") != configurations
                    || row.text("availability_zone") != heartbeat.availability_zone
            });
            match known {
                Some(row) => refresh(&mut tx, heartbeat, role, row.text("id"), now).await?,
                None => register(&mut tx, heartbeat, role, now).await?,
            }
        }
        let moved = if moved { touch_ports(&mut tx, heartbeat).await? } else { Vec::new() };
        tx.commit().await?;
        Ok(Heard { news, moved })
    })
    .await
}

async fn known(
    tx: &mut Tx,
    heartbeat: &Heartbeat,
    role: &AgentRole,
) -> Result<Option<Row>, StoreError> {
    let sql = Sql::with(
        "SELECT id, heartbeat_timestamp, configurations, availability_zone FROM agents \
         WHERE agent_type = $1 AND host = $2",
        [role.agent_type.as_str().into(), heartbeat.host.0.as_str().into()],
    );
    let columns = [
        ("id", SqlType::Text),
        ("heartbeat_timestamp", SqlType::Text),
        ("configurations", SqlType::Text),
        ("availability_zone", SqlType::Text),
    ];
    Ok(tx.fetch(sql, &columns).await?.pop())
}

async fn register(
    tx: &mut Tx,
    heartbeat: &Heartbeat,
    role: &AgentRole,
    now: &str,
) -> Result<(), StoreError> {
    let sql = Sql::with(
        "INSERT INTO agents (id, agent_type, \"binary\", topic, host, availability_zone, \
         admin_state_up, configurations, created_at, started_at, heartbeat_timestamp) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $9)",
        [
            Uuid::new_v4().to_string().into(),
            role.agent_type.as_str().into(),
            role.binary.as_str().into(),
            role.topic.as_str().into(),
            heartbeat.host.0.as_str().into(),
            heartbeat.availability_zone.as_str().into(),
            Param::Bool(true),
            role.configurations.to_string().into(),
            now.into(),
        ],
    );
    tx.execute(sql).await?;
    let known = "INSERT INTO known_hosts (host) VALUES ($1) ON CONFLICT (host) DO NOTHING";
    tx.execute(Sql::with(known, [heartbeat.host.0.as_str().into()])).await.map(|_| ())
}

async fn refresh(
    tx: &mut Tx,
    heartbeat: &Heartbeat,
    role: &AgentRole,
    id: &str,
    now: &str,
) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE agents SET heartbeat_timestamp = ");
    sql.bind(now).push(", configurations = ").bind(role.configurations.to_string());
    sql.push(", availability_zone = ").bind(heartbeat.availability_zone.as_str());
    sql.push(", \"binary\" = ").bind(role.binary.as_str());
    sql.push(", topic = ").bind(role.topic.as_str());
    if heartbeat.started {
        sql.push(", started_at = ").bind(now);
    }
    sql.push(" WHERE id = ").bind(id);
    tx.execute(sql).await.map(|_| ())
}

/// The host's tunnel address is part of every port that is bound there.
async fn touch_ports(
    tx: &mut Tx,
    heartbeat: &Heartbeat,
) -> Result<Vec<(Scope, Revision)>, StoreError> {
    let sql = Sql::with(
        "SELECT id, network_id FROM ports WHERE host_id = $1",
        [heartbeat.host.0.as_str().into()],
    );
    let rows = tx.fetch(sql, &[("id", SqlType::Text), ("network_id", SqlType::Text)]).await?;
    let mut touched = Touched::default();
    for row in &rows {
        let read = Reader { table: "ports", row };
        let network: NetworkId = read.parse("network_id")?;
        touched.object(Scope::Network(network), ObjectKey::Port(read.parse("id")?));
    }
    touched.record(tx).await
}
