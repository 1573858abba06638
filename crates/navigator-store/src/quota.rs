//! Limits on the number of objects per project: what they are, how much is used, and that no
//! creation exceeds them.
//!
//! A limit is read by the statement that inserts the object, so that a project without limits pays
//! nothing more. Where there is one, the transaction holds the project's lock of that kind of object
//! before it counts, and until it ends: of two that meet, the second counts what the first made.
//! The lock comes after the locks of rows and before those of scopes, in the order of projects, so
//! that it cannot deadlock with them.

use std::collections::BTreeMap;

use navigator_model::ProjectId;
use navigator_resources::{Declaration, Quotas, Refusal, Row, SqlType, SqlValue};

use crate::{
    backend::{Backend, Tx},
    decide::Ended,
    error::StoreError,
    sql::{Param, Sql},
};

/// Limits by the quota's name.
pub type Limits = BTreeMap<String, i64>;

/// What a request creates, and of which projects the number of these is limited. Objects that come
/// into being beside it, such as a router's ports, are counted but not refused.
pub(crate) struct Creation<'a> {
    declarations: Vec<&'static Declaration>,
    quotas: &'a Quotas,
    /// By project and quota.
    limits: BTreeMap<(String, &'static str), Limit>,
}

struct Limit {
    /// `None`: there is none.
    most: Option<i64>,
    /// What this request has created so far.
    created: i64,
}

impl<'a> Creation<'a> {
    pub(crate) fn new(declarations: &[&'static Declaration], quotas: &'a Quotas) -> Self {
        let counted = declarations.iter().copied().filter(|declaration| declaration.is_counted());
        Self { declarations: counted.collect(), quotas, limits: BTreeMap::new() }
    }

    /// Whether the insertion of this row has to say what its project's limit is.
    pub(crate) fn asks(&self, declaration: &'static Declaration, row: &Row) -> bool {
        let project = row.text("project_id");
        self.declarations.iter().any(|counted| counted.table == declaration.table)
            && !project.is_empty()
            && !self.limits.contains_key(&(project.to_owned(), declaration.quota))
    }

    /// Inserts with a statement that [`Creation::asks`] was true of.
    pub(crate) async fn insert(
        &mut self,
        tx: &mut Tx,
        mut sql: Sql,
        declaration: &'static Declaration,
        row: &Row,
    ) -> Result<u64, StoreError> {
        sql.push(" RETURNING ");
        self.push_limit(&mut sql, declaration, row);
        let rows = tx.fetch(sql, &[("quota_limit", SqlType::Int)]).await?;
        self.learn(declaration, row, rows.first().and_then(|row| number(row, "quota_limit")));
        Ok(rows.len() as u64)
    }

    /// An expression of a statement that inserts such a row.
    pub(crate) fn push_limit<'s>(
        &self,
        sql: &'s mut Sql,
        declaration: &'static Declaration,
        row: &Row,
    ) -> &'s mut Sql {
        sql.push("(SELECT q.quota_limit FROM quotas q WHERE q.project_id = ");
        sql.bind(row.text("project_id"))
            .push(" AND q.resource = ")
            .bind(declaration.quota)
            .push(")")
    }

    /// What the expression said: the limit that was set for the project, if one was.
    pub(crate) fn learn(&mut self, declaration: &'static Declaration, row: &Row, own: Option<i64>) {
        let limit = own.unwrap_or_else(|| self.quotas.limit(declaration.quota));
        let key = (row.text("project_id").to_owned(), declaration.quota);
        let most = Some(limit).filter(|limit| *limit >= 0);
        self.limits.insert(key, Limit { most, created: 0 });
    }

    /// After each insertion: refuses as soon as the request alone is more than its project may have,
    /// so that a hopeless bulk does not keep the database busy to its end.
    pub(crate) fn inserted(
        &mut self,
        declaration: &'static Declaration,
        row: &Row,
    ) -> Result<(), Ended> {
        let key = (row.text("project_id").to_owned(), declaration.quota);
        let asked = self.declarations.iter().any(|counted| counted.table == declaration.table);
        let Some(limit) = self.limits.get_mut(&key).filter(|_| asked) else { return Ok(()) };
        limit.created += 1;
        match limit.most {
            Some(most) if limit.created > most => Err(over(declaration)),
            _ => Ok(()),
        }
    }

    /// Refuses if a project now has more than it may have.
    pub(crate) async fn check(self, tx: &mut Tx) -> Result<(), Ended> {
        for ((project, quota), limit) in self.limits {
            let declaration = self.declarations.iter().find(|counted| counted.quota == quota);
            let (Some(declaration), Some(limit)) = (declaration, limit.most) else { continue };
            if tx.is_postgres() {
                lock(tx, &project, declaration.quota).await?;
            }
            let mut sql = Sql::new("SELECT ");
            push_count(&mut sql, declaration, &project);
            let rows = tx.fetch(sql, &[("used", SqlType::Int)]).await?;
            let used = rows.first().and_then(|row| number(row, "used")).unwrap_or_default();
            if used > limit {
                return Err(over(declaration));
            }
        }
        Ok(())
    }
}

fn over(declaration: &Declaration) -> Ended {
    Ended::Refused(Refusal::OverQuota { overs: format!("['{}']", declaration.quota) })
}

/// SQLite needs no such lock: its transactions write one after another.
async fn lock(tx: &mut Tx, project: &str, quota: &str) -> Result<(), StoreError> {
    let text = "INSERT INTO quota_locks (project_id, resource) VALUES ($1, $2) \
        ON CONFLICT (project_id, resource) DO UPDATE SET resource = excluded.resource";
    tx.execute(Sql::with(text, [project.into(), quota.into()])).await.map(|_| ())
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
