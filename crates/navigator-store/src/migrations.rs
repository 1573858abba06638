//! The schema, as steps that are applied once each, in order, each in its own transaction. Several
//! servers may start at once: one migrates, the others wait.

use crate::{
    backend::{Backend, Tx},
    error::StoreError,
    sql::Sql,
};
use navigator_resources::{SqlType, SqlValue};

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

/// How a database's schema compares with what this version knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// The names of the applied steps, oldest first.
    pub applied: Vec<String>,
    /// Steps that this version has and the database lacks.
    pub missing: Vec<&'static str>,
    /// Applied steps that this version does not know: a newer one was here.
    pub unknown: Vec<String>,
}

impl Schema {
    /// Whether this version can work with it.
    pub fn is_current(&self) -> bool {
        self.missing.is_empty()
    }
}

pub(crate) async fn schema(backend: &Backend) -> Result<Schema, StoreError> {
    let mut schema = Schema::default();
    let rows = if has_versions(backend).await? {
        let sql = Sql::new("SELECT version, name FROM schema_versions ORDER BY version");
        backend.fetch(sql, &[("version", SqlType::Int), ("name", SqlType::Text)]).await?
    } else {
        Vec::new()
    };
    for row in &rows {
        let (version, name) = (row.get("version"), row.text("name").to_owned());
        if !MIGRATIONS.iter().any(|known| *version == SqlValue::Int(known.version)) {
            schema.unknown.push(name.clone());
        }
        schema.applied.push(name);
    }
    let applied = |migration: &&Migration| {
        rows.iter().any(|row| *row.get("version") == SqlValue::Int(migration.version))
    };
    schema.missing =
        MIGRATIONS.iter().filter(|step| !applied(step)).map(|step| step.name).collect();
    Ok(schema)
}

/// Whether any version ever worked on this database.
async fn has_versions(backend: &Backend) -> Result<bool, StoreError> {
    let text = match backend {
        Backend::Sqlite { .. } => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'schema_versions'"
        }
        Backend::Postgres(_) => {
            "SELECT tablename::TEXT FROM pg_tables \
             WHERE tablename = 'schema_versions' AND schemaname = ANY (current_schemas(FALSE))"
        }
    };
    Ok(!backend.fetch(Sql::new(text), &[("name", SqlType::Text)]).await?.is_empty())
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
