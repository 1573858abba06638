//! The schema, as steps that are applied once each, in order, each in its own transaction. Several
//! servers may start at once: one migrates, the others wait.

use crate::{
    backend::{Backend, Tx},
    error::StoreError,
    sql::Sql,
};
use navigator_resources::SqlType;

struct Migration {
    version: i64,
    name: &'static str,
    text: &'static str,
}

/// In the order in which they are applied: the files below `migrations/`. What has been released is
/// never edited.
const MIGRATIONS: &[Migration] = &include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

impl Migration {
    /// Single statements: a prepared statement holds one.
    fn statements(&self) -> impl Iterator<Item = String> {
        let without_comments: Vec<&str> =
            self.text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        let statements: Vec<String> =
            without_comments.join("\n").split(';').map(|text| text.trim().to_owned()).collect();
        statements.into_iter().filter(|text| !text.is_empty())
    }
}

/// Applies what is missing.
pub(crate) async fn run(backend: &Backend) -> Result<(), StoreError> {
    let mut tx = locked(backend).await?;
    tx.execute(Sql::new(
        "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT PRIMARY KEY, name TEXT NOT NULL)",
    ))
    .await?;
    tx.commit().await?;
    refuse_newer(backend).await?;
    for migration in MIGRATIONS {
        apply(backend, migration).await?;
    }
    Ok(())
}

/// A transaction that only one migrating server at a time gets: SQLite has one writer anyway.
async fn locked(backend: &Backend) -> Result<Tx, StoreError> {
    /// Any number that nothing else locks.
    const LOCK: i64 = 0x6e61_7669_6761;
    let mut tx = backend.write().await?;
    if tx.is_postgres() {
        tx.execute(Sql::with("SELECT pg_advisory_xact_lock($1)", [LOCK.into()])).await?;
    }
    Ok(tx)
}

/// An older binary must not write to a newer schema.
async fn refuse_newer(backend: &Backend) -> Result<(), StoreError> {
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    let sql = Sql::with("SELECT name FROM schema_versions WHERE version > $1", [newest.into()]);
    let newer = backend.fetch(sql, &[("name", SqlType::Text)]).await?;
    match newer.first() {
        None => Ok(()),
        Some(row) => Err(StoreError::Setup(format!(
            "its schema has {}, which this version does not know: upgrade the server",
            row.text("name")
        ))),
    }
}

async fn apply(backend: &Backend, migration: &Migration) -> Result<(), StoreError> {
    let mut tx = locked(backend).await?;
    let applied = Sql::with(
        "SELECT version FROM schema_versions WHERE version = $1",
        [migration.version.into()],
    );
    if !tx.fetch(applied, &[("version", SqlType::Int)]).await?.is_empty() {
        return tx.rollback().await;
    }
    for statement in migration.statements() {
        tx.execute(Sql::new(&statement)).await?;
    }
    tx.execute(Sql::with(
        "INSERT INTO schema_versions (version, name) VALUES ($1, $2)",
        [migration.version.into(), migration.name.into()],
    ))
    .await?;
    tracing::info!(migration = migration.name, "schema migrated");
    tx.commit().await
}
