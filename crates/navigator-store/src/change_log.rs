//! The change log: which object of which scope changed at which revision, written in the
//! transaction that changed it.
//!
//! A revision is taken under the lock of the scope's row, which is held until the commit, so
//! revisions of one scope are committed in their order and without gaps. The locks are taken at the
//! end of the transaction, always in the same order, so that they cannot deadlock.

use std::collections::{BTreeMap, BTreeSet, btree_map::OccupiedEntry};

use navigator_model::{ObjectKey, Revision, RouterId, Scope};
use navigator_resources::{Row, SqlType, SqlValue};

use crate::{
    backend::{Backend, Step, Tx},
    error::StoreError,
    fetch::home_subnets,
    sql::{Param, Sql},
};

/// How many of a scope's last revisions are kept apart. Who asks for an older one gets everything.
pub(crate) const KEPT_REVISIONS: u64 = 10_000;
/// Old changes are dropped every so many revisions.
const PRUNED_EVERY: u64 = 1_000;
/// Rows per statement.
const CHUNK: usize = 256;

#[derive(Default)]
pub(crate) struct Touched {
    objects: BTreeMap<Scope, BTreeSet<ObjectKey>>,
    hosts: bool,
}

impl Touched {
    pub(crate) fn object(&mut self, scope: Scope, object: ObjectKey) {
        self.objects.entry(scope).or_default().insert(object);
    }

    pub(crate) fn hosts(&mut self) {
        self.hosts = true;
    }

    /// Moves each touched scope on by one revision. The last thing before the commit.
    pub(crate) async fn record(self, tx: &mut Tx) -> Result<Vec<(Scope, Revision)>, StoreError> {
        // Hosts come before routers and networks, here and in the order of scopes.
        let mut moved = if self.hosts { advance_hosts(tx).await? } else { Vec::new() };
        for (scope, objects) in self.objects {
            let revision = match is_one_statement(tx, &objects) {
                true => reached(tx, advance_and_log(&scope, &objects)).await?,
                false => {
                    let revision = advance(tx, &scope).await?;
                    log(tx, &scope, revision, &objects).await?;
                    revision
                }
            };
            if let Some(id) = home(&scope, &objects) {
                note_home(tx, id, revision).await?;
            }
            if let Some(horizon) = horizon(revision) {
                prune(tx, &scope, horizon).await?;
            }
            moved.push((scope, revision));
        }
        Ok(moved)
    }

    /// The same, and commits: along with the writes that wait, with what is read at last, and with the
    /// revision of the last scope, since until then everybody else who changes the scope waits. The rows
    /// of each read.
    pub(crate) async fn commit(
        mut self,
        mut tx: Tx,
        backend: &Backend,
        mut writes: Vec<Step<'_>>,
        reads: Vec<Step<'_>>,
    ) -> Result<(Vec<(Scope, Revision)>, Vec<Vec<Row>>), StoreError> {
        let is_all = |scope: &Scope, objects: &BTreeSet<ObjectKey>| {
            is_one_statement(&tx, objects) && home(scope, objects).is_none()
        };
        let scope = self.objects.last_entry().filter(|last| is_all(last.key(), last.get()));
        let scope = scope.map(OccupiedEntry::remove_entry);
        let mut moved = match self.record_after(&mut writes, &mut tx).await {
            Ok(moved) => moved,
            Err(error) => {
                // The connection is closed if this fails too.
                let _ = tx.rollback().await;
                return Err(error);
            }
        };
        let written = writes.len();
        let mut last = writes;
        last.extend(reads);
        if let Some((scope, objects)) = &scope {
            last.push(Step { sql: advance_and_log(scope, objects), columns: REACHED });
        }
        let mut rows = tx.commit_after(last).await?;
        if let Some((scope, _)) = scope {
            let revision = first_revision(&rows.pop().unwrap_or_default());
            if let Some(horizon) = horizon(revision) {
                prune_apart(backend, &scope, horizon).await;
            }
            moved.push((scope, revision));
        }
        Ok((moved, rows.split_off(written)))
    }

    /// The scopes' locks come last: if there are any to take, the writes are sent before.
    async fn record_after(
        self,
        writes: &mut Vec<Step<'_>>,
        tx: &mut Tx,
    ) -> Result<Vec<(Scope, Revision)>, StoreError> {
        if self.hosts || !self.objects.is_empty() {
            tx.run(std::mem::take(writes)).await?;
        }
        self.record(tx).await
    }
}

/// Whether a scope's revision and its entries are one statement, which SQLite has not.
fn is_one_statement(tx: &Tx, objects: &BTreeSet<ObjectKey>) -> bool {
    tx.is_postgres() && (1..=CHUNK).contains(&objects.len())
}

/// The router whose home may be another one now.
fn home(scope: &Scope, objects: &BTreeSet<ObjectKey>) -> Option<RouterId> {
    match scope {
        Scope::Router(id) if objects.contains(&ObjectKey::Router(*id)) => Some(*id),
        _ => None,
    }
}

/// What is to be forgotten now, if it is time: changes up to this revision.
fn horizon(revision: Revision) -> Option<u64> {
    let due = revision.0.is_multiple_of(PRUNED_EVERY) && revision.0 > KEPT_REVISIONS;
    due.then(|| revision.0 - KEPT_REVISIONS)
}

pub(crate) fn revision(row: &Row, column: &str) -> Revision {
    match row.get(column) {
        SqlValue::Int(number) => Revision(u64::try_from(*number).unwrap_or_default()),
        _ => Revision::default(),
    }
}

