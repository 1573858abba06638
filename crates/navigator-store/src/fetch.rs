//! What agents get: a scope complete, or what changed since a revision, from one consistent state
//! of the database.

use std::collections::{BTreeMap, BTreeSet};

use navigator_model::{
    Fetched, HostName, Object, ObjectKey, Revision, Scope, Snapshot, snapshot::Duties,
};
use navigator_resources::SqlType;

use crate::{
    backend::{Backend, Tx},
    change_log::{bound, revision},
    error::StoreError,
    sql::Sql,
};

mod host;
mod network;
mod router;

pub(crate) use network::tunnel_ip;
pub(crate) use router::home_subnets;

/// Keys per statement.
const CHUNK: usize = 512;

/// Which objects of a scope to load.
pub(crate) enum Wanted {
    All,
    /// What changed since.
    Only {
        since: Revision,
        keys: BTreeSet<ObjectKey>,
    },
}

impl Wanted {
    fn includes(&self, key: &ObjectKey) -> bool {
        match self {
            Self::All => true,
            Self::Only { keys, .. } => keys.contains(key),
        }
    }

    /// Ids of one kind in lists of a bearable length; `None` stands for all of them.
    fn ids(&self, kind: fn(&ObjectKey) -> Option<String>) -> Vec<Option<Vec<String>>> {
        match self {
            Self::All => vec![None],
            Self::Only { keys, .. } => {
                let ids: Vec<String> = keys.iter().filter_map(kind).collect();
                ids.chunks(CHUNK).map(|chunk| Some(chunk.to_vec())).collect()
            }
        }
    }
}

type Objects = BTreeMap<ObjectKey, Object>;

/// Where a scope stands.
struct Position {
    revision: Revision,
    horizon: Revision,
}

pub(crate) async fn fetch(
    backend: &Backend,
    host: &HostName,
    scope: &Scope,
    since: Option<Revision>,
) -> Result<Fetched, StoreError> {
    let mut tx = backend.read().await?;
    let fetched = one_scope(&mut tx, host, scope, since).await?;
    tx.rollback().await?;
    Ok(fetched)
}

async fn one_scope(
    tx: &mut Tx,
    host: &HostName,
    scope: &Scope,
    since: Option<Revision>,
) -> Result<Fetched, StoreError> {
    let position = position(tx, scope).await?;
    let revision = position.revision;
    if let Scope::Host(name) = scope {
        let duties = host::duties(tx, name).await?;
        return Ok(complete(scope, revision, Objects::new(), duties));
    }
    let known = since.filter(|since| (position.horizon..=revision).contains(since));
    let wanted = match known {
        Some(since) => Wanted::Only { since, keys: changed(tx, scope, since).await? },
        None => Wanted::All,
    };
    let loaded = match scope {
        Scope::Router(id) => router::load(tx, host, *id, &wanted).await?,
        Scope::Network(id) => network::load(tx, host, *id, &wanted).await?,
        Scope::Host(_) => None,
    };
    Ok(match (loaded, wanted) {
        (None, _) => Fetched::Gone { scope: scope.clone(), revision },
        (Some(objects), Wanted::All) => complete(scope, revision, objects, Duties::default()),
        (Some(mut objects), Wanted::Only { keys, .. }) => {
            let mut changes: BTreeMap<_, _> =
                keys.into_iter().map(|key| (key, objects.remove(&key))).collect();
            // What was not asked for but depends on what was.
            changes.extend(objects.into_iter().map(|(key, object)| (key, Some(object))));
            let objects = changes.into_iter().collect();
            Fetched::Changes { scope: scope.clone(), revision, objects }
        }
    })
}

fn complete(scope: &Scope, revision: Revision, objects: Objects, duties: Duties) -> Fetched {
    Fetched::Complete(Snapshot { scope: scope.clone(), revision, objects, duties })
}

async fn position(tx: &mut Tx, scope: &Scope) -> Result<Position, StoreError> {
    let sql = Sql::with(
        "SELECT revision, horizon FROM scopes WHERE name = $1",
        [scope.to_string().into()],
    );
    let columns = [("revision", SqlType::Int), ("horizon", SqlType::Int)];
    let row = tx.fetch(sql, &columns).await?.pop().unwrap_or_default();
    Ok(Position { revision: revision(&row, "revision"), horizon: revision(&row, "horizon") })
}

async fn changed(
    tx: &mut Tx,
    scope: &Scope,
    since: Revision,
) -> Result<BTreeSet<ObjectKey>, StoreError> {
    let sql = Sql::with(
        "SELECT object FROM changes WHERE scope = $1 AND revision > $2",
        [scope.to_string().into(), bound(since.0)],
    );
    let rows = tx.fetch(sql, &[("object", SqlType::Text)]).await?;
    let keys = rows.iter().map(|row| {
        let text = row.text("object");
        text.parse().map_err(|_| StoreError::Internal(format!("the change log names '{text}'")))
    });
    keys.collect()
}

/// Whether the host has the scope among its duties.
pub(crate) async fn serves(
    backend: &Backend,
    host: &HostName,
    scope: &Scope,
) -> Result<bool, StoreError> {
    let (text, id) = match scope {
        Scope::Host(name) => return Ok(name == host),
        Scope::Router(id) => {
            ("SELECT id FROM routers WHERE id = $1 AND l3_host = $2", id.to_string())
        }
        Scope::Network(id) => (network::ON_HOST, id.to_string()),
    };
    let sql = Sql::with(text, [id.into(), host.0.as_str().into()]);
    Ok(!backend.fetch(sql, &[("id", SqlType::Text)]).await?.is_empty())
}

/// The current revision of all that a host serves, its own scope included.
pub(crate) async fn revisions(
    backend: &Backend,
    host: &HostName,
) -> Result<Vec<(Scope, Revision)>, StoreError> {
    let mut tx = backend.read().await?;
    let duties = host::duties(&mut tx, host).await?;
    let mut scopes = vec![Scope::Host(host.clone())];
    scopes.extend(duties.routers.into_iter().map(Scope::Router));
    scopes.extend(duties.networks.into_iter().map(Scope::Network));
    let mut known: BTreeMap<String, Revision> = BTreeMap::new();
    for chunk in scopes.chunks(CHUNK) {
        let mut sql = Sql::new("SELECT name, revision FROM scopes WHERE ");
        sql.bind_in("name", chunk.iter().map(|scope| scope.to_string().into()).collect());
        let rows = tx.fetch(sql, &[("name", SqlType::Text), ("revision", SqlType::Int)]).await?;
        known.extend(
            rows.iter().map(|row| (row.text("name").to_owned(), revision(row, "revision"))),
        );
    }
    tx.rollback().await?;
    let reached = |scope: &Scope| known.get(&scope.to_string()).copied().unwrap_or_default();
    Ok(scopes.into_iter().map(|scope| (scope.clone(), reached(&scope))).collect())
}
