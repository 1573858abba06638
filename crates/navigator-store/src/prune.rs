//! Forgets the scopes of routers and networks that are long deleted. In: the time. Out: how many.
//! Never touches a host's scope: a host that returns goes on from the revision that it knows.

use crate::{agents::repeated, backend::Backend, error::StoreError, sql::Sql};

/// The kinds of scopes that end, and the tables of their objects.
const MORTAL: [(&str, &str); 2] = [("router/", "routers"), ("network/", "networks")];

/// Marks what is gone `now`, and drops what was marked at `before` or earlier. Times are text that
/// sorts.
pub(crate) async fn prune(backend: &Backend, now: &str, before: &str) -> Result<u64, StoreError> {
    repeated(|| async {
        let mut tx = backend.write().await?;
        for (prefix, table) in MORTAL {
            let mut mark = Sql::new("UPDATE scopes SET gone_since = ");
            let (length, id) = (prefix.len(), prefix.len() + 1);
            mark.bind(now).push(&format!(
                " WHERE gone_since IS NULL AND substr(name, 1, {length}) = '{prefix}' \
                 AND NOT EXISTS (SELECT 1 FROM {table} WHERE {table}.id = substr(scopes.name, {id}))"
            ));
            tx.execute(mark).await?;
        }
        for text in [
            "DELETE FROM changes WHERE scope IN (SELECT name FROM scopes WHERE gone_since <= $1)",
            "DELETE FROM router_homes WHERE 'router/' || router_id IN \
             (SELECT name FROM scopes WHERE gone_since <= $1)",
        ] {
            tx.execute(Sql::with(text, [before.into()])).await?;
        }
        let text = "DELETE FROM scopes WHERE gone_since <= $1";
        let dropped = tx.execute(Sql::with(text, [before.into()])).await?;
        tx.commit().await?;
        Ok(dropped)
    })
    .await
}
