//! Limits on the number of objects per project: what they are, how much is used, and that no
//! creation exceeds them.
//!
//! Where there is a limit, the transaction holds the project's lock of that kind of object before it
//! counts, and until it ends: of two that meet, the second counts what the first made. The lock comes
//! after the locks of rows and before those of scopes, in the order of projects, so that it cannot
//! deadlock with them.

use std::collections::BTreeMap;

use navigator_model::ProjectId;
use navigator_resources::{Declaration, Quotas, Refusal, Row, SqlType, SqlValue};

use crate::{
    backend::{Backend, Tx},
    decide::Ended,
    error::StoreError,
    sql::{Param, Sql},
    write::{Need, Statements},
};

/// Limits by the quota's name.
pub type Limits = BTreeMap<String, i64>;

/// What a request creates, and whose it is. Objects that come into being beside it, such as a router's
/// ports, are counted but not refused.
pub(crate) struct Creation<'a> {
    declarations: Vec<&'static Declaration>,
    quotas: &'a Quotas,
    /// What projects have more of than before, by project and quota.
    grown: BTreeMap<(String, &'static str), &'static Declaration>,
}

impl<'a> Creation<'a> {
    pub(crate) fn new(declarations: &[&'static Declaration], quotas: &'a Quotas) -> Self {
        let counted = declarations.iter().copied().filter(|declaration| declaration.is_counted());
        Self { declarations: counted.collect(), quotas, grown: BTreeMap::new() }
    }

    pub(crate) fn inserted(&mut self, declaration: &'static Declaration, row: &Row) {
        let project = row.text("project_id");
        if !project.is_empty()
            && self.declarations.iter().any(|counted| counted.table == declaration.table)
        {
            self.grown.insert((project.to_owned(), declaration.quota), declaration);
        }
    }

    /// Refuses if a project now has more than it may have.
    pub(crate) async fn check(self, tx: &mut Tx, statements: &mut Statements) -> Result<(), Ended> {
        for ((project, quota), declaration) in &self.grown {
            let limit = self.quotas.limit(quota);
            if tx.is_postgres() {
                statements.put(tx, lock(project, quota, limit), Need::Nothing).await?;
            }
            let fits = fits(project, declaration, limit);
            if statements.go_together() {
                let fits = fits.within("SELECT 1 / (", ")");
                statements.put(tx, fits, Need::Nothing).await?;
                continue;
            }
            let rows = tx.fetch(fits.within("SELECT ", " AS fits"), FITS).await?;
            if rows.first().and_then(|row| number(row, "fits")) != Some(1) {
                let overs = format!("['{quota}']");
                return Err(Ended::Refused(Refusal::OverQuota { overs }));
            }
        }
        Ok(())
    }
}

const FITS: &[(&str, SqlType)] = &[("fits", SqlType::Int)];

/// The limit that was set for the project, or this one.
fn push_limit<'s>(sql: &'s mut Sql, project: &str, quota: &str, limit: i64) -> &'s mut Sql {
    sql.push("COALESCE((SELECT q.quota_limit FROM quotas q WHERE q.project_id = ").bind(project);
    sql.push(" AND q.resource = ").bind(quota).push("), ").bind(limit).push(")")
}

/// Takes the lock if there is a limit. SQLite needs none: its transactions write one after another.
fn lock(project: &str, quota: &str, limit: i64) -> Sql {
    let mut sql = Sql::new("INSERT INTO quota_locks (project_id, resource) SELECT ");
    sql.bind(project).push(", ").bind(quota).push(" WHERE ");
    push_limit(&mut sql, project, quota, limit).push(" >= 0 ON CONFLICT (project_id, resource) ");
    sql.push("DO UPDATE SET resource = excluded.resource");
    sql
}

/// An expression: 1 if the project has no more than it may have, else 0. Counts only if there is a limit.
fn fits(project: &str, declaration: &Declaration, limit: i64) -> Sql {
    let mut sql = Sql::new("SELECT CASE WHEN l.most < 0 THEN 1 WHEN ");
    push_count(&mut sql, declaration, project);
    sql.push(" <= l.most THEN 1 ELSE 0 END FROM (SELECT ");
    push_limit(&mut sql, project, declaration.quota, limit).push(" AS most) l");
    sql.within("(", ")")
}