pub(crate) fn bound(revision: u64) -> Param {
    Param::Int(i64::try_from(revision).unwrap_or(i64::MAX))
}

async fn advance(tx: &mut Tx, scope: &Scope) -> Result<Revision, StoreError> {
    let sql = Sql::with(
        "INSERT INTO scopes (name, revision, horizon) VALUES ($1, 1, 0) \
         ON CONFLICT (name) DO UPDATE SET revision = scopes.revision + 1 RETURNING revision",
        [scope.to_string().into()],
    );
    reached(tx, sql).await
}

/// Both in one statement.
fn advance_and_log(scope: &Scope, objects: &BTreeSet<ObjectKey>) -> Sql {
    let name = scope.to_string();
    let mut sql =
        Sql::new("WITH reached AS (INSERT INTO scopes (name, revision, horizon) VALUES (");
    sql.bind(name.as_str()).push(", 1, 0) ON CONFLICT (name) DO UPDATE ");
    sql.push("SET revision = scopes.revision + 1 RETURNING revision), ");
    sql.push("changed AS (INSERT INTO changes (scope, object, revision) SELECT ").bind(name);
    sql.push(", objects.object, reached.revision FROM reached, (VALUES ");
    for (index, object) in objects.iter().enumerate() {
        sql.push(if index == 0 { "" } else { ", " }).bind_list([object.to_string().into()]);
    }
    sql.push(") AS objects (object) ");
    sql.push("ON CONFLICT (scope, object) DO UPDATE SET revision = excluded.revision) ");
    sql.push("SELECT revision FROM reached");
    sql
}

/// The revision that the statement answers with.
async fn reached(tx: &mut Tx, sql: Sql) -> Result<Revision, StoreError> {
    Ok(first_revision(&tx.fetch(sql, REACHED).await?))
}

const REACHED: &[(&str, SqlType)] = &[("revision", SqlType::Int)];

fn first_revision(rows: &[Row]) -> Revision {
    rows.first().map(|row| revision(row, "revision")).unwrap_or_default()
}

/// Every host that has an agent or had one.
async fn advance_hosts(tx: &mut Tx) -> Result<Vec<(Scope, Revision)>, StoreError> {
    // "WHERE TRUE" tells SQLite that ON is not of a join.
    let sql = Sql::new(
        "INSERT INTO scopes (name, revision, horizon) \
         SELECT name, 1, 0 FROM (SELECT 'host/' || host AS name FROM agents \
         UNION SELECT 'host/' || host AS name FROM known_hosts) AS hosts \
         WHERE TRUE ORDER BY name \
         ON CONFLICT (name) DO UPDATE SET revision = scopes.revision + 1 RETURNING name, revision",
    );
    let rows = tx.fetch(sql, &[("name", SqlType::Text), ("revision", SqlType::Int)]).await?;
    let parsed = rows.iter().filter_map(|row| {
        let scope = row.text("name").parse().ok()?;
        Some((scope, revision(row, "revision")))
    });
    let mut reached: Vec<(Scope, Revision)> = parsed.collect();
    reached.sort();
    Ok(reached)
}

async fn log(
    tx: &mut Tx,
    scope: &Scope,
    revision: Revision,
    objects: &BTreeSet<ObjectKey>,
) -> Result<(), StoreError> {
    let objects: Vec<String> = objects.iter().map(ToString::to_string).collect();
    for chunk in objects.chunks(CHUNK) {
        let mut sql = Sql::new("INSERT INTO changes (scope, object, revision) VALUES ");
        for (index, object) in chunk.iter().enumerate() {
            sql.push(if index == 0 { "" } else { ", " });
            sql.bind_list([scope.to_string().into(), object.as_str().into(), bound(revision.0)]);
        }
        sql.push(" ON CONFLICT (scope, object) DO UPDATE SET revision = excluded.revision");
        tx.execute(sql).await?;
    }
    Ok(())
}

/// Remembers the revision if the router has become, or is no longer, the gateway of a subnet.
/// Under the scope's lock, so that two changes that meet are both seen.
async fn note_home(tx: &mut Tx, id: RouterId, revision: Revision) -> Result<(), StoreError> {
    let subnets = home_subnets(tx, id).await?;
    let sql = Sql::with(
        "INSERT INTO router_homes (router_id, subnets, revision) VALUES ($1, $2, $3) \
         ON CONFLICT (router_id) DO UPDATE \
         SET subnets = excluded.subnets, revision = excluded.revision \
         WHERE router_homes.subnets <> excluded.subnets",
        [id.to_string().into(), subnets.into(), bound(revision.0)],
    );
    tx.execute(sql).await.map(|_| ())
}

/// After the commit of the revision. What is left because of an error goes the next time.
async fn prune_apart(backend: &Backend, scope: &Scope, horizon: u64) {
    let pruned = async {
        let mut tx = backend.write().await?;
        prune(&mut tx, scope, horizon).await?;
        tx.commit().await
    };
    if let Err(error) = pruned.await {
        tracing::warn!(%scope, %error, "old changes could not be forgotten");
    }
}

/// The scope's row first, as whoever changes it does.
async fn prune(tx: &mut Tx, scope: &Scope, horizon: u64) -> Result<(), StoreError> {
    let name = scope.to_string();
    tx.execute(Sql::with(
        "UPDATE scopes SET horizon = $1 WHERE name = $2 AND horizon < $1",
        [bound(horizon), name.as_str().into()],
    ))
    .await?;
    tx.execute(Sql::with(
        "DELETE FROM changes WHERE scope = $1 AND revision <= $2",
        [name.into(), bound(horizon)],
    ))
    .await?;
    Ok(())
}
