//! The outbox of what the compute service has to hear. Events are rows of the transaction that they
//! tell of: what is committed is sent, and nothing else is.

use std::time::{SystemTime, UNIX_EPOCH};

use navigator_resources::{
    Declaration, Row, Settings, SqlType,
    server_event::{Notice, ServerEvent, changed, server_of},
};
use uuid::Uuid;

use crate::{
    agents::repeated,
    backend::{Backend, Step, Tx},
    error::StoreError,
    sql::Sql,
    table::{columns, select_from},
};

/// An event that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingEvent {
    pub id: String,
    pub name: String,
    pub status: String,
    pub server_id: String,
    pub port_id: String,
}

/// What a transaction has to tell so far.
pub(crate) struct Noted {
    wanted: bool,
    notices: Vec<Notice>,
}

impl Noted {
    /// Collects nothing where nobody is told.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self { wanted: settings.server_events, notices: Vec::new() }
    }

    /// Whether what it was before matters for what there is to tell.
    pub(crate) fn looks_at(&self, declaration: &Declaration) -> bool {
        self.wanted && declaration.notices.is_some()
    }

    /// Whether a port is read to find out what there is to tell, after all that was written.
    pub(crate) fn reads(&self) -> bool {
        self.notices.iter().any(|notice| matches!(notice, Notice::Changed { .. }))
    }

    /// A row was written, or is gone.
    pub(crate) fn written(
        &mut self,
        declaration: &Declaration,
        before: Option<&Row>,
        after: Option<&Row>,
    ) {
        if let Some(notices) = declaration.notices.filter(|_| self.wanted) {
            for notice in notices(before, after) {
                self.note(notice);
            }
        }
    }

    pub(crate) fn note(&mut self, notice: Notice) {
        if self.wanted && !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }

    /// Writes the events.
    pub(crate) async fn record(self, tx: &mut Tx, now: &str) -> Result<(), StoreError> {
        for sql in self.events(tx, now).await? {
            tx.execute(sql).await?;
        }
        Ok(())
    }

    /// The statements that write the events. The last ones but the change log's before the commit.
    pub(crate) async fn events(self, tx: &mut Tx, now: &str) -> Result<Vec<Sql>, StoreError> {
        let mut events: Vec<ServerEvent> = Vec::new();
        for notice in self.notices {
            let event = match notice {
                Notice::Event(event) => Some(event),
                Notice::Changed { port_id } => of_stored_port(tx, &port_id).await?,
            };
            events.extend(event.filter(|event| !events.contains(event)));
        }
        let at_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let insertion = |(index, event): (usize, ServerEvent)| {
            let id = format!("{at_ms:015}-{index:05}-{}", Uuid::new_v4().simple());
            let mut sql = Sql::new(
                "INSERT INTO server_events (id, name, status, server_id, port_id, created_at) VALUES ",
            );
            sql.bind_list([
                id.into(),
                event.name.into(),
                event.status.into(),
                event.server_id.into(),
                event.port_id.into(),
                now.into(),
            ]);
            sql
        };
        Ok(events.into_iter().enumerate().map(insertion).collect())
    }
}

/// The row before a write of it, which nobody else changes any longer.
pub(crate) async fn before(
    tx: &mut Tx,
    declaration: &'static Declaration,
    id: &str,
) -> Result<Option<Row>, StoreError> {
    let stored = || declaration.columns().filter(|column| column.expression.is_none());
    let mut sql = select_from(declaration, stored(), "");
    sql.push(" WHERE id = ").bind(id);
    let columns = columns(stored());
    let mut steps = vec![Step { sql, columns: &columns }];
    if tx.is_postgres() {
        let text = format!("SELECT id FROM {} WHERE id = $1 FOR UPDATE", declaration.table);
        steps.insert(0, Step { sql: Sql::with(&text, [id.into()]), columns: &[] });
    }
    Ok(tx.run(steps).await?.pop().and_then(|mut rows| rows.pop()))
}

async fn of_stored_port(tx: &mut Tx, port_id: &str) -> Result<Option<ServerEvent>, StoreError> {
    let sql =
        Sql::with("SELECT device_owner, device_id FROM ports WHERE id = $1", [port_id.into()]);
    let columns = [("device_owner", SqlType::Text), ("device_id", SqlType::Text)];
    let row = tx.fetch(sql, &columns).await?.pop();
    Ok(row.and_then(|row| {
        let server = server_of(row.text("device_owner"), row.text("device_id"))?;
        Some(changed(server, port_id))
    }))
}

/// The oldest events.
pub(crate) async fn pending(
    backend: &Backend,
    limit: u32,
) -> Result<Vec<PendingEvent>, StoreError> {
    let sql = Sql::with(
        "SELECT id, name, status, server_id, port_id FROM server_events ORDER BY id LIMIT $1",
        [i64::from(limit).into()],
    );
    let text = |name| (name, SqlType::Text);
    let columns = ["id", "name", "status", "server_id", "port_id"].map(text);
    let rows = backend.fetch(sql, &columns).await?;
    let event = |row: &Row| PendingEvent {
        id: row.text("id").to_owned(),
        name: row.text("name").to_owned(),
        status: row.text("status").to_owned(),
        server_id: row.text("server_id").to_owned(),
        port_id: row.text("port_id").to_owned(),
    };
    Ok(rows.iter().map(event).collect())
}

/// They were sent, or nobody wants them.
pub(crate) async fn forget(backend: &Backend, ids: &[String]) -> Result<(), StoreError> {
    repeated(|| async {
        let mut tx = backend.write().await?;
        let mut sql = Sql::new("DELETE FROM server_events WHERE ");
        sql.bind_in("id", ids.iter().map(|id| id.as_str().into()).collect());
        tx.execute(sql).await?;
        tx.commit().await?;
        Ok(())
    })
    .await
}

/// Drops what was written before a time; how many there were.
pub(crate) async fn drop_older(backend: &Backend, before: &str) -> Result<u64, StoreError> {
    repeated(|| async {
        let mut tx = backend.write().await?;
        let text = "DELETE FROM server_events WHERE created_at < $1";
        let dropped = tx.execute(Sql::with(text, [before.into()])).await?;
        tx.commit().await?;
        Ok(dropped)
    })
    .await
}

/// Takes or keeps the lease until a time; false while another holder has it.
pub(crate) async fn lease(
    backend: &Backend,
    name: &str,
    holder: &str,
    now: &str,
    until: &str,
) -> Result<bool, StoreError> {
    repeated(|| async {
        let mut tx = backend.write().await?;
        let taken = tx
            .execute(Sql::with(
                "INSERT INTO leases (name, holder, held_until) VALUES ($1, $2, $3) \
                 ON CONFLICT (name) DO UPDATE \
                 SET holder = excluded.holder, held_until = excluded.held_until \
                 WHERE leases.holder = excluded.holder OR leases.held_until < $4",
                [name.into(), holder.into(), until.into(), now.into()],
            ))
            .await?;
        tx.commit().await?;
        Ok(taken > 0)
    })
    .await
}