fn push_count(sql: &mut Sql, declaration: &Declaration, project: &str) {
    sql.push("(SELECT count(*) FROM ").push(declaration.table).push(" WHERE project_id = ");
    sql.bind(project).push(")");
}

fn number(row: &Row, column: &str) -> Option<i64> {
    match row.get(column) {
        SqlValue::Int(number) => Some(*number),
        _ => None,
    }
}

/// A name that the database can hold; no project has another.
fn storable(project: &ProjectId) -> Option<Param> {
    Param::typed(&project.0.as_str().into(), SqlType::Text)
}

const COLUMNS: &[(&str, SqlType)] =
    &[("project_id", SqlType::Text), ("resource", SqlType::Text), ("quota_limit", SqlType::Int)];

async fn limits(backend: &Backend, sql: Sql) -> Result<BTreeMap<ProjectId, Limits>, StoreError> {
    let mut projects: BTreeMap<ProjectId, Limits> = BTreeMap::new();
    for row in backend.fetch(sql, COLUMNS).await? {
        let limits = projects.entry(ProjectId::from(row.text("project_id"))).or_default();
        limits.extend(number(&row, "quota_limit").map(|n| (row.text("resource").to_owned(), n)));
    }
    Ok(projects)
}

/// The limits that were set, of every project that has any.
pub(crate) async fn all(backend: &Backend) -> Result<BTreeMap<ProjectId, Limits>, StoreError> {
    limits(backend, Sql::new("SELECT project_id, resource, quota_limit FROM quotas")).await
}

pub(crate) async fn of(backend: &Backend, project: &ProjectId) -> Result<Limits, StoreError> {
    let Some(param) = storable(project) else { return Ok(Limits::new()) };
    let text = "SELECT project_id, resource, quota_limit FROM quotas WHERE project_id = $1";
    let mut found = limits(backend, Sql::with(text, [param])).await?;
    Ok(found.remove(project).unwrap_or_default())
}

pub(crate) async fn set(
    backend: &Backend,
    project: &ProjectId,
    limits: &BTreeMap<&'static str, i64>,
) -> Result<(), StoreError> {
    let Some(param) = storable(project).filter(|_| !limits.is_empty()) else { return Ok(()) };
    let mut sql = Sql::new("INSERT INTO quotas (project_id, resource, quota_limit) VALUES ");
    for (index, (resource, limit)) in limits.iter().enumerate() {
        sql.push(if index == 0 { "" } else { ", " });
        sql.bind_list([param.clone(), (*resource).into(), (*limit).into()]);
    }
    sql.push(
        " ON CONFLICT (project_id, resource) DO UPDATE SET quota_limit = excluded.quota_limit",
    );
    let mut tx = backend.write().await?;
    tx.execute(sql).await?;
    tx.commit().await
}

/// Whether there was any to forget.
pub(crate) async fn reset(backend: &Backend, project: &ProjectId) -> Result<bool, StoreError> {
    let Some(param) = storable(project) else { return Ok(false) };
    let mut tx = backend.write().await?;
    let text = "DELETE FROM quotas WHERE project_id = $1";
    let forgotten = tx.execute(Sql::with(text, [param])).await?;
    tx.commit().await?;
    Ok(forgotten > 0)
}

/// How many objects of each of these kinds a project has.
pub(crate) async fn used(
    backend: &Backend,
    project: &ProjectId,
    declarations: &[&'static Declaration],
) -> Result<Vec<i64>, StoreError> {
    if storable(project).is_none() || declarations.is_empty() {
        return Ok(vec![0; declarations.len()]);
    }
    let mut sql = Sql::new("SELECT ");
    for (index, declaration) in declarations.iter().enumerate() {
        sql.push(if index == 0 { "" } else { ", " });
        push_count(&mut sql, declaration, &project.0);
    }
    let columns: Vec<_> = declarations.iter().map(|d| (d.quota, SqlType::Int)).collect();
    let row = backend.fetch(sql, &columns).await?.pop().unwrap_or_default();
    Ok(declarations.iter().map(|d| number(&row, d.quota).unwrap_or_default()).collect())
}
